"""What is kept of a test's counts, and with which of them a fresh record is compared. Pure.

Rule 1: what code calls hangs on no model of CPU or GPU, so that counts of one machine are compared with those
of another, if the same kind of device was at work.
Rule 2: nearer sessions go before others: those of this machine, those of counts alone, then the newest of the
rest. Where the verdict hangs on counts those of counts alone go first: all machines share them.
Rule 3: with a tolerance the first sessions of the level judge, which only a person moves. The newest would
follow a creep, each time by less than the tolerance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pytest_energy.baselines.levels import level_of
from pytest_energy.baselines.machine import counts_key, differences
from pytest_energy.baselines.schema import Baseline
from pytest_energy.counts import Counts
from pytest_energy.model import Machine, Record
from pytest_energy.verdict.count_changes import compare_counts
from pytest_energy.verdict.findings import AgainstCounts, NoCounts, NoCountsBaseline, OfCounts, OtherWork
from pytest_energy.verdict.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedSession:
    """The counts of one session of a baseline.

    Attributes:
        created: When it was made.
        facts: Of its machine and libraries.
        is_pinned: It is one of the first of its level.
        is_judging: It is one of the newest of its level.
        work: What must be equal: samples, what else the work is made of, whether all of it was counted.
    """

    created: str
    counts: Counts
    facts: Mapping[str, str]
    work: Mapping[str, str]
    is_pinned: bool
    is_judging: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CountHistory:
    """Sessions with counts of one test, the oldest first, by the machine key that they are stored under."""

    by_key: Mapping[str, tuple[CountedSession, ...]] = field(default_factory=dict)

    def sessions_for(self, counts: Counts, own_key: str, *, is_by_counts: bool) -> tuple[CountedSession, ...]:
        """Those that *counts*, of the machine *own_key*, are compared with: rules 1 and 2."""
        kind = counts_key(counts)
        near = (kind, own_key) if is_by_counts else (own_key, kind)
        far = sorted(self.by_key.keys() - {*near}, key=self._newest, reverse=True)
        for key in (*near, *far):
            alike = tuple(one for one in self.by_key.get(key, ()) if counts_key(one.counts) == kind)
            if alike:
                return alike
        return ()

    def _newest(self, key: str) -> tuple[str, str]:
        return max((one.created for one in self.by_key[key]), default=""), key


NONE_COUNTED = CountHistory()


def counted_sessions(entries: Sequence[Record]) -> tuple[CountedSession, ...]:
    """The sessions with counts that may judge, of a baseline's *entries*; equal counts are in memory once."""
    known: dict[str, Counts] = {}
    level = level_of(entries)
    pinned, judging = ({id(one) for one in some} for some in (level.pinned, level.judging))
    return tuple(
        CountedSession(
            created=one.created,
            counts=known.setdefault(one.counts.digest, one.counts),
            facts=_facts_of(one.machine),
            work=_work_of(one),
            is_pinned=id(one) in pinned,
            is_judging=id(one) in judging,
        )
        for one in level.entries
        if one.counts is not None and id(one) in pinned | judging
    )


def count_history_of(baselines: Sequence[Baseline]) -> CountHistory:
    """What is kept of the counts of *baselines*, of one test on several machines."""
    return CountHistory(by_key={one.machine_key: counted_sessions(one.entries) for one in baselines})


def against_counts(record: Record, history: CountHistory, policy: Policy) -> OfCounts:
    """What the counts of *record* say against those of its baseline."""
    if record.counts is None:
        return NoCounts(because=record.absent.get("counts", "no reason was given"))
    sessions = history.sessions_for(record.counts, record.machine.key, is_by_counts=policy.is_by_counts)
    sessions = _judging(sessions, policy)
    if not sessions:
        return NoCountsBaseline(key=counts_key(record.counts), is_ignored=policy.ignores_baselines)
    if other := differences(sessions[-1].work, _work_of(record)):
        return OtherWork(differences=other)
    comparison = compare_counts(
        record.counts,
        [one.counts for one in sessions],
        facts=differences(sessions[-1].facts, _facts_of(record.machine)),
        tolerance=policy.counts_tolerance,
        is_judged=policy.is_by_counts,
    )
    if comparison is None:
        return NoCountsBaseline(key=counts_key(record.counts), is_ignored=policy.ignores_baselines)
    return AgainstCounts(verdict=comparison.verdict, comparison=comparison)


def _judging(sessions: tuple[CountedSession, ...], policy: Policy) -> tuple[CountedSession, ...]:
    """Those of *sessions* that judge: rule 3; all where none of those has counts."""
    by_first = policy.is_by_counts and policy.counts_tolerance > 0
    return tuple(one for one in sessions if (one.is_pinned if by_first else one.is_judging)) or sessions


def _facts_of(machine: Machine) -> dict[str, str]:
    return {**machine.varying, **machine.fixed}


def _work_of(record: Record) -> dict[str, str]:
    samples = "not given" if record.samples is None else str(record.samples)
    is_piece = record.counts is not None and record.counts.is_piece
    return {**record.workload, "samples": samples, "counted": "a piece" if is_piece else "the whole"}
