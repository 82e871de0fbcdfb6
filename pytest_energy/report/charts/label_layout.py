"""Names beside points and numbers under an axis, where there is room for them. Pure.

Rule 1: a name lies over no other name, point or error bar, and within its chart; one that can't is left out.
Rule 2: no two numbers under an axis touch.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pytest_energy.report.charts.spec import Axis, Place

# Where a name may be, best first: which way from its point, y downward.
_SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle, y downward."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> Place:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def holds(self, other: "Box") -> bool:
        """Whether all of *other* is within."""
        return (
            self.left <= other.left
            and other.right <= self.right
            and self.top <= other.top
            and other.bottom <= self.bottom
        )


def place_names(
    points: Sequence[Place],
    widths: Sequence[float],
    *,
    height: float,
    inside: Box,
    half_mark: float,
    gap: float,
    bars: Iterable[tuple[Place, Place]] = (),
) -> list[Box | None]:
    """Where the name of each of *points* is; `None` for one that has no room.

    Args:
        points: On the page, y downward.
        widths: Of each name.
        height: Of a line.
        inside: What no name may leave.
        half_mark: Half of a mark's width.
        gap: Between a point and its name, more than *half_mark*.
        bars: Both ends of every error bar and of every point that has none, named or not.
    """
    used = [_around(ends, half_mark) for ends in (*bars, *((point, point) for point in points))]
    boxes: list[Box | None] = []
    for point, width in zip(points, widths, strict=True):
        candidates = (_beside(point, side, size=(width, height), gap=gap) for side in _SIDES)
        free = (box for box in candidates if inside.holds(box) and not any(map(box.overlaps, used)))
        boxes.append(box := next(free, None))
        used += [] if box is None else [box]
    return boxes


def _around(ends: tuple[Place, Place], half: float) -> Box:
    (x, y), (end_x, end_y) = ends
    return Box(
        left=min(x, end_x) - half,
        top=min(y, end_y) - half,
        right=max(x, end_x) + half,
        bottom=max(y, end_y) + half,
    )


def _beside(point: Place, side: tuple[int, int], *, size: tuple[float, float], gap: float) -> Box:
    """The box of a name of that *size* on that *side* of *point*."""
    (x, y), (right, down), (width, height) = point, side, size
    left = {1: x + gap, 0: x - width / 2, -1: x - gap - width}[right]
    top = {1: y + gap, 0: y - height / 2, -1: y - gap - height}[down]
    return Box(left=left, top=top, right=left + width, bottom=top + height)


# ---- numbers under an axis ----


def thinned(axis: Axis, widths: Sequence[float], *, length: float, gap: float) -> Axis:
    """*axis* with the texts of its ticks that are apart on a line of *length*; all ticks stay.

    Of ticks that lie evenly every second one is written, or every third; of others the ends come first, then
    powers of two, then what is left over.

    Args:
        axis: An x axis.
        widths: Of the text of each tick.
        length: From one end of the axis to the other.
        gap: Least room between two texts.
    """
    centres = [axis.share(value) * length for value, _ in axis.ticks]
    places = list(range(len(centres)))
    step = max(map(abs, (b - a for a, b in pairwise(centres))), default=0.0)
    is_even = all(math.isclose(abs(b - a), step, rel_tol=1e-6) for a, b in pairwise(centres))
    if is_even:
        parts = (places[::every] for every in range(1, len(places) + 1))
        kept = next((part for part in parts if _are_apart(part, centres, widths, gap)), [])
    else:
        kept = []
        for place in sorted(places, key=lambda one: _rank(axis.ticks[one][0], is_end=one in {0, places[-1]})):
            kept += [place] if _are_apart(sorted([*kept, place]), centres, widths, gap) else []
    ticks = ((value, text if place in kept else "") for place, (value, text) in enumerate(axis.ticks))
    return replace(axis, ticks=tuple(ticks))


def _are_apart(places: Sequence[int], centres: Sequence[float], widths: Sequence[float], gap: float) -> bool:
    return all(centres[b] - centres[a] >= (widths[a] + widths[b]) / 2 + gap for a, b in pairwise(places))


def _rank(value: float, *, is_end: bool) -> tuple[bool, bool, float]:
    return not is_end, value <= 0 or not math.log2(value).is_integer(), value
