"""The file of a meter outside the machine: rows of a time and watts, in CSV as loggers write it.

Rule 1: a row that can't be read is an error with file, line and value; no row is guessed or left out unseen.
Rule 2: a row is the mean over the time since the row before it. After a gap it is over the usual time.
Rule 3: an empty cell of power is a gap.
"""

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from pytest_energy.errors import SettingsError, printable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.spelling import listed, near_file, nearest
from pytest_energy.stats.lagged_line import Rows
from pytest_energy.units import POWER_UNITS
from pytest_energy.verdict.figures import count_text
from pytest_energy.whole_file import read_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

Unit = Literal["W", "kW", "mW"]
UNITS: tuple[Unit, ...] = ("W", "kW", "mW")

MOST_BYTES = 50_000_000  # a row a second for two weeks; read, it takes twenty times its size
FEWEST_ROWS = 3  # two times have one spacing, which may be a gap
_GAP = 1.5  # usual spacings: a logger is late by less, and a row that is missing is two

_TIME_NAME = re.compile(r"time|date|zeit|datum|stamp|epoch", re.IGNORECASE)
_POWER_NAME = re.compile(
    r"power|watt|leistung|puissance|potencia|(?:^|[\s_(\[])[kmM]?W(?:$|[\s)\]])", re.IGNORECASE
)
_ENERGY_NAME = re.compile(r"[kM]?Wh\b|kilowatt.?hour|watt.?hour", re.IGNORECASE)
_UNIT_NAMES: tuple[tuple[re.Pattern[str], Unit], ...] = (
    (re.compile(r"(?<![A-Za-z])kW(?![A-Za-z])|_kw$|kilowatt", re.ASCII), "kW"),
    (re.compile(r"(?<![A-Za-z])mW(?![A-Za-z])|_mw$|milliwatt", re.ASCII), "mW"),
)
_MEGAWATTS = re.compile(r"(?<![A-Za-z])MW(?![A-Za-z])|megawatt")

# Seconds since 1970 have 10 digits until the year 2286, and each smaller unit three more.
_EPOCH_FACTORS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (0.0, 1.0))
_MOST_POWER_W = 1e9  # watts; more is no power of a machine
_MOST_EPOCH_S = 1e11  # of any of them; more is no time that anything was logged at


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns hold time and power, by name or by number from 1, and how they are read.

    Attributes:
        time: Of the rows' times; `None` for the one whose name says so, or the first.
        power: Of the watts; `None` likewise, or the other one of two.
        unit: Of the power; `None` for the one in the column's name, or watts.
        time_zone: Of times that have none.
        interval_s: Seconds that a row is the mean of; `None` for the time since the row before.
    """

    time: str | None = None
    power: str | None = None
    unit: Unit | None = None
    time_zone: str = "UTC"
    interval_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSeries:
    """What a meter's file holds: rows in seconds since 1970 (UTC), and remarks on them."""

    rows: Rows
    notes: tuple[str, ...]

    @property
    def span_s(self) -> float:
        """Usual seconds of a row."""
        return float(np.median(self.rows.span_s))


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one column, each with the line of the file that it is in."""

    path: Path
    name: str
    texts: Sequence[str]
    lines: Sequence[int]

    def error(self, place: int, problem: str) -> SettingsError:
        value = printable(self.texts[place])
        return SettingsError(f"{self.path}, line {self.lines[place]}: {self.name} {problem}. Got {value!r}")


def read_meter(path: Path, columns: Columns = Columns()) -> MeterSeries:  # frozen
    """The rows of the meter's file *path*.

    Raises:
        SettingsError: It can't be read, or a row of it.
    """
    times, powers = _columns(_table(path), columns)
    keeps = [place for place, text in enumerate(powers.texts) if text]
    times, powers = _only(times, keeps), _only(powers, keeps)
    stop_s, power_w = _times_s(times, columns.time_zone), _powers(powers, columns.unit)
    notes = []
    if len(keeps) > 1 and (np.diff(stop_s) < 0).all():
        stop_s, power_w, times = stop_s[::-1], power_w[::-1], _only(times, reversed(range(len(keeps))))
        notes.append("The file has its newest row first.")
    fresh = _without_repeats(times, stop_s, power_w)
    if len(fresh) < len(stop_s):
        notes.append(f"Rows that are repeated count once: {len(stop_s) - len(fresh)}.")
    stop_s, power_w = stop_s[fresh], power_w[fresh]
    if len(stop_s) < FEWEST_ROWS:
        raise SettingsError(f"{path} has {len(stop_s)} rows with power. At least {FEWEST_ROWS} are needed")
    spacings_s = np.diff(stop_s)
    usual_s = float(np.median(spacings_s))
    gap_count = int((spacings_s > _GAP * usual_s).sum())
    if gap_count:
        notes.append(
            f"The file has {count_text(gap_count, 'gap')}: rows are more than {_GAP:g} usual spacings apart."
        )
    span_s = np.full(len(stop_s), usual_s if columns.interval_s is None else columns.interval_s)
    if columns.interval_s is None:
        span_s[1:] = np.where(spacings_s > _GAP * usual_s, usual_s, spacings_s)
    return MeterSeries(rows=Rows(stop_s=stop_s, span_s=span_s, power_w=power_w), notes=tuple(notes))


# ---- the table ----


@dataclass(frozen=True, slots=True)
class _Table:
    """The cells of the file, each row with the number of its line."""

    path: Path
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def column(self, place: int, name: str, *, begin: int) -> _Cells:
        texts = []
        for row, line in zip(self.rows[begin:], self.lines[begin:], strict=True):
            if len(row) <= place:
                raise SettingsError(
                    f"{self.path}, line {line} has {len(row)} cells, and no {printable(name)}"
                )
            texts.append(row[place])
        return _Cells(self.path, printable(name), texts, self.lines[begin:])


def _table(path: Path) -> _Table:
    """The cells of *path*; lines that are empty or begin with # are no rows."""
    try:
        text = read_whole(path, MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        because = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"{path} can't be read: {because}.{near_file(path) or ' Give a CSV of times and watts.'}"
        ) from error
    numbered = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not numbered:
        raise SettingsError(f"{path} is empty. Give a CSV of times and watts")
    separator = next((one for one in (";", "\t") if one in numbered[0][1]), ",")
    rows = []
    for number, line in numbered:
        try:
            (row,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
        except csv.Error as error:
            raise SettingsError(
                f"{path}, line {number} is no line of a CSV: {error}. Got {line!r}"
            ) from error
        rows.append([cell.strip() for cell in row])
    return _Table(path, rows, [number for number, _ in numbered])


def _columns(table: _Table, columns: Columns) -> tuple[_Cells, _Cells]:
    """The cells of time and of power."""
    path, first = table.path, table.rows[0]
    has_header = not any(map(_is_number, first))
    names = [*first] if has_header else [f"column {number}" for number in range(1, len(first) + 1)]
    if len(names) < 2:
        raise SettingsError(f"{path} has one column, {printable(names[0])!r}. It needs times and watts")
    time = _place(path, names, columns.time, "time", _TIME_NAME, other=None)
    power = _place(path, names, columns.power, "power", _POWER_NAME, other=time)
    if has_header and columns.unit is None:
        _check_unit(path, names[power])
    times, powers = (table.column(place, names[place], begin=int(has_header)) for place in (time, power))
    return times, powers


def _only(cells: _Cells, places: Iterable[int]) -> _Cells:
    kept = [*places]
    return replace(
        cells, texts=[cells.texts[place] for place in kept], lines=[cells.lines[place] for place in kept]
    )


def _place(
    path: Path,
    names: Sequence[str],
    given: str | None,
    what: str,
    named: re.Pattern[str],
    *,
    other: int | None,
) -> int:
    """The place of a column: the *given* one, or the one whose name says so, or what is left of two."""
    option = f"--{what}-column"
    if given is not None:
        if given in names:
            return names.index(given)
        if given.isascii() and given.isdecimal() and 1 <= int(given) <= len(names):
            return int(given) - 1
        near = nearest(given, names)
        hint = f"Did you mean {listed(near)}?" if near else f"It has {listed(names)}."
        raise SettingsError(f"{option}: {path} has no column {given!r}. {printable(hint)}")
    found = [place for place, name in enumerate(names) if named.search(name) and place != other]
    if len(found) == 1:
        return found[0]
    if not found and len(names) == 2:
        return 0 if other is None else 1 - other
    raise SettingsError(
        f"{path}: it is unclear which column is the {what}. Give {option}, by name or by number: "
        f"{printable(listed(names))}"
    )


def _check_unit(path: Path, name: str) -> None:
    wrong = next(
        (what for what, one in (("energy", _ENERGY_NAME), ("megawatts", _MEGAWATTS)) if one.search(name)), ""
    )
    if wrong:
        raise SettingsError(
            f"{path}: the column {printable(name)!r} is of {wrong}, not of watts. Give --power-column, or "
            "--unit if its name misleads"
        )


# ---- cells ----


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?", text) is not None


def _powers(cells: _Cells, unit: Unit | None) -> "NDArray[np.float64]":
    """Watts; a comma is a decimal point."""
    named = next((one for pattern, one in _UNIT_NAMES if pattern.search(cells.name)), "W")
    factor = POWER_UNITS[unit or named]
    problem = "must be a number, with one decimal point or comma and no other sign"
    return _numbers(cells, problem, most=_MOST_POWER_W / factor) * factor


def _numbers(cells: _Cells, problem: str, *, most: float) -> "NDArray[np.float64]":
    """The cells as numbers, none above *most* or below its negative."""
    numbers = []
    for place, text in enumerate(cells.texts):
        number = float(text.replace(",", ".")) if _is_number(text) else math.nan
        if not abs(number) <= most:
            raise cells.error(place, problem)
        numbers.append(number)
    return np.array(numbers, dtype=np.float64)


def _times_s(cells: _Cells, time_zone: str) -> "NDArray[np.float64]":
    """Seconds since 1970 (UTC), of numbers since then or of ISO 8601."""
    if cells.texts and _is_number(cells.texts[0]):
        first = float(cells.texts[0].replace(",", "."))
        factor = next(factor for least, factor in _EPOCH_FACTORS if abs(first) >= least)
        problem = "must be seconds or milliseconds since 1970, as in the first row"
        return _numbers(cells, problem, most=_MOST_EPOCH_S / factor) * factor
    zone = _zone(time_zone)
    moments = []
    for place, text in enumerate(cells.texts):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise cells.error(place, "must be ISO 8601, such as 2026-11-21T10:00:00Z") from error
        moments.append((moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp())
    return np.array(moments, dtype=np.float64)


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise SettingsError(
            f"--time-zone must be a name such as UTC or Europe/Berlin. Got {name!r}"
        ) from error


def _without_repeats(
    times: _Cells, stop_s: "NDArray[np.float64]", power_w: "NDArray[np.float64]"
) -> "NDArray[np.int64]":
    """The places of the rows that are no repetition of the row before."""
    for place, step_s in enumerate(np.diff(stop_s), 1):
        if step_s < 0:
            raise times.error(
                place, f"is before the row above it ({printable(times.texts[place - 1])}). Sort the file"
            )
        if step_s == 0 and power_w[place] != power_w[place - 1]:
            raise times.error(place, "is there twice, with another power")
    return np.flatnonzero(np.diff(stop_s, prepend=-np.inf) > 0)
