"""A phase and its baseline in words: how far, how sure, and what to do."""

import math
from collections.abc import Collection, Iterator

from pytest_energy.errors import printable
from pytest_energy.judgement import Comparison, Part, PhaseComparison, Verdict
from pytest_energy.units import to_text
from pytest_energy.verdict.doubt_words import doubt_text
from pytest_energy.verdict.figures import (
    bounds_text,
    change_or_none,
    change_text,
    confidence_text,
    count_text,
    marked,
)
from pytest_energy.verdict.findings import AgainstPhase, MachineBusy, PhaseUnknown
from pytest_energy.verdict.paragraph import Paragraph, Subject

_PART_NAMES = {Part.WORK: "energy of the work", Part.WAITING: "time", Part.JOULES: "energy"}


def against_phase(finding: AgainstPhase, subject: Subject) -> Paragraph:
    advice, *others = _advice(finding, subject)
    return Paragraph(
        headline=_headline(finding, subject),
        cause=_cause(finding),
        advice=advice,
        details=() if finding.verdict is Verdict.PASS else tuple(_evidence(finding)),
        other_advice=tuple(others),
    )


def _cause(finding: AgainstPhase) -> str:
    """Why the verdict is in doubt; else which factor of the joules changed, seconds or watts."""
    if finding.doubt is not None:
        return doubt_text(finding.doubt)
    ratios = {"time": finding.comparison.duration_ratio, "power": finding.comparison.power_ratio}
    by_change = sorted(ratios.items(), key=lambda item: -abs(math.log(item[1])))
    return ", ".join(f"{name} {change_or_none(ratio)}" for name, ratio in by_change)


def _evidence(finding: AgainstPhase) -> Iterator[str]:
    sessions = count_text(finding.comparison.entry_count, "session")
    detectable = change_text(finding.comparison.detectable_ratio).removeprefix("+")
    yield f"compared with {sessions}, bounds each at {confidence_text(finding.alpha)}"
    yield f"A rise of {detectable} of this phase would have been detected with 80 % probability."


def unknown_phase(finding: PhaseUnknown, subject: Subject) -> Paragraph:
    is_new = finding.verdict is Verdict.NO_BASELINE
    command = subject.command("--energy-baseline=add")
    return Paragraph(
        headline=f"the phase {printable(finding.name)} is not compared: {finding.because}",
        advice=f"Record it, from a run that you trust: {command}" if is_new else subject.more_rounds,
    )


def _headline(finding: AgainstPhase, subject: Subject) -> str:
    """Such as `+20.1 % energy in the phase train [+11.6, +29.3], allowed 5 %: 24 J, baseline 20 J`."""
    phase, crept, allowed = finding.comparison, finding.crept, finding.comparison.allowed_ratio - 1
    ratio, ratio_ci, since = phase.ratio, phase.ratio_ci, ""
    if crept is not None:
        ratio, ratio_ci = crept.ratio, crept.ratio_ci
        since = f" over the first {count_text(crept.entry_count, 'session')}"
    limit = "" if phase.verdict is Verdict.IMPROVEMENT else f", allowed {allowed * 100:.3g} %"
    energy = marked(to_text(finding.mean_j, "J"), subject.record)
    return (
        f"{change_text(ratio, allowed)} {_PART_NAMES[phase.part]} in the phase {printable(phase.name)} "
        f"{bounds_text(ratio_ci, allowed)}{since}{limit}: {energy}, "
        f"{subject.reference.level_text(to_text(phase.energy_j, 'J'))}"
    )


def _advice(finding: AgainstPhase, subject: Subject) -> tuple[str, ...]:
    match finding.verdict:
        case Verdict.REGRESSION:
            command = subject.command("--energy-baseline=replace")
            return (f"If the rise is intended, accept it: {command}",)
        case Verdict.INCONCLUSIVE if isinstance(finding.doubt, MachineBusy):
            return subject.when_quiet
        case Verdict.INCONCLUSIVE:
            return (subject.more_rounds,)
        case Verdict.IMPROVEMENT:
            return (f"Keep the saving, so that its loss fails the test: {subject.acceptance}",)
        case _:
            return ("",)


def phase_lines(comparison: Comparison, judged: Collection[str]) -> Iterator[str]:
    """The phases that no verdict depends on; those that are *judged* have findings of their own."""
    texts = [phase_text(one) for one in comparison.compared_phases if one.name not in judged]
    if texts:
        yield f"phases, not judged: {'; '.join(texts)}"
    for name, because in comparison.absent_phases.items():
        if name not in judged:
            yield f"the phase {printable(name)} is not compared: {because}"


def phase_text(phase: PhaseComparison) -> str:
    """Such as `train +20.1 % [+11.6, +29.3] of 20 J`."""
    bounds = bounds_text(phase.ratio_ci, phase.allowed_ratio - 1)
    of_part = "" if phase.part is Part.JOULES else f" {phase.part.value}"
    change = f"{change_text(phase.ratio, phase.allowed_ratio - 1)}{of_part} {bounds}"
    return f"{printable(phase.name)} {change} of {to_text(phase.energy_j, 'J')}"
