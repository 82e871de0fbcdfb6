"""SIGTERM ends a run as Ctrl-C does, so that what was measured until then is written.

Rule 1: only where nobody else handles it: a handler of the suite or of the embedding program stays.
Rule 2: a second SIGTERM ends the process at once.
"""

import signal
import threading
from types import FrameType

import pytest


def write_before_sigterm(config: pytest.Config) -> None:
    """Have SIGTERM interrupt the run, until *config* is over; of no effect outside the main thread."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)
        config.add_cleanup(_restore)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    _restore()
    raise KeyboardInterrupt(signal.Signals(number).name)


def _restore() -> None:
    if signal.getsignal(signal.SIGTERM) is _interrupt:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def is_ours() -> bool:
    """Whether SIGTERM is handled here."""
    return signal.getsignal(signal.SIGTERM) is _interrupt
