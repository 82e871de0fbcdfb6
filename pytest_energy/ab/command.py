"""`pytest-energy ab REF`: two revisions of the code measured in turns on this machine, test by test."""

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from pytest_energy.ab.comparison import Comparison, ComparisonPlan
from pytest_energy.ab.signals import SIGNALLED, Interrupted, ended_by_signals
from pytest_energy.ab.trees import Sides, trees_of
from pytest_energy.basis import COUNTS
from pytest_energy.documents import now_text
from pytest_energy.errors import printable_lines
from pytest_energy.report import view
from pytest_energy.report.formats import check_outputs, summary_text, write, write_each
from pytest_energy.verdict.policy import is_failing

_MOST_WIDTH, _LEAST_WIDTH = 160, 80


def run(options: argparse.Namespace) -> int:
    """Compare the working tree with `options.ref`.

    Returns:
        0, or 1 where a test has failed, or 2 where a side has ended too early, or 128 and a signal's number.

    Raises:
        EnergyError: REF is no commit, or a side can't collect, or a report can't be written.
    """
    check_outputs(options.out)
    sides = Sides.of(options.ref, Path.cwd(), dict(options.env_base), dict(options.env))
    try:
        with ended_by_signals():
            comparison = _compare(sides, options)
    except Interrupted as interrupted:
        left = "" if sides.revision is None else " The worktree was removed."
        print(f"pytest-energy ab: stopped by {interrupted.name}.{left}", file=sys.stderr)
        return SIGNALLED + interrupted.number
    return _report(comparison, options)


def plan_of(options: argparse.Namespace) -> ComparisonPlan:
    """What the options of `add_rule` ask for."""
    return ComparisonPlan(
        tolerance=options.tolerance,
        alpha=options.alpha,
        is_by_counts=options.basis == COUNTS,
        pair_count=options.pairs,
        block_count=options.blocks,
        max_time_s=options.max_time,
        pytest_arguments=tuple(options.pytest_arguments),
    )


def _compare(sides: Sides, options: argparse.Namespace) -> Comparison:
    with ExitStack() as stack:
        trees = stack.enter_context(trees_of(sides))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pytest-energy-ab-log-")))
        _say(f"comparing {trees[1].name} with {trees[0].name}")
        comparison = Comparison(trees, sides.root, logs, plan_of(options), _say)
        comparison.measure()
        return comparison


def _say(text: str) -> None:
    print(printable_lines(text), flush=True)


def _report(comparison: Comparison, options: argparse.Namespace) -> int:
    """Show and write what came of *comparison*; the exit status."""
    failing = [problem.text for problem in comparison.problems if problem.is_failing]
    harmless = [problem.text for problem in comparison.problems if not problem.is_failing]
    errors = failing if comparison.broken is None else [*failing, comparison.broken]
    notes = [*comparison.notes, *harmless, *(f"ERROR: {text}" for text in errors)]
    if comparison.judgements:
        width = min(_MOST_WIDTH, max(_LEAST_WIDTH, shutil.get_terminal_size().columns))
        _say(summary_text(view.of(comparison.judgements), width=width))
    for note in notes:
        _say(note if note.startswith("ERROR") else f"note: {note}")
    write_one = partial(write, comparison.judgements, created=now_text(), run_notes=notes)
    write_each(options.out, write_one, lambda path: _say(f"report written to {path}"))
    if comparison.broken is not None:
        return 2
    strict = options.strict
    return int(bool(failing) or any(is_failing(one, strict=strict) for one in comparison.judgements))
