"""Charts as the page's script reads them: numbers, and the rest by its place in a list.

Rule 1: what many charts share, such as looks, keys and axes, is written once: 10,000 tests stay light.
"""

import json
import math
from typing import assert_never

from pytest_energy.codec import JsonDict
from pytest_energy.report.charts.spec import Axis, Band, Boxes, Chart, Crosses, Layer, Line, Marks, Rule
from pytest_energy.report.html.svg import FORMS, bar_look, look_of, sample_of

_DRAWN_DIGITS = 9  # of a number that is drawn or sorted by


def rounded(value: float | None) -> float | None:
    """*value* for the page's script, which draws and sorts by it; `None` for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DRAWN_DIGITS}g}")


class Shared:
    """Values that charts have in common, each once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    @property
    def values(self) -> list[object]:
        """All of them, in the order of their places."""
        return [json.loads(text) for text in self._places]

    def place(self, value: object) -> int:
        """Where *value* stands, now or from now on."""
        return self._places.setdefault(json.dumps(value), len(self._places))

    def chart(self, chart: Chart) -> list[object]:
        """Title and caption, both axes, and for each layer its look and its numbers."""
        layers = [[self.place(_look(layer)), _numbers(layer)] for layer in chart.layers]
        head = self.place({"title": chart.title, "caption": chart.caption, "isLow": chart.is_low})
        return [head, self.place(_axis(chart.x)), self.place(_axis(chart.y)), layers]


def _axis(axis: Axis) -> JsonDict:
    """A linear axis: the charts of one test have no other."""
    return {
        "label": axis.label,
        "ends": [rounded(axis.lower), rounded(axis.upper)],
        "ticks": [[rounded(value), text] for value, text in axis.ticks],
    }


def _look(layer: Layer) -> JsonDict:
    look: JsonDict = {"kind": type(layer).__name__, "look": look_of(layer)}
    if layer.key:
        look |= {"key": layer.key, "sample": sample_of(layer)}
    if isinstance(layer, Marks):
        look |= {"form": FORMS[layer.form], "bar": bar_look(layer), "isLying": layer.is_lying}
    if isinstance(layer, Rule | Band):
        look["isUpright"] = layer.is_upright
    return look


def _numbers(layer: Layer) -> list[object]:
    match layer:
        case Marks():
            bars = layer.bars or ((),) * len(layer.points)
            return [list(map(rounded, (*point, *bar))) for point, bar in zip(layer.points, bars, strict=True)]
        case Crosses():
            return list(map(rounded, layer.places))
        case Line():
            return [list(map(rounded, point)) for point in layer.points]
        case Rule():
            return [rounded(layer.at)]
        case Band():
            return list(map(rounded, layer.ends))
        case Boxes():
            return [list(map(rounded, box)) for box in layer.boxes]
    assert_never(layer)
