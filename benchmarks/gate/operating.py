"""How often the gate is right: verdicts over simulated sessions whose truth is known.

    python benchmarks/gate/operating.py [--repetitions N]

Prints the tables of docs/results/gate-operating.md: some minutes for 2,000 repetitions. The loop is that of
`benchmarks/gate/loop.py`: every bound comes from `pytest_energy.stats.compare`, every number of rounds from
`pytest_energy.stats.rounds`, as in a run; the newest sessions judge, and the first ones are a second gate.
Only noise is made here: ln J = session + own error of the record + round, all normal. Energies are compared
in logarithms, so a true change of the fresh record multiplies its bounds: each draw serves all changes.
"""

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.gate.loop import ALPHA, Draw, Trial, shifted
from pytest_energy.baselines.schema import KEPT_COUNT, PINNED_COUNT
from pytest_energy.judgement import Verdict
from pytest_energy.plugin.rounds import LEAST_ROUND_COUNT, MOST_ROUND_COUNT
from pytest_energy.stats.compare import budget_bounds
from pytest_energy.stats.drift import creep
from pytest_energy.stats.level import RoundEnergies, level_of
from pytest_energy.stats.rounds import needs_more, precision_for

REPETITIONS = 2000
SEED = 20_261_121

_HISTORY_RUNS, _EARLY_RUN = 60, 15

# What a spike adds to the round that it falls into.
_SPIKE = 0.3

SESSION_COUNTS = (1, 3, 5, 10)
BETWEEN_SDS = (0.0, 0.003, 0.01, 0.02, 0.03)
TIGHT_BETWEEN_SDS = (0.003, 0.01, 0.02)
ROUND_CVS = (0.01, 0.03, 0.05)
CHANGES = (-0.10, 0.0, 0.02, 0.03, 0.05, 0.08, 0.10, 0.15, 0.20)
BUDGET_SHARES = (0.95, 0.98, 1.0, 1.02, 1.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """How the rounds of one record scatter, and how many are taken.

    Attributes:
        cv: Standard deviation of ln J from round to round.
        count: Rounds of each record; `None` for as many as the product takes.
        own_share: Standard uncertainty of each round that all rounds of a record share.
        spike_share: Share of the rounds that use 30 % more.
    """

    cv: float
    count: int | None = None
    own_share: float = 0.0
    spike_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One line of a table: a baseline, a fresh record, and the noise of both.

    Attributes:
        rounds: Of the baseline's records, and of the fresh one unless *fresh* says otherwise.
        fresh: Of the fresh record.
        between_sd: Standard deviation of ln J from session to session.
        session_count: Sessions in the baseline.
    """

    rounds: Rounds
    between_sd: float
    session_count: int
    tolerance: float = 0.05
    fresh: Rounds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the gate did in one cell.

    Attributes:
        shares: True change of the energy to the share of each verdict.
        round_count: Mean rounds of a fresh record that hasn't changed.
        detectable_ratio: Median of what the comparisons said they could detect.
    """

    cell: Cell
    shares: Mapping[float, Mapping[Verdict, float]]
    round_count: float
    detectable_ratio: float

    def share(self, change: float, verdict: Verdict) -> float:
        return self.shares[change].get(verdict, 0.0)


def energies_of(
    rounds: Rounds, rng: random.Random, *, tolerance: float, seen_own_share: float | None = None
) -> tuple[float, ...]:
    """Energies of one record around 1, as many as the product would take.

    Args:
        rounds: How they scatter.
        rng: Where they come from.
        tolerance: That they will be held against.
        seen_own_share: Uncertainty that the rounds state, where it isn't that of *rounds*.
    """
    stated_share = rounds.own_share if seen_own_share is None else seen_own_share
    own = math.exp(rounds.own_share * rng.gauss(0.0, 1.0))

    def one() -> float:
        spike = 1 + _SPIKE if rng.random() < rounds.spike_share else 1.0
        return own * spike * math.exp(rng.gauss(0.0, rounds.cv))

    if rounds.count is not None:
        return tuple(one() for _ in range(rounds.count))
    energies = [one()]
    while needs_more(
        energies,
        [stated_share * energy for energy in energies],
        precision=precision_for(tolerance),
        least=LEAST_ROUND_COUNT,
        cap=MOST_ROUND_COUNT,
    ):
        energies.append(one())
    return tuple(energies)


def sample_of(energies: Sequence[float], rounds: Rounds, *, offset: float = 0.0) -> RoundEnergies:
    """A record of about 100 J, *offset* in ln J away from it."""
    energies_j = tuple(100 * math.exp(offset) * energy for energy in energies)
    return RoundEnergies(
        energies_j=energies_j, uncertainties_j=tuple(rounds.own_share * energy_j for energy_j in energies_j)
    )


def operations(
    cells: Iterable[Cell], repetitions: int, *, seed: int, changes: Sequence[float] = CHANGES
) -> list[Operation]:
    """The gate in each cell.

    Cells that differ only in their sessions see the same draws, so that differences between them are theirs.
    """
    drawn: dict[tuple[Rounds, Rounds, float], _Draws] = {}
    found = []
    for cell in cells:
        fresh = cell.fresh or cell.rounds
        key = (cell.rounds, fresh, cell.tolerance)
        if key not in drawn or drawn[key].session_count < cell.session_count:
            most = max(cell.session_count, *SESSION_COUNTS)
            drawn[key] = _draw(*key, session_count=most, repetitions=repetitions, seed=seed)
        found.append(_operation(cell, drawn[key], changes))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draws:
    """Records without their sessions' offsets, and those offsets in standard deviations; fresh one first.

    Of the fresh record more rounds are there than its first batch, in case more are asked for.
    """

    records: tuple[tuple[tuple[float, ...], ...], ...]
    first_counts: tuple[int, ...]
    offsets: tuple[tuple[float, ...], ...]

    @property
    def session_count(self) -> int:
        return len(self.records[0]) - 1


def _draw(
    rounds: Rounds, fresh: Rounds, tolerance: float, *, session_count: int, repetitions: int, seed: int
) -> _Draws:
    rng = random.Random(f"{seed} {rounds} {fresh} {tolerance}")  # noqa: S311  # noise that repeats
    records, first_counts, offsets = [], [], []
    for _ in range(repetitions):
        kinds = (fresh, *[rounds] * session_count)
        batches, own = _batches_of(fresh, rng, tolerance=tolerance)
        records.append((own, *(energies_of(kind, rng, tolerance=tolerance) for kind in kinds[1:])))
        first_counts.append(batches)
        offsets.append(tuple(rng.gauss(0.0, 1.0) for _ in kinds))
    return _Draws(records=tuple(records), first_counts=tuple(first_counts), offsets=tuple(offsets))


def _batches_of(rounds: Rounds, rng: random.Random, *, tolerance: float) -> tuple[int, tuple[float, ...]]:
    """Rounds of the first batch, and the energies of these and of all that may be asked for after them."""
    own = math.exp(rounds.own_share * rng.gauss(0.0, 1.0))
    source = replace(rounds, own_share=0.0)
    first = energies_of(source, rng, tolerance=tolerance, seen_own_share=rounds.own_share)
    more = energies_of(replace(source, count=2 * MOST_ROUND_COUNT), rng, tolerance=tolerance)
    return len(first), tuple(own * energy for energy in (*first, *more))


def _operation(cell: Cell, draws: _Draws, changes: Sequence[float]) -> Operation:
    kinds = (cell.fresh or cell.rounds, *[cell.rounds] * cell.session_count)
    counts: dict[float, Counter[Verdict]] = {change: Counter() for change in changes}
    detectable = []
    round_counts = []
    for records, first_count, offsets in zip(draws.records, draws.first_counts, draws.offsets, strict=True):
        levels = [
            shifted(level_of(energies, kind.own_share), cell.between_sd * offset)
            for energies, kind, offset in zip(records[1:], kinds[1:], offsets[1:], strict=False)
        ]
        energies = [100 * math.exp(cell.between_sd * offsets[0]) * one for one in records[0]]
        draw = Draw(
            now=energies[:MOST_ROUND_COUNT],
            first_count=first_count,
            later=energies[MOST_ROUND_COUNT:],
            sessions=tuple(shifted(level, math.log(100)) for level in levels),
            own_share=kinds[0].own_share,
            may_extend=kinds[0].count is None,
        )
        trial = Trial(draw, tolerance=cell.tolerance)
        detectable.append(trial.bounds(first_count).detectable_ratio)
        for change in changes:
            counts[change][trial.outcome(change).verdict] += 1
        round_counts.append(trial.round_count(0.0))
    repetitions = len(draws.records)
    return Operation(
        cell=cell,
        shares={c: {v: n / repetitions for v, n in counted.items()} for c, counted in counts.items()},
        round_count=fmean(round_counts),
        detectable_ratio=median(detectable),
    )


def budget_shares(
    rounds: Rounds, repetitions: int, *, seed: int, shares: Sequence[float] = BUDGET_SHARES
) -> dict[float, dict[Verdict, float]]:
    """What a budget says of work that truly uses each share of it."""
    rng = random.Random(f"{seed} budget {rounds}")  # noqa: S311  # noise that repeats
    counts: dict[float, Counter[Verdict]] = {share: Counter() for share in shares}
    for _ in range(repetitions):
        sample = sample_of(energies_of(rounds, rng, tolerance=0.05), rounds)
        for share in shares:
            counts[share][_budget_verdict(sample, 100 / share)] += 1
    return {share: {v: n / repetitions for v, n in counted.items()} for share, counted in counts.items()}


def _budget_verdict(sample: RoundEnergies, budget_j: float) -> Verdict:
    lower_j, upper_j = budget_bounds(sample, ALPHA)
    if lower_j > budget_j:
        return Verdict.OVER_BUDGET
    return Verdict.PASS if upper_j <= budget_j else Verdict.INCONCLUSIVE


# The tables


def main_cells() -> list[Cell]:
    """The default tolerance over sessions, noise between them and noise of the rounds."""
    return [
        Cell(rounds=Rounds(cv=cv), between_sd=between_sd, session_count=count)
        for between_sd in BETWEEN_SDS
        for cv in ROUND_CVS
        for count in SESSION_COUNTS
    ]


def tight_cells() -> list[Cell]:
    """Smaller tolerances, and none."""
    return [
        Cell(rounds=Rounds(cv=0.01), between_sd=between_sd, session_count=count, tolerance=tolerance)
        for tolerance in (0.02, 0.0)
        for between_sd in TIGHT_BETWEEN_SDS
        for count in SESSION_COUNTS
    ]


def odd_cells() -> dict[str, Cell]:
    """What isn't as it should be, or isn't as it usually is."""
    usual = Cell(rounds=Rounds(cv=0.01), between_sd=0.01, session_count=1)

    spiky = Rounds(cv=0.01, spike_share=0.1)
    return {
        "as usual: SD 1 %, CV 1 %, 1 session": usual,
        "5 rounds, never more": replace(usual, rounds=Rounds(cv=0.01, count=5)),
        "5 rounds of CV 5 %": replace(usual, rounds=Rounds(cv=0.05, count=5)),
        "1 round each (a marked test), CV 1 %": replace(usual, rounds=Rounds(cv=0.01, count=1)),
        "1 round against 5 sessions of 1": replace(usual, rounds=Rounds(cv=0.01, count=1), session_count=5),
        "each record off by its own 1 %": replace(usual, rounds=Rounds(cv=0.01, own_share=0.01)),
        "one round in ten uses 30 % more": replace(usual, rounds=spiky),
        "the same, 5 sessions": replace(usual, rounds=spiky, session_count=5),
        "a noisy run: CV 5 %, baseline 1 %": replace(usual, fresh=Rounds(cv=0.05)),
        "sessions differ by SD 5 %, 1 of them": replace(usual, between_sd=0.05),
        "the same, 3 sessions": replace(usual, between_sd=0.05, session_count=3),
        "the same, 10 sessions": replace(usual, between_sd=0.05, session_count=10),
    }


_HEAD = ("pass at 0", "fails at 0", "+5 %", "+8 %", "+10 %", "+15 %", "+20 %", "saves 10 %", "detectable")


def _shares(operation: Operation) -> list[str]:
    fails = [operation.share(change, Verdict.REGRESSION) for change in (0.0, 0.05, 0.08, 0.10, 0.15, 0.20)]
    return [
        _percent(operation.share(0.0, Verdict.PASS)),
        *map(_percent, fails),
        _percent(operation.share(-0.10, Verdict.IMPROVEMENT)),
        f"{100 * (operation.detectable_ratio - 1):+.1f} %",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["--:"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _session_columns(cell: Cell) -> list[str]:
    return [f"{100 * cell.between_sd:g} %", f"{100 * cell.rounds.cv:g} %", str(cell.session_count)]


def main_table(repetitions: int, seed: int) -> str:
    lines = [
        [*_session_columns(found.cell), f"{found.round_count:.1f}", *_shares(found)]
        for found in operations(main_cells(), repetitions, seed=seed)
    ]
    return _table(("between", "CV", "sessions", "rounds", *_HEAD), lines)


def tight_table(repetitions: int, seed: int) -> str:
    def line(found: Operation) -> list[str]:
        tolerance = found.cell.tolerance
        fails = [found.share(change, Verdict.REGRESSION) for change in (0.0, 0.02, 0.03, 0.05, 0.08)]
        return [
            f"{100 * tolerance:g} %",
            *_session_columns(found.cell),
            _percent(found.share(0.0, Verdict.PASS)),
            *map(_percent, fails),
            f"{100 * (found.detectable_ratio - 1):+.1f} %",
        ]

    noise = ("tolerance", "between", "CV", "sessions")
    head = (*noise, "pass at 0", "fails at 0", "+2 %", "+3 %", "+5 %", "+8 %", "detectable")
    lines = map(line, operations(tight_cells(), repetitions, seed=seed))
    return _table(head, lines)


def odd_table(repetitions: int, seed: int) -> str:
    cells = odd_cells()
    lines = [
        [name, f"{found.round_count:.1f}", *_shares(found)]
        for name, found in zip(cells, operations(cells.values(), repetitions, seed=seed), strict=True)
    ]
    return _table(("", "rounds", *_HEAD), lines)


def budget_table(repetitions: int, seed: int) -> str:
    lines = []
    for cv in ROUND_CVS:
        found = budget_shares(Rounds(cv=cv), repetitions, seed=seed)
        cells = [
            f"{_percent(found[share].get(Verdict.PASS, 0.0))} / "
            f"{_percent(found[share].get(Verdict.OVER_BUDGET, 0.0))}"
            for share in BUDGET_SHARES
        ]
        lines.append([f"{100 * cv:g} %", *cells])
    return _table(("CV", *(f"{100 * share:g} % of it" for share in BUDGET_SHARES)), lines)


def creep_share(rise: float, sd: float, repetitions: int, *, seed: int) -> tuple[float, float]:
    """Shares of histories of 60 runs that warn of creep by the 15th run, and at any time.

    Args:
        rise: Of each run over the one before, in ln J.
        sd: Of each run around that.
        repetitions: Histories.
        seed: Of the noise.
    """
    rng = random.Random(f"{seed} creep {rise} {sd}")  # noqa: S311  # noise that repeats
    warned_at = [_creep_run(rise, sd, rng) for _ in range(repetitions)]
    early = sum(run is not None and run <= _EARLY_RUN for run in warned_at)
    return early / repetitions, sum(run is not None for run in warned_at) / repetitions


def _creep_run(rise: float, sd: float, rng: random.Random) -> int | None:
    history: list[float] = []
    for run in range(_HISTORY_RUNS):
        history.append(100 * math.exp(rise * run + rng.gauss(0.0, sd)))
        stored = history[:-1]
        pinned, newest = stored[:PINNED_COUNT], stored[PINNED_COUNT:][PINNED_COUNT - KEPT_COUNT :]
        levels_j = [*pinned, *newest, history[-1]]
        if len(levels_j) > PINNED_COUNT and creep(levels_j, pinned_count=PINNED_COUNT):
            return run + 1
    return None


def creep_table(repetitions: int, seed: int) -> str:
    lines = []
    for rise, sd in ((0.0, 0.01), (0.0, 0.02), (0.003, 0.003), (0.003, 0.01), (0.003, 0.02)):
        early, ever = creep_share(rise, sd, repetitions, seed=seed)
        lines.append([f"{100 * rise:g} %", f"{100 * sd:g} %", _percent(early), _percent(ever)])
    return _table(("rise per run", "SD", "warned by run 15", "warned within 60 runs"), lines)


TABLES: Mapping[str, Callable[[int, int], str]] = {
    "Tolerance 5 %": main_table,
    "Smaller tolerances": tight_table,
    "Odd cells, tolerance 5 %": odd_table,
    "Budgets (pass / over-budget)": budget_table,
    "Creep": creep_table,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repetitions", type=int, default=REPETITIONS, metavar="N", help=f"of each cell ({REPETITIONS})"
    )
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error(f"--repetitions is {options.repetitions}; give at least 1")
    sys.stdout.write(f"{options.repetitions} repetitions a cell, seed {SEED}, alpha {ALPHA:g}; shares in %\n")
    for title, table in TABLES.items():
        sys.stdout.write(f"\n{title}\n\n{table(options.repetitions, SEED)}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
