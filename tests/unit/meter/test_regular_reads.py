"""Reads at a fixed rate."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from pytest_energy.meter.regular_reads import RegularReads
from pytest_energy.meter.sampler import Sampler
from pytest_energy.meter.tick_times import fit_tick_times
from pytest_energy.meter.ticks import Read
from pytest_energy.model import CounterResponse
from tests.fakes.meter import Bench, Device, SimulatedCounter, VirtualClock


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
    assert len(sampler.ticks("cpu:package-0")) == pytest.approx(500, abs=5)
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


def agreement(*, seeds: int, longest_s: float) -> list[float]:
    """Errors of readings over such reads, in their own standard uncertainties."""
    errors = []
    for seed in range(seeds):
        bench = Bench(0.1, seed=seed, quiet_w=60.0)
        counter = SimulatedCounter(
            bench.device,
            bench.clock,
            tick_s=1e-3,
            jitter_share=0.1,
            call_s=(1e-5, 4e-5),
            name="cpu:package-0",
            is_ticked=False,
            rng=bench.rng,
        )
        bench.meter = meter = bench.meter_over(counter)
        settled = CounterResponse(settle_s=0.0)
        meter._channels = tuple(replace(c, is_ticked=True, response=settled) for c in meter._channels)
        sampler = Sampler([counter], bench.clock, bench.clock, read_every_s=0.02)
        meter._instruments = replace(meter._instruments, sampler=sampler)
        for _ in range(6):
            bench.clock.sleep_s(bench.rng.random() * 0.02)
            count = bench.rng.randint(1, 8)
            work = [
                (bench.rng.uniform(0.01, longest_s / 8), bench.rng.uniform(100, 300)) for _ in range(count)
            ]
            reading = bench.measure(*work)
            assert reading.energy_j is not None, reading.void_because
            errors.append((reading.energy_j - bench.truth_j(reading)) / reading.uncertainty_j)
    return errors


@pytest.mark.parametrize(("seeds", "longest_s"), [(60, 1.0), pytest.param(100, 4.0, marks=pytest.mark.slow)])
def test_readings_over_regular_reads_hold_the_truth(seeds: int, longest_s: float) -> None:
    """Their uncertainty is what they err by: neither much more nor much less."""
    errors = agreement(seeds=seeds, longest_s=longest_s)
    assert sum(abs(error) <= 2 for error in errors) >= 0.93 * len(errors)
    assert 0.7 < math.sqrt(sum(error**2 for error in errors) / len(errors)) < 1.2
