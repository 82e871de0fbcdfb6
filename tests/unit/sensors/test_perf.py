"""RAPL through perf: which events count, on which CPUs, and why it may be absent."""

import os
from pathlib import Path

import pytest

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.model import Domain
from pytest_energy.sensors.perf import KernelPerfEvents, PerfPaths, PerfSensor
from tests.fakes.hand_clock import HandClock
from tests.fakes.perf_events import FakePerfEvents, perf_paths

PACKAGE_EVENT, MEMORY_EVENT = 2, 3


def opened(paths: PerfPaths, events: FakePerfEvents) -> PerfSensor:
    clock = HandClock()
    return PerfSensor(paths=paths, events=events, now_s=clock.now_s, sleep_s=clock.sleep_s)


def why_absent(paths: PerfPaths, events: FakePerfEvents | None = None) -> str:
    with pytest.raises(SensorUnavailable) as caught:
        opened(paths, events or FakePerfEvents())
    assert caught.value.sensor == "rapl"
    return caught.value.because


def names(sensor: PerfSensor) -> list[str]:
    return [channel.name for channel in sensor.channels]


def test_package_and_memory_count_and_nothing_else(tmp_path: Path) -> None:
    """Cores and the graphics unit are in the package, psys is around it: none of them counts."""
    every_event = {"energy-cores": 1, "energy-pkg": 2, "energy-ram": 3, "energy-gpu": 4, "energy-psys": 5}
    events = FakePerfEvents()
    sensor = opened(perf_paths(tmp_path, events=every_event), events)
    assert [(channel.name, channel.domain) for channel in sensor.channels] == [
        ("cpu:package-0", Domain.CPU),
        ("dram:package-0", Domain.DRAM),
    ]
    assert sorted(events.opened.values()) == [(PACKAGE_EVENT, 0), (MEMORY_EVENT, 0)]
    assert sensor.facts().fixed == {"rapl_channels": "cpu:package-0, dram:package-0"}
    assert sensor.facts().shown == {"rapl_interface": "perf"}


def test_counts_are_scaled_to_joules(tmp_path: Path) -> None:
    """2^32 counts are one joule."""
    events = FakePerfEvents()
    sensor = opened(perf_paths(tmp_path, cpus={0: (0, 0), 8: (1, 0)}), events)
    events.idle_counts = 0
    before_j = sensor.read_j("cpu:package-1")
    events.use(PACKAGE_EVENT, 8, 70_000.5)
    assert sensor.read_j("cpu:package-1") - before_j == pytest.approx(70_000.5)


def test_amd_counts_each_package_once(tmp_path: Path) -> None:
    """On AMD each die's CPU shows the whole package's joules: one of them counts."""
    cpus = {0: (0, 0), 8: (0, 1), 16: (1, 0), 24: (1, 1)}
    paths = perf_paths(tmp_path, events={"energy-pkg": 2}, cpus=cpus, vendor="AuthenticAMD")
    events = FakePerfEvents()
    assert names(opened(paths, events)) == ["cpu:package-0", "cpu:package-1"]
    assert sorted(cpu for _event, cpu in events.opened.values()) == [0, 16]


def test_intel_counts_each_die(tmp_path: Path) -> None:
    """On Intel each die has a counter of its own."""
    paths = perf_paths(tmp_path, events={"energy-pkg": 2}, cpus={0: (0, 0), 8: (0, 1)})
    assert names(opened(paths, FakePerfEvents())) == ["cpu:package-0-die-0", "cpu:package-0-die-1"]


def test_a_kernel_without_die_ids_has_one_die(tmp_path: Path) -> None:
    """Kernels before 5.2 don't tell of dies."""
    paths = perf_paths(tmp_path)
    (paths.cpus / "cpu0" / "topology" / "die_id").unlink()
    assert names(opened(paths, FakePerfEvents())) == ["cpu:package-0", "dram:package-0"]


def test_no_events_is_absent(tmp_path: Path) -> None:
    """A kernel without RAPL events is told with the module to load."""
    paths = PerfPaths(power=tmp_path / "power")
    assert why_absent(paths) == (
        f"{tmp_path}/power doesn't exist: this kernel has no RAPL events. On your own machine: sudo modprobe "
        "rapl"
    )


def test_psys_alone_is_no_sensor(tmp_path: Path) -> None:
    """A virtual machine that offers `energy-psys` alone has nothing to gate on."""
    because = why_absent(perf_paths(tmp_path, events={"energy-psys": 5}))
    assert because.endswith("/events has energy-psys, but not energy-pkg")


def test_a_folder_without_events_is_told(tmp_path: Path) -> None:
    """An empty folder of events is told as such."""
    assert "has no energy event" in why_absent(perf_paths(tmp_path, events={}))


def test_no_permission_names_level_and_commands(tmp_path: Path) -> None:
    """The reason holds the kernel's level, the commands that mend it, and nothing stays open."""
    paths, events = perf_paths(tmp_path), FakePerfEvents()
    events.open_failures[0] = PermissionError(13, "Permission denied")
    because = why_absent(paths, events)
    assert f"{paths.paranoid} is 2" in because
    assert "sudo sysctl kernel.perf_event_paranoid=0" in because
    assert "cap_perfmon" in because


def test_a_level_that_cant_be_read_is_unknown(tmp_path: Path) -> None:
    """Where the level isn't told the commands are told all the same."""
    paths, events = perf_paths(tmp_path), FakePerfEvents()
    paths.paranoid.unlink()
    events.open_failures[0] = PermissionError(1, "Operation not permitted")
    assert "is unknown" in why_absent(paths, events)


def test_counters_opened_before_a_failure_are_closed(tmp_path: Path) -> None:
    """If the second package can't be counted, the first one's counter isn't left open."""
    paths, events = perf_paths(tmp_path, cpus={0: (0, 0), 8: (1, 0)}), FakePerfEvents()
    events.open_failures[8] = OSError(19, "No such device")
    assert "No such device" in why_absent(paths, events)
    assert not events.opened


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("events/energy-pkg", "event=0x02,umask=0x1", "not an event such as event=0x02"),
        ("events/energy-pkg.unit", "Watts", "Watts"),
        ("events/energy-pkg.scale", "0", "steps of 0.0 Joules"),
        ("events/energy-pkg.scale", "many", "many"),
        ("cpumask", "all", "all"),
        ("type", "", "invalid literal"),
    ],
)
def test_files_that_arent_understood_make_it_absent(
    tmp_path: Path, file: str, text: str, reason: str
) -> None:
    """A description that isn't the known one is told, never guessed at."""
    paths = perf_paths(tmp_path)
    (paths.power / file).write_text(text + "\n")
    because = why_absent(paths)
    assert f"under {paths.power} can't be used" in because
    assert reason in because


def test_a_package_that_stands_still_is_absent(tmp_path: Path) -> None:
    """A counter that reads 0 for ever is no sensor."""
    events = FakePerfEvents(idle_counts=0)
    assert "cpu:package-0 did not move for 1 s" in why_absent(perf_paths(tmp_path), events)
    assert not events.opened


def test_memory_that_stands_still_is_left_out(tmp_path: Path) -> None:
    """Where only the memory's counter is dead it is closed, and the facts name what is missing."""
    events = FakePerfEvents()
    events.still.add((MEMORY_EVENT, 0))
    sensor = opened(perf_paths(tmp_path), events)
    assert names(sensor) == ["cpu:package-0"]
    assert list(sensor.left_out) == ["dram:package-0"]
    assert "did not move" in sensor.facts().shown["rapl_left_out"]
    assert list(events.opened.values()) == [(PACKAGE_EVENT, 0)]


def test_a_fault_names_the_channel(tmp_path: Path) -> None:
    """A read that fails is a `SensorError` with the channel and the system's words."""
    events = FakePerfEvents()
    sensor = opened(perf_paths(tmp_path), events)
    events.failure = OSError(19, "No such device")
    with pytest.raises(SensorError, match=r"cpu:package-0: .*No such device"):
        sensor.read_j("cpu:package-0")


def test_a_closed_sensor_reads_nothing(tmp_path: Path) -> None:
    """After closing, a read is a fault: the descriptor's number may be another file's by now."""
    events = FakePerfEvents()
    sensor = opened(perf_paths(tmp_path), events)
    sensor.close()
    assert not events.opened
    with pytest.raises(SensorError, match="perf reads nothing now"):
        sensor.read_j("cpu:package-0")


def test_the_kernel_s_calls_count() -> None:
    """The real calls open, count and close: tried on the kernel's software clock, which any machine has."""
    software, cpu_clock = 1, 0  # PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK
    events = KernelPerfEvents()
    try:
        descriptor = events.open(pmu=software, config=cpu_clock, cpu=0)
    except OSError as error:
        pytest.skip(f"perf is refused here: {error}")
    first = events.count(descriptor)
    assert 0 < first < events.count(descriptor)
    events.close(descriptor)


def test_the_kernel_s_refusal_is_an_oserror() -> None:
    """An event that no PMU has is an `OSError` with the system's number."""
    with pytest.raises(OSError, match=r"\[Errno \d+\]"):
        KernelPerfEvents().open(pmu=0x7FFFFFFF, config=0, cpu=0)


def test_another_architecture_has_no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """RAPL events are x86's; elsewhere the machine is named."""
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(OSError, match="no RAPL events on aarch64"):
        KernelPerfEvents().open(pmu=1, config=0, cpu=0)


def test_half_a_count_is_refused(tmp_path: Path) -> None:
    """A counter that gives fewer than its 8 bytes is a failure, not a small number."""
    file = tmp_path / "count"
    file.write_bytes(b"\1\0\0")
    descriptor = os.open(file, os.O_RDONLY)
    with pytest.raises(OSError, match="3 of 8 bytes"):
        KernelPerfEvents().count(descriptor)
    os.close(descriptor)


def test_the_paths_are_the_kernel_s() -> None:
    """Without paths handed in, those of sysfs and procfs count."""
    paths = PerfPaths()
    assert str(paths.power) == "/sys/bus/event_source/devices/power"
    if not paths.power.is_dir():
        with pytest.raises(SensorUnavailable, match=str(paths.power)):
            PerfSensor()
