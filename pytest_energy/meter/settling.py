"""Whether a counter has settled after work: all of the work's joules are in it. Pure.

Rule 1: between two ticks after it has settled power is what it was before the window.
Rule 2: it may be another quiet for good: a context that was opened meanwhile adds two thirds. Then it stays
        the same for some ticks, while a counter that still settles falls, or shows the work until it falls.
Rule 3: what was above quiet meanwhile came late, or the device used it after the work. That is not known.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Tick

# Quiet ticks of H100 and H200 agree within 0.2 % (1 sigma) and drift by 1.5 % after a load.
_SAME_SHARE = 0.03

STRETCH_S = 0.08
"""Times of ticks are known to a millisecond or two: over this stretch power is known to some percent."""

# Pairs of ticks over which power has to stay the same where it is not what it was: a delay of 150 ms shows
# the work's own power for two of 80 ms.
_ALIKE_PAIRS = 3

# Power at rest is known from so many stretches at least, and no better than to this share: a GPU's drifts.
_FEWEST_STRETCHES, _LEAST_SHARE = 5, 0.005

# Standard deviation over the median distance of two.
_MEDIAN_DIFFERENCE = 1.4826 / math.sqrt(2)

# Where their ticks' times leave open more of power than this, it is quiet or not as far as they tell.
_SHARP_SHARE = 0.1

# Stretches whose power is the last one's to this share, and to chance, are as quiet as that.
_QUIET_SHARE = 0.05

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
        scatter: Of power at rest from stretch to stretch, a share of it, if it is known (see `scatter`).
        tick_s: The counter's period, if it is known.

    Attributes:
        is_over: Whether it has settled.
        first_look_s: When the first pair ended.
        settled_s: By when it had, as far as is known: surely before a tick from which on power was as now.
            `None` if it had when it was seen first.
        level_w: Power that the last pairs agree on; `None` before the first.
        quiet_w: Power at rest: the same while it is no other, so that what comes late never adds up in it.
    """

    def __init__(
        self,
        quiet_w: float | None,
        step_j: float = 0.0,
        scatter: float | None = None,
        tick_s: float | None = None,
    ) -> None:
        self.quiet_w, self.step_j, self._scatter, self._tick_s = quiet_w, step_j, scatter, tick_s
        self.is_over = False
        self.first_look_s = math.inf
        self.settled_s: float | None = None
        self.level_w: float | None = None
        self._since: SeenTick | None = None
        self._alike = 0

    def see(self, first: SeenTick, second: SeenTick) -> None:
        """Judge power between two ticks; each pair begins where the last one ended."""
        power_w, share = _power_w(first, second, self.step_j, self._tick_s)
        is_sharp = share <= _SHARP_SHARE
        share += _SAME_SHARE
        quiet_w = self.quiet_w
        self.first_look_s = min(self.first_look_s, second.time_s)
        above = share
        if is_sharp and self._scatter is not None:
            above = min(share, max(_LEAST_SHARE, 4 * self._scatter))
        is_quiet = quiet_w is not None and power_w <= quiet_w * (1 + above)
        is_alike = self.level_w is not None and abs(power_w - self.level_w) <= share * self.level_w
        if self.level_w is not None and (is_quiet or not is_alike):
            self.settled_s = first.after_s - _BEFORE_S
        if self._since is None or not is_alike:
            self.level_w, self._since, self._alike = power_w, first, 0
        self._alike += 1
        self.is_over = is_quiet or self._alike >= _ALIKE_PAIRS
        if self.is_over and (quiet_w is None or abs(power_w - quiet_w) > share * quiet_w):
            self.quiet_w = _power_w(self._since, second, self.step_j, self._tick_s)[0]


def scatter(ticks: Sequence[SeenTick], tick_s: float | None) -> float | None:
    """Standard deviation of quiet power, as a share, from stretch to stretch of the last *ticks*.

    `None` if too few tell.
    """
    powers_w: list[float] = []
    second = ticks[-1] if ticks else None
    for first in reversed(ticks):
        if second is None or second.time_s - first.time_s < STRETCH_S:
            continue
        power_w, share = _power_w(first, second, 0.0, tick_s)
        if powers_w and abs(power_w - powers_w[0]) > (share + _QUIET_SHARE) * powers_w[0]:
            break
        powers_w.append(power_w)
        second = first
    if len(powers_w) < _FEWEST_STRETCHES or powers_w[0] <= 0:
        return None
    # As the median tells it: some of these stretches may still have been falling.
    return _MEDIAN_DIFFERENCE * median(abs(a - b) for a, b in pairwise(powers_w)) / median(powers_w)


def _power_w(first: SeenTick, second: SeenTick, step_j: float, tick_s: float | None) -> tuple[float, float]:
    """Mean power between two ticks, and the share to which it is known.

    Ticks that may be whole periods apart are taken to be: when they were seen is known worse.
    """
    duration_s, gain_j = max(second.time_s - first.time_s, 1e-9), second.joules - first.joules
    spread_s = math.hypot(first.spread_s, second.spread_s)
    share = 3 * spread_s / duration_s + (step_j / gain_j if gain_j > 0 else 0.0)
    whole_s = tick_s * round(duration_s / tick_s) if tick_s else 0.0
    if whole_s and abs(duration_s - whole_s) <= 3 * spread_s <= _SHARP_SHARE * whole_s:
        duration_s = whole_s
    return gain_j / duration_s, share


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
