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

# Exchanges beside a moment that are looked at. Those that prove nothing new aren't kept, so the next few on
# either side say almost all.
_NEAR = 32

_MOST_EXCHANGES = 1 << 14


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

    def least_s(self, agent_s: float) -> float:
        """The least offset at the agent's *agent_s* that this exchange leaves possible."""
        return self.sent_s - self.asked_s - MOST_DRIFT * abs(agent_s - self.asked_s)

    def most_s(self, agent_s: float) -> float:
        return self.received_s - self.answered_s + MOST_DRIFT * abs(agent_s - self.answered_s)

    def proves_all_of(self, other: "Exchange") -> bool:
        """Whether *other* says nothing more, of any moment."""
        return self.least_s(other.asked_s) >= other.least_s(other.asked_s) and self.most_s(
            other.answered_s
        ) <= other.most_s(other.answered_s)


@dataclass(frozen=True, slots=True)
class Offset:
    """This machine's clock less the agent's: *middle_s*, surely no further off than *reach_s*."""

    middle_s: float
    reach_s: float


class ClockOffset:
    """What the exchanges so far prove; empty until the first."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []

    @property
    def is_known(self) -> bool:
        return bool(self._exchanges)

    def forget(self) -> None:
        self._exchanges = []

    def add(self, exchange: Exchange) -> str | None:
        """Take in the newest exchange; why it contradicts those before, or `None`.

        One that does is not taken in.
        """
        if exchange.answered_s < exchange.asked_s or exchange.received_s < exchange.sent_s:
            return "a clock went back during a poll"
        if self._exchanges:
            because = self._why_stepped(exchange)
            if because is not None:
                return because
        kept = self._exchanges
        if kept and kept[-1].proves_all_of(exchange):
            return None
        while kept and exchange.proves_all_of(kept[-1]):
            kept = kept[:-1]
        # A new list: another thread may be looking at the old one.
        self._exchanges = [*kept[-_MOST_EXCHANGES:], exchange]
        return None

    def _why_stepped(self, exchange: Exchange) -> str | None:
        known = self.at(exchange.answered_s)
        least_s, most_s = exchange.least_s(exchange.answered_s), exchange.most_s(exchange.answered_s)
        low_s, high_s = known.middle_s - known.reach_s, known.middle_s + known.reach_s
        if least_s <= high_s + _RESOLUTION_S and low_s <= most_s + _RESOLUTION_S:
            return None
        step_s = least_s - high_s if least_s > high_s else low_s - most_s
        return f"the two clocks moved apart by at least {to_text(step_s, 's', digits=2)}"

    def at(self, agent_s: float) -> Offset:
        """The offset at the agent's *agent_s*, as all exchanges near it have it.

        Raises:
            ValueError: There was no exchange.
        """
        exchanges = self._exchanges
        place = bisect_left(exchanges, agent_s, key=lambda one: one.answered_s)
        near = exchanges[max(0, place - _NEAR) : place + _NEAR]
        least_s = max(exchange.least_s(agent_s) for exchange in near)
        most_s = min(exchange.most_s(agent_s) for exchange in near)
        return Offset((least_s + most_s) / 2, max(0.0, most_s - least_s) / 2)

    def at_local(self, local_s: float) -> Offset:
        """The offset at this machine's *local_s*."""
        newest = self._exchanges[-1]
        agent_s = local_s - self.at(newest.answered_s).middle_s
        return self.at(agent_s)

    def error(self, start_s: float, stop_s: float) -> ClockError:
        """How well the two edges of a window are known on the agent's clock (rules 4 and 5)."""
        start, stop = self.at_local(start_s), self.at_local(stop_s)
        drift_s = abs(stop.middle_s - start.middle_s) + MOST_DRIFT * abs(stop_s - start_s)
        return ClockError(
            alike_s=max(start.reach_s, stop.reach_s) / math.sqrt(3),
            apart_s=min(start.reach_s + stop.reach_s, drift_s) / math.sqrt(3),
        )
