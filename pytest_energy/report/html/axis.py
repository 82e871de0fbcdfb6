"""Scales of a chart and the numbers on them. Pure.

Rule 1: two ticks of one axis never have the same text.
Rule 2: a tick's text is that of the figures of `report.plots`: one wording of numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_energy.report.plots.canvas import spans_decade, with_room
from pytest_energy.report.text import tick
from pytest_energy.wire import JsonDict

_MOST_STEPS = 5  # intervals of a linear axis: what a phone's width has room for
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MARGIN = 0.08  # of the span, so that no mark stands on the frame
_DRAWN_DIGITS = 9  # of a number that is drawn or sorted by
_EXACT_DIGITS = 12  # what binary fractions add behind these is no part of a tick


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A scale: its ends, and its ticks with their texts."""

    lower: float
    upper: float
    is_log: bool = False
    ticks: tuple[tuple[float, str], ...]

    def share(self, value: float) -> float:
        """Place of *value*: 0 at the lower end, 1 at the upper."""
        if self.is_log:
            return math.log(value / self.lower) / math.log(self.upper / self.lower)
        return (value - self.lower) / (self.upper - self.lower)


def rounded(value: float | None) -> float | None:
    """*value* for the page's script, which draws and sorts by it; `None` for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DRAWN_DIGITS}g}")


def axis_json(axis: Axis) -> JsonDict:
    """*axis* for the page's script."""
    return {
        "ends": [rounded(axis.lower), rounded(axis.upper)],
        "ticks": [[rounded(value), text] for value, text in axis.ticks],
    }


def axis_of(values: Sequence[float], unit: str = "") -> Axis:
    """Logarithmic where *values* span a decade, else linear."""
    return log_axis(values, unit) if spans_decade(values) else linear_axis(values, unit)


def linear_axis(
    values: Sequence[float],
    unit: str = "",
    *,
    has_zero: bool = False,
    text: Callable[[float], str] | None = None,
) -> Axis:
    """A linear axis that shows all of *values*, one at least.

    Args:
        values: Finite.
        unit: `J` writes joules with a prefix; others stand in the label.
        has_zero: Begins at 0, for bars; *values* are 0 or more.
        text: Of a tick, instead of the number with its unit.
    """
    lowest, highest = (0.0, max(values)) if has_zero else (min(values), max(values))
    span = highest - lowest
    if span <= abs(highest) * 1e-9:  # all the same: something around it, so that there is a scale
        span = abs(highest) * 0.1 or 1.0
        lowest, highest = (0.0, span) if has_zero else (lowest - span / 2, highest + span / 2)
    lower, upper = lowest - (0.0 if has_zero else _MARGIN * span), highest + _MARGIN * span
    step = _step(upper - lower)
    places = [
        float(f"{number * step:.{_EXACT_DIGITS}g}")
        for number in range(math.ceil(lower / step), math.floor(upper / step) + 1)
    ]
    digits = _digits(places, step)
    told = text or (lambda value: tick(value, unit, digits=digits))
    return Axis(lower=lower, upper=upper, ticks=tuple((place, told(place)) for place in places))


def _step(span: float) -> float:
    """The smallest round step that cuts *span* in no more than `_MOST_STEPS`."""
    least = span / _MOST_STEPS
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (*_STEPS, 20.0) if step * power >= least)


def _digits(places: Sequence[float], step: float) -> int:
    """Significant digits that tell any two of *places* apart."""
    largest = max(map(abs, places), default=0.0)
    # Two more than the step's own place: a step of 2.5 has a digit behind its first.
    return max(3, math.ceil(math.log10(largest / step)) + 2) if largest > 0 else 3


def log_axis(values: Sequence[float], unit: str = "") -> Axis:
    """A logarithmic axis that shows all of *values*, each above 0 and not all the same."""
    decades = math.log10(max(values) / min(values))
    room = 10 ** (_MARGIN * decades)
    lower, upper = min(values) / room, max(values) * room
    factors = (1.0, 2.0, 5.0) if decades < 1.3 else (1.0, 3.0) if decades < 2.5 else (1.0,)
    powers = range(math.floor(math.log10(lower)), math.ceil(math.log10(upper)) + 1)
    every = max(1, math.ceil(decades / (2 * _MOST_STEPS)))
    places = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
    return Axis(
        lower=lower,
        upper=upper,
        is_log=True,
        ticks=tuple((place, tick(place, unit)) for place in places if lower <= place <= upper),
    )


def doubling_axis(values: Sequence[float], *, room: int) -> Axis:
    """A logarithmic axis with a tick at each of *values*, a number where it has room.

    Args:
        values: Above 0.
        room: How many numbers fit side by side.
    """
    places = sorted(set(values))
    shown = with_room(places, room=room)
    ratio = max(places[-1] / places[0], 2.0) ** _MARGIN
    return Axis(
        lower=places[0] / ratio,
        upper=places[-1] * ratio,
        is_log=True,
        ticks=tuple((place, tick(place) if place in shown else "") for place in places),
    )
