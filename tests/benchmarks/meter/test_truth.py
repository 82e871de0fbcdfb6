"""The truth of a series of bursts, on reads whose truth is known."""

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

import pytest

from benchmarks.meter.bursts import gaps_of
from benchmarks.meter.figures import score
from benchmarks.meter.truth import (
    Quiet,
    Read,
    Stretch,
    Truth,
    changes_in,
    counter_at,
    quiet_power,
    series_truth,
    ticks_of,
)
from pytest_energy.errors import NotMeasurable
from tests.fakes.accuracy_rig import BURST_W

QUIET_W = 120.0

QUIET: dict[str, Any] = {
    "uncertainty_w": 0.1,
    "slope_w": 0.0,
    "middle_s": 9.0,
    "duration_s": 5.0,
    "gap_count": 9,
}


# A series as bare reads


def bursts(count: int, length_s: float, *, gap_s: float = 0.53) -> tuple[Stretch, ...]:
    """Bursts whose phase against a tick of 0.1 s differs each time."""
    starts = [1.0 + number * (length_s + gap_s) for number in range(count)]
    return tuple((start_s, start_s + length_s) for start_s in starts)


def energy_until(time_s: float, stretches: Sequence[Stretch], quiet_w: Callable[[float], float]) -> float:
    """Joules since 0 s of quiet power whose mean up to a time is *quiet_w*, and of bursts."""
    busy_s = sum(max(0.0, min(time_s, stop_s) - start_s) for start_s, stop_s in stretches)
    return quiet_w(time_s) * time_s + (BURST_W - QUIET_W) * busy_s


def reads_of(
    stretches: Sequence[Stretch],
    *,
    until_s: float,
    quiet_w: Callable[[float], float] = lambda _: QUIET_W,
    jitter_s: float = 0.0,
    step_s: float = 0.006,
) -> list[Read]:
    """Reads of a counter that ticks every 0.1 s, 3 ms each, one every *step_s*."""
    rng = random.Random(5)  # noqa: S311  # a seeded simulation
    ticks = [0.1 * number + rng.uniform(-jitter_s, jitter_s) for number in range(1, round(until_s / 0.1))]
    found, time_s, index = [], 0.11, 0
    while time_s < until_s - 0.2:
        while index + 1 < len(ticks) and ticks[index + 1] <= time_s + 0.0015:
            index += 1
        joules = energy_until(ticks[index], stretches, quiet_w)
        found.append(Read(started_s=time_s, ended_s=time_s + 0.003, joules=joules))
        time_s += step_s * rng.uniform(0.9, 1.1)
    return found


def rests(stretches: Sequence[Stretch], until_s: float) -> tuple[Stretch, Stretch]:
    return (0.0, stretches[0][0]), (stretches[-1][1], until_s)


def truth_of(reads: Sequence[Read], stretches: Sequence[Stretch]) -> tuple[Truth, Quiet]:
    ticks = ticks_of(changes_in(reads))
    quiet = quiet_power(ticks, gaps_of(stretches, rests(stretches, reads[-1].ended_s)))
    return series_truth(ticks, stretches, quiet), quiet


class TestTruth:
    """Joules of a burst, from the counter over a whole series."""

    @pytest.mark.parametrize("length_s", [0.01, 0.1, 1.0])
    def test_is_what_the_bursts_used(self, length_s: float) -> None:
        """The mean burst is known to 0.1 % from ticks seen to 9 ms, and quiet power to 0.1 W."""
        stretches = bursts(24, length_s)
        truth, quiet = truth_of(reads_of(stretches, until_s=stretches[-1][1] + 1.0), stretches)
        assert truth.energy_j == pytest.approx(BURST_W * length_s, rel=1e-3)
        assert quiet.power_w == pytest.approx(QUIET_W, abs=0.1)
        assert truth.count == 24

    @pytest.mark.parametrize("seed_shift_s", [0.0, 0.013, 0.031])
    def test_its_uncertainty_covers_it(self, seed_shift_s: float) -> None:
        """With ticks that jitter by 1 ms the truth lies within three of its uncertainties."""
        stretches = bursts(24, 0.01, gap_s=0.53 + seed_shift_s)
        reads = reads_of(stretches, until_s=stretches[-1][1] + 1.0, jitter_s=1e-3)
        truth, _ = truth_of(reads, stretches)
        assert abs(truth.energy_j - BURST_W * 0.01) <= 3 * truth.uncertainty_j
        assert truth.uncertainty_share < 0.02

    def test_a_drift_of_quiet_power_is_followed(self) -> None:
        """Quiet power that rises evenly over the series leaves the truth as it is."""
        stretches = bursts(24, 0.01)
        until_s = stretches[-1][1] + 1.0
        steady, _ = truth_of(reads_of(stretches, until_s=until_s), stretches)
        drifting, quiet = truth_of(
            reads_of(stretches, until_s=until_s, quiet_w=lambda time_s: QUIET_W + 0.3 * time_s), stretches
        )
        assert quiet.slope_w == pytest.approx(0.6, rel=0.01)  # of a mean that rises by half of it
        added_w = 0.6 * fmean(start_s for start_s, _ in stretches)
        assert drifting.energy_j == pytest.approx(steady.energy_j + 0.01 * added_w, rel=2e-3)
        assert drifting.uncertainty_j < 1.5 * steady.uncertainty_j

    def test_quiet_power_off_its_line_is_in_its_uncertainty(self) -> None:
        """Quiet power that falls ever more slowly, as a device that cools, makes the truth less certain."""
        stretches = bursts(24, 0.01)
        until_s = stretches[-1][1] + 1.0
        steady, _ = truth_of(reads_of(stretches, until_s=until_s), stretches)
        cooling, _ = truth_of(
            reads_of(stretches, until_s=until_s, quiet_w=lambda time_s: QUIET_W + 40.0 / (1.0 + time_s)),
            stretches,
        )
        assert cooling.uncertainty_j > 3 * steady.uncertainty_j

    def test_stretches_may_hold_something_quiet(self) -> None:
        """A stretch around each burst has the burst's joules and quiet power for the rest of it."""
        inner = bursts(24, 0.05)
        outer = [(start_s - 0.01, stop_s + 0.01) for start_s, stop_s in inner]
        reads = reads_of(inner, until_s=inner[-1][1] + 1.0)
        truth, _ = truth_of(reads, outer)
        assert truth.energy_j == pytest.approx(BURST_W * 0.05 + QUIET_W * 0.02, rel=1e-3)

    def test_the_first_tick_after_a_burst_is_not_quiet(self) -> None:
        """What the counter adds in the tick after a burst belongs to the burst, not to quiet power."""
        stretches = bursts(12, 0.05)
        reads = reads_of(stretches, until_s=stretches[-1][1] + 1.0)
        late = [
            Read(started_s=r.started_s, ended_s=r.ended_s, joules=r.joules + late_j(r, stretches))
            for r in reads
        ]
        truth, quiet = truth_of(late, stretches)
        assert quiet.power_w == pytest.approx(QUIET_W, abs=0.2)
        assert truth.energy_j == pytest.approx(BURST_W * 0.05 + 5.0, rel=2e-3)

    def test_needs_gaps(self) -> None:
        """Without whole quiet ticks between the bursts there is no truth."""
        stretches = bursts(24, 0.05, gap_s=0.12)
        with pytest.raises(NotMeasurable, match="whole quiet tick"):
            truth_of(reads_of(stretches, until_s=stretches[-1][1] + 1.0), stretches)

    def test_needs_ticks_on_both_sides(self) -> None:
        """A series that ends with its last burst has no truth."""
        stretches = bursts(12, 0.05)
        reads = reads_of(stretches, until_s=stretches[-1][1] + 1.0)
        ticks = ticks_of(changes_in([read for read in reads if read.ended_s < stretches[-1][1] + 0.05]))
        quiet = Quiet(power_w=QUIET_W, **QUIET)
        with pytest.raises(NotMeasurable, match="before the first burst to after the last"):
            series_truth(ticks, stretches, quiet)

    def test_is_never_negative(self) -> None:
        """Bursts on another device have no joules here, which is said and not shown as a number."""
        stretches = bursts(12, 0.05)
        reads = reads_of((), until_s=stretches[-1][1] + 1.0)
        quiet = Quiet(power_w=2 * QUIET_W, **QUIET)
        with pytest.raises(NotMeasurable, match="nothing was at work"):
            series_truth(ticks_of(changes_in(reads)), stretches, quiet)


def late_j(read: Read, stretches: Sequence[Stretch]) -> float:
    """Five joules of each burst that the counter adds with the second tick after it."""
    ticks_after_s = [0.1 * (math.floor(stop_s / 0.1) + 2) for _, stop_s in stretches]
    return 5.0 * sum(tick_s <= read.started_s + 0.0015 for tick_s in ticks_after_s)


class TestTicks:
    """Ticks out of reads."""

    def test_period_from_reads_far_apart(self) -> None:
        """Ticks that were passed over are counted: the period stays that of the counter."""
        reads = reads_of((), until_s=20.0)
        near = [read for read in reads if 0.01 < read.started_s % 0.5 < 0.31 or read.started_s < 4.0]
        assert ticks_of(changes_in(near)).period_s == pytest.approx(0.1, rel=1e-3)

    def test_a_tick_is_placed_on_the_beat(self) -> None:
        """Seen between reads 9 ms apart, it is known to a millisecond."""
        ticks = ticks_of(changes_in(reads_of((), until_s=8.0)))
        assert ticks.is_regular
        assert all(abs(tick.time_s / 0.1 - round(tick.time_s / 0.1)) < 0.01 for tick in ticks.ticks)

    def test_a_tick_seen_after_a_long_pause_is_placed_too(self) -> None:
        """Of a read that follows another by most of a period the beat tells when its tick was."""
        reads = reads_of((), until_s=8.0)
        sparse = [read for read in reads if not 4.215 < read.started_s < 4.36]
        ticks = ticks_of(changes_in(sparse)).ticks
        after = next(tick for tick in ticks if tick.joules == counter_at(sparse, 4.39))
        assert after.time_s == pytest.approx(4.3, abs=2e-3)

    def test_without_a_beat_the_seen_times_stay(self) -> None:
        """Ticks that come when they like are taken when they were seen."""
        rng = random.Random(2)  # noqa: S311  # a seeded simulation
        times_s = [0.0]
        while times_s[-1] < 10.0:
            times_s.append(times_s[-1] + rng.uniform(0.05, 0.15))
        reads = [
            Read(started_s=t + shift_s, ended_s=t + shift_s + 0.002, joules=120.0 * (t if shift_s > 0 else b))
            for b, t in pairwise(times_s)
            for shift_s in (-0.004, 0.002)
        ]
        ticks = ticks_of(changes_in(reads))
        assert not ticks.is_regular
        assert {round(tick.time_s, 6) for tick in ticks.ticks} <= {round(t, 6) for t in times_s}

    def test_too_few_are_refused(self) -> None:
        """A handful of ticks makes no beat."""
        with pytest.raises(NotMeasurable, match="a beat takes"):
            ticks_of(changes_in(reads_of((), until_s=0.8)))

    def test_naive_difference_of_a_short_burst_is_nothing(self) -> None:
        """Between two ticks the counter stands still, whatever is used meanwhile."""
        reads = reads_of(((2.12, 2.17),), until_s=4.0)
        assert counter_at(reads, 2.17) - counter_at(reads, 2.12) == 0.0
        assert counter_at(reads, 2.35) - counter_at(reads, 2.12) == pytest.approx(0.2 * QUIET_W + 30.0)

    def test_no_counter_before_the_first_read(self) -> None:
        """What the counter was before it was read is not told."""
        with pytest.raises(NotMeasurable, match="no read"):
            counter_at(reads_of((), until_s=2.0), 0.05)


class TestScore:
    """Errors of readings."""

    def test_by_hand(self) -> None:
        """Mean, CV and RMSE of 9, 11 and 13 J against 10 J."""
        found = score([9.0, 11.0, 13.0], 10.0)
        assert found is not None
        assert found.mean_error_share == pytest.approx(0.1)
        assert found.variation_share == pytest.approx(2.0 / 11.0)
        assert found.rmse_share == pytest.approx(math.sqrt((1 + 1 + 9) / 3) / 10)
        assert (found.count, found.zero_count) == (3, 0)

    def test_zeros_have_no_cv(self) -> None:
        """Readings that are all 0 are -100 %, and their CV is absent."""
        found = score([0.0, 0.0], 8.4)
        assert found is not None
        assert (found.mean_error_share, found.variation_share, found.zero_count) == (-1.0, None, 2)

    def test_one_reading_has_no_score(self) -> None:
        """A spread takes two."""
        assert score([8.0], 8.4) is None
