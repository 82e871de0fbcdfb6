"""Charts as shapes that the template writes as SVG. Pure.

Rule 1: a shape's tag and the names of its attributes are ours; foreign text is only ever text.
Rule 2: a colour never stands alone: marks differ in shape, lines in dashes, and a word stands beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_energy.report.html.axis import Axis

WIDTH, HEIGHT = 360.0, 250.0
"""Of a chart. A phone shows it at its size, so that its letters stay as large as they are."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 12.0, 26.0, 42.0
_LETTER = 5.8  # width of a letter of a point's name, about
_LINE = 11.0  # its height
_GAP = 6.0
_MOST_NAMED = 40  # points; beyond them there is no room for a name
_MOST_TITLED = 300  # points with a shape and a text of their own

# Where a name may stand beside its point, best first: direction, and how the text is set.
_PLACES = (
    ((1, 0), "start"),
    ((-1, 0), "end"),
    ((0, -1), "middle"),
    ((0, 1), "middle"),
    ((1, -1), "start"),
    ((1, 1), "start"),
    ((-1, -1), "end"),
    ((-1, 1), "end"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One SVG element: *text* inside it, *title* told by a pointer that rests on it."""

    tag: str
    attributes: Mapping[str, str | float]
    text: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One line of a legend: a mark as in the chart, and what it is."""

    shape: Shape
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart: what it is called, what stands under it, and its shapes in the order they are drawn."""

    title: str
    subtitle: tuple[str, ...] = ()
    shapes: tuple[Shape, ...]
    keys: tuple[Key, ...] = ()
    width: float = WIDTH
    height: float = HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Where values stand in a chart of two axes."""

    x: Axis
    y: Axis
    height: float = HEIGHT
    width: float = field(default=WIDTH, init=False)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Place of a point, in units of the chart."""
        return self.x_at(x), self.y_at(y)

    def x_at(self, x: float) -> float:
        return round(_LEFT + self.x.share(x) * (WIDTH - _LEFT - _RIGHT), 1)

    def y_at(self, y: float) -> float:
        return round(self.foot - self.y.share(y) * (self.foot - _TOP), 1)

    @property
    def foot(self) -> float:
        return self.height - _BOTTOM

    def axes(self, x_label: str, y_label: str) -> list[Shape]:
        """Grid, ticks and the names of both axes."""
        shapes = []
        for value, text in self.y.ticks:
            y = self.y_at(value)
            shapes.append(_line(_LEFT, y, WIDTH - _RIGHT, y, "grid"))
            shapes.append(_text(_LEFT - 6, y + 4, text, "tick", anchor="end"))
        for value, text in self.x.ticks:
            x = self.x_at(value)
            shapes.append(_line(x, self.foot, x, self.foot + 4, "axis"))
            shapes.append(_text(x, self.foot + 16, text, "tick", anchor="middle"))
        shapes.append(_line(_LEFT, self.foot, WIDTH - _RIGHT, self.foot, "axis"))
        shapes.append(_text(4, 14, y_label, "label"))
        shapes.append(_text(WIDTH - _RIGHT, self.height - 8, x_label, "label", anchor="end"))
        return shapes

    def bar(self, x: float, lower: float, upper: float, kind: str) -> Shape:
        """An upright error bar with its caps."""
        place, top, foot = self.x_at(x), self.y_at(upper), self.y_at(lower)
        path = f"M{place - 3} {top}h6M{place - 3} {foot}h6M{place} {top}V{foot}"
        return Shape(tag="path", attributes={"class": f"line {kind}", "d": path})

    def curve(self, points: Sequence[tuple[float, float]], kind: str) -> Shape:
        """A line through *points*."""
        places = "L".join("{} {}".format(*self.at(x, y)) for x, y in points)
        return Shape(tag="path", attributes={"class": f"line {kind}", "d": f"M{places}"})

    def upright(self, x: float, kind: str) -> Shape:
        """A line across the whole height."""
        return _line(self.x_at(x), _TOP, self.x_at(x), self.foot, f"line {kind}")

    def named(self, points: Sequence[tuple[float, float]], names: Sequence[str]) -> list[Shape]:
        """Each of *names* beside its point, where it has room."""
        if len(points) > _MOST_NAMED:
            return []
        places = [self.at(x, y) for x, y in points]
        taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
        shapes = []
        for (x, y), name in zip(places, names, strict=True):
            for (right, down), anchor in _PLACES:
                left, top = _corner(x, y, right, down, len(name) * _LETTER)
                box = (left, top, left + len(name) * _LETTER, top + _LINE)
                if self._is_inside(box) and not any(_overlap(box, other) for other in taken):
                    taken.append(box)
                    at = {"start": left, "end": box[2], "middle": (left + box[2]) / 2}[anchor]
                    shapes.append(_text(at, top + _LINE - 2.5, name, "name", anchor=anchor))
                    break
        return shapes

    def _is_inside(self, box: tuple[float, float, float, float]) -> bool:
        return box[0] >= _LEFT and box[2] <= WIDTH - 2 and box[1] >= _TOP - 8 and box[3] <= self.foot


def _corner(x: float, y: float, right: int, down: int, width: float) -> tuple[float, float]:
    """Upper left corner of a name that stands to that side of a point."""
    left = {1: x + _GAP, 0: x - width / 2, -1: x - _GAP - width}[right]
    top = {1: y + _GAP - 1, 0: y - _LINE / 2, -1: y - _GAP - _LINE + 1}[down]
    return left, top


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def mark(form: str, place: tuple[float, float], kind: str, title: str = "") -> Shape:
    """A mark of that *form*: circle, square, diamond, star or cross."""
    x, y = place
    path = {
        "circle": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        "square": "m-4 -4h8v8h-8z",
        "diamond": "m0 -7l7 7l-7 7l-7 -7z",
        "star": "m0 -9l2.6 5.6l6.1 .8l-4.5 4.2l1.1 6.1l-5.3 -3l-5.3 3l1.1 -6.1l-4.5 -4.2l6.1 -.8z",
        "cross": "m-4 -4l8 8m0 -8l-8 8",
    }[form]
    return Shape(tag="path", attributes={"class": f"mark {form} {kind}", "d": f"M{x} {y}{path}"}, title=title)


def key(form: str, kind: str, text: str) -> Key:
    """A legend's line for a mark, or for a line where *form* is `line`."""
    if form == "line":
        return Key(shape=_line(1, 8, 23, 8, f"line {kind}"), text=text)
    return Key(shape=mark(form, (12, 8), kind), text=text)


def cloud(frame: Frame, points: Sequence[tuple[float, float]], titles: Sequence[str]) -> list[Shape]:
    """A mark for each of *points*; very many are one shape, without their texts."""
    if len(points) <= _MOST_TITLED:
        pairs = zip(points, titles, strict=True)
        return [mark("circle", frame.at(*point), "first", title) for point, title in pairs]
    path = "".join("M{} {}h0".format(*frame.at(x, y)) for x, y in points)
    return [Shape(tag="path", attributes={"class": "dots", "d": path})]


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Shape:
    return Shape(tag="path", attributes={"class": kind, "d": f"M{x1} {y1}L{x2} {y2}"})


def _text(x: float, y: float, text: str, kind: str, *, anchor: str = "start") -> Shape:
    return Shape(
        tag="text",
        attributes={"class": kind, "x": round(x, 1), "y": round(y, 1), "text-anchor": anchor},
        text=text,
    )
