"""Reads, at the edges of a window, of channels that don't tick; each has its own time.

Rule 1: a counter was looked at somewhere between the start and the end of the call. Beside busy threads that
        may be long after the call before it.
Rule 2: joules are those between two reads, less what was used between a read and its edge. There nothing of
        the work runs, so it is the power at rest that counts, where it is known. How far off that may be is
        in the uncertainty.
        Where the counter is of the work alone that power is none, and nothing is off.
        A value that is old lacks the power of half its age, on average: at the start that at rest, at the
        stop that of the work. Where power at rest is known, both are added: 22 % of 2 ms at 150 W over 20 W
        (RAPL, simulated).
Rule 3: before the start there is time: reads that something came between are made again. After the stop there
        is none: the edge is where the work ended.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.integrate import Integral, edge_integral, edges_off_s
from pytest_energy.meter.tick_check import check_ticks
from pytest_energy.model import Tick

# Four reads of RAPL take a tenth of a millisecond, and its counters are up to one old. What took longer was
# held up, or is slow: then the next attempt takes as long.
_PROMPT_S = 5e-4
_SLOW_SHARE = 0.8
_MOST_ATTEMPTS = 4


class Reads(NamedTuple):
    """Counters that one call has read, by channel."""

    started_s: float
    ended_s: float
    joules: Mapping[str, float]

    def beside(self, edge_s: float) -> tuple[float, float]:
        """Seconds from the read to an edge, and how far off the joules may be: so long at mean power."""
        call_s = self.ended_s - self.started_s
        gap_s = edge_s - self.started_s - call_s / 2
        return gap_s, math.sqrt(gap_s**2 / 3 + call_s**2 / 12)


ReadAll = Callable[[], Sequence[Reads]]


class Edge(NamedTuple):
    """A moment, and the reads beside it of the channels that don't tick."""

    time_s: float
    reads: Sequence[Reads]

    @property
    def reach_s(self) -> float:
        """From the edge to the far end of its reads."""
        reach_s = 0.0
        for read in self.reads:
            reach_s = max(reach_s, self.time_s - read.started_s, read.ended_s - self.time_s)
        return reach_s

    def joules(self, name: str) -> float | None:
        """What the channel *name* showed, if it was read."""
        return next((read.joules[name] for read in self.reads if name in read.joules), None)


def start_now(read_all: ReadAll, clock: Clock) -> Edge:
    """An edge now, its reads just before it."""
    best = _start(read_all, clock)
    for _ in range(_MOST_ATTEMPTS - 1):
        if best.reach_s <= _PROMPT_S:
            break
        again = _start(read_all, clock)
        is_slow = _SLOW_SHARE * best.reach_s < again.reach_s < best.reach_s / _SLOW_SHARE
        best = again if again.reach_s < best.reach_s or is_slow else best
        if is_slow:
            break
    return best


def _start(read_all: ReadAll, clock: Clock) -> Edge:
    reads = read_all()
    return Edge(clock.now_s(), reads)


def stop_now(read_all: ReadAll, clock: Clock) -> Edge:
    """An edge now, its reads just after it."""
    stop_s = clock.now_s()
    return Edge(stop_s, read_all())


class EdgeTicks(Mapping[str, tuple[Tick, Tick]]):
    """Counter values at the edges themselves, by channel, estimated from their reads and power at rest.

    They are worked out when somebody asks: `integrals` needs none of them.

    Args:
        start: Where the stretch begins.
        stop: Where it ends; its channels are all.
        rest_w: Power at rest by channel, where it is known.
        exact: Channels of the work alone.
        ages_s: How old a value may be, by channel, where power beside the edges is that at rest.
    """

    def __init__(
        self,
        start: Edge,
        stop: Edge,
        rest_w: Mapping[str, float],
        exact: Collection[str] = (),
        ages_s: Mapping[str, float] | None = None,
    ) -> None:
        self._start, self._stop, self._rest_w = start, stop, rest_w
        self._exact, self._ages_s = frozenset(exact), ages_s or {}

    def __len__(self) -> int:
        return sum(len(read.joules) for read in self._stop.reads)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(read.joules for read in self._stop.reads)

    def __getitem__(self, name: str) -> tuple[Tick, Tick]:
        for first, last in zip(self._start.reads, self._stop.reads, strict=True):
            if name in last.joules:
                power_w = self._power_w(name, first, last) if name in self._rest_w else 0.0
                start = self._tick(self._start, name, first, power_w)
                stop = self._tick(self._stop, name, last, power_w)
                unseen_j = self._unseen_j(name, stop.joules - start.joules, power_w)
                return start, replace(stop, joules=stop.joules + unseen_j)
        raise KeyError(name)

    def _unseen_j(self, name: str, energy_j: float, rest_w: float) -> float:
        """What old values lack of the work's joules, beyond what they lack of those at rest."""
        duration_s = self._stop.time_s - self._start.time_s
        if name not in self._rest_w or name not in self._ages_s or duration_s <= 0:
            return 0.0
        unseen_s = min(self._ages_s[name], duration_s) / 2
        # The work's power is that of all its joules, the unseen ones too.
        return max(0.0, energy_j - rest_w * duration_s) * unseen_s / (duration_s - unseen_s)

    def _tick(self, edge: Edge, name: str, read: Reads, power_w: float) -> Tick:
        gap_s, spread_s = read.beside(edge.time_s)
        return Tick(
            edge.time_s, read.joules[name] + power_w * gap_s, 0.0 if name in self._exact else spread_s
        )

    def integrals(self, resolutions_j: Mapping[str, float]) -> dict[str, Integral]:
        """Joules between the edges, by channel.

        Raises:
            NotMeasurable: The clock or a counter went back.
        """
        integrals = {}
        duration_s = self._stop.time_s - self._start.time_s
        exact_off_s = edges_off_s(duration_s, 0.0)
        for first, last in zip(self._start.reads, self._stop.reads, strict=True):
            gap_s, off_s = 0.0, exact_off_s
            if not self._exact.issuperset(last.joules):
                first_gap_s, first_spread_s = first.beside(self._start.time_s)
                last_gap_s, last_spread_s = last.beside(self._stop.time_s)
                gap_s = last_gap_s - first_gap_s
                off_s = edges_off_s(duration_s, math.hypot(first_spread_s, last_spread_s))
            for name, last_j in last.joules.items():
                energy_j = last_j - first.joules[name]
                if name in self._rest_w:
                    power_w = self._power_w(name, first, last)
                    energy_j += power_w * gap_s
                    energy_j += self._unseen_j(name, energy_j, power_w)
                if not (duration_s > 0 and energy_j >= 0):
                    check_ticks(self[name], self._start.time_s, self._stop.time_s)
                integrals[name] = edge_integral(
                    energy_j,
                    duration_s,
                    exact_off_s if name in self._exact else off_s,
                    resolutions_j.get(name, 0.0),
                )
        return integrals

    def _power_w(self, name: str, first: Reads, last: Reads) -> float:
        """Power beside the edges: that at rest, but never more than all there was."""
        duration_s = (last.started_s + last.ended_s - first.started_s - first.ended_s) / 2
        return min(
            self._rest_w[name],
            (last.joules[name] - first.joules[name]) / duration_s if duration_s > 0 else 0.0,
        )
