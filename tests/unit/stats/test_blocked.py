"""Rank correlation in blocks, and Kendall's tau."""

from itertools import permutations, product

import numpy as np
import pytest
from scipy import stats

from pytest_energy.stats.blocked import MOST_EXACT_ROW_COUNT, kendall, with_p_within, within_blocks
from pytest_energy.stats.correlate import Correlation, spearman

X = [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 5.0]
Y = [1.0, 3.0, 2.0, 4.0, 900.0, 800.0, 850.0, 700.0, 600.0]
BLOCKS = [*"aaaabbbbb"]


def test_blocks_are_ranked_apart() -> None:
    """The rho of all blocks is the mean of scipy's rhos of each, weighted by rows less 1."""
    a, b = stats.spearmanr(X[:4], Y[:4]).statistic, stats.spearmanr(X[4:], Y[4:]).statistic
    found = within_blocks(X, Y, BLOCKS, seed=1)
    assert found.rho == pytest.approx((3 * a + 4 * b) / 7)
    assert found.rho != pytest.approx(stats.spearmanr(X, Y).statistic)


def test_one_block_is_spearmans_rho() -> None:
    """Interval and p included."""
    assert within_blocks(X, Y, ["a"] * 9, seed=1) == spearman(X, Y, seed=1)


def test_a_level_of_a_block_has_no_say() -> None:
    """A thousand times the joules on one machine leave rho and interval as they are."""
    shifted = [1000 * y if block == "b" else y for y, block in zip(Y, BLOCKS, strict=True)]
    assert within_blocks(X, shifted, BLOCKS, seed=1) == within_blocks(X, Y, BLOCKS, seed=1)


def test_a_block_without_an_order_has_no_say() -> None:
    """A machine with one row, or with equal values, is left out; n counts the others."""
    found = within_blocks([*X, 7.0, 2.0, 2.0], [*Y, 3.0, 5.0, 6.0], [*BLOCKS, "c", "d", "d"], seed=1)
    assert (found.rho, found.n) == (within_blocks(X, Y, BLOCKS, seed=1).rho, 9)
    assert within_blocks([1.0, 2.0], [3.0, 4.0], ["a", "b"], seed=1).rho is None


def test_the_interval_holds_the_rho_and_narrows_with_rows() -> None:
    """Of rows that follow a metric with noise."""
    random = np.random.default_rng(3)
    widths = []
    for count in (8, 40):
        x = random.random(2 * count).tolist()
        y = [one + random.normal(0, 0.3) for one in x]
        found = within_blocks(x, y, [*"a" * count, *"b" * count], seed=1)
        assert found.ci is not None
        assert found.rho is not None
        assert found.ci[0] < found.rho < found.ci[1]
        widths.append(found.ci[1] - found.ci[0])
    assert widths[1] < widths[0]


def test_rows_that_several_blocks_share_have_no_p() -> None:
    """Factors resample what they share, as for one block, and the note says so."""
    found = within_blocks(X, Y, BLOCKS, seed=1, factors=[[*"mnopmnopq"]])
    assert (found.p_exact, found.p_monte_carlo) == (None, None)
    assert "share factors" in found.note


def _all_orders_p(x: list[float], y: list[float], sizes: list[int]) -> float:
    """By hand: every order within every block."""
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    blocks = [x[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    seen = abs(stats.spearmanr(x, y).statistic)
    rhos = [
        abs(stats.spearmanr([value for part in parts for value in part], y).statistic)
        for parts in product(*(permutations(block) for block in blocks))
    ]
    return sum(rho >= seen - 1e-9 for rho in rhos) / len(rhos)


@pytest.mark.parametrize("y", [[9.0, 5.0, 4.0, 8.0, 3.0, 1.0], [9.0, 5.0, 5.0, 1.0, 3.0, 1.0]])
def test_p_is_of_all_orders_within_blocks(y: list[float]) -> None:
    """The share of all 36 orders of two blocks of three rows, ties included."""
    x = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    found = with_p_within(spearman(x, y, seed=1, factors=[[*"aaabbb"]]), x, y, [*"aaabbb"], seed=1)
    assert found.p_exact == pytest.approx(_all_orders_p(x, y, [3, 3]))


def test_two_rates_of_five_have_the_smallest_p() -> None:
    """Two models whose joules fall at every one of five rates: 2 of 120 x 120 orders are as extreme."""
    x = [1.0, 2.0, 3.0, 4.0, 5.0] * 2
    y = [10.0, 8.0, 6.0, 4.0, 2.0, 9.0, 7.0, 5.0, 3.0, 1.0]
    blocks = [*"aaaaabbbbb"]
    found = with_p_within(spearman(x, y, seed=1, factors=[blocks]), x, y, blocks, seed=1)
    assert found.p_exact == pytest.approx(2 / 120**2)


def test_many_rows_have_a_p_of_random_orders() -> None:
    """Near the exact one, never 0, and the note says how many orders."""
    count = MOST_EXACT_ROW_COUNT + 1
    x = [*map(float, range(count))] * 2
    y = [-one for one in x]
    blocks = [*"a" * count, *"b" * count]
    found = with_p_within(spearman(x, y, seed=1, factors=[blocks]), x, y, blocks, seed=1)
    assert found.p_exact is None
    assert found.p_monte_carlo == pytest.approx(1e-4)
    assert "random orders within each block" in found.note


def test_a_metric_that_is_constant_within_blocks_has_no_p() -> None:
    """Orders within blocks can't judge the size of a model."""
    x, y, blocks = [1.0] * 3 + [2.0] * 3, [6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [*"aaabbb"]
    found = with_p_within(spearman(x, y, seed=1, factors=[blocks]), x, y, blocks, seed=1)
    assert (found.p_exact, found.p_monte_carlo, found.note) == (
        None,
        None,
        "no p: constant within each block",
    )


def test_no_rho_has_no_p() -> None:
    """Too few rows, or no order: as it was."""
    none = Correlation(rho=None, n=6, note="no order")
    assert with_p_within(none, [1.0] * 6, [1.0] * 6, [*"aaabbb"], seed=1) is none


@pytest.mark.parametrize("seed", range(5))
def test_tau_is_scipys(seed: int) -> None:
    """With ties on both sides."""
    random = np.random.default_rng(seed)
    x, y = random.integers(5, size=(2, 12)).astype(float).tolist()
    assert kendall(x, y, seed=1).rho == pytest.approx(stats.kendalltau(x, y).statistic)


def test_tau_has_an_interval_from_five_rows_on() -> None:
    """It holds tau; fewer rows have none, and a constant column no tau."""
    found = kendall([1, 2, 3, 4, 5, 6], [1, 3, 2, 4, 6, 5], seed=1)
    assert found.rho is not None
    assert found.ci is not None
    assert found.ci[0] <= found.rho <= found.ci[1]
    assert kendall([1, 2, 3, 4], [1, 3, 2, 4], seed=1).ci is None
    assert kendall([1, 1, 1], [1, 3, 2], seed=1).rho is None
    assert kendall([1], [1], seed=1).rho is None
