"""How far apart the monotonic clocks of two machines are, from the exchanges between them. Pure.

An agent gets a poll and answers it between the moments at which it was sent and its answer received:

    sent <= asked + offset,    answered + offset <= received

Rule 1: each exchange proves an interval for the offset, whatever the network did. What all of them prove is
        their intersection, so the shortest way in each direction counts, also where no exchange had both.
Rule 2: clocks drift. An exchange proves less of other moments: each second widens its interval by
        `MOST_DRIFT`. Nothing is assumed of the drift but that bound.
Rule 3: intervals that exclude each other prove that a clock was stepped: a machine slept, or the agent's
        clock is another one.
Rule 4: the offset is taken as the middle of what is proven. A path that takes longer in one direction is off
        by up to half of the interval, and nothing tells by how much: each value in it is as likely, so the
        standard uncertainty is half of it over sqrt(3). Twice that holds every value in it.
Rule 5: both edges of a window are off by nearly the same. By how much they differ is bounded too: by the
        drift between them, and by what is proven of each.

Source:
    Marzullo and Owicki, Maintaining the Time in a Distributed System, 1983: intersections of intervals.
    adjtimex(2): the kernel changes the rate of a clock by 500 ppm at most; a quartz errs by 50.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

from pytest_energy.model import ClockError
from pytest_energy.units import to_text

MOST_DRIFT = 2 * (500e-6 + 50e-6)
"""Seconds per second by which one clock gains on the other at most."""

# Clocks are read to less than this.
_RESOLUTION_S = 1e-6

# Moments that are kept: half an hour where each poll says something new.
_MOST_MOMENTS = 1 << 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A poll on both clocks: sent and received on this machine's, asked and answered on the agent's."""

    sent_s: float
    asked_s: float
    answered_s: float
    received_s: float

    @property
    def round_trip_s(self) -> float:
        """Seconds under way, both directions together."""
        return (self.received_s - self.sent_s) - (self.answered_s - self.asked_s)


@dataclass(frozen=True, slots=True)
class Offset:
    """This machine's clock less the agent's: *middle_s*, surely no further off than *reach_s*."""

    middle_s: float
    reach_s: float


class _Least:
    """The least that a value can be at any moment, of what was proven of some moments (rule 2).

    A moment at which others prove as much isn't kept. Of those that are, none says more than the two beside
    a moment.
    """

    def __init__(self) -> None:
        self._moments: list[tuple[float, float]] = []

    def add(self, time_s: float, least_s: float) -> None:
        """Take in the newest: at *time_s* the value is *least_s* at least."""
        moments = self._moments
        if moments and self.at(time_s) >= least_s:
            return
        count = len(moments)
        while count and least_s - MOST_DRIFT * (time_s - moments[count - 1][0]) >= moments[count - 1][1]:
            count -= 1
        # A new list: another thread may be looking at the old one.
        self._moments = [*moments[max(0, count - _MOST_MOMENTS) : count], (time_s, least_s)]

    def at(self, time_s: float) -> float:
        moments = self._moments
        place = bisect_left(moments, time_s, key=lambda moment: moment[0])
        beside = moments[max(0, place - 1) : place + 1]
        return max(
            (least_s - MOST_DRIFT * abs(time_s - when_s) for when_s, least_s in beside), default=-math.inf
        )


class ClockOffset:
    """What the exchanges so far prove; nothing until the first."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._least, self._least_negative = _Least(), _Least()
        self._newest: Exchange | None = None

    @property
    def is_known(self) -> bool:
        return self._newest is not None

    def add(self, exchange: Exchange) -> str | None:
        """Take in the newest exchange; why it contradicts those before, or `None`.

        One that does is not taken in.
        """
        if exchange.answered_s < exchange.asked_s or exchange.received_s < exchange.sent_s:
            return "a clock went back during a poll"
        least_s = exchange.sent_s - exchange.asked_s
        most_s = exchange.received_s - exchange.answered_s
        step_s = max(
            least_s + self._least_negative.at(exchange.asked_s),
            self._least.at(exchange.answered_s) - most_s,
        )
        if step_s > _RESOLUTION_S:
            return f"the two clocks moved apart by at least {to_text(step_s, 's', digits=2)}"
        self._least.add(exchange.asked_s, least_s)
        self._least_negative.add(exchange.answered_s, -most_s)
        self._newest = exchange
        return None

    def at(self, agent_s: float) -> Offset:
        """The offset at the agent's *agent_s*; infinitely uncertain before the first exchange."""
        least_s, most_s = self._least.at(agent_s), -self._least_negative.at(agent_s)
        return Offset((least_s + most_s) / 2, max(0.0, most_s - least_s) / 2)

    def at_local(self, local_s: float) -> Offset:
        """The offset at this machine's *local_s*.

        Raises:
            ValueError: There was no exchange.
        """
        if self._newest is None:
            raise ValueError("no exchange")
        return self.at(local_s - self.at(self._newest.answered_s).middle_s)

    def error(self, start_s: float, stop_s: float) -> ClockError:
        """How well the two edges of a window are known on the agent's clock (rules 4 and 5)."""
        start, stop = self.at_local(start_s), self.at_local(stop_s)
        drift_s = abs(stop.middle_s - start.middle_s) + MOST_DRIFT * abs(stop_s - start_s)
        return ClockError(
            alike_s=max(start.reach_s, stop.reach_s) / math.sqrt(3),
            apart_s=min(start.reach_s + stop.reach_s, drift_s) / math.sqrt(3),
        )
