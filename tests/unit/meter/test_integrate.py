"""Joules of a window from ticks whose truth is known by construction."""

import math
from dataclasses import replace

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.integrate import How, integrate
from pytest_energy.model import CounterResponse, Tick

QUIET_W = 120.0


def trace(
    *,
    burst_j: float = 0.0,
    burst_s: float = 1.02,
    tick_s: float = 0.1,
    count: int = 20,
    quiet_w: float = QUIET_W,
) -> list[Tick]:
    """Ticks at 0, *tick_s*, ...; a burst adds *burst_j* from *burst_s* on."""
    times = [tick_s * number for number in range(count)]
    return [Tick(time_s, quiet_w * time_s + (burst_j if time_s >= burst_s else 0.0)) for time_s in times]


def more(tick: Tick, joules: float) -> Tick:
    """*tick* of a counter that shows so much more."""
    return replace(tick, joules=tick.joules + joules)


def test_a_burst_shorter_than_a_tick_is_found_whole() -> None:
    """E = C(second tick after) - C(tick before) - quiet power x quiet time."""
    integral = integrate(trace(burst_j=6.6), 1.01, 1.02)
    assert integral.energy_j == pytest.approx(6.6 + QUIET_W * 0.01)
    assert integral.how is How.ALIGNED


def test_the_second_tick_after_the_stop_is_counted_to() -> None:
    """The first tick after the stop may lack the work's end: what the second adds counts, with a doubt."""
    late = [more(t, -3.0 if 1.02 < t.time_s < 1.15 else 0.0) for t in trace(burst_j=6.6)]
    integral = integrate(late[:13], 1.01, 1.02, quiet_s=((0.0, 1.01),))
    assert abs(integral.energy_j - 6.6 - QUIET_W * 0.01) < 2 * integral.uncertainty_j
    assert integral.energy_j > 5.0


def late_trace(late_j: float, *, work_j: float) -> tuple[list[Tick], CounterResponse]:
    """A burst from 1.01 to 1.02 s; joules that show at 1.3 and 1.4 s; nobody knows whose they are."""
    late = [late_j / 2 * ((t.time_s > 1.25) + (t.time_s > 1.35)) for t in trace()]
    ticks = [more(tick, joules) for tick, joules in zip(trace(burst_j=work_j), late, strict=True)]
    return ticks, CounterResponse(prompt_s=0.1, settle_s=0.35)


def test_joules_that_may_have_come_late_count_half() -> None:
    """The reading is between both, and its uncertainty reaches both."""
    ticks, response = late_trace(0.1, work_j=66.0)
    integral = integrate(ticks, 1.01, 1.02, quiet_s=((0.0, 1.01),), response=response)
    truth_j = 66.0 + QUIET_W * 0.01
    open_j = 2 * (truth_j + 0.1 - integral.energy_j)
    assert 0.1 <= open_j < 0.4
    assert truth_j + 0.1 - integral.energy_j <= integral.uncertainty_j * (1 + 1e-9)


def test_too_many_joules_that_may_have_come_late_are_not_measurable() -> None:
    """More than a percent to each side; the reason says what to do."""
    ticks, response = late_trace(3.0, work_j=66.0)
    with pytest.raises(NotMeasurable, match=r"doctor --calibrate"):
        integrate(ticks, 1.01, 1.02, quiet_s=((0.0, 1.01),), response=response)


def test_joules_of_a_counter_whose_lag_is_known_all_count() -> None:
    """Up to where it has settled."""
    ticks, response = late_trace(3.0, work_j=66.0)
    known = replace(response, prompt_s=None)
    integral = integrate(ticks, 1.01, 1.02, quiet_s=((0.0, 1.01),), response=known)
    assert integral.energy_j == pytest.approx(69.0 + QUIET_W * 0.01)


def test_reads_at_the_edges_are_simply_subtracted() -> None:
    """A counter that is read at the edges has its ticks there, and nothing is aligned."""
    integral = integrate([Tick(1.0, 50.0), Tick(2.0, 80.0)], 1.0, 2.0, resolution_j=1e-6)
    assert integral.energy_j == 30.0
    assert integral.how is How.EDGES
    assert integral.uncertainty_j == pytest.approx(30.0 * 1e-3 * math.sqrt(2 / 3))


def test_quiet_power_is_reported_for_both_sides() -> None:
    """Head and tail of one quiet have one power."""
    integral = integrate(trace(burst_j=10.0), 1.01, 1.02)
    assert integral.head_power_w == pytest.approx(QUIET_W)
    assert integral.tail_power_w == pytest.approx(QUIET_W)


def test_another_power_state_after_the_window_has_its_own_power() -> None:
    """A tail of twice the head's power is subtracted at nearly its own, with the doubt that it leaves."""
    ticks = [more(t, max(0.0, t.time_s - 1.02) * QUIET_W) for t in trace(burst_j=40.0)]
    integral = integrate(ticks, 1.01, 1.02)
    assert abs(integral.energy_j - 40.0 - QUIET_W * 0.01) < 2 * integral.uncertainty_j
    assert integral.uncertainty_j < 10.0


def test_a_short_tick_after_a_load_hardly_moves_the_joules() -> None:
    """One quiet tick 18 % short, as seen on an H100, is no new power state, but raises the uncertainty."""
    plain = trace(burst_j=700.0, count=13)
    dipped = [*plain[:-1], more(plain[-1], -2.2)]
    calm, odd = integrate(plain, 1.01, 1.02), integrate(dipped, 1.01, 1.02)
    assert abs(odd.energy_j - calm.energy_j) < 3.0
    assert odd.uncertainty_j > calm.uncertainty_j + 0.5


def test_without_a_quiet_tick_the_power_outside_is_unknown() -> None:
    """Two ticks around a window: joules are spread evenly, and the uncertainty is that of not knowing."""
    integral = integrate([Tick(0.0, 0.0), Tick(1.0, 100.0)], 0.25, 0.75)
    assert integral.energy_j == pytest.approx(50.0)
    assert integral.uncertainty_j == pytest.approx(50.0 / math.sqrt(3), rel=0.01)
    assert integral.how is How.INTERPOLATED


def test_only_known_quiet_counts_as_quiet() -> None:
    """Ticks outside the quiet stretches, however like, don't tell the quiet power."""
    ticks = [more(t, 0.3 * min(10, round(t.time_s / 0.1))) for t in trace(burst_j=6.6, burst_s=1.62)]
    integral = integrate(ticks, 1.61, 1.62, quiet_s=((1.0, 1.61),))
    assert integral.energy_j == pytest.approx(6.6 + QUIET_W * 0.01)


def test_a_coarse_counter_is_less_certain() -> None:
    """The counter's smallest step is part of the uncertainty."""
    coarse = integrate(trace(burst_j=6.6), 1.01, 1.02, resolution_j=1.0)
    assert coarse.uncertainty_j > 0.4


@pytest.mark.parametrize(
    ("ticks", "edges_s", "reason"),
    [
        ([(1.1, 0.0), (1.2, 1.0)], (1.0, 1.05), "no tick before"),
        ([(0.9, 0.0), (1.02, 1.0)], (1.0, 1.05), "no tick after"),
        ([], (1.0, 1.05), "no tick before"),
        ([(0.0, 5.0), (2.0, 4.0)], (1.0, 1.5), "fell"),
        ([(0.0, 5.0), (0.0, 6.0), (2.0, 7.0)], (1.0, 1.5), "clock went back"),
        ([(0.0, 0.0), (2.0, math.nan)], (1.0, 1.5), "not finite"),
        ([(0.0, 0.0), (2.0, 1.0)], (1.5, 1.5), "stood"),
        ([(0.0, 0.0), (2.0, 1.0)], (1.5, math.inf), "went back or stood"),
    ],
)
def test_what_cannot_be_told_is_an_error(
    ticks: list[tuple[float, float]], edges_s: tuple[float, float], reason: str
) -> None:
    """Ticks that don't reach around the window, or aren't a counter's, give no joules."""
    with pytest.raises(NotMeasurable, match=reason):
        integrate([Tick(*tick) for tick in ticks], *edges_s)


def test_one_tick_whose_time_nobody_knows_leaves_all_to_their_beat() -> None:
    """An uncertainty that isn't known is none of 0: the times are taken as if none were known."""
    ticks = [replace(tick, spread_s=1e-3) for tick in trace(burst_j=6.6, count=13)]
    ticks[3] = replace(ticks[3], spread_s=None)
    unknown = [replace(tick, spread_s=None) for tick in ticks]
    assert integrate(ticks, 1.01, 1.02) == integrate(unknown, 1.01, 1.02)


def test_earlier_work_is_not_counted() -> None:
    """Where no tick was seen since the last work, nobody can separate it from this window."""
    ticks = [*trace(burst_j=6.6)[:5], *trace(burst_j=6.6)[10:]]
    quiet_s = ((0.0, 0.45), (0.8, 1.01))
    unseen = [tick for tick in ticks if tick.time_s < 0.75 or tick.time_s > 1.05]
    for worked_until_s in (0.5, 0.75):  # before and in the settling after it
        integral = integrate(ticks, 1.01, 1.02, quiet_s=quiet_s, worked_until_s=worked_until_s)
        assert integral.energy_j == pytest.approx(6.6 + QUIET_W * 0.01)
        with pytest.raises(NotMeasurable, match=r"not read for 610 ms before"):
            integrate(unseen, 1.01, 1.02, quiet_s=quiet_s, worked_until_s=worked_until_s)
    vague = [replace(tick, spread_s=0.1) for tick in ticks]
    with pytest.raises(NotMeasurable, match="in which there was other work"):
        integrate(vague, 1.01, 1.02, quiet_s=quiet_s, worked_until_s=0.75)


@pytest.mark.parametrize(("spread_s", "is_one_sided"), [(0.005, False), (0.02, True)])
def test_ticks_that_were_seen_badly_err_to_one_side(spread_s: float, *, is_one_sided: bool) -> None:
    """A fifth of a tick is too vague, where the ticks keep to no beat; a twentieth is not."""
    uneven_s = [0.03 * (-1) ** (number // 2) for number in range(20)]
    ticks = [
        Tick(tick.time_s + off_s, tick.joules + QUIET_W * off_s, spread_s)
        for tick, off_s in zip(trace(burst_j=6.6), uneven_s, strict=True)
    ]
    integral = integrate(ticks, 1.01, 1.02, quiet_s=((-1.0, 1.01),))
    expected_j = QUIET_W * spread_s * math.sqrt(2) if is_one_sided else 0.0
    assert integral.one_sided_j == pytest.approx(expected_j, rel=0.3)
