"""Rings that number what they hold."""

from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.meter.ticks import SeenTick
from pytest_energy.remote.numbered import Numbered, TickRing


def tick(number: int) -> SeenTick:
    time_s = float(number)
    return SeenTick(time_s=time_s, joules=2 * time_s, spread_s=0.1, after_s=time_s - 1, before_s=time_s + 1)


@given(size=st.integers(1, 20), count=st.integers(0, 60), wanted=st.integers(0, 80), most=st.integers(1, 30))
def test_a_ring_gives_what_is_wanted_or_counts_it_as_lost(
    size: int, count: int, wanted: int, most: int
) -> None:
    """From the wanted number on, each tick is in the answer, lost, or left to the next answer."""
    ring = TickRing(size)
    for number in range(count):
        ring.append(tick(number))
    stretch = ring.after(wanted, most)
    first = min(wanted, count) + stretch.lost_count
    assert stretch.items == tuple(tick(number) for number in range(first, stretch.next_number))
    assert stretch.lost_count == max(0, count - size - min(wanted, count))
    assert len(stretch.items) <= most
    assert stretch.next_number == min(count, first + most)


@given(size=st.integers(1, 20), count=st.integers(0, 60), wanted=st.none() | st.integers(0, 80))
def test_things_are_numbered_as_ticks_are(size: int, count: int, wanted: int | None) -> None:
    """The same of anything; without a number only what is to come is wanted."""
    things: Numbered[int] = Numbered(size)
    for number in range(count):
        things.append(number)
    stretch = things.after(wanted)
    start = count if wanted is None else min(wanted, count)
    assert stretch.items == tuple(range(start + stretch.lost_count, count))
    assert stretch.lost_count == max(0, count - size - start)
    assert stretch.next_number == count


def test_ticks_that_are_forgotten_are_lost_to_readers() -> None:
    """Who had a cursor before is told how many are missing; who has none isn't."""
    ring = TickRing(10)
    for number in range(5):
        ring.append(tick(number))
    ring.forget()
    ring.append(tick(5))
    assert (ring.after(2, 10).items, ring.after(2, 10).lost_count) == ((tick(5),), 3)
    assert (ring.newest(10).items, ring.newest(10).lost_count) == ((tick(5),), 0)
