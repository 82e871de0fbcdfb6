"""The last things of many, numbered from 0: a reader says which it wants next, and is told what it missed.

Rule 1: memory is bounded, and a ring of ticks has all of it from the start.
"""

from array import array
from collections import deque
from dataclasses import astuple, dataclass
from threading import Lock
from typing import Generic, TypeVar

from pytest_energy.meter.ticks import SeenTick

T = TypeVar("T")

_FIELDS = len(SeenTick.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Stretch(Generic[T]):
    """Some of the things that a reader wants.

    Attributes:
        lost_count: Things before these that the reader wanted and that are no longer kept.
        next_number: Of the thing after these.
    """

    items: tuple[T, ...]
    lost_count: int
    next_number: int


class Numbered(Generic[T]):
    """The last *size* things."""

    def __init__(self, size: int) -> None:
        self._lock = Lock()
        self._items: deque[T] = deque(maxlen=size)
        self._end = 0

    def append(self, item: T) -> None:
        with self._lock:
            self._items.append(item)
            self._end += 1

    def after(self, number: int | None) -> Stretch[T]:
        """Things from *number* on; with `None` those to come. A number that is still to come is the end."""
        with self._lock:
            wanted = self._end if number is None else min(number, self._end)
            kept = self._end - len(self._items)
            first = max(wanted, kept)
            return Stretch(tuple(self._items)[first - kept :], first - wanted, self._end)


class TickRing:
    """The last *size* ticks of a channel."""

    def __init__(self, size: int) -> None:
        self._lock = Lock()
        self._size = size
        self._values = array("d", bytes(8 * _FIELDS * size))
        self._first = self._end = 0

    def append(self, tick: SeenTick) -> None:
        with self._lock:
            place = self._end % self._size * _FIELDS
            self._values[place : place + _FIELDS] = array("d", astuple(tick))
            self._end += 1
            self._first = max(self._first, self._end - self._size)

    def forget(self) -> None:
        """Keep none of those so far."""
        with self._lock:
            self._first = self._end

    def after(self, number: int, most: int) -> Stretch[SeenTick]:
        """At *most* so many ticks from *number* on. A number that is still to come is the end."""
        with self._lock:
            wanted = min(number, self._end)
            first = max(wanted, self._first)
            stop = min(self._end, first + most)
            ticks = tuple(self._tick(number) for number in range(first, stop))
            return Stretch(ticks, first - wanted, stop)

    def newest(self, most: int) -> Stretch[SeenTick]:
        """The last ticks, at *most* so many; none is lost."""
        with self._lock:
            first = max(self._first, self._end - most)
            ticks = tuple(self._tick(number) for number in range(first, self._end))
            return Stretch(ticks, 0, self._end)

    def _tick(self, number: int) -> SeenTick:
        place = number % self._size * _FIELDS
        time_s, joules, spread_s, after_s, before_s = self._values[place : place + _FIELDS]
        return SeenTick(time_s=time_s, joules=joules, spread_s=spread_s, after_s=after_s, before_s=before_s)
