"""Counts in words: where the verdict hangs on them, and where they stand beside joules."""

from collections.abc import Iterator
from functools import singledispatch

from pytest_energy.judgement import Comparison, CountsComparison, Part, Verdict
from pytest_energy.units import to_text
from pytest_energy.verdict.count_measures import COPIED_BYTES, DISORDERED_BYTES, WEIGHTED_WORK
from pytest_energy.verdict.count_names import size_text
from pytest_energy.verdict.figures import change_text, count_text
from pytest_energy.verdict.findings import (
    AgainstCounts,
    Compared,
    Decision,
    NoCounts,
    NoCountsBaseline,
    OfCounts,
    OtherWork,
)
from pytest_energy.verdict.paragraph import THE_BASELINE, Paragraph, Subject

_UNCHANGED = "the work does what it did before"


@singledispatch
def counted(finding: OfCounts, subject: Subject) -> Paragraph:
    """A finding on counts, where the verdict hangs on them."""
    raise NotImplementedError(f"{type(finding).__name__} has no words")


@counted.register
def _against_counts(finding: AgainstCounts, subject: Subject) -> Paragraph:
    comparison, is_baseline = finding.comparison, subject.reference is THE_BASELINE
    headline, *others = comparison.lines or (_UNCHANGED,)
    advice = (_baseline_advice if is_baseline else _revision_advice)(finding.verdict, subject)
    those = count_text(comparison.entry_count, "session") if is_baseline else subject.reference.name
    sessions = f"compared with the counts of {those}"
    return Paragraph(headline, (*others, _rises_line(comparison), sessions, subject.energy), advice)


def _baseline_advice(verdict: Verdict, subject: Subject) -> tuple[str, ...]:
    command = subject.counts_command("--energy-baseline=replace")
    return {
        Verdict.REGRESSION: (f"if that is meant, accept it: {command}",),
        Verdict.NOT_COMPARABLE: (f"start a new baseline with what is installed now: {command}",),
    }.get(verdict, ())


def _revision_advice(verdict: Verdict, subject: Subject) -> tuple[str, ...]:
    if verdict is not Verdict.REGRESSION:
        return ()
    return (f"find the cause in what has changed since {subject.reference.name}",)


def _rises_line(comparison: CountsComparison) -> str:
    """What of the counts rose past the tolerance, and which it is."""
    rises = (rise_text(name, *values) for name, values in comparison.rises.items())
    texts = ", ".join(rises)
    return f"past the tolerance of {comparison.tolerance * 100:g} %: {texts}" if texts else ""


def rise_text(name: str, then: float, now: float) -> str:
    """A measure of counts, and how far it rose."""
    if name == WEIGHTED_WORK:
        return f"{name} {change_text(now / then)}" if then else f"{name} where there was none"
    if name in {COPIED_BYTES, DISORDERED_BYTES}:
        return f"{name} {size_text(then)} -> {size_text(now)}"
    before, after = (to_text(value, "", digits=3).strip() for value in (then, now))
    return f"{name} {before} -> {after}"


@counted.register
def _no_counts(finding: NoCounts, subject: Subject) -> Paragraph:
    advice = "give energy.measure a function that can be called once more, or compare joules"
    return Paragraph(f"nothing was counted: {finding.because}", (subject.energy,), (advice,))


@counted.register
def _no_counts_baseline(finding: NoCountsBaseline, subject: Subject) -> Paragraph:
    advice = f"make one, from a run you trust: {subject.counts_command('--energy-baseline=add')}"
    return Paragraph(f"no baseline with counts ({finding.key}) to compare with", (subject.energy,), (advice,))


@counted.register
def _other_work(finding: OtherWork, subject: Subject) -> Paragraph:
    names, differ = ", ".join(finding.differences), "differs" if len(finding.differences) == 1 else "differ"
    details = tuple(f"{name}: {old} then, {new} now" for name, (old, new) in finding.differences.items())
    advice = f"do the same work as {subject.reference.name}"
    if subject.reference is THE_BASELINE:
        advice += f", or start a new one: {subject.counts_command('--energy-baseline=replace')}"
    headline = f"{names} {differ} from {subject.reference.name}'s, so counts can't be compared"
    return Paragraph(headline, details, (advice,))


# ---- beside joules ----


def beside(decision: Decision) -> Iterator[str]:
    """What the counts say of joules: what changed, or that nothing did where the joules rose."""
    comparison = decision.counts_comparison
    if comparison is None or any(isinstance(finding, AgainstCounts) for finding in decision.findings):
        return
    if comparison.lines:
        yield from labelled(comparison)
    elif decision.compared is not None and decision.compared.comparison.is_rise:
        yield _same_calls(decision.compared, has_device=_has_device(decision))


def labelled(comparison: CountsComparison) -> Iterator[str]:
    """Its lines, with what they are of."""
    if not comparison.changes and not comparison.settings:
        yield from comparison.lines
        return
    for line, label in zip(comparison.lines, ("what changed", "and"), strict=False):
        yield f"{label}: {line}"


def _same_calls(finding: Compared, *, has_device: bool) -> str:
    """That the work does what it did, where its joules rose: whose the rise is."""
    is_waiting = finding.decisive is not None and finding.decisive.part is Part.WAITING
    if finding.is_interleaved and is_waiting and finding.verdict is Verdict.REGRESSION:
        return "same calls: the longer time lies between them (Python, files, sleep)"
    if has_device and _is_time(finding.comparison):
        return "same calls: the longer time is the host's"
    return "same calls: nothing that the work asks for has changed"


def _is_time(comparison: Comparison) -> bool:
    """Whether it is time that rose: the part that decided, or more than half of the joules' logarithm."""
    if comparison.decisive is not None:
        return comparison.decisive.part is Part.WAITING
    return comparison.duration_ratio**2 > comparison.ratio


def _has_device(decision: Decision) -> bool:
    counts = decision.record.counts
    return counts is not None and "CUDA" in counts.source
