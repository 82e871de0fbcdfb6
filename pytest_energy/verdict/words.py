"""A decision in words; those of a comparison are in `comparison_words`, those of a budget in `budget_words`.

Rule 1: the first line of a reason makes sense by itself; tables show no more. The next ones are the cause and
    what to do: a failure shows these by default. The rest is for those who ask for all.
"""

import math
from collections.abc import Iterator, Sequence
from functools import singledispatch
from typing import get_args

from pytest_energy.judgement import FAILING, Brief, Judgement
from pytest_energy.meter.scope import estimated_j
from pytest_energy.model import Provenance, Record
from pytest_energy.units import to_text
from pytest_energy.verdict.best_setting import best_in_words, unknown_best
from pytest_energy.verdict.budget_words import against_budget, unknown_budget
from pytest_energy.verdict.comparison_words import compared, full_comparison
from pytest_energy.verdict.count_paragraphs import changes_of, counted, labelled, same_calls
from pytest_energy.verdict.count_phrases import differences_text
from pytest_energy.verdict.figures import brief_energy_text, count_text, energy_text
from pytest_energy.verdict.findings import (
    AgainstBudget,
    AgainstPhase,
    Compared,
    Decision,
    FactsDiffer,
    Finding,
    NoBaseline,
    NoSuchJoules,
    OfCounts,
    OnlyEstimated,
    Saturated,
    SloMissed,
    Unmeasured,
    Void,
)
from pytest_energy.verdict.paragraph import BASELINES_OFF, THE_BASELINE, Paragraph, Reference, Subject
from pytest_energy.verdict.phase_words import against_phase, unknown_phase


def in_words(decision: Decision, reference: Reference = THE_BASELINE) -> Judgement:
    """*decision* as it is shown and kept, compared with what *reference* names."""
    brief, details = _texts(decision, reference)
    return Judgement(
        record=decision.record,
        verdict=decision.verdict,
        reason="\n  ".join((*brief.lines, *details)),
        summary=decision.summary,
        budget=decision.budget,
        comparison=full_comparison(decision, reference),
        terms=decision.terms,
        unchecked=decision.unchecked,
        counts_comparison=decision.counts_comparison,
        brief=brief,
    )


def _texts(decision: Decision, reference: Reference) -> tuple[Brief, list[str]]:
    """What is always shown, of the worst finding, and all the rest."""
    subject = _subject(decision, reference)
    worst, *others = (_paragraph(finding, subject) for finding in decision.findings)
    cause = _cause(decision, worst, others)
    lines = [*worst.other_advice, *changes_of(decision), worst.cause, *worst.details]
    lines = [line for line in lines if line and line not in cause]
    for other in others:
        details = filter(None, (other.cause, *other.details))
        lines += [f"also: {other.headline}", *(f"  {line}" for line in details)]
    lines += (f"note: {_one_line(note)}" for note in decision.notes)
    if decision.unchecked:
        limits = " and its ".join(decision.unchecked)
        lines.append(f"Not checked against its {limits}. With --energy-strict, that fails the test.")
    for other in others:
        lines += filter(None, (other.advice, *other.other_advice))
    brief = Brief(headline=_one_line(worst.headline), cause=_one_line(cause), advice=_one_line(worst.advice))
    # What others wrote into a line starts no line of its own.
    return brief, [" ".join(line.splitlines()) for line in lines]


def _cause(decision: Decision, worst: Paragraph, others: Sequence[Paragraph]) -> str:
    """What is behind the joules: a doubt, what changed in the code, another limit exceeded, or time."""
    first, counts = decision.findings[0], decision.counts_comparison
    if not isinstance(first, Compared | AgainstBudget | AgainstPhase):
        return worst.cause
    own = "; ".join(filter(None, (worst.cause, same_calls(decision))))
    if first.doubt is not None:
        return own
    if counts is not None and (counts.changes or counts.settings):
        return next(labelled(counts))
    failing = zip(decision.findings[1:], others, strict=True)
    return next((f"also: {other.headline}" for one, other in failing if one.verdict in FAILING), own)


def _subject(decision: Decision, reference: Reference) -> Subject:
    record, summary = decision.record, decision.summary
    return Subject(
        record=record,
        energy=_joules_text(decision),
        brief_energy="" if summary is None else brief_energy_text(record, summary),
        reference=reference,
        is_by_counts=any(isinstance(finding, OfCounts) for finding in decision.findings),
    )


def _joules_text(decision: Decision) -> str:
    """The joules per round; without any, why, if only counts are judged: else a finding reports it."""
    if decision.summary is not None:
        return energy_text(decision.record, decision.summary)
    because = decision.record.void_because
    is_reported = because is None or any(not isinstance(finding, OfCounts) for finding in decision.findings)
    return "" if is_reported else f"no joules: {because}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


@singledispatch
def _paragraph(finding: Finding, subject: Subject) -> Paragraph:
    raise NotImplementedError(f"{type(finding).__name__} has no words")


_paragraph.register(compared)
_paragraph.register(against_budget)
_paragraph.register(unknown_budget)
_paragraph.register(best_in_words)
_paragraph.register(unknown_best)
_paragraph.register(against_phase)
_paragraph.register(unknown_phase)
for _of_counts in get_args(OfCounts):
    _paragraph.register(_of_counts, counted)


# ---- joules that can't be used ----


@_paragraph.register
def _void(finding: Void, subject: Subject) -> Paragraph:
    rounds = count_text(len(subject.record.rounds), "round")
    command = f": {subject.command()}"
    if finding.pair_count is not None:
        rounds, command = f"{count_text(finding.pair_count, 'pair')} of rounds before that", "."
    return Paragraph(
        headline=f"no usable joules: {finding.because}",
        advice=f"Remove the cause and run the test again{command}",
        details=(f"{rounds}, not compared",),
    )


_DOCTOR = "`pytest-energy doctor` shows what this machine can measure, and how to enable the rest."


@_paragraph.register
def _unmeasured(finding: Unmeasured, subject: Subject) -> Paragraph:
    if subject.record.rounds:
        return _at_rest(finding, subject)
    advice = _DOCTOR
    if subject.record.provenance is Provenance.REPLAYED:
        advice = "Add this test and its rounds to the replay file, or run without a replay."
    details = (line for line in _absent_sensor_lines(subject.record) if line not in finding.because)
    return Paragraph(
        headline=f"nothing was measured: {finding.because}", advice=advice, details=tuple(details)
    )


def _at_rest(finding: Unmeasured, subject: Subject) -> Paragraph:
    """The devices that are measured did nothing: what they drew, and an estimate of the rest."""
    record = subject.record
    beside_j = estimated_j(record)
    estimate = (
        "" if beside_j is None else f"estimate of the CPU: ~{to_text(beside_j, 'J')} per round, not judged"
    )
    return Paragraph(
        headline=f"nothing was measured: {finding.because}",
        advice=_DOCTOR,
        details=(*_rest_lines(record), estimate, *_absent_sensor_lines(record)),
        other_advice=("To judge the estimate: pytest ... --energy-sensors=estimate --energy-estimates=gate",),
    )


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
    where, there = (
        ("at the meter", " there") if subject.record.machine.is_elsewhere else ("on this machine", "")
    )
    headline = f"{subject.brief_energy}, not judged: no sensor measures {where}"
    if finding.void_because is not None:
        headline = f"no joules, and no usable estimate: {finding.void_because}"
    option = subject.counts_option
    counts = "" if option is None else f", compare counts ({option})"
    enable = f"Enable a sensor (`pytest-energy doctor` shows how{there}){counts}, or judge estimates"
    return Paragraph(
        headline=headline,
        advice=f"{enable}: {subject.command()}",
        details=(subject.energy, *_absent_sensor_lines(subject.record)),
    )


@_paragraph.register
def _saturated(finding: Saturated, subject: Subject) -> Paragraph:
    return Paragraph(
        headline=f"saturated, so not compared: {finding.because}",
        advice="Lower the request rate. If the server kept up with this rate before, it has become slower.",
        details=(subject.energy,),
    )


@_paragraph.register
def _slo_missed(finding: SloMissed, subject: Subject) -> Paragraph:
    share, _, times = finding.because.partition("; ")
    return Paragraph(
        headline=share,
        cause=times,
        advice="Lower the request rate, make answers faster, or change slo= in the test.",
        details=(subject.energy,),
    )


def _absent_sensor_lines(record: Record) -> tuple[str, ...]:
    return tuple(
        f"{sensor.name}: {_one_line(sensor.absent_because)}"
        for sensor in record.sensors
        if sensor.absent_because
    )


# ---- nothing to compare with ----


@_paragraph.register
def _no_baseline(finding: NoBaseline, subject: Subject) -> Paragraph:
    if finding.is_ignored:
        return Paragraph(headline=BASELINES_OFF, details=(subject.energy,))
    missing = "no session with usable joules in the baseline" if finding.is_unusable else "no baseline"
    command = subject.command("--energy-baseline=add")
    return Paragraph(
        headline=f"{missing} for {subject.record.machine.key}",
        advice=f"Record one, from a run that you trust: {command}",
        details=(subject.energy, _machines_line(finding.other_machines)),
    )


@_paragraph.register
def _facts_differ(finding: FactsDiffer, subject: Subject) -> Paragraph:
    reference, differences, machines = subject.reference, finding.differences, finding.other_machines
    details = [
        f"{name}: {old} {reference.then}, {new} {reference.now}" for name, (old, new) in differences.items()
    ]
    advice = "Give both sides the same work, measured the same way."
    if machines is not None:
        command = subject.command("--energy-baseline=replace")
        advice = f"Measure the same work as the baseline, or replace the baseline: {command}"
        details.append(_machines_line(machines))
    return Paragraph(
        headline=f"not compared with {reference.name}: {differences_text(differences)}",
        advice=advice,
        details=(subject.energy, *details),
    )


@_paragraph.register
def _no_such_joules(finding: NoSuchJoules, subject: Subject) -> Paragraph:
    return Paragraph(
        headline=f"{finding.basis.replace(' a ', ' per ') or 'joules'} not compared: {finding.because}",
        advice="Compare other joules: change basis= or per= in the test's energy marker.",
        details=(subject.energy,),
    )


def _machines_line(other_machines: tuple[str, ...]) -> str:
    if not other_machines:
        return "No other machine has a baseline for this test."
    return f"other machines with a baseline for this test: {', '.join(other_machines)}"
