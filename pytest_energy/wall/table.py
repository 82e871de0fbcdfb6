"""The cells of a meter's file: rows of text with the numbers of their lines, under the names of the columns.

Rule 1: the separator is the one by which most lines have the same number of cells.
Rule 2: rows begin at the first line with two values. The names are in the line before, or none are; the line
        between may have the units. What is before is skipped, and counted.
Rule 3: data are ASCII. A name may be in the old alphabet of a logger's system.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_energy.errors import SettingsError, printable
from pytest_energy.spelling import near_file
from pytest_energy.whole_file import read_whole

MOST_BYTES = 50_000_000  # a row a second for two weeks; read, it takes twenty times its size

_SEPARATORS = (";", "\t", ",")  # of two that are alike the first: a comma may be a decimal point
_LOOKED_AT = 200  # lines by which a separator is chosen
_WIDE = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")
_TIME = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}.*|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}.*)?")
TIME_NAME = re.compile(r"time|date|zeit|datum|stamp|epoch|fecha|heure|last_changed", re.IGNORECASE)
POWER_NAME = re.compile(
    r"power|watt|leistung|puissance|potencia|(?:^|[\s_(\[])[kmM]?W(?:$|[\s)\]])|^P-?[0-9]?$|^state$",
    re.IGNORECASE,
)
_UNIT = re.compile(r"[\[(]?(?:[kmMuµ]?(?:W|V|A|Wh|s|VA|var)|Hz|%|h|min|sec|°?C|)[\])]?")


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one column, each with the line of the file that it is in."""

    path: Path
    name: str
    texts: Sequence[str]
    lines: Sequence[int]

    def error(self, place: int, problem: str) -> SettingsError:
        value = printable(self.texts[place])
        return SettingsError(f"{self.path}, line {self.lines[place]}: {self.name} {problem}. Got {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of cells.

    Attributes:
        names: Of the columns; numbers if the file has none.
        is_named: Whether it has.
        lines: The line of the file that each row is in.
        separator: Between the cells.
        skipped_count: Lines before the names.
    """

    path: Path
    names: Sequence[str]
    is_named: bool
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]
    separator: str
    skipped_count: int

    def column(self, place: int) -> Cells:
        """The cells at *place* of each row.

        Raises:
            SettingsError: A row has fewer.
        """
        name = printable(self.names[place])
        for row, line in zip(self.rows, self.lines, strict=True):
            if len(row) <= place:
                raise SettingsError(f"{self.path}, line {line} has {len(row)} cells, and no {name}")
        return Cells(self.path, name, [row[place] for row in self.rows], self.lines)


def is_number(text: str) -> bool:
    """Whether *text* is a number, with a decimal point or comma."""
    return _NUMBER.fullmatch(text) is not None


def read_table(path: Path) -> Table:
    """The cells of *path*; lines that are empty or begin with # are no rows.

    Raises:
        SettingsError: It can't be read, or is no table.
    """
    text, is_old = _text(path)
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not numbered:
        raise SettingsError(f"{path} is empty. Give a CSV of times and watts")
    lines = [number for number, _ in numbered]
    separator = _separator([line for _, line in numbered[:_LOOKED_AT]])
    rows = [_cells(path, number, line, separator) for number, line in numbered]
    names, begin, skipped_count = _head(rows)
    if is_old:
        _check_ascii(path, rows[begin:], lines[begin:])
    width = max(map(len, rows[begin : begin + 1] or rows[:1]))
    return Table(
        path=path,
        names=names or [f"column {number}" for number in range(1, width + 1)],
        is_named=names is not None,
        rows=rows[begin:],
        lines=lines[begin:],
        separator=separator,
        skipped_count=skipped_count,
    )


def _text(path: Path) -> tuple[str, bool]:
    """What the file holds, and whether it is in an old alphabet."""
    try:
        content = read_whole(path, MOST_BYTES)
        coding = next((coding for mark, coding in _WIDE if content.startswith(mark)), "utf-8")
        if b"\0" in content and coding != "utf-16":
            raise SettingsError(f"{path} can't be read: it is no text. Give a CSV of times and watts")
        return content.decode(coding), False
    except UnicodeDecodeError as error:
        if coding != "utf-8":
            raise SettingsError(f"{path} can't be read: {error}. Give a CSV of times and watts") from error
        return content.decode("latin-1"), True
    except OSError as error:
        because = error.strerror or error
        raise SettingsError(
            f"{path} can't be read: {because}.{near_file(path) or ' Give a CSV of times and watts.'}"
        ) from error


def _separator(lines: Sequence[str]) -> str:
    """Rule 1."""

    def likeness(separator: str) -> int:
        counts = Counter(len(row) for row in csv.reader(lines, delimiter=separator) if len(row) > 1)
        return max(counts.values(), default=0)

    return max(_SEPARATORS, key=likeness)


def _cells(path: Path, number: int, line: str, separator: str) -> list[str]:
    try:
        (row,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise SettingsError(f"{path}, line {number} is no line of a CSV: {error}. Got {line!r}") from error
    return [cell.strip() for cell in row]


def _check_ascii(path: Path, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
    for row, line in zip(rows, lines, strict=True):
        if not all(map(str.isascii, row)):
            raise SettingsError(f"{path} can't be read: line {line} is not UTF-8. Write the file as UTF-8")


# ---- where the rows begin ----


def _head(rows: Sequence[Sequence[str]]) -> tuple[Sequence[str] | None, int, int]:
    """Rule 2: the names, if there are any; the place of the first row; how many lines are skipped."""
    named = next((place for place, row in enumerate(rows[:_LOOKED_AT]) if _has_names(row)), None)
    if named is None:
        nothing = int(not any(map(is_number, rows[0])))
        first = next((place for place, row in enumerate(rows) if _has_values(row)), nothing)
        named = first - 1 - int(first > 1 and _has_units(rows[first - 1], rows[first - 2]))
        is_name = named >= 0 and not any(map(_is_value, rows[named]))
        if not is_name or (first < len(rows) and len(rows[named]) == 1 < len(rows[first])):
            return None, first, first
    names, begin = rows[named], named + 1
    if begin < len(rows) and _has_units(rows[begin], names):
        names = [
            f"{name} ({unit.strip('[]()')})" if unit else name
            for name, unit in zip(names, rows[begin], strict=True)
        ]
        begin += 1
    return names, begin, named


def _is_value(text: str) -> bool:
    return is_number(text) or _TIME.fullmatch(text) is not None


def _has_values(row: Sequence[str]) -> bool:
    return sum(map(_is_value, row)) > 1


def _has_names(row: Sequence[str]) -> bool:
    """Whether one cell is called a time, another one a power, and none is a value."""
    times = {place for place, text in enumerate(row) if TIME_NAME.search(text)}
    powers = {place for place, text in enumerate(row) if POWER_NAME.search(text)}
    return bool(times and powers and len(times | powers) > 1) and not any(map(_is_value, row))


def _has_units(row: Sequence[str], names: Sequence[str]) -> bool:
    return len(row) == len(names) and any(row) and all(_UNIT.fullmatch(text) for text in row)
