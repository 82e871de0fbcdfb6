"""How often `pytest-energy ab` is right where counts let it end early: simulated blocks of a known truth.

    python benchmarks/gate/early.py [--tests N]

Prints one table, in about an hour for 1,000 tests a line. Pairs come from `pairs`; when to look, bounds
and verdicts come from `pytest_energy.ab`, as in a run. Each kind of noise has three lines, of the same draws:
all blocks, looks where the calls of both sides are the same, and looks where one side makes more calls.
"""

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.gate.pairs import ALPHA, SEED, Cell, pairs
from pytest_energy.ab.calls import Calls, Counted
from pytest_energy.ab.early import ENOUGH, next_look
from pytest_energy.ab.part_changes import Look, PartComparer, worst_of
from pytest_energy.ab.parts import TestPairs
from pytest_energy.judgement import Part, Verdict
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.looks import Chances
from pytest_energy.stats.paired import PairBlock, suite_levels
from pytest_energy.stats.process_levels import ProcessLevels
from pytest_energy.verdict.policy import Policy

TEST_COUNT = 1000
CHANGES = (0.0, 0.02, 0.03, 0.05, 0.10)

CELLS = tuple(
    Cell(cv=cv, process_sd=process_sd, suite_count=suite_count, tolerance=tolerance, drift=0.0)
    for tolerance in (0.02, 0.05)
    for suite_count in (1, 10)
    for cv, process_sd in ((0.01, 0.003), (0.03, 0.003), (0.01, 0.01), (0.01, 0.014))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A verdict, and the blocks that it took."""

    verdict: Verdict
    block_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What came of one kind of noise at one true change, as shares of the tests.

    Attributes:
        block_count: Mean number of blocks.
    """

    passes: float
    regressions: float
    block_count: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedTest:
    """One test of a suite.

    Attributes:
        blocks: All that were planned.
        levels: What the suite shows of processes after each block.
    """

    blocks: tuple[PairBlock, ...]
    levels: tuple[ProcessLevels, ...]

    def comparer(self, count: int, policy: Policy, look: Look) -> PartComparer:
        """Of the first *count* blocks."""
        pairs_so_far = TestPairs(blocks={Part.JOULES: self.blocks[:count]})
        return PartComparer(pairs_so_far, policy, {Part.JOULES: self.levels[count - 1]}, look)

    def ending(self, calls: Calls, policy: Policy) -> Ending:
        """How the command ends it."""
        left, planned = Chances.both(policy.alpha), len(self.blocks)
        for count in range(1, planned if calls in ENOUGH else 1):
            look = Look(counted=Counted(calls=calls), block_count=planned)
            now, left = next_look(look, left, partial(self.comparer, count, policy))
            if now is not None and _verdict(self.comparer(count, policy, now)) is ENOUGH[calls]:
                return Ending(verdict=ENOUGH[calls], block_count=count)
        last = self.comparer(planned, policy, Look(counted=Counted(calls=calls), chances=left))
        return Ending(verdict=_verdict(last), block_count=planned)


def _verdict(comparer: PartComparer) -> Verdict:
    return worst_of(comparer.changes()).comparison.verdict


def suite_of(cell: Cell, rng: random.Random) -> list[SimulatedTest]:
    """Tests of one comparison of a revision with itself."""
    drawn = [tuple(pairs(cell, rng)) for _ in range(cell.suite_count)]
    by_count = [suite_levels([blocks[: n + 1] for blocks in drawn]) for n in range(cell.block_count)]
    return [
        SimulatedTest(blocks=blocks, levels=levels)
        for blocks, levels in zip(drawn, zip(*by_count, strict=True), strict=True)
    ]


def changed(test: SimulatedTest, change: float) -> SimulatedTest:
    """*test* with a second side that truly uses so much more."""
    return replace(test, blocks=tuple(_changed(block, 1 + change) for block in test.blocks))


def _changed(block: PairBlock, ratio: float) -> PairBlock:
    after_j = tuple(energy_j * ratio for energy_j in block.after.energies_j)
    return PairBlock(
        before=block.before,
        after=RoundEnergies(energies_j=after_j, uncertainties_j=block.after.uncertainties_j),
    )


def drawn(cell: Cell, test_count: int, *, seed: int = SEED) -> list[SimulatedTest]:
    """At least *test_count* tests, in suites as *cell* has them."""
    rng = random.Random(f"{seed} {cell}")  # noqa: S311  # noise that repeats
    tests: list[SimulatedTest] = []
    while len(tests) < test_count:
        tests += suite_of(cell, rng)
    return tests


def operation(tests: Sequence[SimulatedTest], tolerance: float, calls: Calls, change: float) -> Operation:
    """What the command makes of *tests* whose second side truly uses so much more."""
    policy = Policy(tolerance=tolerance, alpha=ALPHA)
    ends = [changed(test, change).ending(calls, policy) for test in tests]
    return Operation(
        passes=fmean(end.verdict is Verdict.PASS for end in ends),
        regressions=fmean(end.verdict is Verdict.REGRESSION for end in ends),
        block_count=fmean(end.block_count for end in ends),
    )


WAYS = {Calls.UNKNOWN: "all blocks", Calls.SAME: "same calls", Calls.MORE: "more calls"}


def lines(test_count: int, cells: Iterable[Cell] = CELLS) -> Iterator[str]:
    """A table with a line for each kind of noise and way to end."""
    names = ["tolerance", "tests", "CV", "SD of processes", "looks"]
    yield f"| {' | '.join((*names, *(f'{change:+.0%}' for change in CHANGES)))} |"
    yield "|---" * (len(names) + len(CHANGES)) + "|"
    for cell in cells:
        tests = drawn(cell, test_count)
        facts = (
            f"{cell.tolerance:.0%}",
            str(cell.suite_count),
            f"{cell.cv:.1%}",
            f"{cell.process_sd:.1%}",
        )
        for calls, name in WAYS.items():
            shown = [_text(operation(tests, cell.tolerance, calls, change)) for change in CHANGES]
            yield f"| {' | '.join((*facts, name, *shown))} |"


def _text(one: Operation) -> str:
    return f"{one.regressions:.1%} / {one.passes:.1%} in {one.block_count:.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Operating table of comparisons that may end early.")
    parser.add_argument("--tests", type=int, default=TEST_COUNT, help="of each line (default: %(default)s)")
    options = parser.parse_args(arguments)
    sys.stdout.write("Regressions / passes, in so many blocks of three\n\n")
    for line in lines(options.tests):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
