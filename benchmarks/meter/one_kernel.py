"""Kernels of about 1 ms, called as often as `energy.measure` chooses, and many calls as one piece of work.

    pytest benchmarks/meter/one_kernel.py --energy-baseline=off --energy-report

Both must give the same joules per call where the card does the same in both. A card uses more as it warms up,
so each kernel is measured there and back: `energy.measure`, one piece, one piece, `energy.measure`.
Copies and products of ones draw even power, below the card's limit. Products of random numbers draw more than
the limit at first, and less when the card slows down after 0.7 s: their joules per call depend on how many
follow one another, so they are to be compared at as many calls. Needs a CUDA device.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_energy import Energy

Kernel = Callable[[], object]

# bf16, 7168 x 7168: 1.06 ms on an H100.
SIDE = 7168

# 1.25 GiB: 1.0 ms on an H100.
COPIED_BYTES = 5 << 28

COUNTS = {"copy": (1000,), "product-of-ones": (1000,), "product-of-random": (750, 1000)}
"""Calls in one piece of work, by kernel."""

BY_MEASURE = 0


def there_and_back() -> Iterator[object]:
    """Each kernel with each number of calls, twice, so that what changes evenly with time drops out."""
    for name, counts in COUNTS.items():
        there = (BY_MEASURE, *counts)
        for turn, calls in (("there", there), ("back", there[::-1])):
            for count in calls:
                form = "by-measure" if count == BY_MEASURE else f"{count}-as-one"
                yield pytest.param(name, count, id=f"{name}-{form}-{turn}")


@pytest.fixture
def kernel(request: pytest.FixtureRequest) -> Kernel:
    """The kernel of this name, on the first GPU; the meter synchronises."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    if request.param == "copy":
        source = torch.randint(256, (COPIED_BYTES,), dtype=torch.uint8, device="cuda")
        target = torch.empty_like(source)
        return lambda: target.copy_(source)
    make = torch.ones if request.param == "product-of-ones" else torch.randn
    left, right = (make(SIDE, SIDE, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    product = torch.empty_like(left)
    return lambda: torch.matmul(left, right, out=product)


@pytest.mark.energy(rounds=4)
@pytest.mark.parametrize(("kernel", "count"), [*there_and_back()], indirect=["kernel"])
def test_kernel(energy: "Energy", kernel: Kernel, count: int) -> None:
    def calls() -> None:
        for _ in range(count):
            kernel()

    energy.measure(kernel if count == BY_MEASURE else calls)
