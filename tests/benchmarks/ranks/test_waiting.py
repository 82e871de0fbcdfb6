"""Who waits and what it costs, from numbers."""

import math

import pytest

from benchmarks.ranks.waiting import Amount, check_sum, waiting_j, waiting_s


def test_the_last_rank_does_not_wait() -> None:
    """Per step the shortest collective is the collective itself; each rank's rest is waiting."""
    assert waiting_s([[0.1, 0.5], [0.4, 0.2], [0.1, 0.2]]) == pytest.approx([0.3, 0.3, 0.0])


def test_joules_of_waiting_are_watts_for_seconds() -> None:
    """With the spread of both in the interval; a window in which the rank did not wait has no watts of it."""
    found = waiting_j([[math.nan, 200.0], [math.nan, 210.0]], [[0.0, 1.0], [0.0, 1.1]], 1)
    assert found.mean == pytest.approx(205.0 * 1.05)
    assert found.uncertainty == pytest.approx(math.hypot(5.0 * 1.05, 0.05 * 205.0))
    low, high = found.interval
    assert low < 200.0
    assert high > 230.0


def test_one_value_has_no_interval() -> None:
    """Of one window nobody knows the spread."""
    assert Amount.of([3.0]).interval == (-math.inf, math.inf)


def test_ranks_that_miss_joules_are_refused() -> None:
    """The sum by rank is the channels' sum but for rounding."""
    assert check_sum({0: 0.1, 1: 0.2}, {"gpu:0": 0.1, "gpu:1": 0.2}) == 0.0
    with pytest.raises(AssertionError, match=r"off by 0\.33"):
        check_sum({0: 0.1, 1: 0.1}, {"gpu:0": 0.1, "gpu:1": 0.2})
