"""The tests of two trees, compared in blocks of fresh workers.

Rule 1: nothing is shown or written here: what a reader may wait for is handed to *report*, a line at a time.
Rule 2: a side that is known from an earlier comparison, its counts, is not started again.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from pytest_energy.ab.interleave import PairedRounds, PairPlan, interleave
from pytest_energy.ab.judge import Problem, Suite
from pytest_energy.ab.known_side import KnownSide
from pytest_energy.ab.paired_test import PairedTest
from pytest_energy.ab.protocol import NO_SENSOR, CollectedTests
from pytest_energy.ab.side import Tree, Worker, own_sources, shared_sources, worker
from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.meter.clock import SystemClock
from pytest_energy.stats.paired import LEAST_PAIR_COUNT, is_turned
from pytest_energy.verdict.figures import count_text
from pytest_energy.verdict.policy import Policy

DEFAULT_TOLERANCE = 0.02
"""Of a test whose marker names none: rounds in turns detect what stored baselines, 1 % apart from session to
session, can't."""

_LEAST_TOLERANCE = 0.01
"""A smaller one is judged as it is, but rounds are made no longer for it: they would be past all measure."""

NO_ROUNDS = ("--energy-basis=counts", f"--energy-sensors={NO_SENSOR}")
"""What makes a side count, and measure nothing: last on its command line, where it wins."""

Choice = Callable[[Sequence[str]], Collection[str]]
"""From the ids of all tests to those that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonPlan:
    """How two trees are compared.

    Attributes:
        tolerance: Accepted rise, a share; `None` for what each test's marker accepts.
        alpha: Chance of a false alarm at the edge of the tolerance.
        is_by_counts: Counts are compared, and no rounds are taken.
        pair_count: Pairs of rounds per test at most, over all blocks.
        block_count: Blocks of fresh processes.
        max_time_s: Seconds after which no more pairs of a test are started; `None` for the test's own.
        precision: Half-width of a change in ln J that pairs are taken for; `None`: as the tolerance asks.
        pytest_arguments: Of each side.
    """

    tolerance: float | None
    alpha: float
    is_by_counts: bool
    pair_count: int
    block_count: int
    max_time_s: float | None
    precision: float | None = None
    pytest_arguments: tuple[str, ...] = ()

    @property
    def blocks(self) -> int:
        """Those that will be: counts repeat, and a block has at least one pair."""
        return 1 if self.is_by_counts else min(self.block_count, self.pair_count)


class Comparison:
    """Two trees, and the results of their tests so far.

    Args:
        trees: The side that is compared with, and the side that is judged.
        root: Top of the working tree.
        logs: Folder for what the workers print.
        report: Receives a line for each step of the way.
        choice: Which tests are compared; all where it isn't given.
        before: The first side, where it is known.

    Attributes:
        judgements: Of the tests that could be compared.
        problems: Tests that couldn't.
        notes: What a reader should know of the sides.
        shared_modules: Of the notes, warnings of code that both sides share.
        broken: Why the comparison ended early, or `None`.
    """

    def __init__(
        self,
        trees: tuple[Tree, Tree],
        root: Path,
        logs: Path,
        plan: ComparisonPlan,
        report: Callable[[str], None],
        *,
        choice: Choice | None = None,
        before: KnownSide | None = None,
    ) -> None:
        self._trees, self._root, self._logs, self._plan = trees, root, logs, plan
        self._report, self._choice, self._known = report, choice, before
        self._block_count, self._extension = plan.blocks, 1
        self._tests: dict[str, PairedTest] = {}
        self._left_out: list[Problem] = []
        self._sources: tuple[dict[str, str], dict[str, str]] = ({}, {})
        self._first_collected: CollectedTests | None = None
        self._other_count = 0
        self.judgements: list[Judgement] = []
        self.problems: list[Problem] = []
        self.notes: tuple[str, ...] = ()
        self.shared_modules: tuple[str, ...] = ()
        self.broken: str | None = None

    # Measuring

    def measure(self) -> None:
        """Measure and judge all tests.

        Raises:
            EnergyError: A side can't collect, or no test is chosen.
        """
        self._measure_blocks(0)
        self._judge_all()
        self._note_sources()

    def extend(self) -> None:
        """Measure as many blocks again, of each test that more rounds may decide; then judge anew.

        Raises:
            EnergyError: As for `measure`.
        """
        first = self._block_count
        self._block_count, self._extension = 2 * first, 2 * self._extension
        for test in self._tests.values():
            test.extend(self._block_count)
        self._measure_blocks(first)
        self._judge_all()
        self._note_sources()

    def known_before(self) -> KnownSide | None:
        """The first side as it was counted here; `None` if rounds were taken, which don't repeat."""
        if not self._plan.is_by_counts or self._first_collected is None:
            return None
        ended = {test_id: test.blocks[0].ended[0] for test_id, test in self._tests.items() if test.blocks}
        return KnownSide(tests=self._first_collected, ended=ended, sources=self._sources[0])

    def _measure_blocks(self, first: int) -> None:
        for number in range(first, self._block_count):
            if number and not self._open_tests():
                break
            with self._workers(number) as sides:
                self._measure_block(number, sides)
            if self.broken is not None:
                break
            if number + 1 < self._block_count:
                self._look()

    @contextmanager
    def _workers(self, number: int) -> Iterator[tuple[Worker | KnownSide, Worker]]:
        """Fresh workers for block *number*; in every second one the other side starts first."""
        words, known, started = self._words(number), self._known, dict[int, Worker]()
        with ExitStack() as stack:
            for side in (1, 0) if is_turned(0, block=number) else (0, 1):
                if side == 1 or known is None:
                    log = self._logs / f"{number}-{side}.log"
                    started[side] = stack.enter_context(worker(self._trees[side], words, log))
            yield started[0] if known is None else known, started[1]

    def _words(self, number: int) -> list[str]:
        tolerance = DEFAULT_TOLERANCE if self._plan.tolerance is None else self._plan.tolerance
        words = [f"--energy-tolerance={max(tolerance, _LEAST_TOLERANCE)}", *self._plan.pytest_arguments]
        if self._plan.is_by_counts:
            words += NO_ROUNDS
        elif number:
            words.append("--energy-trace=off")  # counts repeat: those of the first block are enough
        return words

    def _measure_block(self, number: int, sides: tuple[Worker | KnownSide, Worker]) -> None:
        before, after = (side.collected() for side in sides)
        if number == 0:
            self._begin(before, after)
        test_ids = self._open_tests()
        try:
            for place, (test_id, next_id) in enumerate(zip_longest(test_ids, test_ids[1:]), start=1):
                rounds = self._measure(sides, self._tests[test_id], next_id)
                self._report(self._progress(number, place, len(test_ids), test_id, len(rounds.before)))
        except EnergyError as error:
            self.broken = str(error)
        finally:
            for known, side in zip(self._sources, sides, strict=True):
                known.update(side.sources)

    def _progress(self, number: int, place: int, test_count: int, test_id: str, pair_count: int) -> str:
        test = f"test {place} of {test_count}: {test_id}"
        if self._plan.is_by_counts:
            return f"{test}: counted"
        return f"block {number + 1} of {self._block_count}, {test}: {count_text(pair_count, 'pair')}"

    def _begin(self, before: CollectedTests, after: CollectedTests) -> None:
        self._first_collected, self._other_count = before, after.other_count
        test_ids = tuple(dict.fromkeys([*before.tolerances, *after.tolerances]))
        if not test_ids:
            raise SettingsError(
                "no test on either side is marked energy or uses the fixture energy, of those that the "
                "arguments of pytest select"
            )
        chosen = test_ids if self._choice is None else self._choice(test_ids)
        one, other = (
            {id_: side.tolerances[id_] for id_ in chosen if id_ in side.tolerances}
            for side in (before, after)
        )
        self._left_out = [*self._missing(one, other, (0, 1)), *self._missing(other, one, (1, 0))]
        names = (self._trees[0].name, self._trees[1].name)
        for test_id in after.tolerances:
            if test_id in one and test_id in other:
                policy = self._policy(other[test_id])
                self._tests[test_id] = PairedTest(test_id, names, policy, self._block_count)

    def _missing(
        self, here: Mapping[str, object], there: Mapping[str, object], sides: tuple[int, int]
    ) -> Iterator[Problem]:
        name, missing = (self._trees[side].name for side in sides)
        for test_id in here:
            if test_id not in there:
                yield Problem(text=f"{test_id} is on one side only: {name} has it, {missing} doesn't")

    def _policy(self, marked: float | None) -> Policy:
        """What is asked of a test whose marker accepts a rise of *marked*, if any."""
        asked = marked if self._plan.tolerance is None else self._plan.tolerance
        return Policy(
            tolerance=DEFAULT_TOLERANCE if asked is None else asked,
            alpha=self._plan.alpha,
            is_by_counts=self._plan.is_by_counts,
            counts_tolerance=asked or 0.0,
        )

    def _open_tests(self) -> list[str]:
        """The tests that another block has something to add to."""
        return [test_id for test_id, test in self._tests.items() if test.is_open]

    def _measure(
        self, sides: tuple[Worker | KnownSide, Worker], test: PairedTest, next_id: str | None
    ) -> PairedRounds:
        plan = PairPlan(
            least=min(LEAST_PAIR_COUNT, self._plan.pair_count),
            cap=self._plan.pair_count,
            tolerance=test.policy.tolerance,
            max_time_s=self._plan.max_time_s,
            block_count=self._plan.blocks,
            precision=self._plan.precision,
            extension=self._extension,
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
                self._report(f"{test_id}: {judgement.verdict}: no further block is needed")

    def _judge_all(self) -> None:
        suite = self._suite()
        self.judgements, self.problems = [], list(self._left_out)
        for test in self._tests.values():
            if test.blocks:
                self._judge(test, suite)

    def _judge(self, test: PairedTest, suite: Suite) -> None:
        judgement = test.conclude(suite)
        if isinstance(judgement, Problem):
            self.problems.append(judgement)
            self._report(f"{test.test_id}: nothing to compare")
        else:
            self.judgements.append(judgement)
            headline = judgement.reason.splitlines()[0]
            self._report(f"{test.test_id}: {judgement.verdict}: {headline}")

    # Whose code it was

    def _note_sources(self) -> None:
        """Note where each side's code came from, while both trees are still on the disk."""
        others = [f"tests without energy, which were not run: {self._other_count}"] * bool(self._other_count)
        self.shared_modules = tuple(self._shared_modules())
        self.notes = (*others, *self._own_modules(), *self.shared_modules)

    def _own_modules(self) -> Iterator[str]:
        for tree, sources in zip(self._trees, self._sources, strict=True):
            names = ", ".join(own_sources(sources, tree.root)) or "no module"
            yield f"{tree.name} imported from its own tree: {names}"

    def _shared_modules(self) -> Iterator[str]:
        before, after = self._sources
        if self._trees[0].root == self._trees[1].root:
            return  # all code is shared: what differs is the environment
        for name, file in shared_sources(before, after, self._root).items():
            yield f"WARNING: both sides imported {name} from {file}, so a change in it was not compared"
