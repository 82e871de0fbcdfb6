"""The file of a meter outside the machine: rows of a time and watts, in CSV as loggers write it.

Rule 1: a row that can't be read is an error with file, line and value; no row is guessed or left out unseen.
Rule 2: a row is the mean over the time since the row before it. After a gap it is over the usual time. A log
        of changes is the other way round: a row lasts until the next.
Rule 3: a cell of power that is empty, or says that there is none, is a gap.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_energy.errors import SettingsError, printable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.spelling import listed, nearest
from pytest_energy.stats.lagged_line import Rows
from pytest_energy.units import POWER_UNITS
from pytest_energy.verdict.figures import count_text
from pytest_energy.wall.table import POWER_NAME, TIME_NAME, Cells, Table, is_number, read_table
from pytest_energy.wall.times import EARLIEST_UNIX_S, joined, times_s

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

Unit = Literal["W", "kW", "mW"]
UNITS: tuple[Unit, ...] = ("W", "kW", "mW")

FEWEST_ROWS = 3  # two times have one spacing, which may be a gap
_GAP = 1.5  # usual spacings: a logger is late by less, and a row that is missing is two

_ENERGY_NAME = re.compile(r"[kM]?Wh\b|watt.?h(?:ou)?rs?\b|energy|energie", re.IGNORECASE)
_OTHER_POWER_NAME = re.compile(r"factor|reactive|apparent|\bVA\b|\bvar\b|limit|_cap\b", re.IGNORECASE)
_UNIT_NAMES: tuple[tuple[re.Pattern[str], Unit], ...] = (
    (re.compile(r"(?<![A-Za-z])kW(?![A-Za-z])|_kw$|kilowatt", re.ASCII), "kW"),
    (re.compile(r"(?<![A-Za-z])mW(?![A-Za-z])|_mw$|milliwatt", re.ASCII), "mW"),
)
_MEGAWATTS = re.compile(r"(?<![A-Za-z])MW(?![A-Za-z])|megawatt")
_DATE_NAME = re.compile(r"^(?:date|datum|fecha|day)\b", re.IGNORECASE)
_CLOCK_NAME = re.compile(r"^(?:time|zeit|uhrzeit|hora|heure)\b", re.IGNORECASE)
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}.*")
_THOUSANDTHS_NAME = re.compile(r"^(?:ms|milli.*)$", re.IGNORECASE)
_WHOSE_NAME = re.compile(r"^(?:entity_id|entity|device|sensor|topic|channel|series)$", re.IGNORECASE)
_CHANGES_NAME = re.compile(r"last_changed|last_updated", re.IGNORECASE)

_NOTHING = frozenset({"", "nan", "n/a", "na", "null", "none", "unavailable", "unknown"})
_DASHES = re.compile(r"[-.]+")
_WITH_UNIT = re.compile(r"(.*[0-9.,])\s*(mW|W|kW)")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3},[0-9]{3}")
_MOST_POWER_W = 1e9  # watts; more is no power of a machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns hold time and power, by name or by number from 1, and how they are read.

    Attributes:
        time: Of the rows' times; `None` for the one whose name says so, or the first.
        power: Of the watts; `None` likewise, or the other one of two.
        unit: Of the power; `None` for the one in the column's name, or watts.
        time_zone: Of times that have none.
        time_format: Of times that are not ISO 8601, as for `datetime.strptime`.
        start_unix_s: What times count from that are no times of day.
        interval_s: Seconds that a row is the mean of; `None` for the time since the row before.
        is_held: A row is no mean: its power lasts until the next row. `None` if the names say so.
    """

    time: str | None = None
    power: str | None = None
    unit: Unit | None = None
    time_zone: str = "UTC"
    time_format: str | None = None
    start_unix_s: float | None = None
    interval_s: float | None = None
    is_held: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSeries:
    """What a meter's file holds: rows in seconds since 1970 (UTC), and remarks on them."""

    rows: Rows
    notes: tuple[str, ...]

    @property
    def span_s(self) -> float:
        """Usual seconds of a row."""
        return float(np.median(self.rows.span_s))

    @property
    def has_times_of_day(self) -> bool:
        """Whether its times are since 1970, and not since a moment that nobody has given."""
        return float(self.rows.stop_s[-1]) >= EARLIEST_UNIX_S


def read_meter(path: Path, columns: Columns = Columns()) -> MeterSeries:  # frozen
    """The rows of the meter's file *path*.

    Raises:
        SettingsError: It can't be read, or a row of it.
    """
    table = read_table(path)
    times, powers = _columns(table, columns)
    is_held = bool(_CHANGES_NAME.search(times.name)) if columns.is_held is None else columns.is_held
    notes = []
    if table.skipped_count:
        notes.append(f"{count_text(table.skipped_count, 'line')} before the rows are not read.")
    stop_s = times_s(
        times,
        time_zone=columns.time_zone,
        time_format=columns.time_format,
        start_unix_s=columns.start_unix_s,
    )
    is_known = np.array([not _is_nothing(text) for text in powers.texts], dtype=bool)
    keeps = [*range(len(powers.texts))] if is_held else np.flatnonzero(is_known).tolist()
    words = Counter(text for text in powers.texts if text and _is_nothing(text))
    if words:
        said = ", ".join(printable(word) for word in sorted(words)[:3])
        notes.append(f"{count_text(words.total(), 'row')} without power ({said}): each is a gap.")
    power_w = _powers(_or_zero(powers, is_known), columns.unit, has_commas=table.separator == ",")
    power_w = np.where(is_known, power_w, np.nan)[keeps]
    stop_s, times = stop_s[keeps], _only(times, keeps)
    if len(keeps) > 1 and (np.diff(stop_s) < 0).all():
        stop_s, power_w, times = stop_s[::-1], power_w[::-1], _only(times, reversed(range(len(keeps))))
        notes.append("The file has its newest row first.")
    fresh = _without_repeats(times, stop_s, power_w)
    if len(fresh) < len(stop_s):
        notes.append(f"Rows that are repeated count once: {len(stop_s) - len(fresh)}.")
    stop_s, power_w = stop_s[fresh], power_w[fresh]
    if len(stop_s) < FEWEST_ROWS:
        raise SettingsError(f"{path} has {len(stop_s)} rows with power. At least {FEWEST_ROWS} are needed")
    if is_held:
        rows, note = _held(stop_s, power_w), "Each row's power lasts until the next row."
    else:
        rows, note = _means(stop_s, power_w, columns.interval_s)
    notes += [note] if note else []
    below = int((rows.power_w < 0).sum())
    if below:
        notes.append(
            f"{count_text(below, 'row')} below 0 W: is the meter's clamp or plug the right way round?"
        )
    return MeterSeries(rows=rows, notes=tuple(notes))


def _means(
    stop_s: "NDArray[np.float64]", power_w: "NDArray[np.float64]", interval_s: float | None
) -> tuple[Rows, str]:
    """Rows that are means, and a note on the gaps between them."""
    spacings_s = np.diff(stop_s)
    usual_s = float(np.median(spacings_s))
    gap_count = int((spacings_s > _GAP * usual_s).sum())
    span_s = np.full(len(stop_s), usual_s if interval_s is None else interval_s)
    if interval_s is None:
        span_s[1:] = np.where(spacings_s > _GAP * usual_s, usual_s, spacings_s)
    gaps = f"The file has {count_text(gap_count, 'gap')}: rows are more than {_GAP:g} usual spacings apart."
    return Rows(stop_s=stop_s, span_s=span_s, power_w=power_w), gaps if gap_count else ""


def _held(begin_s: "NDArray[np.float64]", power_w: "NDArray[np.float64]") -> Rows:
    """Rows that last until the next one; those without power are gaps."""
    is_known = ~np.isnan(power_w[:-1])
    rows = Rows(stop_s=begin_s[1:], span_s=np.diff(begin_s), power_w=power_w[:-1])
    return Rows(stop_s=rows.stop_s[is_known], span_s=rows.span_s[is_known], power_w=rows.power_w[is_known])


# ---- columns ----


def _columns(table: Table, columns: Columns) -> tuple[Cells, Cells]:
    """The cells of time and of power."""
    path, names = table.path, table.names
    if len(names) < 2:
        raise SettingsError(f"{path} has one column, {printable(names[0])!r}. It needs times and watts")
    parts = _parts_of_time(table) if columns.time is None else ()
    time = parts[0] if parts else _place(table, columns.time, "time", TIME_NAME, other=None)
    power = _place(table, columns.power, "power", POWER_NAME, other=time)
    if table.is_named and columns.unit is None:
        _check_unit(path, names[power])
    _check_one_meter(table, power)
    times = joined([table.column(part) for part in parts]) if parts else table.column(time)
    return times, table.column(power)


def _parts_of_time(table: Table) -> tuple[int, ...]:
    """The places of a date, of a time of day, and perhaps of its milliseconds, where each has a column."""
    if not (table.is_named and table.rows):
        return ()
    row = table.rows[0]
    named = [
        [place for place, name in enumerate(table.names[: len(row)]) if one.search(name)]
        for one in (_DATE_NAME, _CLOCK_NAME, _THOUSANDTHS_NAME)
    ]
    dates, clocks, thousandths = named
    if len(dates) != 1 or len(clocks) != 1 or dates == clocks or not _CLOCK.fullmatch(row[clocks[0]]):
        return ()
    has_thousandths = len(thousandths) == 1 and "." not in row[clocks[0]]
    return (*dates, *clocks, *(thousandths if has_thousandths else ()))


def _check_one_meter(table: Table, power: int) -> None:
    """Refuse rows of several meters, mixed."""
    for place, name in enumerate(table.names):
        if place == power or not _WHOSE_NAME.search(name):
            continue
        several = sorted({row[place] for row in table.rows if len(row) > place})
        if len(several) > 1:
            raise SettingsError(
                f"{table.path} has rows of {len(several)} meters by its column {printable(name)!r}, such as "
                f"{printable(listed(several[:3]))}. Keep the rows of one"
            )


def _only(cells: Cells, places: Iterable[int]) -> Cells:
    kept = [*places]
    return replace(
        cells, texts=[cells.texts[place] for place in kept], lines=[cells.lines[place] for place in kept]
    )


def _place(table: Table, given: str | None, what: str, named: re.Pattern[str], *, other: int | None) -> int:
    """The place of a column: the *given* one, or the one whose name says so, or what is left of two."""
    option, names = f"--{what}-column", table.names
    if given is not None:
        if given in names:
            return list(names).index(given)
        if given.isascii() and given.isdecimal() and 1 <= int(given) <= len(names):
            return int(given) - 1
        near = nearest(given, names)
        hint = f"Did you mean {listed(near)}?" if near else f"It has {listed(names)}."
        raise SettingsError(f"{option}: {table.path} has no column {given!r}. {printable(hint)}")
    found = [place for place, name in enumerate(names) if named.search(name) and place != other]
    if len(found) > 1:
        found = [place for place in found if not _is_of_another_kind(table, place, what)] or found
    if len(found) == 1:
        return found[0]
    if not found and len(names) == 2:
        return 0 if other is None else 1 - other
    raise SettingsError(
        f"{table.path}: it is unclear which column is the {what}. Give {option}, by name or by number: "
        f"{printable(listed(names))}"
    )


def _is_of_another_kind(table: Table, place: int, what: str) -> bool:
    """Whether a column that is called so is energy, power that is none of watts, or no time of day."""
    name = table.names[place]
    if what == "power":
        return bool(_ENERGY_NAME.search(name) or _OTHER_POWER_NAME.search(name))
    text = table.rows[0][place] if table.rows and place < len(table.rows[0]) else ""
    return is_number(text) and abs(float(text.replace(",", "."))) < EARLIEST_UNIX_S


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


def _is_nothing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.casefold() in _NOTHING or _DASHES.fullmatch(text) is not None


def _or_zero(cells: Cells, is_known: "NDArray[np.bool_]") -> Cells:
    """*cells* with a number in place of those without one, which is not used."""
    return replace(
        cells, texts=[one if known else "0" for one, known in zip(cells.texts, is_known, strict=True)]
    )


def _powers(cells: Cells, unit: Unit | None, *, has_commas: bool) -> "NDArray[np.float64]":
    """Watts; a comma is a decimal point, where it can't be anything else."""
    named = unit or next((one for pattern, one in _UNIT_NAMES if pattern.search(cells.name)), "W")
    problem = "must be a number, with one decimal point or comma and no other sign"
    _check_commas(cells, has_commas=has_commas)
    powers_w = []
    for place, text in enumerate(cells.texts):
        with_unit = _WITH_UNIT.fullmatch(text)
        number, of_cell = (str(with_unit[1]), str(with_unit[2])) if with_unit else (text, str(named))
        power_w = float(number.replace(",", ".")) * POWER_UNITS[of_cell] if is_number(number) else np.nan
        if not abs(power_w) <= _MOST_POWER_W:
            raise cells.error(place, problem)
        powers_w.append(power_w)
    return np.array(powers_w, dtype=np.float64)


def _check_commas(cells: Cells, *, has_commas: bool) -> None:
    """Refuse commas that may be between thousands.

    Raises:
        SettingsError: Other cells have points; or cells are separated by commas, too, and each is before
            three digits.
    """
    commas = [place for place, text in enumerate(cells.texts) if "," in text and is_number(text)]
    if not commas:
        return
    if any("." in text for text in cells.texts):
        raise cells.error(commas[0], "has a comma, and other rows have a point: write all with points")
    if has_commas and all(_THOUSANDS.fullmatch(cells.texts[place]) for place in commas):
        raise cells.error(
            commas[0], "has a comma that may be before decimals or thousands: write a point, or none"
        )


def _without_repeats(
    times: Cells, stop_s: "NDArray[np.float64]", power_w: "NDArray[np.float64]"
) -> "NDArray[np.int64]":
    """The places of the rows that are no repetition of the row before."""
    for place, step_s in enumerate(np.diff(stop_s), 1):
        if step_s < 0:
            raise times.error(
                place, f"is before the row above it ({printable(times.texts[place - 1])}). Sort the file"
            )
        if step_s == 0 and not np.array_equal(power_w[place], power_w[place - 1], equal_nan=True):
            raise times.error(
                place,
                "is there twice, with another power: keep one meter's rows, or write more digits of time",
            )
    return np.flatnonzero(np.diff(stop_s, prepend=-np.inf) > 0)
