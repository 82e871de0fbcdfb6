"""The machine's clocks as they were when this was imported: before any test, which may replace them.

Rule 1: nothing is looked up in `time` or `datetime` later, and no module keeps a function of theirs under a
        name of its own: `mock.patch` puts another into the module `time`, freezegun into every module that
        names it.
Rule 2: time-machine replaces the clocks of the day below Python. The day is found by one look at them, when
        this was imported, and by a clock that only goes forward.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial


class MachineTime:
    """Seconds, waits and the day."""

    def __init__(self) -> None:
        self.now_s = time.monotonic  # itself: a window asks it fourteen times
        """Seconds since an arbitrary zero, not counting those in which the machine sleeps."""
        self._sleep, self._times = time.sleep, os.times
        self._awake_and_asleep = _boot_clock()
        self._began, self._began_s = datetime.now(UTC), self.since_start_s()
        self._began_unix_s = self._began.timestamp() - self._began_s

    def since_start_s(self) -> float:
        """Seconds since the machine was started, including sleep if a clock counts it."""
        return self.now_s() if self._awake_and_asleep is None else self._awake_and_asleep()

    def sleep_s(self, duration_s: float) -> None:
        self._sleep(max(0.0, duration_s))

    def suspended_s(self) -> float | None:
        """Seconds that the machine has slept since it was started, or `None` if not available."""
        return None if self._awake_and_asleep is None else self._awake_and_asleep() - self.now_s()

    def counted_s(self) -> float | None:
        """As `now_s`, from another source and to a hundredth: the kernel's count of clock ticks."""
        return self._times().elapsed or None  # 0 on systems that don't count

    def unix_s(self, time_s: float, suspended_s: float | None) -> float:
        """Seconds since 1970 (UTC) at a moment of `now_s`, when the machine had slept for so long."""
        return self._began_unix_s + time_s + (suspended_s or 0.0)

    def utc_now(self) -> datetime:
        """The day and the time of day."""
        return self._began + timedelta(seconds=self.since_start_s() - self._began_s)


def _boot_clock() -> Callable[[], float] | None:
    # CLOCK_BOOTTIME counts while the machine sleeps, CLOCK_MONOTONIC doesn't: clock_gettime(2).
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None:
        return None
    return partial(time.clock_gettime, clock)


MACHINE_TIME = MachineTime()
