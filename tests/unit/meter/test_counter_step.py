"""The step in which a counter counts."""

import math
import random

import pytest

from pytest_energy.meter.counter_step import step_j
from pytest_energy.model import Tick


def shown(step_j: float, *, tick_s: float = 0.02, noise: float = 0.0, until_s: float = 2.0) -> list[Tick]:
    """Ticks of a counter in steps, at 117.3 W and through three bursts of 780 W that are 70 ms long."""
    rng = random.Random(4)  # noqa: S311  # a seeded simulation
    joules, ticks = 3204.7, []
    for number in range(round(until_s / tick_s)):
        starts_s = (0.313, 0.741, 1.27)
        busy_s = sum(
            max(0.0, min(number * tick_s, start_s + 0.07) - max((number - 1) * tick_s, start_s))
            for start_s in starts_s
        )
        joules += (117.3 * tick_s + 662.7 * busy_s) * (1 + rng.gauss(0.0, noise))
        ticks.append(Tick(number * tick_s, math.floor(joules / step_j) * step_j, 2e-4))
    return ticks


@pytest.mark.parametrize("true_j", [2.0, 1.0, 0.5, 1 / 3, 0.1])
@pytest.mark.parametrize("tick_s", [0.02, 0.05])
def test_all_that_it_gains_are_multiples_of_its_step(true_j: float, tick_s: float) -> None:
    """Whatever the step is, and however long the ticks are."""
    assert step_j(shown(true_j, tick_s=tick_s)) == pytest.approx(true_j)


@pytest.mark.parametrize("fine_j", [1e-3, 61e-6, 1e-9])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_counter_that_counts_finely_shows_none(fine_j: float, noise: float) -> None:
    """In millijoules, less, or numbers that are not whole."""
    assert step_j(shown(fine_j, noise=noise)) == 0.0


def test_one_power_shows_none() -> None:
    """An ideal counter at rest gains 12 J in a tick, 24 in two, 36 in three, 6 in half of one."""
    times_s = (0.0, 0.1, 0.3, 0.6, 0.7, 0.75, 1.15)
    assert step_j([Tick(time_s, 120 * time_s, 1e-3) for time_s in times_s]) == 0.0


def test_bursts_of_a_whole_tick_show_none() -> None:
    """What two ticks have of one is known of one another: 12, 39 and 51 J are multiples of 3."""
    joules = [0.0, 12.0, 24.0, 63.0, 114.0, 126.0]
    assert step_j([Tick(0.1 * number, value, 1e-3) for number, value in enumerate(joules)]) == 0.0


def test_ticks_at_rest_are_too_few_to_show_one() -> None:
    """Two and three joules may be a step of one, or ticks of two lengths."""
    assert step_j(shown(1.0, until_s=0.3)) == 0.0
    assert step_j([]) == 0.0


def test_gains_of_next_to_nothing_have_no_step() -> None:
    """Nor is one looked for in what is finer than any counter."""
    joules = [0.0, 5e-292, 2e-291, 9e-291, 4e-290, 5e-289]
    assert step_j([Tick(0.02 * number, total_j, 1e-4) for number, total_j in enumerate(joules)]) == 0.0
