"""The counts of a test as text: lines, and a table of what has changed."""

from collections.abc import Sequence

from pytest_energy.counts import OF_THE_LIBRARY, Kind
from pytest_energy.errors import printable
from pytest_energy.judgement import Cause, CountChange, CountsComparison, Judgement
from pytest_energy.verdict.count_measures import WEIGHTED_WORK
from pytest_energy.verdict.count_names import copy_name, number_text, plain_name, wait_name
from pytest_energy.verdict.count_operator_words import other_parts
from pytest_energy.verdict.count_paragraphs import labelled, rise_text
from pytest_energy.verdict.figures import change_text, count_text

HEADS = ("what", "then", "now", "where", "cause")

_MOST_ROWS = 20  # of a page's table: what follows weighs next to nothing, and the JSON has it
_ABSENT = "-"

_CHOSEN_ANEW = frozenset({Kind.KERNEL, Kind.LAUNCH, Kind.ALLOCATION})
"""What a library may do otherwise in each process; which operators it runs inside follows from the calls."""

_INSIDE = {
    Kind.INNER: "inside",
    Kind.KERNEL: "kernel",
    Kind.LAUNCH: "launches",
    Kind.ALLOCATION: "memory",
}


def lines(judgement: Judgement) -> list[str]:
    """At most two lines on what changed, without the one that is the headline already."""
    comparison = judgement.counts_comparison
    if comparison is None:
        return []
    headline = printable(judgement.reason.partition("\n")[0])
    found = zip(comparison.lines, map(printable, labelled(comparison)), strict=True)
    return [text for line, text in found if printable(line) != headline]


def line_of_a_pass(judgement: Judgement) -> str | None:
    """The worst change of a test that passes; `None` if only other kernels run, for no known reason.

    A library may choose those by itself, as cuDNN does when it tries them.
    """
    comparison = judgement.counts_comparison
    if comparison is None or not comparison.lines:
        return None
    is_news = any(
        one.cause is not Cause.UNKNOWN or one.kind not in _CHOSEN_ANEW for one in comparison.changes
    )
    worst = comparison.lines[0]
    if judgement.reason.partition("\n")[0] != worst:  # a headline needs no label
        worst = next(labelled(comparison))
    return printable(worst) if is_news or not comparison.changes else None


def judged_ratio(judgement: Judgement) -> float | None:
    """Weighted work, now over then, of a test that is judged by it; else `None`."""
    comparison = judgement.counts_comparison
    return comparison.weight_ratio if comparison is not None and comparison.is_judged else None


def rows(comparison: CountsComparison) -> list[list[str]]:
    """The heaviest changes, for `HEADS`; the settings before them."""
    texts = [*map(_setting_row, comparison.settings.items()), *map(_row, comparison.changes)]
    return [[printable(cell) for cell in row] for row in texts[:_MOST_ROWS]]


def notes(comparison: CountsComparison) -> list[str]:
    """How much the work is of that before, what rose, and what `rows` leaves out."""
    texts = [_summary(comparison)]
    rises = ((name, values) for name, values in comparison.rises.items() if name != WEIGHTED_WORK)
    texts += [f"risen: {rise_text(name, *values)}" for name, values in rises]
    if not comparison.is_repeating:
        texts.append("counts that vary are shown and compared as a range, least to most")
    hidden = len(comparison.settings) + comparison.change_count - len(rows(comparison))
    if hidden:
        texts.append(f"{count_text(hidden, 'lighter change')} not shown")
    return [printable(text) for text in texts]


def _setting_row(setting: tuple[str, tuple[str, str]]) -> Sequence[str]:
    name, (then, now) = setting
    return name, then, now, _ABSENT, "setting"


def _row(change: CountChange) -> Sequence[str]:
    then, now = (number_text(counts) for counts in (change.before, change.after))
    if change.inputs is not None and change.before == change.after:
        before, after = change.inputs
        removed, added = other_parts(before, after), other_parts(after, before)
        then = f"{then} on {removed}" if removed else then
        now = f"{now} on {added or 'other inputs'}" if added or not removed else now
    return _what(change), then, now, change.place or _ABSENT, change.cause.value


def _what(change: CountChange) -> str:
    """Its name in the user's terms, with the type of the numbers."""
    match change.kind:
        case Kind.COPY:
            name = f"copies {copy_name(change.name)}"
        case Kind.WAIT:
            name = f"waits: {wait_name(change.name)}"
        case Kind.GRADIENT:
            name = "nodes for a backward pass"
        case Kind.GRAPH:
            name = f"torch.compile: {change.name}"
        case kind if kind in OF_THE_LIBRARY:
            name = f"{_INSIDE[kind]}: {change.name}"
        case _:
            name = plain_name(change.name)
    return f"{name} ({change.dtype})" if change.dtype else name


def _summary(comparison: CountsComparison) -> str:
    sessions = f"against {count_text(comparison.entry_count, 'session')} with counts"
    if comparison.weight_ratio is None:
        return f"counts {sessions}: no weight to compare"
    weight = change_text(comparison.weight_ratio)
    judged = "judged" if comparison.is_judged else "shown, not judged"
    return f"weighted work of one call {weight} {sessions}: {comparison.verdict.value}, {judged}"
