"""Signals that end a command, after its clean-up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pytest_energy.errors import SettingsError
from pytest_energy.system import IS_WINDOWS, NAME

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
    """Have SIGINT, SIGTERM and SIGHUP end the block like an exception, so that everything is cleaned up.

    Raises:
        Interrupted: One of them has.
        SettingsError: This is Windows, where a worker's processes have no group that could be ended.
    """
    if IS_WINDOWS:
        raise SettingsError(f"this command is not available on {NAME}; run it on Linux or macOS")

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        raise Interrupted(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
