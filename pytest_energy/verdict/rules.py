"""Record, baseline, budget and policy -> what is to be said of the record. Pure, and without a sentence.

Rule 1: joules that must not be used are never judged; `void` and `unmeasured` come before all else.
Rule 2: of what a budget and a baseline say, the worse counts, so that a verdict never gets milder when energy
    rises; and so it is with the parts of the joules (`changes`).
Rule 3: where counts are compared, joules are held against a budget alone; elsewhere counts are shown beside
    them, and no verdict hangs on them.
Rule 4: a load that its server did not keep up with is `saturated`: shown, and held against nothing.
Rule 5: answers past the limits of latency fail their test, whatever its joules are and even without any.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from pytest_energy.baselines.machine import check_comparable, differences
from pytest_energy.baselines.schema import PINNED_COUNT
from pytest_energy.basis import Basis, why_void
from pytest_energy.errors import NotComparable, NotMeasurable
from pytest_energy.judgement import FAILING, SEVERITY, Budget, Comparison, Limit, Part, Summary, Verdict
from pytest_energy.model import Provenance, Record
from pytest_energy.stats.compare import Bounds, summarise
from pytest_energy.stats.drift import creep
from pytest_energy.stats.ratio import ratio_of
from pytest_energy.verdict.best_setting import has_limit
from pytest_energy.verdict.budgets import against_budgets
from pytest_energy.verdict.changes import Question, verdict_of, worst
from pytest_energy.verdict.count_history import NONE_COUNTED, CountHistory, against_counts
from pytest_energy.verdict.findings import (
    AgainstCounts,
    AgainstPhase,
    BestUnknown,
    BudgetUnknown,
    Compared,
    CreepSince,
    Decision,
    FactsDiffer,
    Finding,
    NoBaseline,
    NoCounts,
    NoCountsBaseline,
    NoSuchJoules,
    OfBaseline,
    OfCounts,
    OfPhase,
    OnlyEstimated,
    PhaseUnknown,
    Saturated,
    SloMissed,
    Unmeasured,
    Unusable,
    Void,
)
from pytest_energy.verdict.history import Entry, History, aligned, entry_of, has_joules, mean_entry
from pytest_energy.verdict.phase_changes import PhaseQuestions
from pytest_energy.verdict.policy import Policy, RoundsWanted
from pytest_energy.verdict.suite import BY_ITSELF, Suite


def decide(
    record: Record,
    *,
    history: History | None,
    other_machines: Sequence[str],
    budget: Budget,
    policy: Policy,
    suite: Suite = BY_ITSELF,
    attempts: tuple[Entry, ...] = (),
    count_history: CountHistory = NONE_COUNTED,
) -> Decision:
    """The decision on *record*.

    Args:
        record: The fresh record.
        history: What is kept of the baseline of this test on this machine, or `None` without one.
        other_machines: Keys of the machines that do have a baseline for this test.
        budget: Joules that the test may use, or an empty one.
        policy: Tolerance and strictness.
        suite: What all tests of the session show together.
        attempts: What is kept of earlier attempts at the same code, which are judged with *record*.
        count_history: What is kept of the counts of this test's baselines.

    Raises:
        SettingsError: There is a budget a sample or a token, but the record doesn't say of how many.
    """
    unjudged, of_counts = _unjudged(record, policy), against_counts(record, count_history, policy)
    if policy.is_by_counts:
        findings: list[Finding] = _by_counts(record, of_counts, unjudged, budget, policy)
    elif unjudged is not None:
        findings = [unjudged]
    else:
        findings = [*against_budgets(record, budget, policy)]
        findings += _against_baseline(
            record, history, tuple(other_machines), policy, suite=suite, attempts=attempts
        )
        # A budget is a gate by itself: that there is no baseline comes after it.
        findings.sort(key=lambda one: (isinstance(one, NoBaseline), SEVERITY[one.verdict].of_findings))
    return Decision(
        record=record,
        findings=(*_missed_slo(record), *findings),
        budget=budget,
        summary=summary_of(record) if has_joules(record) else None,
        readings=record.usable_rounds if isinstance(unjudged, Saturated | None) else (),
        terms=policy.terms,
        unchecked=(
            *dict.fromkeys(
                _unchecked(findings, history, count_history, has_budget=bool(budget) or has_limit(record))
            ),
        ),
        counts_comparison=of_counts.comparison if isinstance(of_counts, AgainstCounts) else None,
    )


def _missed_slo(record: Record) -> Iterator[SloMissed]:
    if record.slo_missed_because is not None:
        yield SloMissed(because=record.slo_missed_because)


def _by_counts(
    record: Record, of_counts: OfCounts, unjudged: Unusable | Saturated | None, budget: Budget, policy: Policy
) -> list[Finding]:
    """What is said of a record whose counts are compared: of its joules only what a budget asks."""
    findings: list[Finding] = [of_counts]
    if budget:
        findings += against_budgets(record, budget, policy) if unjudged is None else [unjudged]

    def order(one: Finding) -> tuple[bool, bool, int]:
        is_failing, is_new = one.verdict in FAILING, isinstance(one, NoCountsBaseline)
        return not is_failing, is_new, SEVERITY[one.verdict].of_findings

    return sorted(findings, key=order)


def _unchecked(
    findings: Iterable[Finding], history: History | None, count_history: CountHistory, *, has_budget: bool
) -> Iterator[Limit]:
    """What the record should have been held against, and could not be for want of usable joules."""
    for finding in findings:
        if isinstance(finding, NoCounts):
            yield from (Limit.BASELINE,) if any(count_history.by_key.values()) else ()
        elif isinstance(finding, NoBaseline) and finding.is_unusable:
            yield Limit.BASELINE
        elif isinstance(finding, BudgetUnknown | BestUnknown):
            yield Limit.BUDGET
        elif isinstance(finding, Unusable | Saturated):
            if history is not None and history.entries:
                yield Limit.BASELINE
            if has_budget:
                yield Limit.BUDGET


def more_rounds(
    record: Record,
    *,
    history: History | None,
    policy: Policy,
    cap: int,
    suite: Suite = BY_ITSELF,
    attempts: tuple[Entry, ...] = (),
) -> RoundsWanted | None:
    """The rounds that *record* should have before it is judged, or `None`.

    What looks like a regression is to be confirmed by a second batch as large as the first. What is in doubt
    gets rounds up to *cap* at once if they could decide it, were they like those before: looking after each
    round would be peeking.
    """
    if history is None or not history.entries or _unjudged(record, policy) is not None:
        return None
    phases = PhaseQuestions(record=record, history=history, policy=policy, suite=suite, attempts=attempts)
    try:
        questions = [_question(record, history, policy, suite, attempts), *phases.gated()]
        changes = [(question, worst(question.changes()).comparison) for question in questions]
    except (NotComparable, NotMeasurable):
        return None
    count = len(record.usable_rounds)
    if not record.confirming_count and any(one.verdict is Verdict.REGRESSION for _, one in changes):
        return RoundsWanted(count=count, is_confirming=True)
    for question, one in changes:
        if one.verdict is Verdict.INCONCLUSIVE and count < cap:
            at_cap = question.change(one.part, round_count=cap)
            if at_cap.comparison.verdict is not Verdict.INCONCLUSIVE:
                return RoundsWanted(count=cap - count, is_confirming=False)
    return None


def _question(
    record: Record, history: History, policy: Policy, suite: Suite, attempts: tuple[Entry, ...] = ()
) -> Question:
    """What is asked of *record*.

    Raises:
        NotComparable: The baseline is of something else.
        NotMeasurable: The record has no such joules.
    """
    entry = entry_of(record, policy.basis)
    if history.newest is not None:  # all sessions of a baseline can be compared with one another
        check_comparable(history.newest, record, besides=policy.basis.free_facts)
    fresh, history, equal = aligned(record, history, policy.basis, attempts)
    if fresh is not record:
        record, entry = fresh, entry_of(fresh, policy.basis)
    return Question(
        equal_steps=equal,
        record=record,
        fresh=mean_entry([*attempts, entry]),
        history=history,
        policy=policy,
        suite=suite,
        attempts=attempts,
    )


def summary_of(record: Record) -> Summary:
    rounds = Basis().round_energies(record)
    return summarise(rounds.energies_j, rounds.uncertainties_j)


def _unjudged(record: Record, policy: Policy) -> Void | Unmeasured | OnlyEstimated | Saturated | None:
    """Why *record* is held against nothing, or `None`."""
    void_because = why_void(record)
    if record.unmeasured_because is not None and void_because is None:
        return Unmeasured(because=record.unmeasured_because)
    if record.provenance is Provenance.ESTIMATED and not policy.gates_estimates:
        return OnlyEstimated(void_because=void_because)
    if void_because is not None:
        return Void(because=void_because)
    if record.saturated_because is not None:
        return Saturated(because=record.saturated_because)
    return None


# ---- the baseline ----


def _against_baseline(
    record: Record,
    history: History | None,
    other_machines: tuple[str, ...],
    policy: Policy,
    *,
    suite: Suite,
    attempts: tuple[Entry, ...],
) -> list[OfBaseline]:
    if history is None:
        ignored = policy.ignores_baselines
        return [NoBaseline(is_unusable=False, other_machines=other_machines, is_ignored=ignored)]
    try:
        question = _question(record, history, policy, suite, attempts)
    except NotComparable as error:
        return [FactsDiffer(differences=error.differences, other_machines=other_machines)]
    except NotMeasurable as error:
        return [NoSuchJoules(basis=policy.basis.text, because=str(error))]
    if not history.entries:
        return [NoBaseline(is_unusable=True, other_machines=other_machines)]
    asked = PhaseQuestions(record=record, history=history, policy=policy, suite=suite, attempts=attempts)
    phases = [*asked.findings()]
    return [_with_phases(_compared(question), phases), *(one for one in phases if one.is_judged)]


def _with_phases(compared: Compared, phases: Sequence[OfPhase]) -> Compared:
    """*compared* with the figures of all *phases*, whether a verdict depends on them or not."""
    comparison = replace(
        compared.comparison,
        compared_phases=tuple(one.comparison for one in phases if isinstance(one, AgainstPhase)),
        absent_phases={one.name: one.because for one in phases if isinstance(one, PhaseUnknown)},
    )
    judged = tuple(one.name for one in phases if one.is_judged)
    return replace(compared, comparison=comparison, judged_phases=judged)


def _compared(question: Question) -> Compared:
    changes, history, fresh = question.changes(), question.history, question.fresh
    decisive = worst(changes)
    own = next((change.bounds for change in changes if change.comparison.part is Part.JOULES), None)
    noise = question.suite.noise(frozenset(history.entries[-1].channels_j), decisive.comparison.part)
    parts = tuple(change.comparison for change in changes) if len(changes) > 1 else ()
    return Compared(
        verdict=decisive.comparison.verdict,
        comparison=replace(
            _comparison(fresh, history.judging, own or question.joules(), question.policy),
            latency_ratio=_latency_ratio(fresh, history.judging),
            differences=_shown_differences(history.newest, question.record),
            parts=parts,
            equal_steps=question.equal_steps,
            no_parts_because="" if parts else _why_no_parts(fresh, history.judging),
            session_ratio=noise.ratio_to({entry.session for entry in history.judging}),
            entry_energies_j=tuple(entry.energy.value for entry in history.judging),
            entry_dates=tuple(entry.created for entry in history.judging),
            entry_commits=tuple(entry.commit for entry in history.judging),
        ),
        alpha=question.policy.alpha,
        spread=decisive.bounds.spread,
        channels=_channels_j(fresh, history.judging),
        unused_count=history.unused_count,
        decisive=decisive.comparison,
        doubt=decisive.doubt,
        proves_rise=decisive.bounds.is_proof,
        crept=decisive.crept,
        odd_entries=tuple(history.judging[place].created for place in decisive.bounds.odd_places),
        odd_rounds=tuple(filter(None, (entry.odd_round for entry in history.judging))),
        creep=_creep([*history.entries, fresh]),
    )


def _why_no_parts(fresh: Entry, entries: Sequence[Entry]) -> str:
    """Why the joules have no parts."""
    if isinstance(fresh.activity, str):
        return fresh.activity
    reasons = [entry.activity for entry in entries if isinstance(entry.activity, str)]
    return f"in the baseline {reasons[-1]}" if reasons else ""


def _creep(entries: Sequence[Entry]) -> CreepSince | None:
    """That the newest of *entries* have crept up from the first, or `None`."""
    if len(entries) <= PINNED_COUNT:
        return None
    rise = creep([entry.energy.value for entry in entries], pinned_count=PINNED_COUNT)
    if rise is None:
        return None
    since = entries[PINNED_COUNT + rise.began]
    return CreepSince(ratio=rise.ratio, created=since.created, commit=since.commit)


# ---- figures of a comparison, whatever it is with ----


def compared_of(record: Record, references: Sequence[Record], bounds: Bounds, policy: Policy) -> Compared:
    """*record* against *references*, the newest last, by *bounds* alone."""
    fresh, *entries = (entry_of(one, policy.basis) for one in (record, *references))
    return Compared(
        verdict=verdict_of(bounds, policy.tolerance),
        comparison=replace(
            _comparison(fresh, entries, bounds, policy),
            latency_ratio=_latency_ratio(fresh, entries),
            differences=_shown_differences(references[-1], record),
        ),
        alpha=policy.alpha,
        spread=bounds.spread,
        channels=_channels_j(fresh, entries),
    )


def _comparison(fresh: Entry, entries: Sequence[Entry], bounds: Bounds, policy: Policy) -> Comparison:
    slower = fresh.seconds.centre - fmean(entry.seconds.centre for entry in entries)
    dearer = fresh.energy.centre - fmean(entry.energy.centre for entry in entries)
    return Comparison(
        entry_count=len(entries),
        energy_j=bounds.baseline_j,
        ratio=bounds.ratio,
        ratio_ci=(bounds.lower, bounds.upper),
        detectable_ratio=bounds.detectable_ratio,
        duration_ratio=ratio_of(slower),
        power_ratio=ratio_of(dearer - slower),
        tolerance=policy.tolerance,
        basis=policy.basis.text,
    )


def _latency_ratio(fresh: Entry, entries: Sequence[Entry]) -> float | None:
    then_s = [entry.latency_s for entry in entries if entry.latency_s]
    if not (fresh.latency_s and then_s):
        return None
    return ratio_of(math.log(fresh.latency_s) - fmean(map(math.log, then_s)))


def _shown_differences(old: Record | None, new: Record) -> dict[str, tuple[str, str]]:
    """Facts that may differ, of the machine and of how the work is done, and do: (then, now)."""
    if old is None:
        return {}
    then, now = ({**one.machine.varying, **one.engine_settings} for one in (old, new))
    return differences(then, now)


def _channels_j(fresh: Entry, entries: Sequence[Entry]) -> dict[str, tuple[float, float]]:
    """Mean joules of a round (then, now) of each channel that both have; empty if there is but one."""
    now = fresh.channels_j
    if len(now) < 2:
        return {}
    then = {name: [entry.channels_j[name] for entry in entries if name in entry.channels_j] for name in now}
    return {name: (fmean(then[name]), now[name]) for name in now if then[name]}
