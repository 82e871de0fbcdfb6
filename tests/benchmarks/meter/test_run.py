"""A whole run of the accuracy benchmark, on a virtual clock."""

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.meter.accuracy import _options, gpu_slug, write
from benchmarks.meter.bursts import LOADED, Series, gaps_of
from benchmarks.meter.costs import WindowCost
from benchmarks.meter.demands import NOMINALS_S
from benchmarks.meter.procedure import Choices, Found, measure_on, to_run
from benchmarks.meter.result import Run, reads_json, to_json, to_markdown
from benchmarks.meter.truth import Read, changes_in, quiet_power, series_truth, ticks_of
from tests.fakes.accuracy_rig import BenchRig, FakePeer
from tests.fakes.meter import Bench

WINDOW = WindowCost(sensor="rapl", channel_count=4, count=500, median_s=4e-5, p95_s=9e-5, longest_s=2e-3)


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
