"""Runs as DataFrames."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from pytest_energy.analysis import load
from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Verdict
from pytest_energy.report import formats, view
from tests.builders import CREATED, judgement
from tests.fakes.sessions import gpu_session


@pytest.fixture
def run_json(tmp_path: Path) -> Path:
    """A run with a test that has joules and a metric, and one that has none."""
    path = tmp_path / "run.json"
    measured = judgement(test_id="t.py::a", energy_j=12.5, uncertainty_j=0.5, metrics={"loss": 0.25})
    absent = judgement(test_id="t.py::b", energy_j=None, verdict=Verdict.UNMEASURED)
    path.write_text(formats.RENDERERS[".json"](view.of([measured, absent]), CREATED), encoding="utf-8")
    return path


def test_a_row_is_a_test(run_json: Path) -> None:
    """Each test is a row, in the file's order, its values under the names that the JSON has."""
    frame = load(run_json)
    assert list(frame["id"]) == ["t.py::a", "t.py::b"]
    assert list(frame["verdict"]) == ["pass", "unmeasured"]
    first = frame.iloc[0]
    assert (first["energy_j"], first["metric.loss"]) == (12.5, 0.25)
    assert first["machine_key"] == judgement().record.machine.key


def test_absent_is_not_zero(run_json: Path) -> None:
    """What was not measured is NaN in a column of numbers, with its reason in the row."""
    frame = load(run_json)
    assert frame["energy_j"].dtype == float
    assert pd.isna(frame["energy_j"].iloc[1])
    assert "energy_j" in frame["absent"].iloc[1]


def test_a_row_is_a_round_where_asked(run_json: Path) -> None:
    """The rounds of each test with the joules of their channels; their mean is the test's."""
    rounds = load(str(run_json), each="round")
    means = rounds.groupby("id")["energy_j"].mean()
    assert means["t.py::a"] == pytest.approx(12.5)
    assert [name for name in rounds.columns if name.startswith("channel.")]


def test_columns_are_those_of_the_csv(tmp_path: Path) -> None:
    """The table of a whole run is what its CSV holds, name by name."""
    run = view.of(gpu_session())
    path = tmp_path / "run.json"
    path.write_text(formats.RENDERERS[".json"](run, CREATED), encoding="utf-8")
    (tmp_path / "run.csv").write_text(formats.RENDERERS[".csv"](run, CREATED), encoding="utf-8")
    from_csv = pd.read_csv(tmp_path / "run.csv")
    frame = load(path)
    assert list(frame.columns) == list(from_csv.columns)
    assert list(frame["energy_j"].dropna()) == list(from_csv["energy_j"].dropna())


def test_no_run_is_refused(tmp_path: Path) -> None:
    """A file that is no run is named."""
    with pytest.raises(SettingsError, match=r"none\.json can't be read"):
        load(tmp_path / "none.json")


def test_without_pandas_the_error_says_what_to_install(
    run_json: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pandas is an extra; where it is missing, its name is there to copy."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SettingsError, match=r"pip install 'pytest-energy\[analysis\]'"):
        load(run_json)
