"""How long a counter, and its device, take to settle after work."""

from dataclasses import replace
from statistics import fmean

import pytest

from pytest_energy.meter.waiting import settle_s
from pytest_energy.model import Channel, CounterResponse, Domain
from tests.fakes.meter import Bench

AFTER_W, AFTER_S = 3.0, (0.1, 0.155)
"""What a device draws above rest after its work, and when."""


def channel(response: CounterResponse) -> Channel:
    return Channel(
        name="gpu:0", domain=Domain.GPU, device="A", is_ticked=True, resolution_j=1e-3, response=response
    )


def test_after_short_work_the_device_is_waited_for_too() -> None:
    """Joules of long work are in the counter before its device is at rest, and what it draws is little."""
    known = channel(CounterResponse(settle_s=0.09, rest_s=0.16))
    assert settle_s(known, 0.1, 0.01) == 0.16
    assert settle_s(known, 0.1, 0.1) == 0.09
    assert settle_s(known, 0.1) == 0.16  # of other work nobody knows how long it was


def test_a_counter_that_settles_after_its_device_is_waited_for() -> None:
    """Rest is no reason to wait less."""
    assert settle_s(channel(CounterResponse(settle_s=0.3, rest_s=0.16)), 0.1, 0.01) == 0.3


def test_where_nothing_is_known_it_is_a_tick() -> None:
    """However short the work was."""
    assert settle_s(channel(CounterResponse()), 0.25, 0.01) == 0.25


@pytest.mark.parametrize("rest_s", [0.0, 0.16])
def test_what_a_device_draws_after_short_work_is_not_taken_for_rest(rest_s: float) -> None:
    """It counts as the work's; taken for quiet power it would be subtracted from the work's joules."""
    bench = Bench(0.1)
    counter = bench.counters[0]
    response = CounterResponse(settle_s=0.09, rest_s=rest_s)
    counter.channels = tuple(replace(channel, response=response) for channel in counter.channels)
    bench.meter = bench.meter_over(counter)
    bench.meter.start()
    bench.clock.sleep_s(10.0)
    quiet_w, after_j = bench.device.quiet_w, AFTER_W * (AFTER_S[1] - AFTER_S[0])
    errors_j = []
    for _ in range(27):
        window = bench.meter.open("test")
        stop_s = bench.clock.now_s() + 0.01
        bench.device.plan(stop_s - 0.01, 900.0)
        bench.device.plan(stop_s, quiet_w)
        bench.device.plan(stop_s + AFTER_S[0], quiet_w + AFTER_W)
        bench.device.plan(stop_s + AFTER_S[1], quiet_w)
        bench.clock.sleep_s(0.01)
        reading = window.close()
        assert reading.energy_j is not None
        errors_j.append(reading.energy_j - (9.0 + after_j))
    if rest_s:
        assert fmean(errors_j) == pytest.approx(0.0, abs=0.02)
    else:
        assert fmean(errors_j) < -0.1
