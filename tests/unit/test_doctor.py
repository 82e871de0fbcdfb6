"""The doctor: what it sees of a machine, what it makes of that, and how it says it."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_energy import doctor
from pytest_energy.doctor import GuardedPaths, Permission, Report, diagnose, permissions, render, to_json
from pytest_energy.errors import NotMeasurable, SensorError, SensorUnavailable
from pytest_energy.model import Domain, Provenance
from pytest_energy.sensors.perf import PerfPaths
from pytest_energy.sensors.protocol import Sensor
from tests.fakes.meter import Device, SimulatedCounter, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

IDLE_W, BUSY_W = 70.0, 600.0


class FakeLoad:
    """Makes devices draw `BUSY_W` from start to stop."""

    what = "hard work"

    def __init__(
        self,
        clock: VirtualClock,
        *devices: Device,
        domain: Domain = Domain.GPU,
        no_start: str | None = None,
        no_end: str | None = None,
    ) -> None:
        self._clock, self._devices = clock, devices
        self.domains = frozenset({domain})
        self._no_start, self._no_end = no_start, no_end
        self.is_working = False
        self.start_count = 0

    def start(self) -> None:
        self.start_count += 1
        if self._no_start is not None:
            raise NotMeasurable(self._no_start)
        self.is_working = True
        for device in self._devices:
            device.plan(self._clock.now_s(), BUSY_W)

    def stop(self) -> None:
        self.is_working = False
        for device in self._devices:
            device.plan(self._clock.now_s(), IDLE_W)
        if self._no_end is not None:
            raise NotMeasurable(self._no_end)


class Bench:
    """A machine whose sensors are simulated."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.devices: list[Device] = []
        self.openers: dict[str, Callable[[], Sensor]] = {}

    def add(self, name: str, channel: str, **counter: Any) -> SimulatedCounter:
        """A sensor with one channel."""
        device = Device(self.clock, IDLE_W)
        self.devices.append(device)
        sensor = SimulatedCounter(device, self.clock, name=channel, rng=random.Random(3), **counter)  # noqa: S311  # seeded
        sensor.name = name
        self.openers[name] = lambda: sensor
        return sensor

    def add_absent(self, name: str, because: str) -> None:
        def refuse() -> Sensor:
            raise SensorUnavailable(name, because)

        self.openers[name] = refuse

    def load(self, **options: Any) -> FakeLoad:
        return FakeLoad(self.clock, *self.devices, **options)

    def report(self, *loads: FakeLoad) -> Report:
        return diagnose(self.openers, loads=loads or [self.load()], clock=self.clock, runner=self.clock)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def only_channel(report: Report) -> doctor.ChannelReport:
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
        "gpu:0: its counter stood still under load (hard work): it measures nothing"
    )
    assert "stood still" in report.gates_not["gpu:0"]
    assert only_channel(report).idle_power_w is None


def test_a_counter_that_stands_still_without_a_load_is_absent(bench: Bench) -> None:
    """Where nothing could be put to work, a counter that stands still at rest is absent too, and says so."""
    bench.add("nvml", "gpu:0").is_stuck = True
    report = bench.report(bench.load(no_start="torch is not installed"))
    assert "stood still at rest, and nothing could be put to work" in str(report.sensors[0].absent_because)


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
    bench.add("estimate", "cpu:machine", tick_s=0.0, is_ticked=False)
    sensor = bench.openers["estimate"]()
    sensor.provenance = Provenance.ESTIMATED  # type: ignore[misc]  # a fake's
    report = bench.report(bench.load(domain=Domain.CPU))
    assert not report.measures
    assert report.gates_not["cpu:machine"].startswith("estimated")
    assert only_channel(report).source == "CPU time and design power"
    assert "Nothing measures here" in render(report)


def test_sensors_that_are_not_taken_are_told(bench: Bench) -> None:
    """Beside what a run takes by itself there is what it takes when asked, and how to ask."""
    bench.add("rapl", "cpu:package-0", tick_s=0.0, is_ticked=False)
    bench.add("pyrapl", "cpu:package-1", tick_s=0.0, is_ticked=False)
    bench.add("estimate", "cpu:machine", tick_s=0.0, is_ticked=False)
    report = bench.report(bench.load(domain=Domain.CPU))
    assert {sensor.name: sensor.not_taken_because for sensor in report.sensors} == {
        "rapl": None,
        "pyrapl": "it repeats what rapl reads; --energy-sensors=pyrapl asks for it",
        "estimate": "other sensors measure; --energy-sensors=estimate asks for it",
    }
    assert report.gates == ("cpu:package-0",)


def test_a_machine_without_any_sensor_has_a_report(bench: Bench) -> None:
    """Where not even an estimate can be made, each reason is told and nothing fails."""
    bench.add_absent("nvml", "no driver")
    bench.add_absent("estimate", "no CPU count")
    bench.add_absent("pyrapl", "No module named 'pyRAPL'; pip install pyRAPL")
    report = bench.report()
    assert not report.measures
    assert [sensor.absent_because for sensor in report.sensors] == [
        "no driver",
        "no CPU count",
        "No module named 'pyRAPL'; pip install pyRAPL",
    ]


def test_power_that_is_integrated_is_called_so(bench: Bench) -> None:
    """A GPU without a counter isn't shown as one with."""
    sensor = bench.add("nvml", "gpu:0")
    (channel,) = sensor.channels
    sensor.channels = (replace(channel, sampled_s=0.1),)
    assert only_channel(bench.report()).source == "power, sampled each 100 ms and integrated"


# Permissions


def paths(folder: Path, *, mode: int = 0o400, level: str = "4", capabilities: int = 0) -> GuardedPaths:
    """A machine with a GPU, RAPL's files and perf's events."""
    powercap, power = folder / "powercap", folder / "power"
    for zone in ("intel-rapl:0", "intel-rapl:0:0"):
        (powercap / zone).mkdir(parents=True)
        (powercap / zone / "energy_uj").touch()
        (powercap / zone / "energy_uj").chmod(mode)
    (power / "events").mkdir(parents=True)
    (power / "events" / "energy-pkg").touch()
    (folder / "paranoid").write_text(f"{level}\n")
    (folder / "status").write_text(f"Name:\tpython\nCapEff:\t{capabilities:016x}\n")
    (folder / "dev").mkdir()
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm"):
        (folder / "dev" / name).touch(0o666)
    return GuardedPaths(
        powercap=powercap,
        perf=PerfPaths(power=power, paranoid=folder / "paranoid"),
        devices=folder / "dev",
        status=folder / "status",
    )


def test_what_is_granted_needs_no_fix(tmp_path: Path) -> None:
    """Files that may be read and a kernel that lets count are granted, with their state."""
    found = permissions(paths(tmp_path, mode=0o444, level="-1"), may_access=lambda *_: True)
    assert [(p.sensor, p.is_granted, p.fix) for p in found] == [
        ("nvml", True, None),
        ("nvml", True, None),
        ("rapl", True, None),
        ("rapl", True, None),
    ]
    assert found[2].what == f"{tmp_path}/powercap/intel-rapl:0/energy_uj (mode 0444)"
    assert found[3].what == f"{tmp_path}/paranoid is -1"


def test_what_is_refused_comes_with_its_command(tmp_path: Path) -> None:
    """Each refusal names the file, its state, and the command that mends it."""
    found = permissions(paths(tmp_path), may_access=lambda *_: False)
    assert [p.fix for p in found] == [
        f"sudo chmod a+rw {tmp_path}/dev/nvidiactl",
        f"sudo chmod a+rw {tmp_path}/dev/nvidia0",
        f"sudo chmod a+r {tmp_path}/powercap/intel-rapl:*/energy_uj",
        "sudo sysctl kernel.perf_event_paranoid=0",
    ]


def test_one_counter_that_is_refused_is_the_one_named(tmp_path: Path) -> None:
    """Where only the memory's counter is closed, that file is named."""
    found = permissions(paths(tmp_path), may_access=lambda path, _: path.parent.name != "intel-rapl:0:0")
    assert "intel-rapl:0:0/energy_uj" in found[2].what


@pytest.mark.parametrize("capability", [21, 38])
def test_a_capability_lets_count(tmp_path: Path, capability: int) -> None:
    """CAP_PERFMON, or CAP_SYS_ADMIN, is as good as an open kernel."""
    found = permissions(paths(tmp_path, capabilities=1 << capability), may_access=lambda *_: False)
    assert found[-1].is_granted


def test_a_machine_without_hardware_has_nothing_to_permit(tmp_path: Path) -> None:
    """Where there is nothing to read nobody is sent to mend permissions."""
    nowhere = tmp_path / "nowhere"
    empty = GuardedPaths(
        powercap=nowhere, perf=PerfPaths(power=nowhere, paranoid=nowhere), devices=nowhere, status=nowhere
    )
    assert permissions(empty) == ()


def test_what_cant_be_read_counts_as_refused(tmp_path: Path) -> None:
    """A kernel that hides its level and capabilities isn't taken for an open one."""
    hidden = paths(tmp_path)
    hidden.perf.paranoid.unlink()
    hidden.status.unlink()
    found = permissions(hidden, may_access=lambda *_: False)
    assert found[-1].what == f"{tmp_path}/paranoid is unknown"
    assert not found[-1].is_granted


# Telling


@pytest.fixture
def told(bench: Bench) -> Report:
    """A machine with everything that a report can hold."""
    bench.add("nvml", "gpu:0", call_s=(0.003, 0.003))
    bench.add("pyrapl", "cpu:package-0")
    because = (
        "through powercap: /sys/x has mode 0400. Until the next boot: sudo chmod a+r /sys/x. For good: y; "
        "through perf: paranoid is 4"
    )
    bench.add_absent("rapl", because)
    refused = Permission(
        sensor="rapl", what="/sys/x (mode 0400)", is_granted=False, fix="sudo chmod a+r /sys/x"
    )
    granted = Permission(sensor="nvml", what="/dev/nvidia0 (mode 0666)", is_granted=True, fix=None)
    return replace(bench.report(), permissions=(granted, refused), machine_key="h100_nvml")


def test_the_text_says_it_all(told: Report) -> None:
    """One line a channel; absences sentence by sentence, commands whole; what gates and what doesn't."""
    lines = render(told).splitlines()
    assert lines[0] == "This machine measures. Its baselines are kept under h100_nvml."
    (row,) = [line for line in lines if line.startswith("gpu:0")]
    assert row.split()[:5] == ["gpu:0", "nvml", "measured:", "energy", "counter"]
    assert "3 ms" in row
    assert row.endswith("hard work")
    text = "\n".join(lines)
    assert (
        "absent\n  rapl\n    through powercap: /sys/x has mode 0400\n"
        "    Until the next boot: sudo chmod a+r /sys/x\n    For good: y\n    through perf: paranoid is 4\n"
    ) in text
    assert "there, but not taken\n  pyrapl: it repeats" in text
    assert (
        "permissions\n  nvml: /dev/nvidia0 (mode 0666): granted\n"
        "  rapl: /sys/x (mode 0400): refused; until the next boot:\n    sudo chmod a+r /sys/x\n"
    ) in text
    assert "may fail a test\n  gpu:0\n" in text
    assert "may not\n  cpu: no channel here" in text


def test_what_isnt_known_is_a_dash(bench: Bench) -> None:
    """On the screen an unknown value is `-`, never 0."""
    bench.add("nvml", "gpu:0").fault = SensorError("gpu:0: GPU is lost")
    (row,) = [line for line in render(bench.report()).splitlines() if line.startswith("gpu:0")]
    assert row.split().count("-") == 4
    assert "0 W" not in row


def test_the_json_says_the_same(told: Report) -> None:
    """Keys are the Python names, units last, and it is JSON."""
    document = json.loads(json.dumps(to_json(told), allow_nan=False))
    assert document["format"] == 1
    assert document["measures"] is True
    assert document["machine_key"] == "h100_nvml"
    assert document["gates"] == ["gpu:0"]
    assert document["gates_not"] == {"cpu": "no channel here", "dram": "no channel here"}
    by_name: Mapping[str, Any] = {sensor["name"]: sensor for sensor in document["sensors"]}
    assert set(by_name) == {"nvml", "rapl", "pyrapl"}
    channel = by_name["nvml"]["channels"][0]
    assert channel["tick_s"] == pytest.approx(0.1, rel=0.02)
    assert set(channel) == {
        *("name", "domain", "device", "source", "is_ticked", "tick_s", "call_s"),
        *("idle_power_w", "load_power_w", "load", "absent_because"),
    }
    assert document["permissions"][1]["fix"] == "sudo chmod a+r /sys/x"


def test_unknown_values_are_null(bench: Bench) -> None:
    """A power that wasn't read is `null` in JSON."""
    bench.add("nvml", "gpu:0").is_stuck = True
    channel = to_json(bench.report())["sensors"][0]["channels"][0]  # type: ignore[index]  # JSON
    assert (channel["tick_s"], channel["idle_power_w"], channel["load_power_w"]) == (None, None, None)
