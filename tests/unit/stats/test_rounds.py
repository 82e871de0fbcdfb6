import math
import random
from statistics import fmean

import pytest

from pytest_energy.stats.rounds import needs_more, precision_for

QUIET = (100.0, 100.2, 99.9, 100.1, 99.8, 100.0, 100.1)


def more(energies_j: tuple[float, ...], *, uncertainty_j: float = 0.0, precision: float = 0.02) -> bool:
    return needs_more(energies_j, (uncertainty_j,) * len(energies_j), precision=precision, least=5, cap=20)


def rounds_taken(cv: float, *, seed: int) -> int:
    rng = random.Random(seed)  # noqa: S311  # noise that repeats
    energies_j: list[float] = []
    while not energies_j or more(tuple(energies_j)):
        energies_j.append(100 * math.exp(rng.gauss(0, cv)))
    return len(energies_j)


@pytest.mark.parametrize("count", range(6))
def test_the_least_rounds_come_first(count: int) -> None:
    """However quiet, five rounds and one that confirms their width are taken."""
    assert more(QUIET[:count])


def test_two_narrow_intervals_in_a_row_are_enough() -> None:
    """The sixth quiet round ends it."""
    assert not more(QUIET[:6])


def test_one_narrow_interval_is_not_enough() -> None:
    """An interval that has just become narrow may be luck."""
    wide_then_narrow = (97.0, 103.0, 98.0, 102.0, 100.0, 100.0)
    assert more(wide_then_narrow[:5], precision=0.027)
    assert more(wide_then_narrow, precision=0.025)
    assert not more((*wide_then_narrow, 100.0), precision=0.025)


def test_the_cap_ends_it() -> None:
    """However noisy, no more than twenty rounds."""
    noisy = (50.0, 150.0) * 10
    assert more(noisy[:19])
    assert not more(noisy)


def test_what_more_rounds_cannot_narrow_does_not_ask_for_them() -> None:
    """Rounds whose own uncertainty is wider than the precision stop once the scatter is below it."""
    assert not more(QUIET[:6], uncertainty_j=5.0)


def test_scatter_above_the_own_uncertainty_asks_for_more() -> None:
    """An uncertainty that is small beside the scatter changes nothing."""
    assert more((90.0, 110.0, 95.0, 105.0, 100.0, 100.0), uncertainty_j=0.5)


def test_a_round_without_joules_never_looks_narrow() -> None:
    """A round of 0 J has no width: the cap decides."""
    assert more((0.0,) * 7)


@pytest.mark.parametrize(("cv", "least", "most"), [(0.01, 6, 7), (0.03, 10, 14), (0.05, 18, 20)])
def test_rounds_that_noise_takes(cv: float, least: float, most: float) -> None:
    """A CV of 1, 3 and 5 % needs about 6, 12 and 19 rounds for 2 %."""
    assert least <= fmean(rounds_taken(cv, seed=seed) for seed in range(60)) <= most


@pytest.mark.parametrize(("tolerance", "precision"), [(0.05, 0.02), (0.03, 0.015), (0.5, 0.02), (0.0, 0.0)])
def test_precision_is_half_the_tolerance_up_to_two_percent(tolerance: float, precision: float) -> None:
    """The mean is known to half of what is asked of it, and to 2 % in any case."""
    assert precision_for(tolerance) == precision
