"""Clocks of the meter; tests use their own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from pytest_energy.machine_time import MachineTime


class Clock(Protocol):
    """A clock that never goes back while the machine runs."""

    def now_s(self) -> float:
        """Seconds since an arbitrary zero; they don't count while the machine sleeps."""
        ...

    def sleep_s(self, duration_s: float) -> None:
        """Wait; other threads run."""
        ...

    def suspended_s(self) -> float | None:
        """Seconds that the machine has slept since it was started, or `None` if not available."""
        ...


@runtime_checkable
class CountedClock(Protocol):
    """A clock whose seconds can be compared with a second source."""

    def counted_s(self) -> float | None:
        """Seconds since an arbitrary zero from the second source, to a hundredth; `None` without one."""
        ...


@runtime_checkable
class DayClock(Protocol):
    """A clock that knows the time of day as well."""

    def utc_now(self) -> datetime:
        """The day and the time of day."""
        ...


def unix_time_s(clock: Clock, time_s: float) -> float | None:
    """Seconds since 1970 (UTC), to a millisecond, at *time_s* of *clock*, which is not long ago.

    `None` if the clock does not know the time of day.
    """
    if not isinstance(clock, DayClock):
        return None
    return round(clock.utc_now().timestamp() - (clock.now_s() - time_s), 3)


class SystemClock(MachineTime):
    """The clock of this machine."""


@dataclass(frozen=True, slots=True)
class TimeMark:
    """A moment on both clocks: the clock before and after a read of the second source."""

    before_s: float
    suspended_s: float | None
    counted_s: float | None
    after_s: float

    @classmethod
    def now(cls, clock: Clock) -> "TimeMark":
        before_s, suspended_s = clock.now_s(), clock.suspended_s()
        counted_s = clock.counted_s() if isinstance(clock, CountedClock) else None
        return cls(before_s, suspended_s, counted_s, clock.now_s())
