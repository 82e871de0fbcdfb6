"""One writer at a time in a folder of baselines.

Rule 1: the lock is the folder's own: `flock` on the open folder. Who comes by another name, mount or
container, or with another TMPDIR, meets the same lock, and the kernel lets go of it with the process.
Rule 2: a wait ends, with the name of the process that is waited for.

On a network file system the lock holds among the processes of one machine.

Source:
    Linux manual: flock(2); proc_locks(5) for who holds it.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_energy.baselines.protocol import NotWritable
from pytest_energy.meter.holder import Holder
from pytest_energy.system import FOLDER, HAS_FLOCK, NAME, READ_ONLY, lock_at_once, unlock
from pytest_energy.whole_file import make_folder

_LOOK_S = 0.01  # a write takes a few milliseconds


class FolderNotLocked(NotWritable):
    """Nothing can be written in a folder, as it can't be locked."""


@contextmanager
def locked(folder: Path, timeout_s: float) -> Iterator[None]:
    """Be the only writer in *folder*, which is made; one that stays empty by an error goes again.

    Raises:
        FolderNotLocked: Another process has been writing for *timeout_s* seconds, or the file system has no
            locks.
        OSError: The folder can't be made or opened.
    """
    if not HAS_FLOCK:
        raise FolderNotLocked(f"{folder}: {NAME} has no flock; save baselines on Linux or macOS")
    is_new = not folder.exists()
    descriptor = _acquire(folder, time.monotonic() + timeout_s, timeout_s)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # something is in it
                folder.rmdir()
        raise
    finally:
        unlock(descriptor)  # a child that was forked meanwhile holds it no longer, too
        os.close(descriptor)


def _acquire(folder: Path, end_s: float, timeout_s: float) -> int:
    """A descriptor that holds the lock of what is *folder* once it is had."""
    while True:
        make_folder(folder)
        try:
            descriptor = os.open(folder, READ_ONLY | FOLDER)
        except FileNotFoundError:  # it went again
            continue
        try:
            _wait(descriptor, folder, end_s, timeout_s)
            if _is_at(descriptor, folder):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another one stands in its place since


def _wait(descriptor: int, folder: Path, end_s: float, timeout_s: float) -> None:
    while not _has_locked(descriptor, folder):
        if time.monotonic() >= end_s:
            raise FolderNotLocked(
                f"{folder} was being written by another process for {timeout_s:g} s: by "
                f"{_holder_of(descriptor)}; stop it, or run again"
            )
        time.sleep(_LOOK_S)


def _has_locked(descriptor: int, folder: Path) -> bool:
    try:
        lock_at_once(descriptor)
    except BlockingIOError:
        return False
    except OSError as error:
        raise FolderNotLocked(
            f"can't lock {folder}: {error.strerror or error}; without a lock two writers could lose each "
            "other's sessions. Keep the baselines on a file system with flock while they are written"
        ) from error
    return True


def _is_at(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def _holder_of(descriptor: int) -> Holder:
    """The process that has locked the file, if the kernel's table of locks has it."""
    status = os.fstat(descriptor)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            words = line.split()  # 1: FLOCK ADVISORY WRITE 4242 fe:01:1234 0 EOF
            if words[1] == "FLOCK" and words[5] == f"{device}:{status.st_ino}":
                return Holder(int(words[4]))
    return Holder()
