"""Rank correlation of rows in blocks, such as machines or models, and Kendall's tau. Pure.

Rule 1: rows of two blocks are never ranked with one another: joules of two machines differ by more than any
    metric explains. The rho of all blocks is the mean of theirs, each weighted by its rows less 1.
Rule 2: p is of orders within blocks, all of them up to six rows a block. So blocks may differ in any way.
Rule 3: the weight of a block is that of its rows, so a block without an order has no say.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, permutations
from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule
from pytest_energy.stats.correlate import (
    LEAST_ROW_COUNT,
    PERMUTATION_COUNT,
    Correlation,
    centred_products,
    doubled_ranks,
    middle,
    resample_counts,
    resampled_rhos,
    spearman,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pytest_energy.stats.correlate import Counts, Ranks
else:
    np = LazyModule("numpy")


MOST_EXACT_ROW_COUNT = 6
"""Of a block: it has 720 orders, whose sums are joined with those of other blocks. Eight rows take 0.1 s."""


@dataclass(frozen=True, slots=True)
class _Block:
    """The rows of one block: their places among all rows, and their ranks in the block."""

    places: Sequence[int]
    x: "Ranks"
    y: "Ranks"


def within_blocks(
    x: Sequence[float],
    y: Sequence[float],
    blocks: Sequence[str],
    *,
    seed: int,
    factors: Sequence[Sequence[str]] = (),
) -> Correlation:
    """Spearman's rho within blocks: the mean of the blocks' rhos, weighted by their rows less 1.

    Args:
        x: One value a row.
        y: One value a row, in the same order.
        blocks: The label of each row's block.
        seed: As for `spearman`.
        factors: As for `spearman`. Name what the same rows of two blocks share, such as the model.

    Source:
        Taylor 1987, Kendall's and Spearman's correlation coefficients in the presence of a blocking variable,
        Biometrics 43, 409. The weights are one over the variance of a rho of independent rows, 1 / (n - 1).

    >>> within_blocks([1, 2, 3, 1, 2, 3], [10, 20, 30, 500, 900, 700], [*"aaabbb"], seed=1).rho
    0.75
    """
    parts = [part for part in _parts(x, y, blocks) if _has_order(part)]
    n = sum(len(part.places) for part in parts)
    if not parts:
        return Correlation(rho=None, n=len(x), note="no block has two rows with an order")
    if len({*blocks}) == 1:
        return spearman(x, y, seed=seed, factors=factors)
    weights = [len(part.places) - 1 for part in parts]
    rhos = [_rho(part) for part in parts]
    rho = math.fsum(w * one for w, one in zip(weights, rhos, strict=True)) / sum(weights)
    if n < LEAST_ROW_COUNT:
        return Correlation(rho=rho, n=n, note="too few rows to judge")
    found = Correlation(rho=rho, n=n, ci=_interval(parts, resample_counts(len(x), factors, seed)))
    return replace(found, note="no p: rows of several blocks share factors") if factors else found


def _interval(parts: Sequence[_Block], counts: "Counts") -> tuple[float, float] | None:
    """Middle 95 % of the weighted mean over resamples; a block without an order in one has no say there."""
    resampled = [counts[:, part.places] for part in parts]
    rhos = np.array([resampled_rhos(part.x, part.y, c) for part, c in zip(parts, resampled, strict=True)])
    weights = np.array([c.sum(axis=1) - 1.0 for c in resampled])
    weights[np.isnan(rhos)] = 0.0
    whole = weights.sum(axis=0)
    has_order = whole > 0
    means = (weights * np.nan_to_num(rhos)).sum(axis=0)[has_order] / whole[has_order]
    return middle(means)


def with_p_within(
    found: Correlation, x: Sequence[float], y: Sequence[float], blocks: Sequence[str], *, seed: int
) -> Correlation:
    """*found*, a rho over all rows, with the two-sided p of orders within *blocks*.

    If *x* has no effect, every order of the rows of a block is as likely, whatever the block has in common.

    Source:
        Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, section 3.6 (blocks).
    """
    if found.rho is None or found.n < LEAST_ROW_COUNT:
        return found
    x_ranks, y_ranks = doubled_ranks(x), doubled_ranks(y)
    places = [part.places for part in _parts(x, y, blocks)]
    pairs = [(x_ranks[one], y_ranks[one]) for one in places]
    if not any(len({*a.tolist()}) > 1 and len({*b.tolist()}) > 1 for a, b in pairs):
        return replace(found, note="no p: constant within each block")
    centre = len(x) * (len(x) + 1) ** 2
    seen = abs(int(centred_products(x_ranks, y_ranks)))
    if max(map(len, places)) <= MOST_EXACT_ROW_COUNT:
        sums = _all_sums(pairs)
        as_extreme = sum(count for total, count in sums.items() if abs(total - centre) >= seen)
        return replace(found, p_exact=as_extreme / sum(sums.values()), note="p: orders within each block")
    p_value = _random_p(pairs, centre, seen, seed)
    note = f"p: {PERMUTATION_COUNT} random orders within each block, seed {seed}"
    return replace(found, p_monte_carlo=p_value, note=note)


def _all_sums(pairs: "Sequence[tuple[Ranks, Ranks]]") -> Counter[int]:
    """How often each sum of products comes among all orders within blocks: block after block."""
    sums = Counter({0: 1})
    for x_ranks, y_ranks in pairs:
        own = _sums_of_block(tuple(x_ranks.tolist()), tuple(y_ranks.tolist()))
        joined: Counter[int] = Counter()
        for total, count in sums.items():
            for more, times in own:
                joined[total + more] += count * times
        sums = joined
    return sums


@lru_cache(maxsize=64)
def _sums_of_block(x_ranks: tuple[int, ...], y_ranks: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    orders = np.fromiter(chain.from_iterable(permutations(x_ranks)), dtype=np.int64)
    sums, counts = np.unique(
        orders.reshape(-1, len(x_ranks)) @ np.array(y_ranks, dtype=np.int64), return_counts=True
    )
    return tuple(zip(sums.tolist(), counts.tolist(), strict=True))


def _random_p(pairs: "Sequence[tuple[Ranks, Ranks]]", centre: int, seen: int, seed: int) -> float:
    """As from all orders; the order seen is one of them."""
    rng = np.random.default_rng(seed)
    totals = np.zeros(PERMUTATION_COUNT, dtype=np.int64)
    for x_ranks, y_ranks in pairs:
        totals += rng.permuted(np.tile(x_ranks, (PERMUTATION_COUNT, 1)), axis=1) @ y_ranks
    return (1 + int((abs(totals - centre) >= seen).sum())) / (1 + PERMUTATION_COUNT)


def kendall(
    x: Sequence[float], y: Sequence[float], *, seed: int, factors: Sequence[Sequence[str]] = ()
) -> Correlation:
    """Kendall's tau-b: pairs of rows in the same order less those in the other one, as a share.

    Its interval is that of `spearman`; it has no p, because the test is the same one.

    Source:
        Kendall 1945, The treatment of ties in ranking problems, Biometrika 33, 239.

    >>> round(kendall([1, 2, 3, 4], [1, 3, 2, 4], seed=1).rho, 3)
    0.667
    """
    n = len(x)
    if n < 2:
        return Correlation(rho=None, n=n, note=f"too few rows to rank: {n}")
    x_signs, y_signs = _signs(x), _signs(y)
    tau = _taus(x_signs, y_signs, np.ones((1, n)))[0]
    if math.isnan(tau):
        return Correlation(rho=None, n=n, note="one column is constant: there is no order to compare")
    if n < LEAST_ROW_COUNT:
        return Correlation(rho=float(tau), n=n, note="too few rows to judge")
    counts = resample_counts(n, factors, seed).astype(np.float64)
    return Correlation(rho=float(tau), n=n, ci=middle(_taus(x_signs, y_signs, counts)))


def _signs(values: Sequence[float]) -> "NDArray[np.float64]":
    column = np.asarray(values, dtype=np.float64)
    signs: NDArray[np.float64] = np.sign(column[:, None] - column)
    return signs


def _taus(
    x_signs: "NDArray[np.float64]", y_signs: "NDArray[np.float64]", counts: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """Tau-b of each resample, NaN for one without an order."""
    agree, x_pairs, y_pairs = (
        ((counts @ signs) * counts).sum(axis=1) for signs in (x_signs * y_signs, x_signs**2, y_signs**2)
    )
    taus = np.full(len(counts), np.nan)
    has_order = (x_pairs > 0) & (y_pairs > 0)
    taus[has_order] = agree[has_order] / np.sqrt(x_pairs[has_order] * y_pairs[has_order])
    return taus


def _parts(x: Sequence[float], y: Sequence[float], blocks: Sequence[str]) -> Iterator[_Block]:
    """The blocks in the order met."""
    for label in dict.fromkeys(blocks):
        places = [place for place, one in enumerate(blocks) if one == label]
        yield _Block(
            places, doubled_ranks([x[one] for one in places]), doubled_ranks([y[one] for one in places])
        )


def _has_order(part: _Block) -> bool:
    return all(len({*ranks.tolist()}) > 1 for ranks in (part.x, part.y))


def _rho(part: _Block) -> float:
    products = (centred_products(a, b) for a, b in ((part.x, part.y), (part.x, part.x), (part.y, part.y)))
    product, x_square, y_square = map(int, products)
    return product / math.sqrt(x_square * y_square)
