"""Rounds of one record -> its level: all that is kept of them to compare it. Pure.

Rule 1: levels are logarithms, so that a difference is a ratio and no unit or size matters.
Rule 2: no round is deleted silently: from 8 rounds on the centre is a trimmed mean, and the plain mean stands
    beside it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.centre import centre_of, trimmed_count, z_quantile

_LEAST_CORRELATED = 12  # rounds, of all records together, that can show a correlation at all
_LARGEST_CORRELATION = 0.9  # past it rounds are one long one, and no formula of a mean holds


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEnergies:
    """The rounds of one record.

    Attributes:
        energies_j: Joules of each round, above 0, at least one.
        uncertainties_j: Standard uncertainty of each round, in joules.

    Raises:
        NotMeasurable: There is no round, or one that has no logarithm or no uncertainty.
    """

    energies_j: tuple[float, ...]
    uncertainties_j: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.energies_j:
            raise NotMeasurable("a sample without rounds can't be compared")
        if len(self.energies_j) != len(self.uncertainties_j):
            raise NotMeasurable(
                f"{len(self.energies_j)} rounds but {len(self.uncertainties_j)} uncertainties; each has one"
            )
        for energy_j, uncertainty_j in zip(self.energies_j, self.uncertainties_j, strict=True):
            if not (math.isfinite(energy_j) and energy_j > 0):
                raise NotMeasurable(f"a round reads {energy_j} J; work that ran uses more than 0 J")
            if not (math.isfinite(uncertainty_j) and uncertainty_j >= 0):
                raise NotMeasurable(
                    f"a round's uncertainty reads {uncertainty_j} J; it is finite and not negative"
                )

    def part(self, start: int, stop: int) -> "RoundEnergies":
        """The rounds from number *start* on, to the one before number *stop*."""
        return RoundEnergies(
            energies_j=self.energies_j[start:stop], uncertainties_j=self.uncertainties_j[start:stop]
        )

    @property
    def relative_uncertainty(self) -> float:
        """Mean over the rounds of uncertainty over energy: what is left if all of it is common to them."""
        pairs = zip(self.energies_j, self.uncertainties_j, strict=True)
        return fmean([uncertainty_j / energy_j for energy_j, uncertainty_j in pairs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Where the rounds of one record lie, in logarithms.

    Attributes:
        centre: (Trimmed) mean of ln x over the rounds.
        plain: ln of the plain mean of x: a few large rounds count in it.
        repeated: The same if the largest round came once more: one rare round may as well be two. As *plain*
            where rounds are too few for any to be left out of *centre*.
        variance: Of ln x of one round; that of the centre is this over *count*. 0 for one round.
        df: Degrees of freedom of *variance*.
        count: Rounds.
        own_sd: Mean relative standard uncertainty of the rounds, which does not average away.
        squares: Sum of squared deviations of ln x from their mean.
        lags: Sum of products of neighbouring deviations.
        session_count: Sessions that it is the mean of.
    """

    centre: float
    plain: float
    repeated: float
    variance: float
    df: int
    count: int
    own_sd: float
    squares: float
    lags: float
    session_count: int = 1

    @property
    def value(self) -> float:
        """The centre as a value: (trimmed) geometric mean."""
        return math.exp(self.centre)


def level_of(values: Sequence[float], own_sd: float = 0.0, first_count: int | None = None) -> Level:
    """The level of *values*, each above 0, at least one; their relative uncertainty is *own_sd*.

    The first *first_count* of them were taken together, the others later: neighbours are looked for in each
    of the two alone.
    """
    logs = [math.log(value) for value in values]
    centre, plain = centre_of(logs), math.log(fmean(values))
    split = len(logs) if first_count is None else first_count
    deviations = [_deviations(batch) for batch in (logs[:split], logs[split:]) if batch]
    return Level(
        centre=centre.centre,
        plain=plain,
        repeated=math.log(fmean([*values, max(values)])) if trimmed_count(len(values)) else plain,
        variance=centre.variance,
        df=centre.df,
        count=centre.count,
        own_sd=own_sd,
        squares=math.fsum([one**2 for batch in deviations for one in batch]),
        lags=math.fsum([one * after for batch in deviations for one, after in pairwise(batch)]),
    )


def _deviations(values: Sequence[float]) -> list[float]:
    middle = fmean(values)
    return [value - middle for value in values]


def rounds_level(rounds: RoundEnergies, first_count: int | None = None) -> Level:
    """The level of *rounds*; *first_count* as in `level_of`."""
    return level_of(rounds.energies_j, rounds.relative_uncertainty, first_count)


def mean_level(levels: Sequence[Level]) -> Level:
    """The level of several sessions at once: the mean of theirs, each session one vote.

    Its variance is that of one round of so many that the variance of the mean comes out.
    """
    if len(levels) == 1:
        return levels[0]
    count, sessions = sum(level.count for level in levels), len(levels)
    of_mean = math.fsum(level.variance / level.count for level in levels) / sessions**2
    return Level(
        centre=fmean(level.centre for level in levels),
        plain=fmean(level.plain for level in levels),
        repeated=fmean(level.repeated for level in levels),
        variance=of_mean * count,
        df=sum(level.df for level in levels),
        count=count,
        own_sd=math.hypot(*(level.own_sd for level in levels)) / sessions,
        squares=math.fsum(level.squares for level in levels),
        lags=math.fsum(level.lags for level in levels),
        session_count=sum(level.session_count for level in levels),
    )


def correlation_factor(levels: Iterable[Level]) -> float:
    """By how much the variance of a mean grows because rounds that follow one another are alike; at least 1.

    The lag-1 correlation r is pooled over *levels* and freed of the bias that their own means bring. It
    counts where chance doesn't explain it (one-sided 1 %).

    Source:
        (1 + r) / (1 - r) for a first-order process; bias: Marriott and Pope 1954, Biometrika 41, 390;
        standard error 1 / sqrt(n) of an uncorrelated series: Bartlett 1946, JRSS Supplement 8, 27.
    """
    used = [level for level in levels if level.count > 1 and level.squares > 0]
    count = sum(level.count for level in used)
    if count < _LEAST_CORRELATED:
        return 1.0
    raw = math.fsum(level.lags for level in used) / math.fsum(level.squares for level in used)
    mean_count = count / len(used)
    correlation = raw + (1 + 3 * max(0.0, raw)) / mean_count
    if correlation <= z_quantile(0.01) / math.sqrt(count):
        return 1.0
    correlation = min(correlation, _LARGEST_CORRELATION)
    return (1 + correlation) / (1 - correlation)
