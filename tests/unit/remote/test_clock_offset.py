"""What exchanges between two clocks prove, and what they don't."""

import math
import random
from itertools import pairwise

import pytest

from pytest_energy.remote.clock_offset import MOST_DRIFT, ClockOffset, Exchange

ZERO_S = 5000.0  # what the agent's clock shows at this machine's 0


def exchange(sent_s: float, there_s: float, back_s: float, *, ahead_s: float = ZERO_S) -> Exchange:
    """A poll that was answered at once, between clocks of one rate."""
    asked_s = sent_s + there_s + ahead_s
    return Exchange(
        sent_s=sent_s, asked_s=asked_s, answered_s=asked_s + 1e-4, received_s=sent_s + there_s + back_s + 1e-4
    )


def offset_of(*exchanges: Exchange) -> ClockOffset:
    offset = ClockOffset()
    for one in exchanges:
        assert offset.add(one) is None
    return offset


def test_an_even_path_gives_the_offset() -> None:
    """The offset is in the middle of what an exchange proves, and half a round trip is its reach."""
    one = exchange(10.0, 0.1, 0.1)
    assert one.round_trip_s == pytest.approx(0.2)
    known = offset_of(one).at(one.answered_s)
    assert known.middle_s == pytest.approx(-ZERO_S, abs=1e-6)
    assert known.reach_s == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize(("there_s", "back_s"), [(0.2, 0.0), (0.0, 0.2)])
def test_a_path_of_one_way_is_off_by_half_of_it(there_s: float, back_s: float) -> None:
    """The truth is at the end of the interval: twice the standard uncertainty holds it."""
    offset = offset_of(*(exchange(0.3 * number, there_s, back_s) for number in range(20)))
    known = offset.at_local(3.0)
    assert abs(known.middle_s + ZERO_S) == pytest.approx(0.1, abs=1e-3)
    assert abs(known.middle_s + ZERO_S) <= 2 * offset.error(3.0, 3.0).alike_s


def test_each_direction_counts_by_itself() -> None:
    """A poll that was fast there and one that was fast back say together what no exchange did."""
    offset = offset_of(exchange(1.0, 0.001, 0.2), exchange(1.3, 0.2, 0.001))
    known = offset.at_local(1.2)
    assert known.reach_s < 0.0015
    assert abs(known.middle_s + ZERO_S) <= known.reach_s


def test_what_is_known_gets_older() -> None:
    """Each second away from an exchange leaves room for as much drift as two clocks can have."""
    one = exchange(1.0, 0.001, 0.001)
    offset = offset_of(one)
    fresh, later = offset.at(one.answered_s), offset.at(one.answered_s + 10.0)
    assert later.reach_s - fresh.reach_s == pytest.approx(10 * MOST_DRIFT, rel=0.01)


def test_the_edges_of_a_window_are_off_alike() -> None:
    """Over a slow path the shift of a window is unknown by half the way, its length by the drift alone."""
    offset = offset_of(*(exchange(0.3 * number, 0.2, 0.0) for number in range(60)))
    error = offset.error(2.0, 12.0)
    assert error.alike_s == pytest.approx(0.1 / math.sqrt(3), rel=0.02)
    assert error.apart_s <= 10.1 * MOST_DRIFT / math.sqrt(3)


def test_over_a_short_path_the_edges_are_each_known() -> None:
    """However long a window is, its length is not less certain than its two edges."""
    offset = offset_of(*(exchange(0.1 * number, 1e-4, 1e-4) for number in range(6000)))
    assert offset.error(1.0, 599.0).apart_s <= 2.5e-4


@pytest.mark.parametrize("step_s", [3.0, -3.0, 0.01])
def test_a_step_is_a_contradiction(step_s: float) -> None:
    """An exchange that excludes those before it says so, by how much at least, and isn't taken in."""
    offset = offset_of(*(exchange(0.1 * number, 1e-3, 1e-3) for number in range(10)))
    because = offset.add(exchange(1.0, 1e-3, 1e-3, ahead_s=ZERO_S + step_s))
    assert because is not None
    assert because.startswith("the two clocks moved apart by at least ")
    assert abs(offset.at_local(1.0).middle_s + ZERO_S) < 1e-3


def test_a_step_within_the_round_trip_is_not_seen() -> None:
    """What is smaller than a round trip may have been the network; it stays in the reach."""
    offset = offset_of(*(exchange(0.3 * number, 0.1, 0.1) for number in range(10)))
    assert offset.add(exchange(3.0, 0.1, 0.1, ahead_s=ZERO_S + 0.05)) is None
    known = offset.at_local(3.2)
    assert known.middle_s - known.reach_s <= -ZERO_S - 0.05 <= known.middle_s + known.reach_s


def test_a_clock_that_goes_back_is_said() -> None:
    """An answer before its question is none."""
    because = ClockOffset().add(Exchange(sent_s=1.0, asked_s=5.0, answered_s=4.0, received_s=1.1))
    assert because == "a clock went back during a poll"


def test_what_proves_nothing_new_is_not_kept() -> None:
    """Weeks of exchanges over a jittery path don't fill the memory, and all of them count."""
    offset = ClockOffset()
    rng = random.Random(3)  # noqa: S311  # a seeded simulation
    all_of_them = [exchange(0.1 * n, rng.uniform(0.05, 0.2), rng.uniform(0.05, 0.2)) for n in range(2000)]
    for one in all_of_them:
        offset.add(one)
    assert len(offset._least._moments) < 300
    agent_s = all_of_them[1000].asked_s
    least_s = max(e.sent_s - e.asked_s - MOST_DRIFT * abs(agent_s - e.asked_s) for e in all_of_them)
    most_s = min(e.received_s - e.answered_s + MOST_DRIFT * abs(agent_s - e.answered_s) for e in all_of_them)
    assert offset.at(agent_s).middle_s == pytest.approx((least_s + most_s) / 2, abs=1e-9)
    assert offset.at(agent_s).reach_s == pytest.approx((most_s - least_s) / 2, abs=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_the_truth_is_never_outside(seed: int) -> None:
    """Whatever the delays, and for each drift up to the bound, every moment's offset is within its reach."""
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation
    drift, usual_s = rng.uniform(-1, 1) * MOST_DRIFT, rng.choice([1e-4, 5e-3, 0.1])
    offset, now_s = ClockOffset(), 100.0
    moments: list[float] = []
    for _ in range(300):
        there_s, back_s = (usual_s * rng.random() + rng.expovariate(1 / usual_s) for _ in range(2))
        asked_s, answered_s = ((now_s + s) * (1 + drift) + ZERO_S for s in (there_s, there_s + 3e-4))
        received_s = now_s + there_s + 3e-4 + back_s
        sent = Exchange(sent_s=now_s, asked_s=asked_s, answered_s=answered_s, received_s=received_s)
        assert offset.add(sent) is None
        moments.append(now_s)
        now_s = received_s + 0.1
    for true_s in moments:
        known = offset.at(true_s * (1 + drift) + ZERO_S)
        truth_s = true_s - (true_s * (1 + drift) + ZERO_S)
        assert abs(known.middle_s - truth_s) <= known.reach_s + 1e-6
        # The middle moves no faster than the clocks can, so lengths between ticks stay what they are.
    middles_s = [offset.at_local(true_s).middle_s for true_s in moments]
    for (before_s, first_s), (after_s, last_s) in pairwise(zip(moments, middles_s, strict=True)):
        assert abs(last_s - first_s) <= 1.01 * MOST_DRIFT * (after_s - before_s) + 1e-9
