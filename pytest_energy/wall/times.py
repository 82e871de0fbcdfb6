"""The times of a meter's rows, as loggers write them, in seconds since 1970 (UTC).

Rule 1: a form that two countries read as two days is an error, until the user gives it.
Rule 2: numbers are seconds since 1970, or a smaller unit, by their size. Smaller numbers, and times of day
        without a day, count from a moment that the user gives.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.wall.table import Cells, is_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

EARLIEST_UNIX_S = 1e8
"""The year 1973: smaller numbers are no time of day of a meter."""

# Seconds since 1970 have 10 digits until the year 2286, and each smaller unit three more.
_EPOCH_FACTORS = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (EARLIEST_UNIX_S, 1.0))
_MOST_EPOCH_S = 1e11  # of any of them; more is no time that anything was logged at

_UNIT_OF_NAME = re.compile(
    r"(?:[\s_(\[/]|^)(ns|us|µs|ms|s|sec|seconds|min|minutes|h|hours)(?:[\s)\]]|$)", re.IGNORECASE
)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "m": 60.0, "h": 3600.0}

_YEAR_FIRST = re.compile(r"([0-9]{4})[/.]([0-9]{1,2})[/.]([0-9]{1,2})(?=$|[ T])")
_WITH_POINTS = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})(?=$|[ T,])")
_SHORT_HOUR = re.compile(r"(?<=[ T])([0-9]):")
_UTC_NAME = re.compile(r"\s*(?:UTC|GMT|Z)$")
_CLOCK = re.compile(r"([0-9]{1,3}):([0-9]{2})(?::([0-9]{2}(?:[.,][0-9]+)?))?(?: ?([AaPp])\.?[Mm]\.?)?")
_DAY_S = 86400.0
_TWO_WAYS = re.compile(r"[0-9]{1,2}[/-][0-9]{1,2}[/-][0-9]{2,4}")

_FORM = "must be ISO 8601, such as 2026-11-21T10:00:00Z"


def times_s(
    cells: Cells, *, time_zone: str, time_format: str | None, start_unix_s: float | None
) -> "NDArray[np.float64]":
    """Seconds since 1970 (UTC) of each cell; from 0 if they count from an unknown moment.

    Args:
        cells: Numbers, or dates with times of day.
        time_zone: Of dates that have none.
        time_format: Of the dates, as for `datetime.strptime`; ISO 8601 and what means only one day if `None`.
        start_unix_s: What small numbers count from.

    Raises:
        SettingsError: A cell is none of these; the format or the zone is none.
    """
    if time_format is None and cells.texts and is_number(cells.texts[0]):
        return _of_numbers(cells, 0.0 if start_unix_s is None else start_unix_s)
    if time_format is None and cells.texts and _CLOCK.fullmatch(cells.texts[0]):
        return _of_clocks(cells, 0.0 if start_unix_s is None else start_unix_s)
    zone = _zone(time_zone)
    moments_s: list[float] = []
    for place, text in enumerate(cells.texts):
        moment = _of_format(cells, place, text, time_format) if time_format else _of_text(cells, place, text)
        moments_s.append(_unix_s(moment, zone, moments_s))
    return np.array(moments_s, dtype=np.float64)


def moment_s(text: str) -> float:
    """*text* in seconds since 1970: a number of them, or ISO 8601; UTC without a zone.

    Raises:
        ValueError: It is neither.

    >>> moment_s("2026-11-21T10:00:00Z"), moment_s("1795255200.5")
    (1795255200.0, 1795255200.5)
    """
    if is_number(text):
        seconds = float(text.replace(",", "."))
    else:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    if not EARLIEST_UNIX_S <= seconds < _MOST_EPOCH_S:
        raise ValueError(text)
    return seconds


def joined(parts: Sequence[Cells]) -> Cells:
    """The cells of a column of dates and of one of times of day, perhaps with one of milliseconds, as one."""
    first, *_ = parts
    texts = []
    for cells in zip(*(part.texts for part in parts), strict=True):
        text = " ".join(cells[:2])
        texts.append(f"{text}.{int(cells[2]):03}" if len(cells) > 2 and cells[2].isdecimal() else text)
    return Cells(first.path, " ".join(part.name for part in parts), texts, first.lines)


def _of_numbers(cells: Cells, start_unix_s: float) -> "NDArray[np.float64]":
    first = float(cells.texts[0].replace(",", "."))
    factor = next((factor for least, factor in _EPOCH_FACTORS if abs(first) >= least), None)
    is_relative = factor is None
    if factor is None:
        unit = _UNIT_OF_NAME.search(cells.name)
        text = unit[1].lower() if unit else "s"
        factor = _SECONDS.get(text, _SECONDS.get(text[0], 1.0))
    numbers = []
    for place, text in enumerate(cells.texts):
        number = float(text.replace(",", ".")) if is_number(text) else math.nan
        if not abs(number) * factor <= _MOST_EPOCH_S:
            raise cells.error(place, "must be seconds or milliseconds since 1970, as in the first row")
        numbers.append(number * factor + (start_unix_s if is_relative else 0.0))
    return np.array(numbers, dtype=np.float64)


def _of_clocks(cells: Cells, start_unix_s: float) -> "NDArray[np.float64]":
    """Hours, minutes and seconds without a day, from midnight or another moment; days go on at midnight."""
    times_s: list[float] = []
    for place, text in enumerate(cells.texts):
        match = _CLOCK.fullmatch(text)
        if match is None:
            raise cells.error(place, "must be hours, minutes and seconds, as in the first row")
        hours, half = int(match[1]), (match[4] or "").lower()
        if half:
            hours = hours % 12 + (12 if half == "p" else 0)
        seconds = float((match[3] or "0").replace(",", "."))
        time_s = start_unix_s + 3600.0 * hours + 60.0 * int(match[2]) + seconds
        days = round((times_s[-1] - time_s) / _DAY_S) if times_s else 0
        times_s.append(time_s + max(0, days) * _DAY_S)
    return np.array(times_s, dtype=np.float64)


def _of_format(cells: Cells, place: int, text: str, time_format: str) -> datetime:
    try:
        return datetime.strptime(text, time_format)  # noqa: DTZ007  # its zone comes later
    except ValueError as error:
        raise cells.error(place, f"doesn't have the form of --time-format, {time_format!r}") from error
    except re.error as error:
        raise SettingsError(
            f"--time-format must be a form such as %d/%m/%Y %H:%M:%S. Got {time_format!r}"
        ) from error


def _of_text(cells: Cells, place: int, text: str) -> datetime:
    iso = _YEAR_FIRST.sub(_iso_date, text)
    iso = _WITH_POINTS.sub(lambda one: _date(one[3], one[2], one[1]), iso)
    iso = _SHORT_HOUR.sub(r"0\1:", _UTC_NAME.sub("+00:00", iso).replace(", ", " "))
    try:
        return datetime.fromisoformat(iso)
    except ValueError as error:
        both = "; its day and month may be either way: give --time-format, such as %d/%m/%Y %H:%M:%S"
        other = "; or give --time-format, such as %d/%m/%Y %H:%M:%S"
        raise cells.error(place, _FORM + (both if _TWO_WAYS.match(text) else other)) from error


def _iso_date(one: re.Match[str]) -> str:
    return _date(one[1], one[2], one[3])


def _date(year: str, month: str, day: str) -> str:
    return f"{year}-{month:0>2}-{day:0>2}"


def _unix_s(moment: datetime, zone: tzinfo, before_s: Sequence[float]) -> float:
    """Seconds since 1970; of an hour that clocks repeat in autumn the second, if rows go back otherwise."""
    if moment.tzinfo is not None:
        return moment.timestamp()
    local_s = moment.replace(tzinfo=zone).timestamp()
    if before_s and local_s < before_s[-1]:
        again_s = moment.replace(tzinfo=zone, fold=1).timestamp()
        if 0 <= again_s - before_s[-1] <= timedelta(hours=1).total_seconds():
            return again_s
    return local_s


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise SettingsError(
            f"--time-zone must be a name such as UTC or Europe/Berlin. Got {name!r}"
        ) from error
