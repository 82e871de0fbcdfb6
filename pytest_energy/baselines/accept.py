"""Decides which judged records may enter a baseline, for runs and for `accept`. Pure.

Rule 1: a test that did not pass, or whose joules don't count, enters no baseline on its own.
Rule 2: a test that a person names may have failed; its joules must count all the same.
Rule 3: an estimate enters only where estimates are asked for.
Rule 4: a change that is accepted starts a level anew. A run that adds what it measured only notes that it was
an improvement: no person has accepted it yet, and it judges nothing until another follows.
Rule 5: of a test whose counts are compared the counts enter, and no joules.
Rule 6: nothing judges a load of the yardstick: it enters where a test of its run does, if it has joules.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_energy.baselines.machine import check_comparable, counts_key
from pytest_energy.baselines.schema import Baseline
from pytest_energy.errors import NotComparable, NotMeasurable
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import JoinedAs, Machine, Provenance, Reading, Record
from pytest_energy.notes import merged

# Verdicts whose record may join a baseline. A replacement also takes what the old baseline refuses.
_JOINING = frozenset({Verdict.PASS, Verdict.IMPROVEMENT, Verdict.INCONCLUSIVE, Verdict.NO_BASELINE})
_UNUSABLE = frozenset({Verdict.SATURATED, Verdict.VOID, Verdict.UNMEASURED})
_REPLACING = _JOINING | {Verdict.REGRESSION, Verdict.NOT_COMPARABLE}


def why_not_accepted(
    judgement: Judgement, *, replaces: bool, takes_estimates: bool, is_named: bool = False
) -> str | None:
    """Why the record of *judgement* stays out of the baselines, or `None` if it may enter.

    Args:
        judgement: With the test's outcome.
        replaces: The old baseline goes, so what it says against the record doesn't count.
        takes_estimates: Estimated joules may enter, although nothing was judged by them.
        is_named: A person asked for this very test.
    """
    if _is_by_counts(judgement):
        return _why_counts_stay_out(judgement, replaces=replaces, is_named=is_named)
    record, verdict = judgement.record, judgement.verdict
    reason = f"its verdict is {verdict}: {next(iter(judgement.reason.splitlines()), '')}"
    is_estimate = record.provenance is Provenance.ESTIMATED and record.is_measured
    if judgement.outcome != "passed" and not is_named:
        return f"the test did not pass ({judgement.outcome})"
    if is_estimate and not takes_estimates:
        return f"its joules are an estimate; {reason}"
    if is_estimate and verdict is Verdict.UNMEASURED:
        verdict = Verdict.NO_BASELINE  # only for want of leave to judge it
    if verdict in _UNUSABLE or not (is_named or verdict in (_REPLACING if replaces else _JOINING)):
        return reason
    if not _has_joules(record):
        return f"it has no joules to compare with; {reason}"
    return None


def _is_by_counts(judgement: Judgement) -> bool:
    return judgement.terms is not None and judgement.terms.is_by_counts


def _why_counts_stay_out(judgement: Judgement, *, replaces: bool, is_named: bool) -> str | None:
    """As `why_not_accepted`, of a test whose counts are compared: what its joules are doesn't count."""
    record, compared = judgement.record, judgement.counts_comparison
    if judgement.outcome != "passed" and not is_named:
        return f"the test did not pass ({judgement.outcome})"
    if record.counts is None:
        return f"nothing was counted: {record.absent.get('counts', 'no reason was given')}"
    verdict = Verdict.NO_BASELINE if compared is None else compared.verdict
    if is_named or verdict in (_REPLACING if replaces else _JOINING):
        return None
    return f"its counts are {verdict}: {next(iter(judgement.reason.splitlines()), '')}"


def counts_alone(record: Record) -> Record:
    """*record*, which has counts, as a baseline of counts keeps it: without joules, and of no one machine.

    Counts hang on no model of CPU or GPU; what it was made on is shown where it may explain a difference.

    Raises:
        NotMeasurable: It has no counts.
    """
    if record.counts is None:
        raise NotMeasurable(f"{record.test_id}: there are no counts to keep")
    machine = record.machine
    return Record(
        test_id=record.test_id,
        created=record.created,
        provenance=Provenance.MEASURED,
        machine=Machine(
            key=counts_key(record.counts), fixed={}, varying={**machine.varying, **machine.fixed}
        ),
        samples=record.samples,
        workload=record.workload,
        engine_settings=record.engine_settings,
        group=record.group,
        model=record.model,
        session=record.session,
        unmeasured_because="counts are compared, so joules are not kept",
        counts=record.counts,
    )


def joining(judgement: Judgement, *, is_accepted: bool) -> Record:
    """The record of *judgement*, which may enter, as its baseline is to remember it.

    Args:
        judgement: Made against the baseline that the record joins.
        is_accepted: By `pytest-energy accept`, as a person does or a pipeline after a merge, or in place of
            all that was there.
    """
    if _is_by_counts(judgement):
        return _joining_counts(judgement)
    match judgement.verdict:
        case Verdict.IMPROVEMENT | Verdict.REGRESSION if is_accepted:
            joined_as: JoinedAs | None = JoinedAs.LEVEL
        case Verdict.IMPROVEMENT:
            joined_as = JoinedAs.IMPROVEMENT
        case _:
            joined_as = None
    return replace(judgement.record, joined_as=joined_as, rounds=_noted_once(judgement.record.rounds))


def _noted_once(rounds: Sequence[Reading]) -> tuple[Reading, ...]:
    """*rounds* with the notes of all of them at the first, one of each kind: a baseline holds many rounds."""
    notes = merged(reading.quality for reading in rounds)
    return tuple(replace(one, quality=() if number else notes) for number, one in enumerate(rounds))


def _joining_counts(judgement: Judgement) -> Record:
    """Counts have no noise: a change that may enter is one, and starts a level anew at once."""
    compared = judgement.counts_comparison
    is_change = compared is not None and compared.verdict in {Verdict.IMPROVEMENT, Verdict.REGRESSION}
    return replace(counts_alone(judgement.record), joined_as=JoinedAs.LEVEL if is_change else None)


def _has_joules(record: Record) -> bool:
    return bool(record.round_energies_j) and min(record.round_energies_j) > 0


def storable(loads: Iterable[Record]) -> list[Record]:
    """Those of one run's *loads* that have joules, and can be compared with the first of the same load."""
    first: dict[tuple[str, str], Baseline] = {}
    result = []
    for record in filter(_has_joules, loads):
        key = (record.machine.key, record.test_id)
        if why_not_beside(record, first.get(key)) is None:
            result.append(record)
            first.setdefault(key, Baseline(machine_key=key[0], test_id=key[1], entries=(record,)))
    return result


def why_not_beside(record: Record, stored: Baseline | None) -> str | None:
    """Why *record* can't join the sessions of *stored*, or `None`; without any it can."""
    try:
        if stored is not None:
            check_comparable(stored.entries[0], record)
    except NotComparable as error:
        return f"it can't be added to the stored sessions: {error}"
    return None
