"""Windows of the live meter, on a virtual clock with a known truth."""

import math
from dataclasses import asdict, replace
from itertools import pairwise
from statistics import fmean

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import SystemClock, TimeMark
from pytest_energy.meter.device_monitor import DeviceMonitor
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import CounterResponse, Provenance, Reading
from pytest_energy.sensors.estimate import CHANNEL
from pytest_energy.usage import Usage
from tests.fakes.hand_clock import HandClock
from tests.fakes.meter import BURST, EPOCH, Bench, SimulatedCounter, edge_meter, started, why_void


def test_a_burst_is_measured_whole() -> None:
    """A burst of half a tick, at whatever phase, reads its joules."""
    bench = started()
    for _ in range(20):
        reading = bench.measure(BURST)
        assert reading.void_because is None
        assert abs(reading.channels["gpu:0"] - bench.truth_j(reading)) <= 4 * reading.uncertainty_j
        assert reading.channels["gpu:0"] == pytest.approx(35.0, rel=0.01)


def test_a_counter_in_steps_that_it_does_not_declare() -> None:
    """Of whole joules, ticks of 20 ms are 2 or 3 J: neither is quiet power, and no joule is late."""
    bench = started(0.02, call_s=(0.0005, 0.001), resolution_j=1.0, declared_j=1e-3, quiet_w=117.3)
    errors_j = []
    for _ in range(20):
        reading = bench.measure((0.1, 700.0))
        assert reading.void_because is None
        errors_j.append(reading.channels["gpu:0"] - bench.truth_j(reading))
        assert abs(errors_j[-1]) <= 2.5 * reading.uncertainty_j < 2.0
    assert fmean(errors_j) == pytest.approx(0.0, abs=0.3)


def test_channels_have_their_own_phases() -> None:
    """Each of several channels is aligned to its own ticks."""
    bench = started(0.1, 0.1, 0.06, 0.25)
    for _ in range(5):
        reading = bench.measure(BURST)
        truth_j = bench.truth_j(reading)
        assert reading.void_because is None
        assert len(reading.channels) == 4
        for joules in reading.channels.values():
            assert abs(joules - truth_j) <= 4 * reading.uncertainty_j


@pytest.mark.parametrize("tick_s", [0.1, 0.5, 1.0])
def test_closing_waits_three_ticks_at_most(tick_s: float) -> None:
    """Closing waits until a counter that nothing is known of has settled, a tick, and has ticked twice.

    Where a tick is believed its value is read a third of a tick later.
    """
    bench = started(tick_s)
    for _ in range(10):
        window = bench.meter.open("test")
        bench.device.work((BURST,))
        stop_s = bench.clock.now_s()
        window.close()
        assert bench.clock.now_s() - stop_s <= 3.5 * tick_s


def test_windows_begin_all_over_the_tick_wherever_they_are_asked_for() -> None:
    """Of 27 that are opened at random moments each begins in another 27th of the tick."""
    bench = Bench(0.1, call_s=(0.002, 0.004))
    bench.meter.start()
    starts_s = []
    for _ in range(27):
        bench.clock.sleep_s(0.3 * bench.rng.random())
        window = bench.meter.open("test")
        starts_s.append(bench.clock.now_s())
        bench.device.work([(0.2, 500.0)])
        window.close()
    phases = sorted(start_s / 0.1 % 1.0 for start_s in starts_s)
    steps = [after - before for before, after in pairwise([*phases, phases[0] + 1.0])]
    assert all(step == pytest.approx(1 / 27, abs=0.03) for step in steps)


def test_windows_begin_at_their_place_however_long_the_device_takes_to_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its state is asked for before the wait for the place, not after it."""
    bench = started()
    monkeypatch.setattr(DeviceMonitor, "open", lambda *_: bench.clock.sleep_s(0.02 * bench.rng.random()))
    phases = []
    for _ in range(9):
        window = bench.meter.open("test")
        phases.append(bench.clock.now_s() / 0.1 % 1.0)
        bench.device.work((BURST,))
        window.close()
    steps = [after - before for before, after in pairwise([*sorted(phases), min(phases) + 1.0])]
    assert all(step == pytest.approx(1 / 9, abs=0.02) for step in steps)


def test_a_window_right_after_another_does_not_wait_for_quiet() -> None:
    """The tail of the last window is the head of the next: opening then takes a tick at most."""
    bench = started()
    bench.measure(BURST)
    before_s = bench.clock.now_s()
    bench.meter.open("test")
    assert bench.clock.now_s() - before_s <= 0.1


def test_work_just_before_a_window_is_not_in_it() -> None:
    """Work between two windows is over two ticks before the next one starts."""
    bench = started()
    for _ in range(10):
        bench.device.work(((0.03, 700.0),))
        reading = bench.measure(BURST)
        assert reading.channels["gpu:0"] == pytest.approx(bench.truth_j(reading), rel=0.01)


def test_both_edges_are_synchronised() -> None:
    """The device is synchronised before each edge's time is taken."""
    bench = started()
    window = bench.meter.open("test")
    opened = bench.synchronize_count
    window.close()
    assert opened >= 1
    assert bench.synchronize_count == opened + 1


def test_an_error_of_the_work_passes_through_synchronize() -> None:
    """What synchronize raises is the work's own error, not a fault of the measurement."""
    bench = started()
    calls = iter((None, None, RuntimeError("device-side assert")))

    def synchronize() -> None:
        error = next(calls, None)
        if error is not None:
            raise error

    meter = LiveMeter(
        bench.counters,
        (),
        clock=bench.clock,
        synchronize=synchronize,
        rng=bench.rng,
        runner=bench.clock,
        system=bench.system,
    )
    meter.start()
    window = meter.open("test")
    with pytest.raises(RuntimeError, match="device-side assert"):
        window.close()
    window = meter.open("next")
    bench.device.work((BURST,))
    assert window.close().void_because is None


def test_a_sensor_that_raises_makes_the_window_void_and_the_next_one_good() -> None:
    """A fault in the middle voids its window, with the reason; the run goes on."""
    bench = started()
    window = bench.meter.open("test")
    bench.counters[0].fault = SensorError("gpu:0: NVML lost the GPU")
    bench.clock.sleep_s(0.5)
    bench.counters[0].fault = None
    bench.clock.sleep_s(2.0)
    assert why_void(window.close()) == "gpu:0: NVML lost the GPU"
    bench.clock.sleep_s(1.0)
    assert bench.measure(BURST).void_because is None


@pytest.mark.parametrize("error", [ZeroDivisionError("a mistake"), SystemExit("a mistake")])
def test_a_sampler_that_died_voids_windows_by_name_until_it_is_started_again(error: BaseException) -> None:
    """Whatever ends the sampler, windows say that it died and of what, and wait for nothing."""
    bench = started()
    bench.counters[0].fault = error
    bench.clock.sleep_s(0.5)
    before_s = bench.clock.now_s()
    because = f"the sampler thread died of {type(error).__name__}: a mistake"
    assert why_void(bench.measure(BURST)) == because
    assert bench.clock.now_s() - before_s < 0.1
    bench.meter.pause()
    bench.counters[0].fault = None
    bench.meter.start()
    assert bench.measure(BURST).void_because is None


def test_a_sampler_that_dies_inside_a_window_voids_it_by_name() -> None:
    """Ticks that nobody saw aren't waited for."""
    bench = started()
    window = bench.meter.open("test")
    bench.counters[0].fault = MemoryError("no more")
    bench.device.work(((0.5, 700.0),))
    before_s = bench.clock.now_s()
    assert why_void(window.close()) == "the sampler thread died of MemoryError: no more"
    assert bench.clock.now_s() == before_s


def test_a_counter_that_never_moves_is_absent_not_frugal() -> None:
    """A counter that stands still from the start voids its windows and has no tick and no idle power."""
    bench = Bench()
    bench.counters[0].is_stuck = True
    bench.meter.start()
    assert "gpu:0: its counter does not move" in why_void(bench.measure(BURST))
    assert bench.meter.statuses()[0].tick_s is None
    assert bench.meter.idle_power_w() is None


def test_a_counter_that_stops_inside_a_window_makes_it_void() -> None:
    """A counter that stops ticking isn't waited for without end."""
    bench = started()
    window = bench.meter.open("test")
    bench.counters[0].is_stuck = True
    bench.clock.sleep_s(1.0)
    before_s = bench.clock.now_s()
    reason = why_void(window.close())
    assert reason.startswith("gpu:0: its counter")
    assert bench.clock.now_s() - before_s < 3.0


def test_a_machine_that_slept_makes_the_window_void() -> None:
    """Seconds that the machine slept through are not the work's."""
    bench = started()
    window = bench.meter.open("test")
    bench.clock.sleep_s(0.5)
    bench.clock.slept_s = 30.0
    assert "slept for 30 s" in why_void(window.close())


def test_a_clock_that_went_back_makes_the_window_void() -> None:
    """A window whose stop is before its start has no seconds; it is void, not negative."""
    bench = started()
    window = bench.meter.open("test")
    bench.clock.jump(-5.0)
    reading = window.close()
    assert "went back" in why_void(reading)
    assert reading.duration_s == 0.0


def test_a_window_too_short_for_its_counter_is_void() -> None:
    """Joules that are known to no better than half of them aren't given."""
    bench = started(1.0, jitter_share=0.1)
    reason = why_void(bench.measure((0.001, 200.0)))
    assert "too short" in reason


def test_zero_joules_are_void_never_zero() -> None:
    """A channel that reads nothing over the window is named, and the reading void."""
    bench = started()
    still = SimulatedCounter(
        bench.device, bench.clock, tick_s=0.0, call_s=(0.0, 0.0), name="dram:package-0", is_ticked=False
    )
    still.is_stuck = True
    meter = bench.meter_over(*bench.counters, still)
    meter.start()
    window = meter.open("test")
    bench.device.work((BURST,))
    assert why_void(window.close()).startswith("dram:package-0 reads 0 J")


def test_closing_twice_gives_the_same_reading() -> None:
    """A window is closed once."""
    bench = started()
    window = bench.meter.open("test")
    bench.device.work((BURST,))
    assert window.close() is window.close()


def test_without_a_ticked_channel_nothing_waits() -> None:
    """Opening and closing take no time of the clock where no channel ticks."""
    bench = Bench()
    meter = edge_meter(bench)
    before_s = bench.clock.now_s()
    window = meter.open("test")
    bench.device.work((BURST,))
    reading = window.close()
    assert bench.clock.now_s() - before_s == pytest.approx(BURST[0])
    assert reading.channels["cpu:package-0"] == pytest.approx(35.0, rel=1e-3)


def test_a_fault_at_an_edge_makes_the_window_void() -> None:
    """A channel that can't be read at the start voids the window, even if it can be at the stop."""
    bench = Bench()
    rapl = SimulatedCounter(
        bench.device, bench.clock, tick_s=0.0, call_s=(0.0, 0.0), name="cpu:package-0", is_ticked=False
    )
    meter = bench.meter_over(rapl)
    meter.start()
    rapl.fault = SensorError("cpu:package-0: permission denied")
    window = meter.open("test")
    rapl.fault = None
    bench.device.work((BURST,))
    assert why_void(window.close()) == "cpu:package-0: permission denied"


def foreign_reading(
    own_share: float | None, provenance: Provenance, channel: str = "cpu:package-0"
) -> Reading:
    """One second over a processor's counter; others had the rest of the processor time."""
    bench = Bench()
    bench.system.own_share = own_share
    window = edge_meter(bench, provenance, channel).open("test")
    bench.device.work(((1.0, 50.0),))
    return window.close()


def test_measured_joules_that_others_caused_are_noted() -> None:
    """A measured channel keeps its joules; the note names it and the share."""
    reading = foreign_reading(0.5, Provenance.MEASURED)
    assert reading.void_because is None
    (note,) = reading.quality
    assert note.startswith("other programs used 48 % of the CPU; cpu:package-0 counts")


def test_an_estimate_beside_others_keeps_its_joules() -> None:
    """An estimate has no part of what others used: it says how much of all processors that was."""
    reading = foreign_reading(0.5, Provenance.ESTIMATED, CHANNEL)
    assert reading.void_because is None
    assert reading.quality == ("other programs used 24 % of the CPU; the estimate doesn't include them",)
    assert reading.usage is not None
    assert reading.usage.other_cpu_share == pytest.approx(0.24)


def test_an_estimate_of_processes_that_waited_is_void() -> None:
    """Work that somebody else did is not estimated as hardly any."""
    assert "doesn't include what it waited for" in why_void(
        foreign_reading(0.001, Provenance.ESTIMATED, CHANNEL)
    )


def test_an_estimate_of_a_chip_counts_what_others_did() -> None:
    """It isn't made from CPU time: a test that waits keeps its joules, and others are in them."""
    reading = foreign_reading(0.001, Provenance.ESTIMATED)
    assert reading.void_because is None
    (note,) = reading.quality
    assert "cpu:package-0 counts them too" in note


def test_where_nobody_tells_whose_time_it_was_nothing_is_said() -> None:
    """Unknown is not foreign."""
    reading = foreign_reading(None, Provenance.ESTIMATED, CHANNEL)
    assert (reading.void_because, reading.quality) == (None, ())


def test_usage_is_of_the_window() -> None:
    """The reading tells how busy the machine was, and what the sensors say of themselves."""
    bench = started()
    bench.counters[0].usages = Usage(gpu_utilisation_share=0.8, gpu_memory_used_bytes=4e9)
    reading = bench.measure((3.0, 500.0))
    assert reading.usage is not None
    assert asdict(reading.usage) == pytest.approx(
        {
            "cpu_utilisation_share": 0.5,
            "gpu_utilisation_share": 0.8,
            "ram_used_bytes": 1e9,
            "gpu_memory_used_bytes": 4e9,
            "other_cpu_share": 0.0,
        }
    )


def test_the_sampler_is_cheap() -> None:
    """While a window is open a tick takes two reads, and no more than a few more at its edges."""
    bench = started()
    before = bench.counters[0].read_count
    bench.measure((20.0, 500.0))
    assert bench.counters[0].read_count - before <= 2.1 * 200 + 25
    assert math.isfinite(bench.clock.now_s())


# Named stretches inside a window


def test_phases_of_a_round_add_up() -> None:
    """Phases that adjoin add up to the round; a step between two ticks is the worst that can be there."""
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
        off_j = abs(phase_.energy_j - bench.device.joules_between(start_s, stop_s))
        assert off_j <= 2.0 * phase_.uncertainty_j
        assert phase_.uncertainty_j > reading.uncertainty_j
        assert phase_.quality == ("gpu:0: interpolated between ticks, the power isn't quiet at its edges",)


def reads_around(bench: Bench, *, has_phase: bool) -> int:
    """Reads of a counter whose response is known, from a moment before 50 ms of work until it has settled."""
    counter = bench.counters[0]
    response = CounterResponse(settle_s=0.09, tick_s=0.1, waves=((0.0, 1e-3),))
    counter.channels = tuple(replace(channel, response=response) for channel in counter.channels)
    bench.meter = bench.meter_over(counter)
    bench.meter.start()
    bench.clock.sleep_s(10.0)
    window = bench.meter.open("test")
    if has_phase:
        window.phase("all")
    before = counter.read_count
    bench.device.work([(0.05, 600.0)])
    bench.clock.sleep_s(0.08)
    during = counter.read_count - before
    reading = window.close()
    assert reading.energy_j is not None
    assert reading.trace is not None
    assert (reading.trace.responses["gpu:0"].waves == ()) is has_phase
    return during


def test_a_counter_whose_response_is_known_is_left_alone_around_short_work() -> None:
    """No read until it has settled; but each tick is read where phases need it, and responds otherwise."""
    assert reads_around(Bench(0.1), has_phase=False) == 0
    assert reads_around(Bench(0.1), has_phase=True) >= 1


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
    assert nothing.quality[0].endswith("the clock went back or stood still")
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


@pytest.mark.parametrize("tick_s", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("gap_s", [0.001, 0.004, 0.02, 0.04])
def test_work_between_two_windows_is_in_neither(tick_s: float, gap_s: float) -> None:
    """A window after some milliseconds of other work waits for quiet of its own, however slow the ticks."""
    bench = started(tick_s)
    for _ in range(4):
        assert bench.measure((0.1, 780.0)).energy_j == pytest.approx(78.0, rel=0.01)
        bench.device.work(((gap_s, 780.0),))
    assert bench.measure((0.1, 780.0)).energy_j == pytest.approx(78.0, rel=0.01)


def test_what_the_meter_does_after_its_wait_is_quiet_time() -> None:
    """However long a reading takes to be made, a window right after its close has its tail as its head."""
    bench = Bench()

    class SlowUsage(SimulatedCounter):
        def usage(self) -> Usage:
            bench.clock.hold(0.05)
            return Usage()

    meter = bench.meter_over(SlowUsage(bench.device, bench.clock, rng=bench.rng))
    meter.start()
    window = meter.open("slow")
    bench.device.work((BURST,))
    assert window.close().void_because is None
    closed_s = bench.clock.now_s()
    meter.open("next")
    assert bench.clock.now_s() - closed_s <= 0.1


def test_a_window_knows_the_time_of_day_at_which_it_opened() -> None:
    """Of its start, not of its close; a void one as well. A clock without a time of day gives none."""
    bench = started()
    reading = bench.measure((3.0, 500.0))
    assert reading.trace is not None
    assert reading.start_unix_s == pytest.approx(EPOCH.timestamp() + reading.trace.start_s, abs=6e-4)
    window = bench.meter.open("test")
    opened_s = bench.clock.now_s()
    bench.meter.pause()
    void = window.close()
    assert void.void_because is not None
    assert void.start_unix_s == pytest.approx(EPOCH.timestamp() + opened_s, abs=0.05)
    clock = HandClock()
    assert TimeMark.now(clock).unix_s(clock, 1.0) is None
    assert TimeMark.now(SystemClock()).unix_s(SystemClock(), 1.0) is not None
