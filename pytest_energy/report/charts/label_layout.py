"""Names beside points, where there is room for them. Pure.

Rule 1: a name lies over no other name, over no point, and within its chart; one that can't is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.report.charts.spec import Place

# Where a name may stand, best first: which way from its point, y downward.
_SIDES = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A rectangle, y downward."""

    left: float
    top: float
    right: float
    bottom: float

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
) -> list[Box | None]:
    """Where the name of each of *points* stands; `None` for one that has no room.

    Args:
        points: On the page, y downward.
        widths: Of each name.
        height: Of a line.
        inside: What no name may leave.
        half_mark: Half of a mark's width.
        gap: Between a point and its name.
    """
    marks = [_around(x, y, half_mark) for x, y in points]
    used: list[Box] = []
    boxes: list[Box | None] = []
    for number, ((x, y), width) in enumerate(zip(points, widths, strict=True)):
        others = [*used, *marks[:number], *marks[number + 1 :]]
        candidates = (_beside((x, y), side, size=(width, height), gap=gap) for side in _SIDES)
        free = (box for box in candidates if inside.holds(box) and not any(map(box.overlaps, others)))
        boxes.append(box := next(free, None))
        used += [] if box is None else [box]
    return boxes


def _around(x: float, y: float, half: float) -> Box:
    return Box(left=x - half, top=y - half, right=x + half, bottom=y + half)


def _beside(point: Place, side: tuple[int, int], *, size: tuple[float, float], gap: float) -> Box:
    """The box of a name of that *size* on that *side* of *point*."""
    (x, y), (right, down), (width, height) = point, side, size
    left = {1: x + gap, 0: x - width / 2, -1: x - gap - width}[right]
    top = {1: y + gap, 0: y - height / 2, -1: y - gap - height}[down]
    return Box(left=left, top=top, right=left + width, bottom=top + height)
