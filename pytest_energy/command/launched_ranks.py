"""Which rank of a launched command computes on which device: torchrun's, MPI's, or one's own.

Rule 1: a rank is what a launcher wrote into the environment of a process. A variable that the test's own
    process has, and the command was not given, names no rank.
Rule 2: all ranks of this machine or none: joules of a part of them would look like a job of fewer.

Source:
    torch.distributed.run, section "Environment Variables"; Open MPI, `mpirun(1)`, section
    "Exported Environment Variables".
"""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from pytest_energy.model import rank_text

_VARIABLES = {
    "RANK": "LOCAL_WORLD_SIZE",
    "OMPI_COMM_WORLD_RANK": "OMPI_COMM_WORLD_LOCAL_SIZE",
    "LOCAL_RANK": "LOCAL_WORLD_SIZE",
}
"""That name a rank, the first that is set, and how many of them there are on its machine."""


@dataclass(slots=True, kw_only=True)
class LaunchedRanks:
    """The ranks of one command.

    Attributes:
        processes: Of each channel, those that have its device open now.
        inherited: Variables that the command has from this process, unchanged.
    """

    processes: Callable[[], Mapping[str, Collection[int]]]
    inherited: Mapping[str, str]
    _ranks: dict[str, set[int]] = field(default_factory=dict)
    _count: int | None = None

    def look(self, leader: int) -> bool:
        """Keep which rank of the process *leader* is on which device; whether there may be more to see."""
        devices = self.processes()
        for channel, pids in devices.items():
            for pid in pids:
                rank = self._rank_of(pid, leader)
                if rank is not None:
                    self._ranks.setdefault(channel, set()).add(rank)
        return bool(devices) and not self._is_whole

    @property
    def roles(self) -> dict[str, str]:
        """By channel, the ranks on its device; none unless every rank of this machine was seen on one."""
        if self._count is not None and not self._is_whole:
            return {}
        return {channel: rank_text(ranks) for channel, ranks in sorted(self._ranks.items())}

    @property
    def _is_whole(self) -> bool:
        return self._count is not None and len(set().union(*self._ranks.values())) >= self._count

    def _rank_of(self, pid: int, leader: int) -> int | None:
        with suppress(psutil.Error, OSError):  # it has ended, or is somebody else's
            process = psutil.Process(pid)
            if os.getsid(pid) == leader or leader in [one.pid for one in (process, *process.parents())]:
                return self._rank_in(process.environ())
        return None

    def _rank_in(self, environ: Mapping[str, str]) -> int | None:
        for name, count_name in _VARIABLES.items():
            text = environ.get(name, "")
            if text.isdecimal() and self.inherited.get(name) != text:
                count = environ.get(count_name, "")
                if count.isdecimal():
                    self._count = int(count)
                return int(text)
        return None


def inherited_ranks(given: Collection[str]) -> dict[str, str]:
    """The variables of a rank that a command has from this process, being *given* none of its own."""
    return {name: os.environ[name] for name in _VARIABLES if name in os.environ and name not in given}
