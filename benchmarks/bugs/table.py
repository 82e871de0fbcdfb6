"""The exam's answers as a Markdown table."""

from collections.abc import Sequence

from benchmarks.bugs.answers import LINE_COUNT, Answer

ABSENT = "-"

HEAD = (
    "| # | bug | report | joules mended | with the bug | seconds mended | with the bug | ratio (bounds) "
    "| verdict | what the first two lines say | named |\n"
    "| --: | --- | --- | --: | --: | --: | --: | --- | --- | --- | --- |\n"
)


def table(answers: Sequence[Answer], *, with_head: bool = True) -> str:
    """A row for each answer; with a head also the totals below."""
    rows = "".join(_row(answer) for answer in answers)
    return f"{HEAD}{rows}\n{totals(answers)}\n" if with_head else rows


def totals(answers: Sequence[Answer]) -> str:
    """`14 of 16 red, 13 named in the first two lines`."""
    red = sum(answer.is_red for answer in answers)
    named = sum(answer.is_named for answer in answers)
    return f"{red} of {len(answers)} red, {named} named in the first two lines"


def _row(answer: Answer) -> str:
    energies_j, durations_s = _both(answer.energies_j), _both(answer.durations_s)
    lines = "<br>".join(answer.lines[:LINE_COUNT]).replace("|", "\\|") or ABSENT
    cells = (str(answer.number), answer.name, answer.report, *energies_j, *durations_s, _ratio(answer))
    named = ", ".join(answer.names) or "no"
    return "| " + " | ".join((*cells, answer.verdict or "no answer", lines, named)) + " |\n"


def _both(values: tuple[float, float] | None) -> tuple[str, str]:
    return (ABSENT, ABSENT) if values is None else (f"{values[0]:.4g}", f"{values[1]:.4g}")


def _ratio(answer: Answer) -> str:
    """Of joules; of weighted work where nothing measured."""
    if answer.ratio is not None and answer.ratio_ci is not None:
        return f"{answer.ratio:.3f} ({answer.ratio_ci[0]:.3f} to {answer.ratio_ci[1]:.3f})"
    return ABSENT if answer.weight_ratio is None else f"{answer.weight_ratio:.3f} of weighted work"
