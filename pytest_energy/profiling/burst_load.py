"""Bursts of even work on one GPU, of a length that is asked for.

Rule 1: a burst is over when `run` returns: the device has done all of it.
Rule 2: importing this module does not import torch.
"""

import importlib.util
from typing import Protocol

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.clock import Clock
from pytest_energy.profiling.lazy_torch import torch

# A product takes at least so long: of shorter ones many are handed over in a burst, and the device waits for
# the host.
_PIECE_S = 5e-4
_SMALLEST, _LARGEST = 1024, 8192

# The first products load kernels, and raise clocks.
_WARM_COUNT, _TIMED_COUNT = 20, 10


class BurstLoad(Protocol):
    """Work of even power."""

    def prepare(self) -> None:
        """Be ready to work at once.

        Raises:
            NotMeasurable: This load isn't possible here, with the reason.
        """
        ...

    def run(self, duration_s: float) -> None:
        """Work for about so many seconds, and return when it is over.

        Raises:
            NotMeasurable: The work failed.
        """
        ...


class GpuBursts:
    """Products of matrices on one GPU, by torch.

    Args:
        device: As torch names it.
        clock: Times the products.
    """

    def __init__(self, device: str, clock: Clock) -> None:
        self._device, self._clock = device, clock
        self._matrices: tuple[torch.Tensor, torch.Tensor]
        self._piece_s = 0.0

    def prepare(self) -> None:
        if importlib.util.find_spec("torch") is None:
            raise NotMeasurable("a load takes torch, which is not installed: pip install torch")
        if self._device.startswith("cuda") and not torch.cuda.is_available():
            raise NotMeasurable(f"torch {torch.__version__} finds no GPU through CUDA")
        size = _SMALLEST
        try:
            while True:
                matrix = torch.rand(size, size, device=self._device, dtype=torch.float16)
                self._matrices = matrix, torch.empty_like(matrix)
                self._multiply(_WARM_COUNT)
                self._piece_s = self._timed_s(_TIMED_COUNT)
                if self._piece_s >= _PIECE_S or size >= _LARGEST:
                    return
                size *= 2
        except RuntimeError as error:
            raise NotMeasurable(f"torch can't multiply on {self._device}: {error}") from error

    def run(self, duration_s: float) -> None:
        if not self._piece_s:
            raise NotMeasurable("the load isn't prepared")
        try:
            self._multiply(max(1, round(duration_s / self._piece_s)))
        except RuntimeError as error:
            raise NotMeasurable(f"torch failed to multiply on {self._device}: {error}") from error

    def _timed_s(self, count: int) -> float:
        start_s = self._clock.now_s()
        self._multiply(count)
        return (self._clock.now_s() - start_s) / count

    def _multiply(self, count: int) -> None:
        left, product = self._matrices
        for _ in range(count):
            torch.mm(left, left, out=product)
        if left.is_cuda:
            torch.cuda.synchronize(left.device)
