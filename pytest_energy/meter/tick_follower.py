"""Following the ticks of a counter whose period is known, with two reads a tick or fewer.

Rule 1: a read just before the tick that is expected, one just after it; more only where it is late. A counter
        that has kept to its beat is believed: of most of its ticks only the value is read, once, in the
        middle, where a read is cheap and disturbs nothing (an H100 that is read all the time takes its own
        samples of power late). Now and then a tick is seen again, to keep the beat.
Rule 2: where that would cost too much only some ticks are followed, and those between are passed over.
Rule 3: while a window waits each tick is followed, whatever it costs.
Rule 4: a tick that was seen badly, because the reader was held up, changes little.
Rule 5: ticks that nobody saw make the phase vaguer; a vague phase takes the next tick at its word.
Rule 6: a tick that was expected when a hold-up ended may still be to come. A read right after it tells: seen
        at the next tick, it would be taken for that one, come early.
Rule 7: around short work a counter that keeps to its beat is left alone: reads disturb what it counts.
"""

import math
from dataclasses import replace

from pytest_energy.meter.even_shares import EvenShares
from pytest_energy.meter.steady_beat import SteadyBeat
from pytest_energy.meter.tick_filter import NARROW, WIDEST_SHARE, TickFilter
from pytest_energy.meter.ticks import LEAST_GAP_S, SILENT_S, Plan, Read, Reader, SeenTick, Why, between

# A silent counter is looked at so often: it may come back.
_SILENT_GAP_S = 0.5

# Between reads this far apart, in ticks, there may have been more than one: nobody knows when the last was.
# The same goes for a read that took so much longer than they do.
_HELD_UP_TICKS = 1.5
_HELD_UP_CALL_TICKS = 0.5

# A thread wakes later than it asked: by some 0.1 ms on an idle machine, by 5 ms and more while another thread
# keeps the interpreter. The first read at a tick is asked for earlier by this many times the usual lateness.
_ALLOWED_LATE = 2.0

# Reads that were later than this and a quarter of the reach say nothing of where a tick was, only of this
# thread. Little says a call that took longer than the mean and this many times the shortest: an H100's wait
# until 15 ms after a tick if they begin in that time.
_PROMPT_S = 5e-4
_LONG_CALL, _LONG_CALL_SHARE = 2.0, 0.3

# A read right after a tick may cost several times the processor time of a later one (an H100's waits, busily,
# until 15 ms after the tick). Where nobody waits it is put off by this share of a tick more after a call
# that took so much longer than the shortest, and comes back slowly.
_PUT_OFF_SHARE = 0.02
_WAITED_S = 5e-3

# After so many ticks in a row that came before the first read the phase is wrong, nobody knows by how much.
_LOST_TICKS = 3

# Reads are shifted by up to a reach around the expected tick (see `expect`), a little more to after it: a
# tick before the first read costs one read, one after the second costs three; two is what a tick may cost.
_EARLIER_SHARE = 0.35

# A counter keeps to its beat if its ticks come within this share of a period, and of a read, of when they are
# expected (one standard deviation), of so many that were looked at closely. After some more it doesn't. What
# slow reads leave open of a tick, and a quarter for chance, doesn't count against it.
_KEPT_ERROR_SHARE, _KEPT_ERROR_CALLS, _KEPT_SEEING = 0.025, 0.6, 1.25
_KEPT_COUNT, _MOST_CLOSE_COUNT = 20, 60

# One of several that didn't may have been read too late, as others were read: it is looked at again after so
# many ticks, and then after so many times as many.
_RETRY_TICKS, _RETRY_TIMES = 50, 8

# To look closely at a tick, reads follow one another from so long before it, in calls and in usual errors.
# That is worth it, and a single read has its place between two ticks, where a call is this share of a tick.
_CLOSE_CALLS, _CLOSE_ERRORS, _CLOSE_CALL_SHARE = 1.5, 3.0, 0.12

# A look that begins later than this share of its lead may have missed its tick.
_LATE_SHARE = 0.5

# Where in a tick the value of one that is believed is read: an H100 answers at once there, and it has just
# taken a sample of power.
_BELIEVED_PHASE = 0.34

# A tick is looked at again after so many that were believed, for each counter of the thread, or where it is
# known less well than this share of a read.
_BELIEVED_TICKS = 40
_KNOWN_CALLS = 0.25

# Known to no better than this share of a tick, the next is looked at even where somebody waits.
_VAGUE_SHARE = 0.02

# A beat has moved if a tick is off by this many standard uncertainties; less is a tick seen badly.
_MOVED = 5.0

# A tick that may come at another moment than it did is looked for so closely: from end to end of two reads.
_MOVED_SHARE = 0.01

# So is the one after a hold-up of so many ticks more than are passed over.
_HELD_UP_BELIEVED = 10

# When in a call the counter is looked at is known to this share of it at best.
_ANSWER_SHARE = 0.05

# From the end of a read to the start of the next.
_STEP_S = 6e-5

# A tick that is believed is off by this many usual errors at most.
_SURE_ERRORS = 4.0


class TickFollower:
    """Plans the reads around each expected tick, and learns from what they show."""

    def __init__(self, beat: TickFilter, reader: Reader) -> None:
        self.beat, self._reader = beat, reader
        self._next_s = beat.time_s  # the tick that is waited for
        self._reach_s = beat.reach_s  # distance from it to the reads around it
        self._unchanged_count = 0  # reads that were before it
        self._telling_share = 1.0  # how much those reads say of where it was
        self._put_off_s = 0.0  # by which the read after a tick is put off
        self._early_count = 0  # ticks in a row that came before the first read
        self._dither = EvenShares()
        self._believed_count = 0  # ticks since one was seen
        self._close_count = 0  # ticks that were looked at closely and did not keep to the beat
        self._retry_ticks = _RETRY_TICKS  # until they are looked at closely again
        self._is_doubted = False  # whether the beat may have changed since
        self._may_have_moved = False  # whether ticks may come at other moments since, as regularly as before
        self._has_kept = False  # whether it has ever kept to a beat
        # From ticks that were looked at closely.
        self._steady = SteadyBeat(beat.time_s, beat.period_s, beat.reach_s)

    def is_looking(self, plan: Plan) -> bool:
        """Whether the reads of a close look have begun."""
        return plan.why is Why.CLOSE and self._unchanged_count > 0

    def hurry(self, plan: Plan, now_s: float) -> Plan:
        """A plan in place of *plan*, for somebody who has begun to wait: there may have been work."""
        reader = self._reader
        if not reader.keeps_beat and reader.round_s <= _CLOSE_CALL_SHARE * self.beat.period_s:
            self._may_have_moved = self._has_kept
        if plan.why in {Why.PASSING_OVER, Why.BELIEVED}:
            return self.expect(now_s)
        if plan.why is Why.CLOSE and self._is_kept_to():
            return plan  # a read before would show nothing new, and disturb the counter right after work
        if plan.due_s > now_s + 2 * reader.call_s:
            return Plan(now_s, Why.PUT_IN, replace(plan.resumed or plan, due_s=plan.due_s))
        return plan

    def leave(self, plan: Plan, now_s: float) -> Plan:
        """A plan in place of *plan*, where the counter is left alone from now on, or no longer."""
        is_unbegun = plan.why is Why.CLOSE and not self._unchanged_count and self._is_kept_to()
        return self.expect(now_s) if plan.why is Why.BELIEVED or is_unbegun else plan

    def see(self, last: Read, read: Read, plan: Plan, last_tick_s: float) -> tuple[SeenTick | None, Plan]:
        """Take in a read; as for the search's `see`."""
        if plan.why in {Why.BELIEVED, Why.CLOSE}:
            unseen_ticks = (read.started_s - last.started_s) / self.beat.period_s
            # Nobody has looked for longer than was planned: look closely, whoever waits now.
            planned_ticks = self._reader.believed_stride(self.beat.period_s)
            self._is_doubted |= unseen_ticks > planned_ticks + _HELD_UP_BELIEVED
        if plan.why is Why.BELIEVED:
            return self._see_believed(last, read, last_tick_s)
        self._judge(read)
        if plan.why is Why.CLOSE:
            return self._see_close(last, read, last_tick_s)
        return self._see_between(last, read, plan, last_tick_s)

    def _see_between(
        self, last: Read, read: Read, plan: Plan, last_tick_s: float
    ) -> tuple[SeenTick | None, Plan]:
        """Take in one of the two reads around a tick, or one that was put in."""
        now_s = read.ended_s
        if read.joules == last.joules:
            if plan.resumed is not None:
                return None, replace(plan.resumed, due_s=max(plan.resumed.due_s, now_s))
            self._unchanged_count += 1
            return None, self._look_again(now_s)
        if plan.why is Why.PASSING_OVER:
            self._next_s = max(self._next_s, now_s)
            self._unchanged_count = 1
            return None, self._look_again(now_s)
        if self._is_held_up(last, read):
            return None, self._resume(now_s)  # several ticks may have passed
        self._count_early()
        tick = self._without_delay(self._tick(last, read), read).later_than(last_tick_s)
        self._learn(tick)
        self._believed_count = 0
        if self._is_doubted:
            is_other = self._steady.contradicts(tick.time_s, tick.spread_s)
            # What was seen so badly says nothing of a beat that is believed: look closely at the next.
            self._is_doubted = self._is_kept_to() and not is_other
            if is_other:
                self._steady = SteadyBeat(tick.time_s, self._steady.period_s, tick.spread_s)
        elif self._may_have_moved:
            self._move_to(tick)
            self._may_have_moved = tick.spread_s > _MOVED_SHARE * self.beat.period_s
        return tick, self.expect(now_s)

    def _see_close(self, last: Read, read: Read, last_tick_s: float) -> tuple[SeenTick | None, Plan]:
        """Take in one of the reads that follow one another until the tick comes."""
        now_s = read.ended_s
        is_first = not self._unchanged_count
        is_late = is_first and self._reader.late_s > _LATE_SHARE * self._reach_s
        has_passed = is_first and read.joules != last.joules
        if is_late and has_passed:
            return self._see_missed(last, read, last_tick_s)
        if has_passed and self._has_kept and not self._reader.keeps_beat:
            self._may_have_moved = True
        if read.joules == last.joules or ((self._believed_count or self._may_have_moved) and is_first):
            # The first read after ticks that were passed over has another value in any case.
            self._unchanged_count += 1
            if now_s - self._next_s > WIDEST_SHARE * self.beat.period_s:
                return None, self._look_again(now_s)
            return None, Plan(now_s + max(0.0, LEAST_GAP_S - read.call_s), Why.CLOSE)
        if self._is_held_up(last, read):
            return None, self._resume(now_s)
        self._count_early()
        tick = self._tick(last, read)
        if self._is_doubted and self._steady.contradicts(tick.time_s, tick.spread_s):
            self._steady = SteadyBeat(tick.time_s, self._steady.period_s)  # another beat since nobody looked
        elif not self._may_have_moved or not self._move_to(tick):
            if self._is_doubted:
                self._steady.forget_looks()
            self._steady.take(tick.time_s, tick.spread_s, self._between_s(last, read, tick))
        self._close_count = 0 if self._is_kept_to() else self._close_count + 1
        self._has_kept = self._has_kept or self._is_kept_to()
        self.beat.move_to(self._steady.time_s, self._steady.period_s)
        self._believed_count, self._is_doubted, self._may_have_moved = 0, False, False
        if self._is_kept_to():  # the beat knows it better, and all ticks are then off by the same
            tick = replace(tick, time_s=self._steady.time_s, spread_s=self._tick_spread_s(0))
        return tick.later_than(last_tick_s), self.expect(now_s)

    def _move_to(self, tick: SeenTick) -> bool:
        """Move the beat to *tick*, if it has moved."""
        has_moved = self._steady.contradicts(tick.time_s, tick.spread_s, by=_MOVED)
        if has_moved:
            self._steady.move_to(tick.time_s, tick.spread_s)
        return has_moved

    def _see_missed(self, last: Read, read: Read, last_tick_s: float) -> tuple[SeenTick | None, Plan]:
        """Take in a look that began too late, as another counter was read; the beat learns nothing."""
        tick, steady = self._tick(last, read), self._steady
        plan = self.expect(read.ended_s)
        is_asked = self._reader.is_eager or self._reader.follows_each
        if not is_asked or read.looked_s - last.looked_s > self.beat.period_s:
            return None, plan
        time_s, known_s = steady.at(max(1, round((tick.time_s - steady.time_s) / steady.period_s)))
        spread_s = math.hypot(known_s, steady.off_s)
        if spread_s < tick.spread_s and tick.after_s < time_s < tick.before_s:
            tick = replace(tick, time_s=time_s, spread_s=spread_s)
        is_new = tick.time_s > last_tick_s + steady.period_s / 2
        return tick if is_new else None, plan

    def _see_believed(self, last: Read, read: Read, last_tick_s: float) -> tuple[SeenTick | None, Plan]:
        """Take in the value of the last tick before a read, if that is sure to be between two ticks."""
        steady, now_s = self._steady, read.ended_s
        count = math.floor((read.started_s - steady.time_s) / steady.period_s)
        tick_s, spread_s = steady.at(count)
        off_s = _SURE_ERRORS * spread_s + self._reader.call_s / 2
        is_between = tick_s + off_s <= read.started_s and now_s <= tick_s + steady.period_s - off_s
        if not is_between or count < 1:
            return None, self.expect(now_s)  # which looks closely, where it is the beat that is vague
        if read.joules == last.joules:  # it stands still, or the tick is late: look closely at the next
            self._next_s, self._reach_s, self._unchanged_count = tick_s, self.beat.reach_s, 1
            self._believed_count, self._is_doubted = self._reader.counter_count * _BELIEVED_TICKS, True
            return None, self._look_again(now_s)
        self._believed_count += count
        tick_spread_s = self._tick_spread_s(count)
        steady.pass_over(count)
        self.beat.move_to(steady.time_s, steady.period_s)
        if self._is_doubted:
            return None, self.expect(now_s)
        tick = SeenTick(
            time_s=tick_s,
            joules=read.joules,
            spread_s=tick_spread_s,
            after_s=tick_s - off_s,
            before_s=tick_s + off_s,
        )
        return tick.later_than(last_tick_s), self.expect(now_s)

    def _tick_spread_s(self, count: int) -> float:
        """How well the time of the tick *count* after the last one is known."""
        own_s = _ANSWER_SHARE * self._reader.call_s if self._reader.is_of_end else 0.0
        return math.hypot(self._steady.tick_spread_s(count), own_s)

    def _is_kept_to(self) -> bool:
        """Whether the counter has kept to its beat, closely looked at."""
        steady = self._steady
        if steady.is_sure:
            return True
        sharp_s = _KEPT_ERROR_CALLS * max(self._reader.mean_call_s, 2 * LEAST_GAP_S)
        own_s = math.hypot(_KEPT_ERROR_SHARE * steady.period_s, _KEPT_SEEING * steady.expected_off_s)
        most_s = min(sharp_s, own_s)
        return steady.count >= _KEPT_COUNT and steady.off_s <= most_s

    def _is_look_due(self, now_s: float) -> bool:
        """Whether to look closely at the next tick: the beat is not known well enough, or for long."""
        steady, reader = self._steady, self._reader
        known_s = steady.at(max(1, math.ceil((now_s - steady.time_s) / steady.period_s)))[1]
        if self._is_doubted or self._may_have_moved or known_s > _VAGUE_SHARE * steady.period_s:
            return True
        if self._is_left(now_s):
            return False
        is_long_ago = self._believed_count >= reader.counter_count * _BELIEVED_TICKS
        is_vague = known_s > _KNOWN_CALLS * max(reader.mean_call_s, 2 * LEAST_GAP_S)
        return is_long_ago or (is_vague and not reader.is_eager)

    def _is_left(self, now_s: float) -> bool:
        """Whether no read is wanted now."""
        return now_s < self._reader.left_until_s and not self._reader.follows_each

    def _stride(self) -> int:
        """Ticks from one that is believed to the next."""
        is_each = self._reader.is_eager or self._reader.follows_each
        return 1 if is_each else self._reader.believed_stride(self._steady.period_s)

    def _expect_closely(self, now_s: float) -> Plan | None:
        """Plan to believe the next tick, or to look at it closely; nothing where neither is of use."""
        steady, reader = self._steady, self._reader
        if max(reader.mean_call_s, LEAST_GAP_S) > _CLOSE_CALL_SHARE * steady.period_s:
            return None
        is_due = self._is_look_due(now_s)
        if self._is_kept_to() and not is_due:
            from_s = reader.left_until_s if self._is_left(now_s) else now_s
            least = math.ceil((from_s - steady.time_s) / steady.period_s - _BELIEVED_PHASE)
            count = max(self._stride(), least)
            return Plan(steady.time_s + (count + _BELIEVED_PHASE) * steady.period_s, Why.BELIEVED)
        if self._close_count >= _MOST_CLOSE_COUNT:
            self._close_count += reader.counter_count > 1
            if self._close_count < _MOST_CLOSE_COUNT + self._retry_ticks:
                return None
            self._close_count, self._retry_ticks = 0, _RETRY_TIMES * self._retry_ticks
            self._steady = steady = SteadyBeat(self.beat.time_s, self.beat.period_s, self.beat.reach_s)
        lead_s = _CLOSE_CALLS * reader.call_s + _ALLOWED_LATE * reader.usual_late_s
        ahead = max(1, math.ceil((now_s + lead_s - steady.time_s) / steady.period_s))
        tick_s, spread_s = steady.at(ahead)
        if self._is_doubted or self._may_have_moved:
            spread_s = max(spread_s, _VAGUE_SHARE * steady.period_s)
        lead_s += min(_CLOSE_ERRORS * spread_s, WIDEST_SHARE * steady.period_s)
        if reader.is_of_end:
            # One that ends where the tick is expected tells most: whole calls before it, and a little more or
            # less, as else each look would say the same.
            gap_s = max(reader.mean_call_s + _STEP_S, LEAST_GAP_S)
            count = max(2, math.floor((lead_s - reader.usual_late_s) / gap_s))
            lead_s = reader.usual_late_s + count * gap_s
            lead_s += (self._dither.take() - 0.5) * min(gap_s, 2 * spread_s)
        else:
            lead_s += self._dither.take() * max(0.0, LEAST_GAP_S - reader.call_s)  # as with short calls
        self._believed_count += ahead - 1
        self._next_s, self._reach_s = tick_s, lead_s
        return Plan(max(now_s, tick_s - lead_s), Why.CLOSE)

    def _is_held_up(self, last: Read, read: Read) -> bool:
        """Whether this thread had to wait for a tick or more, between the reads or in one of them."""
        longer_s = max(last.call_s, read.call_s) - self._reader.mean_call_s
        return (
            read.looked_s - last.looked_s > _HELD_UP_TICKS * self.beat.period_s
            or longer_s > _HELD_UP_CALL_TICKS * self.beat.period_s
        )

    def _between_s(self, last: Read, read: Read, tick: SeenTick) -> tuple[float, float] | None:
        """Between which moments a tick surely came, if it is known when calls look at the counter."""
        if not read.is_of_end:
            return None
        after_s = last.earliest_s(self._reader.call_s)
        if not self._unchanged_count:  # that one is from before a sleep
            after_s = max(after_s, tick.time_s - math.sqrt(3) * tick.spread_s)
        return after_s, read.ended_s

    def _judge(self, read: Read) -> None:
        """Know how much this read says of where the tick was."""
        reader = self._reader
        reader.learn_late(WIDEST_SHARE * self.beat.period_s)
        if reader.late_s > _PROMPT_S + self._reach_s / 4:
            self._telling_share = 0.0
        elif read.call_s > max(_LONG_CALL * reader.call_s, reader.mean_call_s):
            self._telling_share = min(self._telling_share, _LONG_CALL_SHARE)

    def _count_early(self) -> None:
        is_early = self._unchanged_count == 0 and self._telling_share > 0
        self._early_count = self._early_count + 1 if is_early else 0
        if self._early_count == _LOST_TICKS:
            self.beat.lose()

    def _tick(self, last: Read, read: Read) -> SeenTick:
        gap_s = read.looked_s - last.looked_s
        if self._unchanged_count == 0 and not self._may_have_moved:
            # The read before is from before a sleep, and the tick came earlier than expected: probably not by
            # much, but who knows; a gap as wide again as it was meant to be says so.
            gap_s = min(gap_s, 2 * max(2 * self._reach_s, self._reader.call_s) + self._reader.late_s)
        return between(last, read, gap_s)

    def _without_delay(self, tick: SeenTick, read: Read) -> SeenTick:
        """*tick* without what its read was put off by; and know by how much to put off the next."""
        if self._unchanged_count != 1 or self._reader.is_eager:
            return tick
        # The read was put off, the tick wasn't.
        tick = replace(tick, time_s=tick.time_s - self._put_off_s / 2)
        is_long = read.call_s > self._reader.call_s + _WAITED_S
        longer_s = self._put_off_s + _PUT_OFF_SHARE * self.beat.period_s
        most_s = WIDEST_SHARE * self.beat.period_s
        self._put_off_s = min(longer_s, most_s) if is_long else NARROW * self._put_off_s
        return tick

    def _learn(self, tick: SeenTick) -> None:
        is_met = self._unchanged_count == 1 or (self._reader.is_eager and self._unchanged_count > 1)
        self.beat.learn_reach(self._telling_share, is_met=is_met, least_s=self._reader.least_reach_s)
        # Early again: it is the phase that is wrong, not the period.
        share = self._telling_share if self._early_count <= 1 else 0.0
        self.beat.take(tick, usual_spread_s=max(self._reach_s, self._reader.call_s), period_share=share)

    def expect(self, now_s: float) -> Plan:
        """Plan the first read at the next tick."""
        beat, reader = self.beat, self._reader
        self._unchanged_count, self._telling_share = 0, 1.0
        plan = self._expect_closely(now_s)
        if plan is not None:
            return plan
        stride = 1 if reader.is_eager else reader.stride(beat.period_s)
        next_s = beat.time_s + stride * beat.period_s
        if next_s - beat.reach_s < now_s:  # reads are slower than ticks, or this thread was held up
            missed = math.ceil((now_s + beat.reach_s - next_s) / beat.period_s)
            beat.pass_over(missed)
            next_s += missed * beat.period_s
        self._reach_s = beat.widened_reach_s
        # Reads at always the same distance from the tick would err by always the same; with a distance that
        # changes, errors are independent and average out.
        self._next_s = next_s + (self._dither.take() - _EARLIER_SHARE) * self._reach_s
        lead_s = (2 if reader.is_eager else 1) * self._reach_s + _ALLOWED_LATE * reader.usual_late_s
        why = Why.PASSING_OVER if stride > 1 or self._believed_count else Why.BEFORE_TICK
        return Plan(max(now_s, self._next_s - lead_s), why)

    def _resume(self, now_s: float) -> Plan:
        """Plan the next read after a hold-up that ended just now."""
        plan = self.expect(now_s)
        latest_s = self._next_s - self.beat.period_s + self._reach_s
        return plan if latest_s < now_s else Plan(latest_s, Why.PUT_IN, plan)

    def _look_again(self, now_s: float) -> Plan:
        """Plan the next read while the tick is still to come."""
        late_s, call_s, is_eager = now_s - self._next_s, self._reader.call_s, self._reader.is_eager
        if is_eager and abs(late_s) < 2 * self._reach_s:
            # A tick beside a window: its time is worth some reads more, where the counter is irregular.
            due_s = now_s + max(0.0, self._reach_s / 4 - call_s)
        elif late_s < 0:
            put_off_s = 0.0 if is_eager else self._put_off_s
            due_s = max(now_s, self._next_s + self._reach_s + put_off_s - call_s)
        elif late_s < SILENT_S:
            # The tick is late. Look again soon, then less and less often, but more often than it ticks.
            gap_s = max(self._reach_s - call_s, min(0.1 * late_s, WIDEST_SHARE * self.beat.period_s))
            if self._may_have_moved:
                gap_s = min(gap_s, _MOVED_SHARE * self.beat.period_s)
            due_s = now_s + max(gap_s, 0.5 * LEAST_GAP_S)
        else:
            due_s = now_s + _SILENT_GAP_S
        return Plan(due_s, Why.AFTER_TICK)
