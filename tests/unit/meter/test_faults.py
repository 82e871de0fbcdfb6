"""Faults of NVML's sensor, through the live meter: the run goes on, the window is void and says why."""

import pytest

from pytest_energy.model import Reading
from tests.fakes.meter import NvmlBench
from tests.fakes.nvml import (
    FakeNvml,
    NVMLError,
    NVMLError_GpuIsLost,
    NVMLError_NotSupported,
    NVMLError_Timeout,
    NVMLError_Uninitialized,
)

WORK = (1.0, 500.0)
ALL_CALLS = tuple(name for name in dir(FakeNvml) if name.startswith("nvmlDevice"))


def why_void(reading: Reading) -> str:
    assert reading.void_because is not None
    assert reading.channels == {}
    assert reading.energy_j is None
    return reading.void_because


def assert_good(bench: NvmlBench) -> None:
    """The next window reads what was used."""
    reading = bench.measure(WORK)
    assert reading.void_because is None
    assert reading.quality == ()
    assert reading.energy_j == pytest.approx(bench.truth_j(reading), rel=0.01)


@pytest.mark.parametrize("has_counter", [True, False])
@pytest.mark.parametrize("calls", [ALL_CALLS, ("nvmlDeviceGetTotalEnergyConsumption",)])
@pytest.mark.parametrize(
    "error",
    [NVMLError_GpuIsLost(), NVMLError_NotSupported(), NVMLError_Uninitialized(), NVMLError_Timeout()],
    ids=str,
)
def test_an_error_in_the_middle_voids_its_window_alone(
    error: NVMLError, calls: tuple[str, ...], *, has_counter: bool
) -> None:
    """Whatever NVML raises, of one call or of all, the reading is void; once it is over all is well."""
    if not has_counter:
        calls = ALL_CALLS
    bench = NvmlBench(has_counter=has_counter)
    window = bench.meter.open("test")
    bench.device.work((WORK,))
    before, bench.gpu.failures = bench.gpu.failures, dict.fromkeys(calls, error)
    bench.device.work((WORK,))
    bench.gpu.failures = before
    bench.device.work((WORK,))
    reason = why_void(window.close())
    assert reason.startswith("gpu:0: NVML can't read")
    assert str(error) in reason
    bench.clock.sleep_s(1.0)
    if has_counter:
        assert_good(bench)
    else:
        assert bench.measure((5.0, 500.0)).void_because is None


def test_an_error_while_the_window_waits_to_close_voids_it() -> None:
    """A GPU that is lost just after the work isn't waited for without end."""
    bench = NvmlBench()
    window = bench.meter.open("test")
    bench.device.work((WORK,))
    bench.gpu.failures = dict.fromkeys(ALL_CALLS, NVMLError_GpuIsLost())
    before_s = bench.clock.now_s()
    assert "GPU is lost" in why_void(window.close())
    assert bench.clock.now_s() - before_s < 2.0


def test_a_gpu_that_stays_lost_voids_every_window_and_ends_none() -> None:
    """Window after window is void with its reason; the run and its end are as ever."""
    bench = NvmlBench()
    bench.gpu.failures = dict.fromkeys(ALL_CALLS, NVMLError_GpuIsLost())
    for _ in range(3):
        assert "GPU is lost" in why_void(bench.measure((4.0, 500.0)))
    bench.meter.close()


@pytest.mark.parametrize("hang_s", [0.2, 2.0, 5.0])
def test_a_call_that_hangs_is_no_tick(hang_s: float) -> None:
    """A long read is of no moment that could be told, so it tells no tick; those beside the work do."""
    bench = NvmlBench()
    window = bench.meter.open("test")
    bench.counters[0].hang_s = hang_s
    bench.device.work(((6.0, 500.0),))
    reading = window.close()
    assert reading.void_because is None
    truth_j = bench.truth_j(reading)
    assert abs(reading.channels["gpu:0"] - truth_j) <= min(2 * reading.uncertainty_j, 0.003 * truth_j)
    assert_good(bench)


@pytest.mark.parametrize(("period_s", "high_share"), [(0.25, 0.5), (0.5, 0.2), (1.0, 0.2)])
def test_a_load_in_waves_does_not_contradict_its_counter(period_s: float, high_share: float) -> None:
    """Looks at power see all parts of a load whose period is that of the looks, or a multiple of it."""
    bench = NvmlBench()
    waves = [(high_share * period_s, 700.0), ((1 - high_share) * period_s, 130.0)] * round(6.0 / period_s)
    readings = [bench.measure(*waves) for _ in range(30)]
    assert [reading.void_because for reading in readings] == [None] * 30


@pytest.mark.parametrize("hold_s", [0.1, 0.9, 2.5, 10.0, 60.0])
def test_work_that_holds_the_interpreter_voids_nothing(hold_s: float) -> None:
    """Meanwhile no counter is read; no round is void and each is right, and so is the next test."""
    bench = NvmlBench()
    misses = []
    for _ in range(15):
        window = bench.meter.open("test")
        bench.device.plan(bench.clock.now_s(), 700.0)
        bench.clock.jump(hold_s)
        bench.device.plan(bench.clock.now_s(), bench.device.quiet_w)
        reading = window.close()
        assert reading.void_because is None
        error_j = reading.channels["gpu:0"] - bench.truth_j(reading)
        misses += [error_j] if abs(error_j) > 2 * reading.uncertainty_j else []
    assert misses == []
    assert_good(bench)


def test_a_call_that_hangs_while_the_window_closes_voids_it() -> None:
    """Ticks beside the work that nobody saw are not made up."""
    bench = NvmlBench()
    window = bench.meter.open("test")
    bench.device.work(((1.0, 500.0),))
    bench.counters[0].hang_s = 20.0
    assert "gpu:0: its counter didn't tick twice" in why_void(window.close())
    bench.clock.sleep_s(20.0)
    assert_good(bench)


def test_a_counter_that_resets_voids_windows_until_it_is_past_its_mark() -> None:
    """After a reset nothing is read until the counter has passed what it had; then all is well."""
    bench = NvmlBench()
    window = bench.meter.open("test")
    bench.device.work((WORK,))
    bench.lost_mj = 1_500_000
    bench.device.work((WORK,))
    assert "gpu:0: the energy counter fell from" in why_void(window.close())
    assert "gpu:0: " in why_void(bench.measure((0.1, 200.0)))
    bench.lost_mj = 0
    bench.clock.sleep_s(1.0)
    assert_good(bench)


def test_a_machine_that_slept_voids_the_window_alone() -> None:
    """Seconds slept through are not the work's; the next window is good."""
    bench = NvmlBench()
    window = bench.meter.open("test")
    bench.device.work((WORK,))
    bench.clock.slept_s = 45.0
    bench.device.work((WORK,))
    assert why_void(window.close()) == "the machine slept for 45 s during the window"
    assert_good(bench)


def test_a_fault_between_windows_voids_none() -> None:
    """What happened before a window was opened is not its fault."""
    bench = NvmlBench()
    bench.gpu.failures = dict.fromkeys(ALL_CALLS, NVMLError_Timeout())
    bench.clock.sleep_s(1.0)
    bench.gpu.failures = {}
    bench.clock.sleep_s(1.0)
    assert_good(bench)
