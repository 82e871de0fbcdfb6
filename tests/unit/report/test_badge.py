"""What a badge says of a run."""

import json
from xml.etree import ElementTree as ET

import pytest

from pytest_energy.judgement import Verdict
from pytest_energy.report import badge, view
from pytest_energy.report.view import View
from tests.builders import judgement


def run_of(*verdicts: Verdict) -> View:
    return view.of([judgement(test_id=f"t.py::t{n}", verdict=one) for n, one in enumerate(verdicts)])


@pytest.mark.parametrize(
    ("verdicts", "message", "colour"),
    [
        ([Verdict.PASS, Verdict.IMPROVEMENT], "2 pass", "brightgreen"),
        ([Verdict.PASS, Verdict.PASS, Verdict.VOID], "2 of 3 pass", "yellow"),
        ([Verdict.PASS, Verdict.REGRESSION], "1 regression", "red"),
        ([Verdict.OVER_BUDGET, Verdict.REGRESSION, Verdict.REGRESSION], "2 regression, 1 over-budget", "red"),
        ([Verdict.UNMEASURED, Verdict.NO_BASELINE], "not compared", "lightgrey"),
        ([], "no tests", "lightgrey"),
    ],
)
def test_the_worst_is_said(verdicts: list[Verdict], message: str, colour: str) -> None:
    """In the file as in the picture; a run in which nothing was compared is never green."""
    run = run_of(*verdicts)
    assert json.loads(badge.render_json(run)) == {
        "schemaVersion": 1,
        "label": "energy",
        "message": message,
        "color": colour,
    }
    picture = ET.fromstring(badge.render_svg(run))
    assert picture.get("aria-label") == f"energy: {message}"
    assert "".join(picture.itertext()).split("energy")[-1].strip() == message


def test_the_texts_are_within_their_halves() -> None:
    """Neither runs over into the other or out of the picture."""
    picture = ET.fromstring(badge.render_svg(run_of(Verdict.REGRESSION)))
    space = "{http://www.w3.org/2000/svg}"
    left, right = picture.findall(f"{space}g/{space}rect")
    for half, text in zip((left, right), picture.findall(f"{space}g/{space}text"), strict=True):
        start = int(half.get("x", "0"))
        assert start < int(text.get("x", ""))
        assert int(text.get("x", "")) + int(text.get("textLength", "")) < start + int(half.get("width", ""))
    assert int(left.get("width", "")) + int(right.get("width", "")) == int(picture.get("width", ""))
