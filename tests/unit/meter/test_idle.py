"""Power at rest from ticks at rest."""

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.idle import idle_power
from pytest_energy.model import Tick


def test_idle_power_is_joules_over_whole_ticks() -> None:
    """Power at rest is the counter's rise from the first tick to the last, over that time."""
    idle = idle_power([Tick(0.1 * number, 7.5 * number) for number in range(31)])
    assert idle.power_w == pytest.approx(75.0)
    assert idle.duration_s == pytest.approx(3.0)
    assert 0.0 < idle.uncertainty_w < 0.5


def test_unsteady_rest_is_less_certain() -> None:
    """Ticks of unequal joules raise the uncertainty."""
    steady = [Tick(float(n), 70.0 * n) for n in range(5)]
    unsteady = [Tick(t.time_s, t.joules + (10.0 if n % 2 else 0.0)) for n, t in enumerate(steady)]
    assert idle_power(unsteady).uncertainty_w > 2 * idle_power(steady).uncertainty_w


@pytest.mark.parametrize(
    ("ticks", "reason"),
    [
        ([], "two"),
        ([Tick(0.0, 1.0)], "two"),
        ([Tick(0.0, 1.0), Tick(0.0, 2.0)], "no time"),
        ([Tick(0.0, 1.0), Tick(3.0, 1.0)], "1.0 J"),
    ],
)
def test_rest_that_cannot_be_told_is_an_error(ticks: list[Tick], reason: str) -> None:
    """No power is made up where the counter doesn't tell."""
    with pytest.raises(NotMeasurable, match=reason):
        idle_power(ticks)
