"""What differs between Linux, macOS and Windows: this package is imported on each of them.

Rule 1: what a system lacks is absent with a reason where it is used; nothing fails when it is imported.
"""

import errno
import os
import sys

try:
    import fcntl
except ImportError:  # Windows
    HAS_FLOCK = False
else:
    HAS_FLOCK = True

_PLATFORM: str = sys.platform

IS_LINUX = _PLATFORM == "linux"
IS_WINDOWS = _PLATFORM == "win32"
NAME = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(_PLATFORM, _PLATFORM)

# Windows gives no open file to a child, and turns line ends around unless asked not to.
CLOSE_ON_EXEC: int = getattr(os, "O_CLOEXEC", 0)
READ_ONLY: int = os.O_RDONLY | CLOSE_ON_EXEC | getattr(os, "O_BINARY", 0)
WITHOUT_WAITING: int = getattr(os, "O_NONBLOCK", 0)
FOLDER: int = getattr(os, "O_DIRECTORY", 0)


def _of_system(name: str, usual: int) -> int:
    return os.sysconf(name) if hasattr(os, "sysconf") else usual


# Of Linux's files of processes, with Linux's usual values where nobody can ask and nobody reads them.
TICK_S: float = 1.0 / _of_system("SC_CLK_TCK", 100)
PAGE_BYTES: int = _of_system("SC_PAGE_SIZE", 4096)


def lock_at_once(descriptor: int) -> None:
    """Lock an open file or folder among all processes.

    Raises:
        BlockingIOError: Another process has it.
        OSError: It can't be locked here.
    """
    if not HAS_FLOCK:
        raise OSError(errno.ENOTSUP, f"{NAME} has no flock")
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def unlock(descriptor: int) -> None:
    """Give up the lock of `lock_at_once`."""
    if HAS_FLOCK:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def usable_cpu_count() -> int:
    """Logical CPUs that this process may run on; all of the machine where the system doesn't report that."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
