import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.report import to_csv, view
from tests.builders import comparison, judgement


def _rows(*judgements: Judgement) -> list[dict[str, str]]:
    return list(
        csv.DictReader(io.StringIO(to_csv.render(to_csv.table_of_tests(view.of(judgements))), newline=""))
    )


def test_one_row_a_test_in_their_order() -> None:
    """The table has the order of the files, not that of the verdicts."""
    rows = _rows(judgement(test_id="t.py::b"), judgement(test_id="t.py::a", verdict=Verdict.REGRESSION))
    assert [(row["id"], row["verdict"]) for row in rows] == [("t.py::b", "pass"), ("t.py::a", "regression")]


def test_numbers_are_exact() -> None:
    """Every digit is there: the file is for computing."""
    (row,) = _rows(judgement(energy_j=0.1 + 0.2, uncertainty_j=1e-9, round_count=1, compared=comparison(1.5)))
    assert float(row["energy_j"]) == 0.1 + 0.2
    assert float(row["uncertainty_j"]) == 1e-9
    assert (row["round_count"], row["samples"]) == ("1", "16")
    assert (float(row["baseline_ratio"]), row["baseline_sessions"]) == (1.5, "3")
    assert float(row["baseline_ratio_ci_upper"]) == 1.53


def test_absent_is_empty_and_has_its_reason() -> None:
    """What was not measured is an empty cell; the row says why."""
    (row,) = _rows(judgement(energy_j=None, verdict=Verdict.UNMEASURED))
    empty = ("energy_j", "energy_ci_lower_j", "uncertainty_j", "power_w", "duration_s", "baseline_ratio")
    assert [row[name] for name in empty] == [""] * len(empty)
    assert "energy_j: no sensor on this machine" in row["absent"]


def test_metrics_are_columns() -> None:
    """Each metric that a test has is a column; tests without it have an empty cell."""
    rows = _rows(judgement(metrics={"loss": 0.5, "nan": math.nan}), judgement(metrics={"verdict": 2.0}))
    assert [row["metric.loss"] for row in rows] == ["0.5", ""]
    assert [row["metric.nan"] for row in rows] == ["", ""]
    assert rows[1]["metric.verdict"] == "2.0"
    assert rows[1]["verdict"] == "pass"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_formulas_are_inert(start: str) -> None:
    """A text that a spreadsheet would run begins with an apostrophe."""
    hostile = f"{start}cmd|' /C calc'!A0"
    (row,) = _rows(judgement(test_id=hostile, reason=hostile, group=hostile, model=hostile))
    assert [row[name] for name in ("id", "reason", "group", "model")] == [
        f"'{hostile}".replace("\r", "\n")
    ] * 4


def test_negative_numbers_stay_numbers() -> None:
    """A number below zero is no formula."""
    (row,) = _rows(judgement(energy_j=1.0, idle_power_w=2.0, metrics={"score": -3.0}))
    assert (row["net_energy_j"], row["metric.score"]) == ("-1.0", "-3.0")


@given(st.text(), st.text())
def test_any_text_can_be_written_and_never_runs(test_id: str, reason: str) -> None:
    """Whatever the names, the file can be encoded, has one row a test, and no cell of text is a formula."""
    text = to_csv.render(to_csv.table_of_tests(view.of([judgement(test_id=test_id, reason=reason)])))
    text.encode("utf-8")
    _, row = csv.reader(io.StringIO(text, newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_no_tests_is_a_header() -> None:
    """A session without tests is a table without rows."""
    assert _rows() == []
    assert to_csv.render(to_csv.table_of_tests(view.of([]))).startswith("id,verdict,reason,")


def test_two_thousand_tests() -> None:
    """Every one of many tests has its row."""
    assert len(_rows(*(judgement(test_id=f"t.py::t[{i}]") for i in range(2000)))) == 2000
