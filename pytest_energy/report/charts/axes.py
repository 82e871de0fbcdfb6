"""Scales for values, and the numbers on them. Pure.

Rule 1: two ticks of one axis never have the same text.
Rule 2: joules have one prefix on an axis, which its label names; without a label each tick has its own.
"""

import math
from collections.abc import Callable, Sequence

from pytest_energy.report.charts.spec import Axis
from pytest_energy.report.text import tick
from pytest_energy.units import prefix_of

_DECADE = 10.0  # values that span more than this are distinct on a logarithmic axis only
_MOST_STEPS = 5  # intervals of a linear axis: what a phone's width has room for
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_LOG_STEPS = (  # factors of a power of ten that have a tick, by how many decades the axis has
    (1.0, (1.0, 2.0, 3.0, 5.0, 7.0)),
    (1.3, (1.0, 2.0, 5.0)),
    (2.5, (1.0, 3.0)),
    (math.inf, (1.0,)),
)
_MARGIN = 0.08  # of the span, so that no mark is on the frame
_EXACT_DIGITS = 12  # what binary fractions add behind these is no part of a tick


def axis_of(
    values: Sequence[float], unit: str = "", *, label: str = "", most_linear: float = _DECADE
) -> Axis:
    """Logarithmic where *values* are above 0 and the largest is over *most_linear* times the smallest."""
    is_log = min(values) > 0 and max(values) > most_linear * min(values)
    return (_log_axis if is_log else linear_axis)(values, unit, label=label)


def linear_axis(
    values: Sequence[float],
    unit: str = "",
    *,
    label: str = "",
    has_zero: bool = False,
    text: Callable[[float], str] | None = None,
) -> Axis:
    """A linear axis that shows all of *values*, one at least.

    Args:
        values: Finite.
        unit: `J` for joules; others are in the label.
        label: What is measured; joules get their unit here.
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
    factor, label, unit = _one_prefix(max(map(abs, places), default=0.0), unit, label)
    text_of = text or (lambda value: tick(value / factor, unit, digits=digits))
    return Axis(
        label=label, lower=lower, upper=upper, ticks=tuple((place, text_of(place)) for place in places)
    )


def _one_prefix(typical: float, unit: str, label: str) -> tuple[float, str, str]:
    """Factor of the numbers, label with the unit, and the unit that is left for the ticks."""
    if unit != "J" or not label:
        return 1.0, label, unit
    factor, prefix = prefix_of(typical)
    return factor, f"{label} ({prefix}J)", ""


def _step(span: float) -> float:
    """The smallest round step that cuts *span* in no more than `_MOST_STEPS`."""
    least = span / _MOST_STEPS
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (*_STEPS, 20.0) if step * power >= least)


def _digits(places: Sequence[float], step: float) -> int:
    """Significant digits that any two of *places* differ in."""
    largest = max(map(abs, places), default=0.0)
    # Two more than the step's own place: a step of 2.5 has a digit behind its first.
    return max(3, math.ceil(math.log10(largest / step)) + 2) if largest > 0 else 3


def _log_axis(values: Sequence[float], unit: str = "", *, label: str = "") -> Axis:
    """A logarithmic axis that shows all of *values*, each above 0 and not all the same."""
    decades = math.log10(max(values) / min(values))
    room = 10 ** (_MARGIN * decades)
    lower, upper = min(values) / room, max(values) * room
    factors = next(factors for most, factors in _LOG_STEPS if decades < most)
    powers = range(math.floor(math.log10(lower)), math.ceil(math.log10(upper)) + 1)
    every = max(1, math.ceil(decades / (2 * _MOST_STEPS)))
    places = [factor * 10.0**power for power in powers if power % every == 0 for factor in factors]
    middle = math.sqrt(lower) * math.sqrt(upper)
    factor, label, unit = _one_prefix(middle, unit, label)
    return Axis(
        label=label,
        lower=lower,
        upper=upper,
        is_log=True,
        ticks=tuple((place, tick(place / factor, unit)) for place in places if lower <= place <= upper),
    )


def doubling_axis(values: Sequence[float], *, label: str = "") -> Axis:
    """A logarithmic axis with a tick at each of *values*, all above 0."""
    places = sorted(set(values))
    ratio = max(places[-1] / places[0], 2.0) ** _MARGIN
    return Axis(
        label=label,
        lower=places[0] / ratio,
        upper=places[-1] * ratio,
        is_log=True,
        ticks=tuple((place, tick(place)) for place in places),
    )


def category_axis(texts: Sequence[str], *, label: str = "") -> Axis:
    """An axis that counts down from the top: 0 for the first of *texts*."""
    return Axis(label=label, lower=len(texts) - 0.4, upper=-0.6, ticks=tuple(enumerate(texts)))
