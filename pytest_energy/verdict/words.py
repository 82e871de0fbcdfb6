"""What is to be said of a record, in words; those of a comparison stand in `comparison_words`.

Rule 1: the first line of a reason stands by itself; tables show no more. The rest says why and what to do.
"""

import math
from collections.abc import Iterator
from functools import singledispatch
from typing import get_args

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.meter.scope import estimated_j
from pytest_energy.model import Provenance, Record
from pytest_energy.units import to_text
from pytest_energy.verdict.comparison_words import compared, full_comparison
from pytest_energy.verdict.count_paragraphs import beside, counted
from pytest_energy.verdict.figures import (
    change_text,
    confidence_text,
    count_text,
    energy_text,
    joules_beside,
    spread_notes,
)
from pytest_energy.verdict.findings import (
    AgainstBudget,
    Decision,
    FactsDiffer,
    Finding,
    NoBaseline,
    NoSuchJoules,
    OfCounts,
    OnlyEstimated,
    Saturated,
    Unmeasured,
    Void,
)
from pytest_energy.verdict.paragraph import THE_BASELINE, Paragraph, Reference, Subject


def in_words(decision: Decision, reference: Reference = THE_BASELINE) -> Judgement:
    """*decision* as it is shown and kept, held against what *reference* names."""
    return Judgement(
        record=decision.record,
        verdict=decision.verdict,
        reason=reason(decision, reference),
        summary=decision.summary,
        budget=decision.budget,
        comparison=full_comparison(decision, reference),
        terms=decision.terms,
        unchecked=decision.unchecked,
        counts_comparison=decision.counts_comparison,
    )


def reason(decision: Decision, reference: Reference = THE_BASELINE) -> str:
    """The worst finding's headline, then all the rest of what there is to say."""
    subject = _subject(decision, reference)
    worst, *others = (_paragraph(finding, subject) for finding in decision.findings)
    lines = [*beside(decision), *filter(None, worst.details)]
    for other in others:
        lines += [f"also: {other.headline}", *(f"  {line}" for line in filter(None, other.details))]
    lines += (f"note: {_one_line(note)}" for note in decision.notes)
    if decision.unchecked:
        limits = " and its ".join(decision.unchecked)
        lines.append(f"not checked against its {limits}; with --energy-strict that fails the test")
    for paragraph in (worst, *others):
        lines += (f"what to do: {line}" for line in paragraph.advice[:1])
        lines += paragraph.advice[1:]
    # What others wrote into a line starts no line of its own.
    return "\n".join((_one_line(worst.headline), *(f"  {' '.join(line.splitlines())}" for line in lines)))


def _subject(decision: Decision, reference: Reference) -> Subject:
    return Subject(
        record=decision.record,
        energy=_joules_text(decision),
        reference=reference,
        is_by_counts=any(isinstance(finding, OfCounts) for finding in decision.findings),
    )


def _joules_text(decision: Decision) -> str:
    """The joules a round; where none are judged, also why the rounds give none; else that is a finding."""
    if decision.summary is not None:
        return energy_text(decision.record, decision.summary)
    because = decision.record.void_because
    is_said = because is None or any(not isinstance(finding, OfCounts) for finding in decision.findings)
    return "" if is_said else f"no joules: {because}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


@singledispatch
def _paragraph(finding: Finding, subject: Subject) -> Paragraph:
    raise NotImplementedError(f"{type(finding).__name__} has no words")


_paragraph.register(compared)
for _of_counts in get_args(OfCounts):
    _paragraph.register(_of_counts, counted)


# ---- joules that can't be used ----


@_paragraph.register
def _void(finding: Void, subject: Subject) -> Paragraph:
    rounds = f"{count_text(len(subject.record.rounds), 'round')} taken"
    command = f": {subject.command()}"
    if finding.pair_count is not None:
        rounds, command = f"{count_text(finding.pair_count, 'pair')} of rounds taken before that", ""
    advice = f"remove the cause and run it again{command}"
    details = (f"{rounds}, compared with nothing",)
    return Paragraph(f"no usable joules: {finding.because}", details, (advice,))


@_paragraph.register
def _unmeasured(finding: Unmeasured, subject: Subject) -> Paragraph:
    advice = "`pytest-energy doctor` says what this machine can measure, and how to mend the rest"
    if subject.record.rounds:
        return _at_rest(finding, subject, advice)
    if subject.record.provenance is Provenance.REPLAYED:
        advice = "add this test and its rounds to the replay file, or run without a replay"
    details = (line for line in _absent_sensor_lines(subject.record) if line not in finding.because)
    return Paragraph(f"nothing was measured: {finding.because}", tuple(details), (advice,))


def _at_rest(finding: Unmeasured, subject: Subject, advice: str) -> Paragraph:
    """The devices that are measured did nothing: what they drew, and what is estimated of the rest."""
    record = subject.record
    beside_j = estimated_j(record)
    estimate = (
        "" if beside_j is None else f"estimate of the CPU: ~{to_text(beside_j, 'J')} a round, not judged"
    )
    judged = "pytest ... --energy-sensors=estimate --energy-estimates=gate judges the estimate"
    details = (*_rest_lines(record), estimate, *_absent_sensor_lines(record))
    return Paragraph(f"nothing was measured: {finding.because}", details, (advice, judged))


def _rest_lines(record: Record) -> Iterator[str]:
    rounds = [reading for reading in record.rounds if reading.resting_channels]
    duration_s = math.fsum(reading.duration_s for reading in rounds)
    for name in rounds[0].resting_channels if duration_s > 0 else ():
        power_w = math.fsum(reading.resting_channels[name] for reading in rounds) / duration_s
        quiet_w = rounds[0].quiet_power_w.get(name)
        before = "" if quiet_w is None else f", {to_text(quiet_w, 'W')} before the first"
        yield f"{name}: {to_text(power_w, 'W')} during the rounds{before}"


@_paragraph.register
def _only_estimated(finding: OnlyEstimated, subject: Subject) -> Paragraph:
    headline = "nothing measures here, and an estimate neither passes nor fails a test"
    if finding.void_because is not None:
        headline = f"no joules, not even estimated: {finding.void_because}"
    option = subject.counts_option
    counts = "" if option is None else f"judge by counts ({option}), "
    mend = "mend a sensor (`pytest-energy doctor` says how)"
    advice = f"{mend}, {counts}or let estimates count: {subject.command()}"
    return Paragraph(headline, (subject.energy, *_absent_sensor_lines(subject.record)), (advice,))


@_paragraph.register
def _saturated(finding: Saturated, subject: Subject) -> Paragraph:
    headline = f"saturated, so its joules are held against nothing: {finding.because}"
    advice = "ask for a lower rate; if it kept up before, the server has become slower"
    return Paragraph(headline, (subject.energy,), (advice,))


def _absent_sensor_lines(record: Record) -> tuple[str, ...]:
    return tuple(
        f"{sensor.name}: {_one_line(sensor.absent_because)}"
        for sensor in record.sensors
        if sensor.absent_because
    )


# ---- budgets ----


@_paragraph.register
def _against_budget(finding: AgainstBudget, subject: Subject) -> Paragraph:
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
    bounds = f"bounds of the mean: {lower} to {upper}, each at {confidence_text(finding.alpha)}"
    notes = spread_notes(finding.spread, "one round has no spread of its own", "rounds")
    advice = {
        Verdict.OVER_BUDGET: ("use less energy, or raise the budget in the test's energy marker",),
        Verdict.INCONCLUSIVE: (subject.more_rounds,),
    }.get(finding.verdict, ())
    return Paragraph(f"{energy}, {relation} the budget of {budget}{change}", (bounds, *notes), advice)


# ---- nothing to compare with ----


@_paragraph.register
def _no_baseline(finding: NoBaseline, subject: Subject) -> Paragraph:
    missing = "no session with usable joules in the baseline" if finding.is_unusable else "no baseline"
    headline = f"{missing} on {subject.record.machine.key} to compare with"
    advice = f"make one here, from a run you trust: {subject.command('--energy-baseline=add')}"
    return Paragraph(headline, (subject.energy, _machines_line(finding.other_machines)), (advice,))


@_paragraph.register
def _facts_differ(finding: FactsDiffer, subject: Subject) -> Paragraph:
    reference, differences, machines = subject.reference, finding.differences, finding.other_machines
    names, differ = ", ".join(differences), "differs" if len(differences) == 1 else "differ"
    headline = f"{names} {differ} from {reference.name}'s, so {subject.energy} can't be compared with it"
    details = tuple(
        f"{name}: {old} {reference.then}, {new} {reference.now}" for name, (old, new) in differences.items()
    )
    if machines is None:
        return Paragraph(headline, details, ("have both sides do the same work, measured alike",))
    command = subject.command("--energy-baseline=replace")
    advice = f"measure as the baseline was, or start a new one: {command}"
    return Paragraph(headline, (*details, _machines_line(machines)), (advice,))


@_paragraph.register
def _no_such_joules(finding: NoSuchJoules, subject: Subject) -> Paragraph:
    headline = f"{finding.basis or 'joules'} can't be compared: {finding.because}"
    advice = "compare other joules (basis= and per= of the test's energy marker)"
    return Paragraph(headline, (subject.energy,), (advice,))


def _machines_line(other_machines: tuple[str, ...]) -> str:
    if not other_machines:
        return "no other machine has a baseline for this test"
    return f"other machines that have a baseline for this test: {', '.join(other_machines)}"
