"""Carbon intensity and price of a kilowatt hour, as the user gives them. Nothing here has a default.

Rule 1: what is calculated from them is an estimate, and the given number stands beside it with its source.
Rule 2: what was not given is `None`, and so is all that would need it.
"""

import re
from dataclasses import dataclass
from reprlib import repr as brief

from pytest_energy.quantities import Quantity
from pytest_energy.units import JOULES_PER_KILOWATT_HOUR

CARBON_UNIT = "g CO2e"

MOST_AMOUNT = 1e6
"""Of a kilowatt hour: far above every grid and every price, in any currency."""

_WITH_SOURCE = re.compile(r"([^()]*?)\s*(?:\((.*)\))?", re.DOTALL)
_CURRENCY = "[A-Z]{3}"
_WITH_CURRENCY = re.compile(rf"(.*?)\s*({_CURRENCY})", re.DOTALL)
_CARBON = "grams of CO2e from 0 to a million, such as 400 or '400 (grid mean of 2025)'"
_PRICE = "a price from 0 to a million with its currency, such as '0.31 EUR' or '0.31 EUR (contract of 2026)'"


@dataclass(frozen=True, slots=True, kw_only=True)
class PerKwh:
    """What a kilowatt hour is given as.

    Attributes:
        amount: Of a kilowatt hour, at least 0.
        unit: `g CO2e`, or a currency of three letters.
        source: Where the number is from; empty if that was not given.
    """

    amount: float
    unit: str
    source: str = ""

    def of(self, energy_j: float) -> float:
        """The amount for *energy_j*, in `unit`.

        >>> PerKwh(amount=360.0, unit="g CO2e").of(10.0)
        0.001
        """
        return self.amount * energy_j / JOULES_PER_KILOWATT_HOUR

    @property
    def text(self) -> str:
        """As a report shows it.

        >>> PerKwh(amount=0.31, unit="EUR", source="contract of 2026").text
        '0.31 EUR/kWh (contract of 2026)'
        """
        return f"{self.amount:.10g} {self.unit}/kWh ({self.source or 'source not given'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What was given; at least one of the two."""

    carbon: PerKwh | None = None
    price: PerKwh | None = None

    @property
    def given(self) -> tuple[PerKwh, ...]:
        return tuple(one for one in (self.carbon, self.price) if one is not None)

    def carbon_g(self, energy_j: float | None) -> float | None:
        """Grams of CO2e, an estimate; `None` without joules or intensity."""
        return None if self.carbon is None or energy_j is None else self.carbon.of(energy_j)

    def cost(self, energy_j: float | None) -> float | None:
        """In the currency of the price, an estimate; `None` without joules or price."""
        return None if self.price is None or energy_j is None else self.price.of(energy_j)


def tariff_of(carbon: PerKwh | None, price: PerKwh | None) -> Tariff | None:
    """The two as one; `None` if neither was given."""
    return None if carbon is None and price is None else Tariff(carbon=carbon, price=price)


def is_currency(unit: str) -> bool:
    return re.fullmatch(_CURRENCY, unit) is not None


def carbon(text: str) -> PerKwh:
    """A carbon intensity: grams, and its source in parentheses.

    Raises:
        ValueError: *text* is none; its text follows the name of the option.

    >>> carbon("400 (grid mean)")
    PerKwh(amount=400.0, unit='g CO2e', source='grid mean')
    """
    number, source = _parts(text)
    return PerKwh(amount=_amount(_CARBON)(number), unit=CARBON_UNIT, source=source)


def price(text: str) -> PerKwh:
    """A price: a number, its currency, and its source in parentheses.

    Raises:
        ValueError: As for `carbon`.

    >>> price("0.31 EUR")
    PerKwh(amount=0.31, unit='EUR', source='')
    """
    written, source = _parts(text)
    parts = _WITH_CURRENCY.fullmatch(written)
    if parts is None:
        raise ValueError(f"must be {_PRICE}. Got {brief(text)}.")
    return PerKwh(amount=_amount(_PRICE)(parts[1]), unit=parts[2], source=source)


def _amount(wanted: str) -> Quantity:
    return Quantity(wanted, {}, lambda value: 0 <= value <= MOST_AMOUNT)


def _parts(text: str) -> tuple[str, str]:
    """What stands before the parentheses, and in them; all of it where they don't fit."""
    parts = _WITH_SOURCE.fullmatch(text.strip())
    return (text, "") if parts is None else (parts[1], " ".join((parts[2] or "").split()))
