"""Charts as the page's script reads them."""

import json

import pytest

from pytest_energy.report.charts.spec import Axis, Band, Boxes, Chart, Crosses, Line, Marks, Rule
from pytest_energy.report.html.script import Shared, rounded

TEN = Axis(label="J", lower=0.0, upper=10.0, ticks=((0.0, "0 J"),))


def chart(title: str = "chart") -> Chart:
    """One layer of each kind."""
    return Chart(
        title=title,
        caption=("caption",),
        x=TEN,
        y=TEN,
        layers=(
            Marks(points=((1.0, 2.0),), bars=((1.5, 2.5),), form="circle", colour="first", key="marks"),
            Marks(points=((1.0, 2.0),), form="diamond", colour="second"),
            Crosses(places=(3.0,)),
            Line(points=((1.0, 1.0), (2.0, 1 / 3)), colour="first"),
            Rule(at=4.0, colour="ink", is_upright=True),
            Band(ends=(1.0, 2.0), colour="third"),
            Boxes(boxes=((0.0, 1.0, 0.0, 5.0),), fill=1),
        ),
    )


def test_numbers_stand_in_the_chart_and_the_rest_in_the_shared_list() -> None:
    """A layer is the place of its look and its numbers, each with nine digits."""
    shared = Shared()
    head, x, y, layers = shared.chart(chart())
    assert isinstance(layers, list)
    assert x == y
    assert shared.values[int(str(head))] == {"title": "chart", "caption": ["caption"], "isLow": False}
    assert shared.values[int(str(x))] == {"label": "J", "ends": [0.0, 10.0], "ticks": [[0.0, "0 J"]]}
    assert [numbers for _, numbers in layers] == [
        [[1.0, 2.0, 1.5, 2.5]],
        [[1.0, 2.0]],
        [3.0],
        [[1.0, 1.0], [2.0, 0.333333333]],
        [4.0],
        [1.0, 2.0],
        [[0.0, 1.0, 0.0, 5.0]],
    ]
    looks = [shared.values[place] for place, _ in layers]
    assert [look["kind"] for look in looks if isinstance(look, dict)] == [
        "Marks", "Marks", "Crosses", "Line", "Rule", "Band", "Boxes",
    ]  # fmt: skip
    assert looks[0] == {
        "kind": "Marks",
        "look": "mark circle first",
        "key": "marks",
        "sample": "M12 8m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        "form": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        "bar": "line first",
        "isLying": False,
    }
    assert looks[4] == {"kind": "Rule", "look": "line ink solid", "isUpright": True}


def test_what_charts_have_in_common_is_written_once() -> None:
    """A second chart that differs in its title alone adds its head and nothing else."""
    shared = Shared()
    shared.chart(chart())
    count = len(shared.values)
    shared.chart(chart("another"))
    assert len(shared.values) == count + 1
    json.dumps(shared.values, allow_nan=False)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_what_is_no_number_is_none(value: float | None) -> None:
    """The script sorts it last and draws nothing."""
    assert rounded(value) is None
