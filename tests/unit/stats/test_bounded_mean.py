"""Intervals of means between 0 and 1."""

import random

import pytest
from scipy.stats import beta

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.bounded_mean import bounded_mean


@pytest.mark.parametrize(("hits", "count"), [(64, 64), (0, 20), (50, 64), (1, 5)])
def test_of_yes_and_no_it_is_clopper_and_pearson_s(hits: int, count: int) -> None:
    """Also where all are the same, so that nothing is certain because nothing differed."""
    found = bounded_mean([1.0] * hits + [0.0] * (count - hits))
    lower = beta.ppf(0.025, hits, count - hits + 1) if hits else 0.0
    upper = beta.ppf(0.975, hits + 1, count - hits) if hits < count else 1.0
    assert found.value == hits / count
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=0.01)


@pytest.mark.parametrize("count", [8, 40])
@pytest.mark.parametrize("power", [0.2, 1.0, 12.0])
def test_the_true_mean_is_inside_in_95_percent(count: int, power: float) -> None:
    """Of shares that are mostly 0, even, or mostly 1."""
    rng = random.Random(f"{count}/{power}")  # noqa: S311 (a simulation)
    true, trials, inside = 1 / (1 + 1 / power), 200, 0
    for _ in range(trials):
        found = bounded_mean([rng.random() ** (1 / power) for _ in range(count)])
        inside += found.lower <= true <= found.upper
    assert inside >= 0.93 * trials


@pytest.mark.parametrize("values", [[], [0.5, 1.2], [float("nan")]])
def test_what_is_no_share_has_no_mean(values: list[float]) -> None:
    """Nor has nothing."""
    with pytest.raises(NotMeasurable, match="between 0 and 1"):
        bounded_mean(values)
