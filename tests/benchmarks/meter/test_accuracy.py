"""The accuracy benchmark's figures, on reads and windows whose truth is known."""

import json
import math
import os
import random
from argparse import Namespace
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from benchmarks.meter.accuracy import _options, gpu_slug, write
from benchmarks.meter.bursts import (
    LOADED,
    Peer,
    Recorder,
    Rig,
    Series,
    calibrate,
    gaps_of,
    measure,
    measure_with,
)
from benchmarks.meter.costs import (
    PowercapTree,
    SamplerCost,
    WindowCost,
    children,
    phase_cost,
    sampler_cost,
    window_cost,
)
from benchmarks.meter.demands import (
    MEAN_ERROR_PERCENT,
    NOMINALS_S,
    VARIATION_PERCENT,
    Outcome,
    Row,
    rows,
)
from benchmarks.meter.figures import (
    IdleJoules,
    Length,
    Score,
    Waits,
    figures,
    peer_scores,
    score,
)
from benchmarks.meter.peers import open_peers
from benchmarks.meter.plan import FULL_COUNT, MANY_COUNTS, plan
from benchmarks.meter.procedure import Choices, Found, measure_on, to_run
from benchmarks.meter.result import Run, reads_json, to_json, to_markdown
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
from pytest_energy.errors import NotMeasurable, SensorError
from pytest_energy.sensors.process_table import ProcessTable
from tests.fakes.hand_clock import HandClock
from tests.fakes.meter import Bench, StillSystem, VirtualClock

QUIET_W, BURST_W = 120.0, 720.0

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


# A rig on a virtual clock


class BenchLoad:
    """Work on a simulated device: pieces of 1.6 ms, whose power varies from burst to burst."""

    def __init__(self, bench: Bench, *, spread_share: float = 0.01) -> None:
        self._bench, self._spread_share = bench, spread_share
        self.start_count = 0

    def start(self, count: int) -> None:
        self.start_count += 1
        factor = self._bench.rng.gauss(1.0, self._spread_share)
        self._bench.device.work([(count * 0.0016, BURST_W * factor)])

    def synchronize(self) -> None:
        """The work above is over when it returns."""


class BenchRig:
    """A rig over a bench, with its truth at hand."""

    def __init__(self, *tick_s: float, **counter: Any) -> None:
        self.bench = Bench(*tick_s, **({"jitter_share": 0.01} | counter))
        self.bench.meter.start()
        recorders = [Recorder(sensor, self.bench.clock) for sensor in self.bench.counters]
        self.load = BenchLoad(self.bench)
        self.rig = Rig(
            clock=self.bench.clock,
            load=self.load,
            meter=self.bench.meter,
            recorder=_Recorders(recorders),
            rng=self.bench.rng,
        )

    def mean_j(self, stretches: Sequence[Stretch]) -> float:
        return math.fsum(self.bench.device.joules_between(*s) for s in stretches) / len(stretches)


class _Recorders(Recorder):
    """The recorders of several sensors as one."""

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self._reads = {name: reads for one in recorders for name, reads in one._reads.items()}
        self._recorders = recorders

    def look(self) -> None:
        for recorder in self._recorders:
            recorder.look()


class FakePeer:
    """A tool that reads the counter at both ends, as the real ones do."""

    def __init__(self, name: str, bench: Bench, *, breaks: bool = False) -> None:
        self.name, self.version, self._bench, self._breaks = name, "1.0", bench, breaks
        self.windows: list[str] = []
        self.is_closed = False

    def begin(self, window: str) -> None:
        self.windows.append(window)
        self._start_j = self._bench.counters[0].read_j(LOADED)

    def end(self, window: str) -> float:
        assert window == self.windows[-1]
        if self._breaks:
            raise KeyError(window)
        return self._bench.counters[0].read_j(LOADED) - self._start_j

    def close(self) -> None:
        self.is_closed = True


class TestSeries:
    """Bursts through the meter's windows, on a virtual clock."""

    @pytest.mark.parametrize("nominal_s", [0.01, 0.1])
    def test_truth_and_readings(self, nominal_s: float) -> None:
        """The series' truth is that of its bursts, and the meter's mean keeps the demanded distance to it."""
        made = BenchRig()
        series = measure(made.rig, nominal_s, round(nominal_s / 0.0016), 24)
        found = figures(series, {})
        true_j = made.mean_j(series.stretches())
        assert abs(found.truth.energy_j - true_j) <= max(4 * found.truth.uncertainty_j, 1e-3 * true_j)
        assert found.ours is not None
        assert found.ours.count == 24
        chance_share = 2 * (found.ours.variation_share or 0.0) / math.sqrt(24)
        assert abs(found.ours.mean_error_share) <= MEAN_ERROR_PERCENT[nominal_s] / 100 + chance_share
        assert found.stated_share is not None
        assert found.voids == ()
        assert found.naive is not None
        assert found.naive.rmse_share > 10 * found.ours.rmse_share

    def test_starts_are_all_over_the_tick_and_some_gaps_are_long(self) -> None:
        """One window in three is opened after a pause; nine in a row begin in nine parts of the tick."""
        series = measure(BenchRig(0.1, jitter_share=0.0).rig, 0.03, 19, 12)
        assert [window.is_back_to_back for window in series.windows] == [n % 3 != 0 for n in range(12)]
        gaps_s = [after[0] - before[1] for before, after in pairwise(series.stretches())]
        assert sum(gap_s > 0.5 for gap_s in gaps_s) == 3
        phases = [(start_s / series.tick_s) % 1.0 for start_s, _ in series.stretches()]
        for first in range(4):
            nine = sorted(phases[first : first + 9])
            steps = [after - before for before, after in pairwise([*nine, nine[0] + 1.0])]
            assert all(step == pytest.approx(1 / 9, abs=0.06) for step in steps)

    def test_waits_are_counted_in_ticks(self) -> None:
        """Closing takes up to three ticks and a half, one more where a tick was seen badly.

        A round's waits leave out those after a pause.
        """
        found = figures(measure(BenchRig().rig, 0.05, 31, 12), {}).waits
        assert len(found.close_ticks) == 12
        assert all(0.9 < ticks < 4.6 for ticks in found.close_ticks)
        assert sum(ticks < 3.6 for ticks in found.close_ticks) >= 11
        assert len(found.rounds_s) == 8

    def test_void_windows_keep_their_reason(self) -> None:
        """A window whose sensor failed has no reading; its burst still is in the truth's count."""
        made = BenchRig()
        series = measure(made.rig, 0.05, 31, 9)
        void = made.rig.meter.open("void")
        made.bench.counters[0].fault = SensorError("gpu:0: lost")
        made.bench.clock.sleep_s(1.0)
        reading = void.close()
        windows = list(series.windows)
        windows[4] = type(windows[4])(
            stretch=windows[4].stretch,
            reading=reading,
            open_s=windows[4].open_s,
            close_s=windows[4].close_s,
            is_back_to_back=windows[4].is_back_to_back,
        )
        found = figures(with_windows(series, windows), {})
        assert found.ours is not None
        assert (found.ours.count, found.truth.count) == (8, 9)
        assert "lost" in found.voids[0]

    def test_calibration_meets_the_length(self) -> None:
        """Pieces are chosen so that a burst has its nominal length, however wrong the first guess."""
        rig = BenchRig().rig
        assert calibrate(rig, 0.08, 50.0) == 50
        assert calibrate(rig, 1e-4, 600.0) == 1

    def test_a_counter_without_ticks_is_refused(self) -> None:
        """There is nothing to align to where no counter ticks."""
        bench = Bench(0.1)
        rig = Rig(
            clock=bench.clock,
            load=BenchLoad(bench),
            meter=bench.meter,
            recorder=_Recorders([]),
            rng=bench.rng,
        )
        with pytest.raises(SensorError, match="doesn't tick"):
            rig.tick_s()

    def test_an_idle_device_is_held_against_its_own_power(self) -> None:
        """Joules of a channel without work are compared with its mean power over the series, times time."""
        made = BenchRig(0.1, 0.1)
        series = measure(made.rig, 0.5, 312, 6)
        # Both counters of a bench count the same device: here the "idle" one must show the work.
        idle = figures(series, {}).idle_j["gpu:1"]
        assert idle.read_j > 1.5 * idle.true_j
        assert IdleJoules(read_j=102.0, true_j=100.0, power_w=70.0).error_share == pytest.approx(0.02)


def with_windows(series: Series, windows: Sequence[Any]) -> Series:
    return Series(
        nominal_s=series.nominal_s,
        piece_count=series.piece_count,
        windows=tuple(windows),
        rest_s=series.rest_s,
        reads=series.reads,
        tick_s=series.tick_s,
    )


class TestPeers:
    """Other tools on the same bursts."""

    def test_each_has_the_truth_of_its_own_stretch(self) -> None:
        """The outer tool's truth holds the inner one's calls, at quiet power."""
        made = BenchRig()
        peers = [FakePeer("outer", made.bench), FakePeer("inner", made.bench)]
        series = measure_with(made.rig, peers, 0.1, 62, 12)
        found = peer_scores(series)
        for name, windows in series.windows.items():
            true_j = made.mean_j([window.stretch for window in windows])
            assert found[name][0].energy_j == pytest.approx(true_j, rel=5e-3)
        assert found["outer"][0].duration_s > found["inner"][0].duration_s + 0.004

    def test_reading_a_counter_at_both_ends_errs_by_up_to_a_tick(self) -> None:
        """Tools that take a difference have tens of percent of RMSE on half a tick."""
        made = BenchRig()
        found = peer_scores(measure_with(made.rig, [FakePeer("naive", made.bench)], 0.05, 31, 24))
        result = found["naive"][1]
        assert result is not None
        assert result.rmse_share > 0.3
        assert result.zero_count > 0

    def test_windows_have_names_of_their_own(self) -> None:
        """Tools refuse a name that they know."""
        made = BenchRig()
        peer = FakePeer("one", made.bench)
        measure_with(made.rig, [peer], 0.03, 19, 6)
        assert len(set(peer.windows)) == 6

    def test_one_that_does_not_work_is_absent_with_its_reason(self) -> None:
        """Whatever it raises; the others are opened."""

        def broken() -> Peer:
            raise OSError("no library")

        made = FakePeer("works", Bench())
        found, absent = open_peers({"broken": broken, "works": lambda: made})
        assert found == [made]
        assert absent == {"broken": "OSError: no library"}


class TestCosts:
    """What the meter costs."""

    def test_sampler_at_rest_and_under_load(self) -> None:
        """The thread's time is a share of the time that passed; reads are counted for each tick."""
        made = BenchRig()
        made.bench.clock.sleep_s(5.0)
        cpu_s = iter((1.0, 1.06, 2.0, 2.09))
        idle = sampler_cost(made.rig, 3.0, cpu_s=lambda: next(cpu_s))
        busy = sampler_cost(made.rig, 3.0, pieces_in_one_s=625.0, cpu_s=lambda: next(cpu_s))
        assert (idle.cpu_share, busy.cpu_share) == pytest.approx((0.02, 0.03), rel=0.05)
        assert 0.3 < idle.reads_a_tick[LOADED] < 3.0
        assert 0.002 <= idle.call_s[0] <= idle.call_s[1] <= 0.004
        assert made.load.start_count > 10

    def test_windows_over_a_tree_of_files(self, tmp_path: Path) -> None:
        """Two packages with memory are found in the tree, and every empty window is timed."""
        tree = PowercapTree(tmp_path)
        sensor = tree.sensor()
        assert [channel.name for channel in sensor.channels] == [
            "cpu:package-0",
            "dram:package-0",
            "cpu:package-1",
            "dram:package-1",
        ]
        clock, system = HandClock(), StillSystem(VirtualClock())
        cost = window_cost(sensor, clock, 20, use=lambda: clock.sleep_s(0.1), system=system)
        assert (cost.sensor, cost.channel_count, cost.count) == ("rapl", 4, 20)
        assert cost.median_s == pytest.approx(0.0, abs=1e-9)
        assert phase_cost(sensor, clock, 30, system=system).count == 30
        before_j = sensor.read_j("cpu:package-1")
        tree.use(2_000_000)
        assert sensor.read_j("cpu:package-1") - before_j == pytest.approx(2.0)
        tree.close()

    def test_children_wait_and_end(self) -> None:
        """They are this process's while windows are timed, and none is left."""
        table = ProcessTable()
        before = table.children(os.getpid())
        with children(2):
            assert len(table.children(os.getpid())) == len(before) + 2
        assert table.children(os.getpid()) == before


class TestPlan:
    """Bursts that fit in the time."""

    @pytest.mark.parametrize("left_s", [140.0, 150.0, 200.0])
    def test_fits(self, left_s: float) -> None:
        """What is planned takes no longer than there is time."""
        found = plan(left_s, 0.1, has_peers=True)
        assert found.duration_s <= left_s
        assert set(found.ours) == set(found.peers) == set(NOMINALS_S)

    def test_uses_the_time(self) -> None:
        """With all the time in the world the shortest have many; with little, the longest fewer."""
        assert plan(1e4, 0.1, has_peers=True).ours == dict.fromkeys(NOMINALS_S, FULL_COUNT) | MANY_COUNTS
        scarce = plan(100.0, 0.1, has_peers=True)
        assert scarce.ours[1.0] == 12
        assert scarce.ours[0.5] == scarce.ours[0.01] == FULL_COUNT
        assert scarce.peers[0.05] < plan(1e4, 0.1, has_peers=True).peers[0.05]

    def test_something_is_always_measured(self) -> None:
        """Without time the fewest bursts are planned, not none."""
        assert min(plan(0.0, 0.1, has_peers=True).peers.values()) >= 3

    def test_without_peers(self) -> None:
        """There is nothing to plan for tools that are left out, and more for us."""
        found = plan(140.0, 0.1, has_peers=False)
        assert found.peers == {}
        assert found.ours[1.0] == FULL_COUNT

    def test_ours_done(self) -> None:
        """What is left after our own series goes to the others."""
        assert plan(60.0, 0.1, has_peers=True, is_ours_done=True).ours == {}


# Demands


def length(nominal_s: float, **changed: Any) -> Length:
    """A length that meets every demand."""
    good = Score(count=24, mean_error_share=0.001, variation_share=0.002, rmse_share=0.003, zero_count=0)
    bad = Score(count=12, mean_error_share=-0.6, variation_share=1.2, rmse_share=0.5, zero_count=9)
    truth = Truth(energy_j=40.0, uncertainty_j=0.02, duration_s=nominal_s, count=24)
    fields: dict[str, Any] = {
        "nominal_s": nominal_s,
        "off_beat_share": 0.02,
        "quiet": Quiet(power_w=120.0, **QUIET),
        "truth": truth,
        "ours": good,
        "stated_share": 0.004,
        "naive": bad,
        "voids": (),
        "peers": {"zeus": (truth, bad), "codecarbon": (truth, bad)},
        "waits": Waits(close_ticks=(1.2, 2.1), rounds_s=(0.19, 0.22)),
        "idle_j": {},
    }
    return Length(**(fields | changed))


SAMPLER = SamplerCost(duration_s=3.0, cpu_share=0.015, reads_a_tick={LOADED: 1.95}, call_s=(0.003, 0.0033))
WINDOW = WindowCost(sensor="rapl", channel_count=4, count=500, median_s=4e-5, p95_s=9e-5, longest_s=2e-3)


def rows_of(lengths: Sequence[Length], **changed: Any) -> dict[str, Row]:
    fields: dict[str, Any] = {
        "peers_absent": {},
        "samplers": {"idle": SAMPLER, "busy": SAMPLER},
        "windows": [WINDOW],
        "has_idle_gpu": False,
    }
    return {row.what: row for row in rows(lengths, **(fields | changed))}


class TestDemands:
    """What must be shown, and whether it was."""

    def test_all_are_met_by_a_good_run(self) -> None:
        """Seven lengths with two demands each, eight ratios, two waits, four of the sampler, one window."""
        found = rows_of([length(nominal_s) for nominal_s in NOMINALS_S])
        assert len(found) == 7 * 2 + 8 + 2 + 4 + 1
        assert {row.outcome for row in found.values()} == {Outcome.MET}

    @pytest.mark.parametrize("nominal_s", NOMINALS_S)
    @pytest.mark.parametrize("is_over", [False, True])
    def test_mean_and_cv_against_their_limits(self, nominal_s: float, *, is_over: bool) -> None:
        """A value just below its limit meets it, one just above doesn't, on either side of the truth."""
        factor = 1.01 if is_over else 0.99
        made = Score(
            count=200,
            mean_error_share=-factor * MEAN_ERROR_PERCENT[nominal_s] / 100,
            variation_share=factor * VARIATION_PERCENT[nominal_s] / 100,
            rmse_share=0.01,
            zero_count=0,
        )
        found = rows_of([length(nominal_s, ours=made)])
        expected = Outcome.NOT_MET if is_over else Outcome.MET
        assert found[f"bursts of {nominal_s * 1e3:g} ms: mean"].outcome is expected
        assert found[f"bursts of {nominal_s * 1e3:g} ms: CV"].outcome is expected

    def test_a_truth_that_is_not_known_well_enough_tells_nothing(self) -> None:
        """A mean can't be held to 1 % of a truth that is known to 2 %, nor be told from so few bursts."""
        unsure = Truth(energy_j=40.0, uncertainty_j=0.8, duration_s=0.05, count=24)
        row = rows_of([length(0.05, truth=unsure)])["bursts of 50 ms: mean"]
        assert row.outcome is Outcome.UNDECIDED
        assert "less well" in row.note
        few = Score(count=9, mean_error_share=0.0, variation_share=0.08, rmse_share=0.08, zero_count=0)
        row = rows_of([length(0.01, ours=few)])["bursts of 10 ms: mean"]
        assert (row.outcome, row.found) == (Outcome.UNDECIDED, "+0 +- 2.7 %")

    def test_what_was_not_measured_is_not_met(self) -> None:
        """A missing length, a missing tool and a series of void windows are not decided, with the reason."""
        found = rows_of(
            [length(0.05, peers={}), length(0.1, ours=None, voids=("gpu:0: lost",))],
            peers_absent={"zeus": "ImportError: no zeus"},
        )
        assert found["bursts of 1000 ms: mean"].outcome is Outcome.UNDECIDED
        assert found["bursts of 100 ms: CV"].note == "gpu:0: lost"
        assert found["bursts of 50 ms: RMSE of zeus over ours"].note == "ImportError: no zeus"
        nothing = rows_of([], samplers={})
        assert {row.outcome for name, row in nothing.items() if "begin and end" not in name} == {
            Outcome.UNDECIDED
        }

    def test_ratio_of_rmses(self) -> None:
        """Theirs over ours, each a share of its own truth."""
        assert length(0.05).rmse_ratio("zeus") == pytest.approx(0.5 / 0.003)
        nearly = Score(count=9, mean_error_share=0.0, variation_share=0.0, rmse_share=0.029, zero_count=0)
        close = length(0.2, peers={"zeus": (length(0.2).truth, nearly)})
        row = rows_of([close])["bursts of 200 ms: RMSE of zeus over ours"]
        assert row.outcome is Outcome.NOT_MET
        assert length(0.05).rmse_ratio("nobody") is None

    def test_the_longest_wait_counts(self) -> None:
        """One window that took 3 ticks to close is too many, and its round's mean isn't its own."""
        slow = length(0.05, waits=Waits(close_ticks=(1.0, 3.0), rounds_s=(0.2, 0.28)))
        found = rows_of([slow])
        assert found["wait at the close of a window"].outcome is Outcome.NOT_MET
        assert found["random delay and waits, of a round of 5 s"].outcome is Outcome.MET

    def test_costs_against_their_limits(self) -> None:
        """More than 2 % of a core, more than two reads a tick, or more than 50 us is not met."""
        heavy = SamplerCost(
            duration_s=3.0, cpu_share=0.021, reads_a_tick={LOADED: 2.1}, call_s=(0.003, 0.003)
        )
        slow = WindowCost(
            sensor="estimate", channel_count=1, count=9, median_s=6e-5, p95_s=2e-4, longest_s=1.0
        )
        found = rows_of([], samplers={"busy": heavy}, windows=[slow])
        costs = [row for name, row in found.items() if "busy" in name or "begin and end" in name]
        assert [row.outcome for row in costs] == [Outcome.NOT_MET] * 3

    def test_an_idle_gpu_beside_a_loaded_one(self) -> None:
        """It is held to 2 % in windows of a second; shorter ones hold too few of its joules."""
        idle = {"gpu:1": IdleJoules(read_j=97.0, true_j=100.0, power_w=75.0)}
        found = rows_of([length(0.01, idle_j=idle), length(1.0, idle_j=idle)], has_idle_gpu=True)
        beside = [row for name, row in found.items() if name.startswith("gpu:1")]
        assert [row.outcome for row in beside] == [Outcome.NOT_MET]


# A whole run


FACTS = {"GPU": "NVIDIA H100 80GB HBM3", "driver": "1.2"}


def quick_run(*, peers: Sequence[FakePeer] = (), absent: dict[str, str] | None = None, **rig: Any) -> Run:
    made = BenchRig(**rig)
    for peer in peers:
        peer._bench = made.bench
    found = Found()
    cpu_s = iter((0.0, 0.05, 0.1, 0.15))
    measure_on(
        made.rig,
        Choices(seconds=150.0, is_quick=True),
        made.bench.clock.now_s(),
        found,
        say=lambda _: None,
        cpu_s=lambda: next(cpu_s),
        peer_opener=lambda: (list(peers), absent or {}),
    )
    return to_run(found, [WINDOW], facts=FACTS, command="quick", has_idle_gpu=False, duration_s=60.0)


@pytest.fixture(scope="module")
def run() -> Run:
    bench = Bench()
    return quick_run(peers=[FakePeer("codecarbon", bench), FakePeer("zeus", bench)])


class TestRun:
    """Everything together, on a virtual clock."""

    def test_every_length_has_figures(self, run: Run) -> None:
        """All seven lengths, with both tools."""
        assert [found.nominal_s for found in run.lengths] == list(NOMINALS_S)
        assert all(set(found.peers) == {"zeus", "codecarbon"} for found in run.lengths)
        assert all(found.ours is not None for found in run.lengths)

    def test_json_holds_every_window(self, run: Run) -> None:
        """The file is plain JSON with figures, demands and the windows' own values."""
        fields = json.loads(to_json(run))
        assert fields["format"] == 1
        assert fields["facts"]["GPU"] == FACTS["GPU"]
        assert fields["facts"]["zeus"] == "1.0"
        assert len(fields["series"][0]["windows"]) == run.lengths[0].truth.count
        assert {row["outcome"] for row in fields["demands"]} <= {"met", "not met", "not decided"}
        assert fields["lengths"][2]["rmse_ratios"]["zeus"] > 1

    def test_figures_can_be_worked_out_again_from_the_files(self, run: Run) -> None:
        """Reads and windows on file give the truth of the run to the last bit."""
        reads = json.loads(reads_json(run))["ours"][3]["reads"][LOADED]
        series = json.loads(to_json(run))["series"][3]
        kept = [Read(started_s=a, ended_s=b, joules=j) for a, b, j in reads]
        stretches = [(window["start_s"], window["stop_s"]) for window in series["windows"]]
        ticks = ticks_of(changes_in(kept))
        first, last = series["rest_s"]
        quiet = quiet_power(ticks, gaps_of(stretches, (tuple(first), tuple(last))))
        assert series_truth(ticks, stretches, quiet) == run.lengths[3].truth

    def test_markdown_shows_each_demand(self, run: Run) -> None:
        """Each row with the limit, the figure and whether it is met; the GPU and the versions on top."""
        text = to_markdown(run)
        assert text.startswith("# The meter on NVIDIA H100 80GB HBM3\n")
        assert all(row.what in text and row.found in text for row in run.rows)
        assert text.count("| zeus ") >= len(NOMINALS_S)

    def test_fewer_bursts_are_said(self, run: Run) -> None:
        """A run with fewer bursts than asked for says so."""
        assert any("Fewer than 24 bursts" in note for note in run.notes)

    def test_a_tool_that_breaks_costs_only_its_own_series(self) -> None:
        """Our figures stay, and a note names the error."""
        peer = FakePeer("zeus", Bench(), breaks=True)
        broken = quick_run(peers=[peer])
        assert len(broken.lengths) == len(NOMINALS_S)
        assert any("KeyError" in note for note in broken.notes)
        assert peer.is_closed

    def test_left_out_tools_are_named(self) -> None:
        """A tool that isn't there is in the report with the reason."""
        text = to_markdown(quick_run(absent={"zeus": "ModuleNotFoundError: zeus"}))
        assert "zeus was not measured: ModuleNotFoundError: zeus" in text

    def test_a_series_without_truth_becomes_a_note(self, run: Run) -> None:
        """The other lengths keep their figures."""
        cut = Series(
            nominal_s=0.01,
            piece_count=6,
            windows=run.series[0].windows,
            rest_s=run.series[0].rest_s,
            reads={LOADED: run.series[0].reads[LOADED][:4]},
            tick_s=0.1,
        )
        found = Found(series=[cut, *run.series[1:]])
        again = to_run(found, [], facts=FACTS, command="", has_idle_gpu=True, duration_s=1.0)
        assert len(again.lengths) == len(NOMINALS_S) - 1
        assert any(note.startswith("10 ms: no truth") for note in again.notes)
        assert any("several GPUs" in note for note in again.notes)

    def test_files(self, run: Run, tmp_path: Path) -> None:
        """Tables, figures and reads go to files that are named after the GPU."""
        write(run, tmp_path, gpu_slug(run.facts["GPU"]))
        assert {path.name for path in tmp_path.iterdir()} == {
            "meter-h100-80gb-hbm3.md",
            "meter-h100-80gb-hbm3.json",
            "meter-h100-80gb-hbm3-reads.json",
        }

    def test_names_of_files(self) -> None:
        """One GPU by its model, several with their number."""
        assert gpu_slug("NVIDIA H200") == "h200"
        assert gpu_slug("NVIDIA H200, NVIDIA H200") == "2x-h200"

    def test_options(self) -> None:
        """Other tools take part unless they are left out; 150 s are the default."""
        found = _options(["--out", "x"])
        assert isinstance(found, Namespace)
        assert (found.gpus, found.quick, found.peers, found.seconds) == (1, False, True, 150.0)
        assert _options(["--out", "x", "--no-peers", "--gpus", "2"]).peers is False
