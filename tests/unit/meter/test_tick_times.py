"""When ticks happened, from when they were seen."""

import math
from dataclasses import replace
from statistics import pstdev

import pytest

from pytest_energy.meter.integrate import integrate
from pytest_energy.meter.tick_times import HEAD_TICKS, INNER_TICKS, fit_tick_times, timed
from pytest_energy.model import Tick

QUIET_W = 120.0
# Spread as evenly as the golden ratio does: seen up to 3 ms too early or too late.
ERRORS_S = [3e-3 * (2 * ((0.618 * number) % 1.0) - 1.0) for number in range(40)]
SPREAD_S = 3e-3 / math.sqrt(3)


def trace(*, burst_j: float = 0.0, count: int = 40) -> list[Tick]:
    """Ticks each 100 ms from 0 on; a burst adds *burst_j* at 3.02 s."""
    times_s = [0.1 * number for number in range(count)]
    return [Tick(time_s, QUIET_W * time_s + (burst_j if time_s >= 3.02 else 0.0)) for time_s in times_s]


def test_times_on_a_beat_are_known_better_than_they_were_seen() -> None:
    """Errors of seeing average out over 40 ticks, and the stated uncertainty says so."""
    times_s = [0.1 * number + error_s for number, error_s in enumerate(ERRORS_S)]
    fit = fit_tick_times(0, times_s, [SPREAD_S] * 40)
    errors_s = [time_s - 0.1 * number for number, time_s in enumerate(tick.time_s for tick in fit.ticks)]
    assert max(map(abs, errors_s)) < pstdev(ERRORS_S) / 4
    assert math.sqrt(fit.variance({20: 1.0})) < SPREAD_S / 4


def test_without_uncertainties_the_times_stay_and_share_one() -> None:
    """How badly the ticks keep to a beat is the uncertainty of each."""
    times_s = [0.1 * number + error_s for number, error_s in enumerate(ERRORS_S)]
    fit = fit_tick_times(0, times_s)
    assert [tick.time_s for tick in fit.ticks] == times_s
    (spread_s,) = {tick.spread_s for tick in fit.ticks}
    assert spread_s == pytest.approx(SPREAD_S, rel=0.5)


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_ticks_make_no_beat(count: int) -> None:
    """Fewer than four stay as they were seen."""
    fit = fit_tick_times(0, [0.1 * number for number in range(count)], [1e-3] * count)
    assert [tick.spread_s for tick in fit.ticks] == [1e-3] * count
    assert fit.beat is None


def test_ticks_that_keep_to_no_beat_stay_as_they_were_seen() -> None:
    """A jitter far beyond the errors of seeing leaves nothing to take the times back to."""
    times_s = [0.1 * number + 0.03 * math.sin(7.0 * number * number) for number in range(20)]
    fit = fit_tick_times(0, times_s, [1e-6] * 20)
    assert [tick.time_s for tick in fit.ticks] == pytest.approx(times_s, abs=1e-6)


def test_a_long_window_has_two_beats() -> None:
    """Ticks far inside aren't looked at."""
    ticks = timed(trace(count=400), head_stop=100, tail_start=300)
    assert [(span.first, len(span.ticks)) for span in ticks.spans] == [
        (100 - HEAD_TICKS, HEAD_TICKS + INNER_TICKS),
        (300 - INNER_TICKS, 100 + INNER_TICKS),
    ]
    assert ticks.best(350).time_s == pytest.approx(35.0)


def test_seen_times_are_taken_back_to_the_beat() -> None:
    """Reads that err by 3 ms each, on a steady beat, cost far less than 3 ms of quiet power."""
    exact = trace(burst_j=6.6)
    ticks = [Tick(t.time_s + e, t.joules, SPREAD_S) for t, e in zip(exact, ERRORS_S, strict=True)]
    integral = integrate(ticks, 3.01, 3.02, quiet_s=((0.0, 3.01),))
    assert abs(integral.energy_j - 6.6 - QUIET_W * 0.01) < 0.1
    assert integral.uncertainty_j < 0.1 < QUIET_W * SPREAD_S


def test_ticks_that_keep_to_no_beat_are_believed_as_seen() -> None:
    """Irregular ticks that were seen exactly give exact joules."""
    times = [0.1 * k + 0.03 * math.sin(7.0 * k * k) for k in range(20)]
    ticks = [Tick(t, QUIET_W * t + (6.6 if t >= 1.02 else 0.0), 1e-6) for t in times]
    integral = integrate(ticks, 1.015, 1.02, quiet_s=((-1.0, 1.015),))
    assert integral.energy_j == pytest.approx(6.6 + QUIET_W * 0.005, abs=1e-3)


def test_one_held_up_read_is_no_lever() -> None:
    """A tick that was seen 24 ms late by its own account doesn't bend the beat."""
    ticks = [replace(tick, spread_s=1e-3) for tick in trace(burst_j=6.6)]
    ticks[20] = replace(ticks[20], time_s=ticks[20].time_s + 0.024)
    integral = integrate(ticks, 3.01, 3.02, quiet_s=((0.0, 3.01),))
    assert integral.energy_j == pytest.approx(6.6 + QUIET_W * 0.01, abs=0.3)


def test_ticks_that_are_off_the_beat_by_the_same_are_of_a_moved_one() -> None:
    """Work may move the beat: three ticks that are 37 ms early are as well known as they were seen."""
    times_s = [0.1 * number - (0.037 if number >= HEAD_TICKS else 0.0) for number in range(HEAD_TICKS + 3)]
    fit = fit_tick_times(0, times_s, [5e-4] * len(times_s))
    assert fit.beat is not None
    assert [tick.spread_s for tick in fit.ticks[-3:]] == pytest.approx([5e-4] * 3)
    assert [tick.time_s for tick in fit.ticks[-3:]] == pytest.approx(times_s[-3:])


def test_a_tick_that_is_off_the_beat_alone_was_seen_badly() -> None:
    """It may err by its distance from the beat, whatever was thought of it."""
    times_s = [0.1 * number - (0.037 if number == 30 else 0.0) for number in range(HEAD_TICKS)]
    fit = fit_tick_times(0, times_s, [5e-4] * HEAD_TICKS)
    assert fit.ticks[30].spread_s == pytest.approx(0.037, rel=0.05)
