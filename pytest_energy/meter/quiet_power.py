"""Power beside a window, where nothing is at work, from whole quiet ticks. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from statistics import fmean

from pytest_energy.meter.tick_times import HEAD_TICKS, TimedTicks

Span = tuple[float, float]
"""From when to when, in seconds."""

# Quiet power falls for a minute after work, on H100s by up to 0.3 W/s. So it is that of the latest ticks, of
# as many as it takes to know it to this share.
_KNOWN_SHARE = 0.001

# Quiet ticks of H100 and H200 agree within 0.2 % (1 sigma), and drift by 1.5 % after a load. More than this
# is no longer the same quiet.
_SAME_QUIET_SHARE = 0.05

_FEWEST_TO_WANDER = 3

# Neighbours share a tick: what is off in it adds to one and lacks in the other, and the square of their
# difference is half as large again as that of two others. And twice, to be sure that it is more.
_NEIGHBOURS_SHARE = 2 * 1.5

_ROOT_SIX = math.sqrt(6)

# A tick after the load that is higher by less than this is more likely a rest of the work; by more, another
# power state (a CUDA context adds 70 %).
_PASSING_SHARE = 0.4

# One that is lower by less than this may be a fit of the counter: 18 % short was seen on an H100, and not
# more than 2.7 % in 768 windows of four. By more, earlier work was still falling before the window.
_SHORT_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch between two neighbouring ticks, by the first one's index.

    Attributes:
        spread_s: Standard uncertainty of its duration.
        spread_j: Of its joules, which the counter shows in steps.
    """

    index: int
    duration_s: float
    energy_j: float
    spread_s: float
    spread_j: float = 0.0

    def uncertainty_j(self, power_w: float) -> float:
        """By how much its joules may be off from those of *power_w*, one standard uncertainty."""
        return math.hypot(power_w * self.spread_s, self.spread_j)


@dataclass(frozen=True, slots=True)
class Level:
    """Quiet power of one side of a window, and the intervals that it comes from."""

    power_w: float
    intervals: tuple[Interval, ...]
    duration_s: float


@dataclass(frozen=True, slots=True)
class QuietPower:
    """Quiet power of both sides of a window.

    Attributes:
        difference_w: By how much the two sides differ beyond what the ticks' times explain.
        step_w: By how much power after the window is above that before it.
        wander: Of the joules of quiet ticks, in J^2/s: what their times and steps don't explain.
    """

    head: Level
    tail: Level
    difference_w: float = 0.0
    step_w: float = 0.0
    wander: float = 0.0

    def variance(self, quiet_s: float) -> float:
        """What quiet power that isn't quite constant leaves open over *quiet_s*, in J^2."""
        intervals = {i.index: i for i in (*self.head.intervals, *self.tail.intervals)}.values()
        duration_s = math.fsum(i.duration_s for i in intervals)
        return self.wander * (quiet_s + quiet_s**2 / duration_s) + (self.difference_w * quiet_s / 2) ** 2


def quiet_intervals(
    ticks: TimedTicks, quiet_s: Sequence[Span], step_j: float = 0.0
) -> tuple[list[Interval], list[Interval]]:
    """Quiet intervals before the window, and after it.

    Args:
        ticks: Around the window.
        quiet_s: As for `integrate`.
        step_j: The counter's.
    """
    low = max(0, ticks.head_stop - HEAD_TICKS)
    head = [_interval(ticks, index, step_j) for index in range(low, ticks.head_stop - 1)]
    tail = [_interval(ticks, index, step_j) for index in range(ticks.tail_start, len(ticks.ticks) - 1)]
    if quiet_s:
        head = [i for i in head if any(_lies_in(ticks, i, span_s) for span_s in quiet_s)]
    latest = _level(_latest(head, _SAME_QUIET_SHARE))
    level_w = 0.0 if latest is None else latest.power_w
    if quiet_s:
        return [i for i in head if _is_same_quiet(i, level_w, _PASSING_SHARE)], tail
    same = takewhile(lambda i: _is_same_quiet(i, level_w, _SAME_QUIET_SHARE), reversed(head))
    return list(same)[::-1], tail


def _interval(ticks: TimedTicks, index: int, step_j: float) -> Interval:
    return Interval(
        index,
        max(ticks.best(index + 1).time_s - ticks.best(index).time_s, 1e-9),
        ticks.ticks[index + 1].joules - ticks.ticks[index].joules,
        math.hypot(ticks.best(index).spread_s, ticks.best(index + 1).spread_s),
        step_j / _ROOT_SIX,  # up to a step is missing at either end
    )


def _lies_in(ticks: TimedTicks, interval: Interval, span_s: Span) -> bool:
    before, after = ticks.ticks[interval.index], ticks.ticks[interval.index + 1]
    return span_s[0] <= before.time_s and after.time_s <= span_s[1]


def quiet_power(
    head: Sequence[Interval],
    tail: Sequence[Interval],
    resolution_j: float = 0.0,
    *,
    is_settled: bool = False,
) -> QuietPower | None:
    """Quiet power of both sides: the same, unless the tail is clearly another quiet.

    Args:
        head: Quiet intervals before the window.
        tail: Those after it.
        resolution_j: Smallest step of the counter.
        is_settled: The tail was waited for until it was quiet as before, or the same for some ticks.

    Returns:
        `None` if no whole tick is quiet.
    """
    head = _best_known(head)
    wander = _wander([*head, *tail])
    latest = _latest(head, _KNOWN_SHARE, wander=wander, resolution_j=resolution_j)
    before, after, both = _level(latest), _level(tail), _level(_best_known([*latest, *tail]))
    if both is None:
        return None
    if before is None or after is None:
        return QuietPower(both, both, wander=wander)
    difference_w = after.power_w - before.power_w
    if is_settled:
        # What ticks leave open of their sum is what its two ends leave open, as of one of them. Few ticks
        # don't show by how much they err beside: a small difference is no other quiet, but it is left open.
        chance_w = 2 * max(i.uncertainty_j(before.power_w) for i in tail) / after.duration_s
        if abs(difference_w) > max(chance_w, _SAME_QUIET_SHARE * before.power_w):
            return QuietPower(before, after, step_w=difference_w, wander=wander)
        return _same(both, difference_w, chance_w, wander)
    if all(_is_same_quiet(i, before.power_w, _SAME_QUIET_SHARE) for i in tail):
        expected_w = 2 * max(i.uncertainty_j(before.power_w) / i.duration_s for i in tail)
        return _same(both, difference_w, expected_w, wander)
    # A small difference is a passing fit of the counter, a large one another power. Between the two nobody
    # knows, and the uncertainty says so.
    weight = _weight(difference_w, before.power_w)
    blend = Level(before.power_w + weight * difference_w, after.intervals, after.duration_s)
    return QuietPower(before, blend, 2 * math.sqrt(weight * (1 - weight)) * difference_w, difference_w)


def _same(both: Level, difference_w: float, chance_w: float, wander: float) -> QuietPower:
    """The same quiet on both sides, of which what chance doesn't explain is left open."""
    beyond_w = math.copysign(max(0.0, abs(difference_w) - chance_w), difference_w)
    return QuietPower(both, both, beyond_w, beyond_w, wander)


def _weight(difference_w: float, power_w: float) -> float:
    """How far a tail is believed that differs from the head's *power_w*, from 0 to 1."""
    if power_w <= 0:
        return 1.0
    if difference_w > 0:
        return (difference_w / math.hypot(difference_w, _PASSING_SHARE * power_w)) ** 2
    ratio = (difference_w / power_w / _SHORT_SHARE) ** 2
    return ratio**2 / (1 + ratio**2)


def _is_same_quiet(interval: Interval, power_w: float, share: float) -> bool:
    """Whether the interval can be one of *power_w*, given how badly its length and its joules are known."""
    expected_j = power_w * interval.duration_s
    return abs(interval.energy_j - expected_j) <= share * expected_j + 4 * interval.uncertainty_j(power_w)


def _latest(
    intervals: Sequence[Interval], share: float, *, wander: float = 0.0, resolution_j: float = 0.0
) -> list[Interval]:
    """The last of them, as many as it takes to know their power to *share*; or all.

    Args:
        intervals: In the order of time.
        share: Of the power, one standard uncertainty.
        wander: What their ticks don't explain, in J^2/s.
        resolution_j: Smallest step of the counter.
    """
    taken: list[Interval] = []
    energy_j = duration_s = square_s2 = square_j2 = 0.0
    for interval in reversed(intervals):
        taken.append(interval)
        energy_j, duration_s = energy_j + interval.energy_j, duration_s + interval.duration_s
        square_s2, square_j2 = square_s2 + interval.spread_s**2, square_j2 + interval.spread_j**2
        of_ticks_j = math.hypot(energy_j / duration_s * math.sqrt(square_s2), math.sqrt(square_j2))
        if share * energy_j >= math.hypot(
            of_ticks_j, math.sqrt(wander * duration_s), resolution_j / _ROOT_SIX
        ):
            break
    return taken[::-1]


def _wander(intervals: Sequence[Interval]) -> float:
    """What times and steps of quiet ticks don't explain of their joules, in J^2/s; 0 if too few tell.

    It is from the differences between neighbours, which power that rises or falls has hardly a part in.
    """
    level, count = _level(intervals), len(intervals)
    if level is None or count < _FEWEST_TO_WANDER:
        return 0.0
    off_j = [i.energy_j - level.power_w * i.duration_s for i in intervals]
    all_of_it = fmean((after_j - before_j) ** 2 for before_j, after_j in pairwise(off_j)) / 2
    of_ticks = fmean(i.uncertainty_j(level.power_w) ** 2 for i in intervals)
    return max(0.0, all_of_it - _NEIGHBOURS_SHARE * of_ticks) * count / level.duration_s


def _best_known(intervals: Sequence[Interval]) -> list[Interval]:
    """Those whose length isn't known much worse than others'."""
    if not intervals:
        return []
    spreads_s = sorted(interval.spread_s for interval in intervals)
    limit_s = 2 * spreads_s[len(spreads_s) // 4]
    return [interval for interval in intervals if interval.spread_s <= limit_s]


def _level(intervals: Sequence[Interval]) -> Level | None:
    if not intervals:
        return None
    duration_s = math.fsum(i.duration_s for i in intervals)
    return Level(math.fsum(i.energy_j for i in intervals) / duration_s, tuple(intervals), duration_s)
