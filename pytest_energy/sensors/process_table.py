"""The processes of this machine: parents, processor time and memory.

Rule 1: it is read while a test runs, whose patches may be in force: of files, of the module `os`, of each
        name by which a module calls one of its functions, of psutil. So they were bound when this was
        imported, as attributes of a class.

Source:
    Linux manual, proc_pid_stat(5), wait(2).
"""

import os
import time
from dataclasses import dataclass

from pytest_energy.system import PAGE_BYTES, READ_ONLY, TICK_S

try:
    import resource
except ImportError:  # Windows, where a parent knows nothing of its ended children
    HAS_USAGE = False
else:
    HAS_USAGE = True

HAS_WAITID = hasattr(os, "waitid")

# After the name of the program, which may hold spaces and brackets: places of the fields from `state` on.
_STATE, _PARENT, _CPU, _ENDED, _START, _RESIDENT = 0, 1, slice(11, 15), slice(13, 15), 19, 21
_ALL_KINDS = 0x40000000  # __WALL: children that were not made by fork, too
_MOST_BYTES = 1 << 16  # `stat` has 52 numbers and a name of at most 64 bytes; 8,000 children have room


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process at a moment.

    Attributes:
        state: A letter, such as `T` where it is stopped.
        start_ticks: When it began: with its number it identifies the process, as numbers are reused.
        start_s: When it began, in seconds since the machine did.
        cpu_s: Processor seconds so far, those of children that it has waited for included.
        ended_children_s: Those of the children alone.
        resident_bytes: Its resident set.
    """

    pid: int
    parent_pid: int
    state: str
    start_ticks: int
    start_s: float
    cpu_s: float
    ended_children_s: float
    resident_bytes: int


class ProcessTable:
    """Linux's process table; on other systems it has no process but this one."""

    _open, _read, _close = staticmethod(os.open), staticmethod(os.read), staticmethod(os.close)
    _names = staticmethod(os.listdir)
    _own_ns, _thread_ns = staticmethod(time.process_time_ns), staticmethod(time.thread_time_ns)
    if HAS_USAGE:
        _clock_ns = staticmethod(time.clock_gettime_ns)
        _usage, _ended = staticmethod(resource.getrusage), resource.RUSAGE_CHILDREN
        _tick_s, _page_bytes = TICK_S, PAGE_BYTES
    if HAS_WAITID:
        _waitid, _whoever = staticmethod(os.waitid), os.P_ALL
        _only_look = os.WEXITED | os.WNOHANG | os.WNOWAIT | _ALL_KINDS

    own_pid = staticmethod(os.getpid)

    def own_clock_s(self) -> float:
        """Processor seconds of this process, its ended threads included."""
        return self._own_ns() * 1e-9

    def thread_clock_s(self) -> float:
        """Processor seconds of this thread."""
        return self._thread_ns() * 1e-9

    def children_s(self) -> float:
        """Processor seconds of the children that this process has waited for, and of theirs."""
        if not HAS_USAGE:
            return 0.0
        used = self._usage(self._ended)
        return used.ru_utime + used.ru_stime

    def has_children(self) -> bool:
        """Whether this process has any, ended ones that were not waited for included; yes if unknown.

        One call of the system, which changes nothing: to list them takes ten, and three more a thread.
        """
        if not HAS_WAITID:
            return True
        try:
            self._waitid(self._whoever, 0, self._only_look)
        except ChildProcessError:
            return False
        except OSError:
            return True
        return True

    def clock_s(self, pid: int) -> float | None:
        """Processor seconds of the process *pid* by its clock, or `None` if that can't be read.

        Source:
            Linux, include/linux/posix-timers.h, `make_process_cpuclock`: the number of a process's clock.
        """
        try:
            return self._clock_ns((~pid << 3) | 2) * 1e-9
        except (OSError, OverflowError):
            return None

    def process(self, pid: int) -> Process | None:
        """The process *pid* now, or `None` if it isn't visible."""
        content = self._content(f"/proc/{pid}/stat")
        if content is None:
            return None
        fields = content.rpartition(b")")[2].split()
        return Process(
            pid=pid,
            parent_pid=int(fields[_PARENT]),
            state=fields[_STATE].decode(),
            start_ticks=int(fields[_START]),
            start_s=int(fields[_START]) * self._tick_s,
            cpu_s=sum(map(int, fields[_CPU])) * self._tick_s,
            ended_children_s=sum(map(int, fields[_ENDED])) * self._tick_s,
            resident_bytes=int(fields[_RESIDENT]) * self._page_bytes,
        )

    def words(self, pid: int) -> tuple[str, ...]:
        """The command of the process *pid*; none if it can't be seen."""
        words = (self._content(f"/proc/{pid}/cmdline") or b"").rstrip(b"\0")
        return tuple(word.decode("utf-8", "replace") for word in words.split(b"\0")) if words else ()

    def _content(self, path: str) -> bytes | None:
        try:
            descriptor = self._open(path, READ_ONLY)
        except OSError:
            return None
        try:
            return self._read(descriptor, _MOST_BYTES)
        except OSError:  # it ended in between
            return None
        finally:
            self._close(descriptor)

    def children(self, pid: int) -> tuple[int, ...]:
        """The children of the process *pid*, including ended ones that were not waited for."""
        try:
            threads = self._names(f"/proc/{pid}/task")
        except OSError:
            return ()
        lists = [self._content(f"/proc/{pid}/task/{thread}/children") for thread in threads]
        if any(text is not None for text in lists):
            return tuple(int(child) for text in lists if text is not None for child in text.split())
        return self._children_by_search(pid)

    def _children_by_search(self, pid: int) -> tuple[int, ...]:
        """The same where the kernel keeps no lists of children."""
        try:
            pids = [int(name) for name in self._names("/proc") if name.isdecimal()]
        except OSError:
            return ()
        processes = [process for other in pids if (process := self.process(other)) is not None]
        return tuple(process.pid for process in processes if process.parent_pid == pid)

    def ancestors(self, process: Process) -> tuple[int, ...]:
        """The number of *process*, of its parent, and so on, as far as they can be seen."""
        pids = [process.pid]
        while (parent := self.process(process.parent_pid)) is not None and parent.pid not in pids:
            pids.append(parent.pid)
            process = parent
        return tuple(pids)
