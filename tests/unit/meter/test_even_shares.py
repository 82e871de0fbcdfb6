"""Shares that are spread evenly."""

import cmath

import pytest

from pytest_energy.meter.even_shares import EvenShares, ThirdShares


def mean_wave(shares: list[float], number: int) -> float:
    """How much of a wave with so many periods is left in the mean over all shares: 0 to 1."""
    return abs(sum(cmath.exp(2j * cmath.pi * number * share) for share in shares)) / len(shares)


@pytest.mark.parametrize("before", [0.0, 0.83])
@pytest.mark.parametrize("samples_a_tick", [1, 2, 4, 5, 7, 8, 10])
def test_samples_cancel_in_three_rounds(samples_a_tick: int, before: float) -> None:
    """Whatever is counted of work by its place between samples, three rounds, or nine, have its mean."""
    shares = ThirdShares(before)
    taken = [shares.take() for _ in range(9)]
    assert all(0 <= share < 1 for share in taken)
    assert mean_wave(taken[:3], samples_a_tick) < 1e-9
    assert mean_wave(taken[3:6], samples_a_tick) < 1e-9
    assert mean_wave(taken[:5], samples_a_tick) <= 0.4
    assert mean_wave(taken, samples_a_tick) < 1e-9


@pytest.mark.parametrize("shares", [EvenShares(0.3), ThirdShares(0.3)])
def test_shares_are_spread_evenly(shares: EvenShares | ThirdShares) -> None:
    """Of fifty no gap between neighbours is wider than three times the mean gap."""
    taken = sorted(shares.take() for _ in range(50))
    gaps = [after - before for before, after in zip(taken, [*taken[1:], 1 + taken[0]], strict=True)]
    assert max(gaps) < 3 / 50
