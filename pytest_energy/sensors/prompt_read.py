"""Fast reads of the kernel's counters that keep the interpreter's lock (GIL).

Python lets other threads run while it reads a file, and has to wait for each of them, 5 ms at a time, before
it has the value. These calls take microseconds, so they are made with the interpreter held.

Source: ctypes.PyDLL, "the Python GIL is not released during the function call"; `sys.setswitchinterval`.
"""

import errno
import os
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
        self.errno, self.block_of = ctypes.get_errno, ctypes.create_string_buffer

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
