"""A chart as SVG shapes, which the template writes; `templates/report.js` draws the same for single tests.

Rule 1: a shape's tag and the names of its attributes are ours; foreign text is only ever text.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from pytest_energy.report.charts.label_layout import Box, place_names
from pytest_energy.report.charts.spec import (
    Axis,
    Band,
    Boxes,
    Chart,
    Crosses,
    Layer,
    Line,
    Marks,
    Place,
    Rule,
)

WIDTH = 360.0
"""Of a chart. A phone shows it at its size, so that its letters stay as large as they are."""

_HEIGHT, _LOW_HEIGHT = 250.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 12.0, 26.0, 42.0
_NUMBERS = 11  # of three digits that fit side by side
_LETTER, _LINE = 5.8, 11.0  # of a point's name: width of a letter, about, and height
_HALF_MARK, _GAP = 4.0, 5.0
_MOST_NAMED = 40  # points; beyond them there is no room for a name
_MOST_TITLED = 300  # points with a shape and a text of their own
_FOOT_SHARE = 0.04  # height of the crosses over the foot of a chart

FORMS = {
    "circle": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "square": "m-4 -4h8v8h-8z",
    "diamond": "m0 -7l7 7l-7 7l-7 -7z",
    "triangle": "m0 -5l5 9h-10z",
    "star": "m0 -9l2.6 5.6l6.1 .8l-4.5 4.2l1.1 6.1l-5.3 -3l-5.3 3l1.1 -6.1l-4.5 -4.2l6.1 -.8z",
    "cross": "m-4 -4l8 8m0 -8l-8 8",
}
"""Path of a mark around its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One SVG element: *text* inside it, *title* for a pointer that rests on it."""

    tag: str
    attributes: Mapping[str, str | float]
    text: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One line of a legend: a sample of the layer, and what it is."""

    shape: Shape
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart: what it is called, what stands under it, and its shapes in the order they are drawn."""

    title: str
    caption: tuple[str, ...]
    shapes: tuple[Shape, ...]
    keys: tuple[Key, ...]
    height: float
    width: float = WIDTH


def draw(chart: Chart) -> Figure:
    """The figure of *chart*."""
    frame = _Frame(x=chart.x.thinned(_NUMBERS), y=chart.y, height=_LOW_HEIGHT if chart.is_low else _HEIGHT)
    return Figure(
        title=chart.title,
        caption=chart.caption,
        shapes=(
            *frame.axes(),
            *(shape for layer in chart.layers for shape in frame.shapes(layer)),
            *frame.names(chart.names),
        ),
        keys=tuple(
            Key(shape=_path(look_of(layer), sample_of(layer)), text=layer.key)
            for layer in chart.layers
            if layer.key
        ),
        height=frame.height,
    )


def _key(layer: Layer) -> Key:
    return Key(shape=_path(look_of(layer), sample_of(layer)), text=layer.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where values stand in a chart of two axes."""

    x: Axis
    y: Axis
    height: float

    @property
    def foot(self) -> float:
        return self.height - _BOTTOM

    def x_at(self, x: float) -> float:
        return round(_LEFT + self.x.share(x) * (WIDTH - _LEFT - _RIGHT), 1)

    def y_at(self, y: float) -> float:
        return round(self.foot - self.y.share(y) * (self.foot - _TOP), 1)

    def at(self, place: Place) -> Place:
        return self.x_at(place[0]), self.y_at(place[1])

    def axes(self) -> Iterator[Shape]:
        """Grid, ticks and the names of both axes."""
        for value, text in self.y.ticks:
            y = self.y_at(value)
            yield _path("grid", f"M{_LEFT} {y}H{WIDTH - _RIGHT}")
            yield _text(_LEFT - 6, y + 4, text, "tick", anchor="end")
        for value, text in self.x.ticks:
            x = self.x_at(value)
            yield _path("axis", f"M{x} {self.foot}V{self.foot + 4}")
            yield _text(x, self.foot + 16, text, "tick", anchor="middle")
        yield _path("axis", f"M{_LEFT} {self.foot}H{WIDTH - _RIGHT}")
        yield _text(4, 14, self.y.label, "label")
        yield _text(WIDTH - _RIGHT, self.height - 8, self.x.label, "label", anchor="end")

    def shapes(self, layer: Layer) -> Iterable[Shape]:
        match layer:
            case Marks():
                return self._marks(layer)
            case Crosses():
                return self._crosses(layer)
            case Line():
                path = "L".join(f"{x} {y}" for x, y in map(self.at, layer.points))
                return [_path(look_of(layer), f"M{path}")] if path else []
            case Rule():
                x, y = (self.x_at(layer.at), _TOP) if layer.is_upright else (_LEFT, self.y_at(layer.at))
                end = f"V{self.foot}" if layer.is_upright else f"H{WIDTH - _RIGHT}"
                return [_path(look_of(layer), f"M{x} {y}{end}")]
            case Band():
                return [self._band(layer)]
            case Boxes():
                return [_path(look_of(layer), self._box(*box)) for box in layer.boxes]
        assert_never(layer)

    def _band(self, band: Band) -> Shape:
        across = (self.y.lower, self.y.upper) if band.is_upright else (self.x.lower, self.x.upper)
        left, right, lower, upper = (*band.ends, *across) if band.is_upright else (*across, *band.ends)
        return _path(look_of(band), self._box(left, right, lower, upper))

    def _box(self, left: float, right: float, lower: float, upper: float) -> str:
        (x, y), (end_x, end_y) = self.at((left, lower)), self.at((right, upper))
        return f"M{x} {y}H{end_x}V{end_y}H{x}z"

    def _marks(self, marks: Marks) -> Iterator[Shape]:
        for (x, y), ends in zip(marks.points, marks.bars, strict=False):
            yield _path(bar_look(marks), self._bar(x, y, *ends, is_lying=marks.is_lying))
        places = list(map(self.at, marks.points))
        if len(places) > _MOST_TITLED:  # one shape, without their texts
            yield _path("dots", "".join(f"M{x} {y}h0" for x, y in places))
            return
        titles = marks.titles or ("",) * len(places)
        for (x, y), title in zip(places, titles, strict=True):
            yield _path(look_of(marks), f"M{x} {y}{FORMS[marks.form]}", title=title)
            if marks.word:
                yield _text(x, y - 10, marks.word, "name", anchor="middle")

    def _bar(self, x: float, y: float, lower: float, upper: float, *, is_lying: bool) -> str:
        """An error bar with its caps."""
        if is_lying:
            (left, place), (right, _) = self.at((lower, y)), self.at((upper, y))
            return f"M{left} {place - 3}v6M{right} {place - 3}v6M{left} {place}H{right}"
        (place, foot), (_, top) = self.at((x, lower)), self.at((x, upper))
        return f"M{place - 3} {top}h6M{place - 3} {foot}h6M{place} {top}V{foot}"

    def _crosses(self, crosses: Crosses) -> Iterator[Shape]:
        y = self.foot - _FOOT_SHARE * self.height
        titles = crosses.titles or ("",) * len(crosses.places)
        for place, title in zip(crosses.places, titles, strict=True):
            yield _path(look_of(crosses), f"M{self.x_at(place)} {y}{FORMS['cross']}", title=title)

    def names(self, named: Sequence[tuple[Place, str]]) -> Iterator[Shape]:
        """Each name beside its point, where it has room."""
        if len(named) > _MOST_NAMED:
            return
        boxes = place_names(
            [self.at(place) for place, _ in named],
            [len(name) * _LETTER for _, name in named],
            height=_LINE,
            inside=Box(left=_LEFT, top=_TOP - 8, right=WIDTH - 2, bottom=self.foot),
            half_mark=_HALF_MARK,
            gap=_GAP,
        )
        for box, (_, name) in zip(boxes, named, strict=True):
            if box is not None:
                yield _text((box.left + box.right) / 2, box.bottom - 2.5, name, "name", anchor="middle")


def look_of(layer: Layer) -> str:
    """The classes by which `templates/report.css` draws *layer*."""
    match layer:
        case Marks():
            return f"mark {layer.form} {layer.colour}{' hollow' if layer.is_hollow else ''}"
        case Crosses():
            return "mark cross ink"
        case Line():
            return f"line {layer.colour} {layer.dash}{' thin' if layer.is_thin else ''}"
        case Rule():
            return f"line {layer.colour} {layer.dash}"
        case Band():
            return f"area {layer.colour}"
        case Boxes():
            return f"fill c{layer.fill}"
    assert_never(layer)


def bar_look(marks: Marks) -> str:
    """The classes of the error bars of *marks*."""
    return f"line {marks.colour}"


def sample_of(layer: Layer) -> str:
    """The path that stands for *layer* in a legend of 24 by 16."""
    match layer:
        case Marks():
            return f"M12 8{FORMS[layer.form]}"
        case Crosses():
            return f"M12 8{FORMS['cross']}"
        case Line():
            return "M1 8H23"
        case Rule():
            return "M12 1V15" if layer.is_upright else "M1 8H23"
        case Band() | Boxes():
            return "M2 2h20v12h-20z"
    assert_never(layer)


def _path(look: str, path: str, *, title: str = "") -> Shape:
    return Shape(tag="path", attributes={"class": look, "d": path}, title=title)


def _text(x: float, y: float, text: str, look: str, *, anchor: str = "start") -> Shape:
    return Shape(
        tag="text",
        attributes={"class": look, "x": round(x, 1), "y": round(y, 1), "text-anchor": anchor},
        text=text,
    )
