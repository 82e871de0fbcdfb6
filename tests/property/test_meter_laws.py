"""Laws of integration: they hold for any ticks."""

import math
from itertools import accumulate, pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from pytest_energy.meter.integrate import integrate
from pytest_energy.meter.interpolate import interpolate
from pytest_energy.meter.surroundings import MOST_POINTS, power_steps
from pytest_energy.model import Tick

gaps = st.lists(st.floats(min_value=0.001, max_value=1.0), min_size=12, max_size=40)
powers = st.floats(min_value=0.1, max_value=2000.0)


def ticks_at(gaps_s: list[float], power_w: float) -> list[Tick]:
    return [Tick(time_s, power_w * time_s) for time_s in accumulate(gaps_s)]


def rising(gaps_s: list[float], rises_j: list[float], spread_s: float | None = None) -> list[Tick]:
    pairs = zip(accumulate(gaps_s), accumulate(rises_j), strict=False)
    return [Tick(time_s, joules, spread_s) for time_s, joules in pairs]


def with_burst(ticks: list[Tick], burst_j: float) -> list[Tick]:
    return [Tick(t.time_s, t.joules + (burst_j if number > 5 else 0.0)) for number, t in enumerate(ticks)]


@given(gaps_s=gaps, power_w=powers, share=st.floats(min_value=0.05, max_value=0.9))
def test_constant_power_gives_power_times_time(gaps_s: list[float], power_w: float, share: float) -> None:
    """Constant power P for t gives P t whatever the ticks."""
    ticks = ticks_at(gaps_s, power_w)
    start_s, end_s = (ticks[3].time_s + ticks[4].time_s) / 2, ticks[-3].time_s
    stop_s = start_s + share * (end_s - start_s)
    integral = integrate(ticks, start_s, stop_s)
    assert math.isclose(integral.energy_j, power_w * (stop_s - start_s), rel_tol=1e-6, abs_tol=1e-9 * power_w)


@example(gaps_s=[1.0] * 34, rises_j=[0.0] * 3 + [5e-292] + [0.0] * 29 + [1.0] + [0.0] * 6, cuts=[0.0])
@example(gaps_s=[1.0] * 12, rises_j=[0.0] * 3 + [5e-292] + [0.0] * 36, cuts=[0.0])
@given(
    gaps_s=gaps,
    rises_j=st.lists(st.floats(min_value=0.0, max_value=500.0), min_size=40, max_size=40),
    cuts=st.lists(st.floats(min_value=0.0, max_value=1.0), min_size=1, max_size=5),
)
def test_adjoining_stretches_add_up(gaps_s: list[float], rises_j: list[float], cuts: list[float]) -> None:
    """Stretches that adjoin add up to their window, and none is negative."""
    ticks = rising(gaps_s, rises_j)
    start_s, stop_s = (ticks[3].time_s + ticks[4].time_s) / 2, (ticks[-4].time_s + ticks[-3].time_s) / 2
    cumulative = interpolate(ticks, start_s, stop_s)
    edges = sorted({start_s, stop_s, *(start_s + cut * (stop_s - start_s) for cut in cuts)})
    edges = [edge for edge in edges if start_s <= edge <= stop_s]
    if len(edges) == 2:
        return
    parts = [cumulative.between(a, b).energy_j for a, b in pairwise(edges)]
    whole_j = max(0.0, integrate(ticks, start_s, stop_s).energy_j)
    assert math.isclose(math.fsum(parts), whole_j, rel_tol=1e-9, abs_tol=1e-9)
    assert all(part >= -1e-9 for part in parts)


@given(gaps_s=gaps, power_w=powers, offset_j=st.floats(min_value=0.0, max_value=1e6), burst_j=powers)
def test_the_counters_zero_does_not_matter(
    gaps_s: list[float], power_w: float, offset_j: float, burst_j: float
) -> None:
    """A counter that starts elsewhere gives the same joules."""
    ticks = with_burst(ticks_at(gaps_s, power_w), burst_j)
    start_s, stop_s = ticks[5].time_s + 1e-4, ticks[6].time_s - 1e-4
    moved = [Tick(t.time_s, t.joules + offset_j) for t in ticks]
    here, there = integrate(ticks, start_s, stop_s), integrate(moved, start_s, stop_s)
    assert math.isclose(here.energy_j, there.energy_j, rel_tol=1e-4, abs_tol=1e-3)


@given(gaps_s=gaps, power_w=powers, burst_j=powers, factor=st.floats(min_value=0.01, max_value=100.0))
def test_joules_scale(gaps_s: list[float], power_w: float, burst_j: float, factor: float) -> None:
    """A counter in other units gives joules and uncertainty in those units."""
    ticks = with_burst(ticks_at(gaps_s, power_w), burst_j)
    scaled = [Tick(t.time_s, t.joules * factor) for t in ticks]
    start_s, stop_s = ticks[5].time_s + 1e-4, ticks[6].time_s - 1e-4
    one, other = integrate(ticks, start_s, stop_s), integrate(scaled, start_s, stop_s)
    scale_j = factor * (burst_j + power_w)
    assert math.isclose(one.energy_j * factor, other.energy_j, rel_tol=1e-6, abs_tol=1e-6 * scale_j)
    assert math.isclose(one.uncertainty_j * factor, other.uncertainty_j, rel_tol=1e-3, abs_tol=1e-6 * scale_j)


@given(
    gaps_s=gaps,
    rises_j=st.lists(st.floats(min_value=0.0, max_value=500.0), min_size=40, max_size=40),
    spread_s=st.floats(min_value=0.0, max_value=0.1),
)
def test_uncertainty_is_a_finite_number(gaps_s: list[float], rises_j: list[float], spread_s: float) -> None:
    """Whatever the ticks, the uncertainty is finite and not negative."""
    ticks = rising(gaps_s, rises_j, spread_s)
    start_s, stop_s = (ticks[3].time_s + ticks[4].time_s) / 2, (ticks[-4].time_s + ticks[-3].time_s) / 2
    integral = integrate(ticks, start_s, stop_s)
    assert math.isfinite(integral.energy_j)
    assert 0.0 <= integral.uncertainty_j < math.inf


@given(
    gaps_s=st.lists(st.floats(min_value=1e-5, max_value=1.0), min_size=0, max_size=200),
    rises_j=st.lists(st.floats(min_value=0.0, max_value=500.0), min_size=200, max_size=200),
)
def test_steps_of_power_keep_the_joules(gaps_s: list[float], rises_j: list[float]) -> None:
    """However they are merged, watts times seconds are the counter's difference, to rounding."""
    ticks = rising(gaps_s, rises_j)
    steps = power_steps(ticks, 0.0)
    assert len(steps) <= MOST_POINTS
    assert all(before < after for (before, _), (after, _) in pairwise(steps))
    if not steps:
        return
    assert steps[-1][1] == steps[-2][1]
    energies_j = [power_w * (until_s - from_s) for (from_s, power_w), (until_s, _) in pairwise(steps)]
    lasts = [tick.joules for tick in ticks if round(tick.time_s, 3) == steps[-1][0]]  # of one millisecond
    swings_w = math.fsum(abs(after - before) for (_, before), (_, after) in pairwise(steps))
    rounding_j = 5e-4 * (steps[0][1] + swings_w + steps[-1][1]) * 1.001
    energy_j = math.fsum(energies_j) + ticks[0].joules
    assert any(abs(energy_j - last) <= rounding_j + 6e-4 * (last - ticks[0].joules) + 1e-9 for last in lasts)
