"""`pytest-energy bisect GOOD [BAD]`: the first commit whose energy, or counts, rose."""

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from pytest_energy.ab.command import plan_of
from pytest_energy.ab.signals import SIGNALLED, Interrupted, ended_by_signals
from pytest_energy.ab.worktree import repository_root
from pytest_energy.baselines.machine import commit
from pytest_energy.bisect import words
from pytest_energy.bisect.bench import Bench, Setup
from pytest_energy.bisect.bisection import Bisection, Found, Step
from pytest_energy.bisect.document import check_outputs, document_of, write
from pytest_energy.bisect.history import History
from pytest_energy.bisect.target import Target
from pytest_energy.documents import now_text
from pytest_energy.errors import SettingsError, printable_lines
from pytest_energy.masking import masked
from pytest_energy.meter.clock import SystemClock

_LEAST_WIDTH, _MOST_WIDTH = 80, 160
_LOG_S = 60.0  # of a log that shows nothing in that time readers believe that it hangs
NOT_FOUND = 1
"""Exit status where no rise was detected, or skipped commits hide which one it is."""


def run(options: argparse.Namespace) -> int:
    """Find the first commit after `options.good` up to `options.bad` whose energy rose.

    Returns:
        0 where one commit was found, 1 where none was, or 128 and a signal's number.

    Raises:
        EnergyError: A revision or a path is wrong, or GOOD or BAD can't be measured, or a report can't be
            written.
    """
    check_outputs(options.out)
    root = repository_root(Path.cwd())
    history = History.of(root, options.good, options.bad, is_first_parent=options.first_parent)
    screen = _Screen(is_linear=history.is_linear)
    try:
        with ended_by_signals(), ExitStack() as stack:
            bisection = _begin(history, options, screen, stack)
            found = bisection.run()
    except Interrupted as interrupted:
        screen.show(f"stopped by {interrupted.name}. The worktrees were removed.")
        screen.show(words.continuation(history, screen.steps))
        return SIGNALLED + interrupted.number
    return _report(found, screen, options)


def _begin(history: History, options: argparse.Namespace, screen: "_Screen", stack: ExitStack) -> Bisection:
    logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pytest-energy-bisect-log-")))
    setup = Setup(
        root=history.root,
        folder=Path.cwd().resolve().relative_to(history.root),
        copies=tuple(_relative(path, history.root) for path in options.copy),
        build=options.build,
        logs=logs,
    )
    commit_count = 1 + len(history.candidates([history.good.commit], history.bad.commit))
    screen.show(words.opening(history, commit_count))
    if commit(history.root).get("git_dirty") == "yes" and not options.copy:
        screen.show("note: changes that are not committed are not part of any commit, and not measured")
    good = stack.enter_context(setup.tree(history.good))
    return Bisection(
        history=history,
        bench=Bench(setup, good, screen.show_meanwhile),
        plan=plan_of(options),
        test_name=options.test,
        clock=SystemClock(),
        report=screen.show_step,
    )


def _relative(path: Path, root: Path) -> Path:
    """*path* of `--copy`, from the top of the working tree on.

    Raises:
        SettingsError: It isn't in the working tree.
    """
    full = path.resolve()
    if not full.exists() or not full.is_relative_to(root) or full == root:
        raise SettingsError(f"--copy {path}: name a file or a folder in the working tree {root}")
    return full.relative_to(root)


def _report(found: Found, screen: "_Screen", options: argparse.Namespace) -> int:
    """Show and write what was found; the exit status."""
    for line in words.conclusion(found):
        screen.show(line)
    document, lines = document_of(found, now_text()), tuple(screen.lines)
    for path in options.out:
        write(path, document, lines)
        screen.show(f"report written to {path}")
    return 0 if found.culprit is not None else NOT_FOUND


class _Screen:
    """Shows lines, and what happens meanwhile: on the last line of a terminal, once a minute in a log.

    Attributes:
        lines: What was shown to stay.
        steps: Those that were shown.
    """

    def __init__(self, *, is_linear: bool) -> None:
        self._is_linear = is_linear
        self._is_live = sys.stdout.isatty()
        self._clock = SystemClock()
        self._shown_s = self._clock.now_s()
        self._width = min(_MOST_WIDTH, max(_LEAST_WIDTH, shutil.get_terminal_size().columns))
        self.lines: list[str] = []
        self.steps: list[Step] = []

    def show(self, text: str) -> None:
        inert, self._shown_s = printable_lines(masked(text)), self._clock.now_s()
        self.lines += inert.split("\n")
        print(f"\r\x1b[K{inert}" if self._is_live else inert, flush=True)

    def show_meanwhile(self, text: str) -> None:
        line = printable_lines(masked(text.splitlines()[0]))[: self._width - 1]
        now_s = self._clock.now_s()
        if self._is_live:
            print(f"\r\x1b[K{line}", end="", flush=True)
        elif now_s - self._shown_s >= _LOG_S:
            self._shown_s = now_s
            print(line, flush=True)

    def show_step(self, step: Step, target: Target) -> None:
        self.steps.append(step)
        self.show(words.step_line(step, target, is_linear=self._is_linear, width=self._width))
        if step.number == 1:
            for line in words.target_lines(target):
                self.show(line)
