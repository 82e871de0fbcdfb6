"""A study as text: for a terminal, and as Markdown. Pure."""

import re
from collections.abc import Iterator, Sequence

from tabulate import tabulate
from wcwidth import wcswidth

from pytest_energy.report.inert_markdown import code, sentence, summary
from pytest_energy.study.section import Section
from pytest_energy.study.study import Study
from pytest_energy.study.tables import heading, sections_of

_LEAST_WIDTH = 3  # of a column of Markdown: its rule takes a dash and a colon
_FIGURE = re.compile(r"[~<]?[\w +\-±.,/\[\]]*", re.ASCII)


def terminal(study: Study) -> list[str]:
    """Every table that is not folded, with its notes."""
    return [
        heading(study),
        *(line for one in sections_of(study) if not one.is_folded for line in _lines(one)),
    ]


def _lines(section: Section) -> Iterator[str]:
    yield f"\n{section.title}"
    yield _table(section)
    yield from section.notes


def markdown(study: Study) -> str:
    """The study as Markdown that ends in a newline; every rho is in a fold."""
    parts = [f"# Energy of {heading(study)}"]
    for section in sections_of(study):
        parts += _blocks(section)
    return "\n\n".join(parts) + "\n"


def _blocks(section: Section) -> Iterator[str]:
    if section.part:
        yield f"## {sentence(section.part)}"
    body = "\n\n".join(
        part for part in (_grid(section), "\n".join(f"- {sentence(one)}" for one in section.notes)) if part
    )
    if section.is_folded:
        yield f"<details><summary>{summary(section.title)}</summary>\n\n{body}\n\n</details>"
    else:
        yield f"### {sentence(section.title)}"
        yield body


def _inert(row: Sequence[str]) -> tuple[str, ...]:
    """*row* as cells of Markdown; our own figures need no escape."""
    name, *others = row
    return code(name), *(cell if _FIGURE.fullmatch(cell) else sentence(cell) for cell in others)


def _table(section: Section) -> str:
    """For a terminal: names to the left, figures to the right."""
    sides = ("left", *["right"] * (len(section.heads) - 1))
    return tabulate(section.rows, section.heads, "simple", disable_numparse=True, colalign=sides)


def _grid(section: Section) -> str:
    """As Markdown. tabulate would add two blanks to each head, and five columns would not fit."""
    rows = [section.heads, *map(_inert, section.rows)]
    widths = [max(_LEAST_WIDTH, *map(wcswidth, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(
            cell + " " * (width - wcswidth(cell)) if place == 0 else " " * (width - wcswidth(cell)) + cell
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    rule = " | ".join("-" * (width - 1) + ("-" if place == 0 else ":") for place, width in enumerate(widths))
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))
