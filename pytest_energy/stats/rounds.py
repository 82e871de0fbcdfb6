"""How many more rounds a mean needs. Pure.

Rule 1: the width of the interval decides, never the verdict: to stop when the verdict pleases is peeking.
Rule 2: one narrow interval may be luck, so two in a row are asked for.
"""

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.centre import z_quantile
from pytest_energy.stats.compare import summarise

WIDEST_PRECISION = 0.02
"""Above a tolerance of 4 % a better mean than this buys little: the noise between sessions is the larger."""


def precision_for(tolerance: float) -> float:
    """Relative half-width of the mean's 95 % interval that is good enough to judge *tolerance*.

    >>> precision_for(0.05)
    0.02
    >>> precision_for(0.01)
    0.005
    """
    return min(WIDEST_PRECISION, tolerance / 2)


def relative_half_width(energies_j: Sequence[float], uncertainties_j: Sequence[float]) -> float | None:
    """Half-width of the mean's 95 % interval as a share of the mean; `None` while it is unknown."""
    if len(energies_j) < 2:
        return None
    try:
        summary = summarise(energies_j, uncertainties_j)
    except NotMeasurable:
        return None
    return (summary.energy_ci_j[1] - summary.energy_j) / summary.energy_j


def is_flat(before_j: float, after_j: float, *, precision: float) -> bool:
    """Whether two warm-up rounds in a row agree within *precision*, so that the next may count.

    A ramp of 4 % with a time constant of six rounds leaves a bias of 2 % in ten rounds if none is dropped.

    >>> is_flat(102.0, 101.0, precision=0.02)
    True
    """
    return abs(after_j - before_j) <= precision * after_j


def calls_for(uncertainty_share: float, *, precision: float) -> int:
    """Calls of the work in one round, so that a round is known to a quarter of *precision*.

    What a window doesn't know lies at its edges, so its share of one call's joules falls as the round gets
    longer.

    >>> calls_for(0.02, precision=0.02)
    4
    """
    if precision <= 0:
        return 1
    return max(1, math.ceil(uncertainty_share / (precision / 4)))


def needs_more(
    energies_j: Sequence[float], uncertainties_j: Sequence[float], *, precision: float, least: int, cap: int
) -> bool:
    """Whether another round should be taken.

    Args:
        energies_j: Joules of the rounds so far, in order.
        uncertainties_j: Their standard uncertainties, in joules.
        precision: Relative half-width of the mean's 95 % interval that is good enough.
        least: Rounds that come first in any case; the width is looked at from there on.
        cap: Rounds after which no more are taken.

    Source:
        Fixed-width sequential interval: Chow and Robbins 1965, Annals of Mathematical Statistics 36, 457.
    """

    def is_narrow(count: int) -> bool:
        """Whether the interval is within *precision*, or what is left of it is not for rounds to narrow."""
        try:
            summary = summarise(energies_j[:count], uncertainties_j[:count])
        except NotMeasurable:  # a round of 0 J: no width is known, the cap ends it
            return False
        half_j = summary.energy_ci_j[1] - summary.energy_j
        own_half_j = z_quantile(0.025) * fmean(uncertainties_j[:count])
        scatter_half_j = math.sqrt(max(0.0, half_j**2 - own_half_j**2))
        return half_j <= precision * summary.energy_j or scatter_half_j <= own_half_j

    return wants_another(len(energies_j), is_narrow, least=least, cap=cap)


def wants_another(count: int, is_narrow: Callable[[int], bool], *, least: int, cap: int) -> bool:
    """Whether after *count* rounds or pairs another is wanted; *least* and *cap* as for `needs_more`.

    *is_narrow* tells whether the interval of the first so many is narrow enough.
    """
    if least < count < cap:
        return not (is_narrow(count - 1) and is_narrow(count))
    return count < cap
