"""Clocks of the meter; tests use their own."""

from functools import cache
from typing import NamedTuple, Protocol, TypeGuard, runtime_checkable

from pytest_energy.machine_time import MachineTime

# Far below what the kernel counts by, and far above what begins a window that follows another one.
_SAME_MOMENT_S = 1e-3


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

    def unix_s(self, time_s: float, suspended_s: float | None) -> float:
        """Seconds since 1970 (UTC) at a moment of the clock, when the machine had slept for so long."""
        ...


# `isinstance` of a protocol looks each method up, each time: that is 4 us, in which a window could begin.


def is_counted(clock: Clock) -> TypeGuard[CountedClock]:
    """Whether *clock* is a `CountedClock`."""
    return _is_kind(type(clock), CountedClock)


def knows_day(clock: Clock) -> TypeGuard[DayClock]:
    """Whether *clock* is a `DayClock`."""
    return _is_kind(type(clock), DayClock)


@cache
def _is_kind(kind: type[object], protocol: type[object]) -> bool:
    return issubclass(kind, protocol)


class SystemClock(MachineTime):
    """The clock of this machine."""


class TimeMark(NamedTuple):
    """A moment on both clocks: the clock before and after a read of the second source."""

    before_s: float
    suspended_s: float | None
    counted_s: float | None
    after_s: float

    @classmethod
    def now(cls, clock: Clock) -> "TimeMark":
        before_s, suspended_s = clock.now_s(), clock.suspended_s()
        counted_s = clock.counted_s() if is_counted(clock) else None
        return cls(before_s, suspended_s, counted_s, clock.now_s())

    def unix_s(self, clock: Clock, time_s: float) -> float | None:
        """Seconds since 1970 (UTC), to a millisecond, at a moment of *clock* just after this mark.

        `None` if the clock does not know the time of day.
        """
        return round(clock.unix_s(time_s, self.suspended_s), 3) if knows_day(clock) else None


class TimeMarks:
    """Moments around windows; one after a window is also that before the next, if it follows at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._last = clock, TimeMark.now(clock)

    def before(self) -> TimeMark:
        """A moment just before now."""
        if not 0.0 <= self._clock.now_s() - self._last.after_s <= _SAME_MOMENT_S:
            self._last = TimeMark.now(self._clock)
        return self._last

    def after(self) -> TimeMark:
        """Now."""
        self._last = TimeMark.now(self._clock)
        return self._last
