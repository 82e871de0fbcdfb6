"""Levels: what is kept of a record's rounds."""

import math
import random

import pytest

from pytest_energy.stats.level import correlation_factor, level_of


def _alike(count: int, phi: float, seed: int) -> list[float]:
    """Rounds of a first-order process around 100 J, of a standard deviation of 1 %."""
    rng, value, rounds = random.Random(seed), 0.0, []  # noqa: S311
    for _ in range(count):
        value = phi * value + math.sqrt(1 - phi**2) * rng.gauss(0.0, 0.01)
        rounds.append(100.0 * math.exp(value))
    return rounds


def test_a_level_is_a_logarithm() -> None:
    """The centre is the geometric mean, the plain mean stands beside it."""
    level = level_of([50.0, 200.0])
    assert level.value == pytest.approx(100.0)
    assert math.exp(level.plain) == pytest.approx(125.0)
    assert (level.count, level.df) == (2, 1)


def test_rounds_that_are_alike_widen_the_mean() -> None:
    """Neighbours that correlate by 0.8 make the variance of a mean several times as large."""
    factor = correlation_factor([level_of(_alike(40, 0.8, seed)) for seed in range(6)])
    assert factor == pytest.approx((1 + 0.8) / (1 - 0.8), rel=0.35)


def test_rounds_by_chance_don_t() -> None:
    """Independent rounds leave the variance as it is in at least nine of ten suites."""
    factors = [
        correlation_factor([level_of(_alike(10, 0.0, 100 * number + part)) for part in range(4)])
        for number in range(60)
    ]
    assert factors.count(1.0) >= 54


def test_few_rounds_show_no_correlation() -> None:
    """Six rounds that rise are no proof of anything."""
    assert correlation_factor([level_of([100.0, 101, 102, 103, 104, 105])]) == 1.0


def test_a_second_batch_is_no_neighbour() -> None:
    """Two batches at two levels are not rounds that follow one another alike."""
    rng = random.Random(4)  # noqa: S311
    batch = [100.0 * math.exp(rng.gauss(0.0, 0.001)) for _ in range(10)]
    later = [110.0 * math.exp(rng.gauss(0.0, 0.001)) for _ in range(10)]
    assert correlation_factor([level_of([*batch, *later])]) > 2
    assert correlation_factor([level_of([*batch, *later], first_count=10)]) == 1.0
