"""Monitors how busy the machine is during a window; never at its edges, where that would be measured.

Processor time is the whole machine's, because the work may be in processes that others started; beside it
is what this process and its descendants had of it. Memory is the resident set of this process and its
descendants; pages that they share count in each.
"""

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.sensors.cpu_times import cpu_times_reader
from pytest_energy.sensors.process_table import ProcessTable
from pytest_energy.sensors.process_tree import ProcessTree
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.usage import UNKNOWN_USAGE, Usage

# NVML's utilisation is a mean over up to a second and asking takes milliseconds; memory changes slowly.
HOST_LOOK_S = 2.0

# A window too short to be looked into takes memory that was seen so long ago at most; the sampler looks again
# between windows before it is older.
_FRESH_S = 10.0

# The machine's processor time is read again where it was read longer ago than this: with a window that begins
# right after another one is looked at once a round. The millisecond is far below what the kernel counts by.
_SAME_LOOK_S = 1e-3

SHORTEST_SEEN_S = 1e-3
"""In a shorter window the kernel's counts of processor time say nothing, on however many processors."""

# Linux counts processor time in hundredths of a second: below ten of them a share says nothing.
_LEAST_CPU_S = 0.1

# The machine's processor time is counted to a hundredth of a second at each edge: so much of its difference
# to a process's is nobody's. With one busy process on two processors it was up to 10 ms.
_CPU_CLOCK_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTime:
    """Processor seconds of a window: busy ones, those of all processors, and this process's own.

    Those of its descendants are its own too; `None` if unknown.
    """

    busy_s: float
    total_s: float
    own_s: float | None

    @property
    def busy_share(self) -> float | None:
        """Busy over total, or `None` if the clock can't resolve it."""
        if self.total_s < _LEAST_CPU_S:
            return None
        return min(1.0, max(0.0, self.busy_s / self.total_s))

    @property
    def foreign_share(self) -> float | None:
        """Share of the busy seconds that other processes had, or `None` if unknown."""
        if self.own_s is None or self.busy_s < _LEAST_CPU_S:
            return None
        return self._foreign_s(self.own_s) / self.busy_s

    @property
    def other_share(self) -> float | None:
        """Share of all processor time, busy or not, that other processes had; `None` if unknown."""
        if self.own_s is None or self.total_s < _LEAST_CPU_S:
            return None
        return min(1.0, self._foreign_s(self.own_s) / self.total_s)

    def _foreign_s(self, own_s: float) -> float:
        return max(0.0, self.busy_s - own_s - _CPU_CLOCK_S)


UNSEEN = CpuTime(busy_s=0.0, total_s=0.0, own_s=None)
"""Of a window that was too short: all its shares are unknown."""


class System(Protocol):
    """What the meter needs from the operating system."""

    def cpu_times_s(self) -> tuple[float, float]:
        """Busy and total processor seconds since the machine was started."""
        ...

    def own_cpu_s(self) -> float | None:
        """Processor seconds so far of this process, its descendants and those it has waited for."""
        ...

    def ram_used_bytes(self) -> float | None:
        """Resident bytes of this process and its descendants."""
        ...

    def is_kin(self, pid: int) -> bool | None:
        """Whether the process *pid* is this run's; `None` if unknown."""
        ...

    def adopt(self, pids: Iterable[int]) -> None:
        """Count these processes and their descendants as this run's own from now on."""
        ...


class LinuxSystem:
    """This machine, by its table of processes.

    Args:
        kin_pid: A process whose descendants count as this run's on a device, although their processor time is
            not this process's.
    """

    def __init__(self, kin_pid: int | None = None) -> None:
        self._table = ProcessTable()
        self._tree = ProcessTree(self._table)
        self._own_pid, self._kin_pid = self._table.own_pid(), kin_pid
        self._cpu_times = cpu_times_reader()

    def cpu_times_s(self) -> tuple[float, float]:
        times = self._cpu_times()
        return times.busy_s, times.total_s

    def own_cpu_s(self) -> float | None:
        return self._tree.cpu_s()

    def ram_used_bytes(self) -> float | None:
        own = self._table.process(self._own_pid)
        if own is None:
            return None
        return float(own.resident_bytes + sum(other.resident_bytes for other in self._tree.others()))

    def adopt(self, pids: Iterable[int]) -> None:
        self._tree.adopt(pids)

    def is_kin(self, pid: int) -> bool | None:
        process = self._table.process(pid)
        if process is None:
            return None
        heads = {self._own_pid, self._kin_pid, *self._tree.adopted}
        return not heads.isdisjoint(self._table.ancestors(process))


@dataclass(frozen=True, slots=True)
class _CpuLook:
    """Processor seconds so far; *own_s* where it was looked at."""

    time_s: float
    busy_s: float
    total_s: float
    own_s: float | None


class HostMonitor:
    """Looks at the machine from time to time while a window is open."""

    def __init__(self, sensors: Sequence[Sensor], clock: Clock, system: System) -> None:
        self._sensors, self._clock, self._system = tuple(sensors), clock, system
        self._lock = threading.Lock()
        self._is_open = False
        self._looks: list[Usage] = []
        self._memory, self._ram_s = UNKNOWN_USAGE, -math.inf
        self._cpu_look = _CpuLook(-math.inf, 0.0, 0.0, None)

    def open(self, *, is_own_known: bool = False) -> None:
        """Begin a window; call it just before its start.

        If *is_own_known*, the processor time of this run's processes is not looked at: `close` is given it.
        """
        self._looks = []
        self._is_open = True
        is_old = self._clock.now_s() - self._cpu_look.time_s > _SAME_LOOK_S
        if is_old or (self._cpu_look.own_s is None and not is_own_known):
            self._look_at_cpu(is_own_known=is_own_known)

    def close(self, *, is_short: bool = False, own_s: float | None = None) -> CpuTime:
        """End the window; call it just after its stop.

        Args:
            is_short: It was shorter than `SHORTEST_SEEN_S`: nothing is looked at.
            own_s: Processor seconds of this run's processes in the window, if known already.
        """
        self._is_open = False
        if is_short:
            return UNSEEN
        before, after = self._cpu_look, self._look_at_cpu(is_own_known=own_s is not None)
        if before.own_s is not None and after.own_s is not None:
            own_s = after.own_s - before.own_s
        return CpuTime(
            busy_s=after.busy_s - before.busy_s, total_s=after.total_s - before.total_s, own_s=own_s
        )

    def _look_at_cpu(self, *, is_own_known: bool) -> "_CpuLook":
        busy_s, total_s = self._system.cpu_times_s()
        own_s = None if is_own_known else self._system.own_cpu_s()
        self._cpu_look = _CpuLook(self._clock.now_s(), busy_s, total_s, own_s)
        return self._cpu_look

    def abandon(self) -> None:
        """End the window without a figure."""
        self._is_open = False

    def look(self) -> None:
        """Look now, if a window is open; called between ticks by the sampler.

        Between windows only memory that the next one couldn't use any more is looked at, once windows have
        begun to ask for it.
        """
        if self._is_open:
            self._looks.append(hardware_usage(self._sensors, self._look_at_memory()))
        elif math.isfinite(self._ram_s) and self._clock.now_s() - self._ram_s > _FRESH_S - 2 * HOST_LOOK_S:
            self._look_at_memory()

    def usage(self, cpu: CpuTime) -> Usage:
        """The window's usage, with what `close` returned."""
        seen = _mean_look(self._looks) if self._looks else self._unseen()
        if cpu is UNSEEN:
            return seen
        return replace(seen, cpu_utilisation_share=cpu.busy_share, other_cpu_share=cpu.other_share)

    def _unseen(self) -> Usage:
        """Of a window without a look: memory as it was seen last; looked at only if it has never been."""
        if not math.isfinite(self._ram_s):
            self._look_at_memory()
        is_fresh = self._clock.now_s() - self._ram_s <= _FRESH_S
        return hardware_usage(self._sensors, self._memory if is_fresh else UNKNOWN_USAGE)

    def _look_at_memory(self) -> Usage:
        with self._lock:
            self._memory = Usage(ram_used_bytes=self._system.ram_used_bytes())
            self._ram_s = self._clock.now_s()
            return self._memory


def hardware_usage(sensors: Iterable[Sensor], memory: Usage = UNKNOWN_USAGE) -> Usage:
    """How busy the hardware of *sensors* is now, as far as they report it, beside the *memory* in use."""
    usages = []
    for sensor in sensors:
        try:
            usage = sensor.usage()
        except SensorError:
            continue  # a sensor that can't tell how busy it is may still count its joules
        if usage is not UNKNOWN_USAGE:
            usages.append(usage)
    if not usages:
        return memory
    used_bytes = [u.gpu_memory_used_bytes for u in usages if u.gpu_memory_used_bytes is not None]
    return replace(
        memory,
        gpu_utilisation_share=_mean([usage.gpu_utilisation_share for usage in usages]),
        gpu_memory_used_bytes=sum(used_bytes) if used_bytes else None,
    )


def _mean_look(looks: Sequence[Usage]) -> Usage:
    return Usage(
        gpu_utilisation_share=_mean([look.gpu_utilisation_share for look in looks]),
        ram_used_bytes=_mean([look.ram_used_bytes for look in looks]),
        gpu_memory_used_bytes=_mean([look.gpu_memory_used_bytes for look in looks]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
