"""A track as a line as high as a row of text. Pure.

Rule 1: it spans ten percent or more, so that noise doesn't fill it.
Rule 2: single runs far outside of the others are at its edge, and don't flatten the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.history.tracks import Track

WIDTH, HEIGHT = 260.0, 34.0

_EDGE = 4.0
_LEAST_SPAN = 0.1
_MOST_DOTS = 30
_TAIL = 0.02  # of the runs at each end, that don't set the scale
_SLACK = 0.25  # of the rest's span, beyond it


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """Paths of a small chart of `WIDTH` by `HEIGHT`.

    Attributes:
        line: Through all values.
        levels: Of the levels between steps.
        dots: At each value, where they are few.
        steps: An upright line at each step.
        failed: A dot at each run that failed.
    """

    line: str
    dots: str
    levels: str
    steps: str
    failed: str


def spark(track: Track) -> Spark:
    """The small chart of *track*."""
    values = [mark.value for mark in track.marks if mark.value is not None]
    if not values:
        return Spark(line="", dots="", levels="", steps="", failed="")
    lower, upper = _scale([*values, *(value for _, _, value in track.levels)])
    across = (WIDTH - 2 * _EDGE) / max(1, len(track.marks) - 1)

    def place(number: float, value: float) -> str:
        share = (min(max(value, lower), upper) - lower) / (upper - lower)
        return f"{_EDGE + number * across:.0f} {HEIGHT - _EDGE - share * (HEIGHT - 2 * _EDGE):.1f}"

    marks = list(enumerate(track.marks))
    places = [place(number, mark.value) for number, mark in marks if mark.value is not None]
    return Spark(
        line=f"M{'L'.join(places)}",
        dots="".join(f"M{one}h0" for one in places) if len(places) <= _MOST_DOTS else "",
        levels="".join(f"M{place(first, value)}L{place(last, value)}" for first, last, value in track.levels),
        steps="".join(
            f"M{_EDGE + (step.place - 0.5) * across:.1f} 1V{HEIGHT - 1:.0f}" for step in track.steps
        ),
        failed="".join(
            f"M{place(number, mark.value)}h0"
            for number, mark in marks
            if track.test_id and mark.value is not None and mark.point.is_failed
        ),
    )


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """The lower and upper end: rules 1 and 2."""
    ordered = sorted(values)
    cut = int(_TAIL * len(ordered))
    low, high = ordered[cut], ordered[len(ordered) - 1 - cut]
    slack = _SLACK * (high - low)
    lower, upper = max(ordered[0], low - slack), min(ordered[-1], high + slack)
    middle = (lower + upper) / 2
    half = max((upper - lower) / 2, abs(middle) * _LEAST_SPAN / 2, 1e-300)
    return middle - half, middle + half
