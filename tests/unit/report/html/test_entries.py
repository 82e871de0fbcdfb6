"""Tests and their charts as the page's script reads them."""

import json
from typing import Any

import pytest

from pytest_energy.report.charts.spec import Axis, Chart, Marks, Rule
from pytest_energy.report.html.entries import Shared, rounded
from pytest_energy.report.html.svg import Figure, draw

TEN = Axis(label="J", lower=0.0, upper=10.0, ticks=((0.0, "0 J"),))


def figure(title: str = "chart", at: float = 5.0) -> Figure:
    """A mark with a key and a line at *at*."""
    marks = Marks(points=((0.0, 10.0), (10.0, 10.0)), form="square", colour="first", key="marks")
    rule = Rule(at=at, colour="ink")
    return draw(Chart(title=title, caption=("caption",), x=TEN, y=TEN, layers=(marks, rule)))


def test_a_figure_is_places_of_what_it_is_made_of() -> None:
    """Title, caption and height; three parts of shapes; a sample and a text for each key."""
    shared = Shared()
    head, parts, keys = (json.loads(json.dumps(part)) for part in shared.figure(figure()))
    values: list[Any] = json.loads(json.dumps(shared.values))
    assert values[head] == ["chart", ["caption"], 250.0]
    across, _, (marks, rule) = (values[place] for place in parts)
    assert (values[marks[0]], marks[1]) == (["mark square first", "m-4 -4h8v8h-8z"], "62 26,348 26")
    assert (values[rule[0]], rule[1]) == (["line ink solid", ""], "M62 117H348")
    assert (values[across[-1][0]], across[-1][1:]) == (["label", "end"], ["348", "242", "J"])
    assert [values[place] for place in keys] == [[[marks[0], "12 8"], "marks"]]


def test_what_charts_have_in_common_is_written_once() -> None:
    """A chart that differs in one line adds its title and that part, and nothing else."""
    shared = Shared()
    shared.figure(figure())
    count = len(shared.values)
    shared.figure(figure("another", at=6.0))
    assert len(shared.values) == count + 2
    json.dumps(shared.values, allow_nan=False)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_none(value: float | None) -> None:
    """The script sorts it last."""
    assert rounded(value) is None
