"""The constants of joules a request over the request rate."""

import math

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.rate_fit import fit_rates


def test_exact_points_give_their_constants() -> None:
    """Points on 10 W / rate + 2 J give 10 W and 2 J, with the errors of their own uncertainties."""
    fit = fit_rates([1.0, 2.0, 4.0], [12.0, 7.0, 4.5], [0.1, 0.1, 0.1])
    assert fit.static_power_w == pytest.approx(10.0)
    assert fit.dynamic_energy_j == pytest.approx(2.0)
    # x = 1/rate = 1, 1/2, 1/4: mean 7/12, sum of squares about it 7/24. u = 0.1.
    assert fit.static_power_uncertainty_w == pytest.approx(0.1 / math.sqrt(7 / 24))
    assert fit.dynamic_energy_uncertainty_j == pytest.approx(
        0.1 * math.sqrt(1 / 3 + (7 / 12) ** 2 / (7 / 24))
    )
    assert fit.scatter_ratio == pytest.approx(0.0, abs=1e-9)
    assert fit.rate_count == 3


def test_by_hand_with_weights_and_scatter() -> None:
    """Weights 1, 1, 4 and points off the line, by hand; scatter beyond the uncertainties widens errors.

    x 1, 1/2, 1/4; y 4, 2, 2.5 with u 1, 1, 1/2 has weights 1, 1, 4: sum 6, means x 5/12, y 8/3.
    Sxx = (7/12)^2 + (1/12)^2 + 4 (1/6)^2 = 49/144 + 1/144 + 16/144 = 66/144 = 11/24.
    Sxy = (7/12)(4/3) + (1/12)(-2/3) + 4 (-1/6)(-1/6) = 28/36 - 2/36 + 4/36 = 30/36 = 5/6.
    Slope 20/11, constant 8/3 - 20/11 * 5/12 = 8/3 - 25/33 = 21/11.
    Residuals 4 - 41/11 = 3/11, 2 - 31/11 = -9/11, 2.5 - 26/11 = 3/22: chi squared
    9/121 + 81/121 + 4 * 9/484 = 99/121 = 9/11, below its one degree of freedom: errors stay.
    """
    fit = fit_rates([1.0, 2.0, 4.0], [4.0, 2.0, 2.5], [1.0, 1.0, 0.5])
    assert fit.static_power_w == pytest.approx(20 / 11)
    assert fit.dynamic_energy_j == pytest.approx(21 / 11)
    assert fit.scatter_ratio == pytest.approx(math.sqrt(9 / 11))
    assert fit.static_power_uncertainty_w == pytest.approx(math.sqrt(24 / 11))
    assert fit.dynamic_energy_uncertainty_j == pytest.approx(math.sqrt(1 / 6 + (5 / 12) ** 2 * 24 / 11))
    # A tenth of the uncertainties: the same line and, since the scatter is the same, the same errors times
    # sqrt(9/11).
    sure = fit_rates([1.0, 2.0, 4.0], [4.0, 2.0, 2.5], [0.1, 0.1, 0.05])
    assert sure.static_power_w == pytest.approx(20 / 11)
    assert sure.scatter_ratio == pytest.approx(10 * math.sqrt(9 / 11))
    assert sure.static_power_uncertainty_w == pytest.approx(math.sqrt(24 / 11) * math.sqrt(9 / 11))


def test_curve() -> None:
    """At a rate the curve is static power over it and dynamic energy."""
    fit = fit_rates([1.0, 2.0, 4.0], [12.0, 7.0, 4.5], [0.1, 0.1, 0.1])
    assert fit.energy_j(20.0) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("rates", "energies_j", "uncertainties_j", "said"),
    [
        ([], [], [], "0 different rates"),
        ([4.0, 16.0], [10.0, 5.0], [0.1, 0.1], "2 different rates"),
        ([4.0, 4.0, 4.0], [10.0, 10.1, 10.2], [0.1, 0.1, 0.1], "1 different rate;"),
        ([0.0, 1.0, 2.0], [10.0, 5.0, 3.0], [0.1, 0.1, 0.1], "a rate of 0.0"),
        ([1.0, 2.0, math.inf], [10.0, 5.0, 3.0], [0.1, 0.1, 0.1], "a rate of inf"),
        ([1.0, 2.0, 4.0], [10.0, math.nan, 3.0], [0.1, 0.1, 0.1], "nan J at 2/s"),
        ([1.0, 2.0, 4.0], [10.0, 5.0, 3.0], [0.1, 0.1, 0.0], "uncertainty of 0.0 J at 4/s"),
    ],
)
def test_what_has_no_fit(
    rates: list[float], energies_j: list[float], uncertainties_j: list[float], said: str
) -> None:
    """Fewer than three rates, or a value that can't be weighed, is refused with what it is."""
    with pytest.raises(NotMeasurable) as refused:
        fit_rates(rates, energies_j, uncertainties_j)
    assert said in str(refused.value)


def test_lengths_differ() -> None:
    """A value without its rate is a mistake of the caller."""
    with pytest.raises(ValueError, match="2 rates, 1 energies and 2 uncertainties"):
        fit_rates([1.0, 2.0], [1.0], [0.1, 0.1])
