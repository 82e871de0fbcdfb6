import statistics

import pytest
from scipy.stats import norm, t, trim_mean

from pytest_energy.stats.centre import centre_of, half_width, plain_centre_of, trimmed_count, z_quantile
from pytest_energy.stats.student import t_quantile

VALUES = (3.0, 1.0, 2.0, 900.0, 4.0, 2.5, 3.5, 0.1)


@pytest.mark.parametrize(("count", "cut"), [(1, 0), (7, 0), (8, 1), (10, 2), (14, 2), (20, 4)])
def test_trimmed_count(count: int, cut: int) -> None:
    """A fifth at each end, from 8 values on."""
    assert trimmed_count(count) == cut


def test_few_values_have_the_plain_mean() -> None:
    """Below 8 values nothing is left out."""
    few = VALUES[:7]
    assert centre_of(few) == plain_centre_of(few)
    assert centre_of(few).centre_variance == pytest.approx(statistics.variance(few) / 7)


def test_many_values_have_the_trimmed_mean() -> None:
    """Yuen: the variance of the mean is (n-1) s_w^2 / (h (h-1)), with h - 1 degrees of freedom."""
    centre = centre_of(VALUES)
    winsorised = (1.0, 1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.0)
    assert centre.centre == pytest.approx(float(trim_mean(VALUES, 0.2)))
    assert centre.centre_variance == pytest.approx(7 * statistics.variance(winsorised) / (6 * 5))
    assert (centre.df, centre.count) == (5, 8)


def test_one_value_has_no_spread() -> None:
    """Its variance is 0 with no degrees of freedom: whoever uses it must assume one."""
    assert (plain_centre_of([5.0]).variance, plain_centre_of([5.0]).df) == (0.0, 0)


@pytest.mark.parametrize("tail", [0.4, 0.2, 0.05, 0.025, 0.0005])
def test_quantiles_are_those_of_the_distributions(tail: float) -> None:
    """Student's t, whole degrees of freedom or not; the normal one where the spread is assumed."""
    assert half_width(1.0, 3.7, 0.0, tail) == pytest.approx(float(t.isf(tail, 3.7)), rel=1e-12)
    assert z_quantile(tail) == pytest.approx(float(norm.isf(tail)), rel=1e-12)
    assert half_width(1.0, 0, 0.0, tail) == z_quantile(tail)


def test_scatter_and_uncertainty_add_in_squares() -> None:
    """What the rounds scatter by gets t, what is common to them z."""
    expected = ((t_quantile(4, 0.05) * 3.0) ** 2 + (z_quantile(0.05) * 4.0) ** 2) ** 0.5
    assert half_width(9.0, 4, 4.0, 0.05) == pytest.approx(expected)
