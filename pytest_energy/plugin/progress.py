"""A line on the terminal that says which round of which test is being measured, and what is known so far.

Rule 1: only on a terminal, and not under `-q`: a log holds what is final, and what the run waits for.
Rule 2: it is written between the windows, so that it is never measured.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
from _pytest.capture import CaptureManager


def say(config: pytest.Config, text: str) -> None:
    """Write *text* in a line of its own, into a log as well: who reads why nothing moves needs it now."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    with _uncaptured(config):
        if reporter is None:  # a worker: what it writes comes out where the run was started
            sys.stderr.write(f"energy: {text}\n")
            sys.stderr.flush()
        else:
            reporter.ensure_newline()
            reporter.write_line(f"energy: {text}")
            reporter.flush()


def _uncaptured(config: pytest.Config) -> AbstractContextManager[None]:
    capture = config.pluginmanager.get_plugin("capturemanager")
    return capture.global_and_fixture_disabled() if isinstance(capture, CaptureManager) else nullcontext()


@contextmanager
def live_line(config: pytest.Config, test_id: str) -> Iterator[Callable[[str], None]]:
    """Show texts one over the other for as long as the block runs; the line is gone afterwards."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty() or config.get_verbosity() < 0:
        yield lambda _: None
        return
    width = config.get_terminal_writer().fullwidth - 1
    name = test_id.rpartition("::")[2]

    def show(text: str) -> None:
        with _uncaptured(config):
            reporter.ensure_newline()  # keeps the line of dots
            reporter.rewrite(f"{name}: {text}"[:width], erase=True)
            reporter.flush()

    try:
        yield show
    finally:
        with _uncaptured(config):
            reporter.rewrite(" " * width)
            reporter.rewrite("")
