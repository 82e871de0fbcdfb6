"""torch with one GPU on which nothing is computed: it counts what is started and whether anybody waited."""

import time
from collections import Counter


class FakeCuda:
    """`torch.cuda`.

    Attributes:
        pending_count: Of the kernels that nobody has waited for yet.
        is_open: A context is open.
        calls: Names of what was asked of the allocator, in order.
    """

    def __init__(self, *, is_open: bool, is_there: bool, wait_s: float) -> None:
        self.is_open, self._is_there, self._wait_s = is_open, is_there, wait_s
        self.pending_count = 0
        self.calls: list[str] = []

    def is_initialized(self) -> bool:
        return self.is_open

    def is_available(self) -> bool:
        return self._is_there

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def memory_reserved(self, index: int) -> int:
        return 4096 * (1 - index)

    def synchronize(self, index: int = 0) -> None:
        assert index == 0
        if self.pending_count:
            time.sleep(self._wait_s)
        self.pending_count = 0

    def empty_cache(self) -> None:
        self.calls.append("empty_cache")

    def reset_peak_memory_stats(self) -> None:
        self.calls.append("reset_peak_memory_stats")


class FakeGenerator:
    """Random bits that are not the suite's."""

    def __init__(self, device: str) -> None:
        assert device == "cuda"
        self.seed: int | None = None

    def manual_seed(self, seed: int) -> "FakeGenerator":
        self.seed = seed
        return self


class FakeTensor:
    """A tensor on the GPU of *torch*."""

    def __init__(self, torch: "FakeTorch", byte_count: int) -> None:
        self._torch = torch
        self.byte_count = byte_count

    def _filled(self, generator: FakeGenerator) -> "FakeTensor":
        self._torch.seeds.append(generator.seed)
        return self

    normal_ = random_ = _filled

    def copy_(self, source: "FakeTensor") -> None:
        assert source.byte_count == self.byte_count
        self._torch.start("copy")

    def add_(self, number: float) -> None:
        assert number
        self._torch.start("add")


class FakeTorch:
    """The module `torch`, as far as the loads of a GPU need it.

    Args:
        is_open: The suite has used CUDA already.
        is_there: There is a GPU.
        wait_s: What it takes to wait for kernels, however many there are.

    Attributes:
        started: How often each kernel was started.
        byte_counts: Of the tensors that were made.
        seeds: Of the generators that filled them.
        failing: Name of a kernel whose start fails.
    """

    bfloat16, float32, uint8 = 2, 4, 1  # bytes of an element
    Generator = FakeGenerator

    def __init__(self, *, is_open: bool = False, is_there: bool = True, wait_s: float = 0.0) -> None:
        self.cuda = FakeCuda(is_open=is_open, is_there=is_there, wait_s=wait_s)
        self.started: Counter[str] = Counter()
        self.byte_counts: list[int] = []
        self.seeds: list[int | None] = []
        self.failing = ""

    def start(self, kernel: str) -> None:
        if kernel == self.failing:
            raise RuntimeError(f"CUDA out of memory in {kernel}")
        self.cuda.is_open = True
        self.cuda.pending_count += 1
        self.started[kernel] += 1

    def empty(self, *shape: int, dtype: int, device: str) -> FakeTensor:
        assert device == "cuda"
        self.cuda.is_open = True
        element_count = 1
        for side in shape:
            element_count *= side
        self.byte_counts.append(element_count * dtype)
        return FakeTensor(self, self.byte_counts[-1])

    def zeros(self, *shape: int, dtype: int = float32, device: str) -> FakeTensor:
        self.start("zeros")
        return self.empty(*shape, dtype=dtype, device=device)

    def mm(self, left: FakeTensor, right: FakeTensor, *, out: FakeTensor) -> None:
        assert out is not left
        assert out is not right
        self.start("mm")
