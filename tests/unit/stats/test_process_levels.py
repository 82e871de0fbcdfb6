"""How far processes are apart: from a prior, from a test's own blocks and from those of the others."""

import math
import random
from statistics import variance

import pytest

from pytest_energy.stats.process_levels import (
    MOST_SUITE_DF,
    PRIOR_LEVELS,
    PRIOR_PROCESS_DF,
    PRIOR_PROCESS_SD,
    BlockSpread,
    levels_of_others,
)

STEP = 2 ** (1 / 8)  # of what a standard deviation is told by


def spread(sd: float, *, noise_sd: float = 0.0001, df: int = 2) -> BlockSpread:
    return BlockSpread(variance=sd**2, noise=noise_sd**2, df=df)


def sd_of(levels_variance: float) -> float:
    return math.sqrt(levels_variance)


def test_the_prior_is_that_of_two_processes() -> None:
    """A difference has the variance of both of its sides."""
    assert PRIOR_LEVELS.variance == pytest.approx(2 * PRIOR_PROCESS_SD**2)


def test_one_block_adds_nothing() -> None:
    """A spread without degrees of freedom leaves the prior as it is."""
    assert PRIOR_LEVELS.updated([spread(0.0, df=0)]) == PRIOR_LEVELS


def test_without_noise_it_is_the_shrunk_variance() -> None:
    """The mode is the weighted mean of prior and spread, weights their degrees of freedom."""
    known = PRIOR_LEVELS.updated([spread(0.02, noise_sd=1e-9, df=6)])
    wanted = (PRIOR_PROCESS_DF * PRIOR_LEVELS.variance + 6 * 0.02**2) / (PRIOR_PROCESS_DF + 6)
    assert sd_of(known.variance) == pytest.approx(math.sqrt(wanted), rel=STEP - 1)
    assert known.df == pytest.approx(PRIOR_PROCESS_DF + 6)


def test_a_noisy_test_says_little() -> None:
    """Blocks whose own noise explains their spread leave the prior nearly as it is."""
    known = PRIOR_LEVELS.updated([spread(0.05, noise_sd=0.05)])
    assert sd_of(known.variance) == pytest.approx(sd_of(PRIOR_LEVELS.variance), rel=0.1)
    assert known.df < PRIOR_PROCESS_DF + 0.1


def test_a_spread_far_above_its_noise_is_believed() -> None:
    """A test's own blocks are never too far apart to count."""
    known = PRIOR_LEVELS.updated([spread(0.2, noise_sd=0.001)])
    assert sd_of(known.variance) > 0.1


@pytest.mark.parametrize("truth_sd", [0.002, 0.02])
def test_many_tests_find_the_truth(truth_sd: float) -> None:
    """Forty tests of three blocks know it to a fifth, be it far from the prior."""
    rng = random.Random(11)  # noqa: S311  # noise that repeats
    noise_sd = 0.001
    spreads = []
    for _ in range(40):
        centres = [rng.gauss(0.0, math.hypot(truth_sd, noise_sd)) for _ in range(3)]
        spreads.append(BlockSpread(variance=variance(centres), noise=noise_sd**2, df=2))
    for known in levels_of_others(spreads):
        assert sd_of(known.variance) == pytest.approx(truth_sd, rel=0.2)
        assert known.df == PRIOR_PROCESS_DF + MOST_SUITE_DF


def test_a_test_is_not_among_its_others() -> None:
    """What a test's own blocks show stands in the levels of the others alone."""
    mine, *others = levels_of_others([spread(0.05), spread(0.0)])
    assert mine.variance < PRIOR_LEVELS.variance < others[0].variance


def test_a_test_alone_has_the_prior() -> None:
    """A suite of one test shows nothing that its own blocks don't."""
    (known,) = levels_of_others([spread(0.05)])
    assert known == PRIOR_LEVELS


def test_one_wild_test_does_not_blind_the_others() -> None:
    """Ten quiet tests and one that is far off: the others' levels are moved by less than half."""
    quiet = [spread(0.003)] * 10
    calm = levels_of_others(quiet)[0]
    beside_wild = levels_of_others([*quiet, spread(0.5)])[0]
    assert calm.variance < beside_wild.variance
    assert sd_of(beside_wild.variance) < 1.5 * sd_of(calm.variance)


def test_no_tests_have_no_levels() -> None:
    """An empty suite is no error."""
    assert levels_of_others([]) == ()
