"""The processes that do an engine's work: those that this one started, and those behind a port."""

import os
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    import psutil
else:
    psutil = LazyModule("psutil")


class ProcessFamily:
    """Some children of this process and all that they started, as they were when this was made.

    Args:
        children: Started by `multiprocessing`.
    """

    def __init__(self, children: Iterable[BaseProcess] = ()) -> None:
        self._children = tuple(children)
        self._descendants: list[psutil.Process] = []
        for child in self._children:
            with suppress(psutil.NoSuchProcess):  # gone by now
                self._descendants += psutil.Process(child.pid).children(recursive=True)

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
            with suppress(psutil.NoSuchProcess):
                process.kill()  # psutil knows when the number has become another process's
        psutil.wait_procs(alive)


def server_pids(port: int) -> tuple[int, ...]:
    """Processes that listen on *port*, with all that they started; this one and its own aside.

    Needs no rights for one's own processes. A server of another user, or behind a container's proxy, isn't
    seen: then this is empty.
    """
    pids: set[int] = set()
    for pid in _listeners(port) - {os.getpid()}:
        try:
            family = psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            continue
        pids.update((pid, *(child.pid for child in family)))
    return tuple(sorted(pids))


def listener_names(port: int) -> set[str]:
    """Names of the programs that listen on *port*, as far as this user may see them."""
    names = set()
    for pid in _listeners(port):
        with suppress(psutil.Error):  # gone by now
            names.add(psutil.Process(pid).name())
    return names


def _listeners(port: int) -> set[int]:
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS shows the sockets of all processes only to root
        return {process.pid for process in psutil.process_iter() if _is_listener(process, port)}
    return {c.pid for c in connections if c.pid is not None and _listens(c, port)}


def _is_listener(process: Any, port: int) -> bool:
    try:
        return any(_listens(connection, port) for connection in process.net_connections(kind="tcp"))
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return False  # another user's, or gone


def _listens(connection: Any, port: int) -> bool:
    return connection.status == "LISTEN" and bool(connection.laddr) and connection.laddr.port == port
