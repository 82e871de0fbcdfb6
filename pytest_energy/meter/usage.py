"""How busy the machine was during a window: never at its edges, where looking would be measured.

Processor time is the whole machine's, because the work may be in processes that others started. Memory is
the resident set of this process and its descendants; pages that they share count in each.
"""

import threading
from collections.abc import Sequence
from typing import Protocol

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.model import Usage
from pytest_energy.sensors.protocol import Sensor

# NVML's utilisation is a mean over up to a second and asking takes milliseconds; memory changes slowly.
LOOK_S = 2.0

# A window too short to be looked into takes memory that was seen so long ago at most.
_FRESH_S = 10.0

# Walking the process table takes milliseconds; workers are started rarely.
_FAMILY_S = 5.0


# Linux counts processor time in hundredths of a second: below ten of them a share says nothing.
_LEAST_CPU_S = 0.1


class System(Protocol):
    """What is asked of the operating system."""

    def cpu_times_s(self) -> tuple[float, float]:
        """Busy and total processor seconds since the machine was started."""
        ...

    def ram_used_bytes(self, *, may_search: bool) -> float | None:
        """Resident bytes of this process and its descendants; *may_search* for new ones."""
        ...

    def is_kin(self, pid: int) -> bool | None:
        """Whether the process *pid* is this one or a descendant; `None` if it can't be seen from here."""
        ...


class PsutilSystem:
    """This machine, through psutil."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._family = [psutil.Process()]

    def cpu_times_s(self) -> tuple[float, float]:
        times = self._psutil.cpu_times()
        # Linux counts guest time in user time as well; counted twice it would be busy twice.
        guest_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        total_s = sum(times) - guest_s
        return total_s - times.idle - getattr(times, "iowait", 0.0), total_s

    def ram_used_bytes(self, *, may_search: bool) -> float | None:
        own = self._family[0]
        used_bytes = 0.0
        try:
            if may_search:
                self._family = [own, *own.children(recursive=True)]
            used_bytes = float(own.memory_info().rss)
        except self._psutil.Error:
            return None
        for process in self._family[1:]:
            try:
                used_bytes += float(process.memory_info().rss)
            except self._psutil.Error:
                continue  # it has ended, or is somebody else's
        return used_bytes

    def is_kin(self, pid: int) -> bool | None:
        own_pid = self._family[0].pid
        try:
            process = self._psutil.Process(pid)
            return own_pid in {pid, *(parent.pid for parent in process.parents())}
        except self._psutil.Error:
            return None


class UsageProbe:
    """Looks at the machine from time to time while a window is open."""

    def __init__(self, sensors: Sequence[Sensor], clock: Clock, system: System) -> None:
        self._sensors, self._clock, self._system = tuple(sensors), clock, system
        self._lock = threading.Lock()
        self._is_open = False
        self._looks: list[Usage] = []
        self._last_ram_bytes: float | None = None
        self._ram_s = self._family_s = -float("inf")
        self._cpu_before = (0.0, 0.0)

    def open(self) -> None:
        """Begin a window; call it just before its start."""
        self._looks = []
        self._is_open = True
        self._cpu_before = self._system.cpu_times_s()

    def shut(self) -> tuple[float, float]:
        """End the window; call it just after its stop.

        Returns:
            Busy and total processor seconds of the window.
        """
        busy_s, total_s = self._system.cpu_times_s()
        self._is_open = False
        return busy_s - self._cpu_before[0], total_s - self._cpu_before[1]

    def look(self) -> None:
        """Look now, if a window is open; called between ticks by the sampler."""
        if self._is_open:
            self._looks.append(self._look())

    def usage(self, cpu_s: tuple[float, float]) -> Usage:
        """The window's usage.

        Args:
            cpu_s: What `shut` returned.
        """
        looks = tuple(self._looks)
        if not looks:
            looks = (self._look_at_memory_that_is_fresh(),)
        busy_s, total_s = cpu_s
        share = min(1.0, max(0.0, busy_s / total_s)) if total_s >= _LEAST_CPU_S else None
        return Usage(
            cpu_utilisation_share=share,
            gpu_utilisation_share=_mean([look.gpu_utilisation_share for look in looks]),
            ram_used_bytes=_mean([look.ram_used_bytes for look in looks]),
            gpu_memory_used_bytes=_mean([look.gpu_memory_used_bytes for look in looks]),
        )

    def _look(self) -> Usage:
        with self._lock:
            now_s = self._clock.now_s()
            may_search = now_s - self._family_s > _FAMILY_S
            if may_search:
                self._family_s = now_s
            self._last_ram_bytes, self._ram_s = self._system.ram_used_bytes(may_search=may_search), now_s
            return self._with_sensors(self._last_ram_bytes)

    def _look_at_memory_that_is_fresh(self) -> Usage:
        if self._clock.now_s() - self._ram_s > _FRESH_S:
            return self._look()
        return self._with_sensors(self._last_ram_bytes)

    def _with_sensors(self, ram_used_bytes: float | None) -> Usage:
        usages = []
        for sensor in self._sensors:
            try:
                usages.append(sensor.usage())
            except SensorError:
                continue  # a sensor that can't tell how busy it is may still count its joules
        gpu = [u.gpu_utilisation_share for u in usages if u.gpu_utilisation_share is not None]
        memory = [u.gpu_memory_used_bytes for u in usages if u.gpu_memory_used_bytes is not None]
        return Usage(
            gpu_utilisation_share=sum(gpu) / len(gpu) if gpu else None,
            ram_used_bytes=ram_used_bytes,
            gpu_memory_used_bytes=sum(memory) if memory else None,
        )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
