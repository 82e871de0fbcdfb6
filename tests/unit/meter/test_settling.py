"""Whether a counter has all joules of the work."""

import pytest

from pytest_energy.meter.settling import Settling, latest_power_w, ticks_after
from pytest_energy.meter.ticks import SeenTick


def seen_tick(number: int, joules: float) -> SeenTick:
    time_s = 0.1 * number
    return SeenTick(
        time_s=time_s, joules=joules, spread_s=1e-3, after_s=time_s - 2e-3, before_s=time_s + 2e-3
    )


def ticks(*gains_j: float) -> list[SeenTick]:
    """Ticks 100 ms apart with these joules between them."""
    return [seen_tick(number, sum(gains_j[:number])) for number in range(len(gains_j) + 1)]


def count_to_settle(quiet_w: float | None, *gains_j: float) -> int | None:
    """Ticks until it has settled, `None` if it doesn't within these."""
    seen, settling = ticks(*gains_j), Settling(quiet_w)
    for number in range(len(gains_j)):
        if settling.is_over(seen[number], seen[number + 1]):
            return number
    return None


def test_power_as_before_the_window_is_settled_at_once() -> None:
    """Nothing is waited for where the first interval is as quiet as before."""
    assert count_to_settle(120.0, 12.0, 12.0) == 0


def test_a_counter_that_still_falls_is_waited_for() -> None:
    """A filter of half a tick lets the joules come for some ticks."""
    assert count_to_settle(120.0, 40.0, 16.0, 13.5, 12.1) == 3


def test_another_quiet_is_settled_once_it_stays() -> None:
    """A context that was opened in the window adds two thirds for good."""
    assert count_to_settle(70.0, 12.0, 12.0) == 1


def test_without_a_quiet_before_two_alike_are_needed() -> None:
    """Where no quiet power is known the first interval has nothing to be compared with."""
    assert count_to_settle(None, 12.0, 12.1) == 1


def test_the_first_tick_that_is_surely_after() -> None:
    """One that may have been before the moment is not counted from."""
    pair = ticks_after(ticks(1.0, 1.0, 1.0, 1.0), 0.099)
    assert pair is not None
    assert [round(tick.time_s, 3) for tick in pair] == [0.2, 0.3]
    assert ticks_after(ticks(1.0, 1.0), 0.15) is None


def test_between_ticks_of_a_fast_counter_is_room_for_some() -> None:
    """Their times are known to a millisecond or two, which is much of 20 ms and little of 80."""
    fast = [
        SeenTick(time_s=t, joules=t, spread_s=1e-3, after_s=t - 1e-3, before_s=t + 1e-3)
        for t in (0.02 * number for number in range(10))
    ]
    pair = ticks_after(fast, 0.01)
    assert pair is not None
    assert pair[1].time_s - pair[0].time_s == pytest.approx(0.08)


def test_quiet_power_is_that_of_the_last_quiet_ticks() -> None:
    """A stretch without two ticks says nothing; the one before it does."""
    seen = ticks(12.0, 12.0, 50.0, 50.0, 50.0)
    assert latest_power_w(seen, ((0.0, 0.21), (0.45, 0.48))) == pytest.approx(120.0)
    assert latest_power_w(seen, ()) is None
