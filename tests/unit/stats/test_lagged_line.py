"""The line between two meters: known gains, offsets and lags are held, and what can't be shown is absent."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pytest_energy.errors import Absent
from pytest_energy.stats.bounded_mean import Interval
from pytest_energy.stats.lagged_line import KnownWindow, LaggedLine, Rows, lagged_line
from tests.fakes.wall_meter import GAIN, LAG_S, OFFSET_W, WallWorld

TRUTH = (GAIN, OFFSET_W, LAG_S)
PARTS = ("gain", "offset_w", "lag_s")


def line_of(world: WallWorld, rows: Rows | None = None, *, most_lag_s: float = 10.0) -> LaggedLine:
    return lagged_line(world.known(), world.rows() if rows is None else rows, most_lag_s=most_lag_s)


def intervals(line: LaggedLine) -> list[Interval]:
    values = [getattr(line, part) for part in PARTS]
    assert not [one.because for one in values if isinstance(one, Absent)]
    return values


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_hold_the_truth(seed: int) -> None:
    """Gain 1.07, offset 85 W and lag 2.3 s, from noisy rows of a second."""
    for one, truth in zip(intervals(line_of(WallWorld(seed))), TRUTH, strict=True):
        assert one.lower <= truth <= one.upper


def test_intervals_are_narrow_enough_to_be_of_use() -> None:
    """With 32 windows 2 % of the gain, 6 W, and 0.05 s; the noise is found as well."""
    line = line_of(WallWorld())
    gain, offset_w, lag_s = intervals(line)
    assert gain.upper - gain.lower < 0.02
    assert offset_w.upper - offset_w.lower < 6.0
    assert lag_s.upper - lag_s.lower < 0.05
    assert line.noise_w == pytest.approx(3.0, rel=0.2)
    assert line.window_count == 32


def test_rows_that_are_longer_than_windows_show_the_line_too() -> None:
    """A row is a mean over its span: one of 5 s holds parts of a window and of the time outside it."""
    world = WallWorld(test_count=16)
    gain, offset_w, lag_s = intervals(line_of(world, world.rows(span_s=5.0)))
    assert gain.lower < GAIN < gain.upper
    assert gain.value == pytest.approx(GAIN, rel=0.03)
    assert offset_w.value == pytest.approx(OFFSET_W, abs=10.0)
    assert lag_s.value == pytest.approx(LAG_S, abs=0.1)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_the_line_follows_the_unit(factor: float) -> None:
    """Rows in another unit give gain and offset in it, and the same lag."""
    world = WallWorld()
    rows = world.rows()
    one, other = line_of(world, rows), line_of(world, replace(rows, power_w=factor * rows.power_w))
    for mine, scaled, times in zip(intervals(one), intervals(other), (factor, factor, 1.0), strict=True):
        for end in ("value", "lower", "upper"):
            assert getattr(scaled, end) == pytest.approx(times * getattr(mine, end), rel=2e-3)


def test_a_clock_that_is_ahead_is_lag() -> None:
    """Times of the rows that are 1.5 s later make the lag 1.5 s longer, and change nothing else."""
    world = WallWorld()
    rows = world.rows()
    one, other = line_of(world, rows), line_of(world, replace(rows, stop_s=rows.stop_s + 1.5))
    for mine, moved, by in zip(intervals(one), intervals(other), (0.0, 0.0, 1.5), strict=True):
        assert moved.value == pytest.approx(mine.value + by, rel=1e-3)


def test_what_happens_between_windows_changes_little() -> None:
    """Rows wholly outside may show anything: here ten times the power."""
    world = WallWorld()
    rows = world.rows()
    middles_s = rows.stop_s - LAG_S - 0.5
    is_far = np.all(
        [(middles_s < start - 2) | (middles_s > stop + 2) for _, start, stop in world.windows], axis=0
    )
    assert is_far.any()
    wild = replace(rows, power_w=np.where(is_far, 10 * rows.power_w, rows.power_w))
    gain, offset_w, lag_s = intervals(line_of(world, wild))
    assert gain.value == pytest.approx(GAIN, rel=0.01)
    assert offset_w.value == pytest.approx(OFFSET_W, abs=5.0)
    assert lag_s.value == pytest.approx(LAG_S, abs=0.1)


def absent(line: LaggedLine, *parts: str) -> str:
    """The one reason for which *parts*, and no others, are absent."""
    reasons = {part: value.because for part in PARTS if isinstance(value := getattr(line, part), Absent)}
    assert {*reasons} == {*parts}
    (because,) = set(reasons.values())
    assert (line.noise_w is None) is ("gain" in parts)
    return because


def test_seven_windows_are_too_few() -> None:
    """No interval is given that rests on so few, and no number either."""
    assert absent(line_of(WallWorld(test_count=7, round_count=1)), *PARTS) == (
        "the meter has rows in 7 windows, and at least 8 are needed"
    )


def test_windows_without_rows_count_for_nothing() -> None:
    """The meter was started late: of 32 windows, rows lie in fewer than 8."""
    world = WallWorld()
    rows = world.rows()
    late = rows.stop_s > world.windows[-5][1]
    cut = Rows(stop_s=rows.stop_s[late], span_s=rows.span_s[late], power_w=rows.power_w[late])
    assert absent(line_of(world, cut), *PARTS).startswith("the meter has rows in ")


@pytest.mark.parametrize("noise_w", [0.0, 3.0])
def test_power_that_hardly_varies_shows_no_gain(noise_w: float) -> None:
    """Equal work in all windows: the edges show the lag, and nothing shows gain and offset."""
    world = WallWorld(powers_w=[400.0] * 8, noise_w=noise_w)
    flat = [with_power(window, 400.0) for window in world.known()]
    because = absent(lagged_line(flat, world.rows(), most_lag_s=10.0), "gain", "offset_w")
    assert because.startswith("the power of the windows, 400 W to 400 W, varies too little")


def with_power(window: KnownWindow, power_w: float) -> KnownWindow:
    return replace(window, steps=[(time_s, power_w) for time_s, _ in window.steps])


def test_power_within_its_own_uncertainty_shows_no_gain() -> None:
    """Windows that differ by less than ten of their errors would give a gain that is too small."""
    world = WallWorld()
    unsure = [replace(window, uncertainty_w=60.0) for window in world.known()]
    because = absent(lagged_line(unsure, world.rows(), most_lag_s=10.0), "gain", "offset_w")
    assert because.endswith("varies too little")


def test_a_meter_that_stands_still_shows_nothing() -> None:
    """Equal rows are no offset."""
    rows = WallWorld().rows()
    still = replace(rows, power_w=np.full(len(rows.power_w), 300.0))
    assert absent(line_of(WallWorld(), still), *PARTS) == "the meter shows 300 W throughout"


def slow_rows(world: WallWorld, slow_s: float) -> Rows:
    """The rows of a meter that answers with a time constant, step by step."""
    step_s = 0.02
    times_s = np.arange(0.0, world.ended_s + 20, step_s)
    powers_w = np.diff(world.joules_at(times_s - LAG_S)) / step_s
    shown_w, last_w = [], float(powers_w[0])
    for power_w in powers_w.tolist():
        before_w, last_w = last_w, last_w + (1 - np.exp(-step_s / slow_s)) * (power_w - last_w)
        shown_w.append((before_w + last_w) / 2)
    shown_j = np.concatenate([[0.0], np.cumsum(shown_w) * step_s])
    rows = world.rows()
    noise_w = np.random.default_rng(world.seed).normal(0.0, world.noise_w, len(rows.stop_s))
    means_w = np.interp(rows.stop_s, times_s, shown_j) - np.interp(rows.stop_s - 1, times_s, shown_j)
    return replace(rows, power_w=OFFSET_W + GAIN * means_w + noise_w)


@pytest.mark.parametrize("slow_s", [0.5, 2.0])
def test_a_meter_that_answers_slowly_is_seen_to(slow_s: float) -> None:
    """Its rows lack a part of a new power for a while: taken as prompt, the gain would be 2 % too low."""
    world = WallWorld(seed=3)
    line = lagged_line(world.known(), slow_rows(world, slow_s), most_lag_s=10.0)
    assert isinstance(line.gain, Interval)
    assert isinstance(line.lag_s, Interval)
    assert line.slow_s == pytest.approx(slow_s, rel=0.1)
    assert line.gain.value == pytest.approx(GAIN, rel=0.01)
    assert line.lag_s.value == pytest.approx(LAG_S, abs=0.03)


def test_a_prompt_meter_is_not_taken_for_slow() -> None:
    """What noise could do isn't enough for it."""
    world = WallWorld(seed=4, noise_w=20.0)
    assert lagged_line(world.known(), world.rows(), most_lag_s=10.0).slow_s == 0.0


def test_a_meter_that_is_connected_the_wrong_way_round_shows_no_gain() -> None:
    """Its power falls where the counters' rises: the reason is that, and not too little of it."""
    world = WallWorld()
    rows = world.rows()
    line = lagged_line(world.known(), replace(rows, power_w=-rows.power_w), most_lag_s=10.0)
    assert isinstance(line.gain, Absent)
    assert "wrong way round" in line.gain.because


def test_a_lag_beyond_the_search_is_not_given() -> None:
    """The best of what was tried is at its end, or none is clearly the best."""
    world = WallWorld()
    assert absent(line_of(world, most_lag_s=1.0), *PARTS) == (
        "no lag from -1 s to 1 s fits clearly better than the others"
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_meter_of_another_machine_shows_no_gain(seed: int) -> None:
    """Rows that only scatter have no line."""
    world = WallWorld(seed)
    rows = world.rows()
    noise_w = np.random.default_rng(seed).normal(300.0, 20.0, len(rows.power_w))
    line = line_of(world, replace(rows, power_w=noise_w))
    assert isinstance(line.gain, Absent)
    assert isinstance(line.offset_w, Absent)


def test_it_is_the_same_each_time() -> None:
    """Resamples have a fixed seed."""
    world = WallWorld(test_count=3)
    rows = world.rows()
    assert line_of(world, rows) == line_of(world, rows)


def steps(*pairs: tuple[float, float]) -> Sequence[tuple[float, float]]:
    return pairs


def test_a_window_has_the_joules_of_its_steps() -> None:
    """Watts times seconds, whatever their length; the last pair is no step."""
    window = KnownWindow(steps=steps((1.0, 100.0), (3.0, 50.0), (4.0, 999.0)))
    assert [window.energy_j, window.power_w] == pytest.approx([250.0, 250.0 / 3])
