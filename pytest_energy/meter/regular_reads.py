"""Reads of a counter that doesn't tick, at a fixed mean rate; each is a tick.

Rule 1: when each read was made is known, whenever it was due.
Rule 2: the reads keep to no beat. Whoever looks at ticks takes those that keep to one back to it, and these
        times are right as they are. Spread by a twentieth of the period around a beat, 60 % of readings
        held the truth within two of their uncertainties; with gaps that differ 96 % do.
"""

import math

from pytest_energy.meter.even_shares import EvenShares
from pytest_energy.meter.ticks import Read, SeenTick
from pytest_energy.sensors.protocol import COUNTER_AGE_S

# Gaps are spread by so much of the period around it, evenly.
_SPREAD_SHARE = 0.6


class RegularReads:
    """Plans the reads of one counter, as a `TickTracker` does for one that ticks."""

    is_silent = is_looking = False

    def __init__(self, now_s: float, period_s: float) -> None:
        self.tick_s: float | None = period_s
        self.due_s = now_s
        self._period_s, self._dither = period_s, EvenShares()
        self._last: Read | None = None

    def see(self, read: Read) -> SeenTick:
        """The tick that *read* is."""
        last, self._last = self._last, read
        self._plan(read.ended_s)
        after_s = read.started_s - COUNTER_AGE_S
        tick = SeenTick(
            time_s=(after_s + read.ended_s) / 2,
            joules=read.joules,
            spread_s=math.hypot(read.call_s, COUNTER_AGE_S) / math.sqrt(12),
            after_s=after_s,
            before_s=read.ended_s,
        )
        return tick if last is None else tick.later_than(last.looked_s - COUNTER_AGE_S / 2)

    def _plan(self, now_s: float) -> None:
        self.due_s = now_s + self._period_s * (1 + _SPREAD_SHARE * (self._dither.take() - 0.5))

    @property
    def read_s(self) -> float | None:
        return None if self._last is None else self._last.started_s

    def skip_to(self, due_s: float) -> None:
        self.due_s = due_s

    def update_plan(self, now_s: float) -> None:
        """Nobody's waiting changes it."""

    def follow_each(self, *, is_each: bool) -> None:
        """The rate is fixed."""

    def leave_until(self, time_s: float) -> None:
        """The rate is fixed."""

    def poll_eagerly(self) -> None:
        """The rate is fixed."""

    def poll_normally(self) -> None:
        """The rate is fixed."""
