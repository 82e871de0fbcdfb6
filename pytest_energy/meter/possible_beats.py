"""All beats that a counter may keep, by what is sure of each of its ticks. Pure.

A look at a tick says between which two moments it came. Beats, a time of a tick and a period each, that pass
between both moments of every look are left: a convex polygon. A look that comes right where a tick is
expected cuts it in half, so ticks are soon known much better than the reads are long. An H100's reads of 3 ms
agree on one beat for minutes, with half a millisecond to spare (docs/results/meter-response.md).

Source:
    Set-membership identification: Milanese, Vicino, "Optimal estimation theory for dynamic systems with set
    membership uncertainty", Automatica 27 (1991).
"""

import math
from collections.abc import Callable
from itertools import pairwise

# A beat wanders from tick to tick by this share of its period, and the period by this one, at most.
_WANDER_SHARE, _PERIOD_WANDER_SHARE = 1e-6, 1e-9

# At first a time is known to so many of its standard uncertainties, and no better than to this share of the
# period; and a period to this one.
_FIRST_SPREADS = 4.0
_FIRST_SHARE, _FIRST_PERIOD_SHARE = 0.05, 1e-4

# Beats are trusted once so many looks have left some; more once none was left.
_TRUSTED_LOOKS, _MOST_TRUSTED_LOOKS = 20, 40

_ROOT_12 = math.sqrt(12)

_Vertex = tuple[float, float]  # seconds after the last tick that is expected, and a period


class PossibleBeats:
    """The beats that no look has ruled out.

    Attributes:
        is_trusted: Whether so many looks agree that the counter is sure to keep one of them.
    """

    def __init__(self) -> None:
        self._vertices: list[_Vertex] = []
        self._origin_s = self._period_s = 0.0
        self._look_count, self._needed_count = 0, _TRUSTED_LOOKS

    @property
    def is_trusted(self) -> bool:
        return self._look_count >= self._needed_count

    def at(self, count: int) -> tuple[float, float]:
        """When the tick *count* after the last one comes, and how well that is known."""
        times_s = [off_s + count * (period_s - self._period_s) for off_s, period_s in self._vertices]
        least_s, most_s = min(times_s), max(times_s)
        middle_s = self._origin_s + count * self._period_s + (least_s + most_s) / 2
        return middle_s, (most_s - least_s) / _ROOT_12

    @property
    def period_s(self) -> float:
        periods_s = [period_s for _, period_s in self._vertices]
        return (min(periods_s) + max(periods_s)) / 2

    def begin(self, time_s: float, period_s: float, time_spread_s: float, period_spread_s: float) -> None:
        """Know nothing of looks, but when a tick comes and the next one, each to a standard uncertainty."""
        self._origin_s, self._period_s, self._look_count = time_s, period_s, 0
        off_s = max(_FIRST_SPREADS * time_spread_s, _FIRST_SHARE * period_s)
        period_off_s = max(_FIRST_SPREADS * period_spread_s, _FIRST_PERIOD_SHARE * period_s)
        self._vertices = [
            (-off_s, period_s - period_off_s),
            (off_s, period_s - period_off_s),
            (off_s, period_s + period_off_s),
            (-off_s, period_s + period_off_s),
        ]

    def pass_over(self, count: int) -> None:
        """Go on by so many ticks."""
        if not self._vertices:
            return
        middle_s, middle_period_s = self.at(count)[0], self.period_s
        wander_s = count * _WANDER_SHARE * self._period_s
        period_wander_s = count * _PERIOD_WANDER_SHARE * self._period_s
        moved = ((off_s + count * (p - self._period_s), p) for off_s, p in self._vertices)
        self._origin_s += count * self._period_s
        middle_s -= self._origin_s
        self._vertices = [
            (
                off_s + math.copysign(wander_s, off_s - middle_s),
                p + math.copysign(period_wander_s, p - middle_period_s),
            )
            for off_s, p in moved
        ]

    def take(self, after_s: float, before_s: float) -> bool:
        """Rule out what doesn't pass between these moments; whether something is left."""
        low_s, high_s = after_s - self._origin_s, before_s - self._origin_s
        left = _cut(self._vertices, lambda vertex: vertex[0] - low_s)
        left = _cut(left, lambda vertex: high_s - vertex[0])
        if not left:
            self._look_count = 0
            self._needed_count = _MOST_TRUSTED_LOOKS
            return False
        self._vertices, self._look_count = left, self._look_count + 1
        return True


def _cut(vertices: list[_Vertex], inside: Callable[[_Vertex], float]) -> list[_Vertex]:
    """The part of a convex polygon in which a linear function is not negative."""
    left: list[_Vertex] = []
    for before, after in pairwise([*vertices[-1:], *vertices]):
        low, high = inside(before), inside(after)
        if (low < 0) != (high < 0):
            share = low / (low - high)
            left.append(
                (before[0] + share * (after[0] - before[0]), before[1] + share * (after[1] - before[1]))
            )
        if high >= 0:
            left.append(after)
    return left
