"""How often `pytest-energy ab` is right: verdicts over simulated pairs of rounds whose truth is known.

    python benchmarks/gate/pairs.py [--repetitions N]

Prints two tables, in about 20 s for 2,000 repetitions. Order, bounds and number of pairs come from
`pytest_energy.stats.paired`, as in a run. Only noise is made here: ln J = warm-up drift + round, the drift
exponential in the number of rounds that either side has run. A true change of the second side multiplies its
bounds, so each draw serves all changes.
"""

import argparse
import math
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.ab.command import DEFAULT_TOLERANCE
from pytest_energy.stats.compare import Bounds, RoundEnergies
from pytest_energy.stats.paired import (
    LEAST_PAIR_COUNT,
    MOST_PAIR_COUNT,
    compare_pairs,
    is_turned,
    needs_more_pairs,
)
from pytest_energy.stats.rounds import precision_for

ALPHA = 0.05
REPETITIONS = 2000
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
        pair_count: Exactly so many, or `None` for as many as the product takes.
        tolerance: Accepted rise, a share.
    """

    order: str = "in turns"
    cv: float = 0.01
    drift: float = DRIFT
    pair_count: int | None = None
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the comparison did in one cell.

    Attributes:
        shares: True change of the energy to the share of regressions.
        passes: True change to the share of passes.
        pair_count: Mean number of pairs.
    """

    cell: Cell
    shares: dict[float, float]
    passes: dict[float, float]
    pair_count: float


def pairs(cell: Cell, rng: random.Random) -> tuple[RoundEnergies, RoundEnergies]:
    """The pairs of one comparison of a revision with itself, around 100 J."""
    count = MOST_PAIR_COUNT if cell.pair_count is None else cell.pair_count
    before: list[float] = []
    after: list[float] = []
    for number in range(count):
        for energies_j, time in zip((before, after), ORDERS[cell.order](number, count), strict=True):
            warm = 1 - math.exp(-time / DRIFT_ROUNDS)
            energies_j.append(100 * math.exp(cell.drift * warm + rng.gauss(0.0, cell.cv)))
        if cell.pair_count is None and not _needs_more(before, after, cell.tolerance):
            break
    return _sample(before), _sample(after)


def _sample(energies_j: Sequence[float]) -> RoundEnergies:
    return RoundEnergies(energies_j=tuple(energies_j), uncertainties_j=(0.0,) * len(energies_j))


def _needs_more(before: Sequence[float], after: Sequence[float], tolerance: float) -> bool:
    return needs_more_pairs(
        _sample(before),
        _sample(after),
        precision=precision_for(tolerance),
        least=LEAST_PAIR_COUNT,
        cap=MOST_PAIR_COUNT,
    )


def operation(cell: Cell, repetitions: int, *, seed: int) -> Operation:
    """The comparison in *cell*, over so many repetitions."""
    rng = random.Random(f"{seed} {cell}")  # noqa: S311  # noise that repeats
    found: list[Bounds] = []
    counts = []
    for _ in range(repetitions):
        before, after = pairs(cell, rng)
        found.append(compare_pairs(before, after, tolerance=cell.tolerance, alpha=ALPHA))
        counts.append(len(before.energies_j))
    limit = 1 + cell.tolerance
    return Operation(
        cell=cell,
        shares={c: fmean(b.lower * (1 + c) > limit for b in found) for c in CHANGES},
        passes={
            c: fmean(b.lower * (1 + c) <= limit and b.upper * (1 + c) < limit for b in found) for c in CHANGES
        },
        pair_count=fmean(counts),
    )


ORDER_CELLS = (
    *(Cell(order=order, pair_count=15) for order in ORDERS),
    Cell(pair_count=15, drift=0.0),
    Cell(pair_count=5),
    Cell(pair_count=30, cv=0.03),
)

RULE_CELLS = tuple(
    Cell(cv=cv, tolerance=tolerance, drift=drift)
    for tolerance in (0.0, DEFAULT_TOLERANCE)
    for cv in (0.003, 0.01, 0.03)
    for drift in (0.0, DRIFT)
)


def order_table(operations: Iterable[Operation]) -> str:
    """Regressions found, a fixed number of pairs, by order of the rounds."""
    head = "| order | CV | drift | pairs | " + " | ".join(f"{c:+.0%}" for c in CHANGES) + " |"
    rows = [
        f"| {o.cell.order} | {o.cell.cv:.1%} | {o.cell.drift:.0%} | {o.pair_count:.0f} | "
        + " | ".join(f"{o.shares[c]:.1%}" for c in CHANGES)
        + " |"
        for o in operations
    ]
    return "\n".join([head, "|---" * (4 + len(CHANGES)) + "|", *rows])


def rule_table(operations: Iterable[Operation]) -> str:
    """Regressions and passes, as many pairs as a run takes."""
    head = "| tolerance | CV | drift | pairs | " + " | ".join(f"{c:+.0%}" for c in CHANGES) + " |"
    rows = [
        f"| {o.cell.tolerance:.0%} | {o.cell.cv:.1%} | {o.cell.drift:.0%} | {o.pair_count:.1f} | "
        + " | ".join(f"{o.shares[c]:.1%} / {o.passes[c]:.1%}" for c in CHANGES)
        + " |"
        for o in operations
    ]
    return "\n".join([head, "|---" * (4 + len(CHANGES)) + "|", *rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description="Operating tables of rounds taken in turns.")
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="default: %(default)s")
    options = parser.parse_args(arguments)
    orders = order_table(operation(cell, options.repetitions, seed=SEED) for cell in ORDER_CELLS)
    rules = rule_table(operation(cell, options.repetitions, seed=SEED) for cell in RULE_CELLS)
    sys.stdout.write(
        f"Regressions at a true change, tolerance 0, a fixed number of pairs\n\n{orders}\n\n"
        f"Regressions / passes at a true change, as many pairs as a run takes\n\n{rules}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
