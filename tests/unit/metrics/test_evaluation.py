"""Formulas by name: what they give, and why some give nothing."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics.evaluation import Metrics, evaluated, offered
from pytest_energy.model import Record
from tests.builders import record


def unknown() -> float:
    raise NotMeasurable("nobody knows")


def test_a_formula_without_its_input_is_absent_for_its_reason() -> None:
    """The others are there all the same; absent is not zero."""
    metrics = evaluated({"known": lambda: 2.0, "unknown": unknown})
    assert metrics == Metrics({"known": 2.0, "unknown": None}, {"unknown": "nobody knows"})


def test_what_overflows_is_absent() -> None:
    """No infinity gets into a record."""
    metrics = evaluated({"rate": lambda: math.inf})
    assert metrics.values == {"rate": None}
    assert metrics.absent.keys() == {"rate"}


def test_of_two_the_later_wins() -> None:
    """Names that only one of them has are kept."""
    first = Metrics({"a": 1.0, "b": None}, {"b": "first"})
    assert first | Metrics({"b": None, "c": 3.0}, {"b": "second"}) == Metrics(
        {"a": 1.0, "b": None, "c": 3.0}, {"b": "second"}
    )


@pytest.mark.parametrize(
    ("gives", "value", "because"),
    [
        (lambda _: np.float32(0.5), 0.5, None),
        (lambda _: True, 1.0, None),
        (lambda _: None, None, None),
        (lambda _: 1 / 0, None, "its formula raised ZeroDivisionError: division by zero"),
        (lambda _: math.nan, None, "its formula gave nan, not a number that can be kept"),
        (lambda _: 10**400, None, f"its formula gave {'1' + '0' * 56}..., not a number that can be kept"),
        (lambda _: 1e31, None, "its formula gave 1e+31, not a number that can be kept"),
        (lambda _: "0.5", None, "its formula gave '0.5', not a number that can be kept"),
        (lambda _: 1j, None, "its formula gave 1j, not a number that can be kept"),
    ],
)
def test_a_foreign_formula_spoils_its_own_metric_alone(
    gives: Callable[[Record], object], value: float | None, because: str | None
) -> None:
    """Whatever it raises or gives, it is absent for that reason, and the others are there."""
    metrics = offered({"odd": gives, "fine": lambda one: one.energy_j}, record(energy_j=4.0))
    assert metrics.values == {"odd": value, "fine": 4.0}
    assert metrics.absent == ({} if because is None else {"odd": because})
