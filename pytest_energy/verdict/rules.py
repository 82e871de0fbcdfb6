"""Record, baseline, budget and policy -> what is to be said of the record. Pure, and without a sentence.

Rule 1: a rise fails only when the lower bound of the ratio is past the tolerance, a budget only when the
    lower bound of the mean is past it. What the bounds leave open is `inconclusive`, never `pass`.
Rule 2: joules that must not be used are never judged; `void` and `unmeasured` come before all else.
Rule 3: of what a budget and a baseline say, the worse counts, so that a verdict never gets milder when energy
    rises.
Rule 4: a regression is one only if it is confirmed: by a second batch of rounds where there is one, and,
    among many tests, by bounds at alpha over their number that exclude no change at all.
Rule 5: a load that its server did not keep up with is `saturated`: shown, and held against nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from pytest_energy.baselines.levels import level_of
from pytest_energy.baselines.machine import check_comparable, differences
from pytest_energy.baselines.schema import PINNED_COUNT, Baseline
from pytest_energy.basis import Basis, why_void
from pytest_energy.errors import NotComparable, NotMeasurable, SettingsError
from pytest_energy.judgement import SEVERITY, Budget, Comparison, Summary, Verdict
from pytest_energy.model import Provenance, Record
from pytest_energy.stats.centre import spread_of
from pytest_energy.stats.compare import (
    Bounds,
    RoundEnergies,
    baseline_centre_j,
    budget_bounds,
    centre_ratio,
    compare,
    summarise,
)
from pytest_energy.stats.drift import creep
from pytest_energy.verdict.findings import (
    LATENCY,
    AgainstBudget,
    Batch,
    ByChance,
    Compared,
    CreepSince,
    Decision,
    FactsDiffer,
    Finding,
    NoBaseline,
    NoSuchJoules,
    NotConfirmed,
    OnlyEstimated,
    Saturated,
    Unit,
    Unmeasured,
    Void,
)
from pytest_energy.verdict.policy import Policy, RoundsWanted

_NO_UNITS = {
    "sample": "how many samples a round has is not known; pass samples= to the marker or to energy.measure",
    "token": "no tokens were counted; measure the load with energy.requests",
}


def decide(
    record: Record,
    *,
    baseline: Baseline | None,
    other_machines: Sequence[str],
    budget: Budget,
    policy: Policy,
) -> Decision:
    """What is to be said of *record*.

    Args:
        record: The fresh record.
        baseline: Accepted sessions of this test on this machine, or `None`.
        other_machines: Keys of the machines that do have a baseline for this test.
        budget: Joules that the test may use, or an empty one.
        policy: Tolerance and strictness.

    Raises:
        SettingsError: There is a budget a sample or a token, but the record doesn't say of how many.
    """
    unjudged = _unjudged(record, policy)
    if unjudged is not None:
        findings: list[Finding] = [unjudged]
    else:
        findings = [*_against_budgets(record, budget, policy.alpha)]
        findings.append(_against_baseline(record, baseline, tuple(other_machines), policy))
        # A budget is a gate by itself: that there is no baseline comes after it.
        findings.sort(key=lambda one: (isinstance(one, NoBaseline), SEVERITY[one.verdict].of_findings))
    return Decision(
        record=record,
        findings=tuple(findings),
        budget=budget,
        summary=summary_of(record) if _has_joules(record) else None,
        readings=record.usable_rounds if isinstance(unjudged, Saturated | None) else (),
    )


def more_rounds(
    record: Record, *, baseline: Baseline | None, policy: Policy, cap: int
) -> RoundsWanted | None:
    """The rounds that *record* should have before it is judged, or `None`.

    What looks like a regression is to be confirmed by a second batch as large as the first. What is in doubt
    gets rounds up to *cap* at once if they could decide it, were they like those before: looking after each
    round would be peeking.
    """
    if baseline is None or _unjudged(record, policy) is not None:
        return None
    try:
        energies = [rounds for _, rounds in _sessions(record, baseline, policy)]
        fresh = policy.basis.round_energies(record)
        verdict = _verdict_of(_bounds(fresh, energies, policy), policy.tolerance)
    except (NotComparable, NotMeasurable):
        return None
    count = len(fresh.energies_j)
    if verdict is Verdict.REGRESSION and not record.confirming_count:
        return RoundsWanted(count=count, is_confirming=True)
    if verdict is Verdict.INCONCLUSIVE and count < cap:
        at_cap = _verdict_of(_bounds(fresh, energies, policy, cap), policy.tolerance)
        if at_cap is not Verdict.INCONCLUSIVE:
            return RoundsWanted(count=cap - count, is_confirming=False)
    return None


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


# ---- budgets ----


def _against_budgets(record: Record, budget: Budget, alpha: float) -> Iterator[AgainstBudget]:
    limits: tuple[tuple[Unit, float | None, int | None], ...] = (
        ("round", budget.budget_j, 1),
        ("sample", budget.budget_per_sample_j, record.samples),
        ("token", budget.budget_per_token_j, record.output_tokens),
    )
    rounds = Basis().round_energies(record)
    for unit, limit_j, count in limits:
        if limit_j is None:
            continue
        if not count:
            msg = f"{record.test_id}: budget_per_{unit}_j is {limit_j:g} J, but {_NO_UNITS[unit]}"
            raise SettingsError(msg)
        lower_j, upper_j = (bound_j / count for bound_j in budget_bounds(rounds, alpha))
        if lower_j > limit_j:
            verdict = Verdict.OVER_BUDGET
        else:
            verdict = Verdict.PASS if upper_j <= limit_j else Verdict.INCONCLUSIVE
        yield AgainstBudget(
            verdict=verdict,
            limit_j=limit_j,
            unit=unit,
            mean_j=fmean(rounds.energies_j) / count,
            bounds_j=(lower_j, upper_j),
            alpha=alpha,
            spread=spread_of(len(rounds.energies_j)),
        )


# ---- the baseline ----


def _against_baseline(
    record: Record, baseline: Baseline | None, other_machines: tuple[str, ...], policy: Policy
) -> Compared | NoBaseline | FactsDiffer | NoSuchJoules:
    if baseline is None:
        return NoBaseline(is_unusable=False, other_machines=other_machines)
    try:
        fresh = policy.basis.round_energies(record)
        sessions = _sessions(record, baseline, policy)
    except NotComparable as error:
        return FactsDiffer(differences=error.differences, other_machines=other_machines)
    except NotMeasurable as error:
        return NoSuchJoules(basis=policy.basis.text, because=str(error))
    if not sessions:
        return NoBaseline(is_unusable=True, other_machines=other_machines)
    records, energies = [old for old, _ in sessions], [rounds for _, rounds in sessions]
    finding = compared_of(record, records, _bounds(fresh, energies, policy), policy)
    is_rise = finding.verdict is Verdict.REGRESSION
    doubt = _doubt(record, fresh, energies, policy) if is_rise else None
    levels_j = tuple(map(baseline_centre_j, energies))
    return replace(
        finding,
        verdict=finding.verdict if doubt is None else Verdict.INCONCLUSIVE,
        comparison=replace(finding.comparison, entry_energies_j=levels_j),
        unused_count=len(level_of(baseline.entries).entries) - len(sessions),
        doubt=doubt,
        creep=_creep([*records, record], [*levels_j, baseline_centre_j(fresh)]),
    )


def _sessions(record: Record, baseline: Baseline, policy: Policy) -> Sequence[tuple[Record, RoundEnergies]]:
    """The sessions of *baseline* with usable joules, and those joules.

    Raises:
        NotComparable: One of them can't be compared with *record*.
    """
    sessions = []
    usable = list(filter(_has_joules, level_of(baseline.entries).entries))
    for session in usable[:1]:  # all sessions of a baseline can be compared with one another
        check_comparable(session, record, besides=policy.basis.free_facts)
    for session in usable:
        try:
            sessions.append((session, policy.basis.round_energies(session)))
        except NotMeasurable:
            continue  # the finding counts what was left out
    return sessions


def _has_joules(session: Record) -> bool:
    return why_void(session) is None and session.unmeasured_because is None


def _bounds(
    fresh: RoundEnergies, sessions: Sequence[RoundEnergies], policy: Policy, round_count: int | None = None
) -> Bounds:
    return compare(fresh, sessions, tolerance=policy.tolerance, alpha=policy.alpha, round_count=round_count)


def _doubt(
    record: Record, fresh: RoundEnergies, sessions: Sequence[RoundEnergies], policy: Policy
) -> NotConfirmed | ByChance | None:
    """Why what looks like a regression isn't sure enough (rule 4), or `None`."""
    if record.confirming_count:
        confirming = record.rounds[-record.confirming_count :]
        count = len(fresh.energies_j)
        first_count = count - sum(reading.energy_j is not None for reading in confirming)
        batches: tuple[tuple[Batch, int, int], ...] = (
            ("first", 0, first_count),
            ("confirming", first_count, count),
        )
        limit = 1 + policy.tolerance
        for batch, start, stop in batches:
            if start == stop or _bounds(fresh.part(start, stop), sessions, policy).lower <= limit:
                return NotConfirmed(batch=batch, round_count=stop - start)
    if policy.test_count > 1:
        strict = replace(policy, alpha=policy.alpha / policy.test_count)
        if _bounds(fresh, sessions, strict).lower <= 1:
            return ByChance(test_count=policy.test_count, alpha=strict.alpha)
    return None


def _creep(records: Sequence[Record], levels_j: Sequence[float]) -> CreepSince | None:
    """That the newest of *records*, of these levels, have crept up from the first, or `None`."""
    if len(records) <= PINNED_COUNT:
        return None
    rise = creep(levels_j, pinned_count=PINNED_COUNT)
    if rise is None:
        return None
    since = records[PINNED_COUNT + rise.began]
    commit = since.machine.varying.get("git_commit", "")
    return CreepSince(ratio=rise.ratio, created=since.created, commit=commit)


# ---- figures of a comparison, whatever it is with ----


def compared_of(record: Record, references: Sequence[Record], bounds: Bounds, policy: Policy) -> Compared:
    """*record* against *references*, the newest last, by *bounds* alone."""
    duration_ratio = centre_ratio(_durations_s(record), [_durations_s(old) for old in references])
    comparison = Comparison(
        entry_count=len(references),
        energy_j=bounds.baseline_j,
        ratio=bounds.ratio,
        ratio_ci=(bounds.lower, bounds.upper),
        detectable_ratio=bounds.detectable_ratio,
        duration_ratio=duration_ratio,
        power_ratio=bounds.ratio / duration_ratio,
        latency_ratio=_latency_ratio(record, references),
        differences=_shown_differences(references[-1], record),
        tolerance=policy.tolerance,
        basis=policy.basis.text,
    )
    return Compared(
        verdict=_verdict_of(bounds, policy.tolerance),
        comparison=comparison,
        alpha=policy.alpha,
        spread=bounds.spread,
        channels=_channel_means_j(record, references),
    )


def _verdict_of(bounds: Bounds, tolerance: float) -> Verdict:
    """What *bounds* of a ratio say, held against *tolerance*."""
    if bounds.lower > 1 + tolerance:
        return Verdict.REGRESSION
    if bounds.upper < 1 - tolerance:
        return Verdict.IMPROVEMENT
    if bounds.upper < 1 + tolerance:
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def _durations_s(record: Record) -> tuple[float, ...]:
    return tuple(reading.duration_s for reading in record.usable_rounds)


def _latency_ratio(record: Record, references: Sequence[Record]) -> float | None:
    now_s, *then_s = (one.metrics.get(LATENCY) for one in (record, *references))
    known_s = [latency_s for latency_s in then_s if latency_s]
    return centre_ratio([now_s], [[latency_s] for latency_s in known_s]) if now_s and known_s else None


def _shown_differences(old: Record, new: Record) -> dict[str, tuple[str, str]]:
    """Facts that may differ, of the machine and of how the work is done, and do: (then, now)."""
    then, now = ({**one.machine.varying, **one.engine_settings} for one in (old, new))
    return differences(then, now)


def _channel_means_j(record: Record, references: Sequence[Record]) -> dict[str, tuple[float, float]]:
    """Mean joules of a round (then, now) of each channel that both have; empty where there is but one."""
    then, now = _means_j(references), _means_j([record])
    if len(now) < 2:
        return {}
    return {name: (then[name], now[name]) for name in then.keys() & now.keys()}


def _means_j(records: Sequence[Record]) -> dict[str, float]:
    rounds = [reading for record in records for reading in record.usable_rounds]
    return {
        name: fmean(reading.channels[name] for reading in rounds if name in reading.channels)
        for name in {name for reading in rounds for name in reading.channels}
    }
