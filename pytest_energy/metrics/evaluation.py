"""Metrics by name, as far as they can be computed, and what the numbers in a formula must be."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pytest_energy.codec import MOST_NUMBER, brief, number_of
from pytest_energy.errors import NotMeasurable, described
from pytest_energy.model import Record

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics by name, and the reason for each absent one.

    Attributes:
        values: Metric name to value, or to `None` if it could not be computed.
        absent: Name of a missing value to the reason.
    """

    values: Mapping[str, float | None] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def __or__(self, other: "Metrics") -> "Metrics":
        """Both; where they share a name *other* wins."""
        return Metrics({**self.values, **other.values}, {**self.absent, **other.absent})


def evaluated(formulas: Mapping[str, Callable[[], float]]) -> Metrics:
    """What each formula gives; one that raises `NotMeasurable`, or overflows, is absent for that reason."""
    values: dict[str, float | None] = {}
    absent: dict[str, str] = {}
    for name, formula in formulas.items():
        try:
            values[name] = finite(formula(), name)
        except NotMeasurable as error:
            values[name], absent[name] = None, str(error)
    return Metrics(values, absent)


def offered(formulas: Mapping[str, Callable[[Record], object]], record: Record) -> Metrics:
    """What each of *formulas*, of other plugins, gives for *record*; one that fails is absent, and why."""
    values: dict[str, float | None] = {}
    absent: dict[str, str] = {}
    for name, formula in formulas.items():
        try:
            value = formula(record)
        except Exception as error:  # noqa: BLE001  # whatever it raises, it is a metric and not the test
            value, absent[name] = None, f"its formula raised {described(error)}"
        values[name] = number_of(value)
        if values[name] is None and value is not None:
            absent[name] = f"its formula gave {brief(value)}, not a number that can be kept"
    return Metrics(values, absent)


# What the numbers must be, so that no formula divides by nothing or passes on a NaN


def known(value: T | None, because: str) -> T:
    """The value itself, if there is one.

    Raises:
        NotMeasurable: It is `None`, *because*.
    """
    if value is None:
        raise NotMeasurable(because)
    return value


def finite(value: float, what: str) -> float:
    """The number itself, if it is finite and at least 0.

    Raises:
        NotMeasurable: It is negative, infinite or NaN.
    """
    if not 0 <= value <= MOST_NUMBER:
        raise NotMeasurable(f"{what} is {value}; it must be a finite number from 0 to {MOST_NUMBER:g}")
    return value


def positive(value: float, what: str) -> float:
    """The number itself, if one can divide by it: finite and above 0.

    Raises:
        NotMeasurable: It is 0, negative, infinite or NaN.
    """
    if not (math.isfinite(value) and value > 0):
        raise NotMeasurable(f"{what} is {value}; the ratio needs a finite number above 0")
    return value


def share(value: float, what: str) -> float:
    """The number itself, if it is a share of 0 to 1.

    Raises:
        NotMeasurable: It lies outside, as a percentage does.
    """
    if not 0 <= value <= 1:
        raise NotMeasurable(f"{what} is {value}; it must be a share of 0 to 1, not a percentage")
    return value
