"""Reads, at the edges of a window, of channels that don't tick; each has its own time.

Rule 1: a counter was looked at somewhere between the start and the end of the call. Beside busy threads that
        may be long after the call before it.
Rule 2: joules are those between two reads, less what was used between a read and its edge. There nothing of
        the work runs, so it is the power at rest that counts, where it is known. How far off that may be is
        in the uncertainty.
        Where the counter is of the work alone that power is none, and nothing is off.
Rule 3: before the start there is time: reads that something came between are made again. After the stop there
        is none: the edge is where the work ended.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.ticks import Read
from pytest_energy.model import Tick

# Four reads of RAPL take a tenth of a millisecond, and its counters are up to one old. What took longer was
# held up, or is slow: then the next attempt takes as long.
_PROMPT_S = 5e-4
_SLOW_SHARE = 0.8
_MOST_ATTEMPTS = 4

ReadAll = Callable[[], Mapping[str, Read]]


@dataclass(frozen=True, slots=True)
class Edge:
    """A moment, and the reads beside it of the channels that don't tick."""

    time_s: float
    reads: Mapping[str, Read]

    @property
    def reach_s(self) -> float:
        """From the edge to the far end of its reads."""
        reach_s = 0.0
        for read in self.reads.values():
            reach_s = max(reach_s, self.time_s - read.started_s, read.ended_s - self.time_s)
        return reach_s


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


def ticks_at(
    start: Edge, stop: Edge, rest_w: Mapping[str, float], exact: Collection[str] = ()
) -> dict[str, tuple[Tick, Tick]]:
    """Counter values at the edges themselves, estimated from their reads and power at rest.

    *exact* are the channels of the work alone.
    """
    ticks = {}
    for name, last in stop.reads.items():
        first = start.reads[name]
        power_w = _power_w(first, last, rest_w[name]) if name in rest_w else 0.0
        is_exact = name in exact
        ticks[name] = (
            _moved(first, start.time_s, power_w, is_exact=is_exact),
            _moved(last, stop.time_s, power_w, is_exact=is_exact),
        )
    return ticks


def _power_w(first: Read, last: Read, rest_w: float) -> float:
    """Power beside the edges: that at rest, but never more than all there was."""
    duration_s = last.middle_s - first.middle_s
    return min(rest_w, (last.joules - first.joules) / duration_s if duration_s > 0 else 0.0)


def _moved(read: Read, time_s: float, power_w: float, *, is_exact: bool) -> Tick:
    """*read* at *time_s*; the mean power times the tick's spread is how far off its joules may be."""
    if is_exact:
        return Tick(time_s, read.joules + power_w * (time_s - read.middle_s), 0.0)
    call_s = read.ended_s - read.started_s
    gap_s = time_s - read.started_s - call_s / 2
    return Tick(time_s, read.joules + power_w * gap_s, math.sqrt(gap_s**2 / 3 + call_s**2 / 12))
