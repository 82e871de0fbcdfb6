"""Finding and following the ticks of a counter, from as few reads as can be.

A tick is seen as a change between two reads. Until the counter's period is known it is read often; then only
just before and just after each expected tick, so that two reads a tick are enough.

Rule 1: the tracker reads nothing itself. It says when the next read is due, and is told what was read.
Rule 2: a tick's time is the middle between the two reads that it happened between, give or take their
        distance.
Rule 3: nothing is assumed of the period but that it lies between a millisecond and a second or two.
"""

from dataclasses import replace

from pytest_energy.meter.tick_follower import TickFollower
from pytest_energy.meter.tick_search import TickSearch
from pytest_energy.meter.ticks import SILENT_S, Plan, Read, Reader, SeenTick, Why


class TickTracker:
    """Searches for the period of one counter, then follows it.

    Attributes:
        plan: The next read, and what it is for.
    """

    def __init__(self, now_s: float) -> None:
        self.plan = Plan(now_s, Why.SEARCHING)
        self._last: Read | None = None
        self._last_tick_s = now_s
        self._reader = Reader()
        self._is_newly_eager = False
        self._search = TickSearch(self._reader)
        self._follower: TickFollower | None = None

    @property
    def due_s(self) -> float:
        """When the next read is wanted."""
        return self.plan.due_s

    @property
    def tick_s(self) -> float | None:
        """Period of the counter as far as it can be told, or `None` until it is known.

        A counter that ticks faster than it can be read has the period of its reads.
        """
        return None if self._follower is None else self._follower.tick_s

    def see(self, started_s: float, ended_s: float, joules: float) -> SeenTick | None:
        """Take in one read.

        Returns:
            The tick that it shows, or `None`.
        """
        read, last = Read(started_s, ended_s, joules), self._last
        self._last = read
        self._reader.take(read, self.due_s, is_first=last is None)
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

    def is_silent(self, now_s: float) -> bool:
        """Whether the counter has stood still for so long that it can't be said to tick."""
        slow_s = 0.0 if self.tick_s is None else 4 * self.tick_s
        return now_s - self._last_tick_s > max(SILENT_S, slow_s)

    def skip_to(self, due_s: float) -> None:
        """Ask for no read before *due_s*: the last one failed."""
        self.plan = replace(self.plan, due_s=due_s)

    def poll_eagerly(self) -> None:
        """Follow each tick from now on, until `poll_normally`; may be called by another thread."""
        self._reader.is_eager = self._is_newly_eager = True

    def poll_normally(self) -> None:
        self._reader.is_eager = False

    def update_plan(self, now_s: float) -> None:
        """Plan anew if somebody has begun to wait since the last plan."""
        if self._is_newly_eager:
            self._is_newly_eager = False
            if self._follower is not None:
                self.plan = self._follower.hurry(self.plan, now_s)
