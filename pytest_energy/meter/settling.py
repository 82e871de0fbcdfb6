"""Whether a counter has settled after work: all of the work's joules are in it. Pure.

Rule 1: between two ticks after it has settled power is what it was before the window.
Rule 2: it may be another quiet for good: a context that was opened meanwhile adds two thirds. Then it stays
        the same from one tick to the next, while a counter that still settles falls.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from pytest_energy.meter.quiet_power import Span
from pytest_energy.meter.ticks import SeenTick

# Quiet ticks of H100 and H200 agree within 0.2 % (1 sigma) and drift by 1.5 % after a load.
_SAME_SHARE = 0.03

# Times of ticks are known to a millisecond or two: over this stretch power is known to some percent.
_STRETCH_S = 0.08

# Quiet ticks that are looked at: enough to know their power to a percent.
_QUIET_TICKS = 8


class Settling:
    """One channel after a window's stop.

    Args:
        quiet_w: Power before the window, if it is known.
    """

    def __init__(self, quiet_w: float | None) -> None:
        self._quiet_w = quiet_w
        self._last_w: float | None = None

    def is_over(self, first: SeenTick, second: SeenTick) -> bool:
        """Whether it had settled by the first of two ticks; each pair begins where the last one ended."""
        power_w, share = _power_w(first, second)
        levels_w = [level_w for level_w in (self._quiet_w, self._last_w) if level_w is not None]
        is_quiet = self._quiet_w is not None and power_w <= self._quiet_w * (1 + _SAME_SHARE + share)
        self._last_w = power_w
        return is_quiet or any(
            abs(power_w - level_w) <= (_SAME_SHARE + share) * level_w for level_w in levels_w
        )


def _power_w(first: SeenTick, second: SeenTick) -> tuple[float, float]:
    """Mean power between two ticks, and the share to which it is known."""
    duration_s = max(second.time_s - first.time_s, 1e-9)
    spread_s = math.hypot(first.spread_s, second.spread_s)
    return (second.joules - first.joules) / duration_s, 3 * spread_s / duration_s


def ticks_after(ticks: Sequence[SeenTick], time_s: float) -> tuple[SeenTick, SeenTick] | None:
    """The first tick that was surely after *time_s*, and one far enough from it; `None` if that is to come.

    The next tick is far enough, but for those of a fast counter: between them power is not known well.
    """
    first = bisect_right(ticks, time_s, key=lambda tick: tick.time_s)
    while first < len(ticks) and ticks[first].after_s < time_s:
        first += 1
    if first == len(ticks):
        return None
    second = bisect_left(ticks, ticks[first].time_s + _STRETCH_S, lo=first + 1, key=lambda t: t.time_s)
    return None if second == len(ticks) else (ticks[first], ticks[second])


def latest_power_w(ticks: Sequence[SeenTick], quiet_s: Sequence[Span]) -> float | None:
    """Mean power over the last ticks of the last quiet stretch that holds some, or `None`."""
    for from_s, until_s in reversed(quiet_s):
        first = bisect_left(ticks, from_s, key=lambda tick: tick.time_s)
        stop = bisect_right(ticks, until_s, key=lambda tick: tick.time_s)
        inside = ticks[max(first, stop - _QUIET_TICKS - 1) : stop]
        if len(inside) >= 2:
            return _power_w(inside[0], inside[-1])[0]
    return None
