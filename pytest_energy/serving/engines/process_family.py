"""Processes that this one started: who they are, and their end."""

from collections.abc import Iterable
from multiprocessing.process import BaseProcess
from typing import Self

import psutil


class ProcessFamily:
    """Some children of this process and all that they started, as they were when this was made.

    Args:
        children: Started by `multiprocessing`.
        descendants: Started by them.
    """

    def __init__(
        self, children: Iterable[BaseProcess] = (), descendants: Iterable[psutil.Process] = ()
    ) -> None:
        self._children = tuple(children)
        self._descendants = tuple(descendants)

    @classmethod
    def of(cls, children: Iterable[BaseProcess]) -> Self:
        """The family of *children*; who is gone by now is left out."""
        children = tuple(children)
        descendants: list[psutil.Process] = []
        for child in children:
            try:
                descendants += psutil.Process(child.pid).children(recursive=True)
            except psutil.NoSuchProcess:
                continue
        return cls(children, descendants)

    @property
    def pids(self) -> tuple[int, ...]:
        children = (child.pid for child in self._children if child.pid is not None)
        return tuple(sorted((*children, *(process.pid for process in self._descendants))))

    def end(self, *, patience_s: float) -> None:
        """Wait until all have ended; kill those that have not after *patience_s*."""
        for child in self._children:
            child.join(patience_s)
            if child.is_alive():
                child.kill()
            child.join()  # also one that others killed stays in the table of processes until then
        _, alive = psutil.wait_procs(self._descendants, timeout=patience_s)
        for process in alive:
            try:
                process.kill()  # psutil knows when the number has become another process's
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(alive)
