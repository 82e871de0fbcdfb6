"""Where values lie and how well that is known. Pure.

Rule 1: no value is deleted silently: from 8 values on the mean is trimmed, and how many it leaves out stands
    beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist, fmean
from typing import Literal

from pytest_energy.stats.student import t_quantile

TRIM_FROM_COUNT = 8
"""From this many values a 20 % trim takes at least one at each end and leaves six."""

TRIM_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """A mean, trimmed or not.

    Attributes:
        variance: Of one value: that of the mean is this over *count*. 0 where one value has none.
        df: Degrees of freedom of *variance*.
        count: Values, those that the trimmed mean leaves out among them.
    """

    centre: float
    variance: float
    df: int
    count: int

    @property
    def centre_variance(self) -> float:
        return self.variance / self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What the bounds of a mean rest on.

    Attributes:
        source: Where the spread of the values is from: they show it themselves; there is one value, and the
            baseline shows it; nothing shows it, and a usual one is assumed.
        count: Values: rounds, or pairs of them.
        trimmed_count: Values that the mean leaves out at each end.
    """

    source: Literal["own", "baseline", "assumed"]
    count: int
    trimmed_count: int = 0


def spread_of(count: int, *, has_baseline: bool = False) -> Spread:
    """What bounds rest on: *count* values, and a baseline if it shows a spread."""
    source: Literal["baseline", "assumed"] = "baseline" if has_baseline else "assumed"
    return Spread(source="own" if count > 1 else source, count=count, trimmed_count=trimmed_count(count))


def trimmed_count(count: int) -> int:
    """Values that are set aside at each end of *count* before the mean is taken."""
    return int(TRIM_SHARE * count) if count >= TRIM_FROM_COUNT else 0


def centre_of(values: Sequence[float]) -> Centre:
    """Mean of *values* below 8, from there the 20 % trimmed mean with its winsorised variance.

    Source:
        Yuen 1974, Biometrika 61, 165: variance of the trimmed mean (n-1) s_w^2 / (h (h-1)), h - 1 degrees of
        freedom, h values left.
    """
    count, cut = len(values), trimmed_count(len(values))
    if cut == 0:
        return plain_centre_of(values)
    kept = sorted(values)[cut:-cut]
    winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
    centre_variance = (count - 1) * variance(winsorised) / (len(kept) * (len(kept) - 1))
    return Centre(
        centre=fmean(kept),
        variance=centre_variance * count,
        df=len(kept) - 1,
        count=count,
    )


def variance(values: Sequence[float]) -> float:
    """Of two *values* or more; in floats: the exact fractions of `statistics` take ten times as long."""
    middle = fmean(values)
    return math.fsum([(value - middle) ** 2 for value in values]) / (len(values) - 1)


def plain_centre_of(values: Sequence[float]) -> Centre:
    """Mean of all *values*."""
    df = len(values) - 1
    return Centre(centre=fmean(values), variance=variance(values) if df else 0.0, df=df, count=len(values))


@lru_cache(maxsize=64)  # of the same few tails for all tests
def z_quantile(tail: float) -> float:
    """The value that a standard normal variable passes with chance *tail*."""
    return -NormalDist().inv_cdf(tail)


def half_width(scatter_variance: float, df: float, own_sd: float, tail: float) -> float:
    """Distance from a mean to a bound that the truth passes with chance *tail*.

    Args:
        scatter_variance: Variance of the mean, estimated with *df* degrees of freedom.
        df: 0 where it is assumed, and so known: the normal quantile then stands in for Student's.
        own_sd: Standard uncertainty that does not average away.
        tail: Chance of one side.

    Source:
        JCGM 100:2008 (GUM), sections 5.1 and 5.2: what is independent adds in squares.
    """
    quantile = t_quantile(df, tail) if df else z_quantile(tail)
    return math.hypot(quantile * math.sqrt(scatter_variance), z_quantile(tail) * own_sd)
