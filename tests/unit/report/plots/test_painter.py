"""What matplotlib draws of a chart: every layer at its place, nothing off the page."""

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text

from pytest_energy.report import batch, view
from pytest_energy.report.charts import batch_size
from pytest_energy.report.charts.axes import category_axis, doubling_axis, linear_axis
from pytest_energy.report.charts.spec import (
    Band,
    Boxes,
    Chart,
    Crosses,
    Layer,
    Line,
    Marks,
    Rule,
    Sheet,
)
from pytest_energy.report.plots.page import DARK, LIGHT, Look, words
from pytest_energy.report.plots.painter import draw, styled
from tests.builders import judgement


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with styled(LIGHT):
        yield


def chart(*layers: Layer, **changes: object) -> Chart:
    facts: dict[str, object] = {
        "title": "chart",
        "x": doubling_axis([1.0, 2.0, 4.0], label="rate"),
        "y": linear_axis([0.0, 10.0], "J", label="energy"),
        "layers": layers,
    }
    return Chart(**(facts | changes))  # type: ignore[arg-type]  # its own words


def drawn(*charts: Chart, **changes: object) -> tuple[Figure, list[Axes]]:
    sheet = Sheet(title="title", heading="heading", charts=charts, **changes)  # type: ignore[arg-type]
    figure = draw(sheet, Look(theme=LIGHT))
    return figure, figure.axes


def places(line: Line2D) -> list[tuple[float, float]]:
    x, y = (np.asarray(values, dtype=float).tolist() for values in line.get_data())
    return list(zip(x, y, strict=True))


def is_within(figure: Figure) -> bool:
    """Whether all that is drawn lies on the page."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width_in, height_in = figure.get_size_inches()
    return bool(box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width_in and box.y1 <= height_in)


def test_the_axes_are_the_charts() -> None:
    """Ends, ticks, texts and labels are those of the chart; matplotlib adds none."""
    figure, (axes,) = drawn(chart())
    figure.draw_without_rendering()
    one = chart()
    assert axes.get_xlim() == pytest.approx((one.x.lower, one.x.upper))
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "4"]
    assert [label.get_text() for label in axes.get_yticklabels()] == [text for _, text in one.y.ticks]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("rate", "energy (J)")
    assert len(axes.xaxis.get_minorticklocs()) == 0


def test_an_axis_may_count_down() -> None:
    """The first category is at the top."""
    _, (axes,) = drawn(chart(y=category_axis(["first", "second"])))
    lower, upper = axes.get_ylim()
    assert lower > upper
    assert [label.get_text() for label in axes.get_yticklabels()] == ["first", "second"]


def test_marks_have_their_bars_form_and_fill() -> None:
    """Points where they are, bars to both ends, hollow ones in the colour of the paper."""
    full = Marks(
        points=((1.0, 4.0), (2.0, 6.0)), bars=((3.0, 5.0), (6.0, 8.0)), form="circle", colour="first"
    )
    hollow = Marks(points=((4.0, 8.0),), form="square", colour="second", is_hollow=True, word="saturated")
    _, (axes,) = drawn(chart(full, hollow))
    first, second = axes.containers
    assert places(first[0]) == [(1.0, 4.0), (2.0, 6.0)]
    ends = np.array(first[2][0].get_segments())[:, :, 1]
    assert ends.tolist() == [pytest.approx([3.0, 5.0]), pytest.approx([6.0, 8.0])]
    assert (first[0].get_marker(), second[0].get_marker()) == ("o", "s")
    assert second[0].get_markerfacecolor() == LIGHT["paper"]
    assert [text.get_text() for text in axes.texts] == ["saturated"]


def test_lying_bars_run_along_x() -> None:
    """The ends are values of x."""
    marks = Marks(points=((2.0, 4.0),), bars=((1.5, 3.0),), is_lying=True, form="diamond", colour="third")
    _, (axes,) = drawn(chart(marks))
    (segment,) = np.array(axes.containers[0][2][0].get_segments())
    assert segment.tolist() == [pytest.approx([1.5, 4.0]), pytest.approx([3.0, 4.0])]


def test_lines_rules_and_crosses() -> None:
    """A curve through its points, a line across at its value, crosses at the foot whatever the scale."""
    _, (axes,) = drawn(
        chart(
            Line(points=((1.0, 2.0), (4.0, 8.0)), colour="first", dash="dashed", is_thin=True),
            Rule(at=5.0, colour="ink", dash="dotted"),
            Rule(at=2.0, colour="third", is_upright=True),
            Crosses(places=(4.0,)),
        )
    )
    line, lying, upright, cross = axes.get_lines()
    assert (places(line), line.get_linestyle()) == ([(1.0, 2.0), (4.0, 8.0)], "--")
    assert ([y for _, y in places(lying)], lying.get_linestyle()) == ([5.0, 5.0], ":")
    assert [x for x, _ in places(upright)] == [2.0, 2.0]
    assert cross.get_transform() == axes.get_xaxis_transform()
    assert places(cross)[0][0] == 4.0


def test_bands_and_boxes_fill_what_they_say() -> None:
    """A band across the whole chart, boxes with their four edges."""
    _, (axes,) = drawn(
        chart(
            Band(ends=(2.0, 3.0), colour="third"),
            Band(ends=(1.0, 2.0), colour="first", is_upright=True),
            Boxes(boxes=((1.0, 2.0, 0.0, 5.0),), fill=1),
        )
    )
    lying, upright, box = (
        patch.get_path().get_extents(patch.get_patch_transform()) for patch in axes.patches
    )
    assert (lying.y0, lying.y1) == (2.0, 3.0)
    assert (upright.x0, upright.x1) == (1.0, 2.0)
    assert (box.x0, box.x1, box.y0, box.y1) == (1.0, 2.0, 0.0, 5.0)


def test_keys_stand_in_the_order_of_the_layers() -> None:
    """What has no key is not in the legend."""
    marks = Marks(points=((1.0, 1.0),), bars=((0.5, 1.5),), form="circle", colour="first", key="marks")
    _, (axes,) = drawn(
        chart(Rule(at=3.0, colour="ink", key="rule"), marks, Crosses(places=(2.0,), key="crosses"),
              Line(points=((1.0, 1.0), (2.0, 2.0)), colour="first"))
    )  # fmt: skip
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["rule", "marks", "crosses"]


def test_a_chart_without_keys_has_its_caption() -> None:
    """The lines of the caption stand above it."""
    _, (axes,) = drawn(chart(caption=("rho +1", "paper: +0.9")))
    assert axes.get_legend() is None
    assert axes.get_title(loc="left") == "rho +1\npaper: +0.9"


def test_names_stand_beside_their_points_and_apart() -> None:
    """Every name with room is written; no two lie over each other."""
    named = tuple(((2.0**n, 2.0 + 3 * n), f"net{n}") for n in range(3))
    figure, (axes,) = drawn(chart(names=named))
    names = [text for text in axes.texts if isinstance(text, Annotation)]
    assert [name.get_text() for name in names] == ["net0", "net1", "net2"]
    figure.draw_without_rendering()
    boxes = [name.get_window_extent() for name in names]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_charts_stand_in_rows() -> None:
    """As many as the sheet has columns; a place that no chart fills is empty."""
    figure, all_axes = drawn(chart(), chart(), chart(), columns=2)
    assert len(all_axes) == 3
    figure.draw_without_rendering()
    first, second, third = (axes.get_position() for axes in all_axes)
    assert first.y0 == pytest.approx(second.y0)
    assert first.x1 < second.x0
    assert third.y1 < first.y0


def test_a_shared_axis_is_numbered_once() -> None:
    """Charts over one another: only the last has numbers and the label below it."""
    _, (upper, lower) = drawn(chart(), chart(is_low=True), shares_x=True)
    assert (upper.get_xlabel(), lower.get_xlabel()) == ("", "rate")


@pytest.mark.parametrize("name", ["net", "W" * 300, "two\nlines \x1b[31m", "$x$ _ ^ \\frac"])
def test_nothing_leaves_the_page(name: str) -> None:
    """Whatever a model is called, title, notes and axes are on the page, and no name is mathematics."""
    measured = judgement(test_id=f"b.py::t[{name}-4]", group="batch", model=f"{name}@4")
    figure = draw(batch_size.sheet(batch.sweeps(view.of([measured]))[0]), Look(theme=LIGHT))
    assert is_within(figure)
    assert not any(text.get_parse_math() for text in figure.findobj(Text) if text.get_text())


def test_dark_figures_are_light_on_dark() -> None:
    """The other theme has its own paper and ink."""
    with styled(DARK):
        figure = draw(Sheet(title="t", heading="h", charts=(chart(),)), Look(theme=DARK))
    assert figure.get_facecolor() == pytest.approx((0x0D / 255, 0x11 / 255, 0x17 / 255, 1.0))
    assert {text.get_color() for text in figure.texts if text.get_text()} == {DARK["ink"]}


def test_a_bare_page_is_as_wide_as_asked_and_holds_no_words() -> None:
    """85 mm to a thousandth, letters of 8 points, no title, heading or note; keys in lines that fit."""
    key = "a layer whose key is much too long for one line of a narrow page"
    marks = Marks(points=((1.0, 1.0),), form="circle", colour="first", key=key)
    sheet = Sheet(title="title", heading="heading", charts=(chart(marks),), notes=("note",), width_in=8.0)
    figure = draw(sheet, Look(theme=LIGHT, width_in=85 / 25.4, is_bare=True))
    assert figure.get_size_inches()[0] == pytest.approx(85 / 25.4, abs=1e-3)
    assert figure.texts == []
    (axes,) = figure.axes
    assert {label.get_fontsize() for label in (axes.xaxis.label, *axes.get_xticklabels())} == {8.0}
    legend = axes.get_legend()
    assert legend is not None
    (text,) = legend.get_texts()
    assert text.get_text().split() == key.split()
    assert "\n" in text.get_text()
    assert is_within(figure)
    assert words(sheet) == "title. heading. note"


def test_a_narrow_page_has_fewer_charts_side_by_side() -> None:
    """Three columns of a wide page are one at 85 mm."""
    sheet = Sheet(title="t", heading="h", charts=(chart(), chart(), chart()), columns=3, width_in=11.0)
    lefts = [
        {round(axes.get_position().x0, 3) for axes in draw(sheet, look).axes}
        for look in (Look(theme=LIGHT), Look(theme=LIGHT, width_in=85 / 25.4))
    ]
    assert [len(one) for one in lefts] == [3, 1]


def test_a_word_is_beside_its_mark_and_off_its_bar() -> None:
    """A bar that runs upward leaves the word no room above: it stands at a side."""
    marks = Marks(points=((2.0, 4.0),), bars=((1.0, 9.0),), form="square", colour="second", word="saturated")
    _, (axes,) = drawn(chart(marks))
    (word,) = axes.texts
    bar = axes.transData.transform([(2.0, 1.0), (2.0, 9.0)])
    box = word.get_window_extent()
    assert not box.x0 <= bar[0][0] <= box.x1
