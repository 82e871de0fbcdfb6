"""Joules at any moment inside a window whose truth is known by construction."""

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.integrate import How
from pytest_energy.meter.interpolate import Cumulative, interpolate
from pytest_energy.model import Tick

QUIET_W = 120.0


def phased() -> Cumulative:
    """0.5 s at 200 W, then 0.5 s at 400 W, quiet around."""
    times = [0.1 * k + 0.03 for k in range(40)]
    joules = [
        QUIET_W * t + 80.0 * min(max(t - 2.0, 0.0), 0.5) + 280.0 * min(max(t - 2.5, 0.0), 0.5) for t in times
    ]
    return interpolate(
        [Tick(*pair) for pair in zip(times, joules, strict=True)], 2.0, 3.0, quiet_s=((0.0, 2.0),)
    )


def test_a_stretch_is_interpolated_between_ticks() -> None:
    """Away from a change of power the interpolation is exact, and near it the uncertainty covers it."""
    steady, across = phased().between(2.03, 2.33), phased().between(2.0, 2.5)
    assert steady.energy_j == pytest.approx(60.0, rel=1e-3)
    assert abs(across.energy_j - 100.0) <= 2 * across.uncertainty_j
    assert across.uncertainty_j > steady.uncertainty_j
    assert across.how is How.INTERPOLATED


def test_the_whole_window_is_no_interpolation() -> None:
    """A stretch that is the window has the window's joules and uncertainty."""
    assert phased().between(2.0, 3.0).how is How.ALIGNED


def test_a_stretch_outside_its_window_is_an_error() -> None:
    """What the window doesn't hold it can't tell."""
    with pytest.raises(NotMeasurable, match="leaves its window"):
        phased().between(1.9, 2.5)


def test_a_window_inside_one_tick_says_little_of_its_stretches() -> None:
    """With no tick inside, half the time may have used nearly nothing or nearly all."""
    times_s = [0.1 * number for number in range(20)]
    ticks = [Tick(time_s, QUIET_W * time_s + (33.0 if time_s >= 1.07 else 0.0)) for time_s in times_s]
    half = interpolate(ticks, 1.01, 1.07, quiet_s=((0.0, 1.01),)).between(1.01, 1.04)
    assert half.uncertainty_j > 0.1 * half.energy_j
