"""The processes behind a port of this machine."""

import os
from typing import TYPE_CHECKING, Any

from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    import psutil
else:
    psutil = LazyModule("psutil")


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
