"""A counter that samples power itself leaves joules open at a window's edges."""

import math
from dataclasses import replace

import pytest

from pytest_energy.meter.reading import to_reading
from pytest_energy.model import CounterResponse, Provenance, Tick, Trace
from pytest_energy.sensors.replay import ReplayRound, round_to_json

# 120 W quiet, a tick each 100 ms, and 39 J of work between 0.92 s and 0.97 s.
TICKS = tuple(Tick(0.1 * k, 12.0 * k + 33.0 * (0.1 * k > 0.95)) for k in range(20))
TRACE = Trace(ticks={"gpu:0": TICKS}, start_s=0.92, stop_s=0.97, quiet_s=((0.0, 0.92),))


def test_the_step_in_power_times_the_edge_is_added_to_the_uncertainty() -> None:
    """39 J in 50 ms is 660 W above 120 W: at 3 ms that is 1.98 J, beside what the ticks leave open."""
    plain = to_reading(TRACE, Provenance.MEASURED)
    trace = Trace(
        ticks=TRACE.ticks,
        start_s=TRACE.start_s,
        stop_s=TRACE.stop_s,
        quiet_s=TRACE.quiet_s,
        responses={"gpu:0": CounterResponse(edge_s=3e-3)},
    )
    blurred = to_reading(trace, Provenance.MEASURED)
    assert blurred.energy_j == pytest.approx(39.0)
    assert blurred.energy_j == plain.energy_j
    assert blurred.uncertainty_j == pytest.approx(math.hypot(plain.uncertainty_j, 1.98), rel=1e-6)


def test_what_may_be_off_may_read_nothing() -> None:
    """A recorded round keeps that, so that it is judged again as it was."""
    still = tuple(Tick(tick.time_s, 5.0) for tick in TICKS)
    trace = Trace(ticks={**TRACE.ticks, "cpu:CV": still}, start_s=0.92, stop_s=0.97, may_be_off=("cpu:CV",))
    assert to_reading(trace, Provenance.MEASURED).channels["cpu:CV"] == 0.0
    because = to_reading(replace(trace, may_be_off=()), Provenance.MEASURED).void_because
    assert because is not None
    assert because.startswith("cpu:CV reads 0 J")
    written = round_to_json(ReplayRound.from_trace(trace))
    assert written["may_be_off"] == ("cpu:CV",)


def test_a_recorded_round_keeps_the_edge() -> None:
    """So that it is judged again with the uncertainty that it had."""
    trace = Trace(
        ticks=TRACE.ticks, start_s=0.92, stop_s=0.97, responses={"gpu:0": CounterResponse(edge_s=3e-3)}
    )
    written = round_to_json(ReplayRound.from_trace(trace))
    assert ReplayRound.from_trace(trace).trace == trace
    assert "0.003" in str(written["responses"])


def test_a_device_at_rest_that_reads_below_zero_by_chance_has_no_joules() -> None:
    """The sum is that of the other; a device that is alone, or further below zero, makes the window void."""
    # 12 J a tick but for one right after the window, which lacks 6.2 J that the next one has.
    low = tuple(Tick(t.time_s, 12.0 * k - 6.2 * (10 <= k < 12), 0.007) for k, t in enumerate(TICKS))
    both = Trace(ticks={"gpu:0": TICKS, "gpu:1": low}, start_s=0.92, stop_s=0.97, quiet_s=((0.0, 0.92),))
    reading = to_reading(both, Provenance.MEASURED)
    assert reading.void_because is None
    assert reading.channels == {"gpu:0": pytest.approx(39.0), "gpu:1": 0.0}
    assert any(note.startswith("gpu:1: ") and "counted as 0 J" in note for note in reading.quality)
    alone = Trace(ticks={"gpu:1": low}, start_s=0.92, stop_s=0.97, quiet_s=((0.0, 0.92),))
    assert to_reading(alone, Provenance.MEASURED).void_because is not None
