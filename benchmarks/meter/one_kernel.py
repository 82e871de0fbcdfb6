"""One kernel of about 1 ms, called as often as `energy.measure` chooses, and a thousand calls as one work.

    pytest benchmarks/meter/one_kernel.py --energy-baseline=off --energy-report

Both must read the same joules a call, if the card does the same in both. Where its power limit acts after
half a second or more, fewer calls in a row use more joules each (docs/results/meter-response.md). Needs a
CUDA device.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_energy import Energy

# bf16, 7168 x 7168: 1.06 ms on an H100.
SIDE = 7168

CALLS = 1000


@pytest.fixture
def kernel() -> Callable[[], object]:
    """A matrix product on the first GPU, synchronised by the meter."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    left, right = (torch.randn(SIDE, SIDE, dtype=torch.bfloat16, device="cuda") for _ in range(2))
    product = torch.empty_like(left)
    return lambda: torch.matmul(left, right, out=product)


@pytest.mark.energy(rounds=5)
def test_measure(energy: "Energy", kernel: Callable[[], object]) -> None:
    energy.measure(kernel)


@pytest.mark.energy(rounds=5)
def test_thousand_calls(energy: "Energy", kernel: Callable[[], object]) -> None:
    def calls() -> None:
        for _ in range(CALLS):
            kernel()

    energy.measure(calls)
