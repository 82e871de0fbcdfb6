"""RAPL through windows: exact joules or a void that says why, whatever the counters do meanwhile.

The tree is fake and the clock virtual; the sensor, the sampler and the windows are those of a real run.
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import Reading, SensorStatus
from pytest_energy.sensors.rapl import RaplSensor
from tests.fakes.meter import Device, StillSystem, VirtualClock
from tests.fakes.powercap import AMD_RANGE_UJ, DRAM_RANGE_UJ, INTEL_RANGE_UJ, FakePowercap

PACKAGE, MEMORY = "cpu:package-0", "dram:package-0"
QUIET_W = 40.0


class Rig:
    """A live meter over a powercap tree, whose counters count what devices draw."""

    def __init__(self, folder: Path) -> None:
        self.tree = FakePowercap(folder)
        self.tree.stop_idling()
        self.clock = VirtualClock()
        self._devices: dict[Path, tuple[Device, int, int]] = {}
        self._mirrored: dict[Path, Path] = {}

    def add(
        self, zone: str, name: str, *, start_uj: int = 10**9, range_uj: int = INTEL_RANGE_UJ
    ) -> tuple[Device, Path]:
        """A zone, the device whose joules it counts, and its counter's file."""
        device = Device(self.clock, QUIET_W)
        counter = self.tree.add(zone, name, energy_uj=start_uj, range_uj=range_uj, idle_uj=0)
        self._devices[counter] = (device, start_uj, range_uj)
        return device, counter

    def mirror(self, zone: str, name: str, original: Path) -> None:
        self._mirrored[self.tree.add(zone, name, idle_uj=0)] = original

    def forget(self, counter: Path, *, at_uj: int) -> None:
        """Set the counter to *at_uj*, as a suspend or a reload of the driver does."""
        device, _, range_uj = self._devices[counter]
        used_uj = round(device.joules_at(self.clock.now_s()) * 1e6)
        self._devices[counter] = (device, at_uj - used_uj, range_uj)

    def read_text(self, path: Path) -> str:
        original = self._mirrored.get(path, path)
        if original in self._devices and path not in self.tree.failures:
            device, start_uj, range_uj = self._devices[original]
            used_uj = round(device.joules_at(self.clock.now_s()) * 1e6)
            self.tree.set(path, (start_uj + used_uj) % range_uj)
        return self.tree.read_text(path)

    def raw_uj(self, counter: Path) -> int:
        return int(self.read_text(counter))

    def opened(self) -> RaplSensor:
        return RaplSensor(
            root=self.tree.root,
            read_text=self.read_text,
            now_s=self.clock.now_s,
            sleep_s=self.clock.sleep_s,
        )

    def started(self, sensor: RaplSensor | None = None) -> LiveMeter:
        """A meter over *sensor*, opened now if not given; it has measured idle power."""
        sensor = self.opened() if sensor is None else sensor
        names = tuple(channel.name for channel in sensor.channels)
        meter = LiveMeter(
            [sensor],
            [SensorStatus(name=sensor.name, channels=names, provenance=sensor.provenance)],
            clock=self.clock,
            synchronize=lambda: None,
            rng=random.Random(1),  # noqa: S311  # a seeded simulation
            runner=self.clock,
            system=StillSystem(self.clock),
        )
        meter.start()
        return meter


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def measured(rig: Rig, meter: LiveMeter, duration_s: float, do: Callable[[], None] | None = None) -> Reading:
    """A window of *duration_s*, with *do* done in its middle."""
    window = meter.open("test")
    rig.clock.sleep_s(duration_s / 2)
    if do is not None:
        do()
    rig.clock.sleep_s(duration_s / 2)
    return window.close()


def test_a_window_has_the_joules_that_were_drawn(rig: Rig) -> None:
    """Package and memory are read at the window's edges, to the microjoule, without a wait."""
    package, _ = rig.add("intel-rapl:0", "package-0")
    memory, _ = rig.add("intel-rapl:0:0", "dram", range_uj=DRAM_RANGE_UJ)
    meter = rig.started()
    before_s = rig.clock.now_s()
    window = meter.open("test")
    package.plan(before_s, 180.0)
    memory.plan(before_s, 15.0)
    rig.clock.sleep_s(0.05)
    reading = window.close()
    assert rig.clock.now_s() - before_s == pytest.approx(0.05)
    assert reading.channels == pytest.approx({PACKAGE: 9.0, MEMORY: 0.75}, abs=2e-6)
    assert reading.energy_j == pytest.approx(9.75, abs=4e-6)


def test_a_wrap_inside_a_window_costs_nothing(rig: Rig) -> None:
    """A window of 10 J over a wrap reads 10 J."""
    _, counter = rig.add("intel-rapl:0", "package-0", start_uj=INTEL_RANGE_UJ - 2_000_000_000)
    meter = rig.started()
    rig.clock.sleep_s((INTEL_RANGE_UJ - rig.raw_uj(counter)) * 1e-6 / QUIET_W - 0.1)
    before_uj = rig.raw_uj(counter)
    reading = measured(rig, meter, 0.25)
    assert rig.raw_uj(counter) < before_uj
    assert reading.channels == pytest.approx({PACKAGE: QUIET_W * 0.25}, abs=2e-6)


@pytest.mark.parametrize("power_w", [40.0, 500.0, 1900.0])
@pytest.mark.parametrize("range_uj", [AMD_RANGE_UJ, INTEL_RANGE_UJ])
def test_many_wraps_inside_a_window_are_all_counted(rig: Rig, power_w: float, range_uj: int) -> None:
    """An hour at up to 1.9 kW wraps AMD's counter a hundred times, and no joule is lost or doubled."""
    package, _ = rig.add("intel-rapl:0", "package-0", range_uj=range_uj)
    meter = rig.started()
    package.plan(rig.clock.now_s(), power_w)
    reading = measured(rig, meter, 3600.0)
    assert reading.channels == pytest.approx({PACKAGE: power_w * 3600.0}, rel=1e-9)


def test_windows_that_adjoin_over_wraps_add_up(rig: Rig) -> None:
    """Windows end to end hold together what one over all of them would."""
    package, _ = rig.add("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ)
    meter = rig.started()
    package.plan(rig.clock.now_s(), 700.0)
    start_s = rig.clock.now_s()
    readings = [measured(rig, meter, 50.0) for _ in range(10)]
    truth_j = package.joules_between(start_s, rig.clock.now_s())
    assert sum(reading.energy_j or 0.0 for reading in readings) == pytest.approx(truth_j, abs=1e-4)


@pytest.mark.parametrize("at_uj", [0, 100_000_000_000])
def test_a_reset_inside_a_window_makes_it_void(rig: Rig, at_uj: int) -> None:
    """A counter that was set anew makes the window void, names the channel, and the next is exact again."""
    _, counter = rig.add("intel-rapl:0", "package-0", start_uj=50_000_000_000)
    meter = rig.started()
    reading = measured(rig, meter, 2.0, lambda: rig.forget(counter, at_uj=at_uj))
    assert reading.energy_j is None
    assert "neither use nor a wrap" in str(reading.void_because)
    assert PACKAGE in str(reading.void_because)
    assert measured(rig, meter, 2.0).channels == pytest.approx({PACKAGE: 2 * QUIET_W}, abs=2e-6)


def test_a_reset_seen_in_the_middle_makes_the_window_void(rig: Rig) -> None:
    """In a long window the sampler sees the reset; the edges alone look well, and it is void still."""
    _, counter = rig.add("intel-rapl:0", "package-0", start_uj=50_000_000_000)
    meter = rig.started()
    reading = measured(rig, meter, 120.0, lambda: rig.forget(counter, at_uj=0))
    assert "neither use nor a wrap" in str(reading.void_because)


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (OSError(61, "No data available"), "No data available"),
    ],
)
@pytest.mark.parametrize("duration_s", [2.0, 120.0])
def test_a_counter_that_is_lost_makes_the_window_void(
    rig: Rig, fault: OSError, text: str, duration_s: float
) -> None:
    """A file that vanished, or may no longer be read: void with file and reason, never 0 joules."""
    _, counter = rig.add("intel-rapl:0", "package-0")
    meter = rig.started()

    def lose() -> None:
        rig.tree.failures[counter] = fault

    reading = measured(rig, meter, duration_s, lose)
    assert reading.energy_j is None
    assert f"{PACKAGE}: {counter} can't be read: {text}" in str(reading.void_because)


def test_a_counter_that_comes_back_inside_a_window_leaves_it_void(rig: Rig) -> None:
    """A read that failed in the middle is not made good by the reads at the edges; the next window counts."""
    _, counter = rig.add("intel-rapl:0", "package-0")
    meter = rig.started()
    window = meter.open("test")
    rig.clock.sleep_s(30.0)
    rig.tree.failures[counter] = PermissionError(13, "Permission denied")
    rig.clock.sleep_s(30.0)
    del rig.tree.failures[counter]
    rig.clock.sleep_s(30.0)
    assert "Permission denied" in str(window.close().void_because)
    assert measured(rig, meter, 2.0).channels == pytest.approx({PACKAGE: 2 * QUIET_W}, abs=2e-6)


def test_a_process_that_was_held_up_past_a_wrap_makes_the_window_void(rig: Rig) -> None:
    """Two minutes without a read may hide a wrap of AMD's counter: void, not 65 kJ too few."""
    package, _ = rig.add("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ)
    meter = rig.started()
    package.plan(rig.clock.now_s(), 600.0)
    window = meter.open("test")
    rig.clock.jump(120.0)
    assert "may have wrapped unseen" in str(window.close().void_because)


def test_a_meter_that_starts_late_knows_its_idle_power(rig: Rig) -> None:
    """Minutes between opening the sensor and the first energy test cost neither idle power nor a window."""
    rig.add("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ)
    sensor = rig.opened()
    rig.clock.sleep_s(600.0)
    meter = rig.started(sensor)
    assert meter.idle_power_w() == pytest.approx({PACKAGE: QUIET_W}, rel=1e-6)
    assert measured(rig, meter, 2.0).channels == pytest.approx({PACKAGE: 2 * QUIET_W}, abs=2e-6)


def test_each_joule_counts_once(rig: Rig) -> None:
    """Of a tree with everything in it, packages and memory add up, and nothing is in twice.

    Left out: cores and uncore inside the package, psys around it, mmio's copy of it, a die that mirrors it.
    """
    package, counter = rig.add("intel-rapl:0", "package-0-die-0")
    memory, _ = rig.add("intel-rapl:0:2", "dram", range_uj=DRAM_RANGE_UJ, start_uj=3 * 10**9)
    rig.mirror("intel-rapl:1", "package-0-die-1", counter)
    for number, (zone, name) in enumerate(
        [
            ("intel-rapl:0:0", "core"),
            ("intel-rapl:0:1", "uncore"),
            ("intel-rapl:2", "psys"),
            ("intel-rapl-mmio:0", "package-0"),
        ]
    ):
        rig.add(zone, name, start_uj=(20 + number) * 10**9)
    meter = rig.started()
    package.plan(rig.clock.now_s(), 200.0)
    memory.plan(rig.clock.now_s(), 20.0)
    reading = measured(rig, meter, 1.0)
    assert reading.channels == pytest.approx({f"{PACKAGE}-die-0": 200.0, f"{MEMORY}-die-0": 20.0}, abs=2e-6)
    assert reading.energy_j == pytest.approx(220.0, abs=4e-6)


def test_both_sockets_of_amd_add_up(rig: Rig) -> None:
    """AMD's two packages, each with cores inside, wrap at different times and add up exactly."""
    first, _ = rig.add("intel-rapl:0", "package-0", start_uj=10**9, range_uj=AMD_RANGE_UJ)
    second, _ = rig.add("intel-rapl:1", "package-1", start_uj=40 * 10**9, range_uj=AMD_RANGE_UJ)
    rig.add("intel-rapl:0:0", "core", start_uj=10**8, range_uj=AMD_RANGE_UJ)
    rig.add("intel-rapl:1:0", "core", start_uj=2 * 10**8, range_uj=AMD_RANGE_UJ)
    meter = rig.started()
    first.plan(rig.clock.now_s(), 280.0)
    second.plan(rig.clock.now_s(), 310.0)
    reading = measured(rig, meter, 600.0)
    assert reading.channels == pytest.approx(
        {"cpu:package-0": 280.0 * 600.0, "cpu:package-1": 310.0 * 600.0}, rel=1e-10
    )
