"""A chart as SVG shapes: the template writes them, the page's script makes those of single tests. Pure.

Rule 1: foreign text is only ever text: looks, paths and places are ours.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import assert_never

from pytest_energy.report.charts import spec
from pytest_energy.report.charts.label_layout import Box, place_names, thinned

WIDTH = 360.0
"""Of a chart. A phone shows it at its size, so that its letters stay as large as they are."""

_HEIGHT, _LOW_HEIGHT = 250.0, 190.0
_LEFT, _END, _TOP, _BOTTOM = 62.0, WIDTH - 12.0, 26.0, 42.0
_MOST_NAME = 22  # characters
_LETTER, _LINE = 5.8, 11.0  # of a point's name: width of a letter, about, and height
_TICK_LETTER, _TICK_LINE = 6.7, 12.0  # as wide as a digit of the widest common face
_HALF_MARK, _HALF_STAR, _AIR = 4.0, 9.0, 1.0
_MOST_NAMED = 40  # points; beyond them there is no room for a name
_MOST_TITLED = 300  # points with a shape and a text of their own
_FOOT_SHARE = 0.04  # height of the crosses over the foot of a chart

_FORMS = {
    "circle": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "square": "m-4 -4h8v8h-8z",
    "diamond": "m0 -7l7 7l-7 7l-7 -7z",
    "triangle": "m0 -5l5 9h-10z",
    "star": "m0 -9l2.6 5.6l6.1 .8l-4.5 4.2l1.1 6.1l-5.3 -3l-5.3 3l1.1 -6.1l-4.5 -4.2l6.1 -.8z",
    "cross": "m-4 -4l8 8m0 -8l-8 8",
}  # paths around a place


@dataclass(frozen=True, slots=True)
class Path:
    """A path, or a mark of one *form* at several places.

    Attributes:
        look: The classes by which `templates/report.css` draws it.
        places: `x y` of each mark, with commas between; or the path's own commands.
        form: The mark around a place; empty for a path.
        title: For a pointer that rests on it.
    """

    look: str
    places: str
    form: str = ""
    title: str = ""

    @property
    def commands(self) -> str:
        """What is in the attribute `d`."""
        if not self.form:
            return self.places
        return "".join(f"M{place}{self.form}" for place in self.places.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line of text; *anchor* is which end of it is at x."""

    look: str
    x: str
    y: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart: what it is called, its shapes in the order they are drawn, and its legend.

    Attributes:
        parts: Shapes of the x axis, of the y axis, and of what they measure.
        keys: A sample of a layer, and what it is.
    """

    title: str
    caption: tuple[str, ...]
    height: float
    parts: tuple[tuple[Path | Text, ...], ...]
    keys: tuple[tuple[Path, str], ...]
    width: float = WIDTH


def draw(chart: spec.Chart) -> Figure:
    """The figure of *chart*."""
    height = _LOW_HEIGHT if chart.is_low else _HEIGHT
    widths = [len(text) * _TICK_LETTER for _, text in chart.x.ticks]
    x = thinned(chart.x, widths, length=_END - _LEFT, gap=_TICK_LETTER)
    frame = _Frame(x=x, y=chart.y, height=height)
    layers = (shape for layer in chart.layers for shape in frame.layer(layer))
    return Figure(
        title=chart.title,
        caption=chart.caption,
        height=height,
        parts=(
            _x_axis(frame.x, frame.foot),
            tuple(_y_axis(frame.y, frame.foot)),
            (*layers, *frame.names(chart)),
        ),
        keys=tuple((_sample(layer), layer.key) for layer in chart.layers if layer.key),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where values are in a chart of two axes."""

    x: spec.Axis
    y: spec.Axis
    height: float

    @property
    def foot(self) -> float:
        return self.height - _BOTTOM

    def at(self, place: spec.Place) -> spec.Place:
        return _across(self.x, place[0]), _up(self.y, place[1], self.foot)

    def layer(self, layer: spec.Layer) -> Iterable[Path | Text]:
        look = _look(layer)
        match layer:
            case spec.Marks():
                return self._marks(layer, look)
            case spec.Crosses():
                y = _n(self.foot - _FOOT_SHARE * self.height)
                places = [f"{_n(_across(self.x, place))} {y}" for place in layer.places]
                return _spots(look, places, _FORMS["cross"], layer.titles)
            case spec.Line():
                points = "L".join(f"{_n(x)} {_n(y)}" for x, y in map(self.at, layer.points))
                return [Path(look, f"M{points}")] if points else []
            case spec.Rule():
                edge = self.at((layer.at, self.y.upper) if layer.is_upright else (self.x.lower, layer.at))
                end = f"V{_n(self.foot)}" if layer.is_upright else f"H{_n(_END)}"
                return [Path(look, f"M{_n(edge[0])} {_n(edge[1])}{end}")]
            case spec.Band():
                across, up = (self.x.lower, self.x.upper), (self.y.lower, self.y.upper)
                sides = (*layer.ends, *up) if layer.is_upright else (*across, *layer.ends)
                return [Path(look, self._box(*sides))]
            case spec.Boxes():
                return [Path(look, "".join(self._box(*box) for box in layer.boxes))]
        assert_never(layer)

    def _box(self, left: float, right: float, lower: float, upper: float) -> str:
        (x, y), (end_x, end_y) = self.at((left, lower)), self.at((right, upper))
        return f"M{_n(x)} {_n(y)}H{_n(end_x)}V{_n(end_y)}H{_n(x)}z"

    def _marks(self, marks: spec.Marks, look: str) -> Iterator[Path | Text]:
        if marks.bars:
            bars = zip(marks.points, marks.bars, strict=True)
            bar = "".join(self._bar(point, ends, is_lying=marks.is_lying) for point, ends in bars)
            yield Path(f"line {marks.colour}", bar)
        places = list(map(self.at, marks.points))
        texts = [f"{_n(x)} {_n(y)}" for x, y in places]
        if len(places) > _MOST_TITLED:
            yield Path("dots", "".join(f"M{text}h0" for text in texts))
            return
        yield from _spots(look, texts, _FORMS[marks.form], marks.titles)

    def _bar(self, point: spec.Place, ends: tuple[float, float], *, is_lying: bool) -> str:
        """An error bar with its caps."""
        (x, y), (lower, upper) = point, ends
        if is_lying:
            (left, at_y), (right, _) = self.at((lower, y)), self.at((upper, y))
            cap = _n(at_y - 3)
            return f"M{_n(left)} {cap}v6M{_n(right)} {cap}v6M{_n(left)} {_n(at_y)}H{_n(right)}"
        (at_x, foot), (_, top) = self.at((x, lower)), self.at((x, upper))
        cap = _n(at_x - 3)
        return f"M{cap} {_n(top)}h6M{cap} {_n(foot)}h6M{_n(at_x)} {_n(top)}V{_n(foot)}"

    def names(self, chart: spec.Chart) -> Iterator[Text]:
        """Each name and word beside its point, where it has room."""
        named = [(place, _shortened(name)) for place, name in chart.written]
        if not 0 < len(named) <= _MOST_NAMED:
            return
        half = _HALF_STAR if _has_star(chart) else _HALF_MARK
        boxes = place_names(
            [self.at(place) for place, _ in named],
            [len(name) * _LETTER for _, name in named],
            height=_LINE,
            inside=Box(left=_LEFT, top=_TOP - 8, right=WIDTH - 2, bottom=self.foot),
            half_mark=half,
            gap=half + _AIR,
            bars=[(self.at(lower), self.at(upper)) for lower, upper in chart.bars],
        )
        for box, (_, name) in zip(boxes, named, strict=True):
            if box is not None:
                yield _text(box.middle[0], box.bottom - 2.5, name, "name", anchor="middle")


def _has_star(chart: spec.Chart) -> bool:
    return any(isinstance(layer, spec.Marks) and layer.form == "star" for layer in chart.layers)


def _shortened(name: str) -> str:
    """*name* without its middle, where it is too long to be beside a point."""
    if len(name) <= _MOST_NAME:
        return name
    return f"{name[: _MOST_NAME - _MOST_NAME // 2]}\N{HORIZONTAL ELLIPSIS}{name[-(_MOST_NAME // 2) :]}"


def _across(axis: spec.Axis, value: float) -> float:
    return _LEFT + axis.share(value) * (_END - _LEFT)


def _up(axis: spec.Axis, value: float, foot: float) -> float:
    return foot - axis.share(value) * (foot - _TOP)


@lru_cache(maxsize=256)
def _x_axis(axis: spec.Axis, foot: float) -> tuple[Path | Text, ...]:
    """Ticks, their texts and the label; remembered, since thousands of tests have as many rounds."""
    places = [(_across(axis, value), text) for value, text in axis.ticks]
    ticks = "".join(f"M{_n(x)} {_n(foot)}v4" for x, _ in places)
    return (
        Path("axis", f"{ticks}M{_n(_LEFT)} {_n(foot)}H{_n(_END)}"),
        *(_text(_inside(x, text), foot + 16, text, "tick", anchor="middle") for x, text in places if text),
        _text(_END, foot + _BOTTOM - 8, axis.label, "label", anchor="end"),
    )


def _inside(x: float, text: str) -> float:
    """Where the middle of *text* is, at *x* or so that it ends on the page."""
    return min(x, WIDTH - len(text) * _TICK_LETTER / 2)


def _y_axis(axis: spec.Axis, foot: float) -> Iterator[Path | Text]:
    """The grid, its texts and the label."""
    places = [(_up(axis, value, foot), text) for value, text in axis.ticks]
    yield Path("grid", "".join(f"M{_n(_LEFT)} {_n(y)}H{_n(_END)}" for y, _ in places))
    for y, text in places:
        lines = text.split("\n")
        first = y + 4 - _TICK_LINE * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            yield _text(_LEFT - 6, first + _TICK_LINE * number, line, "tick", anchor="end")
    yield _text(4, 14, axis.label, "label")


def _look(layer: spec.Layer) -> str:
    match layer:
        case spec.Marks():
            return f"mark {layer.form} {layer.colour}{' hollow' if layer.is_hollow else ''}"
        case spec.Crosses():
            return "mark cross ink"
        case spec.Line():
            return f"line {layer.colour} {layer.dash}{' thin' if layer.is_thin else ''}"
        case spec.Rule():
            return f"line {layer.colour} {layer.dash}"
        case spec.Band():
            return f"area {layer.colour}"
        case spec.Boxes():
            return f"fill c{layer.fill}"
    assert_never(layer)


def _sample(layer: spec.Layer) -> Path:
    """The sample of *layer* in a legend of 24 by 16."""
    if isinstance(layer, spec.Marks | spec.Crosses):
        form = layer.form if isinstance(layer, spec.Marks) else "cross"
        return Path(_look(layer), "12 8", form=_FORMS[form])
    if isinstance(layer, spec.Band | spec.Boxes):
        return Path(_look(layer), "M2 2h20v12h-20z")
    is_upright = isinstance(layer, spec.Rule) and layer.is_upright
    return Path(_look(layer), "M12 1V15" if is_upright else "M1 8H23")


def _spots(look: str, places: Sequence[str], form: str, titles: Sequence[str]) -> Iterable[Path]:
    """Marks with a title each, or all of them as one path."""
    if not titles:
        return [Path(look, ",".join(places), form)]
    pairs = zip(places, titles, strict=True)
    return [Path(look, place, form, title) for place, title in pairs]


def _text(x: float, y: float, text: str, look: str, *, anchor: str = "start") -> Text:
    return Text(look=look, x=_n(x), y=_n(y), anchor=anchor, text=text)


def _n(value: float) -> str:
    """A place, to a tenth of a unit."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")
