"""Signals that end a command, after its clean-up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALLED = 128
"""A shell's exit status for a process that a signal has ended, plus the signal's number."""


class Interrupted(BaseException):
    """The signal *number* has ended the command; like `KeyboardInterrupt`, nothing but clean-up stops it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        return signal.Signals(self.number).name


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Have SIGINT, SIGTERM and SIGHUP, if there are such, end the block like an exception: all is cleaned up.

    Raises:
        Interrupted: One of them has.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        raise Interrupted(number)

    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
