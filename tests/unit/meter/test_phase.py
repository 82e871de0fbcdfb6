"""Named stretches inside a window."""

import pytest

from tests.fakes.meter import BURST, Bench, edge_meter, started


def test_phases_of_a_round_add_up() -> None:
    """Phases that adjoin add up to the round, and each is right within its uncertainty."""
    bench = started()
    window = bench.meter.open("test")
    edges_s = [bench.clock.now_s()]
    for name, power_w in (("prefill", 700.0), ("decode", 300.0)):
        phase = window.phase(name, samples=8)
        bench.device.plan(bench.clock.now_s(), power_w)
        bench.clock.sleep_s(0.73)
        phase.close()
        edges_s.append(bench.clock.now_s())
    bench.device.plan(bench.clock.now_s(), 120.0)
    reading = window.close()
    prefill, decode = reading.phases
    assert (prefill.name, prefill.samples, decode.name) == ("prefill", 8, "decode")
    assert prefill.energy_j is not None
    assert decode.energy_j is not None
    assert prefill.energy_j + decode.energy_j == pytest.approx(reading.energy_j)
    for phase_, start_s, stop_s in zip(reading.phases, edges_s, edges_s[1:], strict=False):
        assert phase_.uncertainty_j is not None
        assert phase_.energy_j is not None
        assert abs(phase_.energy_j - bench.device.joules_between(start_s, stop_s)) <= 2 * phase_.uncertainty_j
        assert phase_.uncertainty_j > reading.uncertainty_j
        assert phase_.quality == ("gpu:0: interpolated between ticks, the power isn't quiet at its edges",)


def test_a_phase_of_an_edge_channel_is_exact() -> None:
    """Channels that are read at edges are read at a phase's edges too."""
    bench = Bench()
    meter = edge_meter(bench)
    window = meter.open("test")
    phase = window.phase("first")
    bench.device.work(((0.2, 500.0),))
    phase.close()
    bench.device.work(((0.2, 300.0),))
    (first,) = window.close().phases
    assert first.energy_j == pytest.approx(100.0, rel=1e-4)
    assert first.quality == ()


def test_a_phase_that_was_never_closed_has_no_joules() -> None:
    """A phase without a stop is unknown, not zero."""
    bench = started()
    window = bench.meter.open("test")
    window.phase("forgotten")
    bench.device.work((BURST,))
    (forgotten,) = window.close().phases
    assert forgotten.energy_j is None
    assert forgotten.quality == ("it was never closed",)


def test_a_phase_in_which_no_time_passed_has_no_joules() -> None:
    """Where the clock stood nothing can be divided; the phase says so, and the window is whole."""
    bench = Bench()
    window = edge_meter(bench).open("test")
    window.phase("nothing").close()
    bench.device.work(((0.2, 500.0),))
    reading = window.close()
    (nothing,) = reading.phases
    assert (nothing.energy_j, nothing.duration_s) == (None, 0.0)
    assert nothing.quality[0].endswith("the clock went back or stood")
    assert reading.energy_j == pytest.approx(100.0, rel=1e-4)


def test_phases_of_a_void_window_have_no_joules() -> None:
    """What a void window says of its phases is nothing."""
    bench = started()
    window = bench.meter.open("test")
    window.phase("lost").close()
    bench.clock.slept_s = 30.0
    bench.clock.sleep_s(0.1)
    reading = window.close()
    assert [phase.energy_j for phase in reading.phases] == [None]
