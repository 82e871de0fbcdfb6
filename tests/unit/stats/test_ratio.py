"""Ratios are numbers that a document can hold, however far the bounds are."""

import math

import pytest

from pytest_energy.codec import MOST_NUMBER
from pytest_energy.stats.compare import compare
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.ratio import ratio_of


@pytest.mark.parametrize("log", [1.0, -3.5, 0.0])
def test_a_ratio_is_e_to_its_logarithm(log: float) -> None:
    """As far as documents go."""
    assert ratio_of(log) == math.exp(log)


@pytest.mark.parametrize("log", [200.0, 1e308, math.inf])
def test_what_is_farther_is_at_the_limit(log: float) -> None:
    """Neither an overflow nor a number that its own file would be refused for; and its inverse likewise."""
    assert 1e29 < ratio_of(log) <= MOST_NUMBER
    assert ratio_of(-log) == pytest.approx(1 / ratio_of(log))


def test_bounds_of_two_rounds_that_have_nothing_in_common_can_be_written() -> None:
    """Student's t with one degree of freedom is in the hundreds, and stands in an exponent."""
    far = RoundEnergies(energies_j=(1e-3, 1e3), uncertainties_j=(1e-6, 1.0))
    bounds = compare(far, [far], tolerance=0.05, alpha=0.001)
    values = (bounds.ratio, bounds.lower, bounds.upper, bounds.chance_lower, bounds.detectable_ratio)
    assert all(0 < value <= MOST_NUMBER for value in values)
    assert bounds.upper > 1e20
