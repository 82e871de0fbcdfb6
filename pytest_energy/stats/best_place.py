"""Which of several settings uses the fewest joules, and which may. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule
from pytest_energy.stats.centre import z_quantile

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")

RESAMPLE_COUNT = 4000  # the ends of a 95 % interval then rest on a hundred resamples each
_TAIL = 0.025
_SEED = 1  # fixed, so that a report that is written twice is the same


def best_range(values: Sequence[float], upper_ends: Sequence[float]) -> tuple[int, int]:
    """The first and the last place that may hold the smallest of *values*: a 95 % interval, in their order.

    A parametric bootstrap: each value is drawn from the normal distribution that its interval describes, and
    the places of the smallest are kept. What is common to all values is drawn for each of them, so the
    interval is rather too wide than too narrow.

    Args:
        values: Means, at least one, in the order of the setting.
        upper_ends: Of the 95 % interval of each.

    Source:
        Efron and Tibshirani 1993, An Introduction to the Bootstrap, sections 6.5 and 13.3.

    >>> best_range([3.0, 1.0, 1.01, 2.0], [3.1, 1.1, 1.11, 2.1])
    (1, 2)
    """
    means = np.asarray(values, dtype=np.float64)
    errors = (np.asarray(upper_ends, dtype=np.float64) - means) / z_quantile(_TAIL)
    draws = np.random.default_rng(_SEED).normal(means, errors, size=(RESAMPLE_COUNT, len(means)))
    first, last = np.quantile(draws.argmin(axis=1), (_TAIL, 1 - _TAIL), method="inverted_cdf")
    return int(first), int(last)
