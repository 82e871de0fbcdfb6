"""A history as a table."""

import csv

import pytest

from pytest_energy.history.tracks import history_of
from pytest_energy.report.over_commits import table
from tests.fakes.run_histories import commit_name, noisy, point, runs


def test_a_row_for_each_test_and_run() -> None:
    """Values, commits and why a run has none; the step in the first row of its level."""
    energies_j: list[float | None] = [*noisy(40, steps={30: 1.2})]
    energies_j[5] = None
    rows = list(csv.DictReader(table.render(history_of(runs(energies_j))).splitlines()))
    assert len(rows) == 40
    assert [row["created"] for row in rows[:2]] == ["2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z"]
    assert (rows[5]["value"], rows[5]["why_unused"]) == ("", "no sensor on this machine")
    (row,) = [row for row in rows if row["step_ratio"]]
    assert row["commit"] == commit_name(30)
    assert float(row["step_ratio"]) == pytest.approx(1.2, abs=0.03)
    assert float(row["step_ratio_ci_lower"]) < 1.2 < float(row["step_ratio_ci_upper"])


def test_what_all_tests_share_is_a_ratio() -> None:
    """Its rows have no test and no verdict."""
    points = [
        one for number in range(5) for one in runs(noisy(8, seed=number), test_id=f"t.py::test[{number}]")
    ]
    rows = list(csv.DictReader(table.render(history_of(points)).splitlines()))
    shared = [row for row in rows if not row["id"]]
    assert len(shared) == 8
    assert {(row["unit"], row["verdict"]) for row in shared} == {("ratio", "")}


def test_no_cell_is_a_formula() -> None:
    """A name that a spreadsheet would run is text."""
    (row,) = csv.DictReader(table.render(history_of([point(test_id="=cmd()")])).splitlines())
    assert row["id"] == "'=cmd()"
