"""Fast reads of the kernel's counters that keep the interpreter's lock (GIL).

Python lets other threads run while it reads a file, and has to wait for each of them, 5 ms at a time, before
it has the value. These calls take microseconds, so they are made with the interpreter held.

Source: ctypes.PyDLL, "the Python GIL is not released during the function call"; `sys.setswitchinterval`.
"""

import errno
import os
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path

from pytest_energy.system import READ_ONLY

# A count of 20 digits, or a name.
_LINE_BYTES = 256


class _HeldCalls:
    """Calls of the C library with the interpreter held."""

    def __init__(self) -> None:
        import ctypes

        libc = ctypes.PyDLL(None, use_errno=True)
        self.open, self.read, self.close = libc.open, libc.read, libc.close
        self.read.restype = ctypes.c_ssize_t
        self.read.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
        # Keeping errno takes as long as the rest of the call; who has an error reads again to learn which.
        self.pread = ctypes.PyDLL(None).pread
        self.pread.restype = ctypes.c_ssize_t
        self.errno, self.block_of = ctypes.get_errno, ctypes.create_string_buffer

    def start_of(self, descriptor: int, block: object, size: int) -> tuple[object, ...]:
        """Arguments of `pread` for the start of a file, made once: to make them takes as long as the call."""
        import ctypes

        address = ctypes.c_void_p(ctypes.addressof(block))  # type: ignore[arg-type]
        return ctypes.c_int(descriptor), address, ctypes.c_size_t(size), ctypes.c_ssize_t(0)

    def error(self, path: str | None = None) -> OSError:
        number = self.errno()
        return OSError(number, os.strerror(number), path)


_calls = cache(_HeldCalls)


def read_descriptor(descriptor: int, size: int) -> bytes:
    """The next bytes of an open file, at most so many.

    Raises:
        OSError: It can't be read.
    """
    calls = _calls()
    block = calls.block_of(size)
    while (count := calls.read(descriptor, block, size)) < 0:
        if calls.errno() != errno.EINTR:
            raise calls.error()
    return block.raw[:count]


def read_small(path: Path) -> str:
    """What a file of one line holds.

    Raises:
        OSError: It can't be read.
    """
    calls, name = _calls(), os.fspath(path)
    descriptor = calls.open(os.fsencode(name), READ_ONLY)
    if descriptor < 0:
        raise calls.error(name)
    try:
        return read_descriptor(descriptor, _LINE_BYTES).decode("ascii", "replace")
    finally:
        calls.close(descriptor)


class KeptFile:
    """A file of one line that stays open: to open and close it costs five times what reading it does.

    One thread at a time reads it. After an error it is opened again: a driver that was loaded again has
    another file of that name.
    """

    # Bound here, as a test that runs meanwhile may put another in its place; Windows has none.
    _plain_pread: Callable[[int, int, int], bytes] = staticmethod(getattr(os, "pread", lambda *_: b""))

    def __init__(self, path: Path) -> None:
        self._path, self._calls = path, _calls()
        self._finalizer: weakref.finalize[..., KeptFile] | None = None
        self._block, self._pread = self._calls.block_of(_LINE_BYTES), self._calls.pread
        self._descriptor, self._start = -1, tuple[object, ...]()

    def __call__(self) -> bytes:
        """What it holds now.

        Raises:
            OSError: It can't be read.
        """
        if not self._start:
            self._open()
        count = self._pread(*self._start)
        return self._block.raw[:count] if count >= 0 else self._read_again()

    def _read_again(self) -> bytes:
        """Its content by a call that may be interrupted and has the reason of an error."""
        try:
            return self._plain_pread(self._descriptor, _LINE_BYTES, 0)
        except OSError as error:
            self.close()
            raise OSError(error.errno, error.strerror, os.fspath(self._path)) from error

    def _open(self) -> None:
        name = os.fspath(self._path)
        descriptor = self._calls.open(os.fsencode(name), READ_ONLY)
        if descriptor < 0:
            raise self._calls.error(name)
        self._descriptor = descriptor
        self._start = self._calls.start_of(descriptor, self._block, _LINE_BYTES)
        self._finalizer = weakref.finalize(self, self._calls.close, descriptor)

    def close(self) -> None:
        """Close it, until it is read again."""
        if self._finalizer is not None:
            self._finalizer()
        self._descriptor, self._start, self._finalizer = -1, (), None
