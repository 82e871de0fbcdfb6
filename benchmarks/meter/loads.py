"""The loads: pieces of work back to back on one CUDA device."""

from abc import ABC, abstractmethod

import torch

# bf16, 8192 x 8192, random: about 1.4 ms each on an H100, at the board's power limit.
SIDE = 8192

# 1.5 GiB: about 1 ms each on an H100, well below the power limit.
COPIED_BYTES = 3 << 29


class _CudaLoad(ABC):
    """Pieces of work on one CUDA device, one after another.

    Attributes:
        name: What they are, for the report.
    """

    name: str

    def __init__(self, device: str = "cuda:0") -> None:
        self._device = torch.device(device)
        self._prepare()
        self.start(1)
        self.synchronize()

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _one(self) -> None:
        """Hand one piece to the device."""

    def start(self, count: int) -> None:
        for _ in range(count):
            self._one()

    def synchronize(self) -> None:
        torch.cuda.synchronize(self._device)


class Matmuls(_CudaLoad):
    """Products of two matrices: the device slows down to keep its power limit, and not always alike."""

    name = f"bf16 {SIDE}^3 matmuls on random data, back to back"

    def _prepare(self) -> None:
        self._left, self._right = (
            torch.randn(SIDE, SIDE, dtype=torch.bfloat16, device=self._device) for _ in range(2)
        )
        self._product = torch.empty_like(self._left)

    def _one(self) -> None:
        torch.matmul(self._left, self._right, out=self._product)


class Copies(_CudaLoad):
    """Copies in the device's memory: of even power, below its limit."""

    name = f"copies of {COPIED_BYTES / 2**30:g} GiB of random data, back to back"

    def _prepare(self) -> None:
        self._source = torch.randint(256, (COPIED_BYTES,), dtype=torch.uint8, device=self._device)
        self._target = torch.empty_like(self._source)

    def _one(self) -> None:
        self._target.copy_(self._source)


LOADS: dict[str, type[_CudaLoad]] = {"matmuls": Matmuls, "copies": Copies}
