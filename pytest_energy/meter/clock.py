"""Time as the meter sees it, so that tests can bring their own."""

import time
from typing import Protocol


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


class SystemClock:
    """The clock of this machine."""

    def now_s(self) -> float:
        return time.monotonic()

    def sleep_s(self, duration_s: float) -> None:
        time.sleep(max(0.0, duration_s))

    def suspended_s(self) -> float | None:
        # CLOCK_BOOTTIME counts while the machine sleeps, CLOCK_MONOTONIC doesn't: clock_gettime(2).
        if not hasattr(time, "CLOCK_BOOTTIME"):
            return None
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
