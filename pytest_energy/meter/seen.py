"""What a sampler has seen: the ticks of its channels, and the reads that failed."""

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from typing import Protocol

from pytest_energy.meter.tick_times import HEAD_TICKS, INNER_TICKS
from pytest_energy.meter.ticks import SeenTick

_HISTORY_TICKS = 1 << 16
_RECENT_TICKS = 1 << 12
_BESIDE_TICKS = 2 * (HEAD_TICKS + INNER_TICKS)  # twice what a window takes at its start
_FAULTS = 64


class Seen(Protocol):
    """A sampler's memory. The sampler's thread writes it, others read."""

    def keep_tick(self, channel: str, tick: SeenTick) -> None: ...

    def keep_fault(self, channel: str, time_s: float, because: str) -> None: ...

    def ticks(self, channel: str) -> Sequence[SeenTick]:
        """Ticks of *channel* that are still known, in order; the sequence may grow."""
        ...

    def faults(self, channel: str) -> tuple[tuple[float, str], ...]:
        """The last reads of *channel* that failed: when, and why."""
        ...

    def mark(self) -> None:
        """Know that a window begins: the ticks beside now are needed when it ends, whenever that is."""
        ...

    def forget_ticks(self) -> None:
        """Know of no tick: what was seen is long ago."""
        ...


class SeenLately:
    """The last ticks, and of a very long history each second one: memory doesn't grow without end.

    Those beside the start of the last window remain, as many as it takes to integrate it.
    """

    def __init__(self) -> None:
        self._ticks: defaultdict[str, list[SeenTick]] = defaultdict(list)
        self._marks_s: dict[str, float] = {}  # the last tick when a window began, by channel
        self._faults: defaultdict[str, deque[tuple[float, str]]] = defaultdict(lambda: deque(maxlen=_FAULTS))

    def keep_tick(self, channel: str, tick: SeenTick) -> None:
        ticks = self._ticks[channel]
        ticks.append(tick)
        if len(ticks) > _HISTORY_TICKS:
            # A new list: somebody may be looking at the old one.
            low, high = self._beside_mark(channel, len(ticks) - _RECENT_TICKS)
            self._ticks[channel] = [
                *ticks[:low:2],
                *ticks[low:high],
                *ticks[high:-_RECENT_TICKS:2],
                *ticks[-_RECENT_TICKS:],
            ]

    def _beside_mark(self, channel: str, end: int) -> tuple[int, int]:
        """From where to where, up to *end*, ticks are beside the start of a window."""
        mark_s = self._marks_s.get(channel)
        if mark_s is None:
            return end, end
        place = bisect_right(self._ticks[channel], mark_s, key=lambda tick: tick.time_s)
        return max(0, min(place - _BESIDE_TICKS, end)), min(place + _BESIDE_TICKS, end)

    def mark(self) -> None:
        self._marks_s = {name: ticks[-1].time_s for name, ticks in tuple(self._ticks.items()) if ticks}

    def keep_fault(self, channel: str, time_s: float, because: str) -> None:
        self._faults[channel].append((time_s, because))

    def ticks(self, channel: str) -> Sequence[SeenTick]:
        return self._ticks[channel]

    def faults(self, channel: str) -> tuple[tuple[float, str], ...]:
        return tuple(self._faults[channel]) if channel in self._faults else ()

    def forget_ticks(self) -> None:
        self._ticks.clear()
        self._marks_s = {}


def count_after(ticks: Sequence[SeenTick], time_s: float) -> int:
    """How many of *ticks*, in order, were surely after *time_s*."""
    first = bisect_right(ticks, time_s, key=lambda tick: tick.time_s)
    return sum(tick.after_s >= time_s for tick in ticks[first:])


def fault_since(faults: Collection[tuple[float, str]], since_s: float) -> str | None:
    """Why the first of *faults* at or after *since_s* happened, or `None`."""
    return next((because for time_s, because in faults if time_s >= since_s), None)
