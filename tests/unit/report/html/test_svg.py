"""A chart as SVG shapes: each layer at its place, names apart, many points light."""

import pytest

from pytest_energy.report import batch, rates, view
from pytest_energy.report.charts import batch_size, change, correlation, request_rate, rounds
from pytest_energy.report.charts.axes import linear_axis
from pytest_energy.report.charts.spec import Axis, Band, Boxes, Chart, Crosses, Layer, Line, Marks, Rule
from pytest_energy.report.html.svg import WIDTH, Figure, Shape, draw
from tests.browser.runs import mixed_run
from tests.builders import comparison, judgement
from tests.fakes.sessions import gpu_session

# From 0 to 10 on both, so that a value of x is at 62 + 28.6 x, one of y at 208 - 18.2 y.
TEN = Axis(lower=0.0, upper=10.0, ticks=((0.0, "0"), (10.0, "10")))


def figure(*layers: Layer, **changes: object) -> Figure:
    facts: dict[str, object] = {"title": "chart", "x": TEN, "y": TEN, "layers": layers}
    return draw(Chart(**(facts | changes)))  # type: ignore[arg-type]  # its own words


def shapes(*layers: Layer) -> list[tuple[str, str]]:
    """Class and path of what is drawn besides the axes."""
    axes = len(figure().shapes)
    return [
        (str(shape.attributes["class"]), str(shape.attributes.get("d", shape.text)))
        for shape in figure(*layers).shapes[axes:]
    ]


def test_marks_stand_at_their_points_with_their_bars() -> None:
    """The bar with its caps first, the mark over it, the word above."""
    marks = Marks(points=((5.0, 5.0),), bars=((0.0, 10.0),), form="square", colour="second", word="saturated")
    assert shapes(marks) == [
        ("line second", "M202.0 26.0h6M202.0 208.0h6M205.0 26.0V208.0"),
        ("mark square second", "M205.0 117.0m-4 -4h8v8h-8z"),
        ("name", "saturated"),
    ]


def test_lying_bars_run_along_x() -> None:
    """The ends are values of x."""
    marks = Marks(points=((5.0, 5.0),), bars=((0.0, 10.0),), is_lying=True, form="circle", colour="first")
    assert shapes(marks)[0] == ("line first", "M62.0 114.0v6M348.0 114.0v6M62.0 117.0H348.0")


@pytest.mark.parametrize(
    ("layer", "look", "path"),
    [
        (Line(points=((0.0, 0.0), (10.0, 10.0)), colour="ink", dash="dashed"),
         "line ink dashed", "M62.0 208.0L348.0 26.0"),
        (Line(points=((0.0, 0.0),), colour="first", is_thin=True), "line first solid thin", "M62.0 208.0"),
        (Rule(at=5.0, colour="second", dash="dotted"), "line second dotted", "M62.0 117.0H348.0"),
        (Rule(at=5.0, colour="ink", is_upright=True), "line ink solid", "M205.0 26.0V208.0"),
        (Band(ends=(0.0, 5.0), colour="third"), "area third", "M62.0 208.0H348.0V117.0H62.0z"),
        (Band(ends=(0.0, 5.0), colour="third", is_upright=True),
         "area third", "M62.0 208.0H205.0V26.0H62.0z"),
        (Boxes(boxes=((0.0, 5.0, 0.0, 5.0),), fill=2), "fill c2", "M62.0 208.0H205.0V117.0H62.0z"),
        (Crosses(places=(5.0,)), "mark cross ink", "M205.0 198.0m-4 -4l8 8m0 -8l-8 8"),
    ],
)  # fmt: skip
def test_each_layer_is_at_its_place(layer: Layer, look: str, path: str) -> None:
    """Its classes, by which the style draws it, and its path."""
    assert shapes(layer) == [(look, path)]


def test_a_line_without_points_is_nothing() -> None:
    """A curve that lies outside its chart leaves no empty path."""
    assert shapes(Line(points=(), colour="first")) == []


def test_a_key_is_a_sample_of_its_layer() -> None:
    """Each layer with a key has a line in the legend, in the class of the layer."""
    drawn = figure(
        Marks(points=((1.0, 1.0),), form="star", colour="second", key="best"),
        Crosses(places=(1.0,), key="lost"),
        Line(points=((1.0, 1.0),), colour="first", key="curve"),
        Rule(at=1.0, colour="ink", is_upright=True, key="upright"),
        Rule(at=1.0, colour="ink"),
        Band(ends=(0.0, 1.0), colour="first", key="band"),
        Boxes(boxes=(), fill=0, key="boxes"),
    )
    assert [key.text for key in drawn.keys] == ["best", "lost", "curve", "upright", "band", "boxes"]
    assert drawn.keys[0].shape.attributes["class"] == "mark star second"
    assert drawn.keys[3].shape.attributes["d"] == "M12 1V15"


def test_a_low_chart_is_lower() -> None:
    """It needs less of a page."""
    assert figure(is_low=True).height < figure().height


def _named(chart: Chart) -> list[Shape]:
    return [shape for shape in draw(chart).shapes if shape.attributes["class"] == "name"]


def test_names_of_points_stay_inside_and_apart() -> None:
    """A name that has no room is left out, never over another."""
    for chart in correlation.charts(view.of(gpu_session()).groups[0]):
        names = _named(chart)
        assert names
        assert all(0 <= float(shape.attributes["x"]) <= WIDTH for shape in names)
        places = [(shape.attributes["x"], shape.attributes["y"]) for shape in names]
        assert len({*places}) == len(places)


def test_very_many_points_are_one_shape() -> None:
    """A thousand models take one element a chart, not a thousand, and no names."""
    points = tuple((number / 40, 5.0) for number in range(400))
    drawn = figure(
        Marks(points=points, form="circle", colour="first"),
        names=tuple((point, "model") for point in points),
        x=linear_axis([0.0, 10.0]),
    )
    (dots,) = [shape for shape in drawn.shapes if shape.attributes["class"] == "dots"]
    assert str(dots.attributes["d"]).count("M") == 400
    assert not [shape for shape in drawn.shapes if shape.attributes["class"] == "name"]


def test_what_a_pointer_is_told_is_the_marks() -> None:
    """A title each, or none."""
    marks = Marks(points=((1.0, 1.0), (2.0, 2.0)), titles=("a", "b"), form="circle", colour="first")
    crosses = Crosses(places=(3.0,), titles=("c: lost",))
    assert [shape.title for shape in figure(marks, crosses).shapes if shape.title] == ["a", "b", "c: lost"]


def test_every_chart_of_a_run_is_drawn_without_a_gap() -> None:
    """No number of any chart's path is NaN or missing."""
    run = view.of(mixed_run())
    charts = [
        *(chart for sweep in batch.sweeps(run) for chart in batch_size.charts(sweep)),
        *(request_rate.chart(series, rates.fit(series)) for series in rates.rate_series(run)),
        *(chart for group in run.groups for chart in correlation.charts(group)),
        change.chart(comparison(1.1)),
    ]
    gross = rounds.gross_rounds(judgement(compared=comparison(1.1)))
    assert gross is not None
    for chart in (*charts, rounds.chart(gross)):
        paths = " ".join(str(shape.attributes.get("d", "")) for shape in draw(chart).shapes)
        assert not {"nan", "None", "inf"} & {*paths.replace("M", " ").lower().split()}
