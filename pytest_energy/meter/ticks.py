"""Finding and following the ticks of a counter, from as few reads as can be.

A tick is seen as a change between two reads. Until the counter's period is known it is read often; then only
just before and just after each expected tick, so that two reads a tick are enough.

Rule 1: the tracker reads nothing itself. It says when the next read is due, and is told what was read.
Rule 2: a tick's time is the middle between the two reads that it happened between, give or take their
        distance.
Rule 3: nothing is assumed of the period but that it lies between a millisecond and a second or two.
"""

import math
from dataclasses import dataclass

# A counter that hasn't moved for this long doesn't tick: the slowest known one ticks once a second.
SILENT_S = 2.5

# A silent counter is looked at so often: it may come back.
_SILENT_GAP_S = 0.5

# Reads while the period is unknown: as far apart as 1 % of the time since the last tick, so that the first
# period is known to 1 % whatever it is; never closer than this, so that a fast counter doesn't eat a core.
_SEARCH_SHARE = 0.01
_SEARCH_GAP_S = 2e-4

# Ticks that are seen before the period counts as known: two periods, the second as a check of the first.
_FIRST_TICKS = 3

# Passed ticks are counted right if their time is known to this share of a tick.
_COUNT_SHARE = 0.1

# Gains of the filter that follows phase and period (an alpha-beta filter that starts with a growing memory,
# as in Brookner, "Tracking and Kalman Filtering Made Easy", 1998, section 1.2.10): low enough to average the
# error of seeing, high enough to follow a period that changes by a few percent.
_PHASE_GAIN = 0.2
_PERIOD_GAIN = 0.02

# How the distance between the expected tick and the reads around it learns: a tick outside them widens it, a
# tick between them narrows it. They balance where about one tick in ten is missed.
_WIDEN = 1.3
_NARROW = 0.97
_WIDEST_SHARE = 0.25

# Reads are shifted by up to a reach around the expected tick (see `_plan`), a little more to after it: a tick
# before the first read costs one read, one after the second costs three, and two is what a tick may cost.
_EARLIER_SHARE = 0.35
_GOLDEN_SHARE = (math.sqrt(5) - 1) / 2

# CPU time of a read that isn't waiting: NVML's share of its call, and Python's own way there.
_CALL_CPU_SHARE = 0.35
_STEP_CPU_S = 6e-5
# Where two reads for each tick would cost more of a core than this, only each n-th tick is followed.
_CPU_SHARE = 0.04
_FOLLOW_GAP_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTick:
    """One update of a counter, as well as it was seen.

    Attributes:
        time_s: When it happened.
        joules: The counter from then on.
        spread_s: Standard uncertainty of the time.
        after_s: It happened after this moment, surely.
        before_s: It happened before this moment, surely.
    """

    time_s: float
    joules: float
    spread_s: float
    after_s: float
    before_s: float

    def straddles(self, time_s: float) -> bool:
        """Whether it can't be told if the tick was before or after *time_s*."""
        return self.after_s < time_s < self.before_s


@dataclass(frozen=True, slots=True)
class _Read:
    started_s: float
    ended_s: float
    joules: float

    @property
    def middle_s(self) -> float:
        """When the counter was looked at, as well as it is known."""
        return (self.started_s + self.ended_s) / 2


class TickTracker:
    """Follows one counter.

    Attributes:
        due_s: When the next read is wanted.
        tick_s: Period of the counter as far as it can be told, or `None` until it is known. A counter that
            ticks faster than it can be read has the period of its reads.
        read_count: Reads so far.
        tick_count: Ticks seen so far.
        is_hurried: Somebody waits for the next tick: follow each one, whatever it costs.
    """

    def __init__(self, now_s: float) -> None:
        self.due_s = now_s
        self.tick_s: float | None = None
        self.read_count = 0
        self.tick_count = 0
        self.is_hurried = False
        self._has_new_hurry = self._is_passing_over = False
        self._last: _Read | None = None
        self._last_tick_s = now_s
        self._call_s = 0.0
        self._first_ticks: list[SeenTick] = []
        self._expected_s = now_s  # the tick that the filter holds to be the last one
        self._reach_s = 0.0
        self._unchanged_count = 0
        self._followed_count = 0
        self._dither = 0.0
        self._next_s = now_s  # the tick that is waited for

    def see(self, started_s: float, ended_s: float, joules: float) -> SeenTick | None:
        """Take in one read.

        Returns:
            The tick that it shows, or `None`.
        """
        read, last = _Read(started_s, ended_s, joules), self._last
        self._last = read
        self.read_count += 1
        call_s = ended_s - started_s
        # The shortest calls tell the cost; one that was held up by other threads doesn't.
        self._call_s = min(self._call_s, call_s) if last else call_s
        self._call_s += 0.05 * (call_s - self._call_s)
        tick: SeenTick | None = None
        has_moved = last is not None and joules != last.joules
        if last is not None and has_moved and not self._is_first_look(last, read):
            tick = self._seen(last, read)
            self._take(tick)
        else:
            if has_moved:
                self._next_s = max(self._next_s, ended_s)  # the next tick is waited for from here on
            self._unchanged_count += 1
            self._is_passing_over = False
        self._plan(ended_s)
        return tick

    def is_silent(self, now_s: float) -> bool:
        """Whether the counter has stood still for so long that it can't be said to tick."""
        slow_s = 0.0 if self.tick_s is None else 4 * self.tick_s
        return now_s - self._last_tick_s > max(SILENT_S, slow_s)

    def skip_to(self, due_s: float) -> None:
        """Ask for no read before *due_s*: the last one failed."""
        self.due_s = due_s

    def hurry(self) -> None:
        """Follow each tick from now on, until `relax`; may be called by another thread."""
        self.is_hurried = self._has_new_hurry = True

    def relax(self) -> None:
        self.is_hurried = False

    def look_up(self, now_s: float) -> None:
        """Plan anew if somebody has asked to hurry since the last plan."""
        if self._has_new_hurry:
            self._has_new_hurry = False
            if self.tick_s is not None and self._is_passing_over:
                self._plan(now_s)

    def _is_first_look(self, last: _Read, read: _Read) -> bool:
        """Whether several ticks may have passed since the last read, on purpose or held up."""
        if self.tick_s is None:
            return False
        return self._is_passing_over or read.started_s - last.ended_s > 1.5 * self.tick_s

    def _seen(self, last: _Read, read: _Read) -> SeenTick:
        gap_s = read.middle_s - last.middle_s
        if self.tick_s is not None:
            nearest_s = max(2 * self._reach_s, self._call_s)
            if gap_s > 1.5 * nearest_s:
                # The read before is from before a sleep, and the tick came earlier than expected: probably
                # not by much, but who knows; a gap as wide again says so.
                gap_s = 2 * nearest_s
        # Somewhere in the gap, whose ends are each somewhere in a call: two uniform errors add up.
        calls = ((read.ended_s - read.started_s) ** 2 + (last.ended_s - last.started_s) ** 2) / 2
        return SeenTick(
            time_s=max(read.middle_s - gap_s / 2, math.nextafter(self._last_tick_s, math.inf)),
            joules=read.joules,
            spread_s=math.sqrt((gap_s**2 + calls) / 12),
            after_s=last.started_s,
            before_s=read.ended_s,
        )

    def _take(self, tick: SeenTick) -> None:
        self.tick_count += 1
        self._last_tick_s = tick.time_s
        if self.tick_s is None:
            self._first_ticks.append(tick)
            self._lock_if_known()
        else:
            self.tick_s = self._follow(tick.time_s, self.tick_s)
        self._unchanged_count = 0

    def _lock_if_known(self) -> None:
        """Take the mean period for known once it is, to a tenth of what it takes to count passed ticks."""
        count = len(self._first_ticks)
        if count < _FIRST_TICKS:
            return
        length_s = self._first_ticks[-1].time_s - self._first_ticks[0].time_s
        period_s = length_s / (count - 1)
        error_share = math.sqrt(2) * self._first_ticks[-1].spread_s / length_s
        if error_share * self._stride(period_s) > _COUNT_SHARE:
            return
        self.tick_s = period_s
        self._expected_s = self._first_ticks[-1].time_s
        self._reach_s = max(self._least_reach_s(), 2 * _SEARCH_SHARE * period_s)
        self._followed_count = count

    def _least_reach_s(self) -> float:
        return max(self._call_s, _SEARCH_GAP_S)

    def _follow(self, time_s: float, period_s: float) -> float:
        """Learn from a tick seen at *time_s*; returns the period that it makes of *period_s*."""
        periods = max(1, round((time_s - self._expected_s) / period_s))
        predicted_s = self._expected_s + periods * period_s
        limit_s = _WIDEST_SHARE * period_s
        error_s = min(limit_s, max(-limit_s, time_s - predicted_s))
        n = self._followed_count = self._followed_count + 1
        phase_gain = max(_PHASE_GAIN, 2 * (2 * n - 1) / (n * (n + 1)))
        period_gain = max(_PERIOD_GAIN, 6 / (n * (n + 1)))
        self._expected_s = predicted_s + phase_gain * error_s
        is_between = self._unchanged_count == 1 or (self.is_hurried and self._unchanged_count > 1)
        reach_s = max(self._reach_s * (_NARROW if is_between else _WIDEN), self._least_reach_s())
        self._reach_s = min(reach_s, max(_WIDEST_SHARE * period_s, _SEARCH_GAP_S))
        return period_s + period_gain * error_s / periods

    def _plan(self, now_s: float) -> None:
        if self.tick_s is None:
            gap_s = max(_SEARCH_GAP_S, _SEARCH_SHARE * (now_s - self._last_tick_s))
            self.due_s = now_s + gap_s
            return
        if self._unchanged_count == 0:
            stride = 1 if self.is_hurried else self._stride(self.tick_s)
            self._is_passing_over = stride > 1
            next_s = self._expected_s + stride * self.tick_s
            if next_s - self._reach_s < now_s:  # reads are slower than ticks, or this thread was held up
                missed = math.ceil((now_s + self._reach_s - next_s) / self.tick_s)
                next_s += missed * self.tick_s
            # Reads at always the same distance from the tick would err by always the same; with a distance
            # that changes, errors are independent and average out. Multiples of the golden ratio are spread
            # more evenly than chance.
            self._dither = (self._dither + _GOLDEN_SHARE) % 1.0
            self._next_s = next_s + (self._dither - _EARLIER_SHARE) * self._reach_s
            lead_s = (2 if self.is_hurried else 1) * self._reach_s
            self.due_s = max(now_s, self._next_s - lead_s)
            return
        late_s = now_s - self._next_s
        if self.is_hurried and abs(late_s) < 2 * self._reach_s:
            # A tick beside a window: its time is worth some reads more, where the counter is irregular.
            self.due_s = now_s + max(0.0, self._reach_s / 4 - self._call_s)
        elif late_s < 0:
            self.due_s = max(now_s, self._next_s + self._reach_s - self._call_s)
        elif late_s < SILENT_S:
            # The tick is late. Look again soon, then less and less often, but more often than it ticks.
            gap_s = max(self._reach_s - self._call_s, min(0.1 * late_s, _WIDEST_SHARE * self.tick_s))
            self.due_s = now_s + max(gap_s, 0.5 * _SEARCH_GAP_S)
        else:
            self.due_s = now_s + _SILENT_GAP_S

    def _stride(self, tick_s: float) -> int:
        """Ticks from one that is followed to the next."""
        cost_s = 2 * (_CALL_CPU_SHARE * self._call_s + _STEP_CPU_S)
        return max(1, math.ceil(cost_s / (_CPU_SHARE * tick_s)), math.ceil(_FOLLOW_GAP_S / tick_s - 0.1))
