"""Energy per request at any rate: a constant power shared by the requests, and joules of each. Pure.

Rule 1: only rates that the server keeps up with belong in a fit; past saturation the queue, not the rate,
    tells how many requests share a second.
Rule 2: two constants take three rates at least: through two every curve passes, and nothing tells its error.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_energy.errors import NotMeasurable

LEAST_RATE_COUNT = 3
"""Two constants leave one degree of freedom, the fewest that an error can be told from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateFit:
    """J/request = static power / rate + dynamic energy.

    Attributes:
        static_power_w: Power that is there whatever the rate.
        static_power_uncertainty_w: Its standard error.
        dynamic_energy_j: Joules that each further request takes.
        dynamic_energy_uncertainty_j: Its standard error.
        rate_count: Points that the fit is of.
        scatter_ratio: Scatter about the curve over what the points' own uncertainties explain; above 1 the
            standard errors have been multiplied by it.
    """

    static_power_w: float
    static_power_uncertainty_w: float
    dynamic_energy_j: float
    dynamic_energy_uncertainty_j: float
    rate_count: int
    scatter_ratio: float

    def energy_j(self, rate: float) -> float:
        """Joules of a request at *rate* requests a second.

        >>> fit = fit_rates([1.0, 2.0, 4.0], [12.0, 7.0, 4.5], [0.1, 0.1, 0.1])
        >>> round(fit.energy_j(10.0), 9)
        3.0
        """
        return self.static_power_w / rate + self.dynamic_energy_j


def fit_rates(
    rates: Sequence[float], energies_j: Sequence[float], uncertainties_j: Sequence[float]
) -> RateFit:
    """Weighted least squares of joules a request on seconds a request, each weight 1 / uncertainty squared.

    Args:
        rates: Requests a second, above 0, three different ones at least.
        energies_j: Joules of a request at each.
        uncertainties_j: Standard uncertainty of each, above 0.

    Raises:
        NotMeasurable: There are fewer than three rates, or a value that can't be weighed.
        ValueError: The three differ in length.

    Source:
        Weighted straight line: Press et al., Numerical Recipes, 3rd ed., section 15.2. Scaled errors: Birge
        1932, Physical Review 40, 207.

    >>> fit = fit_rates([1.0, 2.0, 4.0], [12.0, 7.0, 4.5], [0.1, 0.1, 0.1])
    >>> round(fit.static_power_w, 9), round(fit.dynamic_energy_j, 9)
    (10.0, 2.0)
    """
    if not len(rates) == len(energies_j) == len(uncertainties_j):
        raise ValueError(
            f"{len(rates)} rates, {len(energies_j)} energies and {len(uncertainties_j)} uncertainties; each "
            "point has one of each"
        )
    _check(rates, energies_j, uncertainties_j)
    spacings_s = [1 / rate for rate in rates]
    weights = [1 / uncertainty_j**2 for uncertainty_j in uncertainties_j]
    total = math.fsum(weights)
    mean_s, mean_j = fmean(spacings_s, weights), fmean(energies_j, weights)
    spread = math.fsum(w * (s - mean_s) ** 2 for w, s in zip(weights, spacings_s, strict=True))
    points = list(zip(weights, spacings_s, energies_j, strict=True))
    power_w = math.fsum(w * (s - mean_s) * (e - mean_j) for w, s, e in points) / spread
    dynamic_j = mean_j - power_w * mean_s
    chi_squared = math.fsum(w * (e - dynamic_j - power_w * s) ** 2 for w, s, e in points)
    scatter_ratio = math.sqrt(chi_squared / (len(rates) - 2))
    scale = max(1.0, scatter_ratio)
    return RateFit(
        static_power_w=power_w,
        static_power_uncertainty_w=scale / math.sqrt(spread),
        dynamic_energy_j=dynamic_j,
        dynamic_energy_uncertainty_j=scale * math.sqrt(1 / total + mean_s**2 / spread),
        rate_count=len(rates),
        scatter_ratio=scatter_ratio,
    )


def _check(rates: Sequence[float], energies_j: Sequence[float], uncertainties_j: Sequence[float]) -> None:
    count = len(set(rates))
    if count < LEAST_RATE_COUNT:
        raise NotMeasurable(
            f"{count} different {'rate' if count == 1 else 'rates'}; static power and dynamic energy take "
            f"{LEAST_RATE_COUNT} below saturation"
        )
    for rate, energy_j, uncertainty_j in zip(rates, energies_j, uncertainties_j, strict=True):
        if not (math.isfinite(rate) and rate > 0):
            raise NotMeasurable(f"a rate of {rate} requests a second; it is finite and above 0")
        if not math.isfinite(energy_j):
            raise NotMeasurable(f"a request of {energy_j} J at {rate:g}/s; joules are finite")
        if not (math.isfinite(uncertainty_j) and uncertainty_j > 0):
            raise NotMeasurable(
                f"a standard uncertainty of {uncertainty_j} J at {rate:g}/s; a weight takes one above 0"
            )
