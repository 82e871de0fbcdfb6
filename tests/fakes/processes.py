"""A family of processes whose CPU seconds a test decides."""

from dataclasses import dataclass, field

from pytest_energy.sensors.process_table import Process

OWN_PID, INIT_PID = 100, 1


@dataclass
class FakeProcess:
    """One process; its parent has its seconds when it has waited for it."""

    pid: int
    parent: int
    start_ticks: int
    cpu_s: float = 0.0
    ended_children_s: float = 0.0


@dataclass
class FakeProcesses:
    """A table of processes, with this one in it.

    Attributes:
        look_s: What each question costs this thread, and so this process.
        has_clocks: Other processes' clocks can be read; else hundredths of a second only.
        looking_s: Cost of all questions so far.
        next_pid: What the next process is called.
    """

    look_s: float = 0.0
    has_clocks: bool = True
    looking_s: float = 0.0
    processes: dict[int, FakeProcess] = field(default_factory=dict)
    next_pid: int = OWN_PID
    _ticks: int = 0

    def __post_init__(self) -> None:
        self.start(INIT_PID)

    # What a test does

    def start(self, parent: int = OWN_PID) -> int:
        pid, self.next_pid, self._ticks = self.next_pid, self.next_pid + 1, self._ticks + 1
        self.processes[pid] = FakeProcess(pid, parent, self._ticks)
        return pid

    def work(self, pid: int, cpu_s: float) -> None:
        self.processes[pid].cpu_s += cpu_s

    def end(self, pid: int) -> None:
        """End *pid*; its parent waits for it, and its children get another parent."""
        gone = self.processes.pop(pid)
        if gone.parent in self.processes:
            self.processes[gone.parent].ended_children_s += gone.cpu_s + gone.ended_children_s
        for child in self.processes.values():
            if child.parent == pid:
                child.parent = INIT_PID

    # What the tree asks

    def own_pid(self) -> int:
        return OWN_PID

    def own_clock_s(self) -> float:
        return self.processes[OWN_PID].cpu_s + self.looking_s

    def thread_clock_s(self) -> float:
        return self.looking_s

    def children_s(self) -> float:
        return self.processes[OWN_PID].ended_children_s

    def has_children(self) -> bool:
        return any(one.parent == OWN_PID for one in self.processes.values())

    def clock_s(self, pid: int) -> float | None:
        self.looking_s += self.look_s
        return self.processes[pid].cpu_s if self.has_clocks and pid in self.processes else None

    def process(self, pid: int) -> Process | None:
        self.looking_s += self.look_s
        one = self.processes.get(pid)
        if one is None:
            return None
        return Process(
            pid=pid,
            parent_pid=one.parent,
            state="R",
            start_ticks=one.start_ticks,
            start_s=0.0,
            cpu_s=_hundredths(one.cpu_s) + _hundredths(one.ended_children_s),
            ended_children_s=_hundredths(one.ended_children_s),
            resident_bytes=1000,
        )

    def children(self, pid: int) -> tuple[int, ...]:
        self.looking_s += self.look_s
        return tuple(one.pid for one in self.processes.values() if one.parent == pid)


def _hundredths(cpu_s: float) -> float:
    return int(cpu_s * 100 + 1e-9) / 100
