"""A chart as values: scales, ticks, points, lines, bands and words, without a pixel. Pure.

Rule 1: a painter decides nothing that a reader could take for a fact: no tick, no number, no word is its own.
Rule 2: a colour is never alone: marks differ in form, lines in dashes, and a key is beside them.
"""

import math
from dataclasses import dataclass
from typing import Literal

Colour = Literal["first", "second", "third", "faint", "ink"]
Form = Literal["circle", "square", "diamond", "triangle", "star", "cross"]
Dash = Literal["solid", "dashed", "dotted", "dashdot"]
Place = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A scale: its ends, and its ticks with their texts.

    Attributes:
        label: What it measures, with the unit; empty if title and ticks hold it.
        lower: Value at its left or lower end; more than *upper* where the axis counts downward.
        ticks: Value and text; a text of several lines is set over several.
    """

    label: str = ""
    lower: float
    upper: float
    is_log: bool = False
    ticks: tuple[tuple[float, str], ...]

    def share(self, value: float) -> float:
        """Place of *value*: 0 at the lower end, 1 at the upper."""
        if self.is_log:
            return math.log(value / self.lower) / math.log(self.upper / self.lower)
        return (value - self.lower) / (self.upper - self.lower)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Points of one kind.

    Attributes:
        points: (x, y) of each.
        bars: Lower and upper end of each point's error bar; empty without bars.
        is_lying: The bars run along x.
        titles: What a pointer that rests on a point shows; empty, or one each.
        word: Is written beside each of them, where it has room.
    """

    points: tuple[Place, ...]
    form: Form
    colour: Colour
    is_hollow: bool = False
    bars: tuple[tuple[float, float], ...] = ()
    is_lying: bool = False
    titles: tuple[str, ...] = ()
    word: str = ""
    key: str = ""

    @property
    def spans(self) -> tuple[tuple[Place, Place], ...]:
        """Both ends of each error bar, or the point twice."""
        bars = self.bars or [(x, x) if self.is_lying else (y, y) for x, y in self.points]
        return tuple(
            ((lower, y), (upper, y)) if self.is_lying else ((x, lower), (x, upper))
            for (x, y), (lower, upper) in zip(self.points, bars, strict=True)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crosses:
    """Places on x that have no value: a cross at the foot of each."""

    places: tuple[float, ...]
    titles: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line through points; *is_thin* where several lie over each other."""

    points: tuple[Place, ...]
    colour: Colour
    dash: Dash = "solid"
    is_thin: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A straight line across the whole chart at one value, of x where it *is_upright*."""

    at: float
    colour: Colour
    dash: Dash = "solid"
    is_upright: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """An area across the whole chart between two values, of x where it *is_upright*."""

    ends: tuple[float, float]
    colour: Colour
    is_upright: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Filled boxes of one kind: left, right, lower and upper edge of each."""

    boxes: tuple[tuple[float, float, float, float], ...]
    fill: int
    key: str = ""


Layer = Marks | Crosses | Line | Rule | Band | Boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One pair of axes.

    Attributes:
        caption: What is under the title, a line each.
        layers: In the order that they are drawn.
        names: Names beside points, each where it has room: (place, name).
        is_low: Needs little height.
    """

    title: str
    caption: tuple[str, ...] = ()
    x: Axis
    y: Axis
    layers: tuple[Layer, ...]
    names: tuple[tuple[Place, str], ...] = ()
    is_low: bool = False

    @property
    def written(self) -> tuple[tuple[Place, str], ...]:
        """What is written beside points: names, then the word of each mark that has one."""
        marks = (layer for layer in self.layers if isinstance(layer, Marks) and layer.word)
        return (*self.names, *((point, one.word) for one in marks for point in one.points))

    @property
    def bars(self) -> tuple[tuple[Place, Place], ...]:
        """Both ends of each error bar; those of a point without one are the point."""
        return tuple(bar for layer in self.layers if isinstance(layer, Marks) for bar in layer.spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Charts on one page, as a file has them.

    Attributes:
        heading: Machine, date, commit, rounds.
        charts: In rows of *columns*.
        notes: What a reader must know, one sentence each.
        width_in: Of the page, inches.
        height_in: Of a row of charts, inches, without its keys.
        shares_x: The charts are over one another on one x axis.
        has_rows: A row of the chart for each model, so that its height does not follow its width.
    """

    title: str
    heading: str
    charts: tuple[Chart, ...]
    notes: tuple[str, ...] = ()
    columns: int = 1
    width_in: float = 7.5
    height_in: float = 4.0
    shares_x: bool = False
    has_rows: bool = False
