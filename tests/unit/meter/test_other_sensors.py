"""Whole windows over the sensors of other hardware: joules within their uncertainty, or a clear void."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.sensors.amdsmi import AmdSmiSensor
from pytest_energy.sensors.apple import AppleSensor
from pytest_energy.sensors.hwmon import HwmonSensor
from pytest_energy.sensors.mig import MigSensor
from pytest_energy.sensors.protocol import Sensor
from tests.fakes.amdsmi import RESOLUTION_UJ, FakeAmdGpu, FakeAmdSmi
from tests.fakes.hwmon_tree import FakeHwmon
from tests.fakes.meter import Bench, SimulatedCounter
from tests.fakes.nvml import FakeGpu, FakeNvml, FakeSlice
from tests.fakes.zeus_apple_silicon import FakeMetrics

WINDOW_COUNT = 40
CALL_S = (0.0001, 0.0005)


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A sensor over the device of a bench, and how much of the device's joules it shows."""

    sensor: Sensor
    share: float = 1.0


def counter(bench: Bench, tick_s: float) -> Callable[[], float]:
    """What counts the device's joules at its ticks."""
    counted = SimulatedCounter(bench.device, bench.clock, tick_s=tick_s, call_s=CALL_S, rng=bench.rng)
    return lambda: counted.read_j("gpu:0")


def amdsmi_rig(bench: Bench, _folder: Path) -> Rig:
    """A counter that the driver reads anew after a millisecond."""
    read_j = counter(bench, 1e-3)

    class Smi(FakeAmdSmi):
        def amdsmi_get_energy_count(self, _gpu: FakeAmdGpu) -> Any:
            counts = round(read_j() * 1e6 / RESOLUTION_UJ)
            return {"energy_accumulator": counts, "counter_resolution": RESOLUTION_UJ}

        def amdsmi_get_power_info(self, _gpu: FakeAmdGpu) -> Any:
            return {"current_socket_power": round(bench.device.seen_power_w(bench.clock.now_s(), 1e-3))}

    clock = bench.clock
    sensor = AmdSmiSensor(amdsmi=Smi(FakeAmdGpu()), environ={}, now_s=clock.now_s, sleep_s=clock.sleep_s)
    return Rig(sensor=sensor)


def hwmon_rig(bench: Bench, tree: FakeHwmon, values: dict[Path, Callable[[], float]]) -> Rig:
    def read_text(path: Path) -> str:
        return f"{round(values[path]())}\n" if path in values else tree.read_text(path)

    clock = bench.clock
    sensor = HwmonSensor(root=tree.root, read_text=read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)
    return Rig(sensor=sensor)


def xe_rig(bench: Bench, folder: Path) -> Rig:
    """A card's counter of microjoules."""
    tree, read_j = FakeHwmon(folder), counter(bench, 1e-3)
    chip = tree.add("xe", energy1_input=0, energy1_label="card")
    return hwmon_rig(bench, tree, {chip / "energy1_input": lambda: read_j() * 1e6})


def jetson_rig(bench: Bench, folder: Path) -> Rig:
    """A monitor of a module's 5 V, with a new value each 20 ms."""
    tree = FakeHwmon(folder)
    chip = tree.add_ina3221(("VDD_IN", 5000, 0), update_interval=20)
    power_w = bench.device.seen_power_w
    shown_ma = {chip / "curr1_input": lambda: power_w(bench.clock.now_s(), 0.02) / 5.0 * 1e3}
    return hwmon_rig(bench, tree, shown_ma)


def grace_rig(bench: Bench, folder: Path) -> Rig:
    """A meter of a socket that shows the mean of 50 ms."""
    tree = FakeHwmon(folder)
    at = tree.add_meter("Grace Power Socket 0", 0.0)
    power_w = bench.device.seen_power_w
    return hwmon_rig(bench, tree, {at / "power1_average": lambda: power_w(bench.clock.now_s(), 0.05) * 1e6})


def amdgpu_rig(bench: Bench, folder: Path) -> Rig:
    """A card's power of the moment, a new value each 10 ms."""
    tree = FakeHwmon(folder)
    chip = tree.add_amdgpu(power1_input=0, power1_cap=300_000_000)
    power_w = bench.device.seen_power_w
    return hwmon_rig(bench, tree, {chip / "power1_input": lambda: power_w(bench.clock.now_s(), 0.01) * 1e6})


def mig_rig(bench: Bench, _folder: Path) -> Rig:
    """A quarter of a GPU whose counter ticks each 100 ms."""
    read_j = counter(bench, 0.1)
    one = FakeSlice(uuid="MIG-1", multiprocessor_count=33)
    gpu = FakeGpu(mig_mode=1, slices=(one,), count_mj=lambda: round(read_j() * 1e3))
    return Rig(sensor=MigSensor(nvml=FakeNvml(gpu), environ={}), share=0.25)


def apple_rig(bench: Bench, _folder: Path) -> Rig:
    """A chip whose GPU alone works, counted in millijoules."""
    read_j = counter(bench, 0.0)

    class Monitor:
        def get_cumulative_energy(self) -> FakeMetrics:
            return FakeMetrics(cpu_total_mj=None, dram_mj=None, ane_mj=None, gpu_mj=int(read_j() * 1e3))

    return Rig(sensor=AppleSensor(new_monitor=Monitor))


def test_a_rail_that_is_switched_off_voids_nothing(tmp_path: Path) -> None:
    """AGX Xavier: its vision accelerator draws 0 W without work, and the other rails count."""
    bench = Bench(quiet_w=6.0)
    tree = FakeHwmon(tmp_path)
    chip = tree.add_ina3221(("CPU", 5000, 0), ("CV", 5000, 0), update_interval=20)
    power_w = bench.device.seen_power_w
    shown_ma = {chip / "curr1_input": lambda: power_w(bench.clock.now_s(), 0.02) / 5.0 * 1e3}
    bench.meter = bench.meter_over(hwmon_rig(bench, tree, shown_ma).sensor)
    bench.meter.start()
    reading = bench.measure((2.0, 20.0))
    assert reading.void_because is None
    assert reading.channels["cpu:CV"] == pytest.approx(0.0, abs=1e-7)
    assert reading.channels["cpu:CPU"] == pytest.approx(bench.truth_j(reading), rel=0.05)


def test_a_rail_that_is_never_switched_off_and_reads_nothing_is_broken(tmp_path: Path) -> None:
    """A module draws power as long as it runs: its window is void, and says why."""
    bench = Bench(quiet_w=6.0)
    tree = FakeHwmon(tmp_path)
    tree.add_ina3221(("VDD_IN", 5000, 0), update_interval=20)
    bench.meter = bench.meter_over(hwmon_rig(bench, tree, {}).sensor)
    bench.meter.start()
    because = bench.measure((2.0, 20.0)).void_because
    assert because == "cpu:VDD_IN: its counter does not move, so it measures nothing"


# With what the device draws for each watt of the loads below: a socket and a card are larger than a module.
RIGS: Mapping[Callable[[Bench, Path], Rig], float] = {
    amdsmi_rig: 20.0,
    xe_rig: 10.0,
    jetson_rig: 1.0,
    grace_rig: 15.0,
    amdgpu_rig: 12.0,
    mig_rig: 20.0,
    apple_rig: 1.0,
}


@pytest.mark.parametrize("rig_of", RIGS, ids=lambda rig: rig.__name__)
@pytest.mark.parametrize("seed", [1, 2])
def test_joules_of_a_window_are_within_their_uncertainty(
    rig_of: Callable[[Bench, Path], Rig], seed: int, tmp_path: Path
) -> None:
    """Work of 20 ms to 2 s: nine of ten within twice the uncertainty, the mean within 1 %, or void."""
    scale = RIGS[rig_of]
    bench = Bench(seed=seed, quiet_w=6.0 * scale)
    rig = rig_of(bench, tmp_path)
    bench.meter = bench.meter_over(rig.sensor)
    bench.meter.start()
    errors_j, truths_j, misses = [], [], []
    for _ in range(WINDOW_COUNT):
        steps = [
            (bench.rng.uniform(0.02, 1.0), scale * bench.rng.uniform(8.0, 25.0))
            for _ in range(bench.rng.choice((1, 2)))
        ]
        reading = bench.measure(*steps)
        if reading.void_because is None:
            assert reading.energy_j is not None
            truths_j.append(rig.share * bench.truth_j(reading))
            errors_j.append(reading.energy_j - truths_j[-1])
            misses += [errors_j[-1]] if abs(errors_j[-1]) > 2 * reading.uncertainty_j else []
    assert len(truths_j) >= 0.5 * WINDOW_COUNT
    assert len(misses) <= 0.1 * len(truths_j)
    assert sum(errors_j) == pytest.approx(0.0, abs=0.01 * sum(truths_j))
