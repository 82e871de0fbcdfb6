"""Costs fitted to spans: they recover what is known and are never below 0; intervals hold the truth."""

import numpy as np
import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.cost_fit import LEAST_SPAN_COUNT, Spans, fit_costs, non_negative

COSTS = (0.03, 0.6)


def spans(seed: int, count: int = 100, *, noise_j: float = 1.0, rest_w: float = 100.0) -> Spans:
    """Spans of 0.2 s with prompt tokens and steps, each of which costs what `COSTS` says."""
    rng = np.random.default_rng(seed)
    amounts = np.column_stack([rng.integers(0, 2000, count), rng.integers(10, 60, count)])
    # Neighbours are alike: a moving average of three.
    noise = np.convolve(rng.normal(0, noise_j, count + 2), np.ones(3) / np.sqrt(3), "valid")
    energies_j = amounts @ COSTS + 0.2 * rest_w + noise
    return Spans(
        amounts=tuple(map(tuple, amounts.tolist())),
        energies_j=tuple(energies_j.tolist()),
        durations_s=(0.2,) * count,
        rest_w=rest_w,
    )


def test_costs_are_recovered_without_noise() -> None:
    """Whatever the power at rest of each load is."""
    loads = [spans(1, noise_j=0.0), spans(2, noise_j=0.0, rest_w=50.0)]
    assert fit_costs(loads).costs == pytest.approx(COSTS, rel=1e-6)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """95 %, of 60 series whose neighbours are alike: 48 or fewer would come once in 10,000 times."""
    amounts = (1000.0, 50.0)
    truth = 1000 * COSTS[0] + 50 * COSTS[1]
    intervals = [fit_costs([spans(seed)]).energy(amounts).interval for seed in range(60)]
    assert sum(low <= truth <= high for low, high in intervals) >= 49


def test_a_sum_is_known_where_its_parts_are_not() -> None:
    """Two amounts that always come together: each cost is anything, and both together are known."""
    one = spans(3, noise_j=0.5)
    twins = tuple((steps, steps * 2.0) for _, steps in one.amounts)
    joules = tuple(0.6 * steps + 20.0 for steps, _ in twins)
    fit = fit_costs([Spans(amounts=twins, energies_j=joules, durations_s=(0.2,) * 100, rest_w=100.0)])
    assert fit.energy((1.0, 2.0)).value == pytest.approx(0.6, rel=1e-3)


def test_no_cost_is_below_0() -> None:
    """Joules that fall with an amount are no reason to pay for it."""
    rows = np.asarray([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    joules = np.asarray([2.0, -1.0, 1.0])
    costs = non_negative((rows.T @ rows)[None], (rows.T @ joules)[None])[0]
    assert costs == pytest.approx([1.5, 0.0])


def test_an_error_of_power_at_rest_is_in_the_interval() -> None:
    """2 W over each second are 2 J in a sum that rests for a second."""
    fit = fit_costs([spans(4, noise_j=0.0)], rest_uncertainty_w=2.0)
    assert fit.energy((0.0, 0.0), resting_s=1.0).uncertainty == pytest.approx(2.0, rel=0.15)
    assert fit.energy((0.0, 50.0)).uncertainty > 0.05


def test_too_few_spans_are_no_fit() -> None:
    """The message says how many there are, and how many are needed."""
    with pytest.raises(NotMeasurable, match=f"19 spans of the power trace; {LEAST_SPAN_COUNT} are needed"):
        fit_costs([spans(5, LEAST_SPAN_COUNT - 1)])
