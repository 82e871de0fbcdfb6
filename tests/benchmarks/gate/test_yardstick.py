"""The command that shows what the loads use: benchmarks/gate/yardstick.py, over runs that are made here."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gate.yardstick import main
from pytest_energy.model import Record
from pytest_energy.report import to_json, view
from pytest_energy.yardstick import Yardstick, load_id
from tests.builders import CREATED, judgement, reading, record

WORK = {"yardstick": "product", "yardstick_amount": "320"}


def compute(*energies_j: float) -> Record:
    rounds = [reading(energy_j, duration_s=0.5, uncertainty_j=1.0) for energy_j in energies_j]
    return replace(record(test_id=load_id("gpu", "compute"), rounds=rounds), workload=WORK)


class Pytest:
    """Writes the document of a run with the next of *yardsticks*, in place of pytest."""

    def __init__(self, *yardsticks: Yardstick) -> None:
        self._yardsticks = list(yardsticks)
        self.sources: list[str] = []
        self.words: list[str] = []

    def __call__(self, words: Sequence[str], folder: Path) -> int:
        (test_file,) = folder.iterdir()
        self.sources.append(test_file.read_text(encoding="utf-8"))
        self.words = list(words)
        (out,) = (word.partition("=")[2] for word in words if word.startswith("--energy-out="))
        run = view.of([judgement()], yardstick=self._yardsticks.pop(0))
        Path(out).write_text(to_json.render(run, created=CREATED), encoding="utf-8")
        return 0


def test_a_line_has_joules_and_their_scatter(capsys: pytest.CaptureFixture[str]) -> None:
    """Mean, seconds, watts, CV and uncertainty of one load, worked by hand."""
    pytest_run = Pytest(Yardstick(records=(compute(99.0, 100.0, 101.0),)))
    assert main([], pytest_run) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split() == ["1", "gpu-compute", "320", "100", "0.500", "200.0", "1.00", "%", "1.00", "%"]
    assert "import torch" in pytest_run.sources[0]
    assert "--energy-yardstick=on" in pytest_run.words


def test_several_runs_have_a_scatter_between_them(capsys: pytest.CaptureFixture[str]) -> None:
    """The CV of the runs' means: 99 and 101 J are 1.41 % apart, their seconds are the same."""
    runs = [Yardstick(records=(compute(energy_j, energy_j),)) for energy_j in (99.0, 101.0)]
    assert main(["--runs=2"], Pytest(*runs)) == 0
    assert "gpu-compute, 2 runs: CV of J 1.41 %, of s 0.00 %, of W 1.41 %" in capsys.readouterr().out


def test_a_load_that_was_not_measured_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """Absent is not zero, and the exit status tells."""
    absent = record(test_id=load_id("gpu", "rest"), rounds=(), unmeasured_because="torch is not imported")
    assert main([], Pytest(Yardstick(records=(absent, compute(100.0))))) == 1
    assert "gpu-rest     torch is not imported" in capsys.readouterr().out


def test_without_a_yardstick_the_reason_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing measures there is none."""
    assert main([], Pytest(Yardstick(absent_because="the joules are estimated"))) == 2
    assert capsys.readouterr().err == "no yardstick: the joules are estimated\n"


def test_the_documents_are_kept_where_asked(tmp_path: Path) -> None:
    """Each run's own, by its number."""
    main(["--runs=2", f"--out={tmp_path}"], Pytest(*[Yardstick(records=(compute(1.0, 1.0),))] * 2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["yardstick-1.json", "yardstick-2.json"]
