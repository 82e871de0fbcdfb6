"""What is to be said of a record, in words. The only place with sentences about a verdict.

Rule 1: the first line of a reason stands by itself; tables show no more. The rest says why and what to do.
Rule 2: joules saved by slower answers are a saving, and said to be one of that kind.
"""

import shlex
from dataclasses import dataclass, replace
from functools import singledispatch

from pytest_energy.baselines.schema import PINNED_COUNT
from pytest_energy.model import Comparison, Provenance, Record, Summary, Verdict
from pytest_energy.stats.centre import Spread
from pytest_energy.stats.compare import PRIOR_ROUND_CV
from pytest_energy.units import to_text, with_uncertainty_text
from pytest_energy.verdict.figures import DUST, change_text, count_text, joules_beside, ln_text
from pytest_energy.verdict.findings import (
    AgainstBudget,
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
    Pairs,
    Saturated,
    Unmeasured,
    Void,
)
from pytest_energy.verdict.rules import LATENCY

_GATE = "--energy-estimates=gate"  # without it, no estimate is judged or kept
_COMMIT_LENGTH = 10  # as git shows a commit in short
_DAY_LENGTH = len("2026-11-20")
_LEAST_PAIRS_ADVISED = 10  # twice the least that are measured in any case


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What joules are held against, as sentences call it.

    Attributes:
        name: `against ...`
        level: `..., ... 100 J`
        facts: `differs from ...`
        then: `samples: 10 ...`
        now: `..., 20 ...`
    """

    name: str
    level: str
    facts: str
    then: str
    now: str


THE_BASELINE = Reference(
    name="the baseline",
    level="baseline",
    facts="the baseline's newest session",
    then="in the baseline",
    now="now",
)


def revision(before: str, after: str) -> Reference:
    """The side *before*, held against which the side *after* is judged."""
    return Reference(name=before, level="there", facts=before, then=f"on {before}", now=f"on {after}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paragraph:
    """One finding in words."""

    headline: str
    details: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    @property
    def advice_lines(self) -> tuple[str, ...]:
        return tuple(f"what to do: {line}" for line in self.advice[:1]) + self.advice[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """What the sentences are about: a record, its joules in words (empty without), and a reference."""

    record: Record
    energy: str
    reference: Reference


def reason(decision: Decision, reference: Reference = THE_BASELINE) -> str:
    """The worst finding's headline, then all the rest of what there is to say."""
    record, summary = decision.record, decision.summary
    energy = "" if summary is None else _energy_text(record, summary)
    subject = _Subject(record=record, energy=energy, reference=reference)
    worst, *others = (_paragraph(finding, subject) for finding in decision.findings)
    lines = list(worst.details)
    for other in others:
        lines += [f"also: {other.headline}", *(f"  {line}" for line in other.details)]
    readings = count_text(decision.reading_count, "round")
    quality = (
        f"seen in {count} of {readings}: {_one_line(text)}" for text, count in decision.quality.items()
    )
    advice = (line for part in (worst, *others) for line in part.advice_lines)
    return _lines(worst.headline, *lines, *quality, *advice)


@singledispatch
def _paragraph(finding: Finding, subject: _Subject) -> _Paragraph:
    raise NotImplementedError(f"{type(finding).__name__} has no words")


# ---- joules that can't be used ----


@_paragraph.register
def _void(finding: Void, subject: _Subject) -> _Paragraph:
    if finding.pair_count is None:
        measured = f"{count_text(len(subject.record.rounds), 'round')} taken"
        advice = f"remove the cause and run it again: {_command(subject.record)}"
    else:
        measured = f"{count_text(finding.pair_count, 'pair')} of rounds taken before that"
        advice = "remove the cause and run it again"
    return _Paragraph(
        headline=f"no usable joules: {finding.because}",
        details=(f"{measured}, compared with nothing",),
        advice=(advice,),
    )


@_paragraph.register
def _unmeasured(finding: Unmeasured, subject: _Subject) -> _Paragraph:
    record = subject.record
    if record.provenance is Provenance.REPLAYED:
        advice = "add this test and its rounds to the replay file, or run without a replay"
    else:
        advice = "`pytest-energy doctor` says what this machine can measure, and how to mend the rest"
    return _Paragraph(
        headline=f"nothing was measured: {finding.because}",
        details=tuple(line for line in _absent_sensor_lines(record) if line not in finding.because),
        advice=(advice,),
    )


@_paragraph.register
def _only_estimated(finding: OnlyEstimated, subject: _Subject) -> _Paragraph:
    headline = "nothing measures here, and an estimate neither passes nor fails a test"
    if finding.void_because is not None:
        headline = f"no joules, not even estimated: {finding.void_because}"
    command = _command(subject.record)
    return _Paragraph(
        headline=headline,
        details=(*filter(None, (subject.energy,)), *_absent_sensor_lines(subject.record)),
        advice=(f"mend a sensor (`pytest-energy doctor` says how), or let estimates count: {command}",),
    )


@_paragraph.register
def _saturated(finding: Saturated, subject: _Subject) -> _Paragraph:
    return _Paragraph(
        headline=f"saturated, so its joules are held against nothing: {finding.because}",
        details=(subject.energy,),
        advice=("ask for a lower rate; if it kept up before, the server has become slower",),
    )


def _absent_sensor_lines(record: Record) -> tuple[str, ...]:
    return tuple(
        f"{sensor.name}: {_one_line(sensor.absent_because)}"
        for sensor in record.sensors
        if sensor.absent_because
    )


# ---- budgets ----


@_paragraph.register
def _against_budget(finding: AgainstBudget, subject: _Subject) -> _Paragraph:
    limit_j = finding.limit_j
    relation = {
        Verdict.OVER_BUDGET: "over",
        Verdict.PASS: "within",
        Verdict.INCONCLUSIVE: "can't tell whether within",
    }[finding.verdict]
    unit = {"round": "a round", "sample": "a sample", "token": "an output token"}[finding.unit]
    energy = subject.energy
    if finding.unit != "round":
        energy = f"{joules_beside(finding.mean_j, limit_j)} {unit}, {energy}"
    change = f" ({change_text(finding.mean_j / limit_j)})" if limit_j > 0 else ""
    lower, upper = (joules_beside(bound_j, limit_j) for bound_j in finding.bounds_j)
    budget = f"{to_text(limit_j, 'J', digits=12)} {unit}"
    return _Paragraph(
        headline=f"{energy}, {relation} the budget of {budget}{change}",
        details=(
            f"bounds of the mean: {lower} to {upper}, each at {_confidence_text(finding.alpha)}",
            *_spread_notes(finding.spread, "one round has no spread of its own", "rounds"),
        ),
        advice=_budget_advice(finding, subject.record),
    )


def _budget_advice(finding: AgainstBudget, record: Record) -> tuple[str, ...]:
    match finding.verdict:
        case Verdict.OVER_BUDGET:
            return ("use less energy, or raise the budget in the test's energy marker",)
        case Verdict.INCONCLUSIVE:
            return (f"take more rounds: {_more_rounds(record)}",)
        case _:
            return ()


# ---- nothing to compare with ----


@_paragraph.register
def _no_baseline(finding: NoBaseline, subject: _Subject) -> _Paragraph:
    missing = "no session with usable joules in the baseline" if finding.is_unusable else "no baseline"
    command = _command(subject.record, "--energy-baseline=add")
    return _Paragraph(
        headline=f"{missing} on {subject.record.machine.key} to compare with",
        details=(subject.energy, _other_machines_line(finding.other_machines)),
        advice=(f"make one here, from a run you trust: {command}",),
    )


@_paragraph.register
def _facts_differ(finding: FactsDiffer, subject: _Subject) -> _Paragraph:
    names = ", ".join(finding.differences)
    differ = "differs" if len(finding.differences) == 1 else "differ"
    reference, machines = subject.reference, finding.other_machines
    command = _command(subject.record, "--energy-baseline=replace")
    return _Paragraph(
        headline=f"{names} {differ} from {reference.name}'s, so {subject.energy} can't be compared with it",
        details=(
            *(
                f"{name}: {old} {reference.then}, {new} {reference.now}"
                for name, (old, new) in finding.differences.items()
            ),
            *(() if machines is None else (_other_machines_line(machines),)),
        ),
        advice=("have both sides do the same work, measured alike",)
        if machines is None
        else (f"measure as the baseline was, or start a new one: {command}",),
    )


@_paragraph.register
def _no_such_joules(finding: NoSuchJoules, subject: _Subject) -> _Paragraph:
    return _Paragraph(
        headline=f"{finding.basis or 'joules'} can't be compared: {finding.because}",
        details=(subject.energy,),
        advice=("compare other joules (basis= and per= of the test's energy marker)",),
    )


def _other_machines_line(other_machines: tuple[str, ...]) -> str:
    if not other_machines:
        return "no other machine has a baseline for this test"
    return f"other machines that have a baseline for this test: {', '.join(other_machines)}"


# ---- a comparison ----


@_paragraph.register
def _compared(finding: Compared, subject: _Subject) -> _Paragraph:
    return _Paragraph(
        headline=_comparison_headline(finding, subject),
        details=tuple(filter(None, _comparison_details(finding, subject))),
        advice=_baseline_advice(finding, subject.record)
        if finding.pairs is None
        else _revision_advice(finding, finding.pairs, subject.reference),
    )


def _comparison_headline(finding: Compared, subject: _Subject) -> str:
    comparison, reference = finding.comparison, subject.reference
    tolerance = comparison.tolerance or 0.0
    percent = f"{tolerance * 100:g} %"
    meaning = {
        Verdict.REGRESSION: f"more than the {percent} allowed",
        Verdict.IMPROVEMENT: f"a saving of more than {percent}",
        Verdict.PASS: f"within the {percent} allowed",
        Verdict.INCONCLUSIVE: f"can't tell whether within the {percent} allowed",
    }[finding.verdict]
    change = change_text(comparison.ratio, tolerance)
    lower, upper = (change_text(ratio, tolerance) for ratio in comparison.ratio_ci)
    return (
        f"{comparison.basis or 'energy'} {change} against {reference.name}, {meaning} "
        f"(bounds {lower} to {upper}): {subject.energy}, "
        f"{reference.level} {to_text(comparison.energy_j, 'J')}"
        f"{f' ({comparison.basis})' if comparison.basis else ''}"
        f"{f'; {_latency_text(comparison)}' if _is_bought_with_time(finding) else ''}"
    )


def _is_bought_with_time(finding: Compared) -> bool:
    """Whether joules were saved by slower answers: at a fixed rate more of them then share a step."""
    comparison = finding.comparison
    limit = 1 + (comparison.tolerance or 0.0)
    return finding.verdict is Verdict.IMPROVEMENT and (comparison.latency_ratio or 0.0) > limit


def _latency_text(comparison: Comparison) -> str:
    return f"answers take {comparison.latency_ratio:.3g} times as long"


def _comparison_details(finding: Compared, subject: _Subject) -> tuple[str, ...]:
    """The lines below the headline; an empty one is not to be shown."""
    comparison, note = finding.comparison, "; ".join(_notes(finding, subject.record))
    return (
        _why_line(comparison),
        _latency_line(comparison, subject.record),
        _channel_line(finding),
        _sample_line(comparison, subject.record),
        _differences_line(comparison, subject.reference),
        _evidence(finding, subject.record),
        _creep_text(finding.creep),
        note and f"note: {note}",
    )


def _why_line(comparison: Comparison) -> str:
    """The change as a sum: ln(E'/E) = ln(T'/T) + ln(P'/P)."""
    ratios = (comparison.ratio, comparison.duration_ratio, comparison.power_ratio)
    change, time, power = (ln_text(ratio) for ratio in ratios)
    return (
        f"why: time {change_text(comparison.duration_ratio)}, power {change_text(comparison.power_ratio)} "
        f"(ln: {change} = {time} time {power} power)"
    )


def _latency_line(comparison: Comparison, record: Record) -> str:
    if comparison.latency_ratio is None:
        return ""
    now = to_text(record.metrics[LATENCY] or 0.0, "s")
    return f"{_latency_text(comparison)}: a median of {now} from request to last token"


def _channel_line(finding: Compared) -> str:
    texts = []
    for name, (then_j, now_j) in finding.channels.items():
        change = f" ({change_text(now_j / then_j)})" if then_j > 0 else ""
        texts.append(f"{name} {to_text(then_j, 'J')} -> {to_text(now_j, 'J')}{change}")
    return f"by channel: {', '.join(sorted(texts))}" if texts else ""


def _sample_line(comparison: Comparison, record: Record) -> str:
    if record.samples is None or comparison.basis:
        return ""
    then_j = comparison.energy_j / record.samples
    then, now = to_text(then_j, "J"), to_text(comparison.ratio * then_j, "J")
    return f"a sample ({record.samples} a round): {then} -> {now}"


def _differences_line(comparison: Comparison, reference: Reference) -> str:
    if not comparison.differences:
        return f"no recorded fact differs from {reference.facts}"
    texts = (f"{name} {old} -> {new}" for name, (old, new) in comparison.differences.items())
    return f"differs from {reference.facts}: {'; '.join(texts)}"


def _evidence(finding: Compared, record: Record) -> str:
    """What this comparison could have told: the detectable change, unless it proves nothing."""
    bounds, pairs = f"bounds each at {_confidence_text(finding.alpha)}", finding.pairs
    if pairs is not None and not pairs.is_interleaved:
        return (
            f"{_pairs_text(finding, pairs)}, so that what drifts between the sides counts as theirs, and one "
            f"pair of means proves nothing ({bounds})"
        )
    if pairs is not None and finding.spread.count == 1:
        return f"one pair of rounds proves nothing ({bounds})"
    if pairs is not None:
        counts = _pairs_text(finding, pairs)
    else:
        rounds = count_text(len(record.usable_rounds), "round")
        counts = f"{rounds} against {count_text(finding.comparison.session_count, 'session')}"
    change = change_text(finding.comparison.detectable_ratio)
    return f"a rise of {change} would have been told with 80 % power: {counts}, {bounds}"


def _pairs_text(finding: Compared, pairs: Pairs) -> str:
    if pairs.is_interleaved:
        return f"{count_text(finding.spread.count, 'pair')} of rounds, taken in turns"
    return "the rounds could not be taken in turns"


def _baseline_advice(finding: Compared, record: Record) -> tuple[str, ...]:
    replace_command = _command(record, "--energy-baseline=replace")
    match finding.verdict:
        case Verdict.REGRESSION:
            return (f"find the cause above; if the rise is meant, accept it: {replace_command}",)
        case Verdict.IMPROVEMENT if _is_bought_with_time(finding):
            return (f"find what made answers slower; if they may be, keep this: {replace_command}",)
        case Verdict.IMPROVEMENT:
            return (f"keep the saving, so that losing it fails: {replace_command}",)
        case Verdict.INCONCLUSIVE:
            add_command = _command(record, "--energy-baseline=add")
            return (
                f"take more rounds: {_more_rounds(record)}",
                f"or, where the code is known to be unchanged, add this as a session: {add_command}",
            )
        case _:
            return ()


def _revision_advice(finding: Compared, pairs: Pairs, reference: Reference) -> tuple[str, ...]:
    match finding.verdict:
        case Verdict.REGRESSION:
            return (f"find the cause in what has changed since {reference.name}",)
        case Verdict.INCONCLUSIVE if not pairs.is_interleaved:
            return ("measure the work with energy.measure(...), which can take turns",)
        case Verdict.INCONCLUSIVE:
            count = max(_LEAST_PAIRS_ADVISED, 2 * finding.spread.count)
            return (f"take more pairs: --pairs={count}, with --max-time if that ends it",)
        case _:
            return ()


# ---- what a comparison carries along ----


def comparison(decision: Decision, reference: Reference = THE_BASELINE) -> Comparison | None:
    """The figures of the comparison with their note and creep in words, or `None`."""
    finding = decision.compared
    if finding is None:
        return None
    notes = _notes(finding, decision.record)
    if finding.pairs is not None:
        notes = (f"against {reference.name}: {_pairs_text(finding, finding.pairs)}", *notes)
    return replace(finding.comparison, note="; ".join(notes), creep=_creep_text(finding.creep))


def _notes(finding: Compared, record: Record) -> tuple[str, ...]:
    """What a reader should know of the bounds and of the verdict on them."""
    if finding.pairs is not None:
        return _spread_notes(finding.spread, "one pair has no spread of its own", "differences")
    notes = list(_spread_notes(finding.spread, "no record has two rounds to take a spread from", "rounds"))
    if finding.unused_count:
        sessions = count_text(finding.unused_count, "session")
        notes.append(f"{sessions} of the baseline left out for want of usable joules")
    if finding.doubt is not None:
        notes.append(_doubt_text(finding.doubt))
    elif finding.verdict is Verdict.REGRESSION and record.confirming_count:
        notes.append(f"confirmed by a second batch of {count_text(record.confirming_count, 'round')}")
    return tuple(notes)


def _doubt_text(doubt: NotConfirmed | ByChance) -> str:
    if isinstance(doubt, NotConfirmed):
        return f"not confirmed: the {doubt.batch} batch of {doubt.round_count} rounds alone can't tell"
    return (
        f"among {doubt.test_count} tests one such rise is no surprise: "
        f"no change at all isn't excluded at {_confidence_text(doubt.alpha)}"
    )


def _spread_notes(spread: Spread, without: str, noun: str) -> tuple[str, ...]:
    """What bounds rest on, where that isn't the spread of all values themselves.

    Args:
        spread: What they rest on.
        without: That there is no spread to be had.
        noun: What the values are.
    """
    notes = []
    if spread.source == "assumed":
        notes.append(f"{without}: a CV of {PRIOR_ROUND_CV * 100:g} % a round is assumed")
    elif spread.source == "baseline":
        notes.append("one round has no spread of its own: the baseline's is used")
    if spread.trimmed_count:
        notes.append(
            f"20 % trimmed mean: {spread.trimmed_count} of {spread.count} {noun} at each end kept out of the "
            "mean, none deleted"
        )
    return tuple(notes)


def _creep_text(creep: CreepSince | None) -> str:
    if creep is None:
        return ""
    commit = f" (commit {creep.commit[:_COMMIT_LENGTH]})" if creep.commit else ""
    return (
        f"creep: now {change_text(creep.ratio)} against the first {PINNED_COUNT} sessions, higher since "
        f"about {creep.created[:_DAY_LENGTH]}{commit}"
    )


# ---- words ----


def _energy_text(record: Record, summary: Summary) -> str:
    """Mean joules a round with their standard uncertainty; provenance too, where it is not `measured`."""
    is_dust = summary.uncertainty_j < DUST * summary.energy_j
    energy = with_uncertainty_text(summary.energy_j, 0.0 if is_dust else summary.uncertainty_j, "J")
    mark = "" if record.provenance is Provenance.MEASURED else f"{record.provenance}, "
    return f"{energy} a round ({mark}{count_text(len(record.usable_rounds), 'round')})"


def _confidence_text(alpha: float) -> str:
    return f"{(1 - alpha) * 100:.6g} % confidence"


def _more_rounds(record: Record) -> str:
    """How to have more rounds than there are."""
    count = len(record.usable_rounds)
    if count == 1:
        return "measure the work with energy.measure(...), which repeats it"
    return _command(record, f"--energy-rounds={2 * count}")


def _command(record: Record, *options: str) -> str:
    gate = () if record.provenance is not Provenance.ESTIMATED else (_GATE,)
    return " ".join(("pytest", shlex.quote(record.test_id), *options, *gate))


def _lines(headline: str, *details: str) -> str:
    """*headline* and, indented below it, *details*: what others wrote into them starts no line of its own."""
    return "\n".join((_one_line(headline), *(f"  {' '.join(line.splitlines())}" for line in details)))


def _one_line(text: str) -> str:
    return " ".join(text.split())
