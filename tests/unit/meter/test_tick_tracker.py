"""Ticks that are found and followed with few reads."""

import random
from collections.abc import Callable

import pytest

from pytest_energy.meter.tick_tracker import TickTracker
from pytest_energy.meter.ticks import SILENT_S, Read, SeenTick


class Reads:
    """Reads of a counter that ticks once each *tick_s* from 0.03 s on, whenever the tracker wants one."""

    def __init__(
        self,
        tick_s: float,
        call_s: float = 0.003,
        tick_at: Callable[[int], float] | None = None,
        *,
        is_known: bool = False,
    ) -> None:
        self.tick_at = (lambda number: 0.03 + number * tick_s) if tick_at is None else tick_at
        self.call_s = call_s
        self.now_s = 0.0
        self.tracker = TickTracker(0.0, is_known=is_known)
        self._number = self.count = 0

    def read(self) -> SeenTick | None:
        self.tracker.update_plan(self.now_s)
        self.now_s = started_s = max(self.now_s, self.tracker.due_s)
        looked_s = started_s + self.call_s / 2
        while self.tick_at(self._number + 1) <= looked_s:
            self._number += 1
        self.now_s += self.call_s
        self.count += 1
        return self.tracker.see(Read(started_s, self.now_s, 12.0 * self._number))

    def until(self, stop_s: float) -> list[SeenTick]:
        seen = []
        while self.now_s < stop_s:
            tick = self.read()
            if tick is not None:
                seen.append(tick)
        return seen


@pytest.mark.parametrize("tick_s", [0.001, 0.01, 0.02, 0.1, 0.5, 1.0])
def test_the_period_is_found(tick_s: float) -> None:
    """A counter's period between 1 ms and 1 s is found within 5 s, to 1 %."""
    reads = Reads(tick_s, call_s=2e-5)
    reads.until(5.0)
    assert reads.tracker.tick_s == pytest.approx(tick_s, rel=0.01)


def test_a_counter_faster_than_its_reads_has_their_period() -> None:
    """Ticks of 1 ms that are read in 3 ms can't be told apart; their period is that of the reads."""
    reads = Reads(0.001, call_s=0.003)
    reads.until(3.0)
    assert reads.tracker.tick_s is not None
    assert 0.002 < reads.tracker.tick_s < 0.006


@pytest.mark.parametrize(("tick_s", "call_s"), [(0.1, 0.003), (0.1, 2e-5), (0.5, 0.004), (1.0, 0.003)])
def test_a_counter_that_keeps_to_its_beat_takes_less_than_a_read_a_tick(tick_s: float, call_s: float) -> None:
    """Once the beat is known most ticks are believed: one read each, of those that are followed at all."""
    reads = Reads(tick_s, call_s)
    reads.until(80 * tick_s)
    before = reads.count
    seen = reads.until(280 * tick_s)
    assert reads.count - before <= 230
    assert (reads.count - before) * call_s <= 0.02 * 200 * tick_s
    assert all(abs(tick.time_s - reads.tick_at(round(tick.joules / 12))) < 3 * tick.spread_s for tick in seen)


@pytest.mark.parametrize(("tick_s", "call_s"), [(0.1, 0.003), (0.5, 0.004)])
def test_two_reads_a_tick_are_enough_without_a_beat(tick_s: float, call_s: float) -> None:
    """A counter that keeps no beat takes two reads a tick, and no tick is missed."""
    rng = random.Random(7)  # noqa: S311  # a seeded simulation
    times = [0.03 + tick_s * (number + 0.2 * rng.random()) for number in range(400)]
    reads = Reads(tick_s, call_s, tick_at=lambda number: times[number])
    reads.until(100 * tick_s)
    before = reads.count
    seen = reads.until(300 * tick_s)
    assert len(seen) == pytest.approx(200, abs=3)
    assert (reads.count - before) / len(seen) <= 2.3


def test_whoever_follows_each_tick_gets_each() -> None:
    """For what lies between the edges of a window, each tick of a counter that is believed is read once."""
    reads = Reads(0.1)
    reads.until(8.0)
    reads.tracker.follow_each(is_each=True)
    before = reads.count
    assert len(reads.until(28.0)) == pytest.approx(200, abs=2)
    assert reads.count - before <= 260


def test_a_counter_is_left_alone_until_it_may_be_read() -> None:
    """Around short work nobody reads it; the next read has the value of a tick whose time is known."""
    reads = Reads(0.1)
    reads.until(8.0)
    reads.tracker.follow_each(is_each=True)
    reads.until(9.0)
    reads.tracker.follow_each(is_each=False)
    reads.tracker.leave_until(9.75)
    reads.tracker.poll_eagerly()
    before = reads.count
    (first,) = reads.until(9.75)  # the read that comes then
    assert reads.count - before == 1
    assert reads.now_s > 9.75
    assert first.time_s == pytest.approx(9.73, abs=2 * first.spread_s)


def test_each_tick_is_read_where_that_is_asked_for() -> None:
    """What lies inside a window is worth more than what a read disturbs."""
    reads = Reads(0.1)
    reads.until(8.0)
    reads.tracker.follow_each(is_each=True)
    reads.tracker.leave_until(9.0)
    assert len(reads.until(9.0)) >= 9


def test_a_counter_that_keeps_no_beat_is_not_left_alone() -> None:
    """Its ticks would be lost."""
    rng = random.Random(7)  # noqa: S311  # a seeded simulation
    times = [0.03 + 0.1 * (number + 0.2 * rng.random()) for number in range(200)]
    reads = Reads(0.1, tick_at=lambda number: times[number])
    reads.until(8.0)
    reads.tracker.leave_until(9.0)
    assert len(reads.until(9.0)) >= 9


class ReadsOfTheEnd(Reads):
    """The value is that of the end of a call, which is the longer the nearer a tick is."""

    def read(self) -> SeenTick | None:
        self.tracker.update_plan(self.now_s)
        started_s = max(self.now_s, self.tracker.due_s) + 1e-4
        self.now_s = started_s + self.call_s + 1e-3 * ((1e4 * started_s) % 1)
        while self.tick_at(self._number + 1) <= self.now_s:
            self._number += 1
        self.count += 1
        return self.tracker.see(Read(started_s, self.now_s, 12.0 * self._number, is_of_end=True))


def test_ticks_are_known_better_than_calls_are_long_where_it_is_known_when_they_look() -> None:
    """With calls of 3 to 4 ms of whose end the value is, a tick is known to 0.5 ms, and is there."""
    reads = ReadsOfTheEnd(0.1, tick_at=lambda number: 0.03 + 0.1000013 * number)
    reads.until(30.0)
    seen = reads.until(60.0)
    assert len(seen) > 80  # of 300, as each read costs a part of a core
    assert all(tick.spread_s < 5e-4 for tick in seen)
    offs_s = [tick.time_s - reads.tick_at(round(tick.joules / 12.0)) for tick in seen]
    assert max(map(abs, offs_s)) < 1e-3


def test_a_fast_counter_is_not_followed_tick_by_tick() -> None:
    """Where each tick would cost too much of a core, only some are followed."""
    reads = Reads(0.001, call_s=2e-5)
    reads.until(2.0)
    before = reads.count
    reads.until(12.0)
    assert reads.count - before < 1300


def test_a_hurry_follows_each_tick() -> None:
    """While somebody waits, each tick of a fast counter is seen."""
    reads = Reads(0.01, call_s=2e-5)
    reads.until(2.0)
    reads.tracker.poll_eagerly()
    assert len(reads.until(3.0)) == pytest.approx(100, abs=3)
    reads.tracker.poll_normally()
    assert len(reads.until(4.0)) < 60


def test_a_seen_tick_lies_between_its_bounds() -> None:
    """The real tick is never outside the moments that the tracker is sure of, and near the time it says."""
    rng = random.Random(3)  # noqa: S311  # a seeded simulation
    times = [0.03 + 0.1 * number + rng.gauss(0.0, 0.002) for number in range(400)]
    reads = Reads(0.1, 0.003, tick_at=lambda number: times[number])
    seen = reads.until(30.0)
    real = [times[round(tick.joules / 12.0)] for tick in seen]
    assert all(tick.after_s <= time_s <= tick.before_s for tick, time_s in zip(seen, real, strict=True))
    deviations = [(tick.time_s - time_s) / tick.spread_s for tick, time_s in zip(seen, real, strict=True)]
    assert 0.7 < (sum(d * d for d in deviations) / len(deviations)) ** 0.5 < 1.3


def test_a_drifting_period_is_followed() -> None:
    """A period that grows by 10 % within 200 ticks is followed to the end."""
    reads = Reads(0.1, 0.003, tick_at=lambda number: 0.03 + 0.1 * number * (1.0 + number / 4000))
    seen = reads.until(reads.tick_at(200))
    assert len(seen) >= 195
    assert reads.tracker.tick_s == pytest.approx(0.11, rel=0.03)


def test_a_counter_that_stops_is_silent() -> None:
    """A counter that stands still longer than any tick is silent, and isn't read without end."""
    reads = Reads(0.1, 0.003, tick_at=lambda number: 0.03 + 0.1 * number if number < 50 else 1e9)
    reads.until(5.5)
    was_silent, before = reads.tracker.is_silent, reads.count
    reads.until(10.0)
    assert (was_silent, reads.tracker.is_silent) == (False, True)
    assert reads.count - before < 100


def test_a_counter_that_never_moves_has_no_period() -> None:
    """No tick is made up for a counter that stands still from the start."""
    reads = Reads(1e9)
    assert reads.until(2 * SILENT_S) == []
    assert reads.tracker.tick_s is None
    assert reads.tracker.is_silent


def test_a_long_absence_is_no_tick() -> None:
    """After the reader was held up over several ticks, the change it sees is no tick with a time."""
    reads = Reads(0.1)
    reads.until(2.0)
    reads.now_s += 0.47
    assert reads.read() is None
    assert len(reads.until(3.5)) >= 5


def held_up(reads: Reads, until_s: float, mean_s: float) -> None:
    """Read on with a thread that wakes late, by *mean_s* on the average."""
    rng = random.Random(5)  # noqa: S311  # a seeded simulation
    while reads.now_s < until_s:
        reads.now_s = max(reads.now_s, reads.tracker.due_s) + rng.expovariate(1 / mean_s)
        reads.read()


def widths_s(ticks: list[SeenTick]) -> list[float]:
    return sorted(tick.before_s - tick.after_s for tick in ticks)


@pytest.mark.parametrize("mean_s", [0.005, 0.03, 0.1])
def test_ticks_are_seen_sharply_again_after_the_thread_was_held_up(mean_s: float) -> None:
    """A second after three seconds of late reads, most ticks are seen within 20 ms again, by few reads."""
    reads = Reads(0.1)
    reads.until(4.0)
    held_up(reads, 7.0, mean_s)
    reads.until(8.0)
    before = reads.count
    seen = reads.until(12.0)
    assert len(seen) >= 12
    assert widths_s(seen)[len(seen) // 2] < 0.02
    assert reads.count - before <= 150


def test_one_slow_read_changes_nothing() -> None:
    """Ticks after a read that took 91 ms are seen as sharply as before."""
    reads = Reads(0.1)
    reads.until(8.0)
    before = widths_s(reads.until(16.0))
    reads.call_s = 0.091
    reads.read()
    reads.call_s = 0.003
    after = widths_s(reads.until(24.0))
    assert after[len(after) // 2] < 1.3 * before[len(before) // 2]


def test_a_period_is_not_taken_from_ticks_that_hid() -> None:
    """A thread that is held up while the period is searched finds it all the same."""
    reads = Reads(0.1)
    held_up(reads, 1.5, 0.05)
    reads.until(3.0)
    assert reads.tracker.tick_s == pytest.approx(0.1, rel=0.01)


def test_a_period_does_not_begin_with_a_tick_that_was_seen_late() -> None:
    """Of a read that took 0.9 s nobody knows when in it the counter ticked last: no period begins there."""
    reads = Reads(0.1)
    reads.read()
    reads.until(0.15)
    reads.call_s = 0.9
    reads.read()
    reads.call_s = 0.003
    while reads.tracker.tick_s is None:
        reads.read()
    assert reads.tracker.tick_s == pytest.approx(0.1, rel=0.01)


def test_a_search_that_had_to_wait_begins_anew() -> None:
    """What passed while another counter was searched is not one tick."""
    reads = Reads(0.1)
    reads.read()
    reads.now_s += 0.4
    assert reads.read() is None
    reads.until(reads.now_s + 0.4)
    assert reads.tracker.tick_s == pytest.approx(0.1, rel=0.03)


def test_the_turn_of_a_silent_counter_ends() -> None:
    """A counter that doesn't tick keeps others waiting for less than half a second."""
    reads = Reads(1e9)
    reads.until(0.3)
    assert reads.tracker.is_looking
    reads.until(0.5)
    assert not reads.tracker.is_looking


def test_a_busy_interpreter_is_allowed_for() -> None:
    """Where each read is 5 ms late, as if a thread keeps the interpreter, ticks are seen within 30 ms."""
    reads = Reads(0.1)
    seen = []
    while reads.now_s < 20.0:
        reads.now_s = max(reads.now_s, reads.tracker.due_s) + 0.005
        tick = reads.read()
        if tick is not None and reads.now_s > 4.0:
            seen.append(tick)
    assert len(seen) >= 50
    assert widths_s(seen)[len(seen) // 2] < 0.03


class WaitingReads(Reads):
    """As on an H100: the value is that of the end of a call, which waits if it begins right after a tick."""

    in_calls_s = 0.0

    def read(self) -> SeenTick | None:
        self.tracker.update_plan(self.now_s)
        started_s = max(self.now_s, self.tracker.due_s) + 2e-4
        self.now_s = started_s + self.call_s
        while self.tick_at(self._number + 1) <= self.now_s:
            self._number += 1
        if started_s >= self.tick_at(self._number):
            self.now_s = max(self.now_s, self.tick_at(self._number) + 0.0155)
        self.in_calls_s += self.now_s - started_s
        return self.tracker.see(Read(started_s, self.now_s, 12.0 * self._number))


def test_a_read_that_would_wait_right_after_a_tick_is_put_off() -> None:
    """Where reads right after a tick wait, busily, following the ticks takes less than 3 % of the time."""
    rng = random.Random(3)  # noqa: S311  # a seeded simulation
    times = [0.03 + 0.1 * number + rng.gauss(0.0, 0.0006) for number in range(700)]
    reads = WaitingReads(0.1, tick_at=lambda number: times[number])
    reads.until(10.0)
    reads.in_calls_s = 0.0
    seen = reads.until(60.0)
    assert len(seen) >= 150
    assert reads.in_calls_s < 0.03 * 50.0


@pytest.mark.parametrize("is_eager", [False, True])
@pytest.mark.parametrize("shift_s", [-0.006, -0.002, 0.0, 0.002, 0.006])
def test_ticks_after_a_hold_up_are_where_they_are_said_to_be(shift_s: float, *, is_eager: bool) -> None:
    """Wherever between two ticks the reader is let go again, the next ones are seen within their spread."""
    errors = []
    for end_s in (7.5 + 0.002 * step for step in range(50)):
        reads = Reads(0.1, tick_at=lambda number: 0.03 + 0.1 * number + (shift_s if number >= 55 else 0.0))
        reads.until(5.0)
        reads.now_s = end_s
        if is_eager:
            reads.tracker.poll_eagerly()
        seen = reads.until(8.2)
        numbers = [round((tick.time_s - 0.03 - shift_s) / 0.1) for tick in seen]
        errors += [(t.time_s - reads.tick_at(n)) / t.spread_s for t, n in zip(seen, numbers, strict=True)]
    assert len(errors) > 150
    assert max(map(abs, errors)) < 2.0


def moving(shift_s: float, *, is_known: bool = False) -> Reads:
    """Reads of a counter that keeps to its beat, but for a move at 9.5 s: it ticked faster in work."""
    return Reads(
        0.1, 8e-4, lambda number: 0.03 + 0.1 * number + (shift_s if number > 94 else 0.0), is_known=is_known
    )


@pytest.mark.parametrize("shift_s", [-0.08, -0.06, -0.037, -0.02, -0.008, 0.02, 0.06])
def test_a_beat_that_work_has_moved_is_seen_by_whoever_waits(shift_s: float) -> None:
    """Each tick after it is where it is said to be, to a percent of a tick, and the beat is kept to again."""
    reads = moving(shift_s)
    reads.until(9.6)
    reads.tracker.poll_eagerly()
    seen = reads.until(10.3)
    assert len(seen) >= 5
    for tick in seen[1:]:  # of the first only its value is sure
        off_s = (tick.time_s - 0.03 - shift_s + 0.05) % 0.1 - 0.05
        assert abs(off_s) < max(1e-3, 3 * tick.spread_s)
        assert tick.spread_s < 1e-3
    before = reads.count
    assert len(reads.until(11.3)) == pytest.approx(10, abs=1)
    assert reads.count - before <= 40


def test_a_beat_that_is_known_to_be_kept_in_work_is_not_looked_at_for_that() -> None:
    """A counter whose response is known is believed after work as before: reads would disturb it."""
    reads = moving(0.0, is_known=True)
    reads.until(9.6)
    before = reads.count
    reads.tracker.poll_eagerly()
    assert len(reads.until(10.05)) == 4
    assert reads.count - before <= 4


def test_a_look_that_comes_after_its_tick_waits_for_the_next() -> None:
    """In work a counter may tick earlier; how irregular it is at rest is not learned from that."""
    reads = moving(-0.03)
    reads.tracker.follow_each(is_each=True)
    reads.until(16.0)  # one in 40 is looked at
    seen = reads.until(20.0)
    assert all(abs((tick.time_s + 0.05) % 0.1 - 0.05) < 1e-3 for tick in seen[-10:])
    before = reads.count
    reads.until(22.0)
    assert reads.count - before <= 30


def test_looks_by_short_calls_are_not_locked_to_the_tick() -> None:
    """Calls of 20 us come 0.2 ms apart: begun always as long before the tick, all would err alike."""
    reads = Reads(0.02, 2e-5)
    reads.until(100.0)
    seen = reads.until(101.0)
    assert max(abs((tick.time_s - 0.03 + 0.01) % 0.02 - 0.01) for tick in seen) < 3e-5
