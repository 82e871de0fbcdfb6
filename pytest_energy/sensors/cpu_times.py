"""Processor time of the whole machine by kind, since it was started.

Rule 1: one look costs a call of the system and little else; it is done at both edges of every window.
"""

import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pytest_energy.system import READ_ONLY, TICK_S

STAT = Path("/proc/stat")

# The first line: the word cpu and ten counts of at most 20 digits.
_LINE_BYTES = 256


class CpuTimes(NamedTuple):
    """Seconds by kind, summed over the processors; a kind that this kernel doesn't count is 0."""

    user: float
    nice: float
    system: float
    idle: float
    iowait: float = 0.0
    irq: float = 0.0
    softirq: float = 0.0
    steal: float = 0.0
    guest: float = 0.0
    guest_nice: float = 0.0

    @property
    def busy_s(self) -> float:
        """Seconds of work for this machine.

        Not among them: `guest`, which is inside `user`; `steal`, in which the processor worked for another
        machine; `iowait`, in which it rests.
        """
        return self.user + self.nice + self.system + self.irq + self.softirq

    @property
    def total_s(self) -> float:
        """All seconds, each once."""
        return self.busy_s + self.idle + self.iowait + self.steal


class StatFile:
    """Linux's file of processor times, kept open: to open it again costs as much as to read it.

    Raises:
        OSError: There is no such file here, or it can't be read.
    """

    # Bound here, as a test that runs meanwhile may put another in its place; Windows has none.
    _pread: Callable[[int, int, int], bytes] = staticmethod(getattr(os, "pread", lambda *_: b""))

    def __init__(self, path: Path = STAT) -> None:
        self._descriptor = os.open(path, READ_ONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self._tick_s = TICK_S

    def __call__(self) -> CpuTimes:
        """Times now.

        Raises:
            ValueError: The file's first line isn't the machine's processor times.
        """
        line = self._pread(self._descriptor, _LINE_BYTES, 0).partition(b"\n")[0]
        name, *counts = line.split()[: 1 + len(CpuTimes._fields)]
        if name != b"cpu" or len(counts) < 4:
            raise ValueError(f"the processor times begin with {line!r}")
        return CpuTimes(*[int(count) * self._tick_s for count in counts])


def psutil_times() -> CpuTimes:
    """Times now by psutil: the portable way."""
    import psutil

    times = psutil.cpu_times()
    return CpuTimes(**{name: getattr(times, name, 0.0) for name in CpuTimes._fields})


def cpu_times_reader(path: Path = STAT) -> Callable[[], CpuTimes]:
    """The cheapest way to these times that works here."""
    try:
        stat = StatFile(path)
        stat()
    except (OSError, ValueError):
        return psutil_times
    return stat
