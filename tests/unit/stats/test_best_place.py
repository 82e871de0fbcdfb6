"""Which setting may use the fewest joules."""

import numpy as np

from pytest_energy.stats.best_place import best_range


def test_one_setting_is_the_best() -> None:
    """Alone it is the best, whatever its interval."""
    assert best_range([2.0], [9.0]) == (0, 0)


def test_without_doubt_the_smallest_is_alone() -> None:
    """Values without any spread: the place of the smallest, of equals the first."""
    assert best_range([3.0, 1.0, 1.0, 2.0], [3.0, 1.0, 1.0, 2.0]) == (1, 1)


def test_the_interval_widens_with_doubt() -> None:
    """The wider the intervals of the values, the more places may hold the smallest."""
    values = [4.0, 3.0, 2.0, 3.0, 4.0]
    widths = [0.1, 1.0, 4.0]
    ranges = [best_range(values, [value + width for value in values]) for width in widths]
    assert ranges == [(2, 2), (1, 3), (0, 4)]


def test_it_holds_the_true_best_as_often_as_it_says() -> None:
    """Over 300 simulated sweeps with a best and two others near it: at least 95 % of them, less chance."""
    truth, error = [1.2, 1.02, 1.0, 1.03, 1.3], 0.02
    source = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        seen = [source.normal(value, error) for value in truth]
        first, last = best_range(seen, [value + 1.96 * error for value in seen])
        held += first <= 2 <= last
    assert held >= 0.93 * 300
