"""Which ticks tell a window's joules, and the steps of its power."""

import json
import math
from collections.abc import Sequence
from itertools import pairwise

import pytest

from pytest_energy.conversion import to_json
from pytest_energy.meter.integrate import integrate
from pytest_energy.sensors.replay import ReplayRound, round_to_json
from tests.fakes.meter import BURST, Bench, edge_meter, started


def test_the_trace_gives_the_same_joules_again() -> None:
    """Integrating a reading's trace reproduces it to the last bit."""
    bench = started(0.1, 0.02)
    for steps in ((BURST,), ((0.9, 300.0), (0.3, 500.0)), ((12.0, 400.0),)):
        reading = bench.measure(*steps)
        trace = reading.trace
        assert trace is not None
        for name, ticks in trace.ticks.items():
            again = integrate(
                ticks,
                trace.start_s,
                trace.stop_s,
                quiet_s=trace.quiet_s,
                response=trace.responses[name],
            )
            assert again.energy_j == reading.channels[name]


def test_a_long_windows_trace_is_short() -> None:
    """Of a long window only the ticks beside its edges are kept."""
    reading = started().measure((60.0, 300.0))
    assert reading.trace is not None
    assert len(reading.trace.ticks["gpu:0"]) < 140


def steps_j(steps: Sequence[tuple[float, float]]) -> float:
    return math.fsum(power_w * (until_s - from_s) for (from_s, power_w), (until_s, _) in pairwise(steps))


def rounding_j(steps: Sequence[tuple[float, float]]) -> float:
    """What times of 1 ms and watts of 4 digits may change of the joules of *steps*."""
    swings_w = math.fsum(abs(after - before) for (_, before), (_, after) in pairwise(steps))
    return 5e-4 * steps_j(steps) + 5e-4 * (steps[0][1] + swings_w + steps[-1][1])


@pytest.mark.parametrize("seed", range(4))
def test_the_steps_of_power_are_the_counters_joules(seed: int) -> None:
    """Watts times seconds are the counter's difference between the first tick inside and the last."""
    bench = started(0.1, 0.02, 0.25, seed=seed, jitter_share=0.02)
    for work in (((0.4, 200.0), (0.9, 600.0), (0.7, 350.0)), ((30.0, 500.0), (0.3, 150.0), (10.0, 300.0))):
        reading = bench.measure(*work)
        trace = reading.trace
        assert trace is not None
        for name, steps in reading.power_trace.items():
            inside = [tick for tick in trace.ticks[name] if trace.start_s <= tick.time_s <= trace.stop_s]
            assert steps[0][0] == round(inside[0].time_s - trace.start_s, 3)
            assert steps[-1][0] == round(inside[-1].time_s - trace.start_s, 3)
            counted_j = inside[-1].joules - inside[0].joules
            assert abs(steps_j(steps) - counted_j) <= rounding_j(steps)
        assert reading.power_trace.keys() == {"gpu:0", "gpu:1", "gpu:2"}


def test_steps_of_power_follow_the_work() -> None:
    """Where the work draws more, the steps do; none of them has the quiet beside the window in it."""
    reading = started(call_s=(1e-4, 2e-4)).measure((1.0, 300.0), (1.0, 600.0))
    steps = reading.power_trace["gpu:0"]
    assert all(power_w == pytest.approx(300.0, rel=0.05) for time_s, power_w in steps if time_s < 0.85)
    assert all(power_w == pytest.approx(600.0, rel=0.05) for time_s, power_w in steps if time_s > 1.05)


def test_a_window_without_two_ticks_has_no_steps_of_power() -> None:
    """A burst, a channel that is read at edges, and a void window tell no power over time."""
    bench = started()
    assert bench.measure(BURST).power_trace == {}
    assert bench.measure((1.0, 300.0)).power_trace.keys() == {"gpu:0"}
    window = bench.meter.open("test")
    bench.device.work([(1.0, 300.0)])
    bench.clock.jump(-30.0)
    assert window.close().power_trace == {}
    bench = Bench()
    bench.meter = edge_meter(bench)
    assert bench.measure((1.0, 300.0)).power_trace == {}


@pytest.mark.parametrize(("channels", "most"), [(1, 60), (2, 60), (8, 15), (16, 7)])
def test_twenty_long_rounds_take_forty_kilobytes(channels: int, most: int) -> None:
    """Long windows and many channels are thinned, so that a test's power over time stays small in JSON."""
    reading = started(*[0.1] * channels, call_s=(1e-4, 2e-4)).measure((20.0, 412.3))
    assert {len(steps) for steps in reading.power_trace.values()} == {most}
    text = json.dumps(to_json(reading)["power_trace"])
    assert 20 * len(text) < 42_000


def test_a_recording_holds_the_ticks_not_the_steps() -> None:
    """A replay integrates its ticks again; power over time is no part of it."""
    reading = started().measure((1.0, 300.0))
    assert reading.power_trace
    assert "power_trace" not in round_to_json(ReplayRound.from_reading(reading))
