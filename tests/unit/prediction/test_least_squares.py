"""Fits with costs that are not below 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pytest_energy.prediction.least_squares import fitted, non_negative

_AMOUNTS = st.floats(0.0, 100.0, allow_subnormal=False).map(lambda value: round(value, 3))


@given(arrays(float, (6, 3), elements=_AMOUNTS), arrays(float, 6, elements=_AMOUNTS))
def test_no_other_costs_come_nearer(rows: "np.ndarray", targets: "np.ndarray") -> None:
    """At the best costs no cost is below 0, and none can rise (or fall, above 0) to come nearer."""
    costs = non_negative(rows, targets)
    gradient = rows.T @ (targets - rows @ costs)
    size = 1e-7 * (1 + np.abs(rows).max() ** 2) * (1 + np.abs(targets).max())
    assert (costs >= 0).all()
    assert (gradient <= size).all()
    assert np.abs(gradient[costs > 0]).max(initial=0.0) <= size


def test_a_cost_that_would_be_negative_is_none() -> None:
    """Where the free fit is 3 and -1, the second is 0 and the first the best alone."""
    rows = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 1.0]])
    costs = non_negative(rows, rows @ np.array([3.0, -1.0]))
    assert costs == pytest.approx([15 / 6, 0.0])


def test_costs_of_any_size_come_back() -> None:
    """Operations by the billion and calls by the hundred are fitted alike."""
    rows = np.array([[1e12, 10.0], [3e12, 500.0], [2e11, 70.0], [5e10, 900.0]])
    truth = np.array([7e-15, 3e-5])
    costs = fitted(lambda _: rows, rows @ truth, np.array([1e-14, 1e-5]))
    assert costs == pytest.approx(truth, rel=1e-5)


def test_one_wrong_row_does_not_move_the_rest() -> None:
    """A row ten times too large pulls no more than one 10 % too large."""
    rows = np.arange(1.0, 21.0)[:, None]
    targets = 2.0 * rows[:, 0]
    targets[7] *= 10
    costs = fitted(lambda _: rows, targets, np.array([1.0]))
    assert costs == pytest.approx([2.0], rel=0.01)
