"""Formulas by name: what they give, and why some give nothing."""

import math

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics.evaluation import Metrics, evaluated


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
