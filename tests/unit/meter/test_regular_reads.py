"""Reads at a fixed rate."""

from itertools import pairwise

import pytest

from pytest_energy.meter.regular_reads import RegularReads
from pytest_energy.meter.sampler import Sampler
from pytest_energy.meter.tick_times import fit_tick_times
from pytest_energy.meter.ticks import Read
from tests.fakes.meter import Device, SimulatedCounter, VirtualClock


def read_regularly(seconds: float, *, power_w: float = 200.0) -> tuple[Sampler, Device]:
    """A sampler that has read a counter of 1 ms, as RAPL's is, every 20 ms."""
    clock = VirtualClock()
    device = Device(clock, power_w)
    counter = SimulatedCounter(
        device, clock, tick_s=1e-3, call_s=(1e-5, 3e-5), name="cpu:package-0", is_ticked=False
    )
    sampler = Sampler([counter], clock, clock, read_every_s=0.02)
    sampler.start()
    clock.sleep_s(seconds)
    return sampler, device


def test_a_counter_that_does_not_tick_is_read_at_the_rate() -> None:
    """Each read is a tick, fifty a second."""
    sampler, _ = read_regularly(10.0)
    assert len(sampler.ticks("cpu:package-0")) == pytest.approx(500, abs=2)
    assert sampler.tick_s("cpu:package-0") == 0.02


def test_a_tick_is_known_to_the_age_of_its_counter() -> None:
    """The joules of a tick are those of its time, within what it says of itself."""
    sampler, device = read_regularly(2.0, power_w=1000.0)
    ticks = sampler.ticks("cpu:package-0")
    off_s = [(tick.joules - device.joules_at(tick.time_s)) / 1000.0 for tick in ticks]
    assert max(off_s) <= 5.3e-4
    assert min(off_s) >= -5.3e-4
    assert all(tick.after_s < tick.time_s < tick.before_s for tick in ticks)
    assert all(before.time_s < after.time_s for before, after in pairwise(ticks))


def test_the_times_of_regular_reads_are_right_as_they_are() -> None:
    """They are not taken back to a beat, and their uncertainty remains."""
    sampler, _ = read_regularly(4.0)
    ticks = sampler.ticks("cpu:package-0")
    times_s, spreads_s = [tick.time_s for tick in ticks], [tick.spread_s for tick in ticks]
    fitted = fit_tick_times(0, times_s, spreads_s).ticks
    assert all(abs(best.time_s - seen_s) < 1.5e-4 for best, seen_s in zip(fitted, times_s, strict=True))
    assert all(best.spread_s > 0.8 * spread for best, spread in zip(fitted, spreads_s, strict=True))


def test_reads_that_were_missed_are_not_made_up_for() -> None:
    """After a hold-up the rate is as before."""
    tracker, now_s, reads_s = RegularReads(100.0, 0.02), 100.0, []
    while now_s < 106.0:
        now_s = max(now_s, tracker.due_s)
        reads_s.append(now_s)
        held_up_s = 5.0 if len(reads_s) == 20 else 1e-5
        tracker.see(Read(now_s, now_s + held_up_s, 1.0))
        now_s += held_up_s
    assert len(reads_s) == pytest.approx(50, abs=2)
    assert min(after - before for before, after in pairwise(reads_s)) > 0.01
