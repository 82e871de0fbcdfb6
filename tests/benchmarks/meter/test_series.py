"""Series of bursts through windows and other tools, and what windows cost, on a virtual clock."""

import math
import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchmarks.meter.bursts import LOADED, Peer, Rig, Series, calibrate, measure, measure_with
from benchmarks.meter.costs import PowercapTree, children, phase_cost, sampler_cost, window_cost
from benchmarks.meter.demands import MEAN_ERROR_PERCENT
from benchmarks.meter.figures import IdleJoules, figures, peer_scores
from benchmarks.meter.peers import open_peers
from pytest_energy.errors import SensorError
from pytest_energy.sensors.process_table import ProcessTable
from tests.fakes.accuracy_rig import BenchLoad, BenchRig, FakePeer, RigRecorders
from tests.fakes.hand_clock import HandClock
from tests.fakes.meter import Bench, StillSystem, VirtualClock


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
            recorder=RigRecorders([]),
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
