"""Python as it is on macOS or Windows, for what is imported from then on.

Run as a program, it is `python -m MODULE` there: `python other_system.py SYSTEM MODULE [ARGUMENT...]`. What
has been imported before, Python's own library and pytest, goes on with what this system has.
"""

import importlib
import os
import runpy
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

_ONLY_LINUX = {
    "os": "sched_getaffinity sched_setaffinity pidfd_open memfd_create O_PATH",
    "select": "epoll",
    "signal": "",
    "socket": "SO_PEERCRED SO_BINDTODEVICE",
    "time": "CLOCK_BOOTTIME pthread_getcpuclockid",
}
_ONLY_POSIX = {
    "os": "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK ST_RDONLY WNOHANG chown fchmod fchown fork getegid "
    "geteuid getgid getloadavg getpgid getpgrp getsid getuid killpg mkfifo nice openpty pread pwrite "
    "register_at_fork setpgid setsid statvfs fstatvfs sync sysconf uname wait wait4 waitid",
    "select": "poll",
    "signal": "SIGALRM SIGHUP SIGKILL SIGQUIT SIGUSR1 SIGUSR2 setitimer",
    "socket": "AF_UNIX",
    "time": "CLOCK_MONOTONIC CLOCK_PROCESS_CPUTIME_ID clock_gettime clock_gettime_ns",
}
_NO_MODULES = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
_BEFORE = (
    "asyncio",
    "getpass",
    "multiprocessing.connection",
    "platform",
    "psutil",
    "pytest",
    "tempfile",
    "urllib.request",
    "uuid",
)
_LINUX_FILES = ("/proc", "/sys", "/dev/nvidia")


class _Module(ModuleType):
    """A module without some of its names, or with others in their place."""

    def __init__(self, module: ModuleType, without: set[str], **others: object) -> None:
        super().__init__(module.__name__)
        kept = {name: value for name, value in vars(module).items() if name not in without}
        self.__dict__.update(kept, **others)


def become(system: str) -> None:
    """Be like *system*, `darwin` or `win32`, from now on; only for a process that ends soon."""
    for name in _BEFORE:
        importlib.import_module(name)
    sysconfig.get_config_vars()  # read now, by the name of this system
    is_windows = system == "win32"
    for name, of_posix in _ONLY_POSIX.items():
        without = {*_ONLY_LINUX[name].split(), *(of_posix.split() if is_windows else ())}
        sys.modules[name] = _Module(importlib.import_module(name), without)
    if is_windows:
        sys.modules |= dict.fromkeys(_NO_MODULES)  # type: ignore[arg-type]  # an import of them fails
    sys.addaudithook(_hide_linux_files)
    sys.modules["sys"] = _Module(sys, set(), platform=system)


def _hide_linux_files(event: str, arguments: tuple[object, ...]) -> None:
    path = arguments[0] if event == "open" else None
    if not isinstance(path, str | os.PathLike | bytes) or not os.fsdecode(path).startswith(_LINUX_FILES):
        return
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if f"{os.sep}psutil{os.sep}" in frame.f_code.co_filename:  # which has another way on each system
            return
    raise FileNotFoundError(2, "No such file or directory", os.fsdecode(path))


if __name__ == "__main__":
    _, of_system, of_module, *words = sys.argv
    sys.argv[1:] = words
    sys.path[0] = str(Path.cwd())
    become(of_system)
    runpy.run_module(of_module, run_name="__main__", alter_sys=True)
