"""Windows of NVML's sensor while something else happens to the GPU."""

import json
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.meter.device_monitor import DeviceMonitor
from pytest_energy.model import Reading
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState
from pytest_energy.usage import DeviceUse
from tests.fakes.hand_clock import HandClock
from tests.fakes.meter import Bench, NvmlBench, SimulatedCounter, StillSystem
from tests.fakes.nvml import FakeGpu, FakeNvml, NVMLError_NotSupported
from tests.fakes.torch_cuda import FakeTorch

DATA = Path(__file__).parents[2] / "data" / "nvml"


def measured(bench: NvmlBench, duration_s: float = 2.0, **in_the_middle: Any) -> Reading:
    """A window in whose second half the GPU has the values *in_the_middle*."""
    window = bench.meter.open("test")
    bench.device.work(((duration_s / 2, 500.0),))
    for name, value in in_the_middle.items():
        setattr(bench.gpu, name, value)
    bench.device.work(((duration_s / 2, 500.0),))
    return window.close()


def test_a_gpu_left_alone_has_nothing_said_of_it() -> None:
    """Undisturbed windows, short and long, are neither void nor noted, and tell the temperature."""
    bench = NvmlBench(temperature_c=55)
    for duration_s in (0.1, 1.0, 8.0):
        reading = measured(bench, duration_s)
        assert (reading.void_because, reading.quality) == (None, ())
        assert reading.temperatures_c == {"gpu:0": 55}


@pytest.mark.parametrize("bits", [0x20, 0x48, 0x88])
def test_a_slowdown_during_the_window_makes_it_void(bits: int) -> None:
    """Heat or the power brake void the window that they fall into, and not the next."""
    bench = NvmlBench()
    window = bench.meter.open("test")
    bench.device.work(((0.5, 500.0),))
    bench.gpu.event_reasons = bits
    bench.device.work(((1.0, 500.0),))
    bench.gpu.event_reasons = 0
    bench.device.work(((0.5, 500.0),))
    because = window.close().void_because
    assert because is not None
    assert because.startswith("gpu:0: ")
    assert "slowdown" in because or "power brake" in because
    assert because.endswith(" checks during the window")
    assert measured(bench).void_because is None


def test_a_power_cap_is_what_full_load_looks_like() -> None:
    """A GPU at its power limit isn't slowed down."""
    reading = measured(NvmlBench(event_reasons=0x04))
    assert (reading.void_because, reading.quality) == (None, ())


def test_a_foreign_process_that_computes_makes_the_window_void() -> None:
    """A process that isn't this run's and computed during the window is named."""
    bench = NvmlBench(processes=(41, 42))
    bench.system.kin = {41: False, 42: True}
    reading = measured(bench, samples=((1_000, 41, 3), (1_000, 42, 97)))
    assert reading.void_because == "gpu:0: process 41 of another program computed during the window"


def test_what_has_a_named_channel_open_is_taken_for_this_runs() -> None:
    """A server whose processes can't be found by its port; what comes later is a stranger still."""
    bench = NvmlBench(processes=(41,))
    bench.system.kin = {41: False, 42: False}
    bench.meter.adopt((), on=("gpu:1",))
    assert measured(bench, samples=((1_000, 41, 3),)).void_because is not None
    bench.meter.adopt((), on=("gpu:0",))
    assert measured(bench, samples=((9_000, 41, 3),)).void_because is None
    because = measured(bench, processes=(41, 42)).void_because
    assert because == "gpu:0: process 42 of another program started or ended during the window"


def test_own_processes_may_compute() -> None:
    """This run's own processes, started before or during the window, are the work."""
    bench = NvmlBench(processes=(42,))
    bench.system.kin = {42: True, 43: True}
    reading = measured(bench, processes=(42, 43), samples=((1_000, 43, 97),))
    assert (reading.void_because, reading.quality) == (None, ())


@pytest.mark.parametrize(("before", "after"), [((), (41,)), ((41,), ())])
def test_a_foreign_process_that_comes_or_goes_makes_the_window_void(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    """Opening or closing a GPU costs joules, whatever else a process does there."""
    bench = NvmlBench(processes=before)
    bench.system.kin = {41: False}
    because = measured(bench, processes=after).void_because
    assert because == "gpu:0: process 41 of another program started or ended during the window"


def test_a_foreign_process_that_only_waits_is_noted() -> None:
    """A process that holds the GPU all the time and computes nothing is no reason, but worth a word."""
    bench = NvmlBench(processes=(41,), samples=((1_000, 41, 50),))
    bench.system.kin = {41: False}
    reading = measured(bench)
    assert reading.void_because is None
    assert reading.quality == ("gpu:0: process 41 of another program holds it, but didn't compute",)


def test_a_foreign_process_of_which_nobody_knows_what_it_does_makes_the_window_void() -> None:
    """Where the GPU doesn't tell who computes, a foreign process isn't taken to be idle."""
    bench = NvmlBench(processes=(41,))
    bench.system.kin = {41: False}
    bench.gpu.failures["nvmlDeviceGetProcessUtilization"] = NVMLError_NotSupported()
    because = measured(bench).void_because
    assert because is not None
    assert "process 41" in because
    assert "does not report it" in because


def test_a_process_that_cant_be_seen_is_noted() -> None:
    """A process id from outside a container may be our own: that is a note, and none while it is idle."""
    bench = NvmlBench(processes=(41,))
    assert measured(bench).quality == ()
    reading = measured(bench, samples=((1_000, 41, 97),))
    assert reading.void_because is None
    (note,) = reading.quality
    assert note.startswith("gpu:0: process 41 may have computed on it")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"power_limit_mw": 500_000}, "power limit went from 700 W to 500 W"),
        ({"mig_mode": 1}, "MIG went from off to on"),
        (
            {"clocks_mhz": (1200, 2619)},
            "application clocks went from 1980 MHz, memory 2619 MHz to 1200 MHz, memory 2619 MHz",
        ),
    ],
)
def test_a_setting_that_changes_makes_the_window_void(change: dict[str, Any], sentence: str) -> None:
    """Other settings at the end than at the start void the window, with both values; the next is good."""
    bench = NvmlBench()
    assert measured(bench, **change).void_because == f"gpu:0: {sentence} during the window"
    assert measured(bench).void_because is None


@pytest.mark.parametrize(
    ("share", "duration_s", "is_void"), [(0.9, 8.0, True), (0.9, 4.0, False), (0.97, 8.0, False)]
)
def test_a_counter_that_its_power_contradicts_makes_a_long_window_void(
    share: float, duration_s: float, *, is_void: bool
) -> None:
    """Joules and power apart by more than 5 % over 5 s or more: one of them is wrong."""
    bench = NvmlBench()
    bench.draw_share = share
    because = measured(bench, duration_s).void_because
    assert (because is not None) == is_void
    if because is not None:
        assert because.startswith("gpu:0: its counter gives ")


def test_unsteady_power_alone_contradicts_no_counter() -> None:
    """Looks at a power that swings miss some of it; that is chance, and no reason."""
    bench = NvmlBench(seed=3)
    for _ in range(20):
        reading = bench.measure(*((0.13, bench.rng.choice((150.0, 700.0))) for _ in range(50)))
        assert reading.void_because is None


def test_looking_costs_two_calls_four_times_a_second() -> None:
    """While a window is open the GPU is looked at about four times a second; else never."""
    asked: list[float] = []
    bench = NvmlBench()
    snapshot = bench.sensor.snapshot

    def counted(channel: str) -> DeviceSnapshot:
        asked.append(bench.clock.now_s())
        return snapshot(channel)

    bench.sensor.snapshot = counted  # type: ignore[method-assign]
    bench.clock.sleep_s(10.0)
    assert asked == []
    measured(bench, 10.0)
    assert 35 <= len(asked) <= 41


def test_opening_right_after_closing_still_needs_no_wait() -> None:
    """Asking how the GPU is doesn't cost a window its quiet neighbour."""
    bench = NvmlBench()
    measured(bench)
    before_s = bench.clock.now_s()
    bench.meter.open("test")
    assert bench.clock.now_s() - before_s <= 0.1


def test_a_sensor_that_fails_to_tell_says_nothing() -> None:
    """A `SensorError` of another package's sensor is no condition, and ends nothing."""

    class Mute(SimulatedCounter):
        def snapshot(self, channel: str) -> DeviceSnapshot:
            raise SensorError(f"{channel}: not now")

        def state(self, channel: str) -> DeviceState:
            raise SensorError(f"{channel}: not now")

    bench = Bench()
    monitor = DeviceMonitor([Mute(bench.device, bench.clock)], StillSystem(bench.clock))
    monitor.open(["gpu:0"])
    monitor.look("gpu:0")
    history = monitor.close()["gpu:0"]
    assert (history.before, history.after, set(history.snapshots)) == (
        DeviceState(),
        DeviceState(),
        {DeviceSnapshot()},
    )


# Without a counter


def test_integrated_power_is_unbiased_and_says_how_sure_it_is() -> None:
    """Over windows of 1 to 8 s the mean is right within 1 %, and the truth within two uncertainties."""
    bench = NvmlBench(has_counter=False, architecture=4, power_limit_mw=250_000)
    bench.device.quiet_w = 50.0
    bench.device.plan(bench.clock.now_s(), 50.0)
    ratios, hits = [], []
    for _ in range(60):
        steps = [(bench.rng.uniform(0.2, 0.6), bench.rng.uniform(100.0, 250.0)) for _ in range(12)]
        reading = bench.measure(*steps[: bench.rng.randint(3, 12)])
        assert reading.energy_j is not None, reading.void_because
        truth_j = bench.truth_j(reading)
        ratios.append(reading.energy_j / truth_j)
        hits.append(abs(reading.energy_j - truth_j) <= 2 * reading.uncertainty_j)
        assert "gpu:0: integrated power, not a counter; sampled every 50 ms" in reading.quality
        assert 0.005 < reading.uncertainty_j / truth_j < 0.4
    assert fmean(ratios) == pytest.approx(1.0, abs=0.01)
    assert fmean(hits) >= 0.93


def test_a_burst_between_samples_is_void_not_small() -> None:
    """A burst that is shorter than a few samples can't be told from power that was sampled; it is void."""
    bench = NvmlBench(has_counter=False, architecture=4, power_limit_mw=250_000)
    for _ in range(20):
        because = bench.measure((0.03, 250.0)).void_because
        assert because is not None
        assert "too short" in because


@pytest.mark.parametrize("name", ["step_h100-80gb-hbm3", "step_h200"])
def test_recorded_power_integrates_to_the_recorded_counter(name: str) -> None:
    """Instant power of a real step of 1 s, sampled as it would be, gives the counter's joules within 5 %."""
    document = json.loads((DATA / f"{name}.json").read_text())
    column = {title: index for index, title in enumerate(document["columns"])}
    samples = document["samples"]
    clock = HandClock()
    gpu = FakeGpu()
    gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_NotSupported()
    sensor = NvmlSensor(nvml=FakeNvml(gpu), environ={}, now_s=clock.now_s)
    last_s, sums_j = samples[0][0], []
    for sample in samples:
        clock.sleep_s(sample[0] - last_s)
        last_s = sample[0]
        gpu.instant_power_mw = sample[column["power_instant_mw"]]
        sums_j.append(sensor.read_j("gpu:0"))
    counted_j = (samples[-1][column["total_energy_mj"]] - samples[0][column["total_energy_mj"]]) * 1e-3
    assert sums_j[-1] == pytest.approx(counted_j, rel=0.05)


# ---- whose use of a device was seen ----


def used(bench: NvmlBench, **in_the_middle: Any) -> dict[str, DeviceUse]:
    reading = measured(bench, **in_the_middle)
    assert reading.void_because is None
    return dict(reading.device_use)


def test_a_device_that_nobody_uses_has_no_use() -> None:
    """NVML shows no process and no utilisation: nothing is said, as in a container it may not see them."""
    assert used(NvmlBench()) == {}


def test_a_process_of_ours_holds_the_device_or_computes() -> None:
    """Its context is a use; kernels of its own are more."""
    bench = NvmlBench(processes=(7,))
    bench.system.kin = {7: True}
    assert used(bench) == {"gpu:0": DeviceUse.OPEN}
    assert used(bench, samples=((10**9, 7, 30),)) == {"gpu:0": DeviceUse.BUSY}


def test_a_busy_device_without_processes_is_a_use() -> None:
    """In a container the device may compute for a process that has no number here."""
    assert used(NvmlBench(), utilisation_percent=3) == {"gpu:0": DeviceUse.UNNAMED}


def test_a_stranger_that_holds_the_device_is_no_use_of_ours() -> None:
    """Another process's context says nothing of this run."""
    bench = NvmlBench(processes=(7,))
    bench.system.kin = {7: False}
    assert used(bench) == {}


def test_torch_in_this_process_is_seen_without_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that torch has opened here counts where NVML lists no process, on any GPU."""
    torch = FakeTorch(is_open=True)
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert used(NvmlBench()) == {"gpu:0": DeviceUse.OPEN}
