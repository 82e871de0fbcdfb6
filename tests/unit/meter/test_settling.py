"""Whether a counter has all joules of the work."""

import math
from itertools import pairwise

import pytest

from pytest_energy.meter.settling import Settling, late_j, scatter, ticks_after
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Tick


def seen_tick(number: int, joules: float) -> SeenTick:
    time_s = 0.1 * number
    return SeenTick(
        time_s=time_s, joules=joules, spread_s=1e-3, after_s=time_s - 2e-3, before_s=time_s + 2e-3
    )


def ticks(*gains_j: float) -> list[SeenTick]:
    """Ticks 100 ms apart with these joules between them."""
    return [seen_tick(number, sum(gains_j[:number])) for number in range(len(gains_j) + 1)]


def settled(quiet_w: float | None, *gains_j: float) -> Settling:
    """After as many of these intervals as it took, or all."""
    seen, settling = ticks(*gains_j), Settling(quiet_w)
    for first, second in pairwise(seen):
        settling.see(first, second)
        if settling.is_over:
            break
    return settling


def test_power_as_before_the_window_is_settled_at_once() -> None:
    """Nothing is waited for where the first interval is as quiet as before."""
    settling = settled(120.0, 12.0, 12.0)
    assert settling.is_over
    assert settling.settled_s is None


def test_a_counter_that_still_falls_is_waited_for() -> None:
    """A filter of half a tick lets the joules come for some ticks."""
    settling = settled(120.0, 40.0, 16.0, 13.5, 12.1)
    assert settling.is_over
    assert settling.settled_s == pytest.approx(0.3 - 2e-3)


def test_it_had_settled_surely_before_the_tick_from_which_power_was_quiet() -> None:
    """So that the interval from that tick on is known to be quiet."""
    settling = settled(120.0, 40.0, 12.1)
    assert settling.settled_s is not None
    assert settling.settled_s < seen_tick(1, 0.0).after_s


def test_another_quiet_is_settled_once_it_stays() -> None:
    """A context that was opened in the window adds two thirds for good; it had settled when that began."""
    settling = settled(70.0, 30.0, 12.0, 12.1, 12.0)
    assert settling.is_over
    assert settling.settled_s == pytest.approx(0.1 - 2e-3)
    assert settling.quiet_w == pytest.approx((12.0 + 12.1 + 12.0) / 0.3)


def test_the_work_shown_late_is_no_other_quiet() -> None:
    """A delay of two ticks shows the work's power for two: the counter hasn't settled by then."""
    settling = settled(120.0, 78.0, 78.0, 12.0)
    assert settling.is_over
    assert settling.settled_s == pytest.approx(0.2 - 2e-3)
    assert settling.quiet_w == 120.0


def test_a_slow_fall_never_ends() -> None:
    """Each interval is near the one before, and not near the first."""
    falls_j = [12.0 + 30.0 * 0.9**number for number in range(12)]
    assert not settled(120.0, *falls_j).is_over


def test_what_comes_late_never_adds_up_in_quiet_power() -> None:
    """Five windows whose last interval is 5 % above quiet: quiet power is that of the first."""
    quiet_w: float | None = 120.0
    for _ in range(5):
        quiet_w = settled(quiet_w, 12.6).quiet_w
    assert quiet_w == 120.0


@pytest.mark.parametrize(("step_j", "is_over"), [(0.0, False), (1.0, True)])
def test_a_step_of_the_counter_is_no_late_joule(step_j: float, *, is_over: bool) -> None:
    """Of 9.6 J a counter of whole joules shows 9 or 10."""
    settling = Settling(90.0, step_j)
    settling.see(*ticks(10.0))
    assert settling.is_over is is_over


def test_quiet_power_is_that_of_all_intervals_that_were_alike() -> None:
    """Ticks that alternate, or a counter in steps, show another power in each."""
    settling = Settling(None, 1.0)
    for first, second in pairwise(ticks(10.0, 9.0, 10.0)):
        settling.see(first, second)
    assert settling.is_over
    assert settling.quiet_w == pytest.approx(29.0 / 0.3)


def test_without_a_quiet_before_some_alike_are_needed() -> None:
    """Where no quiet power is known the first interval has nothing to be compared with."""
    assert not settled(None, 12.0, 12.1).is_over
    assert settled(None, 12.0, 12.1, 11.9).is_over


REST = {"quiet_w": 120.0, "step_w": 660.0}


def fall(tau_s: float, above_w: float, *times_s: float) -> list[Tick]:
    """Ticks at *times_s* of 120 W and of a fall to it from *above_w* more at 0 s."""
    return [Tick(time_s, 120 * time_s - above_w * tau_s * math.expm1(-time_s / tau_s)) for time_s in times_s]


@pytest.mark.parametrize("tau_s", [0.1, 0.3])
def test_late_joules_are_those_of_the_whole_fall(tau_s: float) -> None:
    """Also before the first tick, from how fast it falls after that."""
    seen = fall(tau_s, 300.0, 0.15, 0.25, 20 * tau_s)
    assert late_j(seen, 0.0, **REST) == pytest.approx(300 * tau_s, rel=1e-3)


def test_late_joules_before_the_first_tick_are_at_most_the_work_s() -> None:
    """What falls fast, long before the first tick, would have been many times what is left of it."""
    seen = fall(0.03, 300.0, 0.3, 0.35, 0.6)
    assert late_j(seen, 0.0, quiet_w=120.0, step_w=10.0) == pytest.approx(10.0 * 0.3, rel=0.01)


def test_quiet_ticks_hold_no_late_joules() -> None:
    """Nor does one tick alone, or a tail below quiet."""
    assert late_j(fall(0.1, 0.0, 0.1, 0.2, 0.3), 0.0, **REST) == pytest.approx(0.0, abs=1e-9)
    assert late_j(fall(0.1, 300.0, 0.1), 0.0, **REST) == 0.0  # one tick
    assert late_j(fall(0.1, 300.0, 0.1, 0.2), 0.0, quiet_w=500.0, step_w=660.0) == 0.0


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


def test_power_a_little_above_quiet_is_not_quiet_where_quiet_is_known_better() -> None:
    """Of 80 W that decay over 0.1 s the first tick after 0.2 s has 5 %: the window's joules lack the rest."""
    lax, strict = Settling(120.0), Settling(120.0, scatter=0.002)
    first, second = ticks(12.6)
    for settling in (lax, strict):
        settling.see(first, second)
    assert lax.is_over
    assert not strict.is_over


def test_how_quiet_quiet_power_is() -> None:
    """Ticks a period apart are taken for that, however badly they were seen; what fell before is left out."""
    seen = ticks(20.0, 15.0, *(12.0 + 0.06 * (-1) ** number for number in range(10)))
    assert scatter(seen, 0.1) == pytest.approx(0.01 * 1.4826 / math.sqrt(2), rel=0.1)
    assert scatter(seen[-3:], 0.1) is None
    assert scatter([], 0.1) is None
