"""Quantities as people write them: `5%`, `2 J`, `500 mJ`, `2 min`, `65 W`.

Rule 1: a bare number is in joules, seconds or watts; of a share, 1 is 100 %.
Rule 2: what isn't right is a `ValueError` whose text follows the name of the option: "must be ... Got ...".
Rule 3: imported in every run of pytest, so it imports nothing that pytest doesn't.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from numbers import Real
from reprlib import repr as brief

from pytest_energy.spelling import listed
from pytest_energy.units import ENERGY_UNITS, POWER_UNITS, SHARE_UNITS, TIME_UNITS

_WRITTEN = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*([^\W\d_]+|%)?")


class Quantity:  # no dataclass: making one takes a millisecond, in every run of pytest
    """What an option takes; called with a number or a text, it gives the number.

    Args:
        wanted: What it must be, for people.
        units: What a unit is worth in the quantity's own, which a bare number is in.
        is_right: Whether a number is in range.
        hint: What to write in place of a number that is out of range, or empty.
    """

    def __init__(
        self,
        wanted: str,
        units: Mapping[str, float],
        is_right: Callable[[float], bool],
        hint: Callable[[float], str] = lambda _: "",
    ) -> None:
        self.wanted, self.units = wanted, units
        self._is_right, self._hint = is_right, hint

    def __call__(self, value: object) -> float:
        """The number that *value* is.

        Raises:
            ValueError: It is none, or out of range.
        """
        bare, unit = _parts(value)
        if unit and unit not in self.units:
            units = listed(filter(str.isascii, self.units)) if self.units else "left out"
            raise self._wrong(value, f" Its unit must be {units}.")
        number = _scaled(bare, self.units.get(unit, 1.0))
        if not self._is_right(number):
            raise self._wrong(value, "" if unit else self._hint(number))
        return number

    def _wrong(self, value: object, hint: str) -> ValueError:
        return ValueError(f"must be {self.wanted}. Got {brief(value)}.{hint}")


def _parts(value: object) -> tuple[float, str]:
    """Number and unit of *value*, which may be written; not a number where it is none."""
    if isinstance(value, str):
        parts = _WRITTEN.fullmatch(value.strip())
        return (math.nan, "") if parts is None else (float(parts[1]), parts[2] or "")
    return _number(value), ""


def _scaled(number: float, factor: float) -> float:
    """*number* times *factor*, a power of ten or a whole number; rounded once, so that 7 % is 0.07."""
    return number * factor if factor >= 1 else number / round(1 / factor)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_positive(value: float) -> bool:
    return 0 < value < math.inf


def _share_hint(value: float) -> str:
    if not 1 < value <= 100:
        return ""
    return f" {value:g} is {100 * value:g} %; for {value:g} % write {value / 100:g} or {value:g}%."


energy = Quantity("an energy above 0, such as '2 J', '500 mJ' or 2.0 (joules)", ENERGY_UNITS, _is_positive)
time = Quantity("a time above 0, such as '5 s', '2 min' or 5 (seconds)", TIME_UNITS, _is_positive)
wait = Quantity(
    "a time of at least 0, such as '5 s', '2 min' or 5 (seconds)",
    TIME_UNITS,
    lambda value: 0 <= value < math.inf,
)
power = Quantity("a power above 0, such as '65 W' or 65 (watts)", POWER_UNITS, _is_positive)
share = Quantity(
    "a share from 0 to 100 %, such as 0.05 or '5%'", SHARE_UNITS, lambda value: 0 <= value <= 1, _share_hint
)
chance = Quantity(
    "a chance above 0 and below 50 %, such as 0.05 or '5%'", SHARE_UNITS, lambda value: 0 < value < 0.5
)
age_days = Quantity("a number of days of at least 0, such as 30", {}, lambda value: 0 <= value < math.inf)


class Count:
    """A whole number of at least *least*, also as a text; any kind of integer, such as numpy's."""

    def __init__(self, least: int) -> None:
        self._least, self.wanted = least, f"a whole number of at least {least}"

    def __call__(self, value: object) -> int:
        """The number that *value* is.

        Raises:
            ValueError: It is no whole number, or too small.
        """
        number = None if isinstance(value, bool) else _whole(value)
        if number is None or number < self._least:
            raise ValueError(f"must be {self.wanted}. Got {brief(value)}.")
        return number


def _whole(value: object) -> int | None:
    try:
        return operator.index(value)  # type: ignore[arg-type]  # what is no integer raises
    except TypeError:
        return None


def whole_number(text: str, least: int = 1) -> int:
    """The whole number that *text* is.

    Raises:
        ValueError: It is none, or below *least*.
    """
    digits = text.strip()
    return Count(least)(int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 19 else text)
