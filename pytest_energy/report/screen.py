"""Text for a screen of a given width: lines, tables, shortened names. Widths are in cells of the screen."""

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from pytest_energy.errors import printable
from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    import wcwidth
else:
    wcwidth = LazyModule("wcwidth")

GAP = 2
"""Spaces between two columns."""

_CUT = "..."

Table = list[list[str]]


def width_of(text: str) -> int:
    """Cells that *text* takes: two for a character of Chinese, Japanese or Korean."""
    return max(wcwidth.wcswidth(text), 0) if not text.isascii() else len(text)


def wrapped(
    texts: Iterable[str], width: int, *, indent: str = "", hanging: str = "", breaks_words: bool = True
) -> list[str]:
    """Lines of each text; a number stays on one line with what it counts.

    Args:
        texts: Each begins in a line of its own.
        width: No line is wider, but for a word that is.
        indent: Before the first line of each.
        hanging: Before its others.
        breaks_words: A word that is too wide goes on in the next line; a path is then not to be copied.
    """
    lines: list[str] = []
    for text in texts:
        glued = re.sub(r"(?<=\d) (?=\S)", "\xa0", text)
        wrap = textwrap.wrap if width_of(glued) == len(glued) else wcwidth.wrap
        folded = wrap(
            glued,
            width,
            initial_indent=indent,
            subsequent_indent=hanging,
            break_on_hyphens=False,
            break_long_words=breaks_words,
        )
        first, *more = [line.replace("\xa0", " ") for line in folded] or [""]
        lines += [first, *map(printable, more)][: len(folded)]  # a line may begin with a CI command
    return lines


def at_most(lines: Sequence[str], count: int, width: int) -> list[str]:
    """The first *count* of *lines*; the last of them is cut if there are more."""
    if len(lines) <= count:
        return [*lines]
    return [*lines[: count - 1], _start(lines[count - 1], width - len(_CUT)) + _CUT]


def shortened(text: str, width: int) -> str:
    """*text* without its middle, if it is wider than *width*.

    >>> shortened("test_training[efficientnet-b0]", 20)
    'test_tra...tnet-b0]'
    """
    if width_of(text) <= width:
        return text
    room = max(0, width - len(_CUT))
    return f"{_start(text, room // 2)}{_CUT}{_start(text[::-1], room - room // 2)[::-1]}"


def told_apart(names: Sequence[str], width: int) -> list[str]:
    """*names*, shortened where they are wider than *width*, so that those that differ look different.

    Their middle goes; if they differ there alone, what comes before the first difference and what follows.
    """
    wide = {name for name in names if width_of(name) > width}
    cuts = {name: shortened(name, width) for name in wide}
    if len({*cuts.values()}) < len(wide):
        cuts = {name: _around(name, _common_length(wide), width) for name in wide}
    alike: dict[str, list[str]] = {}
    for name, cut in cuts.items():
        alike.setdefault(cut, []).append(name)
    for group in alike.values():
        if len(group) > 1:
            cuts |= {name: _around(name, _common_length(group), width) for name in group}
    return [cuts.get(name, name) for name in names]


def _common_length(names: Collection[str]) -> int:
    """Characters with which all *names* begin."""
    columns = enumerate(zip(*names, strict=False))
    return next((place for place, letters in columns if len({*letters}) > 1), min(map(len, names)))


def _around(name: str, start: int, width: int) -> str:
    """*name* without what comes between its head and *start*, and without its end if that doesn't fit."""
    kept = min(start, width // 3)
    text = name[:kept] + (_CUT if start > kept else "") + name[start:]
    return text if width_of(text) <= width else _start(text, width - len(_CUT)) + _CUT


def _start(text: str, width: int) -> str:
    """The first characters of *text* that fit."""
    if text.isascii():
        return text[: max(0, width)]
    return next(
        text[:end] for end in range(min(len(text), max(0, width)), -1, -1) if width_of(text[:end]) <= width
    )


def column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(width_of(line) for cell in column for line in cell.split("\n"))
        for column in zip(*rows, strict=True)
    ]


def room_beside(rows: Sequence[Sequence[str]], width: int) -> int:
    """What a table of *rows* leaves of *width* for a column in front of it."""
    return width - sum(column_widths(rows)) - GAP * len(rows[0])


def packed(columns: Table, room: int) -> Iterator[Table]:
    """Runs of columns, each as many as fit in *room*."""
    chosen: Table = []
    for column in columns:
        widths = column_widths([*zip(*chosen, column, strict=True)])
        if chosen and sum(widths) + GAP * (len(widths) - 1) > room:
            yield chosen
            chosen = []
        chosen.append(column)
    yield chosen


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], alignment: str) -> list[str]:
    """Lines of a table under its head and a rule; a cell may have several lines.

    Args:
        headers: A cell per column.
        rows: As many cells each.
        alignment: `<` or `>` per column.
    """
    widths = column_widths([headers, *rows])
    lines: list[str] = []
    for row in (headers, ["-" * width for width in widths], *rows):
        parts = zip_longest(*(cell.split("\n") for cell in row), fillvalue="")
        lines += [_line(cells, widths, alignment) for cells in parts]
    return lines


def _line(cells: Sequence[str], widths: Sequence[int], alignment: str) -> str:
    padded = []
    for text, width, side in zip(cells, widths, alignment, strict=True):
        blank = " " * (width - width_of(text))
        padded.append(f"{blank}{text}" if side == ">" else f"{text}{blank}")
    return (" " * GAP).join(padded).rstrip()
