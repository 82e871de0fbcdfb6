"""The beat of a counter that keeps to it."""

import random

import pytest

from pytest_energy.meter.steady_beat import SteadyBeat


def followed(*, count: int, every: int = 1, seed: int = 1, period_s: float = 0.1000015) -> SteadyBeat:
    """A beat after *count* ticks that were seen to 1 ms, each *every*-th of them."""
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation
    beat = SteadyBeat(0.0, 0.1)
    for number in range(1, count + 1):
        beat.take(number * every * period_s + rng.gauss(0.0, 1e-3), 1e-3)
    return beat


def test_the_beat_is_known_better_than_a_tick_is_seen() -> None:
    """After a hundred ticks their time is known to 0.3 ms, as it says itself."""
    offs = []
    for seed in range(40):
        beat = followed(count=100, seed=seed)
        offs.append((beat.time_s - 100 * 0.1000015) / beat.spread_s)
        assert beat.spread_s < 3e-4
    assert sum(off**2 for off in offs) / len(offs) == pytest.approx(1.0, abs=0.5)


def test_ticks_may_pass_unseen() -> None:
    """One of forty is enough to know the period to a hundred thousandth."""
    beat = followed(count=40, every=40)
    assert beat.period_s == pytest.approx(0.1000015, rel=1e-5)
    expected_s, spread_s = beat.at(40)
    assert abs(expected_s - 41 * 40 * 0.1000015) < 3 * spread_s


def test_a_tick_that_was_seen_badly_moves_it_little() -> None:
    """A read that was held up for 20 ms is not followed."""
    beat = followed(count=50)
    beat.take(51 * 0.1000015 + 0.02, 1e-3)
    assert abs(beat.time_s - 51 * 0.1000015) < 1.5e-3


def test_another_beat_contradicts() -> None:
    """After a hold-up ticks 30 ms off are of another beat, and ticks 1 ms off are not."""
    beat = followed(count=50)
    assert beat.contradicts(60 * 0.1000015 + 0.03, 1e-3)
    assert not beat.contradicts(60 * 0.1000015 + 0.001, 1e-3)


def test_a_beat_that_has_moved_is_as_regular_as_before() -> None:
    """Ticks come 30 ms earlier from one on: the period and how well ticks keep to it are still known."""
    beat = followed(count=50)
    off_s, period_s = beat.off_s, beat.period_s
    beat.move_to(60 * 0.1000015 - 0.03, 2e-3)
    beat.take(61 * 0.1000015 - 0.03 + 3e-3, 1e-4)  # how far off it comes is how badly the move was seen
    assert beat.off_s == off_s
    assert beat.period_s == pytest.approx(period_s, rel=1e-6)
    assert beat.at(1)[0] == pytest.approx(62 * 0.1000015 - 0.03 + 3e-3, abs=1e-4)


def test_ticks_that_can_not_be_counted_say_when_one_was() -> None:
    """A period that is known to 5 % is not taken for another after thirty ticks that nobody saw."""
    beat = SteadyBeat(0.0, 0.105, spread_s=0.01)
    for number in range(30, 60):
        beat.take(0.1 * number, 1e-3)
    assert beat.period_s == pytest.approx(0.1, rel=2e-3)


def test_slow_reads_are_no_jitter() -> None:
    """Ticks that are right at their beat come as far off as they are seen badly."""
    rng = random.Random(3)  # noqa: S311  # a seeded simulation
    beat = SteadyBeat(0.0, 0.1)
    for number in range(1, 200):
        beat.take(0.1 * number + rng.gauss(0.0, 4e-3), 4e-3)
    assert beat.off_s < 1.25 * beat.expected_off_s
    assert beat.expected_off_s == pytest.approx(4e-3, rel=0.2)
