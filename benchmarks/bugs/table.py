"""The exam's answers as a Markdown table."""

from collections.abc import Iterable, Sequence

from benchmarks.bugs.answers import LINE_COUNT, Answer

ABSENT = "-"

_KNOWN = (("#", "--:"), ("bug", "---"), ("report", "---"))
_MEASURED = (
    ("joules fixed", "--:"),
    ("with the bug", "--:"),
    ("seconds fixed", "--:"),
    ("with the bug", "--:"),
    ("ratio of joules (bounds)", "---"),
)
_COUNTED = (("ratio of weighted work", "--:"),)
_TOLD = (("verdict", "---"), ("first two lines", "---"), ("named", "---"))


def table(answers: Sequence[Answer], *, with_head: bool = True) -> str:
    """A row for each answer, with columns of joules where any were measured; with a head also the totals."""
    is_measured = any(answer.energies_j is not None for answer in answers)
    rows = "".join(_row(answer, is_measured=is_measured) for answer in answers)
    return f"{_head(is_measured=is_measured)}{rows}\n{totals(answers)}\n" if with_head else rows


def totals(answers: Sequence[Answer]) -> str:
    """`14 of 16 red, 13 named in the first two lines`."""
    red = sum(answer.is_red for answer in answers)
    named = sum(answer.is_named for answer in answers)
    return f"{red} of {len(answers)} red, {named} named in the first two lines"


def _head(*, is_measured: bool) -> str:
    columns = [*_KNOWN, *(_MEASURED if is_measured else _COUNTED), *_TOLD]
    return _line(name for name, _ in columns) + _line(rule for _, rule in columns)


def _row(answer: Answer, *, is_measured: bool) -> str:
    figures = _measured(answer) if is_measured else (_number(answer.weight_ratio),)
    lines = "<br>".join(answer.lines[:LINE_COUNT]).replace("|", "\\|") or ABSENT
    named = ", ".join(answer.names) or "no"
    known = (str(answer.number), answer.name, answer.report)
    return _line((*known, *figures, answer.verdict or "no answer", lines, named))


def _measured(answer: Answer) -> tuple[str, ...]:
    energies_j, durations_s = answer.energies_j or (None, None), answer.durations_s or (None, None)
    figures = (f"{one:.4g}" if one is not None else ABSENT for one in (*energies_j, *durations_s))
    if answer.ratio is None or answer.ratio_ci is None:
        return (*figures, ABSENT)
    return (*figures, f"{answer.ratio:.3f} ({answer.ratio_ci[0]:.3f} to {answer.ratio_ci[1]:.3f})")


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"
