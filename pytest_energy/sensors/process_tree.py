"""CPU time of this process, its descendants, and the processes it has adopted.

Rule 1: each second counts once. It is on the clock of its process while that lives; its parent has it from
    when it has waited for its end.
Rule 2: what a look costs is not counted: it is a few system calls for each process, and windows may be short.
        A process that has nobody beside it asks for its children once, and counts these two microseconds.
Rule 3: the sum never falls. The time of a process that ends, and that no member waits for, stays in
    the sum as it was last seen.
Rule 4: a descendant that is given another parent, as a daemon is, stays in the family once it was seen in it.

A process's own clock counts nanoseconds. The time of the ended children of another process is known in
hundredths of a second, for each of the living.

Source:
    Linux manual, clock_getcpuclockid(3), getrusage(2), proc_pid_stat(5), proc_tid_children(5).
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pytest_energy.sensors.process_table import Process, ProcessTable
from pytest_energy.system import IS_LINUX

# A child that ends in the middle of a look is seen in neither place, or in both; then it is looked once more.
_MOST_LOOKS = 3


@dataclass(frozen=True, slots=True)
class _Member:
    """A process of the family beside this one, with its seconds and those of children it has waited for."""

    process: Process
    cpu_s: float


class Processes(Protocol):
    """What a tree asks of the table of processes."""

    def own_pid(self) -> int: ...

    def own_clock_s(self) -> float: ...

    def thread_clock_s(self) -> float: ...

    def children_s(self) -> float: ...

    def has_children(self) -> bool: ...

    def clock_s(self, pid: int) -> float | None: ...

    def process(self, pid: int) -> Process | None: ...

    def children(self, pid: int) -> tuple[int, ...]: ...


def process_table() -> Processes:
    """The table of this machine's processes."""
    if IS_LINUX:
        return ProcessTable()
    from pytest_energy.sensors.psutil_table import PsutilTable

    return PsutilTable()


class ProcessTree:
    """This process's family; its methods may be called from any thread."""

    def __init__(self, table: Processes | None = None) -> None:
        self._table: Processes = process_table() if table is None else table
        self._lock = threading.Lock()
        self._adopted: frozenset[int] = frozenset()
        self._members: Mapping[int, _Member] = {}
        self._looking_s = self._lost_s = self._last_s = 0.0

    @property
    def adopted(self) -> frozenset[int]:
        return self._adopted

    def adopt(self, pids: Iterable[int]) -> None:
        """Count these processes and their descendants as part of the family from now on."""
        with self._lock:
            new = {*pids} - {self._table.own_pid(), *self._members}
            self._adopted |= {pid for pid in new if self._table.process(pid) is not None}

    def cpu_s(self) -> float:
        """CPU seconds so far of the whole family, as far as it can be seen."""
        with self._lock:
            own_s = self._table.own_clock_s() - self._looking_s
            self._look()
            others_s = self._table.children_s()
            for member in self._members.values():
                others_s += member.cpu_s
            found_s = own_s + others_s + self._lost_s
            if found_s < self._last_s:
                self._lost_s += self._last_s - found_s
                found_s = self._last_s
            self._last_s = found_s
            return found_s

    def others(self) -> tuple[Process, ...]:
        """The family as it is now, without this process."""
        with self._lock:
            self._look()
            return tuple(member.process for member in self._members.values())

    def _look(self) -> None:
        if not (self._members or self._adopted or self._table.has_children()):
            return
        began_s = self._table.thread_clock_s()
        for _ in range(_MOST_LOOKS):
            before_s = self._table.children_s()
            members = self._found()
            if self._table.children_s() == before_s:
                break
        gone = [member for pid, member in self._members.items() if pid not in members]
        parents = {self._table.own_pid(), *self._members}
        self._lost_s += sum(member.cpu_s for member in gone if member.process.parent_pid not in parents)
        self._members = members
        self._looking_s += self._table.thread_clock_s() - began_s

    def _found(self) -> dict[int, _Member]:
        """Parents before their children: who ends in between is missed once, and not counted twice."""
        own_pid = self._table.own_pid()
        found: dict[int, _Member] = {}
        pids = [*self._table.children(own_pid), *self._adopted, *self._members]
        for pid in pids:  # grows as it is walked through
            member = None if pid == own_pid or pid in found else self._member(pid)
            if member is not None:
                found[pid] = member
                pids += self._table.children(pid)
        return found

    def _member(self, pid: int) -> _Member | None:
        process, known = self._table.process(pid), self._members.get(pid)
        if process is None or (known is not None and known.process.start_ticks != process.start_ticks):
            return None
        clock_s = self._table.clock_s(pid)
        return _Member(process, process.cpu_s if clock_s is None else clock_s + process.ended_children_s)
