"""The devices of this machine, each measured by one process at a time.

Rule 1: who measures a device listens at an abstract UNIX socket of its name. The kernel gives the name to one
process, of any user, and takes it back when that one ends, however it ends. There is no file: none is left
behind, and none can be planted.
Rule 2: who waits knows for whom, also where that process is stopped, and is woken when the device is free.
Rule 3: a wait ends when the device has not changed hands for a limit of time.
Rule 4: a run inside a measured test would wait for itself, so it is refused at once.
Rule 5: a forked child owns nothing.
Rule 6: a test's patches may be in force: no file is touched, and what is called was bound at import.

Where there are no such sockets (macOS) one lock covers all devices, on the root folder, which exists and
can't be replaced. Windows has neither, and nothing is locked: no sensor of ours measures hardware there.

Source:
    Linux manual, unix(7): abstract names, SO_PEERCRED, and the backlog, which the kernel fills by itself.
"""

import errno
import hashlib
import os
import select
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from socket import SOCK_STREAM, SOL_SOCKET
from socket import socket as Socket  # noqa: N812  # a test may forbid `socket.socket`
from typing import Any, Literal, Protocol

from pytest_energy.errors import EnergyError
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.meter.holder import Holder
from pytest_energy.system import CLOSE_ON_EXEC, HAS_FLOCK, IS_LINUX, lock_at_once

DEFAULT_LIMIT_S = 600.0
"""Of one holding: a test takes rounds for 60 s unless asked otherwise, and twice where it is confirmed."""

FIRST_NOTICE_S = 5.0  # a wait that most tests of a parallel run have is shorter
NOTICE_S = 60.0
_SECOND_WAIT_S = 5.0  # for a process that has kept the device for the limit before
_LOOK_S = 0.05  # between two looks at a device whose holder can't be listened to

_ROOT = Path("/")
_NAME_BYTES = 80  # sun_path has 108, less what stands before
_BACKLOG = 4096  # who waits stands in it; the kernel cuts it to net.core.somaxconn
_AF_UNIX, _SO_PEERCRED = 1, 17  # of Linux; `socket` has them where they are
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


# Functions of `os` that no test replaces; pyfakefs does in every module that names one itself.
_own_pid, _close = partial(os.getpid), partial(os.close)
_poll: Any = getattr(select, "poll", None)  # of Linux, as the rest of what waits by it


class DeviceBusy(EnergyError):
    """A device is measured by another process, and this one can't wait for it (any longer)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run waits for devices, and what it reports meanwhile.

    Attributes:
        limit_s: Seconds for which one process may hold a device.
        now_s: The clock.
        tell: Called with the process it waits for, a sentence, and the seconds so far.
    """

    limit_s: float
    now_s: Callable[[], float]
    tell: Callable[[Holder, str, float], None]
    _tried: set[tuple[str, int]] = field(default_factory=set, init=False)

    def limit_for_s(self, device: str, pid: int) -> float:
        """Seconds to wait for *device*: fewer for a process that has kept it too long before."""
        return min(self.limit_s, _SECOND_WAIT_S) if (device, pid) in self._tried else self.limit_s

    def is_over(self, device: str, pid: int, waited_s: float) -> bool:
        """Whether *device* has been waited for long enough; remembers for whom."""
        if waited_s < self.limit_for_s(device, pid):
            return False
        self._tried.add((device, pid))
        return True


class _Place(Protocol):
    """Where a device is taken and waited for."""

    def take(self) -> int | None:
        """A descriptor that owns the device until it is closed, or `None` if another process does."""
        ...

    def wait(self, seconds_for: Callable[[Holder], float]) -> bool:
        """Wait while another process owns the device; whether it has changed hands.

        Args:
            seconds_for: How long, given which process that is.
        """
        ...


_owned: set[int] = set()  # descriptors of this process


def _disown() -> None:
    for descriptor in _owned:
        _close(descriptor)
    _owned.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where no process is forked
    os.register_at_fork(after_in_child=_disown)


@contextmanager
def owned(devices: Iterable[str], patience: Patience) -> Iterator[None]:
    """Own *devices* among all processes of this machine; two windows on one would measure each other.

    Raises:
        DeviceBusy: Another process keeps one of them, or this one or one that it descends from owns it.
    """
    with ExitStack() as stack:
        for name, place in _places(devices):
            stack.enter_context(_owning(name, place, patience))
        yield


def _places(devices: Iterable[str]) -> Iterator[tuple[str, _Place]]:
    """In one order for everyone, so that no processes wait in a circle."""
    names = sorted(set(devices))
    if IS_LINUX:
        return ((name, _SocketName(name)) for name in names)
    if not HAS_FLOCK:
        return iter(())
    return (("the energy of this machine", _Folder(_ROOT)) for _ in names[:1])


@contextmanager
def _owning(name: str, place: _Place, patience: Patience) -> Iterator[None]:
    try:
        descriptor = _acquire(name, place, patience)
    except OSError as error:
        raise DeviceBusy(f"{name} can't be locked ({place}): {error.strerror or error}") from error
    _owned.add(descriptor)
    try:
        yield
    finally:
        if descriptor in _owned:  # not in a child that was forked in between
            _owned.remove(descriptor)
            _close(descriptor)


def _acquire(name: str, place: _Place, patience: Patience) -> int:
    wait = _Wait(name, patience)
    while (descriptor := place.take()) is None:
        if place.wait(wait.check):
            wait = _Wait(name, patience)
    return descriptor


class _Wait:
    """A wait for one holding of a device."""

    def __init__(self, name: str, patience: Patience) -> None:
        self._name, self._patience = name, patience
        self._began_s = patience.now_s()
        self._notice_s = FIRST_NOTICE_S

    def check(self, holder: Holder) -> float:
        """Report a wait for *holder* when due; returns the seconds until the next report.

        Raises:
            DeviceBusy: It has lasted long enough, or would never end.
        """
        if holder.is_own:
            raise DeviceBusy(
                f"{self._name} is being measured by {holder}, within which this test runs: a run "
                "inside a measured test can't measure, as both would count the same joules. Give the inner "
                "run --energy-off, or start it outside"
            )
        waited_s = self._patience.now_s() - self._began_s
        if self._patience.is_over(self._name, holder.pid, waited_s):
            raise DeviceBusy(
                f"{self._name} was measured by another run for {waited_s:.0f} s without a break: by "
                f"{holder}. Stop that run, or wait longer with --energy-device-wait=S"
            )
        if waited_s >= self._notice_s:
            self._notice_s = NOTICE_S * (waited_s // NOTICE_S + 1)
            text = f"waiting for {self._name}, {waited_s:.0f} s so far; it is measured by {holder}"
            self._patience.tell(holder, text, waited_s)
        return min(self._notice_s, self._patience.limit_for_s(self._name, holder.pid)) - waited_s


@dataclass(frozen=True, slots=True)
class _SocketName:
    """The abstract name of a device: Linux keeps those of each network namespace apart."""

    device: str

    def __str__(self) -> str:
        return "by an abstract UNIX socket"

    @property
    def _address(self) -> bytes:
        name = self.device.encode("utf-8", "surrogatepass")
        if len(name) > _NAME_BYTES:
            name = hashlib.sha256(name).hexdigest().encode()
        return b"\0pytest-energy/" + name

    def take(self) -> int | None:
        with Socket(_AF_UNIX, SOCK_STREAM) as one:
            try:
                one.bind(self._address)
                one.listen(_BACKLOG)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return None
                raise
            return one.detach()

    def wait(self, seconds_for: Callable[[Holder], float]) -> bool:
        with Socket(_AF_UNIX, SOCK_STREAM) as caller:
            caller.settimeout(0)
            try:
                caller.connect(self._address)
            except (ConnectionRefusedError, BlockingIOError):
                # Free by now, about to be listened at, or too many wait.
                return _look_again(seconds_for(Holder()))
            pid, user, _ = _CREDENTIALS.unpack(caller.getsockopt(SOL_SOCKET, _SO_PEERCRED, _CREDENTIALS.size))
            end = _poll()
            end.register(caller, 0)  # that the other side has hung up is told in any case
            return bool(end.poll(1000 * seconds_for(Holder(pid, user))))


@dataclass(frozen=True, slots=True)
class _Folder:
    """One lock for all devices, wherever `flock` works."""

    path: Path

    def __str__(self) -> str:
        return f"by flock on {self.path}"

    def take(self) -> int | None:
        descriptor = os.open(self.path, os.O_RDONLY | CLOSE_ON_EXEC)
        try:
            lock_at_once(descriptor)
        except BlockingIOError:
            _close(descriptor)
            return None
        except OSError:
            _close(descriptor)
            raise
        return descriptor

    def wait(self, seconds_for: Callable[[Holder], float]) -> bool:
        return _look_again(seconds_for(Holder(_own_pid() if _owned else 0)))


def _look_again(most_s: float) -> Literal[False]:
    """Sleep for a moment: what holds the device gives no sign when it goes."""
    MACHINE_TIME.sleep_s(min(most_s, _LOOK_S))
    return False
