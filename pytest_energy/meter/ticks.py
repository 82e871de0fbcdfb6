"""Finding and following the ticks of a counter, from as few reads as can be.

A tick is seen as a change between two reads. Until the counter's period is known it is read often; then only
just before and just after each expected tick, so that two reads a tick are enough.

Rule 1: the tracker reads nothing itself. It says when the next read is due, and is told what was read.
Rule 2: a tick's time is the middle between the two reads that it happened between, give or take their
        distance.
Rule 3: nothing is assumed of the period but that it lies between a millisecond and a second or two.
"""

import math
from dataclasses import dataclass, replace

from pytest_energy.meter.tick_filter import NARROW, WIDEST_SHARE, TickFilter
from pytest_energy.model import Tick

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

# A read is late if it comes after this many times the gap that was planned; and a late gap that is longer
# than this share of the time between two ticks may hide a third.
_LATE = 2.0
_LATE_SHARE = 0.25

# Between reads this far apart, in ticks, there may have been more than one: nobody knows when the last was.
_HELD_UP_TICKS = 1.5

# A thread wakes later than it asked: by some 0.1 ms on an idle machine, by 5 ms and more while another thread
# keeps the interpreter. The first read at a tick is asked for earlier by this many times the usual lateness,
# which is a mean over about 1 / gain reads.
_ALLOWED_LATE = 2.0
_LATE_GAIN = 0.1

# Reads that were later than this and a quarter of the reach say nothing of where a tick was, only of this
# thread. Little says a call that took longer than the mean and this many times the shortest: an H100's wait
# until 15 ms after a tick if they begin in that time.
_PROMPT_S = 5e-4
_LONG_CALL, _LONG_CALL_SHARE = 2.0, 0.3
_CALL_GAIN = 0.05

# A read right after a tick may cost several times the processor time of a later one (an H100's waits, busily,
# until 15 ms after the tick). where nobody waits it is put off by this share of a tick more after a call
# that took so much longer than the shortest, and comes back slowly.
_PUT_OFF_SHARE = 0.02
_WAITED_S = 5e-3

# Passed ticks are counted right if their time is known to this share of a tick.
_COUNT_SHARE = 0.1

# After so many ticks in a row that came before the first read the phase is wrong, nobody knows by how much.
_LOST_TICKS = 3

# Reads are shifted by up to a reach around the expected tick (see `_expect`), a little more to after it: a
# tick before the first read costs one read, one after the second costs three; two is what a tick may cost.
_EARLIER_SHARE = 0.35
_GOLDEN_SHARE = (math.sqrt(5) - 1) / 2

# Processor time that is held against a read: a part of its call, and Python's own way there. NVML's calls
# take all of theirs; counted so, a counter of 100 ms would be followed every second tick, and too few
# readings then held the truth within their uncertainty (docs/decisions/0004-every-tick.md).
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

    @property
    def tick(self) -> Tick:
        return Tick(self.time_s, self.joules, self.spread_s)

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

    @property
    def variance(self) -> float:
        """Of that moment, which lies anywhere in the call; in s^2."""
        return (self.ended_s - self.started_s) ** 2 / 12


class TickTracker:
    """Follows one counter.

    Attributes:
        due_s: When the next read is wanted.
        read_count: Reads so far.
        tick_count: Ticks seen so far.
        is_eager: Somebody waits for the next tick: follow each one, whatever it costs.
    """

    def __init__(self, now_s: float) -> None:
        self.due_s = now_s
        self.read_count = 0
        self.tick_count = 0
        self.is_eager = False
        self._is_newly_eager = self._is_passing_over = False
        self._last: _Read | None = None
        self._last_tick_s = now_s
        self._call_s = self._mean_call_s = 0.0
        self._late_s = self._usual_late_s = 0.0
        self._first_ticks: list[SeenTick] = []
        self._worst_gap_s = 0.0  # between late reads since the last tick
        self._beat: TickFilter | None = None
        self._reach_s = 0.0
        self._after_s = 0.0  # by which the read after a tick is put off
        self._early_count = 0  # ticks in a row that came before the first read
        self._telling_share = 1.0  # how much the reads at this tick say of where it was
        self._unchanged_count = self._moved_count = 0
        self._dither = 0.0
        self._next_s = now_s  # the tick that is waited for
        self._resume_s: float | None = None  # the read that was planned before one that was put in

    @property
    def tick_s(self) -> float | None:
        """Period of the counter as far as it can be told, or `None` until it is known.

        A counter that ticks faster than it can be read has the period of its reads.
        """
        return None if self._beat is None else self._beat.period_s

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
        self._call_s += 0.05 * min(call_s - self._call_s, self._call_s)
        self._mean_call_s += _CALL_GAIN * (call_s - self._mean_call_s) if last else call_s
        self._late_s = max(0.0, started_s - self.due_s)
        if last is None or self._beat is None:
            return self._search(last, read)
        return self._follow(self._beat, last, read)

    def is_silent(self, now_s: float) -> bool:
        """Whether the counter has stood still for so long that it can't be said to tick."""
        slow_s = 0.0 if self.tick_s is None else 4 * self.tick_s
        return now_s - self._last_tick_s > max(SILENT_S, slow_s)

    def skip_to(self, due_s: float) -> None:
        """Ask for no read before *due_s*: the last one failed."""
        self.due_s = due_s

    def poll_eagerly(self) -> None:
        """Follow each tick from now on, until `poll_normally`; may be called by another thread."""
        self.is_eager = self._is_newly_eager = True

    def poll_normally(self) -> None:
        self.is_eager = False

    def look_up(self, now_s: float) -> None:
        """Plan anew if somebody has begun to wait since the last plan."""
        if not self._is_newly_eager:
            return
        self._is_newly_eager = False
        if self._beat is None:
            return
        if self._is_passing_over:
            self._expect(self._beat, now_s)
        elif self.due_s > now_s + 2 * self._call_s:
            # One more read, now: the next tick is then surely after whatever somebody waits beside.
            self._resume_s, self.due_s = self.due_s, now_s

    # Until the period is known

    def _search(self, last: _Read | None, read: _Read) -> SeenTick | None:
        tick: SeenTick | None = None
        if last is not None:
            gap_s, planned_s = read.middle_s - last.middle_s, self.due_s - last.ended_s + self._call_s
            has_moved, is_late = read.joules != last.joules, gap_s > _LATE * planned_s
            if is_late:
                self._worst_gap_s = max(self._worst_gap_s, gap_s)
            else:
                self._moved_count += has_moved
                self._unchanged_count += not has_moved
            if has_moved:
                tick = self._keep(_between(last, read, gap_s))
                self._lock_if_known(tick)
        if self._beat is None:
            gap_s = max(_SEARCH_GAP_S, _SEARCH_SHARE * (read.ended_s - self._last_tick_s))
            self.due_s = read.ended_s + gap_s
        return tick

    def _lock_if_known(self, tick: SeenTick) -> None:
        """Take the mean period for known once it is, to a tenth of what it takes to count passed ticks."""
        ticks = self._first_ticks
        is_slower_than_reads = self._unchanged_count > self._moved_count
        hiding_s = _LATE_SHARE * (tick.time_s - ticks[-1].time_s) if ticks else math.inf
        if is_slower_than_reads and self._worst_gap_s > hiding_s:
            ticks.clear()  # another tick may have hidden in that gap
        self._worst_gap_s = 0.0
        ticks.append(tick)
        count = len(ticks)
        if count < _FIRST_TICKS:
            return
        length_s, variance = tick.time_s - ticks[0].time_s, tick.spread_s**2
        period_s = length_s / (count - 1)
        if math.sqrt(2 * variance) / length_s * self._stride(period_s) > _COUNT_SHARE:
            return
        reach_s = max(self._least_reach_s(), 2 * _SEARCH_SHARE * period_s)
        self._beat = TickFilter(tick.time_s, period_s, reach_s, seen_count=count)
        self._expect(self._beat, self._last.ended_s if self._last else tick.before_s)

    # From then on

    def _follow(self, beat: TickFilter, last: _Read, read: _Read) -> SeenTick | None:
        gap_s = read.middle_s - last.middle_s
        late_s = min(self._late_s, WIDEST_SHARE * beat.period_s)
        self._usual_late_s += _LATE_GAIN * (late_s - self._usual_late_s)
        if self._late_s > _PROMPT_S + self._reach_s / 4:
            self._telling_share = 0.0
        elif read.ended_s - read.started_s > max(_LONG_CALL * self._call_s, self._mean_call_s):
            self._telling_share = min(self._telling_share, _LONG_CALL_SHARE)
        resume_s, self._resume_s = self._resume_s, None
        if read.joules == last.joules:
            if resume_s is not None:
                self.due_s = max(resume_s, read.ended_s)
                return None
            self._unchanged_count += 1
            self._is_passing_over = False
            self._look_again(beat, read.ended_s)
            return None
        if self._is_passing_over or gap_s > _HELD_UP_TICKS * beat.period_s:
            # Several ticks may have passed, on purpose or because this thread was held up.
            is_held_up = not self._is_passing_over
            self._is_passing_over = False
            self._unchanged_count = 1
            self._next_s = max(self._next_s, read.ended_s)
            if is_held_up:
                self._expect(beat, read.ended_s)
            else:
                self._look_again(beat, read.ended_s)
            return None
        is_early = self._unchanged_count == 0 and self._telling_share > 0
        self._early_count = self._early_count + 1 if is_early else 0
        if self._early_count == _LOST_TICKS:
            beat.lose()
        if self._unchanged_count == 0:
            # The read before is from before a sleep, and the tick came earlier than expected: probably not by
            # much, but who knows; a gap as wide again as it was meant to be says so.
            gap_s = min(gap_s, 2 * max(2 * self._reach_s, self._call_s) + self._late_s)
        seen = _between(last, read, gap_s)
        if self._unchanged_count == 1 and not self.is_eager:
            # The read was put off, the tick wasn't.
            seen = replace(seen, time_s=seen.time_s - self._after_s / 2)
            is_long = read.ended_s - read.started_s > self._call_s + _WAITED_S
            longer_s = self._after_s + _PUT_OFF_SHARE * beat.period_s
            most_s = WIDEST_SHARE * beat.period_s
            self._after_s = min(longer_s, most_s) if is_long else NARROW * self._after_s
        tick = self._keep(seen)
        is_met = self._unchanged_count == 1 or (self.is_eager and self._unchanged_count > 1)
        beat.learn_reach(self._telling_share, is_met=is_met, least_s=self._least_reach_s())
        # Early again: it is the phase that is wrong, not the period.
        share = self._telling_share if self._early_count <= 1 else 0.0
        beat.take(tick, usual_spread_s=max(self._reach_s, self._call_s), period_share=share)
        self._expect(beat, read.ended_s)
        return tick

    def _keep(self, tick: SeenTick) -> SeenTick:
        """*tick*, counted, and after the one before it."""
        tick = replace(tick, time_s=max(tick.time_s, math.nextafter(self._last_tick_s, math.inf)))
        self.tick_count += 1
        self._last_tick_s = tick.time_s
        return tick

    def _expect(self, beat: TickFilter, now_s: float) -> None:
        """Plan the reads around the next tick."""
        self._unchanged_count, self._telling_share = 0, 1.0
        stride = 1 if self.is_eager else self._stride(beat.period_s)
        self._is_passing_over = stride > 1
        next_s = beat.time_s + stride * beat.period_s
        if next_s - beat.reach_s < now_s:  # reads are slower than ticks, or this thread was held up
            missed = math.ceil((now_s + beat.reach_s - next_s) / beat.period_s)
            beat.pass_over(missed)
            next_s += missed * beat.period_s
        self._reach_s = beat.widened_reach_s
        # Reads at always the same distance from the tick would err by always the same; with a distance that
        # changes, errors are independent and average out. Multiples of the golden ratio are spread more
        # evenly than chance.
        self._dither = (self._dither + _GOLDEN_SHARE) % 1.0
        self._next_s = next_s + (self._dither - _EARLIER_SHARE) * self._reach_s
        lead_s = (2 if self.is_eager else 1) * self._reach_s + _ALLOWED_LATE * self._usual_late_s
        self.due_s = max(now_s, self._next_s - lead_s)

    def _least_reach_s(self) -> float:
        return max(self._call_s, _SEARCH_GAP_S)

    def _look_again(self, beat: TickFilter, now_s: float) -> None:
        """Plan the next read while the tick is still to come."""
        late_s = now_s - self._next_s
        if self.is_eager and abs(late_s) < 2 * self._reach_s:
            # A tick beside a window: its time is worth some reads more, where the counter is irregular.
            self.due_s = now_s + max(0.0, self._reach_s / 4 - self._call_s)
        elif late_s < 0:
            after_s = 0.0 if self.is_eager else self._after_s
            self.due_s = max(now_s, self._next_s + self._reach_s + after_s - self._call_s)
        elif late_s < SILENT_S:
            # The tick is late. Look again soon, then less and less often, but more often than it ticks.
            gap_s = max(self._reach_s - self._call_s, min(0.1 * late_s, WIDEST_SHARE * beat.period_s))
            self.due_s = now_s + max(gap_s, 0.5 * _SEARCH_GAP_S)
        else:
            self.due_s = now_s + _SILENT_GAP_S

    def _stride(self, tick_s: float) -> int:
        """Ticks from one that is followed to the next."""
        cost_s = 2 * (_CALL_CPU_SHARE * self._call_s + _STEP_CPU_S)
        return max(1, math.ceil(cost_s / (_CPU_SHARE * tick_s)), math.ceil(_FOLLOW_GAP_S / tick_s - 0.1))


def _between(last: _Read, read: _Read, gap_s: float) -> SeenTick:
    """The tick between two reads, in the last *gap_s* of the time between them."""
    # Somewhere in the gap, whose ends are each somewhere in a call: two uniform errors add up.
    return SeenTick(
        time_s=read.middle_s - gap_s / 2,
        joules=read.joules,
        spread_s=math.sqrt(gap_s**2 / 12 + (read.variance + last.variance) / 2),
        after_s=last.started_s,
        before_s=read.ended_s,
    )
