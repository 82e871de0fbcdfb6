"""What a clock elsewhere leaves open of a window's joules."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.meter import quality
from pytest_energy.meter.integrate import How, Integral
from pytest_energy.meter.interpolate import interpolate
from pytest_energy.meter.reading import to_reading
from pytest_energy.model import SAME_CLOCK, ClockError, Provenance, Tick, Trace
from pytest_energy.sensors.replay import ReplayRound, load_replay, save_replay


def integral(start_w: float, stop_w: float) -> Integral:
    return Integral(energy_j=10.0, uncertainty_j=0.0, how=How.ALIGNED, edge_powers_w=(start_w, stop_w))


def test_a_shift_costs_the_difference_of_the_powers_at_the_edges() -> None:
    """Of all channels together, as one clock times them: errors of one sign add up, others cancel."""
    error = ClockError(alike_s=0.1)
    assert quality.total_uncertainty_j({"a": integral(100.0, 150.0)}, error) == pytest.approx(5.0)
    both = {"a": integral(100.0, 150.0), "b": integral(20.0, 40.0)}
    assert quality.total_uncertainty_j(both, error) == pytest.approx(7.0)
    cancelling = {"a": integral(100.0, 150.0), "b": integral(60.0, 10.0)}
    assert quality.total_uncertainty_j(cancelling, error) == pytest.approx(0.0)


def test_edges_that_are_off_apart_cost_the_power_there() -> None:
    """Where both edges have one power, a window that is too long has too many joules by that power."""
    error = ClockError(apart_s=0.01)
    assert quality.total_uncertainty_j({"a": integral(100.0, 100.0)}, error) == pytest.approx(1.0)
    assert quality.total_uncertainty_j({"a": integral(100.0, 100.0)}) == 0.0


# 100 W until 2.5 s, 600 W until 3, 150 W from then on; each tick is known to a millisecond.
TICKS = tuple(
    Tick(t, 100.0 * t + 500.0 * min(0.5, max(0.0, t - 2.5)) + 50.0 * max(0.0, t - 3.0), 1e-3)
    for t in (0.1 * number for number in range(60))
)


def test_the_uncertainty_of_a_reading_has_it() -> None:
    """100 W before the window, 150 W after it, and the clock known to 0.1 s: 5 J."""
    trace = Trace(ticks={"gpu:0": TICKS}, start_s=2.55, stop_s=3.05)
    known = to_reading(trace, Provenance.MEASURED)
    doubted = to_reading(replace(trace, clock_error=ClockError(alike_s=0.1)), Provenance.MEASURED)
    assert doubted.energy_j == known.energy_j
    added_j = math.sqrt(doubted.uncertainty_j**2 - known.uncertainty_j**2)
    assert added_j == pytest.approx(5.0, rel=0.05)


def test_a_phase_has_the_power_on_the_worse_side_of_its_edges() -> None:
    """Mean power just after both edges, or just before: whichever pair differs more."""
    steps_w = [100.0] * 10 + [300.0] * 10 + [200.0] * 10
    joules = [0.1 * sum(steps_w[:n]) for n in range(31)]
    ticks = [Tick(0.1 * n, joules[n], 1e-4) for n in range(31)]
    whole = interpolate(ticks, 0.2, 2.8)
    start_w, stop_w = whole.between(1.0, 2.0, reach_s=0.3).edge_powers_w
    assert (start_w, stop_w) == pytest.approx((100.0, 300.0), rel=0.02)
    assert whole.between(0.5, 0.9, reach_s=0.0).edge_powers_w == pytest.approx((100.0, 100.0), rel=0.02)


def test_a_recorded_round_keeps_it(tmp_path: Path) -> None:
    """A replay is as uncertain as what was recorded; one of this machine's clock says nothing of it."""
    path = tmp_path / "replay.json"
    for error in (ClockError(alike_s=0.05, apart_s=0.002), SAME_CLOCK):
        trace = Trace(ticks={"gpu:0": TICKS}, start_s=2.55, stop_s=3.05, clock_error=error)
        save_replay(path, {"test": (ReplayRound(duration_s=0.5, trace=trace),)})
        (one,) = load_replay(path)["test"]
        assert one.trace is not None
        assert one.trace.clock_error == error
        written = json.loads(path.read_text())["tests"]["test"]["rounds"][0]
        assert ("clock_error_s" in written) is (error != SAME_CLOCK)


def test_a_negative_error_is_refused(tmp_path: Path) -> None:
    """An uncertainty is at least 0."""
    path = tmp_path / "replay.json"
    trace = Trace(ticks={"gpu:0": TICKS}, start_s=2.55, stop_s=3.05, clock_error=ClockError(alike_s=0.1))
    save_replay(path, {"test": (ReplayRound(duration_s=0.5, trace=trace),)})
    document = json.loads(path.read_text())
    document["tests"]["test"]["rounds"][0]["clock_error_s"] = [-0.1, 0.0]
    path.write_text(json.dumps(document))
    with pytest.raises(SettingsError, match=r"clock_error_s is -0\.1 and 0"):
        load_replay(path)
