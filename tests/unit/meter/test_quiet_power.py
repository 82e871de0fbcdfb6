"""Power beside a window, where nothing is at work."""

import pytest

from pytest_energy.meter.quiet_power import Interval, QuietPower, quiet_intervals, quiet_power
from pytest_energy.meter.tick_times import timed
from pytest_energy.model import Tick


def around(
    *powers_w: float, after: tuple[float, ...] = (), step_j: float = 0.0, resolution_j: float = 0.0
) -> QuietPower | None:
    """Quiet power where whole ticks of 100 ms drew *powers_w* before a window, and others after it."""
    ticks, joules = [Tick(0.0, 0.0, 1e-6)], 0.0
    for number, power_w in enumerate((*powers_w, 700.0, *after), start=1):
        joules += 0.1 * power_w
        ticks.append(Tick(0.1 * number, joules, 1e-6))
    start = len(powers_w) + 1
    return quiet_power(*quiet_intervals(timed(ticks, start, start), (), step_j), resolution_j)


def test_both_sides_of_one_quiet_have_its_power() -> None:
    """Head and tail that agree are one level, of all their ticks if it takes so many, and explained."""
    quiet = around(120.0, 120.0, 120.0, after=(120.0, 120.0), resolution_j=1.0)
    assert quiet is not None
    assert quiet.head == quiet.tail
    assert quiet.head.power_w == pytest.approx(120.0)
    assert len(quiet.head.intervals) == 5
    assert quiet.difference_w == pytest.approx(0.0, abs=1e-9)


def test_power_that_falls_is_that_of_the_latest_ticks() -> None:
    """A device cools for a minute after work; what it drew some windows ago is not what it draws now."""
    quiet = around(*(122.0 - 0.1 * number for number in range(20)), after=(120.0,))
    assert quiet is not None
    assert quiet.head.power_w == pytest.approx(120.0, abs=0.1)


def test_ticks_that_differ_are_averaged() -> None:
    """Where one tick tells little of the power, more of them tell it."""
    quiet = around(*(120.0 + 2.0 * (-1) ** number for number in range(20)), after=(120.0,))
    assert quiet is not None
    assert quiet.head.power_w == pytest.approx(120.0, abs=0.3)


def test_a_tick_whose_time_is_known_badly_tells_nothing_beside_others() -> None:
    """Its length may be off by more than the power is known to without it."""
    quiet = quiet_power(
        [Interval(0, 0.1, 12.0, 1e-4), Interval(1, 0.1, 12.0, 1e-4)], [Interval(3, 0.095, 12.0, 5e-3)]
    )
    assert quiet is not None
    assert quiet.tail.power_w == pytest.approx(120.0)


def test_another_power_state_has_nearly_its_own_power() -> None:
    """A tail of five times the power is no passing fit."""
    quiet = around(100.0, 100.0, 100.0, after=(500.0, 500.0))
    assert quiet is not None
    assert quiet.head.power_w == pytest.approx(100.0)
    assert quiet.tail.power_w == pytest.approx(500.0, rel=0.01)


def test_a_small_difference_is_believed_in_part_and_leaves_the_rest_open() -> None:
    """Between a passing fit and another state the power is blended, and uncertain."""
    quiet = around(100.0, 100.0, 100.0, after=(130.0, 130.0))
    assert quiet is not None
    assert 100.0 < quiet.tail.power_w < 130.0
    assert quiet.difference_w > 0.0
    assert quiet.variance(0.1) > 0.0


def test_a_much_lower_tail_is_believed() -> None:
    """What the head had more was left of earlier work: no fit of a counter is so large."""
    quiet = around(450.0, 450.0, 450.0, after=(120.0,))
    assert quiet is not None
    assert quiet.tail.power_w == pytest.approx(120.0, rel=0.05)


def test_a_little_lower_tail_may_be_a_fit_of_the_counter() -> None:
    """A tick that is 18 % short hardly counts, and leaves the rest open."""
    quiet = around(100.0, 100.0, 100.0, after=(82.0,))
    assert quiet is not None
    assert quiet.tail.power_w == pytest.approx(100.0, rel=0.04)
    assert quiet.difference_w < -10.0


def test_without_a_whole_quiet_tick_nobody_knows() -> None:
    """No power is made up."""
    assert around() is None


def test_quiet_ends_where_the_power_was_another() -> None:
    """Going back from the start, ticks count as quiet as long as they agree with the last."""
    quiet = around(300.0, 120.0, 120.0, resolution_j=1.0)
    assert quiet is not None
    assert [interval.index for interval in quiet.head.intervals] == [1, 2]


def test_ticks_that_differ_by_a_step_of_the_counter_are_the_same_quiet() -> None:
    """At 12.4 J a tick a counter of whole joules shows 12 or 13; quiet power is that of all."""
    quiet = around(120.0, 130.0, 120.0, 130.0, 120.0, after=(120.0, 130.0), step_j=1.0)
    assert quiet is not None
    assert quiet.head == quiet.tail
    assert quiet.head.power_w == pytest.approx(870.0 / 7)


def test_steps_of_the_counter_are_no_wander_of_quiet_power() -> None:
    """What ticks differ by is explained by the step, and adds nothing to the uncertainty."""
    powers_w = (120.0, 130.0, 120.0, 130.0, 120.0)
    in_steps, fine = around(*powers_w, step_j=1.0), around(*(1000 + power_w for power_w in powers_w))
    assert in_steps is not None
    assert fine is not None
    assert in_steps.variance(0.1) == pytest.approx(0.0, abs=1e-9)
    assert fine.variance(0.1) > 0.0


def test_another_quiet_is_told_from_steps_of_the_counter() -> None:
    """A tick of three steps more than the last is of another quiet."""
    quiet = around(200.0, 150.0, 120.0, 130.0, 120.0, step_j=1.0)
    assert quiet is not None
    assert quiet.head.intervals[0].index == 2


def test_a_tail_that_was_waited_for_is_believed() -> None:
    """Power that is another one for three pairs of ticks is no passing fit."""
    head, tail = [Interval(n, 0.1, 12.0, 1e-6) for n in range(3)], [Interval(4, 0.1, 15.0, 1e-6)]
    blend, believed = quiet_power(head, tail), quiet_power(head, tail, is_settled=True)
    assert blend is not None
    assert believed is not None
    assert blend.tail.power_w < 145.0
    assert (believed.head.power_w, believed.tail.power_w) == pytest.approx((120.0, 150.0))
    assert believed.step_w == pytest.approx(30.0)


def test_sides_that_differ_by_chance_are_one_quiet() -> None:
    """A tick that is known to 1 % tells no difference of 1 %."""
    head, tail = [Interval(n, 0.1, 12.0, 1e-3) for n in range(3)], [Interval(4, 0.1, 12.1, 1e-3)]
    quiet = quiet_power(head, tail, is_settled=True)
    assert quiet is not None
    assert quiet.head == quiet.tail


def test_a_small_difference_is_left_open() -> None:
    """Few ticks don't show by how much they err: 2 % may be another quiet or not."""
    head, tail = [Interval(n, 0.1, 12.0, 1e-6) for n in range(3)], [Interval(4, 0.1, 12.24, 1e-6)]
    quiet = quiet_power(head, tail, is_settled=True)
    assert quiet is not None
    assert quiet.head == quiet.tail
    assert quiet.difference_w == pytest.approx(2.4, rel=0.01)
    assert quiet.variance(0.1) >= (2.4 * 0.1 / 2 * 0.99) ** 2
