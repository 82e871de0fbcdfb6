"""The processes of this machine: who has started whom, their processor time and their memory.

Rule 1: it is read while a test runs, whose patches may be in force: of files, of the module `os`, of each
        name by which a module calls one of its functions, of psutil. So they were bound when this was
        imported, as attributes of a class.

Source:
    Linux manual, proc_pid_stat(5).
"""

import os
from collections.abc import Collection
from dataclasses import dataclass

# After the name of the program, which may hold spaces and brackets: places of the fields from `state` on.
_STATE, _PARENT, _CPU, _START, _RESIDENT = 0, 1, slice(11, 15), 19, 21
_MOST_BYTES = 4096  # `stat` has 52 numbers and a name of at most 64 bytes; of a command this tells enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process at a moment.

    Attributes:
        state: A letter, such as `T` where it is stopped.
        start_ticks: When it began: with its number it is told from a later process of that number.
        start_s: When it began, in seconds since the machine did.
        cpu_s: Processor seconds so far, those of children that it has waited for included.
        resident_bytes: Its resident set.
    """

    pid: int
    parent_pid: int
    state: str
    start_ticks: int
    start_s: float
    cpu_s: float
    resident_bytes: int


class ProcessTable:
    """Linux's table; where there is none, nobody is found in it."""

    _open, _read, _close = staticmethod(os.open), staticmethod(os.read), staticmethod(os.close)
    _names = staticmethod(os.listdir)
    _times = staticmethod(os.times)
    _tick_s, _page_bytes = 1.0 / os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")

    own_pid = staticmethod(os.getpid)

    def own_cpu_s(self) -> float:
        """Processor seconds of this process, for which the kernel is asked without a file."""
        return sum(self._times()[:4])

    def process(self, pid: int) -> Process | None:
        """The process *pid* now, or `None` if there is none to be seen."""
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
            resident_bytes=int(fields[_RESIDENT]) * self._page_bytes,
        )

    def words(self, pid: int) -> tuple[str, ...]:
        """The command of the process *pid*; none where it can't be seen."""
        words = (self._content(f"/proc/{pid}/cmdline") or b"").rstrip(b"\0")
        return tuple(word.decode("utf-8", "replace") for word in words.split(b"\0")) if words else ()

    def _content(self, path: str) -> bytes | None:
        try:
            descriptor = self._open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return self._read(descriptor, _MOST_BYTES)
        except OSError:  # it ended in between
            return None
        finally:
            self._close(descriptor)

    def families(self, heads: Collection[int]) -> tuple[Process, ...]:
        """The processes *heads*, and all that they and their descendants have started."""
        try:
            pids = [int(name) for name in self._names("/proc") if name.isdecimal()]
        except OSError:
            return ()
        processes = [process for pid in pids if (process := self.process(pid)) is not None]
        children: dict[int, list[Process]] = {}
        for process in processes:
            children.setdefault(process.parent_pid, []).append(process)
        family = [process for process in processes if process.pid in heads]
        for parent in family:  # grows as it is walked through
            family += [child for child in children.get(parent.pid, ()) if child.pid not in heads]
        return tuple(family)

    def ancestors(self, process: Process) -> tuple[int, ...]:
        """The number of *process*, of its parent, and so on, as far as they can be seen."""
        pids = [process.pid]
        while (parent := self.process(process.parent_pid)) is not None and parent.pid not in pids:
            pids.append(parent.pid)
            process = parent
        return tuple(pids)
