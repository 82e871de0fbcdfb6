"""The live meter itself: power at rest, drift, what it says of its sensors."""

import random

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import Domain, Provenance, SensorStatus
from pytest_energy.sensors.estimate import CpuPower
from tests.fakes.meter import BURST, Bench, SimulatedCounter, StillSystem, edge_meter, started, why_void


def test_domains_choose_channels() -> None:
    """A window over a domain reads its channels only; over a domain that isn't there it is void."""
    bench = started()
    rapl = SimulatedCounter(
        bench.device, bench.clock, tick_s=0.0, call_s=(0.0, 0.0), name="cpu:package-0", is_ticked=False
    )
    meter = bench.meter_over(*bench.counters, rapl)
    meter.start()
    window = meter.open("test", domains=frozenset({Domain.CPU}))
    bench.device.work((BURST,))
    assert set(window.close().channels) == {"cpu:package-0"}
    reading = meter.open("test", domains=frozenset({Domain.DRAM})).close()
    assert why_void(reading) == (
        "no channel of the domains dram here; this run measures gpu:0, cpu:package-0"
    )
    assert meter.devices(frozenset({Domain.CPU})) == ("device-of-cpu:package-0",)
    assert meter.devices(None) == ("device-of-cpu:package-0", "device-of-gpu:0")


def test_a_window_left_open_is_given_up() -> None:
    """A window whose work raised is given up by the next; its own close then says so."""
    bench = started()
    abandoned = bench.meter.open("first")
    bench.clock.sleep_s(0.3)
    second = bench.meter.open("second")
    bench.device.work((BURST,))
    assert second.close().void_because is None
    assert "second opened another window" in why_void(abandoned.close())


def test_idle_power_is_measured_at_the_start() -> None:
    """Idle power comes from at least 3 s of whole ticks."""
    bench = Bench(0.1, 1.0, quiet_w=75.0)
    before_s = bench.clock.now_s()
    bench.meter.start()
    assert 3.0 <= bench.clock.now_s() - before_s <= 5.1
    assert bench.meter.idle_power_w() == pytest.approx({"gpu:0": 75.0, "gpu:1": 75.0}, rel=0.01)


def test_power_that_still_falls_is_no_idle_power() -> None:
    """Its channel has no idle power, so no joules above it are made up, and the run has a note."""
    bench = Bench(0.1, quiet_w=75.0)
    start_s = bench.clock.now_s()
    for number in range(200):
        bench.device.plan(start_s + 0.2 * number, 75.0 + 60.0 * 0.99**number)
    bench.meter.start()
    assert bench.meter.idle_power_w() is None
    (note,) = bench.meter.drift_notes()
    assert note.startswith("gpu:0: power at rest is unknown")


def test_an_estimate_has_no_idle_power_and_no_wait() -> None:
    """Where nothing is measured, start takes no time and idle power isn't known."""
    bench = Bench()
    before_s = bench.clock.now_s()
    meter = edge_meter(bench, Provenance.ESTIMATED)
    assert bench.clock.now_s() == before_s
    assert meter.idle_power_w() is None


def test_ready_power_is_the_quiet_before_the_first_round() -> None:
    """A device that was opened after idle was measured has its own quiet power, told by a reading."""
    bench = started(quiet_w=75.0)
    bench.device.quiet_w = 120.0
    bench.device.plan(bench.clock.now_s(), 120.0)
    reading = bench.measure(BURST)
    assert bench.meter.idle_power_w() == pytest.approx({"gpu:0": 75.0}, rel=0.01)
    assert reading.quiet_power_w == pytest.approx({"gpu:0": 120.0}, rel=0.01)


@pytest.mark.parametrize(("end_w", "has_drifted"), [(121.0, False), (150.0, True)])
def test_quiet_that_drifts_over_the_run_is_noted(end_w: float, *, has_drifted: bool) -> None:
    """At the end, quiet power of a ticked channel is compared with the first window's; 10 % off is told."""
    bench = started(quiet_w=120.0)
    bench.measure(BURST)
    bench.device.quiet_w = end_w
    bench.measure(BURST)
    notes = bench.meter.drift_notes()
    assert len(notes) == has_drifted
    assert all(note.startswith("gpu:0: 120 W without work at the start of the run, 15") for note in notes)


def test_idle_that_drifts_of_a_channel_read_at_edges_is_noted() -> None:
    """A channel that doesn't tick is compared with its idle power."""
    bench = Bench(quiet_w=50.0)
    meter = edge_meter(bench)
    meter.open("test").close()
    bench.device.plan(bench.clock.now_s(), 80.0)
    (note,) = meter.drift_notes()
    assert note.startswith("cpu:package-0: 50 W without work at the start of the run, 80 W")


def test_without_a_window_nothing_has_drifted() -> None:
    """A meter that was started and took no window isn't asked for 3 s more."""
    bench = Bench(quiet_w=50.0)
    meter = edge_meter(bench)
    bench.device.plan(bench.clock.now_s(), 80.0)
    before_s = bench.clock.now_s()
    assert meter.drift_notes() == ()
    assert bench.clock.now_s() == before_s


def test_an_estimate_does_not_drift() -> None:
    """Where nothing is measured there is no power at rest to compare."""
    bench = Bench(quiet_w=50.0)
    meter = edge_meter(bench, Provenance.ESTIMATED)
    meter.open("test").close()
    assert meter.drift_notes() == ()


def test_a_run_that_measured_nothing_has_no_drift_and_no_wait() -> None:
    """Where no window was measured, nothing is compared and no time is spent."""
    bench = started()
    before_s = bench.clock.now_s()
    assert bench.meter.drift_notes() == ()
    assert bench.clock.now_s() == before_s


def test_statuses_tell_the_tick_that_was_found() -> None:
    """A ticked sensor's status has its tick after the start; the others' stay as they were."""
    bench = started(0.1)
    (status,) = bench.meter.statuses()
    assert status.tick_s == pytest.approx(0.1, rel=0.01)


def test_a_meter_without_sensors_says_why() -> None:
    """With nothing to measure, the reasons of the absent sensors are told."""
    bench = Bench()
    meter = LiveMeter(
        (),
        [SensorStatus(name="rapl", provenance=Provenance.MEASURED, absent_because="no permission")],
        clock=bench.clock,
        synchronize=lambda: None,
        rng=random.Random(1),  # noqa: S311  # a seeded simulation
        runner=bench.clock,
        system=StillSystem(bench.clock),
    )
    meter.start()
    assert meter.why_unmeasured("test") == "no sensor on this machine (rapl: no permission)"
    assert "no channel" in why_void(meter.open("test").close())
    assert meter.rounds_left("test") is None


def test_provenances_are_never_mixed() -> None:
    """Sensors of different provenance can't be in one meter."""
    bench = Bench(0.1, 0.1)
    bench.counters[1].provenance = Provenance.ESTIMATED
    with pytest.raises(NotMeasurable, match="never mixed"):
        bench.meter_over(*bench.counters)


@pytest.mark.parametrize(
    ("own_share", "estimated"), [(1.0, {"cpu:processes": 16.0}), (0.5, {"cpu:processes": 8.0}), (None, {})]
)
def test_a_processor_that_nothing_measures_is_estimated_beside(
    own_share: float | None, estimated: dict[str, float]
) -> None:
    """A model's joules of this run's own CPU time are beside the measured ones; absent where unknown."""
    bench = Bench()
    bench.system.own_share = own_share
    meter = bench.meter_over(*bench.counters, cpu_power=CpuPower(busy_w=8.0))
    meter.start()
    window = meter.open("test")
    bench.device.work(((2.0, 400.0),))
    reading = window.close()
    assert set(reading.channels) == {"gpu:0"}
    assert dict(reading.estimated_channels) == pytest.approx(estimated, rel=0.05)


def test_a_processor_that_is_measured_has_no_estimate() -> None:
    """Without a model for it nothing stands beside the joules."""
    assert started().measure(BURST).estimated_channels == {}
