"""How often `pytest-energy ab` is right: verdicts over simulated pairs of rounds whose truth is known.

    python benchmarks/gate/pairs.py [--repetitions N]

Prints four tables, in about two minutes for 1,000 repetitions. Order, bounds and number of pairs come from
`pytest_energy.stats`, as in a run. Only noise is made here: ln J = level of the process + warm-up drift +
round, the drift exponential in the number of rounds that either side has run in the block, rounds correlated
with the one before where a cell says so. A true change of the second side multiplies its bounds, so each draw
serves all changes.
"""

import argparse
import math
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.ab.comparison import DEFAULT_TOLERANCE
from pytest_energy.stats.compare import Bounds
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.paired import (
    BLOCK_COUNT,
    LEAST_BLOCK_PAIR_COUNT,
    LEAST_PAIR_COUNT,
    MOST_PAIR_COUNT,
    PairBlock,
    compare_pairs,
    is_turned,
    needs_more_pairs,
    precision_of_pairs,
    share_of,
    suite_levels,
)
from pytest_energy.stats.process_levels import PRIOR_LEVELS

ALPHA = 0.05
REPETITIONS = 1000
SEED = 20_261_122

DRIFT = 0.04
"""Rise of ln J while the machine warms up."""

DRIFT_ROUNDS = 6.0
"""Its time constant, in rounds of either side."""

CHANGES = (0.0, 0.01, 0.02, 0.03, 0.05)

Order = Callable[[int, int], tuple[int, int]]
"""From a pair's number, and the number of pairs, to when its two rounds are run."""


def in_turns(number: int, count: int) -> tuple[int, int]:
    """A B, B A, B A, A B, ..., as a run takes them."""
    del count
    return (2 * number + 1, 2 * number) if is_turned(number) else (2 * number, 2 * number + 1)


def abba(number: int, count: int) -> tuple[int, int]:
    """A B, B A, A B, B A, ..."""
    del count
    return (2 * number, 2 * number + 1) if number % 2 == 0 else (2 * number + 1, 2 * number)


def alternating(number: int, count: int) -> tuple[int, int]:
    """A B, A B, ..."""
    del count
    return 2 * number, 2 * number + 1


def one_after_the_other(number: int, count: int) -> tuple[int, int]:
    """A A A ..., then B B B ..."""
    return number, count + number


ORDERS: dict[str, Order] = {
    "in turns": in_turns,
    "ABBA": abba,
    "ABAB": alternating,
    "AABB": one_after_the_other,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One line of a table.

    Attributes:
        order: Name in `ORDERS`.
        cv: Standard deviation of ln J from round to round.
        drift: Rise of ln J during warm-up.
        correlation: Of a round with the one before, whichever side that is.
        process_sd: Standard deviation of ln J between processes.
        block_count: Blocks of fresh processes.
        is_level_blind: Bounds take pairs for independent, as if processes had no levels.
        suite_count: Tests that are measured together, and tell how far processes differ.
        pair_count: Exactly so many over all blocks, or `None` for as many as the product takes.
        tolerance: Accepted rise, a share.
    """

    order: str = "in turns"
    cv: float = 0.01
    drift: float = DRIFT
    correlation: float = 0.0
    process_sd: float = 0.0
    block_count: int = BLOCK_COUNT
    is_level_blind: bool = False
    suite_count: int = 1
    pair_count: int | None = None
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the comparison did in one cell.

    Attributes:
        shares: True change of the energy to the share of regressions.
        passes: True change to the share of passes.
        misses: Share of the lower bounds that lie above the truth; alpha is what they promise.
        pair_count: Mean number of pairs.
    """

    cell: Cell
    shares: dict[float, float]
    passes: dict[float, float]
    misses: float
    pair_count: float


def pairs(cell: Cell, rng: random.Random, *, precision: float | None = None) -> list[PairBlock]:
    """The blocks of one comparison of a revision with itself, around 100 J.

    Pairs are taken until they are known to *precision*, or as the tolerance of *cell* asks.
    """
    precision = precision_of_pairs(cell.tolerance) if precision is None else precision
    blocks: list[PairBlock] = []
    for number in range(cell.block_count):
        blocks.append(_block(cell, blocks, number, rng, precision))
    return blocks


def _block(
    cell: Cell, earlier: Sequence[PairBlock], number: int, rng: random.Random, precision: float
) -> PairBlock:
    """The pairs of block *number*, by two fresh processes."""
    cap = MOST_PAIR_COUNT if cell.pair_count is None else cell.pair_count
    most = share_of(cap, block=number, block_count=cell.block_count)
    levels = [rng.gauss(0.0, cell.process_sd) for _ in range(2)]
    noise = _noise(cell, 2 * most, rng)
    energies_j: tuple[list[float], list[float]] = ([], [])
    while len(energies_j[0]) < most:
        times = ORDERS[cell.order](len(energies_j[0]), most)
        for side_j, level, time in zip(
            energies_j, levels, times if number % 2 == 0 else times[::-1], strict=True
        ):
            side_j.append(100 * math.exp(level + noise[time]))
        block = PairBlock(before=_sample(energies_j[0]), after=_sample(energies_j[1]))
        if cell.pair_count is None and not _needs_more([*earlier, block], most, number, cell, precision):
            break
    return block


def _noise(cell: Cell, count: int, rng: random.Random) -> list[float]:
    """Drift and scatter of *count* rounds, in the order in which they are run."""
    noise, rest = [], math.sqrt(1 - cell.correlation**2)
    scatter = rng.gauss(0.0, cell.cv)
    for time in range(count):
        noise.append(cell.drift * (1 - math.exp(-time / DRIFT_ROUNDS)) + scatter)
        scatter = cell.correlation * scatter + rest * rng.gauss(0.0, cell.cv)
    return noise


def _sample(energies_j: Sequence[float]) -> RoundEnergies:
    return RoundEnergies(energies_j=tuple(energies_j), uncertainties_j=(0.0,) * len(energies_j))


def _needs_more(blocks: Sequence[PairBlock], most: int, number: int, cell: Cell, precision: float) -> bool:
    least = share_of(LEAST_PAIR_COUNT, block=number, block_count=cell.block_count)
    return needs_more_pairs(
        blocks,
        precision=precision,
        least=max(LEAST_BLOCK_PAIR_COUNT, least),
        cap=most,
        block_count=cell.block_count,
    )


def operation(cell: Cell, repetitions: int, *, seed: int) -> Operation:
    """The comparison in *cell*, over so many repetitions."""
    rng = random.Random(f"{seed} {cell}")  # noqa: S311  # noise that repeats
    found: list[Bounds] = []
    counts = []
    while len(found) < repetitions:
        suite = [pairs(cell, rng) for _ in range(cell.suite_count)]
        counts += [sum(block.pair_count for block in blocks) for blocks in suite]
        found += _bounds(cell, suite)
    limit = 1 + cell.tolerance
    return Operation(
        cell=cell,
        shares={c: fmean(b.lower * (1 + c) > limit for b in found) for c in CHANGES},
        passes={
            c: fmean(b.lower * (1 + c) <= limit and b.upper * (1 + c) < limit for b in found) for c in CHANGES
        },
        misses=fmean(b.lower > 1 for b in found),
        pair_count=fmean(counts),
    )


def _bounds(cell: Cell, suite: Sequence[Sequence[PairBlock]]) -> Iterator[Bounds]:
    """Of each test of *suite*."""
    levels = suite_levels(suite) if cell.suite_count > 1 else [PRIOR_LEVELS] * len(suite)
    for blocks, known in zip(suite, levels, strict=True):
        yield compare_pairs(
            blocks,
            tolerance=cell.tolerance,
            alpha=ALPHA,
            levels=None if cell.is_level_blind else known,
        )


ORDER_CELLS = tuple(
    replace(cell, block_count=1, is_level_blind=True)
    for cell in (
        *(Cell(order=order, pair_count=15) for order in ORDERS),
        Cell(pair_count=15, drift=0.0),
        Cell(pair_count=5),
        Cell(pair_count=30, cv=0.03),
    )
)

RULE_CELLS = tuple(
    Cell(cv=cv, tolerance=tolerance, drift=drift)
    for tolerance in (0.0, DEFAULT_TOLERANCE)
    for cv in (0.003, 0.01, 0.03)
    for drift in (0.0, DRIFT)
)

PROCESS_SDS = (0.0, 0.003, 0.005, 0.01, 0.014)

BLOCK_CELLS = tuple(
    Cell(
        process_sd=process_sd,
        block_count=block_count,
        is_level_blind=is_blind,
        suite_count=suite_count,
        pair_count=30,
        tolerance=DEFAULT_TOLERANCE,
    )
    for process_sd in PROCESS_SDS
    for block_count, is_blind, suite_count in (
        *((1, True, 1), (1, False, 1), (3, False, 1), (4, False, 1), (3, False, 10), (4, False, 10)),
    )
)

CORRELATED_CELLS = tuple(
    Cell(cv=cv, correlation=correlation, tolerance=tolerance, drift=0.0)
    for tolerance in (0.0, DEFAULT_TOLERANCE)
    for correlation, cv in ((0.5, 0.02), (0.9, 0.02), (0.9, 0.05))
)


def order_table(operations: Iterable[Operation]) -> str:
    """Regressions found, a fixed number of pairs of alike processes, by order of the rounds."""
    return _table(
        ("order", "CV", "drift", "pairs"),
        (
            (
                (o.cell.order, f"{o.cell.cv:.1%}", f"{o.cell.drift:.0%}", f"{o.pair_count:.0f}"),
                [f"{o.shares[c]:.1%}" for c in CHANGES],
            )
            for o in operations
        ),
    )


def rule_table(operations: Iterable[Operation]) -> str:
    """Regressions and passes, as many pairs as a run takes."""
    return _table(
        ("tolerance", "CV", "drift", "pairs"),
        (
            (
                (f"{o.cell.tolerance:.0%}", f"{o.cell.cv:.1%}", f"{o.cell.drift:.0%}", f"{o.pair_count:.1f}"),
                _shares(o),
            )
            for o in operations
        ),
    )


def block_table(operations: Iterable[Operation]) -> str:
    """Regressions and passes of processes that have levels, at one number of pairs."""
    return _table(
        ("SD of processes", "blocks", "bounds from", "lower bound too high"),
        (
            (
                (f"{o.cell.process_sd:.1%}", str(o.cell.block_count), _source(o.cell), f"{o.misses:.1%}"),
                _shares(o),
            )
            for o in operations
        ),
    )


def correlated_table(operations: Iterable[Operation]) -> str:
    """Regressions and passes where a round is like the one before."""
    return _table(
        ("tolerance", "CV", "correlation", "pairs"),
        (
            (
                (
                    f"{o.cell.tolerance:.0%}",
                    f"{o.cell.cv:.1%}",
                    f"{o.cell.correlation:g}",
                    f"{o.pair_count:.1f}",
                ),
                _shares(o),
            )
            for o in operations
        ),
    )


def _source(cell: Cell) -> str:
    if cell.is_level_blind:
        return "pairs alone"
    return "this test" if cell.suite_count == 1 else f"{cell.suite_count} tests"


def _shares(operation: Operation) -> list[str]:
    return [f"{operation.shares[c]:.1%} / {operation.passes[c]:.1%}" for c in CHANGES]


def _table(names: Sequence[str], rows: Iterable[tuple[Sequence[str], Sequence[str]]]) -> str:
    head = " | ".join((*names, *(f"{c:+.0%}" for c in CHANGES)))
    lines = (" | ".join((*facts, *shares)) for facts, shares in rows)
    return "\n".join(
        [f"| {head} |", "|---" * (len(names) + len(CHANGES)) + "|", *(f"| {line} |" for line in lines)]
    )


TABLES = (
    (
        "Regressions at a true change, tolerance 0, pairs of alike processes in one block",
        ORDER_CELLS,
        order_table,
    ),
    ("Regressions / passes at a true change, as many pairs as a run takes", RULE_CELLS, rule_table),
    ("Regressions / passes, 30 pairs, tolerance 2 %, processes with levels", BLOCK_CELLS, block_table),
    ("Regressions / passes, rounds that are like the one before", CORRELATED_CELLS, correlated_table),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Operating tables of rounds taken in turns.")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="default: %(default)s")
    options = parser.parse_args(arguments)
    for title, cells, table in TABLES:
        text = table(operation(cell, options.repetitions, seed=SEED) for cell in cells)
        sys.stdout.write(f"{title}\n\n{text}\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
