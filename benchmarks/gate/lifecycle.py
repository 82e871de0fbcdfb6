"""What the gate does over the life of a baseline: histories of merges whose truth is known.

    python benchmarks/gate/lifecycle.py [--repetitions N]

Each merge is measured in a session of its own, judged, and accepted where it may join, as the pipelines of
docs/ci.md do. What judges and is kept is decided by `baselines.levels` of the package, what joins and as
what by `baselines.accept`, and each verdict by `verdict.rules`, with the rounds that it asks for and its
confirming batch. Only noise is made here: ln J = truth + session + round, all normal. A merge that turns red
stays out of its baseline, and nobody looks at it.
"""

import argparse
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.baselines.accept import joining, why_not_accepted
from pytest_energy.baselines.levels import extended, kept
from pytest_energy.baselines.schema import KEPT_COUNT, Baseline
from pytest_energy.judgement import FAILING, Budget, Judgement, Verdict
from pytest_energy.model import Machine, Provenance, Reading, Record
from pytest_energy.plugin.rounds import LEAST_ROUND_COUNT, MOST_ROUND_COUNT
from pytest_energy.stats.rounds import needs_more, precision_for
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import decide, more_rounds

SEED = 20_261_126
REPETITIONS = 60
TOLERANCE = 0.05
STEP_AT = 12

_TEST_ID, _MACHINE = "test_work.py::test_work", Machine(key="simulated")
_POLICY = Policy(tolerance=TOLERANCE)
_CV = 0.01
_STEPS, _RISES = (-0.20, -0.10), (0.003, 0.005, 0.01)
_PROBED = (STEP_AT + 1, STEP_AT + 2, STEP_AT + 4, STEP_AT + 8)
_LENGTH = 60  # merges of a history of creep, or of nothing
_MOST = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The truth over a line of merges, and how sessions differ.

    Attributes:
        truths: ln of the test's joules at each merge, over those at the first.
        between_sd: Standard deviation of ln J from session to session.
        is_accepted: The pipeline accepts what was merged; else each run adds itself.
    """

    truths: tuple[float, ...]
    between_sd: float
    is_accepted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What the gate said at one merge, and would have said had the test used more; `None` if not asked."""

    verdict: Verdict
    changed: Verdict | None


def step(size: float, count: int) -> tuple[float, ...]:
    """Truths of a change by *size* at merge `STEP_AT`."""
    return tuple(math.log1p(size) if merge >= STEP_AT else 0.0 for merge in range(count))


def creeping(rise: float, count: int) -> tuple[float, ...]:
    """Truths of a *rise* at each merge."""
    return tuple(math.log1p(rise) * merge for merge in range(count))


def played(
    history: History, rng: random.Random, *, change: float = 0.0, probed: Container[int] = ()
) -> Iterator[Merge]:
    """What the gate says at each merge.

    Args:
        history: The truth.
        rng: Where the noise comes from.
        change: That a test has at the merges in *probed*, besides the truth; it joins no baseline.
        probed: Numbers of merges.
    """
    entries: tuple[Record, ...] = ()
    for place, truth in enumerate(history.truths):
        draws = _draws(truth + rng.gauss(0.0, history.between_sd), rng)
        judgement = judged(draws, entries, place)
        is_probed = place in probed
        changed = (
            judged([(1 + change) * energy_j for energy_j in draws], entries, place) if is_probed else None
        )
        yield Merge(verdict=judgement.verdict, changed=None if changed is None else changed.verdict)
        if why_not_accepted(judgement, replaces=False, takes_estimates=False) is None:
            joins = joining(judgement, is_accepted=history.is_accepted)
            entries = kept(extended(entries, (joins,)), KEPT_COUNT)


def judged(draws: Sequence[float], entries: Sequence[Record], place: int) -> Judgement:
    """The worse of what the judging sessions of *entries* and the pinned ones say of a record of *draws*."""
    if not entries:
        return _judgement(_record(draws[: _first_count(draws)], place), Verdict.NO_BASELINE)
    history = history_of(
        Baseline(test_id=_TEST_ID, machine_key=_MACHINE.key, entries=tuple(entries)), _POLICY.basis
    )
    record = _record(draws[: _first_count(draws)], place)
    while wanted := more_rounds(record, history=history, policy=_POLICY, cap=MOST_ROUND_COUNT):
        record = _record(draws[: len(record.rounds) + wanted.count], place)
        record = replace(record, confirming_count=wanted.count if wanted.is_confirming else 0)
    decision = decide(record, history=history, other_machines=(), budget=Budget(), policy=_POLICY)
    return _judgement(record, decision.findings[0].verdict)


def _judgement(record: Record, verdict: Verdict) -> Judgement:
    outcome = "failed" if verdict in FAILING else "passed"
    return Judgement(record=record, verdict=verdict, reason="", outcome=outcome)


def _draws(truth: float, rng: random.Random) -> list[float]:
    return [100 * math.exp(truth + rng.gauss(0.0, _CV)) for _ in range(2 * MOST_ROUND_COUNT)]


def _first_count(draws: Sequence[float]) -> int:
    count = 1
    precision = precision_for(TOLERANCE)
    while needs_more(
        draws[:count], [0.0] * count, precision=precision, least=LEAST_ROUND_COUNT, cap=MOST_ROUND_COUNT
    ):
        count += 1
    return count


def _record(energies_j: Sequence[float], place: int) -> Record:
    rounds = tuple(
        Reading(
            channels={"gpu:0": energy_j},
            duration_s=energy_j / 100,
            uncertainty_j=0.0,
            provenance=Provenance.MEASURED,
        )
        for energy_j in energies_j
    )
    created = f"2025-01-01T{place // 60:02}:{place % 60:02}:00Z"
    return Record(
        test_id=_TEST_ID, created=created, provenance=Provenance.MEASURED, machine=_MACHINE, rounds=rounds
    )


# ---- the tables ----


def found_shares(
    history: History, probed: Sequence[int], change: float, repetitions: int, *, seed: int
) -> list[float]:
    """Shares of histories in which *change* is a regression at each of the merges *probed*."""
    counts: Counter[int] = Counter()
    for number in range(repetitions):
        rng = random.Random(f"{seed} {history} {number}")  # noqa: S311  # noise that repeats
        merges = played(history, rng, change=change, probed=probed)
        counts.update(place for place, merge in enumerate(merges) if merge.changed is Verdict.REGRESSION)
    return [counts[place] / repetitions for place in probed]


def first_failures(history: History, repetitions: int, *, seed: int) -> list[float]:
    """The merge at which each history turned red, in order; infinite where it never did."""
    firsts = []
    for number in range(repetitions):
        rng = random.Random(f"{seed} {history} {number}")  # noqa: S311  # noise that repeats
        red = (
            place for place, merge in enumerate(played(history, rng)) if merge.verdict is Verdict.REGRESSION
        )
        firsts.append(next(red, math.inf))
    return sorted(firsts)


def step_table(repetitions: int, seed: int) -> str:
    rows = []
    for is_accepted in (True, False):
        for size in _STEPS:
            lost = 1 / (1 + size) - 1
            history = History(truths=step(size, _PROBED[-1] + 1), between_sd=0.01, is_accepted=is_accepted)
            shares = found_shares(history, _PROBED, lost, repetitions, seed=seed)
            how = "accepted" if is_accepted else "added"
            rows.append([how, f"{100 * size:+g} %", f"{100 * lost:+.0f} %", *map(_percent, shares)])
    later = (f"{place - STEP_AT} later" for place in _PROBED)
    return _table(("", "saved", "lost again", *later), rows)


def creep_table(repetitions: int, seed: int) -> str:
    rows = []
    for rise in _RISES:
        history = History(truths=creeping(rise, _LENGTH), between_sd=0.01)
        firsts = first_failures(history, repetitions, seed=seed)
        most = firsts[math.ceil(_MOST * repetitions) - 1]
        rows.append([f"{100 * rise:g} %", *(_red_text(merge, rise) for merge in (median(firsts), most))])
    return _table(("rise a merge", "half of histories are red by", f"{_MOST:.0%} are"), rows)


def _red_text(merge: float, rise: float) -> str:
    if math.isinf(merge):
        return "never"
    return f"merge {merge:g}, {100 * math.expm1(merge * math.log1p(rise)):+.1f} %"


def unchanged_table(repetitions: int, seed: int) -> str:
    rows = []
    for between_sd in (0.01, 0.02):
        history = History(truths=(0.0,) * _LENGTH, between_sd=between_sd)
        firsts = first_failures(history, repetitions, seed=seed)
        red = sum(not math.isinf(merge) for merge in firsts) / repetitions
        rows.append([f"{100 * between_sd:g} %", _percent(red)])
    return _table(("between", f"red at some of {_LENGTH} merges"), rows)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["--:"] * len(head), *rows])


TABLES: Mapping[str, Callable[[int, int], str]] = {
    f"A saving at merge {STEP_AT}, and all of it lost again: found": step_table,
    "Creep, each merge accepted": creep_table,
    "Unchanged code": unchanged_table,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repetitions", type=int, default=REPETITIONS, metavar="N", help=f"histories of each ({REPETITIONS})"
    )
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error(f"--repetitions is {options.repetitions}; give at least 1")
    sys.stdout.write(f"{options.repetitions} histories each, seed {SEED}, tolerance {TOLERANCE:.0%}\n")
    for title, table in TABLES.items():
        sys.stdout.write(f"\n{title}\n\n{table(options.repetitions, SEED)}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
