"""Record, baseline, budget and policy -> verdict, with the reason in words. Pure.

Rule 1: a rise fails only when the lower bound of the ratio is past the tolerance, a budget only when the
    lower bound of the mean is past it. What the bounds can't tell is `inconclusive`, never `pass`.
Rule 2: joules that must not be used are never judged; `void` and `unmeasured` come before all else.
Rule 3: of what a budget and a baseline say, the worse counts, so that a verdict never gets milder when energy
    rises.
Rule 4: the first line of a reason stands by itself; tables show no more. The rest says why and what to do.
Rule 5: a regression is one only if it is confirmed: by a second batch of rounds where one was taken, and,
    among many tests, by bounds at alpha over their number that exclude no change at all.
Rule 6: a load that its server did not keep up with is `saturated`: shown, and held against nothing.
Rule 7: joules saved by slower answers are a saving, and said to be one of that kind.
Rule 8: a figure is shown with as many digits as keep it on its own side of the limit it is held against.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_energy.baselines.machine import check_comparable
from pytest_energy.baselines.schema import PINNED_COUNT
from pytest_energy.basis import Basis
from pytest_energy.errors import NotComparable, NotMeasurable, SettingsError
from pytest_energy.model import (
    FAILING,
    UNDECIDED,
    Budget,
    Comparison,
    Judgement,
    Provenance,
    Record,
    Summary,
    Verdict,
)
from pytest_energy.stats.compare import (
    Bounds,
    RoundEnergies,
    assumed_spread_text,
    baseline_centre_j,
    budget_bounds,
    centre_ratio,
    compare,
    summarise,
    trimming_text,
)
from pytest_energy.stats.drift import creep
from pytest_energy.units import percent_change_text, to_text, with_uncertainty_text

if TYPE_CHECKING:
    from pytest_energy.baselines.schema import Baseline

PRECEDENCE = (
    Verdict.PASS,
    Verdict.IMPROVEMENT,
    Verdict.NO_BASELINE,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_COMPARABLE,
    Verdict.REGRESSION,
    Verdict.OVER_BUDGET,
    Verdict.SATURATED,
    Verdict.UNMEASURED,
    Verdict.VOID,
)
"""Where several things are to be said of a record, the last of them here is the verdict."""

NOT_RECORDED = "not recorded"
LATENCY = "e2e_p50_s"

_GATE = "--energy-estimates=gate"  # without it, no estimate is judged or kept
_COMMIT_LENGTH = 10  # as git shows a commit in short
_DAY_LENGTH = len("2026-11-20")

_DUST = 1e-12  # a change smaller than this is the rounding of floats, not of energy
_EXACT_DIGITS = 17  # as many significant digits as tell any two floats apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked of a record.

    Attributes:
        tolerance: Accepted rise, a share, at least 0.
        alpha: Accepted chance of a false alarm at the edge of the tolerance, one-sided, 0 to 0.5.
        gates_estimates: Estimated joules may pass and fail tests.
        basis: Which joules are compared with the baseline.
        test_count: Tests of this run that have a baseline: so many chances for a false alarm.

    Raises:
        SettingsError: *tolerance* or *alpha* is out of its range.
    """

    tolerance: float = 0.05
    alpha: float = 0.05
    gates_estimates: bool = False
    basis: Basis = field(default_factory=Basis)
    test_count: int = 1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise SettingsError(f"tolerance is {self.tolerance}; it is a share of at least 0, such as 0.05")
        if not 0 < self.alpha < 0.5:
            raise SettingsError(f"alpha is {self.alpha}; it is a chance above 0 and below 0.5, such as 0.05")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A record with usable joules, and what is asked of it."""

    record: Record
    sample: RoundEnergies
    summary: Summary
    policy: Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What one budget or the baseline says of a record."""

    verdict: Verdict
    headline: str
    details: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    comparison: Comparison | None = None


def judge(
    record: Record,
    *,
    baseline: "Baseline | None",
    other_machines: Sequence[str],
    budget: Budget,
    policy: Policy,
) -> Judgement:
    """The verdict on *record*, and the reason as a person reads it when a run has failed.

    Args:
        record: The fresh record.
        baseline: Accepted sessions of this test on this machine, or `None`.
        other_machines: Keys of the machines that do have a baseline for this test.
        budget: Joules that the test may use, or an empty one.
        policy: Tolerance and strictness.

    Raises:
        SettingsError: There is a budget a sample, but the record doesn't say how many samples a round has.
    """
    because = _why_void(record)
    if record.unmeasured_because is not None and because is None:
        reason = _unmeasured_text(record, record.unmeasured_because)
        return Judgement(record=record, verdict=Verdict.UNMEASURED, reason=reason, budget=budget)
    if record.provenance is Provenance.ESTIMATED and not policy.gates_estimates:
        estimate = None if because is not None else _summary(record)
        reason = _estimate_text(record, estimate, because)
        return Judgement(
            record=record, verdict=Verdict.UNMEASURED, reason=reason, summary=estimate, budget=budget
        )
    if because is not None:
        return Judgement(
            record=record, verdict=Verdict.VOID, reason=_void_text(record, because), budget=budget
        )
    sample, summary = _sample(record), _summary(record)
    if record.saturated_because is not None:
        return Judgement(
            record=record,
            verdict=Verdict.SATURATED,
            reason=_saturated_text(record, record.saturated_because, summary),
            summary=summary,
            budget=budget,
        )
    case = _Case(record=record, sample=sample, summary=summary, policy=policy)
    findings = _findings(case, baseline, other_machines, budget)
    return Judgement(
        record=record,
        verdict=findings[0].verdict,
        reason=_joined(findings, _quality_lines(record)),
        summary=summary,
        budget=budget,
        comparison=next((finding.comparison for finding in findings if finding.comparison), None),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """Rounds that are wanted before the verdict.

    Attributes:
        count: How many.
        is_confirming: A second batch, to confirm a regression; else to tell more.
    """

    count: int
    is_confirming: bool


def more_rounds(record: Record, *, baseline: "Baseline | None", policy: Policy, cap: int) -> More | None:
    """The rounds that *record* should have before it is judged, or `None`.

    What looks like a regression is to be confirmed by a second batch as large as the first. What can't be
    told gets rounds up to *cap* at once if they could tell, were they like those before: looking after each
    round would be peeking.

    Args:
        record: The rounds so far.
        baseline: As for `judge`.
        policy: As for `judge`.
        cap: Rounds after which no more are taken to tell more.
    """
    is_judged = record.provenance is not Provenance.ESTIMATED or policy.gates_estimates
    is_judged = is_judged and record.saturated_because is None
    if baseline is None or not is_judged or _why_void(record) is not None or not record.is_measured:
        return None
    try:
        sessions = _sessions(record, baseline, policy)
        samples = [sample for _, sample in sessions]
        fresh = policy.basis.sample(record)
        bounds = _bounds(fresh, samples, policy)
    except (NotComparable, NotMeasurable):
        return None
    count = len(fresh.energies_j)
    verdict = verdict_of(bounds, policy.tolerance)
    if verdict is Verdict.REGRESSION and not record.confirming_count:
        return More(count=count, is_confirming=True)
    if verdict is Verdict.INCONCLUSIVE and count < cap:
        told = verdict_of(_bounds(fresh, samples, policy, round_count=cap), policy.tolerance)
        if told is not Verdict.INCONCLUSIVE:
            return More(count=cap - count, is_confirming=False)
    return None


def is_failing(judgement: Judgement, *, strict: bool) -> bool:
    """Whether the test must fail: always past a limit, under *strict* for any doubt."""
    return judgement.verdict in FAILING or (strict and judgement.verdict in UNDECIDED)


def _findings(
    case: _Case, baseline: "Baseline | None", other_machines: Sequence[str], budget: Budget
) -> list[_Finding]:
    """All that is to be said, the worst first."""
    against_baseline = _against_baseline(case, baseline, other_machines)
    if budget and against_baseline.verdict is Verdict.NO_BASELINE:
        return [*_ordered(_against_budgets(case, budget)), against_baseline]  # a budget is a gate by itself
    return _ordered((*_against_budgets(case, budget), against_baseline))


def _ordered(findings: Sequence[_Finding]) -> list[_Finding]:
    return sorted(findings, key=lambda finding: PRECEDENCE.index(finding.verdict), reverse=True)


# ---- joules that can't be used ----


def _sample(record: Record) -> RoundEnergies:
    return RoundEnergies(
        energies_j=record.round_energies_j,
        uncertainties_j=tuple(reading.uncertainty_j for reading in record.usable_rounds),
    )


def _summary(record: Record) -> Summary:
    sample = _sample(record)
    return summarise(sample.energies_j, sample.uncertainties_j)


def _why_void(record: Record) -> str | None:
    """Why the joules of *record* must not be used, or `None`."""
    if record.void_because is not None:
        return record.void_because
    if record.unmeasured_because is not None:
        return None
    usable = record.usable_rounds
    if not usable:
        return next(reading.void_because for reading in record.rounds if reading.void_because is not None)
    try:
        _sample(record)
    except NotMeasurable as error:
        return str(error)
    if not all(reading.duration_s > 0 for reading in usable):
        return "a round took 0 s: the clock stood still"
    return None


def _void_text(record: Record, because: str) -> str:
    return _lines(
        f"no usable joules: {because}",
        f"{count_text(len(record.rounds), 'round')} taken, compared with nothing",
        f"what to do: remove the cause and run it again: {_command(record)}",
    )


def _unmeasured_text(record: Record, because: str) -> str:
    if record.provenance is Provenance.REPLAYED:
        advice = "what to do: add this test and its rounds to the replay file, or run without a replay"
    else:
        advice = (
            "what to do: `pytest-energy doctor` says what this machine can measure, and how to mend the rest"
        )
    return _lines(
        f"nothing was measured: {because}",
        *(line for line in _absent_sensor_lines(record) if line not in because),
        advice,
    )


def _estimate_text(record: Record, summary: Summary | None, void_because: str | None) -> str:
    command = _command(record)
    headline = "nothing measures here, and an estimate neither passes nor fails a test"
    if summary is None:
        headline = f"no joules, not even estimated: {void_because}"
    return _lines(
        headline,
        *(() if summary is None else (_energy_text(record, summary),)),
        *_absent_sensor_lines(record),
        f"what to do: mend a sensor (`pytest-energy doctor` says how), or let estimates count: {command}",
    )


def _saturated_text(record: Record, because: str, summary: Summary) -> str:
    return _lines(
        f"saturated, so its joules are held against nothing: {because}",
        _energy_text(record, summary),
        *_quality_lines(record),
        "what to do: ask for a lower rate; if it kept up before, the server has become slower",
    )


def _absent_sensor_lines(record: Record) -> tuple[str, ...]:
    return tuple(
        f"{sensor.name}: {_one_line(sensor.absent_because)}"
        for sensor in record.sensors
        if sensor.absent_because
    )


# ---- budgets ----


def _against_budgets(case: _Case, budget: Budget) -> tuple[_Finding, ...]:
    findings = []
    if budget.budget_j is not None:
        findings.append(_against_budget(case, budget.budget_j))
    if budget.budget_per_sample_j is not None:
        if case.record.samples is None:
            raise SettingsError(
                f"{case.record.test_id}: budget_per_sample_j is {budget.budget_per_sample_j:g} J, but how "
                "many samples a round has is not known; pass samples= to the marker or to energy.measure"
            )
        findings.append(_against_budget(case, budget.budget_per_sample_j, case.record.samples, "sample"))
    if budget.budget_per_token_j is not None:
        if not case.record.output_tokens:
            raise SettingsError(
                f"{case.record.test_id}: budget_per_token_j is {budget.budget_per_token_j:g} J, but no "
                "tokens were counted; measure the load with energy.requests"
            )
        tokens = case.record.output_tokens
        findings.append(_against_budget(case, budget.budget_per_token_j, tokens, "output token"))
    return tuple(findings)


def _against_budget(case: _Case, limit_j: float, share: int = 1, unit: str = "round") -> _Finding:
    """What the budget *limit_j* says, of one of *share* units of the work."""
    lower_j, upper_j = (bound_j / share for bound_j in budget_bounds(case.sample, case.policy.alpha))
    if lower_j > limit_j:
        verdict, said = Verdict.OVER_BUDGET, "over"
    elif upper_j <= limit_j:
        verdict, said = Verdict.PASS, "within"
    else:
        verdict, said = Verdict.INCONCLUSIVE, "can't tell whether within"
    mean_j, energy = case.summary.energy_j / share, _energy_text(case.record, case.summary)
    if unit != "round":
        energy = f"{_joules_beside(mean_j, limit_j)} {_a(unit)}, {energy}"
    change = f" ({change_text(mean_j / limit_j)})" if limit_j > 0 else ""
    lower, upper = _joules_beside(lower_j, limit_j), _joules_beside(upper_j, limit_j)
    budget = f"{to_text(limit_j, 'J', digits=12)} {_a(unit)}"
    return _Finding(
        verdict=verdict,
        headline=f"{energy}, {said} the budget of {budget}{change}",
        details=(
            f"bounds of the mean: {lower} to {upper}, each at {_confidence_text(case.policy)}",
            *_spread_lines(case.sample),
        ),
        advice=_budget_advice(case.record, verdict),
    )


def _a(unit: str) -> str:
    return f"an {unit}" if unit[0] in "aeiou" else f"a {unit}"


def _budget_advice(record: Record, verdict: Verdict) -> tuple[str, ...]:
    match verdict:
        case Verdict.OVER_BUDGET:
            return ("what to do: use less energy, or raise the budget in the test's energy marker",)
        case Verdict.INCONCLUSIVE:
            return (f"what to do: take more rounds: {_more_rounds(record)}",)
        case _:
            return ()


def _spread_lines(sample: RoundEnergies) -> tuple[str, ...]:
    count = len(sample.energies_j)
    if count == 1:
        return (f"one round has no spread of its own: {assumed_spread_text()}",)
    return tuple(filter(None, (trimming_text(count),)))


# ---- the baseline ----


def _against_baseline(case: _Case, baseline: "Baseline | None", other_machines: Sequence[str]) -> _Finding:
    if baseline is None:
        return _without_baseline(case, "no baseline", other_machines)
    try:
        fresh = case.policy.basis.sample(case.record)
        sessions = _sessions(case.record, baseline, case.policy)
    except NotComparable as error:
        return _not_comparable(case, error.differences, other_machines)
    except NotMeasurable as error:
        return _without_basis(case, str(error))
    if not sessions:
        return _without_baseline(case, "no session with usable joules in the baseline", other_machines)
    return _compared(case, fresh, sessions, unused_count=len(baseline.sessions) - len(sessions))


def _sessions(record: Record, baseline: "Baseline", policy: Policy) -> list[tuple[Record, RoundEnergies]]:
    """The sessions of *baseline* with usable joules, and those joules.

    Raises:
        NotComparable: One of them can't be compared with *record*.
    """
    found = []
    usable = [session for session in baseline.sessions if _has_joules(session)]
    for session in usable[:1]:  # all sessions of a baseline can be compared with one another
        check_comparable(session, record, besides=policy.basis.free_facts)
    for session in usable:
        try:
            found.append((session, policy.basis.sample(session)))
        except NotMeasurable:
            continue  # it is said how many were left out
    return found


def _without_basis(case: _Case, because: str) -> _Finding:
    return _Finding(
        verdict=Verdict.NOT_COMPARABLE,
        headline=f"{case.policy.basis.text or 'joules'} can't be compared: {because}",
        details=(_energy_text(case.record, case.summary),),
        advice=("what to do: compare other joules (basis= and per= of the test's energy marker)",),
    )


def _has_joules(session: Record) -> bool:
    return _why_void(session) is None and session.unmeasured_because is None


def _without_baseline(case: _Case, missing: str, other_machines: Sequence[str]) -> _Finding:
    energy, command = _energy_text(case.record, case.summary), _command(case.record, "--energy-baseline=add")
    return _Finding(
        verdict=Verdict.NO_BASELINE,
        headline=f"{missing} on {case.record.machine.key} to compare with",
        details=(energy, _other_machines_line(other_machines)),
        advice=(f"what to do: make one here, from a run you trust: {command}",),
    )


def _not_comparable(
    case: _Case, differences: Mapping[str, tuple[str, str]], other_machines: Sequence[str]
) -> _Finding:
    names, differ = ", ".join(differences), "differs" if len(differences) == 1 else "differ"
    energy = _energy_text(case.record, case.summary)
    command = _command(case.record, "--energy-baseline=replace")
    return _Finding(
        verdict=Verdict.NOT_COMPARABLE,
        headline=f"{names} {differ} from the baseline's, so {energy} can't be compared with it",
        details=(
            *(f"{name}: {old} in the baseline, {new} now" for name, (old, new) in differences.items()),
            _other_machines_line(other_machines),
        ),
        advice=(f"what to do: measure as the baseline was, or start a new one: {command}",),
    )


def _other_machines_line(other_machines: Sequence[str]) -> str:
    if not other_machines:
        return "no other machine has a baseline for this test"
    return f"other machines that have a baseline for this test: {', '.join(other_machines)}"


def _compared(
    case: _Case, fresh: RoundEnergies, found: Sequence[tuple[Record, RoundEnergies]], *, unused_count: int
) -> _Finding:
    policy = case.policy
    sessions, samples = [session for session, _ in found], [sample for _, sample in found]
    bounds = _bounds(fresh, samples, policy)
    verdict, notes = verdict_of(bounds, policy.tolerance), [bounds.note]
    if unused_count:
        notes.append(
            f"{count_text(unused_count, 'session')} of the baseline left out for want of usable joules"
        )
    if verdict is Verdict.REGRESSION:
        doubt = _doubt(case, fresh, samples)
        verdict = verdict if doubt is None else Verdict.INCONCLUSIVE
        notes.append(doubt or _confirmed_text(case.record))
    bounds = replace(bounds, note="; ".join(filter(None, notes)))
    comparison = replace(
        _comparison(case.record, sessions, bounds, policy),
        session_energies_j=tuple(map(baseline_centre_j, samples)),
        creep=_creep_text([*sessions, case.record], [*samples, fresh]),
    )
    return _Finding(
        verdict=verdict,
        headline=_comparison_headline(case, comparison, verdict),
        details=_comparison_details(case, sessions, comparison),
        advice=_comparison_advice(case.record, comparison, verdict),
        comparison=comparison,
    )


def _bounds(
    fresh: RoundEnergies, samples: Sequence[RoundEnergies], policy: Policy, *, round_count: int | None = None
) -> Bounds:
    return compare(fresh, samples, tolerance=policy.tolerance, alpha=policy.alpha, round_count=round_count)


def _doubt(case: _Case, fresh: RoundEnergies, samples: Sequence[RoundEnergies]) -> str | None:
    """Why what looks like a regression isn't sure enough (rule 5), or `None`."""
    policy, count = case.policy, case.record.confirming_count
    if count:
        for name, part in (("first", slice(None, -count)), ("confirming", slice(-count, None))):
            batch = replace(
                fresh, energies_j=fresh.energies_j[part], uncertainties_j=fresh.uncertainties_j[part]
            )
            if _bounds(batch, samples, policy).lower <= 1 + policy.tolerance:
                return f"not confirmed: the {name} batch of {len(batch.energies_j)} rounds alone can't tell"
    if policy.test_count > 1:
        strict = replace(policy, alpha=policy.alpha / policy.test_count)
        if _bounds(fresh, samples, strict).lower <= 1:
            return (
                f"among {policy.test_count} tests one such rise is no surprise: "
                f"no change at all isn't excluded at {_confidence_text(strict)}"
            )
    return None


def _creep_text(records: Sequence[Record], samples: Sequence[RoundEnergies]) -> str:
    """That the newest of *records*, which hold *samples*, have crept up from the first, or empty."""
    if len(records) <= PINNED_COUNT:
        return ""
    levels_j = [baseline_centre_j(sample) for sample in samples]
    found = creep(levels_j, pinned_count=PINNED_COUNT)
    if found is None:
        return ""
    since = records[PINNED_COUNT + found.began]
    commit = since.machine.shown.get("git_commit", "")[:_COMMIT_LENGTH]
    return (
        f"creep: now {change_text(found.ratio)} against the first {PINNED_COUNT} sessions, higher since "
        f"about {since.created[:_DAY_LENGTH]}{f' (commit {commit})' if commit else ''}"
    )


def _confirmed_text(record: Record) -> str:
    count = record.confirming_count
    return f"confirmed by a second batch of {count_text(count, 'round')}" if count else ""


def verdict_of(bounds: Bounds, tolerance: float) -> Verdict:
    """What *bounds* of a ratio say, held against *tolerance*."""
    if bounds.lower > 1 + tolerance:
        return Verdict.REGRESSION
    if bounds.upper < 1 - tolerance:
        return Verdict.IMPROVEMENT
    if bounds.upper < 1 + tolerance:
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def _comparison(record: Record, sessions: Sequence[Record], bounds: Bounds, policy: Policy) -> Comparison:
    duration_ratio = centre_ratio(_durations_s(record), [_durations_s(old) for old in sessions])
    return Comparison(
        session_count=len(sessions),
        energy_j=bounds.baseline_j,
        ratio=bounds.ratio,
        ratio_ci=(bounds.lower, bounds.upper),
        detectable_ratio=bounds.detectable_ratio,
        duration_ratio=duration_ratio,
        power_ratio=bounds.ratio / duration_ratio,
        latency_ratio=_latency_ratio(record, sessions),
        differences=shown_differences(sessions[-1], record),
        tolerance=policy.tolerance,
        basis=policy.basis.text,
        note=bounds.note,
    )


def _latency_ratio(record: Record, sessions: Sequence[Record]) -> float | None:
    now_s, *then_s = (one.metrics.get(LATENCY) for one in (record, *sessions))
    known_s = [latency_s for latency_s in then_s if latency_s]
    return centre_ratio([now_s], [[latency_s] for latency_s in known_s]) if now_s and known_s else None


def _durations_s(record: Record) -> tuple[float, ...]:
    return tuple(reading.duration_s for reading in record.usable_rounds)


def shown_differences(old: Record, new: Record) -> dict[str, tuple[str, str]]:
    """Shown facts, of the machine and of how the work is done, that are not the same: (then, now)."""
    then, now = {**old.machine.shown, **old.tuning}, {**new.machine.shown, **new.tuning}
    pairs = {
        name: (then.get(name, NOT_RECORDED), now.get(name, NOT_RECORDED)) for name in sorted({*then, *now})
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _comparison_headline(case: _Case, comparison: Comparison, verdict: Verdict) -> str:
    tolerance = case.policy.tolerance
    percent = f"{tolerance * 100:g} %"
    said = {
        Verdict.REGRESSION: f"more than the {percent} allowed",
        Verdict.IMPROVEMENT: f"a saving of more than {percent}",
        Verdict.PASS: f"within the {percent} allowed",
        Verdict.INCONCLUSIVE: f"can't tell whether within the {percent} allowed",
    }[verdict]
    change = change_text(comparison.ratio, tolerance)
    lower, upper = (change_text(ratio, tolerance) for ratio in comparison.ratio_ci)
    return (
        f"{comparison.basis or 'energy'} {change} against the baseline, {said} (bounds {lower} to {upper}): "
        f"{_energy_text(case.record, case.summary)}, baseline {to_text(comparison.energy_j, 'J')}"
        f"{f' ({comparison.basis})' if comparison.basis else ''}"
        f"{f'; {_latency_text(comparison)}' if _is_bought_with_time(comparison, verdict) else ''}"
    )


def _is_bought_with_time(comparison: Comparison, verdict: Verdict) -> bool:
    """Whether joules were saved by slower answers: at a fixed rate more of them then share a step."""
    limit = 1 + (comparison.tolerance or 0.0)
    return verdict is Verdict.IMPROVEMENT and (comparison.latency_ratio or 0.0) > limit


def _latency_text(comparison: Comparison) -> str:
    return f"answers take {comparison.latency_ratio:.3g} times as long"


def _comparison_details(case: _Case, sessions: Sequence[Record], comparison: Comparison) -> tuple[str, ...]:
    record = case.record
    lines = [_why_line(comparison)]
    if comparison.latency_ratio is not None:
        now = to_text(record.metrics[LATENCY] or 0.0, "s")
        lines.append(f"{_latency_text(comparison)}: a median of {now} from request to last token")
    if len({name for reading in record.usable_rounds for name in reading.channels}) > 1:
        lines.append(_channel_line(record, sessions))
    if record.samples is not None and not comparison.basis:
        then_j = comparison.energy_j / record.samples
        then, now = to_text(then_j, "J"), to_text(comparison.ratio * then_j, "J")
        lines.append(f"a sample ({record.samples} a round): {then} -> {now}")
    lines += [_differences_line(comparison), _power_line(case, comparison)]
    if comparison.creep:
        lines.append(comparison.creep)
    if comparison.note:
        lines.append(f"note: {comparison.note}")
    return tuple(lines)


def _why_line(comparison: Comparison) -> str:
    """The change as a sum: ln(E'/E) = ln(T'/T) + ln(P'/P)."""
    ratios = (comparison.ratio, comparison.duration_ratio, comparison.power_ratio)
    change, time, power = (_ln_text(ratio) for ratio in ratios)
    return (
        f"why: time {change_text(comparison.duration_ratio)}, power {change_text(comparison.power_ratio)} "
        f"(ln: {change} = {time} time {power} power)"
    )


def _channel_line(record: Record, sessions: Sequence[Record]) -> str:
    then, now = _channel_means_j(sessions), _channel_means_j([record])
    texts = []
    for name in then.keys() & now.keys():
        change = f" ({change_text(now[name] / then[name])})" if then[name] > 0 else ""
        texts.append(f"{name} {to_text(then[name], 'J')} -> {to_text(now[name], 'J')}{change}")
    return f"by channel: {', '.join(sorted(texts))}"


def _channel_means_j(records: Sequence[Record]) -> dict[str, float]:
    """Mean joules of a round by channel, over all rounds of *records*."""
    rounds = [reading for record in records for reading in record.usable_rounds]
    values = {
        name: [reading.channels[name] for reading in rounds if name in reading.channels]
        for name in {name for reading in rounds for name in reading.channels}
    }
    return {name: math.fsum(energies_j) / len(energies_j) for name, energies_j in values.items()}


def _power_line(case: _Case, comparison: Comparison) -> str:
    """What this comparison could have told: the detectable change, always shown."""
    rounds = count_text(len(case.record.usable_rounds), "round")
    sessions = count_text(comparison.session_count, "session")
    return (
        f"a rise of {change_text(comparison.detectable_ratio)} would have been told with 80 % power: "
        f"{rounds} against {sessions}, bounds each at {_confidence_text(case.policy)}"
    )


def _differences_line(comparison: Comparison) -> str:
    if not comparison.differences:
        return "no recorded fact differs from the baseline's newest session"
    texts = (f"{name} {old} -> {new}" for name, (old, new) in comparison.differences.items())
    return f"differs from the baseline's newest session: {'; '.join(texts)}"


def _comparison_advice(record: Record, comparison: Comparison, verdict: Verdict) -> tuple[str, ...]:
    match verdict:
        case Verdict.REGRESSION:
            command = _command(record, "--energy-baseline=replace")
            return (f"what to do: find the cause above; if the rise is meant, accept it: {command}",)
        case Verdict.IMPROVEMENT:
            command = _command(record, "--energy-baseline=replace")
            if _is_bought_with_time(comparison, verdict):
                return (f"what to do: find what made answers slower; if they may be, keep this: {command}",)
            return (f"what to do: keep the saving, so that losing it fails: {command}",)
        case Verdict.INCONCLUSIVE:
            command = _command(record, "--energy-baseline=add")
            return (
                f"what to do: take more rounds: {_more_rounds(record)}",
                f"or, where the code is known to be unchanged, add this as a session: {command}",
            )
        case _:
            return ()


# ---- words ----


def _joined(findings: Sequence[_Finding], quality: Sequence[str]) -> str:
    """The worst finding's headline, then all the rest of what there is to say."""
    worst, others = findings[0], findings[1:]
    lines = list(worst.details)
    for other in others:
        lines += [f"also: {other.headline}", *(f"  {line}" for line in other.details)]
    advice = [line for finding in findings for line in finding.advice]
    return _lines(worst.headline, *lines, *quality, *advice)


def _quality_lines(record: Record) -> tuple[str, ...]:
    usable = record.usable_rounds
    sentences = dict.fromkeys(sentence for reading in usable for sentence in reading.quality)
    counts = {text: sum(text in reading.quality for reading in usable) for text in sentences}
    return tuple(
        f"seen in {count} of {count_text(len(usable), 'round')}: {_one_line(text)}"
        for text, count in counts.items()
    )


def _lines(headline: str, *details: str) -> str:
    """*headline* and, indented below it, *details*: what others wrote into them starts no line of its own."""
    return "\n".join((_one_line(headline), *(f"  {' '.join(line.splitlines())}" for line in details)))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _energy_text(record: Record, summary: Summary) -> str:
    """Mean joules a round with their standard uncertainty; provenance too, where it is not `measured`."""
    is_dust = summary.uncertainty_j < _DUST * summary.energy_j
    energy = with_uncertainty_text(summary.energy_j, 0.0 if is_dust else summary.uncertainty_j, "J")
    mark = "" if record.provenance is Provenance.MEASURED else f"{record.provenance}, "
    return f"{energy} a round ({mark}{count_text(len(record.usable_rounds), 'round')})"


def change_text(ratio: float, tolerance: float | None = None) -> str:
    """Change from 1 in percent, on its own side of *tolerance*; a factor where percent reads badly."""
    if not 0.01 <= ratio < 10:
        return f"x {ratio:.3g}"
    text = percent_change_text(1.0 if abs(ratio - 1) < _DUST else ratio)
    if tolerance is None:
        return text
    for decimals in range(2, _EXACT_DIGITS):
        shown = 1 + float(text.removesuffix(" %")) / 100
        if all(_is_same_side(shown, ratio, limit) for limit in (1 + tolerance, 1 - tolerance)):
            break
        text = f"{(ratio - 1) * 100:+.{decimals}f} %"
    return text


def _ln_text(ratio: float) -> str:
    return "+0" if abs(ratio - 1) < _DUST else f"{math.log(ratio):+.3g}"


def _joules_beside(value_j: float, limit_j: float) -> str:
    """*value_j* with enough digits to be on its own side of *limit_j*."""
    for digits in range(4, _EXACT_DIGITS):
        if _is_same_side(float(f"{value_j:.{digits}g}"), value_j, limit_j):
            return to_text(value_j, "J", digits=digits)
    return to_text(value_j, "J", digits=_EXACT_DIGITS)


def _is_same_side(shown: float, value: float, limit: float) -> bool:
    return (shown > limit) == (value > limit) and (shown < limit) == (value < limit)


def _confidence_text(policy: Policy) -> str:
    return f"{(1 - policy.alpha) * 100:.6g} % confidence"


def count_text(count: int, noun: str) -> str:
    """*count* of what *noun* names, in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _more_rounds(record: Record) -> str:
    """How to have more rounds than there are."""
    count = len(record.usable_rounds)
    if count == 1:
        return "measure the work with energy.measure(...), which repeats it"
    return _command(record, f"--energy-rounds={2 * count}")


def _command(record: Record, *options: str) -> str:
    gate = () if record.provenance is not Provenance.ESTIMATED else (_GATE,)
    return " ".join(("pytest", shlex.quote(record.test_id), *options, *gate))
