"""How far two processes that run the same code are apart. Pure.

Rule 1: what blocks of fresh processes show of it is little, for one test; so a stated prior is added,
    and what the other tests of the suite show.
Rule 2: with v the variance between blocks, s_b^2 the variance of a test's K block centres, k what the noise
    within blocks adds to it, and the prior worth nu0 degrees of freedom at v0, v is where

        -nu0 (ln v + v0 / v) - sum over tests of (K - 1) (ln(v + k) + s_b^2 / (v + k))

    is largest. A test whose noise is large says little by that, and not that processes are alike.
Rule 3: for the other tests, a test whose blocks are further apart than those of one in a hundred pulls as one
    that is just so far: from there on its s_b^2 / (v + k) counts by its logarithm.

Source:
    Posterior mode of a variance with a scaled inverse chi-square prior: Gelman et al., Bayesian Data
    Analysis, 3rd ed., sections 2.6 and 13.5. Its information, (K - 1) (v / (v + k))^2 in degrees of freedom:
    Searle, Casella and McCulloch, Variance Components, section 3.5. Bounded pull: Huber 1964, Annals of
    Mathematical Statistics 35, 73. Constants: simulated for this project.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

PRIOR_PROCESS_SD = 0.003
"""Standard deviation in ln J between processes that run the same code one after the other on one board."""

PRIOR_PROCESS_SECONDS_SD = 0.01
"""The same of the seconds of a round: on a shared host one process may be dealt worse cores than another."""

FARTHEST_PROCESS_SD = 0.014
"""The largest that a test's processes had on one board: what one block is compared with, which shows none."""

PRIOR_PROCESS_DF = 2
"""How many degrees of freedom the prior is worth: as many as three blocks show by themselves."""

MOST_SUITE_DF = 6
"""How many degrees of freedom the other tests add at the most: tests differ, and share their processes."""

_FAR_OFF = 4.6  # of chi-square over its degrees of freedom, at 2 of them: the hundredth of rule 3
_STEPS = range(-24, 65)  # eighths of an octave around the prior's: 0.05 % to 108 %


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpread:
    """How far a test's blocks are apart.

    Attributes:
        variance: Of the blocks' centres; 0 of one block.
        noise: What the scatter within blocks adds to it.
        df: Degrees of freedom of *variance*: blocks less one.
    """

    variance: float
    noise: float
    df: int

    def log_likelihood(self, level_variance: float, *, farthest: float = math.inf) -> float:
        """Of a *level_variance* between blocks, twice, less a constant: one term of rule 2.

        A spread that is more than *farthest* times what was to be expected pulls no more than one that is.
        """
        whole = level_variance + self.noise
        times = self.variance / whole
        if times > farthest:
            times = farthest * (1 + math.log(times / farthest))
        return -self.df * (math.log(whole) + times)

    def information(self, level_variance: float) -> float:
        """What these blocks say of it, in degrees of freedom."""
        return self.df * (level_variance / (level_variance + self.noise)) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLevels:
    """What is known of the variance, in ln J, of the difference of two processes.

    Attributes:
        df: How many degrees of freedom that is worth.
    """

    variance: float
    df: float

    def log_prior(self, level_variance: float) -> float:
        return -self.df * (math.log(level_variance) + self.variance / level_variance)

    def updated(self, spreads: Sequence[BlockSpread]) -> "ProcessLevels":
        """With what *spreads* say as well: rule 2."""

        def log_posterior(level_variance: float) -> float:
            likelihoods = (spread.log_likelihood(level_variance) for spread in spreads)
            return self.log_prior(level_variance) + math.fsum(likelihoods)

        best = max(_GRID, key=log_posterior)
        return ProcessLevels(
            variance=best, df=self.df + math.fsum(spread.information(best) for spread in spreads)
        )


PRIOR_LEVELS = ProcessLevels(variance=2 * PRIOR_PROCESS_SD**2, df=PRIOR_PROCESS_DF)

PRIOR_SECONDS_LEVELS = ProcessLevels(variance=2 * PRIOR_PROCESS_SECONDS_SD**2, df=PRIOR_PROCESS_DF)

_FARTHEST_DF = 30  # known, not guessed: it is an upper end


def farthest(prior: ProcessLevels) -> ProcessLevels:
    """As far apart as processes are at the most, where those of *prior* are usual."""
    times = (FARTHEST_PROCESS_SD / PRIOR_PROCESS_SD) ** 2
    return ProcessLevels(variance=times * prior.variance, df=_FARTHEST_DF)


_GRID = tuple(PRIOR_LEVELS.variance * 2 ** (step / 4) for step in _STEPS)


def levels_of_others(
    spreads: Sequence[BlockSpread], prior: ProcessLevels = PRIOR_LEVELS
) -> tuple[ProcessLevels, ...]:
    """For each test, what *prior* and all other tests say.

    The tests share their processes and yet differ: all of them together are worth a few degrees of freedom.
    """
    by_test = [[one.log_likelihood(level, farthest=_FAR_OFF) for level in _GRID] for one in spreads]
    of_all = [math.fsum(column) for column in zip(*by_test, strict=True)]
    informations = [math.fsum(one.information(level) for one in spreads) for level in _GRID]
    return tuple(
        _without(one, own, of_all, informations, prior) for one, own in zip(spreads, by_test, strict=True)
    )


def _without(
    spread: BlockSpread,
    own: Sequence[float],
    of_all: Sequence[float],
    informations: Sequence[float],
    prior: ProcessLevels,
) -> ProcessLevels:
    """What is known without the test of *spread*, from the sums over all tests at each level."""
    posterior = [
        prior.log_prior(level) + everything - mine
        for level, everything, mine in zip(_GRID, of_all, own, strict=True)
    ]
    place = posterior.index(max(posterior))
    suite_df = informations[place] - spread.information(_GRID[place])
    return ProcessLevels(variance=_GRID[place], df=prior.df + min(MOST_SUITE_DF, suite_df))
