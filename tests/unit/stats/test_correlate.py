import math
import random
from collections.abc import Sequence

import pytest
from scipy.stats import bootstrap, permutation_test, spearmanr

from pytest_energy.stats.correlate import spearman


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((1, 2, 3, 4, 5, 6), (2, 1, 4, 3, 6, 5)),
        ((1, 1, 2, 3, 3, 3), (6, 5, 4, 4, 2, 1)),
        ((0.1, 7.0, -3.0, 2.5, 2.5), (9.0, 9.0, 1.0, 2.0, 3.0)),
    ],
)
def test_rho_with_and_without_ties(x: tuple[float, ...], y: tuple[float, ...]) -> None:
    """Tied values share their mean rank."""
    assert spearman(x, y, seed=1).rho == pytest.approx(float(spearmanr(x, y).statistic))


@pytest.mark.parametrize(("n", "p_value"), [(5, 2 / 120), (6, 2 / 720), (9, 2 / 362880)])
def test_exact_p_of_a_perfect_order(n: int, p_value: float) -> None:
    """Two of the n! orders are as extreme as a perfect one: p is never 0."""
    result = spearman(range(n), [value**3 for value in range(n)], seed=1)
    assert result.rho == 1.0
    assert result.p_exact == pytest.approx(p_value)
    assert result.p_monte_carlo is None


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ((1, 1, 2, 3, 4), (2, 1, 3, 3, 5)),
        ((1, 2, 3, 4, 5, 6, 7), (3, 1, 2, 6, 4, 7, 5)),
        ((1, 0, 0, 0, 0), (1, 2, 3, 4, 5)),
    ],
)
def test_exact_p_is_that_of_a_permutation_test(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    """p is the share of all orders whose |rho| is at least that of the rows, tied values or not."""

    def absolute_rho(order: Sequence[int]) -> float:
        return abs(float(spearmanr(x, order).statistic))

    oracle = permutation_test(
        (y,), absolute_rho, permutation_type="pairings", n_resamples=10_000, alternative="greater"
    )
    assert spearman(x, y, seed=1).p_exact == pytest.approx(float(oracle.pvalue))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_too_few_rows_have_rho_but_no_p(n: int) -> None:
    """Below five rows nothing can be judged, and the note says so."""
    result = spearman(range(n), range(n), seed=1)
    assert result.rho == 1.0
    assert (result.p_exact, result.p_monte_carlo, result.ci) == (None, None, None)
    assert result.note == "too few rows to judge"


@pytest.mark.parametrize("n", [0, 1])
def test_no_order_in_less_than_two_rows(n: int) -> None:
    """One row has no rank correlation, not one of 0."""
    result = spearman([1.0] * n, [1.0] * n, seed=1)
    assert result.rho is None
    assert result.note == f"too few rows to rank: {n}"


@pytest.mark.parametrize(
    ("x", "y", "which"),
    [
        ((1, 1, 1, 1, 1), (1, 2, 3, 4, 5), "one column is"),
        ((1, 2, 3, 4, 5), (7, 7, 7, 7, 7), "one column is"),
        ((1, 1, 1, 1, 1), (7, 7, 7, 7, 7), "both columns are"),
    ],
)
def test_a_constant_column_has_no_rho(x: tuple[float, ...], y: tuple[float, ...], which: str) -> None:
    """A column without an order gives no rho, with the reason."""
    result = spearman(x, y, seed=1)
    assert result.rho is None
    assert result.note.startswith(f"{which} constant")


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_without_a_rank_gives_no_rho(bad: float) -> None:
    """NaN and infinity are no values."""
    result = spearman([1.0, 2.0, bad, 4.0, 5.0], range(5), seed=1)
    assert result.rho is None
    assert "not finite" in result.note


def test_rows_have_one_value_of_each() -> None:
    """Columns of different length are a mistake of the caller."""
    with pytest.raises(ValueError, match="3 values against 2"):
        spearman([1, 2, 3], [1, 2], seed=1)


def test_monte_carlo_p_from_ten_rows() -> None:
    """From ten rows p is from random orders, near the exact one, and the note names the seed."""
    rng = random.Random(5)  # noqa: S311  # noise that repeats
    x = [rng.random() for _ in range(14)]
    y = [value + rng.gauss(0, 0.4) for value in x]
    result = spearman(x, y, seed=11)
    assert result.p_exact is None
    assert result.p_monte_carlo == pytest.approx(float(spearmanr(x, y).pvalue), abs=0.01)
    assert "seed 11" in result.note


def test_monte_carlo_p_is_never_zero() -> None:
    """The order seen is one of the random ones."""
    assert spearman(range(14), range(14), seed=1).p_monte_carlo == pytest.approx(1e-4)


def test_the_same_seed_gives_the_same_numbers() -> None:
    """Two reports of one run agree."""
    x, y = range(12), [3, 1, 2, 5, 4, 7, 6, 9, 8, 12, 11, 10]
    assert spearman(x, y, seed=4) == spearman(x, y, seed=4)


def test_interval_holds_rho_and_is_inside_one() -> None:
    """The bootstrap interval is of rho, from five rows on."""
    result = spearman((1, 2, 3, 4, 5, 6, 7, 8), (2, 1, 4, 3, 6, 5, 8, 7), seed=2)
    assert result.ci is not None
    assert result.rho is not None
    assert -1 <= result.ci[0] < result.rho <= result.ci[1] <= 1


def test_interval_with_rows_that_may_be_resampled_away() -> None:
    """A resample without an order is left out, not counted as 0."""
    result = spearman((1, 0, 0, 0, 0), (1, 2, 3, 4, 5), seed=2)
    assert result.ci is not None
    assert -1 <= result.ci[0] < result.ci[1] < 0


def test_interval_is_that_of_a_bootstrap() -> None:
    """The quick way by counts agrees with scipy's resampled rows, to what 2 000 of them tell."""
    x, y = (1, 2, 2, 4, 5, 9, 3, 7), (2, 1, 4, 3, 3, 8, 5, 6)

    def rho(one: Sequence[float], other: Sequence[float]) -> float:
        return float(spearmanr(one, other).statistic)

    oracle = bootstrap((x, y), rho, paired=True, vectorized=False, method="percentile", random_state=1)
    result = spearman(x, y, seed=2)
    assert result.ci is not None
    assert result.ci == pytest.approx(tuple(oracle.confidence_interval), abs=0.05)


def test_rows_that_share_factors_have_a_wider_interval_and_no_p() -> None:
    """Twenty rows of four models and five rates are not twenty independent ones."""
    models, rates = ([f"m{place % 4}" for place in range(20)], [f"r{place // 4}" for place in range(20)])
    x = [place // 4 for place in range(20)]
    y = [-(place // 4) + 0.9 * (place % 4) for place in range(20)]
    crossed, alone = spearman(x, y, seed=1, factors=(models, rates)), spearman(x, y, seed=1)
    assert crossed.rho == alone.rho
    assert (crossed.p_exact, crossed.p_monte_carlo) == (None, None)
    assert crossed.ci is not None
    assert alone.ci is not None
    assert crossed.ci[1] - crossed.ci[0] > alone.ci[1] - alone.ci[0]


def test_a_factor_for_each_row_is_the_bootstrap_of_rows() -> None:
    """The same interval, but for the draw."""
    rng = random.Random(3)  # noqa: S311 (a reproducible test)
    x, y = ([rng.random() for _ in range(12)] for _ in range(2))
    crossed = spearman(x, y, seed=1, factors=([str(place) for place in range(12)],)).ci
    alone = spearman(x, y, seed=1).ci
    assert crossed is not None
    assert alone is not None
    assert crossed == pytest.approx(alone, abs=0.05)
