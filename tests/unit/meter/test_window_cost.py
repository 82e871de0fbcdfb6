"""What a window over channels that don't tick asks of the system: so much, and no more.

What is counted are calls, not seconds.
"""

import random
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest

from pytest_energy.meter.live import LiveMeter
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.process_tree import ProcessTree
from pytest_energy.sensors.prompt_read import KeptFile
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.sensors.rapl import RaplSensor

KEPT = {KeptFile.__call__.__code__: "read", KeptFile._open.__code__: "open"}
ZONES = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "dram"}


class Machine:
    """A clock and a system that count what they are asked; time goes on only where a test says so.

    It is also the sampler's runner, which does nothing.
    """

    def __init__(self) -> None:
        self.time_s = 1000.0
        self.asked: Counter[str] = Counter()

    def now_s(self) -> float:
        self.asked["clock"] += 1
        return self.time_s

    def sleep_s(self, duration_s: float) -> None:
        self.time_s += duration_s

    def suspended_s(self) -> float:
        self.asked["suspended"] += 1
        return 0.0

    def counted_s(self) -> float:
        self.asked["counted"] += 1
        return self.time_s

    def cpu_times_s(self) -> tuple[float, float]:
        self.asked["processors"] += 1
        return self.time_s, 2 * self.time_s

    def own_cpu_s(self) -> float:
        self.asked["family"] += 1
        return self.time_s

    def ram_used_bytes(self) -> float:
        self.asked["memory"] += 1
        return 1e9

    def is_kin(self, pid: int) -> bool:
        raise AssertionError(pid)

    def adopt(self, pids: object) -> None:
        raise AssertionError(pids)

    def start(self, sampler: object) -> None: ...

    def wake(self) -> None:
        raise AssertionError("the sampler's thread is woken for a window that waits for nothing")

    def stop(self) -> None: ...


class Zones:
    """Counters of a package and its memory, in files."""

    def __init__(self, root: Path, machine: Machine) -> None:
        self._machine, self._count_uj = machine, 0
        self._files = []
        for number, (zone, name) in enumerate(ZONES.items()):
            (root / zone).mkdir()
            (root / zone / "name").write_text(name)
            (root / zone / "max_energy_range_uj").write_text(str(262_143_328_850))
            self._files.append((root / zone / "energy_uj", number * 10**9))
        self.sleep_s(0.0)
        self.sensor = RaplSensor(root=root, now_s=machine.now_s, sleep_s=self.sleep_s)

    def sleep_s(self, duration_s: float) -> None:
        self._machine.time_s += duration_s
        self._count_uj += 1 + round(duration_s * 50e6)
        for path, start_uj in self._files:
            path.write_text(f"{start_uj + self._count_uj}\n")


class Calls:
    """Counts, while it is open, calls of functions of these modules and reads of kept files."""

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self.found: Counter[str] = Counter()

    def __enter__(self) -> Counter[str]:
        sys.setprofile(self._see)
        return self.found

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _see(self, frame: FrameType, event: str, called: object) -> None:
        if event == "call" and frame.f_code in KEPT:
            self.found[KEPT[frame.f_code]] += 1
        elif event == "c_call" and getattr(called, "__module__", "") in self._modules:
            self.found[getattr(called, "__name__", "")] += 1


@pytest.fixture
def machine() -> Machine:
    return Machine()


def meter_over(sensor: Sensor, machine: Machine) -> LiveMeter:
    meter = LiveMeter(
        [sensor],
        [],
        clock=machine,
        synchronize=lambda: None,
        rng=random.Random(1),  # noqa: S311  # nothing ticks
        runner=machine,
        system=machine,
    )
    meter.start()
    meter.open("the first").close()
    machine.asked.clear()
    return meter


def test_a_window_right_after_another_reads_its_counters_and_little_else(
    machine: Machine, tmp_path: Path
) -> None:
    """Two reads of each counter, one mark of the clocks, and no look at processors, family or memory."""
    zones = Zones(tmp_path, machine)
    meter = meter_over(zones.sensor, machine)
    with Calls("posix") as calls:
        window = meter.open("test")
        window.close()
    assert (calls["read"], calls["open"]) == (2 * len(ZONES), 0)
    assert {name: count for name, count in machine.asked.items() if name != "clock"} == {
        "suspended": 1,
        "counted": 1,
    }
    assert machine.asked["clock"] <= 14
    assert calls["getpid"] == 4


def test_a_longer_window_looks_at_processor_times_once_at_each_end(machine: Machine, tmp_path: Path) -> None:
    """And in a row of them once a window: the look after one is that before the next."""
    zones = Zones(tmp_path, machine)
    meter = meter_over(zones.sensor, machine)
    zones.sleep_s(1.0)
    for _ in range(5):
        window = meter.open("test")
        zones.sleep_s(0.1)
        assert window.close().void_because is None
    assert (machine.asked["processors"], machine.asked["family"], machine.asked["memory"]) == (6, 6, 0)


def test_an_estimate_looks_at_its_family_at_the_edges_alone(machine: Machine) -> None:
    """The monitor beside it is given what was read there."""
    cpu_s = iter(float(count) for count in range(100))
    sensor = EstimateSensor(cpu_tdp_w=100.0, cpu_s=lambda: next(cpu_s))
    meter = meter_over(sensor, machine)
    machine.sleep_s(1.0)
    before = next(cpu_s)
    window = meter.open("test")
    machine.sleep_s(2.0)
    assert window.close().void_because is None
    assert next(cpu_s) - before == 3.0
    assert (machine.asked["processors"], machine.asked["family"]) == (2, 0)


def test_a_process_without_children_asks_the_system_three_times_for_its_time() -> None:
    """For its own clock, for any child, and for the time of those that ended."""
    tree = ProcessTree()
    tree.cpu_s()
    with Calls("posix", "time", "resource") as calls:
        tree.cpu_s()
    if "listdir" in calls:
        pytest.skip("this process has children")
    assert calls == {"process_time_ns": 1, "waitid": 1, "getrusage": 1}


def test_a_window_of_an_estimate_asks_for_processor_time_at_its_edges_alone(machine: Machine) -> None:
    """And whether this is still the process that the sampler runs in: at four places."""
    meter = meter_over(EstimateSensor(cpu_tdp_w=100.0), machine)
    with Calls("posix", "time", "resource") as calls:
        meter.open("test").close()
    if "listdir" in calls:
        pytest.skip("this process has children")
    assert calls == {"getpid": 4, "process_time_ns": 2, "waitid": 2, "getrusage": 2}


def test_a_phase_reads_each_counter_twice_and_wakes_nobody(machine: Machine, tmp_path: Path) -> None:
    """Its clock is asked for its two edges and the four ends of reads, and once for what each pair means."""
    zones = Zones(tmp_path, machine)
    meter = meter_over(zones.sensor, machine)
    window = meter.open("whole")
    machine.asked.clear()
    with Calls("posix") as calls:
        window.phase("part").close()
    assert calls["read"] == 2 * len(ZONES)
    assert machine.asked == {"clock": 2 + 4 + 2}
