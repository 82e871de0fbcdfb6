"""What a counter's response does to a window, and how it is found from bursts."""

import math
import random
from dataclasses import replace
from statistics import fmean, stdev

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.calibration import LEAST_BURSTS, Burst, calibrated, scatter
from pytest_energy.meter.integrate import integrate
from pytest_energy.meter.response import (
    Gain,
    ahead_s,
    counted_share,
    edge_uncertainty_s,
    followed_response,
    gain,
    gain_range,
    sampling_s,
    seen_share,
)
from pytest_energy.model import Channel, CounterResponse, Domain, Tick

TICK_S, SAMPLE_S, FILTER_S = 0.1, 0.02, 0.0127


def seen_s(start_s: float, stop_s: float) -> float:
    """Seconds of even power from *start_s* to *stop_s* that samples 20 ms apart behind a filter count."""

    def behind(time_s: float) -> float:
        """Share of the power that the filter shows."""
        up = -math.expm1(-max(0.0, min(time_s, stop_s) - start_s) / FILTER_S)
        return up * math.exp(-max(0.0, time_s - stop_s) / FILTER_S)

    first, last = math.floor(start_s / SAMPLE_S), math.ceil((stop_s + 12 * FILTER_S) / SAMPLE_S)
    return SAMPLE_S * math.fsum(behind(number * SAMPLE_S) for number in range(first, last))


def bursts(count: int, *, seed: int = 1, noise_j: float = 0.1) -> list[Burst]:
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation
    found = []
    for _ in range(count):
        phase, length_s = rng.random(), rng.choice((0.01, 0.02, 0.03, 0.05))
        counted_s = seen_s(phase * TICK_S, phase * TICK_S + length_s)
        found.append(
            Burst(excess_j=700.0 * counted_s + rng.gauss(0, noise_j), start_phase=phase, length_s=length_s)
        )
    return found


def corrected_cv(some: list[Burst], response: CounterResponse, length_s: float) -> tuple[float, float]:
    """Variation of the joules of one length as counted, and as corrected."""
    group = [burst for burst in some if burst.length_s == length_s]
    counted = [burst.excess_j for burst in group]
    read = [burst.excess_j / counted_share(response, burst.start_phase, burst.length_s) for burst in group]
    return stdev(counted) / fmean(counted), stdev(read) / fmean(read)


def test_what_is_found_from_some_bursts_corrects_others() -> None:
    """Samples behind a filter scatter bursts of 10 ms by a quarter; corrected it is a tenth of that."""
    response = calibrated(bursts(400), tick_s=TICK_S, known=CounterResponse(settle_s=0.06))
    raw, corrected = corrected_cv(bursts(400, seed=2), response, 0.01)
    assert raw > 0.15
    assert corrected < 0.2 * raw
    assert response.settle_s == 0.06
    assert response.edge_s > 0


def test_too_few_bursts_say_nothing() -> None:
    """A response from noise would put noise into every window."""
    with pytest.raises(NotMeasurable, match=f"{LEAST_BURSTS} are enough"):
        calibrated(bursts(LEAST_BURSTS - 1), tick_s=TICK_S, known=CounterResponse())


def test_a_counter_of_another_period_is_not_corrected() -> None:
    """The waves belong to the tick that they were found with."""
    response = CounterResponse(tick_s=0.1, waves=((0.003, 0.0),))
    found = gain(response, 0.0, 0.025, tick_at_s=0.0, tick_s=0.1)
    assert found.share == pytest.approx(1 + 0.003 / 0.025)
    assert found.uncertainty == 0.0
    assert gain(response, 0.0, 0.025, tick_at_s=0.0, tick_s=0.02) == Gain(1.0, 0.0)
    assert ahead_s(response, 0.25) == pytest.approx(0.003)


def test_a_window_that_the_counter_hardly_sees_is_void() -> None:
    """Dividing by a share near 0 would make joules of nothing."""
    response = CounterResponse(tick_s=0.1, waves=((0.0, 0.03),))
    with pytest.raises(NotMeasurable, match="do more work per round"):
        gain(response, 0.025, 0.028, tick_at_s=0.0, tick_s=0.1)


def test_a_window_that_is_known_badly_is_void() -> None:
    """Edges of 3 ms are a third of 10 ms: what was hardly seen would seem to be known well."""
    response = CounterResponse(edge_s=3e-3)
    with pytest.raises(NotMeasurable, match=r"100 \+- 30 % of a window of 10 ms .*: do more work per round"):
        gain(response, 0.0, 0.01, tick_at_s=0.0, tick_s=0.1)
    assert gain(response, 0.0, 0.1, tick_at_s=0.0, tick_s=0.1).uncertainty == pytest.approx(0.03)


def test_how_badly_a_tick_is_known_is_how_badly_the_share_is() -> None:
    """A tick that may be 2 ms off leaves open what the share is 2 ms earlier or later."""
    response = CounterResponse(tick_s=0.1, waves=((0.0, 0.003),))
    sharp = gain(response, 0.0, 0.01, tick_at_s=0.0, tick_s=0.1, spread_s=1e-6)
    vague = gain(response, 0.0, 0.01, tick_at_s=0.0, tick_s=0.1, spread_s=2e-3)
    assert sharp.share == vague.share
    assert sharp.uncertainty < 1e-4
    moved = counted_share(response, 0.02, 0.01), counted_share(response, -0.02, 0.01)
    assert vague.uncertainty == pytest.approx(max(abs(share - vague.share) for share in moved))


def test_what_a_response_says_of_the_counter() -> None:
    """Its samples, the share of the time in which it sees, and what it makes of 10 ms."""
    sharp = [(0.0, 0.0)] * 3 + [(0.004, 0.0)]
    response = CounterResponse(tick_s=0.1, waves=tuple(sharp))
    assert sampling_s(response) == pytest.approx(0.025)
    low, high = gain_range(response, 0.01)
    assert low == pytest.approx(2 - high, abs=0.01)
    assert high == pytest.approx(1 + 2 * 0.4 * math.sin(2 * math.pi * 0.4 / 2), rel=0.01)
    assert seen_share(response) == pytest.approx(0.75, abs=0.02)  # 1 + cos is under 0.3 for a quarter of it
    assert sampling_s(CounterResponse()) is None
    assert (gain_range(CounterResponse(), 0.01), seen_share(CounterResponse())) == ((1.0, 1.0), 1.0)


def test_work_that_is_shorter_than_is_known_is_void() -> None:
    """A burst between two samples would read as nothing, with an uncertainty of nothing."""
    ticks = [Tick(0.1 * k, 12.0 * k, 1e-6) for k in range(16)]
    response = CounterResponse(settle_s=0.06, shortest_s=0.025)
    with pytest.raises(NotMeasurable, match=r"lasts 20 ms, and how .* less than 25 ms is not known"):
        integrate(ticks, 1.0, 1.02, quiet_s=((0.0, 1.0),), response=response)


def test_both_edges_of_a_short_window_err_alike() -> None:
    """Of a window much shorter than the length little of the edges' error remains; of a long one all."""
    response = CounterResponse(edge_s=3e-3, edge_length_s=0.1)
    assert edge_uncertainty_s(response, 0.001) == pytest.approx(3e-3 * 0.1, rel=0.01)
    assert edge_uncertainty_s(response, 2.0) == pytest.approx(3e-3)
    assert edge_uncertainty_s(CounterResponse(edge_s=3e-3), 0.001) == 3e-3


def test_joules_above_quiet_are_divided_by_what_is_seen_of_them() -> None:
    """39 J of which 6 J are quiet: the other 33 J were counted 1.1 times."""
    response = CounterResponse(settle_s=0.06, tick_s=0.1, waves=((0.0025, 0.0),))
    # The window is from phase 0 to phase 0.25, where the counter is ahead by 2.5 ms of its 25 ms.
    ticks = [Tick(0.1 * k, 12.0 * k + 36.3 * (k > 10), 1e-6) for k in range(16)]
    reading = integrate(ticks, 1.0 + 1e-9, 1.025, quiet_s=((0.0, 1.0),), response=response)
    assert reading.energy_j == pytest.approx(3.0 + 33.0, rel=1e-3)


def test_a_counter_that_is_read_responds_in_another_way() -> None:
    """Where that is not known all that it may be ahead is left open; where it is, it counts."""
    response = CounterResponse(edge_s=3e-3, tick_s=0.1, waves=((3e-3, 0.0), (0.0, 2e-3)))
    channel = Channel(
        name="gpu:0",
        domain=Domain.GPU,
        device="a",
        is_ticked=True,
        resolution_j=1e-3,
        response=response,
    )
    unknown = followed_response(channel)
    assert unknown.waves == ()
    assert unknown.edge_s == pytest.approx(1e-3 * math.sqrt(9 + 9 + 4))
    known = CounterResponse(edge_s=4e-3)
    assert followed_response(replace(channel, followed_response=known)) is known
    even = CounterResponse(edge_s=4e-3)
    assert followed_response(replace(channel, response=even)) is even


def test_work_that_differs_is_not_the_counters_scatter() -> None:
    """A device that is 1 % slower in one burst, and draws 4 % less in it, is seen rightly."""
    rng = random.Random(2)  # noqa: S311  # a seeded simulation
    found = []
    for number in range(120):
        phase, slower = rng.random(), rng.gauss(0, 0.01)
        length_s = (0.01, 0.02, 0.05, 0.3)[number % 4] * (1 + slower)
        joules = 700.0 * (1 - 4 * slower) * seen_s(phase * TICK_S, phase * TICK_S + length_s)
        found.append(Burst(excess_j=joules + rng.gauss(0, 0.2), start_phase=phase, length_s=length_s))
    response = calibrated(found, tick_s=TICK_S, known=CounterResponse(settle_s=0.06))
    lengths_s, off_s = scatter(found, response)
    assert stdev(off_s[lengths_s > 0.2]) < 1e-3  # 3 % of 0.3 s would be 9 ms
