"""Finding and following the ticks of a counter, from as few reads as can be.

A tick is seen as a change between two reads. Until the counter's period is known it is read often; then only
just before and just after each expected tick, so that two reads a tick are enough.

Rule 1: the tracker reads nothing itself. It reports when the next read is due, and receives what was read.
Rule 2: a tick's time is the middle between the two reads that it happened between, give or take their
        distance.
Rule 3: nothing is assumed of the period but that it lies between a millisecond and a second or two.
"""

import math
from dataclasses import replace

from pytest_energy.meter.tick_filter import TickFilter
from pytest_energy.meter.tick_follower import TickFollower
from pytest_energy.meter.ticks import LEAST_GAP_S, SILENT_S, Plan, Read, Reader, SeenTick, Why, between

# Reads while the period is unknown: as far apart as 1 % of the time since the last tick, so that the first
# period is known to 1 % whatever it is.
_SEARCH_SHARE = 0.01

# Ticks that are seen before the period counts as known: two periods, the second as a check of the first.
_FIRST_TICKS = 3

# A read is late if it comes after this many times the gap that was planned; and a late gap that is longer
# than this share of the time between two ticks may hide a third.
_LATE = 2.0
_LATE_SHARE = 0.25

# Passed ticks are counted right if their time is known to this share of a tick.
_COUNT_SHARE = 0.1

# Calls longer than this leave no room for those of other counters in the gaps between reads that find a
# period of 100 ms. Then one counter after the other is searched, each for so long: three such ticks and more.
_SLOW_CALL_S = 1e-3
_ALONE_S = 0.4


class _Search:
    """The ticks of a counter so far, until its period is known."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ticks: list[SeenTick] = []
        self._worst_gap_s = 0.0  # between late reads since before the last tick
        self._unchanged_count = self._moved_count = 0
        self._since_s: float | None = None  # when its reads began to follow one another
        self._now_s = 0.0  # end of the last read

    @property
    def is_looking(self) -> bool:
        """Whether no read of another counter should come between."""
        is_slow = self._reader.call_s > _SLOW_CALL_S
        return self._since_s is not None and is_slow and self._now_s - self._since_s < _ALONE_S

    def see(self, last: Read, read: Read, plan: Plan, last_tick_s: float) -> tuple[SeenTick | None, Plan]:
        """Take in the *read* of a *plan*, after the *last*; the tick that it shows, and the next read."""
        self._now_s = read.ended_s
        gap_s, planned_s = read.looked_s - last.looked_s, plan.due_s - last.ended_s + self._reader.call_s
        if self._since_s is None:
            self._since_s = read.started_s
            if gap_s > _LATE * planned_s:  # other counters were searched first
                return None, self.plan(read.ended_s, read.ended_s)
        has_moved = read.joules != last.joules
        late_gap_s = gap_s if gap_s > _LATE * planned_s else 0.0
        self._worst_gap_s = max(self._worst_gap_s, late_gap_s)
        if not late_gap_s:
            self._moved_count += has_moved
            self._unchanged_count += not has_moved
        if not has_moved:
            return None, self.plan(read.ended_s, last_tick_s)
        tick = between(last, read, gap_s).later_than(last_tick_s)
        self._keep(tick)
        self._worst_gap_s = late_gap_s  # it may have ticked again there
        return tick, self.plan(read.ended_s, tick.time_s)

    def plan(self, now_s: float, last_tick_s: float) -> Plan:
        gap_s = max(LEAST_GAP_S, _SEARCH_SHARE * (now_s - last_tick_s))
        return Plan(now_s + gap_s, Why.SEARCHING)

    def _keep(self, tick: SeenTick) -> None:
        is_slower_than_reads = self._unchanged_count > self._moved_count
        hiding_s = _LATE_SHARE * (tick.time_s - self._ticks[-1].time_s) if self._ticks else math.inf
        if is_slower_than_reads and self._worst_gap_s > hiding_s:
            self._ticks.clear()  # another tick may have hidden in that gap
            self._since_s = self._now_s
        self._ticks.append(tick)

    def filter_if_known(self) -> TickFilter | None:
        """The mean period once it is known, to a tenth of what it takes to count passed ticks."""
        count = len(self._ticks)
        if count < _FIRST_TICKS:
            return None
        tick = self._ticks[-1]
        length_s, variance = tick.time_s - self._ticks[0].time_s, tick.spread_s**2
        period_s = length_s / (count - 1)
        if math.sqrt(2 * variance) / length_s * self._reader.stride(period_s) > _COUNT_SHARE:
            return None
        reach_s = max(self._reader.least_reach_s, 2 * _SEARCH_SHARE * period_s)
        return TickFilter(tick.time_s, period_s, reach_s, seen_count=count)


class TickTracker:
    """Searches for the period of one counter, then follows it.

    Args:
        now_s: When it begins.
        counter_count: Counters that the same thread reads, this one among them.
        is_known: How the counter responds to work is known.
    """

    def __init__(self, now_s: float, counter_count: int = 1, *, is_known: bool = False) -> None:
        self.plan = Plan(now_s, Why.SEARCHING)
        self._last: Read | None = None
        self._moved_s = now_s  # the end of the last read that had another value than the one before
        self._last_tick_s = now_s
        self._reader = Reader(counter_count, is_known=is_known)
        self._is_newly_eager = self._is_newly_left = self._has_failed = False
        self._search = _Search(self._reader)
        self._follower: TickFollower | None = None

    @property
    def due_s(self) -> float:
        """When the next read is wanted."""
        return self.plan.due_s

    @property
    def tick_s(self) -> float | None:
        """Period of the counter, or `None` until it is known.

        A counter that ticks faster than it can be read has the period of its reads.
        """
        return None if self._follower is None else self._follower.beat.period_s

    @property
    def is_looking(self) -> bool:
        """Whether reads follow one another until a tick comes; not after one that failed."""
        if self._has_failed:
            return False
        return self._search.is_looking if self._follower is None else self._follower.is_looking(self.plan)

    def see(self, read: Read) -> SeenTick | None:
        """Take in one read; the tick that it shows, or `None`."""
        last, ended_s = self._last, read.ended_s
        self._last, self._has_failed = read, False
        self._reader.take(read, self.due_s, is_first=last is None)
        if last is None or read.joules != last.joules:
            self._moved_s = ended_s
        if last is None:
            self.plan = self._search.plan(ended_s, self._last_tick_s)
            return None
        state = self._follower or self._search
        tick, self.plan = state.see(last, read, self.plan, self._last_tick_s)
        if tick is not None:
            self._last_tick_s = tick.time_s
            self._follow_if_known(ended_s)
        return tick

    def _follow_if_known(self, now_s: float) -> None:
        beat = self._search.filter_if_known() if self._follower is None else None
        if beat is not None:
            self._follower = TickFollower(beat, self._reader)
            self.plan = self._follower.expect(now_s)

    @property
    def is_silent(self) -> bool:
        """Whether the counter, when it was read last, had stood still for too long to be said to tick.

        A read that took long may have got its value when it began.
        """
        slow_s = 0.0 if self.tick_s is None else 4 * self.tick_s
        return self._last is not None and self._last.started_s - self._moved_s > max(SILENT_S, slow_s)

    @property
    def read_s(self) -> float | None:
        """When the last read that gave a value was begun, or `None`."""
        return None if self._last is None else self._last.started_s

    def skip_to(self, due_s: float) -> None:
        """Ask for no read before *due_s*: the last one failed."""
        self.plan, self._has_failed = replace(self.plan, due_s=due_s), True

    def poll_eagerly(self) -> None:
        """Follow each tick from now on, until `poll_normally`; may be called by another thread."""
        self._reader.is_eager = self._is_newly_eager = True

    def follow_each(self, *, is_each: bool) -> None:
        """Whether each tick is followed from now on, also where nobody waits for it."""
        self._reader.follows_each = self._is_newly_eager = is_each

    def poll_normally(self) -> None:
        self._reader.is_eager = False

    def leave_until(self, time_s: float) -> None:
        """Read no more until *time_s*, where the beat is known; may be called by another thread."""
        self._reader.left_until_s, self._is_newly_left = time_s, True

    def update_plan(self, now_s: float) -> None:
        """Plan anew if somebody has begun to wait since the last plan, or wants no reads."""
        if self._is_newly_left:
            self._is_newly_left = False
            if self._follower is not None:
                self.plan = self._follower.leave(self.plan, now_s)
        if self._is_newly_eager:
            self._is_newly_eager = False
            if self._follower is None:
                self.plan = replace(self.plan, due_s=min(self.plan.due_s, now_s))
            else:
                self.plan = self._follower.hurry(self.plan, now_s)
