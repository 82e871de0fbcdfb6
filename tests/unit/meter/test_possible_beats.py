"""Beats that no look has ruled out."""

import random

import pytest

from pytest_energy.meter.possible_beats import PossibleBeats

PERIOD_S = 0.1000015
CALL_S = 2.6e-3


def looked(*, ticks: int, every: int, seed: int, spread_s: float = 0.0) -> tuple[PossibleBeats, float]:
    """Beats after looks whose reads end around where a tick is expected, and the time of the last tick."""
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation
    possible, number = PossibleBeats(), 0
    possible.begin(2e-3, 0.1, 3e-3, 1e-5)
    while number < ticks:
        number += every
        possible.pass_over(every)
        expected_s, known_s = possible.at(0)
        ended_s = expected_s + rng.uniform(-1, 1) * min(known_s, CALL_S / 2)
        tick_s = number * PERIOD_S + rng.gauss(0.0, spread_s)
        while ended_s < tick_s:
            ended_s += CALL_S
        while ended_s - CALL_S >= tick_s:
            ended_s -= CALL_S
        if not possible.take(ended_s - CALL_S, ended_s):
            possible.begin(tick_s, 0.1, 3e-3, 1e-5)
    return possible, number * PERIOD_S


@pytest.mark.parametrize("every", [1, 40])
def test_a_beat_is_soon_known_much_better_than_reads_are_long(every: int) -> None:
    """After forty looks with reads of 2.6 ms it is known to 0.2 ms, and where it is said to be."""
    for seed in range(20):
        possible, tick_s = looked(ticks=40 * every, every=every, seed=seed)
        time_s, spread_s = possible.at(0)
        assert possible.is_trusted
        assert spread_s < 2e-4
        assert abs(time_s - tick_s) < 12**0.5 / 2 * spread_s + 1e-6  # anywhere in what is left
        assert possible.period_s == pytest.approx(PERIOD_S, abs=2e-4 / every)


def test_the_next_ticks_are_known_less_well() -> None:
    """The period is known so well only: forty ticks on, more is possible."""
    possible, tick_s = looked(ticks=60, every=1, seed=3)
    (now_s, now_spread_s), (then_s, then_spread_s) = possible.at(0), possible.at(40)
    assert then_spread_s > now_spread_s
    assert then_s - now_s == pytest.approx(40 * PERIOD_S, abs=4 * then_spread_s)
    assert now_s == pytest.approx(tick_s, abs=4 * now_spread_s)


def test_a_counter_that_keeps_no_beat_is_not_trusted() -> None:
    """Ticks that come 4 ms off it rule out each beat again and again."""
    trusted = [looked(ticks=count, every=1, seed=5, spread_s=4e-3)[0].is_trusted for count in range(20, 120)]
    assert not any(trusted)


def test_nothing_that_is_ruled_out_comes_back() -> None:
    """A tick between two moments where none was possible leaves nothing, and looks are counted anew."""
    possible, tick_s = looked(ticks=30, every=1, seed=1)
    possible.pass_over(1)
    assert not possible.take(tick_s + PERIOD_S + 5e-3, tick_s + PERIOD_S + 8e-3)
    assert not possible.is_trusted
