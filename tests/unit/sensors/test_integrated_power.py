"""GPUs without an energy counter, whose power is integrated."""

from itertools import pairwise

import pytest

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.sensors.nvml import NvmlSensor
from tests.fakes.hand_clock import HandClock
from tests.fakes.nvml import (
    FakeGpu,
    FakeNvml,
    NVMLError_GpuIsLost,
    NVMLError_NotSupported,
)


def opened(*gpu_list: FakeGpu, **environ: str) -> NvmlSensor:
    return NvmlSensor(nvml=FakeNvml(*gpu_list), environ=environ)


def why_absent(nvml: FakeNvml, **environ: str) -> str:
    with pytest.raises(SensorUnavailable) as caught:
        NvmlSensor(nvml=nvml, environ=environ)
    assert caught.value.sensor == "nvml"
    return caught.value.because


def without_counter(**values: object) -> FakeGpu:
    gpu = FakeGpu(model="Tesla P100-PCIE-16GB", power_limit_mw=250_000, architecture=4, **values)  # type: ignore[arg-type]
    gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_NotSupported()
    return gpu


def test_a_moving_average_is_never_integrated() -> None:
    """From Ampere on, power usage is a mean over a second: a burst's joules would be in the next test."""
    gpu = without_counter(instant_power_mw=None)
    gpu.architecture = 7
    assert "at best a mean over one second" in why_absent(FakeNvml(gpu))


@pytest.mark.parametrize("instant_mw", [200_000, None])
def test_a_gpu_without_counter_has_its_power_integrated(instant_mw: int | None) -> None:
    """Power of the moment is summed up in steps of 200 ms; the channel and the facts say so."""
    clock = HandClock()
    gpu = without_counter(instant_power_mw=instant_mw, power_usage_mw=200_000)
    sensor = NvmlSensor(nvml=FakeNvml(gpu), environ={}, now_s=clock.now_s)
    (channel,) = sensor.channels
    assert channel.sampled_s == 0.05
    assert channel.resolution_j == pytest.approx(25.0)
    assert sensor.facts().fixed["gpu_power_integrated"] == "gpu:0"
    clock.sleep_s(0.03)  # off the steps
    reads_j = []
    for _ in range(41):
        reads_j.append(sensor.read_j("gpu:0"))
        clock.sleep_s(0.05)
    assert reads_j[0] == 0.0
    assert reads_j[-1] == pytest.approx(200.0 * (2.0 - 0.03))
    assert sum(before != after for before, after in pairwise(reads_j)) == 10


def test_power_that_was_not_sampled_is_unknown() -> None:
    """After a second without a read nobody knows the joules: that is told once, then it counts again."""
    clock = HandClock()
    sensor = NvmlSensor(nvml=FakeNvml(without_counter()), environ={}, now_s=clock.now_s)
    before_j = sensor.read_j("gpu:0")
    clock.sleep_s(3.0)
    with pytest.raises(SensorError, match="gpu:0: its power wasn't sampled for 3 s"):
        sensor.read_j("gpu:0")
    clock.sleep_s(0.5)
    assert sensor.read_j("gpu:0") - before_j == pytest.approx(60.0, abs=24.0)


@pytest.mark.parametrize("instant_mw", [200_000, None])
def test_power_that_cant_be_read_is_a_fault(instant_mw: int | None) -> None:
    """A GPU that is lost while its power is integrated is a `SensorError` with the channel."""
    clock = HandClock()
    gpu = without_counter(instant_power_mw=instant_mw)
    sensor = NvmlSensor(nvml=FakeNvml(gpu), environ={}, now_s=clock.now_s)
    gpu.failures["nvmlDeviceGetFieldValues"] = gpu.failures["nvmlDeviceGetPowerUsage"] = NVMLError_GpuIsLost()
    with pytest.raises(SensorError, match="gpu:0: NVML can't read its power"):
        sensor.read_j("gpu:0")
