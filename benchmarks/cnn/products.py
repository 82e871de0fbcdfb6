"""Matrix products that use joules beside other work, and what one of them uses.

Their joules are measured where they are used: bursts of them with pauses between, less what the device draws
at the same pace without them. So the card stays as cool and as fast as between the steps of a network.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from pytest_energy.errors import SensorUnavailable

BURSTS = {4096: 1, 2048: 8, 1024: 40}  # products in a burst, by side: about 0.2 ms each on an H100
PAUSE_S = 0.001  # between bursts
SPAN_S = 1.2  # of bursts: twelve updates of the counter
LONGEST_UPDATE_S = 2.0  # an H100's counter moves every 0.1 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch between two updates of the counter."""

    energy_j: float
    duration_s: float
    burst_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Weighs bursts of work by a counter of joules.

    Attributes:
        energy_j: The counter.
        now_s: A clock.
        pause: Waits so many seconds.
    """

    energy_j: Callable[[], float]
    now_s: Callable[[], float]
    pause: Callable[[float], None]

    def active_j(self, burst: Callable[[], None]) -> float:
        """Joules of one *burst* above what is used without it."""
        rest = self._span(lambda: None)
        busy = self._span(burst)
        rest_w = rest.energy_j / rest.duration_s
        return (busy.energy_j - rest_w * busy.duration_s) / busy.burst_count

    def _span(self, burst: Callable[[], None]) -> Span:
        began_s, began_j = self._update()
        count = 0
        while self.now_s() < began_s + SPAN_S:
            burst()
            self.pause(PAUSE_S)
            count += 1
        self._update()  # may have been read while the last burst ran
        ended_s, ended_j = self._update()
        return Span(energy_j=ended_j - began_j, duration_s=ended_s - began_s, burst_count=count)

    def _update(self) -> tuple[float, float]:
        """When the counter next moves, and to what.

        Raises:
            SensorUnavailable: It stands still.
        """
        before_j, began_s = self.energy_j(), self.now_s()
        while (now_j := self.energy_j()) == before_j:
            if self.now_s() > began_s + LONGEST_UPDATE_S:
                raise SensorUnavailable(f"the GPU's energy counter did not change for {LONGEST_UPDATE_S:g} s")
            self.pause(PAUSE_S / 2)
        return self.now_s(), now_j


class CudaProducts:
    """Products of bfloat16 matrices on the current CUDA device."""

    sides: Sequence[int] = tuple(BURSTS)

    def __init__(self) -> None:
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self._generator = torch.Generator("cuda").manual_seed(0)  # the networks' own numbers stay
        self._matrices: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._active_j: dict[int, float] = {}

    def active_j(self, side: int) -> float:
        if side not in self._active_j:
            self.launch(side, BURSTS[side])  # the library's own preparation
            torch.cuda.synchronize()
            scale = Scale(energy_j=_counter(), now_s=time.monotonic, pause=time.sleep)
            self._active_j[side] = scale.active_j(lambda: self._burst(side)) / BURSTS[side]
        return self._active_j[side]

    def launch(self, side: int, count: int) -> None:
        if not count:
            return
        first, second, out = self._factors(side)
        with torch.cuda.stream(self._stream):
            for _ in range(count):
                torch.mm(first, second, out=out)

    def _burst(self, side: int) -> None:
        self.launch(side, BURSTS[side])
        self._stream.synchronize()

    def _factors(self, side: int) -> tuple[Tensor, Tensor, Tensor]:
        if side not in self._matrices:
            first, second, out = (
                torch.randn(side, side, device="cuda", dtype=torch.bfloat16, generator=self._generator)
                for _ in range(3)
            )
            torch.cuda.synchronize()  # they are made on another stream
            self._matrices[side] = first, second, out
        return self._matrices[side]


@cache
def _counter() -> Callable[[], float]:
    """Joules of torch's current device since the driver was loaded, by NVML."""
    import pynvml

    pynvml.nvmlInit()
    uuid = torch.cuda.get_device_properties(torch.cuda.current_device()).uuid
    handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000
