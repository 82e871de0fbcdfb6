"""Time as the meter sees it, so that tests can bring their own."""

from dataclasses import dataclass
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
        """Seconds that the machine has slept since it was started, or `None` where nobody tells."""
        ...


@runtime_checkable
class CountedClock(Protocol):
    """A clock whose seconds can be held against another count of them."""

    def counted_s(self) -> float | None:
        """Seconds since an arbitrary zero as another counts them, to a hundredth; `None`: nobody does."""
        ...


class SystemClock(MachineTime):
    """The clock of this machine."""


@dataclass(frozen=True, slots=True)
class TimeMark:
    """A moment by all that tells time: a clock before and after a look at what it can be held against."""

    before_s: float
    suspended_s: float | None
    counted_s: float | None
    after_s: float

    @classmethod
    def now(cls, clock: Clock) -> "TimeMark":
        before_s, suspended_s = clock.now_s(), clock.suspended_s()
        counted_s = clock.counted_s() if isinstance(clock, CountedClock) else None
        return cls(before_s, suspended_s, counted_s, clock.now_s())
