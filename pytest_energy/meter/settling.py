"""Whether a counter has settled after work: all of the work's joules are in it. Pure.

Rule 1: between two ticks after it has settled power is what it was before the window.
Rule 2: it may be another quiet for good: a context that was opened meanwhile adds two thirds. Then it stays
        the same for some ticks, while a counter that still settles falls, or shows the work until it falls.
Rule 3: what was above quiet meanwhile came late, or the device used it after the work. That is not known.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Tick

# Quiet ticks of H100 and H200 agree within 0.2 % (1 sigma) and drift by 1.5 % after a load.
_SAME_SHARE = 0.03

STRETCH_S = 0.08
"""Times of ticks are known to a millisecond or two: over this stretch power is known to some percent."""

# Pairs of ticks over which power has to stay the same where it is not what it was: a delay of 150 ms shows
# the work's own power for two of 80 ms.
_ALIKE_PAIRS = 3

# Far more than a sum of seconds is rounded by.
_BEFORE_S = 1e-9

# A fall of more than this from a tick to the next can't be told from one of all of it; and no fall is taken
# back over more time constants than these.
_LARGEST_FALL, _LARGEST_EXPONENT = 0.95, 50.0


class Settling:
    """One channel after work.

    Args:
        quiet_w: Power at rest, as far as it is known.
        step_j: The counter's.

    Attributes:
        is_over: Whether it has settled.
        settled_s: By when it had, as far as is known: surely before a tick from which on power was as now.
            `None` if it had when it was seen first.
        level_w: Power that the last pairs agree on; `None` before the first.
        quiet_w: Power at rest: the same while it is no other, so that what comes late never adds up in it.
    """

    def __init__(self, quiet_w: float | None, step_j: float = 0.0) -> None:
        self.quiet_w, self.step_j = quiet_w, step_j
        self.is_over = False
        self.settled_s: float | None = None
        self.level_w: float | None = None
        self._since: SeenTick | None = None
        self._alike = 0

    def see(self, first: SeenTick, second: SeenTick) -> None:
        """Judge power between two ticks; each pair begins where the last one ended."""
        power_w, share = _power_w(first, second, self.step_j)
        share += _SAME_SHARE
        quiet_w = self.quiet_w
        is_quiet = quiet_w is not None and power_w <= quiet_w * (1 + share)
        is_alike = self.level_w is not None and abs(power_w - self.level_w) <= share * self.level_w
        if self.level_w is not None and (is_quiet or not is_alike):
            self.settled_s = first.after_s - _BEFORE_S
        if self._since is None or not is_alike:
            self.level_w, self._since, self._alike = power_w, first, 0
        self._alike += 1
        self.is_over = is_quiet or self._alike >= _ALIKE_PAIRS
        if self.is_over and not (is_quiet and quiet_w is not None and power_w >= quiet_w * (1 - share)):
            self.quiet_w = _power_w(self._since, second, self.step_j)[0]


def _power_w(first: SeenTick, second: SeenTick, step_j: float) -> tuple[float, float]:
    """Mean power between two ticks, and the share to which it is known."""
    duration_s, gain_j = max(second.time_s - first.time_s, 1e-9), second.joules - first.joules
    spread_s = math.hypot(first.spread_s, second.spread_s)
    return gain_j / duration_s, 3 * spread_s / duration_s + (step_j / gain_j if gain_j > 0 else 0.0)


def ticks_after(ticks: Sequence[SeenTick], time_s: float) -> tuple[SeenTick, SeenTick] | None:
    """The first tick that was surely after *time_s*, and one far enough from it; `None` if that is to come.

    The next tick is far enough, but for those of a fast counter: between them power is not known well.
    """
    first = bisect_right(ticks, time_s, key=lambda tick: tick.time_s)
    while first < len(ticks) and ticks[first].after_s < time_s:
        first += 1
    if first == len(ticks):
        return None
    second = bisect_left(ticks, ticks[first].time_s + STRETCH_S, lo=first + 1, key=lambda t: t.time_s)
    return None if second == len(ticks) else (ticks[first], ticks[second])


def late_j(ticks: Sequence[Tick], stop_s: float, *, quiet_w: float, step_w: float) -> float:
    """Joules above quiet that came late or were used after *stop_s*, whichever it was.

    What falls between the stop and the first tick isn't seen: it is what an exponential fall has before the
    ticks, and at most the work's power until then.

    Args:
        ticks: From the first that holds all joules if none came late, to the one where it had settled.
        stop_s: The end of the work.
        quiet_w: Of the counter.
        step_w: Of the work, above quiet.

    Returns:
        0 J where there is no time between the first tick and the last.
    """
    if len(ticks) < 2:
        return 0.0
    first, second, last = ticks[0], ticks[1], ticks[-1]
    counted_j = _above_j(first, last, quiet_w)
    if counted_j <= 0:
        return 0.0
    unseen_s = max(0.0, first.time_s - stop_s)
    unseen_j = max(0.0, step_w) * unseen_s
    # An exponential of which this share falls from the first tick to the second.
    share = min(max(0.0, _above_j(first, second, quiet_w) / counted_j), _LARGEST_FALL)
    rate = -math.log1p(-share) / (second.time_s - first.time_s)
    return counted_j + min(unseen_j, counted_j * math.expm1(min(rate * unseen_s, _LARGEST_EXPONENT)))


def _above_j(first: Tick, second: Tick, quiet_w: float) -> float:
    return second.joules - first.joules - quiet_w * (second.time_s - first.time_s)
