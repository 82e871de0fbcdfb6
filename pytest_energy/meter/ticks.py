"""Ticks as they are seen, and the reads that show them."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from pytest_energy.model import Tick

SILENT_S = 2.5
"""A counter that hasn't moved for this long doesn't tick: the slowest known one ticks once a second."""

LEAST_GAP_S = 2e-4
"""Reads are never closer than this, so that a fast counter doesn't eat a core."""

# The mean duration of a call is one over about 1 / gain of them; so is the mean lateness of a read. A call
# that was held up, perhaps for seconds, counts as this many usual ones at most.
_CALL_GAIN = 0.05
_LONGEST_CALLS = 4.0
_LATE_GAIN = 0.1

# Processor time that is held against a read: a part of its call, and Python's own way there. NVML's calls
# take all of theirs; counted so, a counter of 100 ms would be followed every second tick, and too few
# readings then held the truth within their uncertainty (docs/decisions/0004-every-tick.md).
_CALL_CPU_SHARE = 0.35
_STEP_CPU_S = 6e-5
# Where two reads for each tick would cost more of a core than this, only each n-th tick is followed.
_CPU_SHARE = 0.04
_BELIEVED_CPU_SHARE = 0.012
_FOLLOW_GAP_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTick:
    """One update of a counter, as well as it was seen: surely after *after_s* and before *before_s*."""

    time_s: float
    joules: float
    spread_s: float
    after_s: float
    before_s: float

    @property
    def tick(self) -> Tick:
        return Tick(self.time_s, self.joules, self.spread_s)

    def straddles(self, time_s: float) -> bool:
        """Whether the tick may have been before or after *time_s*."""
        return self.after_s < time_s < self.before_s

    def later_than(self, last_s: float) -> "SeenTick":
        """This tick, surely after one at *last_s*."""
        return replace(self, time_s=max(self.time_s, math.nextafter(last_s, math.inf)))


@dataclass(frozen=True, slots=True)
class Read:
    """A call that read the counter.

    Attributes:
        is_of_end: Its value is what the counter had at its end; else it is of any moment in it.
    """

    started_s: float
    ended_s: float
    joules: float
    is_of_end: bool = False

    @property
    def ends_s(self) -> tuple[float, float]:
        return self.started_s, self.ended_s

    @property
    def call_s(self) -> float:
        return self.ended_s - self.started_s

    @property
    def looked_s(self) -> float:
        """When the counter was looked at, as well as it is known."""
        return self.ended_s if self.is_of_end else (self.started_s + self.ended_s) / 2

    @property
    def variance(self) -> float:
        """Of that moment, which lies anywhere in the call if it isn't its end; in s^2."""
        return 0.0 if self.is_of_end else self.call_s**2 / 12

    def earliest_s(self, usual_call_s: float) -> float:
        """When the counter was looked at at the earliest, by a call that gives what it has at its end.

        One that took longer than a usual one may have had its answer long before it returned.
        """
        return min(self.ended_s, self.started_s + usual_call_s)


def between(last: Read, read: Read, gap_s: float) -> SeenTick:
    """The tick between two reads, in the last *gap_s* of the time between them."""
    # Somewhere in the gap, whose ends are each somewhere in a call: two uniform errors add up.
    return SeenTick(
        time_s=read.looked_s - gap_s / 2,
        joules=read.joules,
        spread_s=math.sqrt(gap_s**2 / 12 + (read.variance + last.variance) / 2),
        after_s=last.started_s,
        before_s=read.ended_s,
    )


class Why(StrEnum):
    """What a read is planned for."""

    SEARCHING = "the period is still unknown"
    BEFORE_TICK = "a tick is expected just after it"
    PASSING_OVER = "the same, but ticks were passed over: that the counter has moved says nothing"
    AFTER_TICK = "the tick is expected to have come by then"
    PUT_IN = "a tick that is detected later came after it"
    CLOSE = "a tick is expected soon: reads follow one another until it comes"
    BELIEVED = "a tick has come, when is known from those before: only its value is read, where that is cheap"


@dataclass(frozen=True, slots=True)
class Plan:
    """The next read.

    Attributes:
        resumed: What was planned before a read was put in.
    """

    due_s: float
    why: Why
    resumed: "Plan | None" = None


class Reader:
    """Whoever reads the counter: what calls cost, how late they come, and whether somebody waits.

    Attributes:
        call_s: The shortest calls: they give the cost; one that was held up by other threads doesn't.
        mean_call_s: The usual ones.
        late_s: By how much the last read came after it was due.
        usual_late_s: The same, of the reads at ticks.
        is_eager: Somebody waits for the next tick: follow each one, whatever it costs.
        follows_each: Somebody needs the value at each tick, if not at once.
        left_until_s: Until when no read is wanted, where the beat is known: reads disturb what is counted.
        is_of_end: Calls give what the counter has at their end.
        counter_count: Counters that one thread reads, this one among them: they share its processor time.
        is_known: How the counter responds to work is known.
    """

    def __init__(self, counter_count: int = 1, *, is_known: bool = False) -> None:
        self.counter_count, self.is_known = counter_count, is_known
        self.call_s = self.mean_call_s = self.late_s = self.usual_late_s = 0.0
        self.is_eager = self.follows_each = self.is_of_end = False
        self.left_until_s = -math.inf

    def take(self, read: Read, due_s: float, *, is_first: bool) -> None:
        """Learn from a read that was due at *due_s*."""
        call_s, self.is_of_end = read.call_s, read.is_of_end
        self.call_s = call_s if is_first else min(self.call_s, call_s)
        self.call_s += _CALL_GAIN * min(call_s - self.call_s, self.call_s)
        longer_s = min(call_s, _LONGEST_CALLS * self.mean_call_s) - self.mean_call_s
        self.mean_call_s += call_s if is_first else _CALL_GAIN * longer_s
        self.late_s = max(0.0, read.started_s - due_s)

    def learn_late(self, most_s: float) -> None:
        """Count the last read's lateness, up to *most_s*, as one of a read at a tick."""
        self.usual_late_s += _LATE_GAIN * (min(self.late_s, most_s) - self.usual_late_s)

    def believed_stride(self, tick_s: float) -> int:
        """As `stride`, where one read for each tick that is followed is enough."""
        cost_s = self.counter_count * (self.mean_call_s + _STEP_CPU_S)
        return max(1, math.ceil(cost_s / (_BELIEVED_CPU_SHARE * tick_s)), _least_stride(tick_s))

    @property
    def keeps_beat(self) -> bool:
        """Whether the counter is known to keep its beat in work: its response is, or is being measured."""
        return self.is_known or math.isfinite(self.left_until_s)

    @property
    def round_s(self) -> float:
        """Seconds in which each counter of the thread is read once."""
        return self.counter_count * self.mean_call_s

    @property
    def least_reach_s(self) -> float:
        """No tick is read at closer than this."""
        return max(self.call_s, LEAST_GAP_S)

    def stride(self, tick_s: float) -> int:
        """Ticks from one that is followed to the next, where nobody waits."""
        cost_s = 2 * (_CALL_CPU_SHARE * self.call_s + _STEP_CPU_S)
        return max(1, math.ceil(cost_s / (_CPU_SHARE * tick_s)), _least_stride(tick_s))


def _least_stride(tick_s: float) -> int:
    """Ticks from one that is followed to the next, where reads cost nothing."""
    return math.ceil(_FOLLOW_GAP_S / tick_s - 0.1)
