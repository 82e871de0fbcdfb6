"""Slices of a GPU: an estimate by their share, called so, and only if it was asked for."""

from typing import Any

import pytest

from pytest_energy.errors import NoSuchHardware, SensorError, SensorUnavailable
from pytest_energy.model import Machine, Provenance
from pytest_energy.report import cells
from pytest_energy.sensors.detect import Opener, detect
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.mig import MigSensor
from pytest_energy.sensors.nvml import NvmlSensor
from tests.fakes.nvml import (
    FakeGpu,
    FakeNvml,
    FakeSlice,
    NVMLError_DriverNotLoaded,
    NVMLError_FunctionNotFound,
    NVMLError_GpuIsLost,
    NVMLError_NotSupported,
)

FIRST = "MIG-aaaa1111-0000-5000-8000-000000000001"
SECOND = "MIG-bbbb2222-0000-5000-8000-000000000002"


def split_gpu(*slices: FakeSlice, **values: Any) -> FakeGpu:
    """A GPU of 132 multiprocessors that is split into *slices*."""
    return FakeGpu(mig_mode=1, slices=slices, **values)


def two_slices() -> FakeGpu:
    small = FakeSlice(uuid=FIRST, multiprocessor_count=16)
    large = FakeSlice(uuid=SECOND, multiprocessor_count=60, model="NVIDIA H100 80GB HBM3 MIG 3g.40gb")
    return split_gpu(small, FakeSlice(uuid=""), large)


def opened(*gpus: FakeGpu, **environ: str) -> MigSensor:
    return MigSensor(nvml=FakeNvml(*gpus), environ=environ)


def test_a_slice_has_its_share_of_the_counter() -> None:
    """Its multiprocessors, of all that slices can have."""
    gpu = two_slices()
    sensor = opened(gpu, CUDA_VISIBLE_DEVICES=f"{SECOND},{FIRST}")
    names = [(channel.name, channel.device) for channel in sensor.channels]
    assert names == [("gpu:0", SECOND), ("gpu:1", FIRST)]
    before_j = {name: sensor.read_j(name) for name, _ in names}
    gpu.energy_mj += 132_000
    assert sensor.read_j("gpu:0") - before_j["gpu:0"] == pytest.approx(60.0)
    assert sensor.read_j("gpu:1") - before_j["gpu:1"] == pytest.approx(16.0)


def test_it_is_an_estimate_whose_factor_is_the_whole_gpu() -> None:
    """A slice never used more than all: 132 of 16 multiprocessors are 8.25 times as much."""
    sensor = opened(two_slices(), CUDA_VISIBLE_DEVICES=FIRST)
    assert sensor.provenance is Provenance.ESTIMATED
    facts = sensor.facts()
    assert facts.fixed["mig_share"] == "16 of 132 multiprocessors"
    assert facts.key_parts == ("NVIDIA H100 80GB HBM3 MIG 1g.10gb",)
    machine = Machine(key="h100", fixed=facts.fixed, varying=facts.shown)
    assert cells.mark_text(Provenance.ESTIMATED, [machine]).endswith(
        "worked out from the slice's share of its GPU, may be wrong by a factor of 9"
    )


def test_beside_an_estimate_from_cpu_time_both_are_named() -> None:
    """Two kinds of estimates may be in one run, with the larger factor."""
    shown = {"estimate_from": "the slice's share of its GPU", "estimate_factor": "4, 9"}
    machine = Machine(
        key="h100", fixed={"estimate_of": "CPU time of the test's own processes"}, varying=shown
    )
    text = cells.mark_text(Provenance.ESTIMATED, [machine])
    assert "from the slice's share of its GPU and processor time and rated power" in text
    assert text.endswith("by a factor of 9")


def test_the_only_slice_needs_no_name() -> None:
    """As in a container that was given one; of several CUDA takes one, and which is not known here."""
    assert [one.device for one in opened(split_gpu(FakeSlice(uuid=FIRST))).channels] == [FIRST]
    with pytest.raises(SensorUnavailable, match="which of 2 slices CUDA takes; nvidia-smi -L lists them"):
        opened(two_slices())


@pytest.mark.parametrize("entry", ["0", "GPU-11111111", "MIG-", "MIG-cccc", ""])
def test_what_names_no_slice_is_left_out(entry: str) -> None:
    """An index, a whole GPU, a prefix of several, none: the entry is named."""
    with pytest.raises(
        SensorUnavailable, match=f"gpu:0: CUDA_VISIBLE_DEVICES: '{entry}' names no slice here"
    ):
        opened(two_slices(), CUDA_VISIBLE_DEVICES=entry)
    both = opened(two_slices(), CUDA_VISIBLE_DEVICES=f"{entry},{FIRST}")
    assert [one.name for one in both.channels] == ["gpu:1"]
    assert list(both.left_out) == ["gpu:0"]


@pytest.mark.parametrize("error", [NVMLError_NotSupported(), NVMLError_FunctionNotFound()])
def test_a_machine_without_slices_has_no_such_sensor(error: Any) -> None:
    """GPUs that are whole, or too old to be split, or none."""
    for gpus in ((), (FakeGpu(),), (FakeGpu(failures={"nvmlDeviceGetMaxMigDeviceCount": error}),)):
        with pytest.raises(NoSuchHardware, match="no GPU here is split into slices"):
            opened(*gpus)
    failing = FakeNvml(failures={"nvmlInit": NVMLError_DriverNotLoaded()})
    with pytest.raises(NoSuchHardware, match="Driver Not Loaded"):
        MigSensor(nvml=failing, environ={})


def test_a_gpu_without_a_counter_has_no_estimate() -> None:
    """There is nothing to take a share of."""
    gpu = two_slices()
    gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_NotSupported()
    nvml = FakeNvml(gpu)
    with pytest.raises(SensorUnavailable, match="the energy counter of its GPU can't be read: Not"):
        MigSensor(nvml=nvml, environ={"CUDA_VISIBLE_DEVICES": FIRST})
    assert not nvml.is_started


@pytest.mark.parametrize("count", [0, -1, 133])
def test_a_slice_without_a_share_has_no_estimate(count: int) -> None:
    """No part of its GPU, or more than that: what NVML gives is then not understood."""
    with pytest.raises(SensorUnavailable, match=f"gives it {count} multiprocessors of 132"):
        opened(split_gpu(FakeSlice(uuid=FIRST, multiprocessor_count=count)))


def test_a_slice_that_cannot_be_examined_is_none() -> None:
    """Without multiprocessors it has no share."""
    gpu = two_slices()
    gpu.failures["nvmlDeviceGetGpuInstanceProfileInfo"] = NVMLError_GpuIsLost()
    with pytest.raises(NoSuchHardware, match="no GPU here is split"):
        opened(gpu)


def test_it_is_used_by_name_alone() -> None:
    """By itself a run takes the estimate from CPU time, and nvml's reason names this way."""
    nvml = FakeNvml(split_gpu(FakeSlice(uuid=FIRST)))
    openers: dict[str, Opener] = {
        "nvml": lambda: NvmlSensor(nvml=nvml, environ={}),
        "mig": lambda: MigSensor(nvml=nvml, environ={}),
        "estimate": lambda: EstimateSensor(cpu_tdp_w=80.0, cpu_count=4),
    }
    found = detect(None, openers=openers)
    assert [sensor.name for sensor in found.sensors] == ["estimate"]
    assert "or estimate it: --energy-sensors=mig" in str(found.statuses[-1].absent_because)
    assert [sensor.name for sensor in detect(("mig", "estimate"), openers=openers).sensors] == [
        "mig",
        "estimate",
    ]


def test_a_fault_names_the_slice() -> None:
    """A lost GPU gives no joules."""
    gpu = split_gpu(FakeSlice(uuid=FIRST))
    sensor = opened(gpu)
    gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_GpuIsLost()
    with pytest.raises(SensorError, match=r"gpu:0: .*GPU is lost"):
        sensor.read_j("gpu:0")
