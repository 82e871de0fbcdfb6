"""Counts in words: where the verdict depends on them, and beside joules."""

from collections.abc import Iterator
from functools import singledispatch

from pytest_energy.judgement import Comparison, CountsComparison, Part, Verdict
from pytest_energy.units import to_text
from pytest_energy.verdict.count_measures import COPIED_BYTES, DISORDERED_BYTES, WEIGHTED_WORK
from pytest_energy.verdict.count_names import size_text
from pytest_energy.verdict.count_phrases import differences_text
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
from pytest_energy.verdict.paragraph import BASELINES_OFF, THE_BASELINE, Paragraph, Subject

_UNCHANGED = "the work makes the same calls as before"
_MOST_RISES = 2  # that a headline names


@singledispatch
def counted(finding: OfCounts, subject: Subject) -> Paragraph:
    """A finding on counts, where the verdict depends on them."""
    raise NotImplementedError(f"{type(finding).__name__} has no words")


@counted.register
def _against_counts(finding: AgainstCounts, subject: Subject) -> Paragraph:
    comparison, is_baseline = finding.comparison, subject.reference is THE_BASELINE
    lines = comparison.lines or (_UNCHANGED,)
    figures = _figures_line(finding)
    cause, *others = lines if figures else (*lines[1:2], "")
    those = count_text(comparison.entry_count, "session") if is_baseline else subject.reference.name
    return Paragraph(
        headline=figures or lines[0],
        cause=cause,
        advice=(_baseline_advice if is_baseline else _revision_advice)(finding.verdict, subject),
        details=(*others, _rises_line(comparison), f"compared with the counts of {those}", subject.energy),
    )


def _figures_line(finding: AgainstCounts) -> str:
    """How far counts rose or fell, such as `+200.0 % weighted work, 2 -> 14 waits, allowed 0 %`; or empty."""
    comparison = finding.comparison
    if finding.verdict is Verdict.IMPROVEMENT and comparison.weight_ratio is not None:
        return f"{change_text(comparison.weight_ratio)} {WEIGHTED_WORK}"
    if finding.verdict is not Verdict.REGRESSION or not comparison.rises:
        return ""
    rises = [rise_text(name, *values) for name, values in comparison.rises.items()][:_MOST_RISES]
    return ", ".join((*rises, f"allowed {comparison.tolerance * 100:g} %"))


def _baseline_advice(verdict: Verdict, subject: Subject) -> str:
    command = subject.counts_command("--energy-baseline=replace")
    return {
        Verdict.REGRESSION: f"If the change is intended, accept it: {command}",
        Verdict.NOT_COMPARABLE: f"Record a new baseline with what is installed now: {command}",
    }.get(verdict, "")


def _revision_advice(verdict: Verdict, subject: Subject) -> str:
    if verdict is not Verdict.REGRESSION:
        return ""
    return f"Find the cause in the changes since {subject.reference.name}."


def _rises_line(comparison: CountsComparison) -> str:
    """Every count that rose past the tolerance, if the headline does not name all of them."""
    texts = [rise_text(name, *values) for name, values in comparison.rises.items()]
    if len(texts) <= _MOST_RISES:
        return ""
    return f"above the tolerance of {comparison.tolerance * 100:g} %: {', '.join(texts)}"


def rise_text(name: str, then: float, now: float) -> str:
    """A measure of counts, and how far it rose: `+15.6 % weighted work`, `2 -> 14 waits`."""
    if name == WEIGHTED_WORK:
        return f"{change_text(now / then)} {name}" if then else f"{name}, before none"
    if name in {COPIED_BYTES, DISORDERED_BYTES}:
        return f"{size_text(then)} -> {size_text(now)} {name.replace('bytes ', '').replace(' bytes', '')}"
    before, after = (to_text(value, "", digits=3).strip() for value in (then, now))
    return f"{before} -> {after} {name}"


@counted.register
def _no_counts(finding: NoCounts, subject: Subject) -> Paragraph:
    return Paragraph(
        headline=f"nothing was counted: {finding.because}",
        advice="Give energy.measure a function that can be called once more, or compare joules.",
        details=(subject.energy,),
    )


@counted.register
def _no_counts_baseline(finding: NoCountsBaseline, subject: Subject) -> Paragraph:
    if finding.is_ignored:
        return Paragraph(headline=BASELINES_OFF, details=(subject.energy,))
    return Paragraph(
        headline=f"no baseline with counts ({finding.key})",
        advice=f"Record one, from a run that you trust: {subject.counts_command('--energy-baseline=add')}",
        details=(subject.energy,),
    )


@counted.register
def _other_work(finding: OtherWork, subject: Subject) -> Paragraph:
    details = tuple(f"{name}: {old} then, {new} now" for name, (old, new) in finding.differences.items())
    advice = f"Do the same work as {subject.reference.name}"
    if subject.reference is THE_BASELINE:
        advice += f", or replace the baseline: {subject.counts_command('--energy-baseline=replace')}"
    differences = differences_text(finding.differences)
    return Paragraph(
        headline=f"counts not compared with {subject.reference.name}: {differences}",
        advice=advice,
        details=details,
    )


# ---- beside joules ----


def changes_of(decision: Decision) -> tuple[str, ...]:
    """What counts report beside joules: what changed, the worst first."""
    comparison = decision.counts_comparison
    if comparison is None or any(isinstance(finding, AgainstCounts) for finding in decision.findings):
        return ()
    return tuple(labelled(comparison))


def same_calls(decision: Decision) -> str:
    """If the joules rose and the work makes the same calls: what that leaves for a cause. Else empty."""
    comparison, joules = decision.counts_comparison, decision.compared
    if comparison is None or comparison.lines or joules is None or not joules.comparison.is_rise:
        return ""
    return _same_calls(joules, has_device=_has_device(decision))


def labelled(comparison: CountsComparison) -> Iterator[str]:
    """Its lines, with what they are of."""
    if not comparison.changes and not comparison.settings:
        yield from comparison.lines
        return
    for line, label in zip(comparison.lines, ("what changed", "and"), strict=False):
        yield f"{label}: {line}"


def _same_calls(finding: Compared, *, has_device: bool) -> str:
    is_waiting = finding.decisive is not None and finding.decisive.part is Part.WAITING
    if finding.is_interleaved and is_waiting and finding.verdict is Verdict.REGRESSION:
        return "same calls, so the longer time is between them (Python, files, sleep)"
    if has_device and _is_time(finding.comparison):
        return "same calls, so the longer time is the host's"
    return "same calls, so the code does the same work"


def _is_time(comparison: Comparison) -> bool:
    """Whether it is time that rose: the part that decided, or more than half of the joules' logarithm."""
    if comparison.decisive is not None:
        return comparison.decisive.part is Part.WAITING
    return comparison.duration_ratio**2 > comparison.ratio


def _has_device(decision: Decision) -> bool:
    counts = decision.record.counts
    return counts is not None and "CUDA" in counts.source
