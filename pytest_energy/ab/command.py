"""`pytest-energy ab REF`: two revisions of the code measured in turns on this machine, test by test."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from types import FrameType

from pytest_energy.ab.interleave import PairedRounds, PairPlan, interleave
from pytest_energy.ab.judge import Problem, Suite
from pytest_energy.ab.paired_test import PairedTest
from pytest_energy.ab.protocol import NO_SENSOR, CollectedTests
from pytest_energy.ab.side import Tree, Worker, own_sources, shared_sources, worker
from pytest_energy.ab.trees import Sides, trees_of
from pytest_energy.basis import COUNTS
from pytest_energy.documents import now_text
from pytest_energy.errors import EnergyError, SettingsError, printable_lines
from pytest_energy.judgement import Judgement
from pytest_energy.meter.clock import SystemClock
from pytest_energy.report import view
from pytest_energy.report.formats import check_outputs, summary_text, write, write_each
from pytest_energy.stats.paired import LEAST_PAIR_COUNT, is_turned
from pytest_energy.verdict.figures import count_text
from pytest_energy.verdict.policy import Policy, is_failing

DEFAULT_TOLERANCE = 0.02
"""Of a test whose marker names none: rounds in turns tell what stored baselines, 1 % apart from session to
session, can't."""

_LEAST_TOLERANCE = 0.01
"""A smaller one is judged as it is, but rounds are made no longer for it: they would be past all measure."""

NO_ROUNDS = ("--energy-basis=counts", f"--energy-sensors={NO_SENSOR}")
"""What makes a side count, and measure nothing: last on its command line, where it wins."""

_MOST_WIDTH, _LEAST_WIDTH = 160, 80
_SIGNALLED = 128  # a shell's exit status for a process that a signal has ended, plus the signal's number


class _Interrupted(BaseException):
    """The signal *number* has ended the command; like `KeyboardInterrupt`, nothing but clean-up stops it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have SIGINT, SIGTERM and SIGHUP end the block like an exception, so that everything is cleaned up."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        raise _Interrupted(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
        with _ended_by_signals():
            comparison = _compare(sides, options)
    except _Interrupted as interrupted:
        name = signal.Signals(interrupted.number).name
        left = "" if sides.revision is None else "; the worktree is removed"
        print(f"pytest-energy ab: ended by {name}{left}", file=sys.stderr)
        return _SIGNALLED + interrupted.number
    return comparison.report()


def _compare(sides: Sides, options: argparse.Namespace) -> "_Comparison":
    with ExitStack() as stack:
        trees = stack.enter_context(trees_of(sides))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pytest-energy-ab-log-")))
        _say(f"comparing {trees[1].name} with {trees[0].name}")
        comparison = _Comparison(trees, sides.root, logs, options)
        comparison.measure_all()
        return comparison


def _say(text: str) -> None:
    print(printable_lines(text), flush=True)


class _Comparison:
    """The tests of two trees in blocks of fresh workers, and what has come of them so far."""

    def __init__(self, trees: tuple[Tree, Tree], root: Path, logs: Path, options: argparse.Namespace) -> None:
        self._trees, self._root, self._logs, self._options = trees, root, logs, options
        self._is_by_counts = options.basis == COUNTS
        self._block_count = 1 if self._is_by_counts else min(options.blocks, options.pairs)
        self._tests: dict[str, PairedTest] = {}
        self._sources: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._judgements: list[Judgement] = []
        self._problems: list[Problem] = []
        self._notes: list[str] = []
        self._broken: str | None = None  # why it did not come to its end

    # Measuring

    def measure_all(self) -> None:
        for number in range(self._block_count):
            if number and not self._open_tests():
                break
            with self._workers(number) as sides:
                self._measure_block(number, sides)
            if self._broken is not None:
                break
            if number + 1 < self._block_count:
                self._look()
        self._judge_all()
        self._note_sources()

    @contextmanager
    def _workers(self, number: int) -> Iterator[tuple[Worker, Worker]]:
        """Fresh workers for block *number*; in every second one the other side starts first."""
        tolerance = DEFAULT_TOLERANCE if self._options.tolerance is None else self._options.tolerance
        words = [f"--energy-tolerance={max(tolerance, _LEAST_TOLERANCE)}", *self._options.pytest_arguments]
        if self._is_by_counts:
            words += NO_ROUNDS
        elif number:
            words.append("--energy-trace=off")  # counts repeat: those of the first block are enough
        sides: dict[int, Worker] = {}
        with ExitStack() as stack:
            for side in (1, 0) if is_turned(0, block=number) else (0, 1):
                log = self._logs / f"{number}-{side}.log"
                sides[side] = stack.enter_context(worker(self._trees[side], words, log))
            yield sides[0], sides[1]

    def _measure_block(self, number: int, sides: tuple[Worker, Worker]) -> None:
        before, after = (side.collected() for side in sides)
        if number == 0:
            self._begin(before, after)
        test_ids = self._open_tests()
        try:
            for place, (test_id, next_id) in enumerate(zip_longest(test_ids, test_ids[1:]), start=1):
                rounds = self._measure(sides, self._tests[test_id], next_id)
                block = "" if self._is_by_counts else f"block {number + 1} of {self._block_count}, "
                done = "counted" if self._is_by_counts else count_text(len(rounds.before), "pair")
                _say(f"{block}test {place} of {len(test_ids)}: {test_id}: {done}")
        except EnergyError as error:
            self._broken = str(error)
        finally:
            for known, side in zip(self._sources, sides, strict=True):
                known.update(side.sources)

    def _begin(self, before: CollectedTests, after: CollectedTests) -> None:
        self._note_what_is_left_out(before, after)
        if not (before.tolerances or after.tolerances):
            raise SettingsError("no test on either side is marked energy or uses the fixture energy")
        names = (self._trees[0].name, self._trees[1].name)
        for test_id, marked in after.tolerances.items():
            if test_id in before.tolerances:
                policy = self._policy(marked)
                self._tests[test_id] = PairedTest(test_id, names, policy, self._block_count)

    def _policy(self, marked: float | None) -> Policy:
        """What is asked of a test whose marker accepts a rise of *marked*, if any."""
        asked = marked if self._options.tolerance is None else self._options.tolerance
        return Policy(
            tolerance=DEFAULT_TOLERANCE if asked is None else asked,
            alpha=self._options.alpha,
            is_by_counts=self._is_by_counts,
            counts_tolerance=asked or 0.0,
        )

    def _open_tests(self) -> list[str]:
        """The tests that another block has something to add to."""
        return [test_id for test_id, test in self._tests.items() if test.is_open]

    def _note_what_is_left_out(self, before: CollectedTests, after: CollectedTests) -> None:
        one, other = (tree.name for tree in self._trees)
        for here, there, name, missing in ((before, after, one, other), (after, before, other, one)):
            self._problems += [
                Problem(text=f"{test_id} is on one side only: {name} has it, {missing} doesn't")
                for test_id in here.tolerances
                if test_id not in there.tolerances
            ]
        if after.other_count:
            self._notes.append(f"tests without energy, which were not run: {after.other_count}")

    def _measure(self, sides: tuple[Worker, Worker], test: PairedTest, next_id: str | None) -> PairedRounds:
        plan = PairPlan(
            least=min(LEAST_PAIR_COUNT, self._options.pairs),
            cap=self._options.pairs,
            tolerance=test.policy.tolerance,
            max_time_s=self._options.max_time,
            block_count=self._block_count,
        )
        earlier = tuple(test.blocks)
        rounds = interleave(*sides, test.test_id, next_id, plan=plan, clock=SystemClock(), earlier=earlier)
        test.add(rounds)
        return rounds

    # Judging

    def _suite(self) -> Suite:
        return Suite.of({test_id: test.blocks for test_id, test in self._tests.items() if test.blocks})

    def _look(self) -> None:
        """End the tests of which enough is known."""
        suite = self._suite()
        for test_id in self._open_tests():
            judgement = self._tests[test_id].look(suite)
            if judgement is not None:
                _say(f"{test_id}: {judgement.verdict}: no further block is needed")

    def _judge_all(self) -> None:
        suite = self._suite()
        for test in self._tests.values():
            if test.blocks:
                self._judge(test, suite)

    def _judge(self, test: PairedTest, suite: Suite) -> None:
        judgement = test.conclude(suite)
        if isinstance(judgement, Problem):
            self._problems.append(judgement)
            _say(f"{test.test_id}: nothing to compare")
        else:
            self._judgements.append(judgement)
            headline = judgement.reason.splitlines()[0]
            _say(f"{test.test_id}: {judgement.verdict}: {headline}")

    def _note_sources(self) -> None:
        """Note where each side's code came from, and warn of code that both sides have shared."""
        for tree, sources in zip(self._trees, self._sources, strict=True):
            names = ", ".join(own_sources(sources, tree.root)) or "no module"
            self._notes.append(f"{tree.name} imported from its own tree: {names}")
        before, after = self._sources
        if self._trees[0].root == self._trees[1].root:
            return  # all code is shared: what differs is the environment
        self._notes += [
            f"WARNING: both sides imported {name} from {file}, so a change in it was not compared"
            for name, file in shared_sources(before, after, self._root).items()
        ]

    def report(self) -> int:
        """Show and write it; the exit status."""
        failing = [problem.text for problem in self._problems if problem.is_failing]
        notes = [*self._notes, *(problem.text for problem in self._problems if not problem.is_failing)]
        errors = failing if self._broken is None else [*failing, self._broken]
        notes += (f"ERROR: {text}" for text in errors)
        if self._judgements:
            width = min(_MOST_WIDTH, max(_LEAST_WIDTH, shutil.get_terminal_size().columns))
            _say(summary_text(view.of(self._judgements), width=width))
        for note in notes:
            _say(note if note.startswith("ERROR") else f"note: {note}")
        write_one = partial(write, self._judgements, created=now_text(), run_notes=notes)
        write_each(self._options.out, write_one, lambda path: _say(f"report written to {path}"))
        if self._broken is not None:
            return 2
        is_strict = self._options.strict
        return int(bool(failing) or any(is_failing(one, strict=is_strict) for one in self._judgements))
