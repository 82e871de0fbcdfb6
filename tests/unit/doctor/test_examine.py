"""The doctor's look at a machine, and what it makes of it."""

from dataclasses import replace

import pytest

from pytest_energy.doctor import Report, render
from pytest_energy.doctor.report import ChannelReport
from pytest_energy.errors import NoSuchHardware, Reason, SensorError
from pytest_energy.model import Domain, Provenance
from pytest_energy.sensors.apple import AppleSensor
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.machine_class import MachineClass
from pytest_energy.sensors.protocol import Sensor
from tests.fakes.zeus_apple_silicon import FakeMonitor
from tests.unit.doctor.conftest import BUSY_W, IDLE_W, Bench, FakeLoad


def only_channel(report: Report) -> ChannelReport:
    (channel,) = [channel for sensor in report.sensors for channel in sensor.channels]
    return channel


@pytest.mark.parametrize("tick_s", [0.02, 0.1, 0.5, 1.0])
def test_a_ticked_channel_is_read_idle_and_under_load(bench: Bench, tick_s: float) -> None:
    """Its tick, the cost of a call and both powers are told, whatever the tick."""
    bench.add("nvml", "gpu:0", tick_s=tick_s, call_s=(0.003, 0.003))
    channel = only_channel(bench.report())
    assert channel.tick_s == pytest.approx(tick_s, rel=0.02)
    assert channel.call_s == pytest.approx(0.003)
    assert channel.idle_power_w == pytest.approx(IDLE_W, rel=0.05)
    assert channel.load_power_w == pytest.approx(BUSY_W, rel=0.05)
    assert (channel.load, channel.absent_because) == ("hard work", None)


def test_a_channel_read_at_edges_is_read_idle_and_under_load(bench: Bench) -> None:
    """A channel without ticks has none, and its powers are exact."""
    bench.add("rapl", "cpu:package-0", tick_s=0.0, call_s=(0.0, 0.0), is_ticked=False, resolution_j=1e-6)
    channel = only_channel(bench.report(bench.load(domain=Domain.CPU)))
    assert channel.tick_s is None
    assert channel.idle_power_w == pytest.approx(IDLE_W, rel=1e-3)
    assert channel.load_power_w == pytest.approx(BUSY_W, rel=1e-3)


def test_it_takes_less_than_ten_seconds(bench: Bench) -> None:
    """A GPU and a CPU are looked at in one go."""
    bench.add("nvml", "gpu:0")
    bench.add("rapl", "cpu:package-0", tick_s=0.0, is_ticked=False)
    before_s = bench.clock.now_s()
    bench.report(bench.load(), bench.load(domain=Domain.CPU))
    assert bench.clock.now_s() - before_s < 5.0


def test_idle_comes_before_any_load(bench: Bench) -> None:
    """Power at rest is read for a second or more before the first load starts."""
    bench.add("nvml", "gpu:0")
    started_s: list[float] = []

    class Noted(FakeLoad):
        def start(self) -> None:
            started_s.append(self._clock.now_s())
            super().start()

    before_s = bench.clock.now_s()
    bench.report(Noted(bench.clock, *bench.devices))
    assert started_s[0] - before_s >= 1.0


def test_what_measures_and_moves_gates(bench: Bench) -> None:
    """A measured channel that moves may fail a test; domains without a channel are said to have none."""
    bench.add("nvml", "gpu:0")
    report = bench.report()
    assert report.measures
    assert report.gates == ("gpu:0",)
    assert report.gates_not == {"cpu": "no channel here", "dram": "no channel here"}


@pytest.mark.parametrize("is_ticked", [True, False])
def test_a_counter_that_stands_still_is_absent(bench: Bench, is_ticked: bool) -> None:  # noqa: FBT001  # a case
    """A sensor that never moves under load is called absent, and gates nothing."""
    bench.add("nvml", "gpu:0", is_ticked=is_ticked).is_stuck = True
    report = bench.report()
    assert not report.measures
    assert report.sensors[0].absent_because == (
        "gpu:0: its counter did not move under load (hard work): it measures nothing"
    )
    assert "did not move" in report.gates_not["gpu:0"]
    assert only_channel(report).idle_power_w is None


def test_a_counter_that_stands_still_without_a_load_is_absent(bench: Bench) -> None:
    """Where nothing could be put to work, a counter that stands still at rest is absent too, and says so."""
    bench.add("nvml", "gpu:0").is_stuck = True
    report = bench.report(bench.load(no_start="torch is not installed"))
    assert "did not move at rest, no load could be run" in str(report.sensors[0].absent_because)


def test_a_gpu_without_a_load_is_read_at_rest(bench: Bench) -> None:
    """Where torch can't load the GPU, its power under load is unknown, with the reason, and it gates."""
    bench.add("nvml", "gpu:0")
    report = bench.report(bench.load(no_start="torch is not installed"))
    channel = only_channel(report)
    assert channel.load_power_w is None
    assert channel.load == "no load: torch is not installed"
    assert channel.idle_power_w == pytest.approx(IDLE_W, rel=0.05)
    assert report.gates == ("gpu:0",)


def test_a_load_that_failed_on_the_way_gives_no_power(bench: Bench) -> None:
    """Power under a load that broke down is nobody's power."""
    bench.add("nvml", "gpu:0")
    channel = only_channel(bench.report(bench.load(no_end="out of memory")))
    assert channel.load_power_w is None
    assert channel.load == "no load: out of memory"


def test_only_hardware_with_a_channel_is_loaded(bench: Bench) -> None:
    """Without a GPU channel no GPU is put to work, so torch isn't even imported."""
    bench.add("rapl", "cpu:package-0", tick_s=0.0, is_ticked=False)
    gpu, cpu = bench.load(), bench.load(domain=Domain.CPU)
    bench.report(gpu, cpu)
    assert (gpu.start_count, cpu.start_count) == (0, 1)


def test_a_load_ends_whatever_happens(bench: Bench) -> None:
    """Where one load raises at its start, those that work already are stopped."""
    bench.add("nvml", "gpu:0")

    class Broken(FakeLoad):
        def start(self) -> None:
            raise ZeroDivisionError

    first = bench.load()
    with pytest.raises(ZeroDivisionError):
        bench.report(first, Broken(bench.clock))
    assert not first.is_working


def test_a_sensor_that_faults_is_told_with_its_fault(bench: Bench) -> None:
    """A read that fails gives no joules and no cost: the reason is the sensor's."""
    bench.add("nvml", "gpu:0").fault = SensorError("gpu:0: GPU is lost")
    report = bench.report()
    assert report.sensors[0].absent_because == "gpu:0: GPU is lost"
    assert only_channel(report).call_s is None
    assert not report.measures


def test_one_dead_channel_leaves_the_other(bench: Bench) -> None:
    """A sensor is absent only when none of its channels moves."""
    bench.add("nvml", "gpu:0")
    bench.add("rapl", "cpu:package-0", tick_s=0.0, is_ticked=False).is_stuck = True
    report = bench.report(bench.load(), bench.load(domain=Domain.CPU))
    assert report.gates == ("gpu:0",)
    assert [sensor.absent_because is None for sensor in report.sensors] == [True, False]


def test_estimates_gate_nothing(bench: Bench) -> None:
    """An estimate moves and is shown, and may not fail a test by itself."""
    bench.add_absent("nvml", "no driver")
    bench.add("estimate", "cpu:processes", tick_s=0.0, is_ticked=False)
    sensor = bench.openers["estimate"]()
    sensor.provenance = Provenance.ESTIMATED  # type: ignore[misc]  # a fake's
    report = bench.report(bench.load(domain=Domain.CPU))
    assert not report.measures
    assert report.gates_not["cpu:processes"].startswith(
        "estimated from the CPU time of the test's processes; "
    )
    assert only_channel(report).source == "CPU time of the test's processes and design power"
    assert "Nothing measures here" in render(report)


def test_the_error_of_an_estimate_is_reported(bench: Bench) -> None:
    """The sensor says by which factor its joules may be wrong on this kind of machine."""
    bench.openers["estimate"] = lambda: EstimateSensor(cpu_tdp_w=65.0, cpu_count=8, kind=MachineClass.SERVER)
    report = bench.report(bench.load(domain=Domain.CPU))
    assert "processes, may be wrong by a factor of 4; " in report.gates_not["cpu:processes"]


def test_a_sensor_that_is_not_used_is_listed_with_how_to_ask(bench: Bench) -> None:
    """Beside what a run uses by itself there is what it uses when asked."""
    bench.add("rapl", "cpu:package-0", tick_s=0.0, is_ticked=False)
    bench.add("estimate", "cpu:processes", tick_s=0.0, is_ticked=False)
    report = bench.report(bench.load(domain=Domain.CPU))
    assert {sensor.name: sensor.not_taken_because for sensor in report.sensors} == {
        "rapl": None,
        "estimate": "a run doesn't use it by itself; to use it: --energy-sensors=estimate",
    }
    assert report.gates == ("cpu:package-0",)


def test_a_sensor_that_is_not_used_and_absent_says_why(bench: Bench) -> None:
    """What a run would not use by itself is absent for its own reason."""
    bench.add("rapl", "cpu:package-0", tick_s=0.0, is_ticked=False)
    bench.add_absent("estimate", "no CPU count")
    _, estimate = bench.report(bench.load(domain=Domain.CPU)).sensors
    assert (estimate.absent_because, estimate.not_taken_because) == ("no CPU count", None)


def test_hardware_that_a_machine_does_not_have_is_not_listed(bench: Bench) -> None:
    """There is nothing to install or to permit."""

    def opener() -> Sensor:
        raise NoSuchHardware("amdsmi", "no driver of an AMD GPU is loaded")

    bench.add("rapl", "cpu:package-0", tick_s=0.0, is_ticked=False)
    bench.openers["amdsmi"] = bench.openers["mig"] = opener
    report = bench.report(bench.load(domain=Domain.CPU))
    assert [sensor.name for sensor in report.sensors] == ["rapl"]


def test_the_doctor_says_from_what_an_estimate_is_made(bench: Bench) -> None:
    """Of a chip that has a model of its own; how wrong it may be is not known."""
    monitor = FakeMonitor()
    bench.openers["apple"] = lambda: AppleSensor(new_monitor=lambda: monitor)
    report = bench.report()
    assert {channel.source for channel in report.sensors[0].channels} == {"Apple's model of the chip"}
    assert report.sensors[0].absent_because is not None  # no load moved it


def test_a_machine_without_any_sensor_has_a_report(bench: Bench) -> None:
    """Where not even an estimate can be made, each reason is there and nothing fails."""
    bench.add_absent("nvml", Reason("no driver", ("pip install driver",)))
    bench.add_absent("estimate", "no CPU count")
    report = bench.report()
    assert not report.measures
    assert [sensor.absent_because for sensor in report.sensors] == [
        "no driver. pip install driver",
        "no CPU count",
    ]


def test_power_that_is_integrated_is_called_so(bench: Bench) -> None:
    """A GPU without a counter isn't shown as one with."""
    sensor = bench.add("nvml", "gpu:0")
    (channel,) = sensor.channels
    sensor.channels = (replace(channel, sampled_s=0.1),)
    assert only_channel(bench.report()).source == "power, sampled each 100 ms and integrated"
