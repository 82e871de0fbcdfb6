"""What the gate says of kept sessions of real boards: each is judged against those of other boards.

    python benchmarks/gate/field.py docs/results/sessions/h100/*.json [--most N] [--out TABLES.md]

The sessions are of one suite on rented boards, unchanged but for those whose run notes or names say what was
planted. A board's sessions are never in the baseline that they are judged against. Every verdict is the
product's own (`decide_session`), of rounds as they were taken: no batch can be added to a session that is
over, so nothing is confirmed here.

Unchanged: each session against every choice of K sessions of other boards (at most N of them, drawn evenly).
Planted: one planted test in place of the same test of an unchanged session of its board. Calculated: one test
of an unchanged session with its active joules raised.
All planted: a session in which every test was changed.
"""

import argparse
import itertools
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.baselines.schema import Baseline
from pytest_energy.basis import active_j
from pytest_energy.cli.files import read_by_test
from pytest_energy.judgement import Part, PartComparison, Verdict
from pytest_energy.model import Record
from pytest_energy.verdict.findings import Compared, Decision
from pytest_energy.verdict.history import has_joules, history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.session import SessionDecision, Trial, decide_session, of_one_session

TOLERANCE = 0.05
SESSION_COUNTS = (1, 2, 3)
RISES = (0.05, 0.08, 0.10, 0.15)
SEED = 14

_PLANT_IN_NAME = re.compile(r"-(plus|active|sleep|sync)([0-9.]+)$")
_PLANT_IN_NOTE = re.compile(r"planted: ([a-z]+):([0-9.]+)")
_STEPS = "plus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One kept run.

    Attributes:
        board: Of the card, from its UUID or, without one, from the file's name.
        plant: Kind and amount of what was planted, such as `("steps", 8.0)`, or `None`.
        records: By test id.
    """

    name: str
    board: str
    plant: tuple[str, float] | None
    records: Mapping[str, Record]


def read_session(path: Path) -> Session:
    """The session in the file *path*, with ready power from all its rounds."""
    judgements = read_by_test(path)
    records = of_one_session([one.record for one in judgements.values() if has_joules(one.record)], path.stem)
    boards = {record.machine.varying.get("gpu_uuid", "") for record in records}
    match = _PLANT_IN_NAME.search(path.stem) or _PLANT_IN_NOTE.search(path.read_text(encoding="utf-8"))
    plant = None
    if match is not None:
        plant = ("steps" if match[1] == _STEPS else match[1], float(match[2]))
    board = next(iter(boards)) if len(boards) == 1 else ""
    return Session(
        name=path.stem,
        board=board or path.stem.split("-")[1],
        plant=plant,
        records={record.test_id: record for record in records},
    )


def judged(
    fresh: Mapping[str, Record], baseline: Sequence[Session], policy: Policy | None = None
) -> SessionDecision:
    """What the gate says of the tests in *fresh* that every session of *baseline* has."""
    policy = policy or _POLICY
    trials = [
        Trial(record=record, history=history_of(_baseline(test_id, baseline), policy.basis), policy=policy)
        for test_id, record in fresh.items()
        if all(test_id in session.records for session in baseline)
    ]
    return decide_session(trials, tolerance=TOLERANCE, alpha=policy.alpha)


_POLICY = Policy(tolerance=TOLERANCE)
_ALL_JOULES = Policy(tolerance=TOLERANCE, parts=frozenset({Part.JOULES}))


def _baseline(test_id: str, sessions: Sequence[Session]) -> Baseline:
    entries = tuple(session.records[test_id] for session in sessions)
    return Baseline(test_id=test_id, machine_key=entries[0].machine.key, entries=entries)


def choices(
    fresh: Session, sessions: Sequence[Session], count: int, most: int, rng: random.Random
) -> list[tuple[Session, ...]]:
    """At most *most* choices of *count* unchanged sessions of other boards, drawn evenly."""
    others = [one for one in sessions if one.plant is None and one.board != fresh.board]
    every = list(itertools.combinations(others, count))
    return every if len(every) <= most else rng.sample(every, most)


# ---- unchanged ----

_AT_BASELINE, _ACTIVE, _TEST = "joules at the baseline's waiting", "active joules", "test"
_GROSS = "all joules (`--energy-parts=joules`)"


@dataclass(slots=True)
class Tally:
    """Verdicts, counted."""

    counts: Counter[Verdict]

    def share(self, verdict: Verdict) -> float:
        return self.counts[verdict] / max(1, self.counts.total())

    def row(self) -> str:
        inconclusive = self.share(Verdict.INCONCLUSIVE) + self.share(Verdict.IMPROVEMENT)
        return f"{self.share(Verdict.PASS):.1%} | {self.share(Verdict.REGRESSION):.2%} | {inconclusive:.1%}"


def _work(decision: Decision) -> PartComparison | None:
    found = decision.findings[0]
    parts = found.comparison.parts if isinstance(found, Compared) else ()
    return next((part for part in parts if part.part is Part.WORK), None)


def verdict_within(ratio_ci: tuple[float, float], allowed: float) -> Verdict:
    """What bounds say by themselves."""
    if ratio_ci[0] > 1 + allowed:
        return Verdict.REGRESSION
    return Verdict.PASS if ratio_ci[1] < 1 + allowed else Verdict.INCONCLUSIVE


def joules_at_the_baselines_waiting(decision: Decision) -> Verdict | None:
    """Of active joules plus the baseline's joules of waiting, from the bounds of the work."""
    work = _work(decision)
    found = decision.findings[0]
    if work is None or not isinstance(found, Compared):
        return None
    waiting_j = next(p.energy_j for p in found.comparison.parts if p.part is Part.WAITING)
    share = work.energy_j / (work.energy_j + waiting_j)
    return verdict_within((1 + share * (work.ratio_ci[0] - 1), 1 + share * (work.ratio_ci[1] - 1)), TOLERANCE)


def unchanged_rows(sessions: Sequence[Session], most: int) -> Iterator[str]:
    rng = random.Random(SEED)  # noqa: S311  # a choice that repeats
    plain = [one for one in sessions if one.plant is None]
    for count in SESSION_COUNTS:
        tallies = {name: Tally(Counter()) for name in (_AT_BASELINE, _ACTIVE, _TEST, _GROSS)}
        failures, runs = 0, 0
        for fresh in plain:
            for baseline in choices(fresh, sessions, count, most, rng):
                decision = judged(fresh.records, baseline)
                runs, failures = runs + 1, failures + (decision.failure is not None)
                gross = judged(fresh.records, baseline, _ALL_JOULES).decisions
                tallies[_GROSS].counts.update(one.verdict for one in gross)
                for one in decision.decisions:
                    tallies[_TEST].counts[one.verdict] += 1
                    work = _work(one)
                    if work is not None:
                        tallies[_ACTIVE].counts[verdict_within(work.ratio_ci, TOLERANCE)] += 1
                        at_baseline = joules_at_the_baselines_waiting(one)
                        if at_baseline is not None:
                            tallies[_AT_BASELINE].counts[at_baseline] += 1
        if not runs:  # fewer boards than that
            continue
        for name, tally in tallies.items():
            yield f"| {name} | {count} | {tally.counts.total()} | {tally.row()} |"
        yield f"| run fails as a whole | {count} | {runs} | | {failures / runs:.2%} | |"


# ---- planted ----


def planted_rows(sessions: Sequence[Session], most: int) -> Iterator[str]:
    rng = random.Random(SEED)  # noqa: S311  # a choice that repeats
    for planted in (one for one in sessions if one.plant is not None):
        hosts = [one for one in sessions if one.plant is None and one.board == planted.board]
        for count in SESSION_COUNTS:
            verdicts, parts = Counter[Verdict](), Counter[str]()
            kind, amount = planted.plant or ("", 0.0)
            for host in hosts:
                for baseline in choices(host, sessions, count, max(1, most // 4), rng):
                    for test_id in planted.records:
                        one = _one_planted(test_id, planted, host, baseline)
                        if one is not None:
                            verdicts[one.verdict] += 1
                            parts[_named(one)] += 1
            total = max(1, verdicts.total())
            named = ", ".join(f"{name} {n / total:.0%}" for name, n in parts.most_common() if name)
            detected, passed = (verdicts[one] / total for one in (Verdict.REGRESSION, Verdict.PASS))
            yield (
                f"| {kind} {amount:g} | {planted.name} | {count} | {verdicts.total()} | "
                f"{detected:.0%} | {passed:.0%} | {named} |"
            )


def with_more_work(record: Record, rise: float) -> Record:
    """*record* with its active joules *rise* (a share) higher in each round: calculated, not measured."""
    (name,) = record.channels or {}
    rounds = tuple(
        replace(
            reading,
            channels={name: reading.channels[name] + rise * active_j(reading, record.ready_power)},
        )
        for reading in record.usable_rounds
    )
    return replace(record, rounds=rounds, confirming_count=0)


def calculated_rows(sessions: Sequence[Session], most: int) -> Iterator[str]:
    """One test of an unchanged session with its active joules raised, for each test in turn."""
    rng = random.Random(SEED)  # noqa: S311  # a choice that repeats
    plain = [one for one in sessions if one.plant is None]
    for count in SESSION_COUNTS:
        counts = {rise: Counter[Verdict]() for rise in RISES}
        for host in plain:
            for baseline in choices(host, sessions, count, max(1, most // 12), rng):
                for test_id, rise in itertools.product(host.records, RISES):
                    more = replace(host, records={test_id: with_more_work(host.records[test_id], rise)})
                    one = _one_planted(test_id, more, host, baseline)
                    if one is not None:
                        counts[rise][one.verdict] += 1
        for rise, verdicts in counts.items():
            total = max(1, verdicts.total())
            detected, passed = (verdicts[one] / total for one in (Verdict.REGRESSION, Verdict.PASS))
            yield f"| {rise:+.0%} | {count} | {verdicts.total()} | {detected:.0%} | {passed:.0%} |"


def _one_planted(
    test_id: str, planted: Session, host: Session, baseline: Sequence[Session]
) -> Decision | None:
    """What is said of *test_id* of the planted session, the other tests being the host's."""
    fresh = dict(host.records) | {test_id: planted.records[test_id]}
    if test_id not in host.records or any(test_id not in session.records for session in baseline):
        return None
    decisions = judged(fresh, baseline).decisions
    return next(one for one in decisions if one.record.test_id == test_id)


def _named(decision: Decision) -> str:
    """The part that a regression is named after."""
    found = decision.findings[0]
    if (
        decision.verdict is not Verdict.REGRESSION
        or not isinstance(found, Compared)
        or found.decisive is None
    ):
        return ""
    return found.decisive.part.value


def all_planted_rows(sessions: Sequence[Session], most: int) -> Iterator[str]:
    rng = random.Random(SEED)  # noqa: S311  # a choice that repeats
    for planted in (one for one in sessions if one.plant is not None):
        for count in SESSION_COUNTS:
            runs, failing, tests, ratios = 0, 0, 0, []
            for baseline in choices(planted, sessions, count, most, rng):
                decision = judged(planted.records, baseline)
                runs, failing = runs + 1, failing + (decision.failure is not None)
                tests += sum(one.verdict is Verdict.REGRESSION for one in decision.decisions)
                ratios += [factor.ratio for factor in decision.factors]
            low, high = (min(ratios), max(ratios)) if ratios else (1.0, 1.0)
            kind, amount = planted.plant or ("", 0.0)
            yield (
                f"| {kind} {amount:g} | {planted.name} | {count} | {runs} | {failing / max(1, runs):.0%} | "
                f"{tests / max(1, runs):.2f} | {low - 1:+.1%} to {high - 1:+.1%} |"
            )


def factor_rows(sessions: Sequence[Session]) -> Iterator[str]:
    """The factor of each unchanged session against each of another board."""
    plain = [one for one in sessions if one.plant is None]
    for fresh in plain:
        ratios = [
            factor.ratio
            for other in plain
            if other.board != fresh.board
            for factor in judged(fresh.records, [other]).factors
        ]
        if ratios:
            yield f"| {fresh.name} | {len(ratios)} | {min(ratios) - 1:+.1%} | {max(ratios) - 1:+.1%} |"


def tables(sessions: Sequence[Session], most: int) -> str:
    boards = len({one.board for one in sessions})
    plain = sum(one.plant is None for one in sessions)
    sections: tuple[tuple[str, str, Iterable[str]], ...] = (
        (
            f"Unchanged: {plain} sessions, {boards} boards, tolerance {TOLERANCE:.0%}",
            "| judged | K | n | pass | regression | neither |\n|---|--:|--:|--:|--:|--:|",
            unchanged_rows(sessions, most),
        ),
        (
            "One planted test among unchanged ones",
            "| planted | session | K | n | detected | pass | named |\n|---|---|--:|--:|--:|--:|---|",
            planted_rows(sessions, most),
        ),
        (
            "One test among unchanged ones, its active joules raised by calculation",
            "| work | K | n | detected | pass |\n|---|--:|--:|--:|--:|",
            calculated_rows(sessions, most),
        ),
        (
            "All tests planted",
            (
                "| planted | session | K | runs | run fails once | failing tests per run | factor |\n"
                "|---|---|--:|--:|--:|--:|---|"
            ),
            all_planted_rows(sessions, most),
        ),
        (
            "What all tests of an unchanged session share, against one session of another board",
            "| session | n | least | most |\n|---|--:|--:|--:|",
            factor_rows(sessions),
        ),
    )
    return "\n\n".join(f"### {title}\n\n{head}\n" + "\n".join(rows) for title, head, rows in sections) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", type=Path, nargs="+", metavar="RUN.json")
    parser.add_argument(
        "--most", type=int, default=60, metavar="N", help="choices of a baseline a session (60)"
    )
    parser.add_argument("--out", type=Path, metavar="TABLES.md", help="where to write the tables, too")
    options = parser.parse_args(arguments)
    if options.most < 4:
        parser.error(f"--most is {options.most}; give at least 4")
    text = tables([read_session(path) for path in options.paths], options.most)
    sys.stdout.write(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
