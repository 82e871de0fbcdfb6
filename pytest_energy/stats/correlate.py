"""Spearman's rho with an honest p. Pure.

Rule 1: a rho says nothing without its number of rows: below five rows there is no p and no interval.
Rule 2: p comes from permutations, of all of them up to nine rows. The t approximation gives p = 0 for three
    perfectly ranked rows; exactly it is 1/3.
Rule 3: no rho is `None` with its reason, never 0.

One row a model or configuration: rounds or epochs of one model are not independent rows. Rows that share a
factor, such as the models of a table of models and rates, are not independent either: name the factors.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, permutations
from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ranks = NDArray[np.int64]
    Counts = NDArray[np.int64]
else:
    np = LazyModule("numpy")

LEAST_ROW_COUNT = 5
"""With four rows the smallest two-sided p is 1/12: nothing could be significant at 5 %."""

MOST_EXACT_ROW_COUNT = 9
"""9! = 362 880 orders take about 0.1 s; 10! would take ten times that."""

PERMUTATION_COUNT = 9_999
"""Standard error of a p near 5 %: 0.2 points."""

RESAMPLE_COUNT = 2_000
"""Enough for the 2.5 % ends of an interval: 50 resamples lie beyond each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """Spearman's rank correlation of two columns.

    Attributes:
        rho: -1 to 1, or `None`; then *note* says why.
        n: Rows.
        p_exact: Two-sided p over all orders of the rows, or `None` outside 5 to 9 rows.
        p_monte_carlo: Two-sided p over random orders, from 10 rows on.
        ci: 95 % bootstrap interval over rows, or `None`.
        note: What a reader should know, or empty.
    """

    rho: float | None
    n: int
    p_exact: float | None = None
    p_monte_carlo: float | None = None
    ci: tuple[float, float] | None = None
    note: str = ""


def spearman(
    x: Sequence[float], y: Sequence[float], *, seed: int, factors: Sequence[Sequence[str]] = ()
) -> Correlation:
    """Rank correlation of *x* and *y*, tied values sharing their mean rank.

    Args:
        x: One value a row.
        y: One value a row, in the same order.
        seed: Of the random orders and resamples; the same seed gives the same numbers.
        factors: What rows share, each as one label a row. The interval then resamples the labels of each
            factor, and there is no p: orders of single rows would be as unlike the table as single rows are.

    Raises:
        ValueError: *x* and *y* differ in length.

    Source:
        Spearman 1904, American Journal of Psychology 15, 72. Bootstrap: Efron 1979, Annals of Statistics 7,
        1. Factors: Owen 2007, The pigeonhole bootstrap, Annals of Applied Statistics 1, 386. With a handful
        of labels such an interval is rough.
    """
    if len(x) != len(y):
        raise ValueError(f"{len(x)} values against {len(y)}; each row has one of each")
    n = len(x)
    if n < 2:
        return Correlation(rho=None, n=n, note=f"too few rows to rank: {n}")
    if not all(math.isfinite(value) for value in (*x, *y)):
        return Correlation(rho=None, n=n, note="a value is not finite and has no rank")
    x_ranks, y_ranks = doubled_ranks(x), doubled_ranks(y)
    rho = _rho(x_ranks, y_ranks)
    if rho is None:
        constant = "both columns are" if len({*x}) == len({*y}) == 1 else "one column is"
        return Correlation(rho=None, n=n, note=f"{constant} constant: there is no order to compare")
    if n < LEAST_ROW_COUNT:
        return Correlation(rho=rho, n=n, note="too few rows to judge")
    return _judged(rho, x_ranks, y_ranks, seed, factors)


def _judged(
    rho: float, x_ranks: "Ranks", y_ranks: "Ranks", seed: int, factors: Sequence[Sequence[str]]
) -> Correlation:
    """*rho* with its interval, and its p where rows are independent."""
    n = len(x_ranks)
    ci = middle(resampled_rhos(x_ranks, y_ranks, resample_counts(n, factors, seed)))
    found = Correlation(rho=rho, n=n, ci=ci)
    if factors:
        return replace(found, note="no p: rows share factors")
    if n <= MOST_EXACT_ROW_COUNT:
        return replace(found, p_exact=_exact_p(x_ranks, y_ranks))
    note = f"p from {PERMUTATION_COUNT} random orders, seed {seed}"
    return replace(found, p_monte_carlo=_monte_carlo_p(x_ranks, y_ranks, seed), note=note)


def doubled_ranks(values: Sequence[float]) -> "Ranks":
    """Twice the mean rank of each value: whole numbers, so that sums of products are exact."""
    _, places, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    doubled = 2 * np.cumsum(counts) - counts + 1
    ranks: Ranks = doubled[places].astype(np.int64)
    return ranks


def centred_products(x_ranks: "Ranks", y_ranks: "Ranks") -> "Ranks":
    """Sum over the last axis of the products of doubled ranks, less what independence would give."""
    n = y_ranks.shape[-1]
    products: Ranks = (x_ranks * y_ranks).sum(axis=-1) - n * (n + 1) ** 2
    return products


def _rho(x_ranks: "Ranks", y_ranks: "Ranks") -> float | None:
    """Pearson's correlation of the ranks; `None` when one side is constant."""
    x_square, y_square = int(centred_products(x_ranks, x_ranks)), int(centred_products(y_ranks, y_ranks))
    if x_square == 0 or y_square == 0:
        return None
    return int(centred_products(x_ranks, y_ranks)) / math.sqrt(x_square * y_square)


def _exact_p(x_ranks: "Ranks", y_ranks: "Ranks") -> float:
    """Share of all orders of the rows whose |rho| is at least the one seen."""
    product = abs(int(centred_products(x_ranks, y_ranks)))
    ranks = chain.from_iterable(permutations(x_ranks.tolist()))
    orders = np.fromiter(ranks, dtype=np.int64).reshape(-1, len(x_ranks))
    return float((abs(centred_products(orders, y_ranks)) >= product).mean())


def _monte_carlo_p(x_ranks: "Ranks", y_ranks: "Ranks", seed: int) -> float:
    """As `_exact_p` from random orders; the order seen is one of them, so p is never 0.

    Source:
        Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9, 39.
    """
    orders = np.random.default_rng(seed).permuted(np.tile(x_ranks, (PERMUTATION_COUNT, 1)), axis=1)
    as_extreme = abs(centred_products(orders, y_ranks)) >= abs(int(centred_products(x_ranks, y_ranks)))
    return (1 + int(as_extreme.sum())) / (1 + PERMUTATION_COUNT)


def resample_counts(n: int, factors: Sequence[Sequence[str]], seed: int) -> "Counts":
    """How often each of *n* rows is in each resample: of rows, or of the labels of all *factors*."""
    return _resample_counts(n, tuple(map(tuple, factors)), seed)


@lru_cache(maxsize=16)
def _resample_counts(n: int, factors: tuple[tuple[str, ...], ...], seed: int) -> "Counts":
    """Remembered: every metric of a table has the same rows."""
    if factors:
        return _crossed_counts(factors, seed)
    counts: Counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLE_COUNT)
    return counts


def _crossed_counts(factors: Sequence[Sequence[str]], seed: int) -> "Counts":
    """How often each row is in each resample of the labels of all *factors*: as often as its labels meet."""
    rng = np.random.default_rng(seed)
    counts: Counts = np.ones((RESAMPLE_COUNT, len(factors[0])), dtype=np.int64)
    for labels in factors:
        levels, places = np.unique(np.asarray(labels), return_inverse=True)
        shares = np.full(len(levels), 1 / len(levels))
        counts = counts * rng.multinomial(len(levels), shares, size=RESAMPLE_COUNT)[:, places]
    return counts


def resampled_rhos(x_ranks: "Ranks", y_ranks: "Ranks", counts: "Counts") -> "NDArray[np.float64]":
    """Rho of each resample, NaN for one without an order.

    How often each row is in each resample suffices: ranks and products then need no resampled columns.
    """
    # As floats, whose products are fast and, of whole numbers below 2^53, exact.
    weights = counts.astype(np.float64)
    totals = weights.sum(axis=1)

    def resampled(ranks: "Ranks") -> "NDArray[np.float64]":
        """Doubled rank of each row's value among the rows of each resample."""
        below, equal = ranks[:, None] < ranks, ranks[:, None] == ranks
        doubled: NDArray[np.float64] = weights @ (2.0 * below + equal) + 1
        return doubled

    x, y, expected = resampled(x_ranks), resampled(y_ranks), totals * (totals + 1) ** 2
    products, x_squares, y_squares = (
        (weights * a * b).sum(axis=1) - expected for a, b in ((x, y), (x, x), (y, y))
    )
    has_order = (x_squares > 0) & (y_squares > 0)
    rhos = np.full(len(weights), np.nan)
    rhos[has_order] = products[has_order] / np.sqrt(x_squares[has_order] * y_squares[has_order])
    return rhos


def middle(values: "NDArray[np.float64]") -> tuple[float, float] | None:
    """Middle 95 % of *values*, without those that are NaN; `None` if all are."""
    known = values[~np.isnan(values)]
    if not known.size:
        return None
    lower, upper = np.quantile(known, (0.025, 0.975))
    return float(lower), float(upper)
