"""A chart as SVG shapes: each layer at its place, names apart, many points light."""

from dataclasses import replace

import pytest

from pytest_energy.report import batch, rates, view
from pytest_energy.report.charts import batch_size, change, correlation, request_rate, rounds
from pytest_energy.report.charts.spec import Axis, Band, Boxes, Chart, Crosses, Layer, Line, Marks, Rule
from pytest_energy.report.html.svg import WIDTH, Figure, Path, Text, draw
from tests.browser.runs import mixed_run
from tests.builders import comparison, judgement
from tests.fakes.sessions import gpu_session

# From 0 to 10 on both, so that a value of x is at 62 + 28.6 x, one of y at 208 - 18.2 y.
TEN = Axis(lower=0.0, upper=10.0, ticks=((0.0, "0"), (10.0, "10")))


def figure(*layers: Layer, **changes: object) -> Figure:
    facts: dict[str, object] = {"title": "chart", "x": TEN, "y": TEN, "layers": layers}
    return draw(Chart(**(facts | changes)))  # type: ignore[arg-type]  # its own words


def shapes(*layers: Layer) -> list[tuple[str, str]]:
    """Look and path, or text, of what is drawn besides the axes."""
    return [
        (shape.look, shape.commands if isinstance(shape, Path) else shape.text)
        for shape in figure(*layers).parts[2]
    ]


def test_marks_stand_at_their_points_with_their_bars() -> None:
    """The bar with its caps first, the mark over it, the word above."""
    marks = Marks(points=((5.0, 5.0),), bars=((0.0, 10.0),), form="square", colour="second", word="saturated")
    assert shapes(marks) == [
        ("line second", "M202 26h6M202 208h6M205 26V208"),
        ("mark square second", "M205 117m-4 -4h8v8h-8z"),
        ("name", "saturated"),
    ]


def test_a_word_leaves_a_star_its_room() -> None:
    """A star reaches 9 from its point to each side, and no letter of its name is on it."""
    star = Marks(points=((5.0, 5.0),), form="star", colour="ink", word="one")
    (name,) = (shape for shape in figure(star).parts[2] if isinstance(shape, Text))
    x, foot, half_width = float(name.x), float(name.y), 3 * 5.8 / 2
    assert abs(x - 205) >= 9 + half_width or foot <= 117 - 9 or foot - 8 >= 117 + 9


def test_lying_bars_run_along_x() -> None:
    """The ends are values of x."""
    marks = Marks(points=((5.0, 5.0),), bars=((0.0, 10.0),), is_lying=True, form="circle", colour="first")
    assert shapes(marks)[0] == ("line first", "M62 114v6M348 114v6M62 117H348")


@pytest.mark.parametrize(
    ("layer", "look", "path"),
    [
        (Line(points=((0.0, 0.0), (10.0, 10.0)), colour="ink", dash="dashed"),
         "line ink dashed", "M62 208L348 26"),
        (Line(points=((0.0, 0.0),), colour="first", is_thin=True), "line first solid thin", "M62 208"),
        (Rule(at=5.0, colour="second", dash="dotted"), "line second dotted", "M62 117H348"),
        (Rule(at=5.0, colour="ink", is_upright=True), "line ink solid", "M205 26V208"),
        (Band(ends=(0.0, 5.0), colour="third"), "area third", "M62 208H348V117H62z"),
        (Band(ends=(0.0, 5.0), colour="third", is_upright=True),
         "area third", "M62 208H205V26H62z"),
        (Boxes(boxes=((0.0, 5.0, 0.0, 5.0),), fill=2), "fill c2", "M62 208H205V117H62z"),
        (Crosses(places=(5.0,)), "mark cross ink", "M205 198m-4 -4l8 8m0 -8l-8 8"),
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
    assert [text for _, text in drawn.keys] == ["best", "lost", "curve", "upright", "band", "boxes"]
    samples = [sample for sample, _ in drawn.keys]
    assert samples[0].look == "mark star second"
    assert samples[0].commands.startswith("M12 8m0 -9l")
    assert samples[3].commands == "M12 1V15"


def test_a_low_chart_is_lower() -> None:
    """It needs less of a page."""
    assert figure(is_low=True).height < figure().height


def test_the_axes_have_grid_ticks_and_labels() -> None:
    """A tick of several lines is set over several, around its place."""
    axis = Axis(label="why", lower=0.0, upper=10.0, ticks=((5.0, "time\n+5 %"),))
    across, up, _ = figure(y=axis).parts
    assert [(s.look, s.y, s.text) for s in up if isinstance(s, Text)] == [
        ("tick", "115", "time"),
        ("tick", "127", "+5 %"),
        ("label", "14", "why"),
    ]
    assert [s.text for s in across if isinstance(s, Text)] == ["0", "10", ""]
    assert [s.look for s in (*across, *up) if isinstance(s, Path)] == ["axis", "grid"]


def test_names_of_points_stay_inside_and_apart() -> None:
    """A name that has no room is left out, never over another."""
    for chart in correlation.charts(view.of(gpu_session()).groups[0]):
        names = [shape for shape in draw(chart).parts[2] if isinstance(shape, Text)]
        assert names
        assert all(0 <= float(name.x) <= WIDTH for name in names)
        places = [(name.x, name.y) for name in names]
        assert len({*places}) == len(places)


def test_very_many_points_are_one_shape() -> None:
    """A thousand models take one element a chart, not a thousand, and no names."""
    points = tuple((number / 40, 5.0) for number in range(400))
    marks = Marks(points=points, titles=("model",) * 400, form="circle", colour="first")
    (dots,) = figure(marks, names=tuple((point, "model") for point in points)).parts[2]
    assert isinstance(dots, Path)
    assert (dots.look, dots.commands.count("M")) == ("dots", 400)


def test_what_a_pointer_is_told_is_the_marks() -> None:
    """A title each, or none and then one path for all."""
    marks = Marks(points=((1.0, 1.0), (2.0, 2.0)), titles=("a", "b"), form="circle", colour="first")
    crosses = Crosses(places=(3.0,), titles=("c: lost",))
    paths = [shape for shape in figure(marks, crosses).parts[2] if isinstance(shape, Path)]
    assert [path.title for path in paths] == ["a", "b", "c: lost"]
    (together,) = figure(replace(marks, titles=())).parts[2]
    assert isinstance(together, Path)
    assert together.commands.count("M") == 2


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
        shapes = [shape for part in draw(chart).parts for shape in part]
        numbers = " ".join(s.places if isinstance(s, Path) else f"{s.x} {s.y}" for s in shapes)
        assert not any(odd in numbers for odd in ("nan", "None", "inf"))
