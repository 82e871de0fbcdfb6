"""The loads of a GPU, through the torch that the suite itself has imported.

Rule 1: a context that is open draws power and is never closed again, so none is opened for the yardstick's
sake unless the yardstick was asked for.
Rule 2: the suite's random numbers go on where they were, and the memory is given back.
Rule 3: the data are the same in every run: what a product or a copy draws depends on its bits.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.synchronize import open_cuda
from pytest_energy.model import Domain
from pytest_energy.yardstick.load import FixedLoad, LoadSet, Repeat, ladder, rest

_SEED = 14
_SIDE = 8192  # a product large enough to fill any GPU
_COPIED_BYTES = 2**30  # twenty times the cache of an H100

# Amounts of about half a second on an H100: 1.1e12 operations a product at 7e14 a second, 2**31 bytes moved
# a copy at 2.7e12 a second, 7 to 10 us a launch. Half a second is known to 0.6 %: docs/measurement.md.
_PRODUCT_COUNT = 320
_COPY_COUNT = 640
_LAUNCH_COUNT = 49_152

_LONGEST_S = 1.0
_EXPECTED_S = 9.0  # three loads of three rounds of half a second, and a third of a second to wait for ticks


def gpu_loads(clock: Clock) -> LoadSet:
    """The loads of the GPU that is torch's current one; the others are at rest meanwhile."""
    return LoadSet(
        domains=frozenset({Domain.GPU}),
        loads=(
            rest("gpu", clock, _open),
            _load("compute", f"product of {_SIDE} x {_SIDE} matrices in bfloat16", _PRODUCT_COUNT, _compute),
            _load("memory", "copy of 1 GiB on the device", _COPY_COUNT, _memory),
            # One amount: how long a launch takes hangs on the host, which is not as fast in every run.
            replace(
                _load("launches", "kernel that adds 1 to one number", _LAUNCH_COUNT, _launches),
                unit_counts=(_LAUNCH_COUNT,),
            ),
        ),
        expected_s=_EXPECTED_S,
        why_not_ready=_why_not_ready,
        release=_release,
    )


def _load(name: str, unit: str, most_count: int, make: Callable[[], Repeat]) -> FixedLoad:
    return FixedLoad(
        device="gpu",
        name=name,
        unit=unit,
        unit_counts=ladder(most_count),
        longest_s=_LONGEST_S,
        make=make,
    )


def _torch() -> Any:
    """torch, or `None` if it is not imported; its parts are missing while another thread imports it."""
    return sys.modules.get("torch")


def _why_not_ready(may_open: bool) -> str | None:  # noqa: FBT001  # the one thing that is asked with
    cuda = getattr(_torch(), "cuda", None)
    if cuda is None:
        return "the loads of a GPU need torch, which this process has not imported"
    if open_cuda() is not None:
        return None
    if not may_open:
        return "nothing in this process has used CUDA yet; --energy-yardstick=on opens the GPU for the loads"
    return None if cuda.is_available() is True else "torch sees no CUDA device"


def _open() -> None:
    """Open the device, where it isn't yet: after its first kernel it draws ready power."""
    torch = _torch()
    torch.zeros(1, device="cuda")
    torch.cuda.synchronize()


def _release() -> None:
    """Give back the memory, so that a test has as much as without the yardstick."""
    cuda = _torch().cuda
    cuda.empty_cache()
    cuda.reset_peak_memory_stats()


def _generator() -> Any:
    """A source of random bits of its own: those of the suite go on where they were."""
    return _torch().Generator(device="cuda").manual_seed(_SEED)


def _compute() -> Repeat:
    torch, generator = _torch(), _generator()
    left, right, product = (torch.empty(_SIDE, _SIDE, dtype=torch.bfloat16, device="cuda") for _ in range(3))
    for matrix in (left, right):
        matrix.normal_(generator=generator)

    def multiply() -> None:
        torch.mm(left, right, out=product)

    return _times(multiply)


def _memory() -> Repeat:
    torch, generator = _torch(), _generator()
    source, target = (torch.empty(_COPIED_BYTES, dtype=torch.uint8, device="cuda") for _ in range(2))
    source.random_(generator=generator)
    return _times(lambda: target.copy_(source))


def _launches() -> Repeat:
    number = _torch().zeros(1, dtype=_torch().float32, device="cuda")
    return _times(lambda: number.add_(1.0))


def _times(start: Callable[[], object]) -> Repeat:
    """*start* so many times, then a wait for the device."""
    synchronize = _torch().cuda.synchronize

    def repeat(count: int) -> None:
        for _ in range(count):
            start()
        synchronize()

    return repeat
