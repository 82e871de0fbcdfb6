"""Windows beside power that falls, or seems to, over a simulated counter."""

import math
from statistics import fmean

import pytest

from benchmarks.meter.simulated.bench import Bench, Setup
from benchmarks.meter.simulated.counters import Response, Ticks
from benchmarks.meter.simulated.trials import work_before


def fall(bench: Bench, from_s: float, begun_s: float) -> None:
    """Fall from 420 to 120 W, since *begun_s*; planned from *from_s* on."""
    for number in range(400):
        time_s = from_s + 0.02 * number
        bench.powers[0].plan(time_s, 120.0 + 300.0 * math.exp((begun_s - time_s) / 2.0))


def test_power_that_falls_before_and_after_the_work_is_not_late() -> None:
    """After the work it is seen against what it was before it, not against power at rest long ago."""
    bench = Bench(Setup(), seed=1)
    for _ in range(6):
        bench.machine.sleep_s(1.0)
        begun_s = bench.now_s
        fall(bench, begun_s, begun_s)
        window = bench.meter.open("test")
        bench.powers[0].plan(bench.now_s, 780.0)
        fall(bench, bench.now_s + 0.1, begun_s)
        bench.machine.sleep_s(0.1)
        reading = window.close()
        assert reading.trace is not None
        settle_s = reading.trace.responses["gpu:0"].settle_s
        assert settle_s is not None
        assert settle_s <= 0.11
        assert reading.energy_j is not None
        # A quarter of a tick of the step in power is what an unknown response leaves open, and not more.
        open_j = 0.25 * 0.1 * (780.0 - 120.0)
        assert abs(reading.energy_j - bench.truth_j(reading)) <= 2 * reading.uncertainty_j < 2 * open_j


def test_work_after_work_that_still_falls_is_read_right() -> None:
    """Power is lower at once after the work, as nothing of the earlier work is left."""
    bench, before = Bench(Setup(), seed=1), work_before(2.0)
    errors = []
    for _ in range(8):
        before(bench)
        reading = bench.bursts(0.5)
        assert reading.energy_j is not None
        errors.append(reading.energy_j / bench.truth_j(reading) - 1)
    assert abs(fmean(errors)) < 0.01


def test_a_fast_counter_is_counted_to_the_end_of_the_look_that_found_it_quiet() -> None:
    """What a counter still lacks a tenth of a second after 50 ms of work is 2 % of it."""
    bench = Bench(Setup(response=Response(low_pass_s=0.025, delay_s=0.025), ticks=Ticks(tick_s=0.02)), seed=1)
    readings = [bench.bursts(0.05) for _ in range(40)]
    kept = [reading for reading in readings if reading.energy_j is not None]
    assert len(kept) > 30
    assert fmean(r.energy_j / bench.truth_j(r) - 1 for r in kept if r.energy_j) == pytest.approx(
        0.0, abs=0.01
    )
