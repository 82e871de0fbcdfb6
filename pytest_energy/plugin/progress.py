"""Progress of a run while it measures: one line below pytest's dots, or a line per minute in a log.

Rule 1: pytest's own line stays as pytest writes it. Ours is below; the cursor is put back, and our line is
    erased before pytest writes again.
Rule 2: it is written between the windows, so that it is never measured. It goes past the capture of output,
    which a test may have replaced by its own.
Rule 3: where tests or logging write to the terminal themselves, and where nothing moves the cursor, it is a
    log. Under `-qq` there is neither.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
from _pytest.capture import CaptureManager

from pytest_energy.errors import printable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.plugin.stash import PROGRESS
from pytest_energy.report.screen import shortened

_LOG_S = 60.0  # between two lines of a log
_DRAW_S = 0.1  # between two texts of one test: nobody reads faster, and a round may take a millisecond
_LEAST_NAME = 12

TextFor = Callable[[int], str]
"""The text for a line of so many cells."""

# No test replaces these: they are bound before any runs.
_write, _size, _close = partial(os.write), partial(os.get_terminal_size), partial(os.close)


class Place(Protocol):
    """Where progress is shown."""

    def show(self, text_for: TextFor, overall: str) -> None:
        """Show where the run is: in detail, or *overall*."""
        ...

    def explain(self, text: str) -> None:
        """Show why nothing moves."""
        ...

    def erase(self) -> None:
        """Leave the terminal to pytest."""
        ...


class _Nowhere:
    """No place: a worker, or a very quiet run."""

    def show(self, text_for: TextFor, overall: str) -> None: ...

    def explain(self, text: str) -> None:
        sys.stderr.write(f"energy: {text}\n")  # comes out where the run was started
        sys.stderr.flush()

    def erase(self) -> None: ...


class Log:
    """A file or a pipe.

    Args:
        write_line: Writes a line of its own.
        now_s: A clock.
    """

    def __init__(self, write_line: Callable[[str], None], now_s: Callable[[], float]) -> None:
        self._write_line, self._now_s = write_line, now_s
        self._last_s = now_s()

    def show(self, text_for: TextFor, overall: str) -> None:
        del text_for
        if self._now_s() - self._last_s >= _LOG_S:
            self.explain(overall)

    def explain(self, text: str) -> None:
        self._write_line(text)
        self._last_s = self._now_s()

    def erase(self) -> None: ...


class LineBelow:
    """A line of a terminal below the one on which something is being written.

    Args:
        column: Cells of that line so far, wrapped or not.
        width: Of the terminal.
        write: Writes to it, at once.
    """

    def __init__(
        self, *, column: Callable[[], int], width: Callable[[], int], write: Callable[[str], object]
    ) -> None:
        self._column, self._width, self._write = column, width, write
        self._is_shown = False

    def show(self, text_for: TextFor, overall: str = "") -> None:
        del overall
        width = self._width()
        if self._column() and self._column() % width == 0:
            return  # the cursor is past the edge, where no sequence puts it back
        self._over(text_for(width - 1))
        self._is_shown = True

    def explain(self, text: str) -> None:
        self.show(lambda width: shortened(text, width))

    def erase(self) -> None:
        if self._is_shown:
            self._is_shown = False
            self._over("")

    def _over(self, text: str) -> None:
        """*text* in the line below, whatever was there; the cursor is where it was."""
        # ECMA-48: EL 2 erases a line, CUU goes up, CHA to a column from 1 on. A newline makes the line if
        # there is none.
        self._write(f"\r\n\x1b[2K{text}\x1b[1A\x1b[{self._column() % self._width() + 1}G")


def say(config: pytest.Config, text: str) -> None:
    """Write *text* in a line of its own, to stay there."""
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        _Nowhere().explain(text)
        return
    progress_of(config).erase()
    with _uncaptured(config):
        path = reporter.currentfspath
        reporter.ensure_newline()
        if config.get_terminal_writer().width_of_current_line:  # dots without a file's name, under -q
            reporter.write_line("")
        reporter.write_line(f"energy: {text}")
        if isinstance(path, Path):  # the results of its tests go on after its name
            reporter.write(f"{os.path.relpath(path, reporter.startpath)} ")
            reporter.currentfspath = path
        reporter.flush()


def _uncaptured(config: pytest.Config) -> AbstractContextManager[None]:
    capture = config.pluginmanager.get_plugin("capturemanager")
    return capture.global_and_fixture_disabled() if isinstance(capture, CaptureManager) else nullcontext()


class Progress:
    """Where a run is: which of its energy tests is measured, and how long all of them will take.

    Args:
        place: Where that is shown.
        now_s: A clock.
    """

    def __init__(self, place: Place, now_s: Callable[[], float]) -> None:
        self._place, self._now_s = place, now_s
        self._numbers: dict[str, int] = {}
        self._began_s: float | None = None
        self._early_count = 0  # tests that were over then
        self._test_s = self._drawn_s = 0.0  # when the present test began, and when its line was drawn
        self._test_id = ""

    def expect(self, test_ids: Iterable[str]) -> None:
        """Know the energy tests to come, in order."""
        self._numbers = {test_id: number for number, test_id in enumerate(test_ids, 1)}

    def show(self, test_id: str, text: str) -> None:
        """Show what is done with a test, or with a part of one (`test#part`)."""
        now_s = self._now_s()
        if test_id == self._test_id and now_s - self._drawn_s < _DRAW_S:
            return
        if self._began_s is None:
            self._began_s = now_s
        if test_id != self._test_id:
            self._test_id, self._test_s = test_id, now_s
        self._drawn_s = now_s
        number = self._numbers.get(test_id, self._numbers.get(test_id.rpartition("#")[0], 0))
        count = len(self._numbers)
        left = self._left(number - 1, count, self._test_s) if number else ""
        self._place.show(
            partial(_detail, f"[{number}/{count}] " if number else "", test_id, text, left),
            f"{number - 1} of {count} tests{left}" if number else f"{printable(test_id)}: {text}",
        )

    def count(self, done: int, count: int) -> None:
        """Show that *done* of *count* tests are over, of which others do the work."""
        now_s = self._now_s()
        if self._began_s is None:  # with the first report of a test that was at work before
            self._began_s, self._early_count = now_s, done + 1
        left = self._left(done - self._early_count, count - self._early_count, now_s)
        text = f"{done} of {count} tests{left}"
        self._place.show(lambda width: shortened(f"energy: {text}", width), text)

    def _left(self, done: int, count: int, since_s: float) -> str:
        """How long the rest will take, if it goes on as until *since_s*, when *done* tests were over."""
        if done < 1 or self._began_s is None or since_s <= self._began_s:
            return ""
        rest_s = (since_s - self._began_s) / done * (count - done) - (self._now_s() - since_s)
        return f", ~{time_text(max(0.0, rest_s))} left"

    @contextmanager
    def status(self, text: str) -> Iterator[None]:
        """Show *text* while the block runs."""
        self._place.show(lambda width: shortened(f"energy: {text}", width), text)
        try:
            yield
        finally:
            self.erase()

    def explain(self, text: str) -> None:
        """Show why nothing moves, at once."""
        self._place.explain(text)

    def erase(self) -> None:
        """Leave the terminal to pytest."""
        self._place.erase()


def _detail(number: str, test_id: str, text: str, left: str, width: int) -> str:
    """Number, name and state of a test in *width* cells; the name gives way first."""
    name, rest = printable(test_id.rpartition("::")[2]), f": {text}"
    whole = f"; run{left.removeprefix(',')}" if left else ""
    room = width - len(number) - len(rest)
    if room - len(whole) >= min(len(name), _LEAST_NAME):
        rest, room = rest + whole, room - len(whole)
    return shortened(f"{number}{shortened(name, max(_LEAST_NAME, room))}{rest}", width)


def time_text(duration_s: float) -> str:
    """A waiting time for people, in one unit.

    >>> time_text(42.4), time_text(170), time_text(9000)
    ('42 s', '3 min', '2.5 h')
    """
    if duration_s < 90:
        return f"{duration_s:.0f} s"
    return f"{duration_s / 60:.0f} min" if duration_s < 5400 else f"{duration_s / 3600:.1f} h"


@contextmanager
def live_line(config: pytest.Config, test_id: str) -> Iterator[Callable[[str], None]]:
    """Show texts on a test, one over the other, for as long as the block runs; they are gone afterwards."""
    progress = progress_of(config)
    try:
        yield partial(progress.show, test_id)
    finally:
        progress.erase()


def progress_of(config: pytest.Config) -> Progress:
    """The run's own, made when first asked for: between tests, while nothing is captured."""
    if PROGRESS not in config.stash:
        config.stash[PROGRESS] = Progress(_place(config), MACHINE_TIME.now_s)
    return config.stash[PROGRESS]


def _place(config: pytest.Config) -> Place:
    reporter: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.get_verbosity() < -1:
        return _Nowhere()
    kind: type = type(reporter)  # another plugin's may write where ours doesn't know of
    is_own = kind is pytest.TerminalReporter and reporter.isatty() and not _others_write(config)
    if not is_own or os.environ.get("TERM", "dumb") == "dumb":
        return Log(partial(say, config), MACHINE_TIME.now_s)
    writer, encoding = config.get_terminal_writer(), sys.stdout.encoding
    terminal = os.dup(sys.stdout.fileno())
    config.add_cleanup(partial(_close, terminal))
    return LineBelow(
        column=lambda: writer.width_of_current_line,
        width=lambda: _size(terminal).columns or writer.fullwidth,
        write=lambda text: _write(terminal, text.encode(encoding, "replace")),
    )


def _others_write(config: pytest.Config) -> bool:
    """Whether tests or log records write to the terminal while tests run."""
    logs = config.getoption("log_cli_level", default=None) or config.getini("log_cli")
    return bool(logs) or config.getoption("capture", default="fd") == "no"
