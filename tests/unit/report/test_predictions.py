"""Predictions in every renderer: called so, with their interval, and never among the joules."""

import csv
import io
import json
from dataclasses import replace

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.model import Prediction
from pytest_energy.report import view
from pytest_energy.report.formats import RENDERERS
from pytest_energy.report.to_terminal import render
from tests.builders import CREATED, judgement

KEY = "h100-80gb-hbm3_nvml"
PREDICTION = Prediction(energy_j=12.0, interval_j=(9.0, 16.0), duration_s=0.05, error_share=0.1)


def _predicted(number: int = 0, **changes: object) -> Judgement:
    first = judgement(test_id=f"t.py::test_{number}", energy_j=100.0)
    one = replace(PREDICTION, **changes)  # type: ignore[arg-type]  # its own words
    return replace(first, record=replace(first.record, predictions={KEY: one}))


def _text(suffix: str, *judgements: Judgement) -> str:
    return RENDERERS[suffix](view.of(judgements), CREATED)


def test_the_screen_has_a_line_for_each() -> None:
    """What is predicted, on what, between what, under a title that says so."""
    lines = render(view.of([_predicted()]), width=100).splitlines()
    at = lines.index("predicted")
    assert lines[at + 1] == f"  predicted on {KEY}: test_0 ~12 J per call (9 J to 16 J, 90 %)"


def test_the_screen_says_why_an_interval_is_wider() -> None:
    """The note stands inside the brackets."""
    text = render(view.of([_predicted(note="wider: bytes are 2 times outside")]), width=150)
    assert "(9 J to 16 J, 90 %; wider: bytes are 2 times outside)" in text


def test_the_screen_has_so_many_and_counts_the_rest() -> None:
    """Eight lines; all are in the JSON."""
    lines = render(view.of([_predicted(number) for number in range(11)]), width=100).splitlines()
    at = lines.index("predicted")
    assert lines[at + 9] == "  and 3 more, all in the JSON report"


def test_markdown_folds_them() -> None:
    """In a part of its own."""
    text = _text(".md", _predicted())
    assert "<summary>Predicted, not measured</summary>" in text
    assert f"predicted on {KEY}: test_0 ~12 J per call (9 J to 16 J, 90 %)" in text


def test_the_page_has_them_among_the_facts_of_the_test() -> None:
    """By the machine that they are of."""
    text = _text(".html", _predicted())
    assert f"predicted on {KEY}" in text
    assert "~12 J per call (9 J to 16 J, 90 %)" in text


def test_csv_has_columns_of_their_own() -> None:
    """Joules, least and most; the test's own joules are in their column."""
    (row,) = csv.DictReader(io.StringIO(_text(".csv", _predicted())))
    assert [row[f"predicted.{KEY}{end}"] for end in ("_j", "_lower_j", "_upper_j")] == ["12.0", "9.0", "16.0"]
    assert row["energy_j"] == "100.0"


def test_json_has_them_whole() -> None:
    """With seconds and error, beside the joules of the record."""
    (test,) = json.loads(_text(".json", _predicted()))["tests"]
    assert test["predictions"] == {
        KEY: {"energy_j": 12.0, "interval_j": [9.0, 16.0], "duration_s": 0.05, "error_share": 0.1}
    }
    assert test["energy_j"] == 100.0


@pytest.mark.parametrize("suffix", [".md", ".html", ".csv", ".json"])
def test_a_run_without_predictions_says_nothing_of_them(suffix: str) -> None:
    """No empty part, column or key."""
    assert "redicted" not in _text(suffix, judgement())
