"""A line on the terminal that says which round of which test is being measured, and what is known so far.

Rule 1: only on a terminal, and not under `-q`: a log holds what is final.
Rule 2: it is written between the windows, so that it is never measured.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest
from _pytest.capture import CaptureManager


@contextmanager
def live_line(config: pytest.Config, test_id: str) -> Iterator[Callable[[str], None]]:
    """Show texts one over the other for as long as the block runs; the line is gone afterwards."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not reporter.isatty() or config.get_verbosity() < 0:
        yield lambda _: None
        return
    capture = config.pluginmanager.get_plugin("capturemanager")
    uncaptured = capture.global_and_fixture_disabled if isinstance(capture, CaptureManager) else nullcontext
    width = config.get_terminal_writer().fullwidth - 1
    name = test_id.rpartition("::")[2]

    def show(text: str) -> None:
        with uncaptured():
            reporter.ensure_newline()  # keeps the line of dots
            reporter.rewrite(f"{name}: {text}"[:width], erase=True)
            reporter.flush()

    try:
        yield show
    finally:
        with uncaptured():
            reporter.rewrite(" " * width)
            reporter.rewrite("")
