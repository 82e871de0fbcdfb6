"""What every sensor promises, asked of each over fakes of its hardware."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.model import Provenance
from pytest_energy.sensors.amdsmi import AmdSmiSensor
from pytest_energy.sensors.apple import AppleSensor
from pytest_energy.sensors.estimate import CHANNEL, EstimateSensor
from pytest_energy.sensors.hwmon import HwmonSensor
from pytest_energy.sensors.mig import MigSensor
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.perf import PerfSensor
from pytest_energy.sensors.protocol import MonitorsDevice, Sensor
from pytest_energy.sensors.rapl import RaplSensor
from tests.fakes.amdsmi import RESOLUTION_UJ, AmdSmiLibraryException, FakeAmdGpu, FakeAmdSmi
from tests.fakes.hand_clock import HandClock
from tests.fakes.hwmon_tree import FakeHwmon
from tests.fakes.nvml import FakeGpu, FakeNvml, FakeSlice, NVMLError_GpuIsLost, NVMLError_NotSupported
from tests.fakes.perf_events import FakePerfEvents, perf_paths
from tests.fakes.powercap import FakePowercap
from tests.fakes.zeus_apple_silicon import FakeMonitor


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A sensor, one of its channels, and what a test can do to the hardware behind it."""

    sensor: Sensor
    channel: str
    use_j: Callable[[float], None]
    reset: Callable[[], None]
    fail: Callable[[], None]


def nvml_rig(_folder: Path) -> Rig:
    gpu = FakeGpu()
    sensor = NvmlSensor(nvml=FakeNvml(gpu), environ={})

    def use_j(energy_j: float) -> None:
        gpu.energy_mj += round(energy_j * 1e3)

    def reset() -> None:
        gpu.energy_mj = 0

    def fail() -> None:
        gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_GpuIsLost()

    return Rig(sensor=sensor, channel="gpu:0", use_j=use_j, reset=reset, fail=fail)


def nvml_power_rig(_folder: Path) -> Rig:
    gpu, clock = FakeGpu(power_limit_mw=5_000), HandClock()
    gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_NotSupported()
    sensor = NvmlSensor(nvml=FakeNvml(gpu), environ={}, now_s=clock.now_s)
    clock.sleep_s(0.005)  # off the steps
    sensor.read_j("gpu:0")

    def use_j(energy_j: float) -> None:
        clock.sleep_s(0.4)
        gpu.instant_power_mw = round(energy_j / 0.4 * 1e3)

    def fail() -> None:
        clock.sleep_s(0.5)
        gpu.failures["nvmlDeviceGetFieldValues"] = NVMLError_GpuIsLost()

    return Rig(sensor=sensor, channel="gpu:0", use_j=use_j, reset=lambda: clock.sleep_s(-5.0), fail=fail)


def amdsmi_rig(_folder: Path) -> Rig:
    gpu, clock = FakeAmdGpu(idle_counts=1), HandClock()
    sensor = AmdSmiSensor(amdsmi=FakeAmdSmi(gpu), environ={}, now_s=clock.now_s, sleep_s=clock.sleep_s)
    gpu.idle_counts = 0

    def use_j(energy_j: float) -> None:
        gpu.counts += round(energy_j / RESOLUTION_UJ * 1e6)

    def reset() -> None:
        gpu.counts = 0

    def fail() -> None:
        gpu.answers["amdsmi_get_energy_count"] = AmdSmiLibraryException()

    return Rig(sensor=sensor, channel="gpu:0", use_j=use_j, reset=reset, fail=fail)


def rapl_rig(folder: Path) -> Rig:
    tree, clock = FakePowercap(folder), HandClock()
    counter = tree.add("intel-rapl:0", "package-0", energy_uj=100_000_000_000)
    sensor = RaplSensor(root=tree.root, read_text=tree.read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)
    tree.stop_idling()
    sensor.read_j("cpu:package-0")

    def use_j(energy_j: float) -> None:
        clock.sleep_s(1.0)
        tree.use(counter, round(energy_j * 1e6))

    def fail() -> None:
        tree.failures[counter] = OSError(19, "No such device")

    return Rig(
        sensor=sensor, channel="cpu:package-0", use_j=use_j, reset=lambda: tree.set(counter, 0), fail=fail
    )


def perf_rig(folder: Path) -> Rig:
    events, clock = FakePerfEvents(), HandClock()
    sensor = PerfSensor(paths=perf_paths(folder), events=events, now_s=clock.now_s, sleep_s=clock.sleep_s)
    events.idle_counts = 0

    def fail() -> None:
        events.failure = OSError(19, "No such device")

    return Rig(
        sensor=sensor,
        channel="cpu:package-0",
        use_j=lambda energy_j: events.use(2, 0, energy_j),
        reset=lambda: events.use(2, 0, -1.0),
        fail=fail,
    )


def hwmon_rig(folder: Path) -> Rig:
    tree, clock = FakeHwmon(folder), HandClock()
    counter = tree.add("xe", energy1_input=100_000_000, energy1_label="card") / "energy1_input"
    tree.idle(counter, 1)
    sensor = HwmonSensor(root=tree.root, read_text=tree.read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)
    tree.idle(counter, 0)

    def use_j(energy_j: float) -> None:
        counter.write_text(f"{int(counter.read_text()) + round(energy_j * 1e6)}\n")

    def reset() -> None:
        counter.write_text("0\n")

    def fail() -> None:
        tree.failures[counter] = OSError(19, "No such device")

    return Rig(sensor=sensor, channel="gpu:xe-0", use_j=use_j, reset=reset, fail=fail)


def hwmon_power_rig(folder: Path) -> Rig:
    tree, clock = FakeHwmon(folder), HandClock()
    chip = tree.add_ina3221(("VDD_GPU", 5000, 0), update_interval=5)
    sensor = HwmonSensor(root=tree.root, read_text=tree.read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)
    clock.sleep_s(0.005)  # off the steps
    sensor.read_j("gpu:VDD_GPU")

    def use_j(energy_j: float) -> None:
        clock.sleep_s(0.8)
        (chip / "curr1_input").write_text(f"{round(energy_j / 0.8 / 5.0 * 1e3)}\n")

    def fail() -> None:
        clock.sleep_s(0.5)
        (chip / "curr1_input").unlink()

    return Rig(
        sensor=sensor, channel="gpu:VDD_GPU", use_j=use_j, reset=lambda: clock.sleep_s(-5.0), fail=fail
    )


def apple_rig(_folder: Path) -> Rig:
    monitor = FakeMonitor()
    sensor = AppleSensor(new_monitor=lambda: monitor)

    def use_j(energy_j: float) -> None:
        assert monitor.metrics.cpu_total_mj is not None
        monitor.metrics.cpu_total_mj += round(energy_j * 1e3)

    def reset() -> None:
        monitor.metrics.cpu_total_mj = 0

    def fail() -> None:
        monitor.failure = RuntimeError("Failed to convert CFString to std::string")

    return Rig(sensor=sensor, channel="cpu:package-0", use_j=use_j, reset=reset, fail=fail)


def mig_rig(_folder: Path) -> Rig:
    gpu = FakeGpu(mig_mode=1, slices=(FakeSlice(uuid="MIG-1", multiprocessor_count=33),))
    sensor = MigSensor(nvml=FakeNvml(gpu), environ={})

    def use_j(energy_j: float) -> None:
        gpu.energy_mj += round(energy_j / (33 / 132) * 1e3)

    def reset() -> None:
        gpu.energy_mj = 0

    def fail() -> None:
        gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_GpuIsLost()

    return Rig(sensor=sensor, channel="gpu:0", use_j=use_j, reset=reset, fail=fail)


def estimate_rig(_folder: Path) -> Rig:
    spent = {"s": 50.0}
    sensor = EstimateSensor(cpu_tdp_w=100.0, cpuinfo=Path("/nowhere"), cpu_count=4, cpu_s=lambda: spent["s"])

    def use_j(energy_j: float) -> None:
        spent["s"] += energy_j / (100.0 / 4)

    def reset() -> None:
        spent["s"] = 0.0

    def fail() -> None:
        spent["s"] = math.nan

    return Rig(sensor=sensor, channel=CHANNEL, use_j=use_j, reset=reset, fail=fail)


RIGS = {
    "nvml": nvml_rig,
    "nvml-power": nvml_power_rig,
    "amdsmi": amdsmi_rig,
    "rapl": rapl_rig,
    "perf": perf_rig,
    "hwmon": hwmon_rig,
    "hwmon-power": hwmon_power_rig,
    "apple": apple_rig,
    "mig": mig_rig,
    "estimate": estimate_rig,
}


ESTIMATES = {"apple", "estimate", "mig"}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    return RIGS[request.param](tmp_path)


def test_names_itself_and_its_provenance(rig: Rig) -> None:
    """A sensor has a name, and says whether it measures or estimates."""
    assert rig.sensor.name
    expected = Provenance.ESTIMATED if rig.sensor.name in ESTIMATES else Provenance.MEASURED
    assert rig.sensor.provenance is expected


def test_channels_are_named_by_domain_and_position(rig: Rig) -> None:
    """Channel names are unique and begin with their domain; each has a device to lock and a resolution."""
    names = [channel.name for channel in rig.sensor.channels]
    assert rig.channel in names
    assert len(set(names)) == len(names)
    for channel in rig.sensor.channels:
        domain, _, position = channel.name.partition(":")
        assert domain == channel.domain.value
        assert position
        assert channel.device
        assert 0 < channel.resolution_j < 1


def test_reads_the_joules_that_were_used(rig: Rig) -> None:
    """The difference of two reads is what was used between them, within the channel's resolution."""
    channel = next(channel for channel in rig.sensor.channels if channel.name == rig.channel)
    before_j = rig.sensor.read_j(rig.channel)
    rig.use_j(12.5)
    assert rig.sensor.read_j(rig.channel) - before_j == pytest.approx(12.5, abs=2 * channel.resolution_j)


def test_never_falls(rig: Rig) -> None:
    """Reads are finite and never go back, used or not."""
    reads_j = []
    for energy_j in (0.0, 0.25, 0.0, 100.0):
        rig.use_j(energy_j)
        reads_j.append(rig.sensor.read_j(rig.channel))
    assert all(math.isfinite(read_j) for read_j in reads_j)
    assert reads_j == sorted(reads_j)


def test_a_counter_that_goes_back_is_a_fault(rig: Rig) -> None:
    """A counter that was reset is a `SensorError` that names the channel, never a number."""
    rig.use_j(0.25)
    rig.sensor.read_j(rig.channel)
    rig.reset()
    with pytest.raises(SensorError, match=rig.channel):
        rig.sensor.read_j(rig.channel)


def test_a_counter_that_cant_be_read_is_a_fault(rig: Rig) -> None:
    """Hardware that fails is a `SensorError` that names the channel, never 0."""
    rig.fail()
    with pytest.raises(SensorError, match=rig.channel):
        rig.sensor.read_j(rig.channel)


def test_an_unknown_channel_is_a_fault(rig: Rig) -> None:
    """A channel that the sensor doesn't have is a `SensorError` that names it."""
    with pytest.raises(SensorError, match="gpu:99"):
        rig.sensor.read_j("gpu:99")


def test_usage_is_told_or_absent(rig: Rig) -> None:
    """Usage is a share of 0 to 1 and bytes, or `None`."""
    usage = rig.sensor.usage()
    for share in (usage.cpu_utilisation_share, usage.gpu_utilisation_share):
        assert share is None or 0 <= share <= 1
    for used_bytes in (usage.ram_used_bytes, usage.gpu_memory_used_bytes):
        assert used_bytes is None or used_bytes >= 0


def test_a_sensor_that_monitors_its_device_leaves_out_what_it_cannot_tell(rig: Rig) -> None:
    """How a device is can be asked at any time, also when it fails; nothing is raised."""
    if not isinstance(rig.sensor, MonitorsDevice):
        pytest.skip(f"{rig.sensor.name} says nothing of its devices")
    for _ in range(2):
        snapshot, state = rig.sensor.snapshot(rig.channel), rig.sensor.state(rig.channel)
        assert snapshot.power_w is None or snapshot.power_w >= 0
        assert state.temperature_c is None or math.isfinite(state.temperature_c)
        assert all(name and text for name, text in state.settings.items())
        rig.fail()


def test_facts_are_texts(rig: Rig) -> None:
    """Facts are texts, as the fingerprint of a machine stores them, and fixed ones aren't shown ones."""
    facts = rig.sensor.facts()
    assert facts.fixed
    assert not set(facts.fixed) & set(facts.shown)
    for text in (*facts.fixed.values(), *facts.shown.values(), *facts.key_parts):
        assert isinstance(text, str)
        assert text


def test_facts_stay_the_same(rig: Rig) -> None:
    """Asked twice, a sensor tells the same facts."""
    before = rig.sensor.facts()
    rig.use_j(1.0)
    assert rig.sensor.facts() == before


def test_closes_twice(rig: Rig) -> None:
    """Closing a sensor again does nothing."""
    rig.sensor.close()
    rig.sensor.close()
    assert rig.sensor.name
