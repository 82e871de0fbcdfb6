"""Finding the period of a counter that nobody knows, from reads that are close together."""

import math

from pytest_energy.meter.tick_filter import TickFilter
from pytest_energy.meter.ticks import LEAST_GAP_S, Plan, Read, Reader, SeenTick, Why, between

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


class TickSearch:
    """The ticks of a counter so far, until they tell its period.

    Args:
        reader: Whoever reads the counter.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ticks: list[SeenTick] = []
        self._worst_gap_s = 0.0  # between late reads since the last tick
        self._unchanged_count = self._moved_count = 0

    def see(self, last: Read, read: Read, plan: Plan, last_tick_s: float) -> tuple[SeenTick | None, Plan]:
        """Take in a read.

        Args:
            last: The one before it.
            read: The one that was planned.
            plan: What it was planned for.
            last_tick_s: The tick is after this one.

        Returns:
            The tick that it shows, or `None`; and the next read.
        """
        gap_s, planned_s = read.middle_s - last.middle_s, plan.due_s - last.ended_s + self._reader.call_s
        has_moved = read.joules != last.joules
        if gap_s > _LATE * planned_s:
            self._worst_gap_s = max(self._worst_gap_s, gap_s)
        else:
            self._moved_count += has_moved
            self._unchanged_count += not has_moved
        if not has_moved:
            return None, self.plan(read.ended_s, last_tick_s)
        tick = between(last, read, gap_s).later_than(last_tick_s)
        self._keep(tick)
        return tick, self.plan(read.ended_s, tick.time_s)

    def plan(self, now_s: float, last_tick_s: float) -> Plan:
        gap_s = max(LEAST_GAP_S, _SEARCH_SHARE * (now_s - last_tick_s))
        return Plan(now_s + gap_s, Why.SEARCHING)

    def _keep(self, tick: SeenTick) -> None:
        is_slower_than_reads = self._unchanged_count > self._moved_count
        hiding_s = _LATE_SHARE * (tick.time_s - self._ticks[-1].time_s) if self._ticks else math.inf
        if is_slower_than_reads and self._worst_gap_s > hiding_s:
            self._ticks.clear()  # another tick may have hidden in that gap
        self._worst_gap_s = 0.0
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
