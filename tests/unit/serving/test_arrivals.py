"""The open-loop schedule: what every seed must keep, and what the shape of the gaps changes."""

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import SettingsError
from pytest_energy.serving.arrivals import Schedule

counts = st.integers(1, 200)
rates = st.floats(0.01, 1e4)
shapes = st.one_of(st.floats(0.05, 1e3), st.just(math.inf))
seeds = st.integers(0, 2**32)


def gap_variation(arrivals: tuple[float, ...]) -> float:
    """Coefficient of variation of the gaps."""
    gaps_s = [later - earlier for earlier, later in pairwise((0.0, *arrivals))]
    return statistics.pstdev(gaps_s) / statistics.fmean(gaps_s)


@given(counts, rates, shapes, seeds)
def test_the_last_request_leaves_at_exactly_count_over_rate(
    count: int, rate: float, burstiness: float, seed: int
) -> None:
    """Whatever the seed, the offered rate is the asked one."""
    assert Schedule(rate=rate, burstiness=burstiness, seed=seed).due_s(count)[-1] == count / rate


@given(counts, rates, shapes, seeds)
def test_requests_leave_in_order_and_none_before_the_start(
    count: int, rate: float, burstiness: float, seed: int
) -> None:
    """A schedule has one time for each request, never falling, never negative."""
    arrivals = Schedule(rate=rate, burstiness=burstiness, seed=seed).due_s(count)
    assert len(arrivals) == count
    assert all(earlier <= later for earlier, later in pairwise((0.0, *arrivals)))


@given(counts, rates, shapes, seeds)
def test_a_schedule_is_decided_by_its_arguments(
    count: int, rate: float, burstiness: float, seed: int
) -> None:
    """The same arguments give the same schedule."""
    first = Schedule(rate=rate, burstiness=burstiness, seed=seed).due_s(count)
    assert Schedule(rate=rate, burstiness=burstiness, seed=seed).due_s(count) == first


@given(counts, seeds, st.floats(0.1, 100.0))
def test_another_rate_only_stretches_the_schedule(count: int, seed: int, factor: float) -> None:
    """Rate changes the time axis, not the pattern."""
    slow = Schedule(rate=1.0, seed=seed).due_s(count)
    fast = Schedule(rate=factor, seed=seed).due_s(count)
    assert fast == pytest.approx([time_s / factor for time_s in slow])


def test_seeds_differ() -> None:
    """Two seeds give two patterns."""
    assert Schedule(rate=1.0, seed=1).due_s(10) != Schedule(rate=1.0, seed=2).due_s(10)


def test_infinite_burstiness_is_a_constant_gap() -> None:
    """The limit of ever more even gaps."""
    assert Schedule(rate=10.0, burstiness=math.inf, seed=3).due_s(5) == pytest.approx(
        (0.1, 0.2, 0.3, 0.4, 0.5)
    )


def test_infinite_rate_sends_all_at_once() -> None:
    """No arrival waits."""
    assert Schedule(rate=math.inf, burstiness=0.5).due_s(3) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("burstiness", "variation"), [(0.25, 2.0), (1.0, 1.0), (4.0, 0.5), (100.0, 0.1)])
def test_gaps_vary_as_a_gamma_distribution_does(burstiness: float, variation: float) -> None:
    """A Gamma distribution of shape k has the coefficient of variation 1 / sqrt(k); k = 1 is Poisson."""
    assert gap_variation(Schedule(rate=5.0, burstiness=burstiness, seed=7).due_s(20_000)) == pytest.approx(
        variation, rel=0.05
    )


@pytest.mark.parametrize(
    ("count", "rate", "burstiness"),
    [(0, 1.0, 1.0), (1, 0.0, 1.0), (1, -2.0, 1.0), (1, math.nan, 1.0), (1, 1.0, 0.0), (1, 1.0, math.nan)],
)
def test_arguments_out_of_range_are_named(count: int, rate: float, burstiness: float) -> None:
    """A load that has no meaning is refused with the value seen."""
    with pytest.raises(SettingsError, match=r"requests|rate|burstiness"):
        Schedule(rate=rate, burstiness=burstiness).due_s(count)


def test_burstiness_beyond_floating_point_is_refused() -> None:
    """Gaps that all round to zero are not stretched into a schedule."""
    with pytest.raises(SettingsError, match="outside floating point"):
        Schedule(rate=1.0, burstiness=1e-300).due_s(3)
