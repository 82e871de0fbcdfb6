"""How uneven power was in a window, by the ticks inside it."""

import math

import pytest

from pytest_energy.meter.unevenness import Moment, edges_off_j, scatter_j, unevenness

QUIET_W, EDGE_S = 100.0, 0.015


def moments(*stretches: tuple[float, float], spread_s: float = 0.0, from_s: float = 5.0) -> list[Moment]:
    """Ticks between stretches of seconds and watts."""
    found = [Moment(from_s, 40.0)]
    for duration_s, power_w in stretches:
        last = found[-1]
        found.append(Moment(last.time_s + duration_s, last.joules + power_w * duration_s, spread_s))
    return found


def of(*parts: list[Moment], tick_s: float = 0.1) -> float:
    return unevenness(parts, quiet_w=QUIET_W, edge_s=EDGE_S, tick_s=tick_s)


@pytest.mark.parametrize("length_s", [0.04, 0.35, 0.97])
def test_even_work_has_two_steps(length_s: float) -> None:
    """It is the measure of all other."""
    whole, rest_s = divmod(length_s - 0.03, 0.1)
    even = moments((0.03, 700.0), *((0.1, 700.0),) * round(whole), (max(rest_s, 1e-3), 700.0))
    assert of(even) == pytest.approx(1.0)


def test_a_window_without_a_tick_inside_is_taken_for_even() -> None:
    """Nothing tells that it wasn't."""
    assert of(moments((0.08, 700.0))) == 1.0


def test_steps_between_ticks_add_their_squares() -> None:
    """200 W above quiet, then waves of 100 to 300 W: five steps beside those at the edges."""
    powers_w = (300.0, 300.0, 200.0, 400.0, 200.0, 400.0, 300.0, 300.0)
    square = 2 * 200.0**2 + 2 * 100.0**2 + 3 * 200.0**2
    assert of(moments(*((0.1, w) for w in powers_w))) == pytest.approx(math.sqrt(square / (2 * 200.0**2)))


def test_a_peak_at_an_edge_may_be_shorter_than_its_stretch() -> None:
    """300 W for a tick may be 900 W for less; the longer the stretch, the less is known of it."""
    peak, longer = (
        of(moments((length_s, 300.0), (0.1, 200.0), (0.1, 200.0), (0.1, 200.0)), tick_s=math.inf)
        for length_s in (0.03, 0.1)
    )
    assert 1.2 < peak < longer


def test_a_stretch_too_short_to_be_known_is_taken_with_the_next() -> None:
    """A counter that samples each 25 ms may have seen nothing of 20 ms, or too much."""
    caught = moments((0.02, 1400.0), (0.1, 560.0), (0.1, 700.0), (0.1, 700.0))
    assert of(caught) == pytest.approx(1.0)


def test_what_the_times_of_ticks_leave_open_is_no_step() -> None:
    """Ticks that are known to 10 ms make power of 700 W vary by 70 W and more."""
    powers = ((0.1, 700.0), (0.1, 780.0), (0.1, 630.0), (0.1, 760.0), (0.1, 640.0), (0.1, 700.0))
    assert of(moments(*powers)) > 1.02
    assert of(moments(*powers, spread_s=0.01)) == pytest.approx(1.0, abs=0.01)


def test_a_middle_whose_ticks_are_missing_was_as_uneven() -> None:
    """Five times as long as what is known, it all has five times the squares; the edges are the same."""
    waves = ((0.1, 300.0), (0.1, 300.0), *((0.1, 400.0), (0.1, 200.0)) * 7)
    first, rest = moments(*waves), moments((12.8, 300.0), *waves[::-1], from_s=6.6)
    last = [Moment(m.time_s, m.joules - rest[0].joules + first[-1].joules) for m in rest[1:]]
    square = 2 * 200.0**2 + 5 * 2 * (100.0**2 + 13 * 200.0**2)
    assert of(first, last) == pytest.approx(math.sqrt(square / (2 * 200.0**2)))


def test_a_window_without_joules_above_quiet_is_taken_for_even() -> None:
    """There is no step to compare with."""
    assert of(moments((0.1, 90.0), (0.1, 100.0), (0.1, 90.0))) == 1.0


def test_power_of_next_to_nothing_is_compared_with_nothing() -> None:
    """Its square is no number any more."""
    stretches = [Moment(0.1 * number, 1e-200 * number) for number in range(5)]
    assert unevenness([stretches], quiet_w=0.0, edge_s=EDGE_S) == 1.0


def test_even_work_is_off_by_nothing_at_its_edges() -> None:
    """Nor is what the ticks' times and the counter's steps leave open."""
    even = moments((0.03, 700.0), *((0.1, 700.0),) * 5, (0.07, 700.0))
    assert edges_off_j([even]) == pytest.approx(0.0, abs=1e-6)
    blurred = moments((0.03, 690.0), *((0.1, 700.0),) * 5, (0.07, 700.0), spread_s=0.005)
    assert edges_off_j([blurred]) == 0.0
    assert edges_off_j([moments((0.03, 690.0), *((0.1, 700.0),) * 5, (0.07, 700.0))], step_j=1.0) == 0.0


def test_a_sample_that_counts_for_more_than_its_edge_shows() -> None:
    """One of a tenth of a second was counted at 600 W for 30 ms of work: 42 J of 18."""
    caught = moments((0.03, 1400.0), *((0.1, 600.0),) * 5, (0.07, 600.0))
    assert edges_off_j([caught]) == pytest.approx(24.0)


def test_peaks_to_and_fro_may_be_chance() -> None:
    """A tick of 30 J more was a peak that was sampled, by chance; what stays up is no chance."""
    even = [(0.1, 300.0)] * 9
    peak = moments((0.05, 300.0), *even[:4], (0.1, 600.0), *even[4:], (0.05, 300.0))
    assert scatter_j([peak]) == pytest.approx(30.0, rel=0.5)
    step = moments((0.05, 300.0), *even[:5], *[(0.1, 600.0)] * 5, (0.05, 600.0))
    assert scatter_j([step]) == 0.0


def test_samples_that_fall_into_the_next_tick_come_back_there() -> None:
    """Samples each 40 ms give ticks of two and of three of them: of every third tick it is a third."""
    powers = [(0.1, 480.0), (0.1, 720.0)] * 12
    single = math.sqrt(24) * 24.0
    found_j = scatter_j([moments((0.05, 600.0), *powers, (0.05, 600.0))])
    assert found_j == pytest.approx(single / math.sqrt(3), rel=0.1)


def test_too_few_ticks_show_no_chance() -> None:
    """Two stretches are a step, or chance: nobody can tell."""
    assert scatter_j([moments((0.05, 300.0), (0.1, 300.0), (0.1, 600.0), (0.05, 300.0))]) == 0.0
