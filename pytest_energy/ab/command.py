"""`pytest-energy ab REF`: two revisions of the code measured in turns on this machine, test by test."""

import argparse
import math
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pytest_energy.ab.worktree import Revision, repository_root, resolve, worktree
from pytest_energy.documents import now_text
from pytest_energy.errors import EnergyError, SettingsError

if TYPE_CHECKING:
    from pytest_energy.ab.interleave import PairPlan
    from pytest_energy.ab.judge import Problem
    from pytest_energy.ab.protocol import Collected
    from pytest_energy.ab.side import Worker
    from pytest_energy.model import Judgement

DEFAULT_TOLERANCE = 0.02
"""Of a test whose marker names none: rounds in turns tell what stored baselines, 1 % apart from session to
session, can't."""

_LEAST_TOLERANCE = 0.01
"""A smaller one is judged as it is, but rounds are made no longer for it: they would be past all measure."""

_MOST_WIDTH, _LEAST_WIDTH = 160, 80
_SIGNALLED = 128  # a shell's exit status for a process that a signal has ended, plus the signal's number


class _Parser(argparse.ArgumentParser):
    """Keeps what stands after `--` for pytest, wherever the options before it stand."""

    def parse_known_args(  # type: ignore[override]  # one of its overloads: argparse calls no other
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        words = list(args or ())
        cut = words.index("--") if "--" in words else len(words)
        options, rest = super().parse_known_args(words[:cut], namespace)
        options.pytest_arguments = words[cut + 1 :]
        return options, rest


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `ab`."""
    parser = commands.add_parser(
        "ab",
        help="compare the working tree with another revision, measured in turns",
        usage="%(prog)s [OPTIONS] REF [-- PYTEST-ARGUMENT ...]",
        description="Run the energy tests of REF and of the working tree side by side, their rounds in turns "
        "(A B, B A, ...: what drifts with time cancels), and judge each test by its pairs of "
        "rounds. Needs no baseline. REF is checked out to a temporary worktree, which is removed at the end; "
        "it holds what git knows of REF and nothing else. The working tree is measured as it is.",
        epilog="Exit status: 0, or 1 where energy has risen or a test is on one side only or failed, or 2 "
        "where there is nothing to compare: no such REF, a side that pytest can't collect.",
    )
    parser.__class__ = _Parser  # argparse makes every command's parser of one class
    parser.add_argument("ref", metavar="REF", help="branch, tag or commit to compare with")
    parser.add_argument(
        "--tolerance",
        type=_share,
        metavar="SHARE",
        help=f"rise that is still accepted (default: what the test's marker says, else {DEFAULT_TOLERANCE})",
    )
    parser.add_argument(
        "--alpha",
        type=_chance,
        default=0.05,
        metavar="SHARE",
        help="accepted chance of a false alarm at the edge of the tolerance (default: %(default)s)",
    )
    parser.add_argument(
        "--pairs",
        type=_count,
        default=30,
        metavar="N",
        help="pairs of rounds a test at the most; fewer if they tell enough (default: %(default)s)",
    )
    parser.add_argument(
        "--max-time",
        type=_seconds,
        metavar="S",
        help="seconds after which a test takes no more pairs (default: the test's own time, for each side)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="also write the report to PATH; the suffix picks the format (repeatable)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="also fail where nothing can be told: inconclusive, void, ..."
    )
    parser.set_defaults(run=run)


def _number(text: str, wanted: str, *, above: float, below: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not above < value < below:
        raise argparse.ArgumentTypeError(f"{text!r}: give {wanted}")
    return value


def _share(text: str) -> float:
    return _number(text, "a share of at least 0, such as 0.02", above=-1e-300, below=10.0)


def _chance(text: str) -> float:
    return _number(text, "a chance above 0 and below 0.5, such as 0.05", above=0.0, below=0.5)


def _seconds(text: str) -> float:
    return _number(text, "a number of seconds above 0", above=0.0, below=math.inf)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number of at least 1")
    return int(text)


class _Interrupted(BaseException):
    """A signal has ended the command; like `KeyboardInterrupt`, nothing but clean-up stops it.

    Attributes:
        number: The signal's.
    """

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
    from pytest_energy.report.formats import renderer_of

    for path in options.out:
        renderer_of(path)  # before the work, not after it
    root = repository_root(Path.cwd())
    revision = resolve(root, options.ref)
    try:
        with _ended_by_signals():
            outcome = _compare(root, revision, options)
    except _Interrupted as interrupted:
        name = signal.Signals(interrupted.number).name
        print(f"pytest-energy ab: ended by {name}; the worktree is removed", file=sys.stderr)
        return _SIGNALLED + interrupted.number
    return outcome.report(options)


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """What has come of the comparison so far.

    Attributes:
        judgements: One a test, in order.
        problems: Tests of which nothing can be said.
        notes: What a reader should know of the whole.
        broken: Why it did not come to its end, or `None`.
    """

    judgements: "list[Judgement]" = field(default_factory=list)
    problems: "list[Problem]" = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: str | None = None

    def report(self, options: argparse.Namespace) -> int:
        """Show and write it; the exit status."""
        from pytest_energy.report import to_terminal, view
        from pytest_energy.report.formats import write
        from pytest_energy.verdict.policy import is_failing

        failing = [problem.text for problem in self.problems if problem.is_failing]
        self.notes += [problem.text for problem in self.problems if not problem.is_failing]
        run_notes = [*self.notes, *(f"ERROR: {text}" for text in failing)]
        if self.broken is not None:
            run_notes.append(f"ERROR: {self.broken}")
        if self.judgements:
            width = min(_MOST_WIDTH, max(_LEAST_WIDTH, shutil.get_terminal_size().columns))
            print(to_terminal.render(view.of(self.judgements), width=width))
        for note in run_notes:
            print(note if note.startswith("ERROR") else f"note: {note}")
        created = now_text()
        for path in options.out:
            write(self.judgements, path, created=created, run_notes=run_notes)
            print(f"report written to {path}")
        if self.broken is not None:
            return 2
        return int(bool(failing) or any(is_failing(one, strict=options.strict) for one in self.judgements))


def _compare(root: Path, revision: Revision, options: argparse.Namespace) -> _Outcome:
    from pytest_energy.ab.side import Tree, worker

    folder = Path.cwd().resolve().relative_to(root)
    with ExitStack() as stack:
        other = stack.enter_context(worktree(root, revision))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pytest-energy-ab-log-")))
        trees = (
            Tree(name=revision.text, root=other, origin=root, folder=folder),
            Tree(name=f"the working tree{_state(root)}", root=root, origin=root, folder=folder),
        )
        for tree in trees:
            if not tree.working_folder.is_dir():
                raise SettingsError(f"{tree.name} has no folder {folder}; start the command in one it has")
        print(f"comparing {trees[1].name} with {trees[0].name}", flush=True)
        tolerance = DEFAULT_TOLERANCE if options.tolerance is None else options.tolerance
        words = [f"--energy-tolerance={max(tolerance, _LEAST_TOLERANCE)}", *options.pytest_arguments]
        sides = tuple(
            stack.enter_context(worker(tree, words, logs / f"{number}.log"))
            for number, tree in enumerate(trees)
        )
        return _Comparing((sides[0], sides[1]), root, options).outcome()


def _state(root: Path) -> str:
    """Commit of the working tree, and whether it has changes."""
    from pytest_energy.ab.worktree import SHORT_LENGTH
    from pytest_energy.baselines.machine import commit

    facts = commit(root)
    if not facts:
        return ""
    changes = ", with changes that are not committed" if facts["git_dirty"] == "yes" else ""
    return f" ({facts['git_commit'][:SHORT_LENGTH]}{changes})"


class _Comparing:
    """Goes through the tests of two running workers."""

    def __init__(self, sides: "tuple[Worker, Worker]", root: Path, options: argparse.Namespace) -> None:
        self._sides, self._root, self._options = sides, root, options
        self._outcome = _Outcome()

    def outcome(self) -> _Outcome:
        before, after = (side.collected() for side in self._sides)
        test_ids = [test_id for test_id in after.tolerances if test_id in before.tolerances]
        self._tell_what_is_left_out(before, after)
        if not (before.tolerances or after.tolerances):
            raise SettingsError("no test on either side is marked energy or uses the fixture energy")
        try:
            for number, test_id in enumerate(test_ids):
                next_id = test_ids[number + 1] if number + 1 < len(test_ids) else None
                self._measure(test_id, next_id, after.tolerances[test_id])
        except EnergyError as error:
            self._outcome.broken = str(error)
        self._tell_sources()
        return self._outcome

    def _tell_what_is_left_out(self, before: "Collected", after: "Collected") -> None:
        from pytest_energy.ab.judge import Problem

        one, other = (side.tree.name for side in self._sides)
        left_out = [
            *(
                f"{test_id} is on one side only: {one} has it, {other} doesn't"
                for test_id in before.tolerances
                if test_id not in after.tolerances
            ),
            *(
                f"{test_id} is on one side only: {other} has it, {one} doesn't"
                for test_id in after.tolerances
                if test_id not in before.tolerances
            ),
        ]
        self._outcome.problems += [Problem(text=text) for text in left_out]
        if after.other_count:
            self._outcome.notes.append(f"tests without energy, which were not run: {after.other_count}")

    def _measure(self, test_id: str, next_id: str | None, marked: float | None) -> None:
        from pytest_energy.ab.interleave import interleave
        from pytest_energy.ab.judge import Problem, Question, judge_pairs
        from pytest_energy.meter.clock import SystemClock
        from pytest_energy.verdict.policy import Policy

        said = self._options.tolerance
        tolerance = next(one for one in (said, marked, DEFAULT_TOLERANCE) if one is not None)
        taken = interleave(*self._sides, test_id, next_id, plan=self._plan(tolerance), clock=SystemClock())
        question = Question(
            test_id=test_id,
            before=self._sides[0].tree.name,
            after=self._sides[1].tree.name,
            policy=Policy(tolerance=tolerance, alpha=self._options.alpha),
        )
        found = judge_pairs(taken, question)
        if isinstance(found, Problem):
            self._outcome.problems.append(found)
            print(f"{test_id}: nothing to compare", flush=True)
        else:
            self._outcome.judgements.append(found)
            headline = found.reason.splitlines()[0]
            print(f"{test_id}: {found.verdict}: {headline}", flush=True)

    def _plan(self, tolerance: float) -> "PairPlan":
        from pytest_energy.ab.interleave import PairPlan
        from pytest_energy.stats.paired import LEAST_PAIR_COUNT

        return PairPlan(
            least=min(LEAST_PAIR_COUNT, self._options.pairs),
            cap=self._options.pairs,
            tolerance=tolerance,
            max_time_s=self._options.max_time,
        )

    def _tell_sources(self) -> None:
        """Say where each side's code came from, and warn of code that both sides have shared."""
        from pytest_energy.ab.side import own_sources, shared_sources

        for side in self._sides:
            names = ", ".join(own_sources(side.sources, side.tree.root)) or "no module"
            self._outcome.notes.append(f"{side.tree.name} imported from its own tree: {names}")
        before, after = (side.sources for side in self._sides)
        shared: Mapping[str, str] = shared_sources(before, after, self._root)
        self._outcome.notes += [
            f"WARNING: both sides imported {name} from {file}, so a change in it was not compared"
            for name, file in shared.items()
        ]
