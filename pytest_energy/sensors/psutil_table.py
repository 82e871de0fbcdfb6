"""The processes of a machine whose kernel shows no `/proc`: macOS and Windows, through psutil.

Rule 1: a process that may not be looked at is not visible, as one that has ended.
"""

import psutil

from pytest_energy.sensors.process_table import Process, ProcessTable

_TICKS_PER_S = 1e6  # of the moment when a process began, which identifies it


class PsutilTable(ProcessTable):
    """The same table, with what psutil knows; times of ended children are known of this process alone."""

    def clock_s(self, pid: int) -> None:
        """`None`: what `process` says is as exact as psutil can be."""

    def process(self, pid: int) -> Process | None:
        try:
            found = psutil.Process(pid)
            with found.oneshot():
                began_s, times = found.create_time(), found.cpu_times()
                return Process(
                    pid=pid,
                    parent_pid=found.ppid(),
                    state=found.status(),
                    start_ticks=round(began_s * _TICKS_PER_S),
                    start_s=began_s - psutil.boot_time(),
                    cpu_s=times.user + times.system,
                    ended_children_s=0.0,
                    resident_bytes=found.memory_info().rss,
                )
        except (psutil.Error, OSError):
            return None

    def children(self, pid: int) -> tuple[int, ...]:
        try:
            return tuple(child.pid for child in psutil.Process(pid).children())
        except (psutil.Error, OSError):
            return ()
