"""AMD GPUs over a fake of their library: exact joules or a reason, each joule once."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from pytest_energy.errors import NoSuchHardware, SensorError, SensorUnavailable
from pytest_energy.sensors.amdsmi import AmdSmiSensor
from tests.fakes.amdsmi import (
    RESOLUTION_UJ,
    AmdSmiLibraryException,
    AmdSmiVirtualizationMode,
    FakeAmdGpu,
    FakeAmdSmi,
)
from tests.fakes.hand_clock import HandClock

IDS = tuple(f"a1b2c3d4e5f6000{number}" for number in range(4))


def cards(count: int, **values: object) -> tuple[FakeAmdGpu, ...]:
    return tuple(
        FakeAmdGpu(serial=f"0x{IDS[place].upper()}", hip_id=place, idle_counts=1, **values)  # type: ignore[arg-type]
        for place in range(count)
    )


def opened(*gpus: FakeAmdGpu, smi: FakeAmdSmi | None = None, **environ: str) -> AmdSmiSensor:
    clock = HandClock()
    fake = FakeAmdSmi(*gpus) if smi is None else smi
    return AmdSmiSensor(amdsmi=fake, environ=environ, now_s=clock.now_s, sleep_s=clock.sleep_s)


def why_absent(*gpus: FakeAmdGpu, **environ: str) -> str:
    fake = FakeAmdSmi(*gpus)
    with pytest.raises(SensorUnavailable) as caught:
        opened(smi=fake, **environ)
    assert fake.start_count == 0, "the library stays started"
    return caught.value.because


def names(sensor: AmdSmiSensor) -> list[tuple[str, str]]:
    return [(channel.name, channel.device) for channel in sensor.channels]


# Joules


def test_joules_are_counts_times_their_resolution() -> None:
    """The library gives counts and microjoules per count."""
    (gpu,) = cards(1)
    sensor = opened(gpu)
    gpu.idle_counts = 0
    before_j = sensor.read_j("gpu:0")
    gpu.counts += 1_000_000
    assert sensor.read_j("gpu:0") - before_j == pytest.approx(RESOLUTION_UJ)
    assert sensor.channels[0].resolution_j == pytest.approx(RESOLUTION_UJ * 1e-6)


def test_the_counter_of_an_older_release_has_another_name() -> None:
    """Before 6.2 the count is called `power`."""
    (gpu,) = cards(1)
    count = iter(range(100, 200))

    class Older(FakeAmdSmi):
        def amdsmi_get_energy_count(self, _gpu: FakeAmdGpu) -> dict[str, float]:
            return {"power": next(count), "counter_resolution": 10.0, "timestamp": 1}

    sensor = opened(smi=Older(gpu))
    first_j = sensor.read_j("gpu:0")
    assert sensor.read_j("gpu:0") - first_j == pytest.approx(10e-6)


def test_a_counter_that_fell_stays_a_fault_until_it_is_past_its_mark() -> None:
    """After a reset no difference over it can be trusted."""
    (gpu,) = cards(1)
    sensor = opened(gpu)
    sensor.read_j("gpu:0")
    mark, gpu.idle_counts = gpu.counts, 0
    for counts in (1, mark - 1):
        gpu.counts = counts
        with pytest.raises(
            SensorError, match=f"gpu:0: the energy counter fell from {mark} to {counts} counts"
        ):
            sensor.read_j("gpu:0")
    gpu.counts = mark + 1
    assert sensor.read_j("gpu:0") == pytest.approx((mark + 1) * RESOLUTION_UJ * 1e-6)


@pytest.mark.parametrize(
    "answer",
    [
        {"energy_accumulator": 2**64 - 1, "counter_resolution": RESOLUTION_UJ},
        {"energy_accumulator": -1, "counter_resolution": RESOLUTION_UJ},
        {"energy_accumulator": "N/A", "counter_resolution": RESOLUTION_UJ},
        {"energy_accumulator": 5, "counter_resolution": 0.0},
        {"energy_accumulator": 5, "counter_resolution": "N/A"},
        {},
        None,
        AmdSmiLibraryException(),
    ],
)
def test_an_answer_without_joules_is_no_joules(answer: object) -> None:
    """A damaged answer is a fault in a run, and leaves the GPU out before it."""
    (gpu,) = cards(1)
    sensor = opened(gpu)
    gpu.answers["amdsmi_get_energy_count"] = answer
    with pytest.raises(SensorError, match=r"gpu:0: amdsmi"):
        sensor.read_j("gpu:0")
    assert "its energy counter can't be read: amdsmi" in why_absent(gpu)


def test_a_counter_that_stands_still_is_left_out() -> None:
    """As on cards whose counter moves again only after a reboot; the others are read."""
    still, moving = cards(2)
    still.idle_counts = 0
    sensor = opened(still, moving)
    assert names(sensor) == [("gpu:1", f"GPU-{IDS[1]}")]
    assert "did not move for 1 s" in sensor.left_out["gpu:0"]
    assert "gpu:0: its energy counter did not move" in sensor.facts().shown["gpu_left_out"]
    assert "did not move" in why_absent(still)


# Which GPUs


def test_channels_follow_the_order_of_hip() -> None:
    """The library lists GPUs by their bus; HIP may have another order, which it knows."""
    first, second = cards(2)
    first.hip_id, second.hip_id = 1, 0
    assert names(opened(first, second)) == [("gpu:0", f"GPU-{IDS[1]}"), ("gpu:1", f"GPU-{IDS[0]}")]


@pytest.mark.parametrize("hip_id", ["N/A", AmdSmiLibraryException(), AttributeError("no such function")])
def test_the_order_of_the_bus_is_taken_where_hips_is_unknown(hip_id: object) -> None:
    """A release before 6.4 doesn't report it."""
    first, second = cards(2)
    for gpu in (first, second):
        gpu.answers["amdsmi_get_gpu_enumeration_info"] = (
            hip_id if isinstance(hip_id, Exception) else {"hip_id": hip_id}
        )
    assert names(opened(first, second)) == [("gpu:0", f"GPU-{IDS[0]}"), ("gpu:1", f"GPU-{IDS[1]}")]


@pytest.mark.parametrize(
    ("environ", "places"),
    [
        ({"HIP_VISIBLE_DEVICES": "2,0"}, [2, 0]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, [1]),
        ({"HIP_VISIBLE_DEVICES": "0", "CUDA_VISIBLE_DEVICES": "1"}, [0]),
        ({"ROCR_VISIBLE_DEVICES": "3,1"}, [3, 1]),
        ({"ROCR_VISIBLE_DEVICES": "3,1", "HIP_VISIBLE_DEVICES": "1"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": f"GPU-{IDS[2]},0"}, [2, 0]),
        ({"ROCR_VISIBLE_DEVICES": f"GPU-{IDS[2].upper()}"}, [2]),
        ({"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": ""}, [0, 1, 2, 3]),
    ],
)
def test_gpus_are_those_that_hip_sees(environ: dict[str, str], places: list[int]) -> None:
    """ROCr's list comes first, HIP's counts in it; CUDA's applies where HIP's isn't set."""
    expected = [(f"gpu:{number}", f"GPU-{IDS[place]}") for number, place in enumerate(places)]
    clock = HandClock()
    sensor = AmdSmiSensor(
        amdsmi=FakeAmdSmi(*cards(4)), environ=environ, now_s=clock.now_s, sleep_s=clock.sleep_s
    )
    assert names(sensor) == expected


def test_a_list_that_names_no_gpu_is_the_reason() -> None:
    """The variable and its entry are named."""
    assert "HIP_VISIBLE_DEVICES holds '9', which names no GPU" in why_absent(
        *cards(1), HIP_VISIBLE_DEVICES="9"
    )
    because = why_absent(*cards(1), ROCR_VISIBLE_DEVICES="GPU-ffff")
    assert "ROCR_VISIBLE_DEVICES holds 'GPU-ffff', which names no GPU" in because
    assert why_absent(*cards(1), ROCR_VISIBLE_DEVICES="") == "no AMD GPU is visible to HIP"


@pytest.mark.parametrize("partition", ["DPX", "QPX", "CPX"])
def test_a_partition_is_left_out(partition: str) -> None:
    """Its counter is the whole GPU's."""
    because = why_absent(*cards(1, partition=partition))
    assert f"it is a partition ({partition}) of a GPU: its energy counter is the whole GPU's" in because


def test_gpus_with_one_number_are_parts_of_one() -> None:
    """A release that has no function for partitions: each shows the counter of the whole package."""
    parts = cards(1) * 8
    because = why_absent(*parts)
    assert because.count("it is one of 8 parts of a GPU") == 8
    assert "its energy counter is the whole GPU's" in why_absent(*parts, ROCR_VISIBLE_DEVICES="0")


def test_a_newer_release_has_another_function_for_partitions() -> None:
    """`amdsmi_get_gpu_accelerator_partition_profile`, once the older one is gone."""

    class Newer(FakeAmdSmi):
        def amdsmi_get_gpu_accelerator_partition_profile(self, gpu: FakeAmdGpu) -> object:
            return {"partition_profile": {"profile_type": gpu.partition}, "partition_id": [0]}

    for partition, is_whole in (("SPX", True), ("CPX", False)):
        (gpu,) = cards(1, partition=partition)
        gpu.answers["amdsmi_get_gpu_compute_partition"] = AttributeError("no such function")
        if is_whole:
            assert names(opened(smi=Newer(gpu))) == [("gpu:0", f"GPU-{IDS[0]}")]
        else:
            with pytest.raises(SensorUnavailable, match=r"it is a partition \(CPX\) of a GPU"):
                opened(smi=Newer(gpu))


def test_gpus_whose_number_is_0_are_known_by_their_bus() -> None:
    """In some virtual machines each has the number 0: that makes them no parts of one GPU."""
    gpus = cards(2)
    for place, gpu in enumerate(gpus):
        gpu.serial = "0x0000000000000000"
        gpu.answers["amdsmi_get_gpu_device_bdf"] = f"0000:c{place}:00.0"
    assert names(opened(*gpus)) == [("gpu:0", "0000:c0:00.0"), ("gpu:1", "0000:c1:00.0")]


def test_odd_releases_cost_no_joules() -> None:
    """A card without a name, a limit in watts, a power of all ones: the counter is read all the same."""
    (gpu,) = cards(1, power_w=65535, power_cap_uw=300)
    gpu.answers["amdsmi_get_gpu_asic_info"] = {"asic_serial": gpu.serial}
    sensor = opened(gpu)
    assert sensor.snapshot("gpu:0").power_w is None
    assert sensor.facts().fixed["gpu_model"] == "AMD GPU"
    assert sensor.facts().fixed["gpu_power_limit_w"] == "300"


@pytest.mark.parametrize("mode", [AmdSmiVirtualizationMode.HOST, AmdSmiVirtualizationMode.GUEST])
def test_a_virtual_function_is_left_out(mode: AmdSmiVirtualizationMode) -> None:
    """Its neighbours' joules are in the counter."""
    assert "virtual function" in why_absent(*cards(1, mode=mode))


@pytest.mark.parametrize("error", [AmdSmiLibraryException(), AttributeError("no such function")])
def test_a_gpu_that_knows_no_partitions_counts(error: Exception) -> None:
    """Most cards and older releases have neither partitions nor virtual functions."""
    (gpu,) = cards(1)
    for function in ("amdsmi_get_gpu_compute_partition", "amdsmi_get_gpu_virtualization_mode"):
        gpu.answers[function] = error
    sensor = opened(gpu)
    assert names(sensor) == [("gpu:0", f"GPU-{IDS[0]}")]
    assert sensor.facts().fixed["gpu_partition"] == "none"


def test_two_gpus_of_a_card_have_one_counter() -> None:
    """MI250X: the first one counts for both, and a process on the second is one on its device."""
    first, second, third, fourth = cards(4, model="AMD Instinct MI250X")
    for one in (second, fourth):
        one.counts = one.idle_counts = 0
    second.processes, second.activity_percent = {77: 0}, 30
    sensor = opened(first, second, third, fourth)
    assert [name for name, _ in names(sensor)] == ["gpu:0", "gpu:2"]
    assert "its counter reads 0" in sensor.left_out["gpu:1"]
    assert sensor.facts().shown["gpu_counter_scope"] == "card of two GPUs"
    state = sensor.state("gpu:0")
    assert (state.processes, state.is_busy) == ({77: None}, True)
    assert sensor.state("gpu:2").is_busy is False


def test_the_counter_of_a_processor_with_gpu_says_so() -> None:
    """MI300A: its joules are those of the CPU, too, so that RAPL's don't count beside it."""
    assert opened(*cards(1, model="AMD Instinct MI300A")).facts().shown["gpu_counter_scope"] == (
        "socket with its CPU"
    )


def test_a_gpu_without_a_number_is_known_by_its_bus() -> None:
    """Nothing else identifies it."""
    (gpu,) = cards(1)
    gpu.answers["amdsmi_get_gpu_asic_info"] = {"market_name": "AMD Radeon", "asic_serial": "N/A"}
    assert names(opened(gpu)) == [("gpu:0", "0000:c1:00.0")]


# State


def test_the_state_of_a_gpu_is_told_or_left_out() -> None:
    """Processes that compute now, power limit, temperature, power of the moment, utilisation, memory."""
    (gpu,) = cards(1, memory_bytes=1 << 30, processes={5: 40, 6: 0}, activity_percent=80)
    sensor = opened(gpu)
    state = sensor.state("gpu:0")
    assert (state.processes, state.is_busy) == ({5: True, 6: None}, True)
    assert (state.settings, state.temperature_c) == ({"power limit": "750 W"}, 45)
    assert sensor.snapshot("gpu:0").power_w == 140
    usage = sensor.usage()
    assert (usage.gpu_utilisation_share, usage.gpu_memory_used_bytes) == (0.8, 1 << 30)


def test_what_a_card_does_not_report_is_none() -> None:
    """Cards before MI300 have no power of the moment; nothing else takes its place."""
    (gpu,) = cards(1, power_w="N/A", activity_percent="N/A")
    sensor = opened(gpu)
    for function in (
        "temp_metric",
        "gpu_memory_usage",
        "gpu_process_list",
        "power_cap_info",
        "gpu_driver_info",
    ):
        gpu.answers[f"amdsmi_get_{function}"] = AmdSmiLibraryException()
    state, usage = sensor.state("gpu:0"), sensor.usage()
    assert (state.processes, state.settings, state.temperature_c, state.is_busy) == ({}, {}, None, None)
    assert sensor.snapshot("gpu:0").power_w is None
    assert (usage.gpu_utilisation_share, usage.gpu_memory_used_bytes) == (None, None)
    facts = sensor.facts()
    assert facts.fixed["gpu_power_limit_w"] == "unknown"
    assert "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported" in facts.shown["gpu_driver"]


def test_the_key_of_the_machine_names_each_model_once() -> None:
    """As NVML's does."""
    facts = opened(*cards(2)).facts()
    assert facts.key_parts == ("2x AMD Instinct MI300X",)
    assert facts.fixed["gpu_power_limit_w"] == "750, 750"
    assert facts.shown["gpu_uuid"] == f"GPU-{IDS[0]}, GPU-{IDS[1]}"


# The library


def test_without_an_amd_gpu_there_is_nothing_to_install(tmp_path: Path) -> None:
    """Most machines have none: that is no fault of theirs."""
    with pytest.raises(NoSuchHardware, match="no driver of an AMD GPU is loaded"):
        AmdSmiSensor(driver=tmp_path / "amdgpu")
    fake = FakeAmdSmi()
    with pytest.raises(NoSuchHardware, match="the driver shows no AMD GPU"):
        opened(smi=fake)
    assert fake.start_count == 0


def test_a_missing_library_has_its_fix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The module, or the library in C beneath it."""
    monkeypatch.setitem(sys.modules, "amdsmi", None)
    with pytest.raises(SensorUnavailable, match="not installed") as caught:
        AmdSmiSensor(driver=tmp_path)
    assert caught.value.reasons[0].remedies == ("pip install 'pytest-energy[amd]'",)


def test_a_library_that_cannot_be_loaded_has_its_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without ROCm the module prints, and ends with a `KeyError`."""
    (tmp_path / "amdsmi.py").write_text("print('Unable to find libamd_smi.so')\n{}['libamd_smi.so']\n")
    monkeypatch.delitem(sys.modules, "amdsmi", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SensorUnavailable, match=r"as without ROCm's libamd_smi\.so: KeyError") as caught:
        AmdSmiSensor(driver=tmp_path)
    assert caught.value.reasons[0].remedies == ("sudo apt install amd-smi-lib",)
    assert capsys.readouterr().out == ""


def test_an_odd_module_ends_the_sensor_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another package of the same name has none of its functions."""
    monkeypatch.setitem(sys.modules, "amdsmi", ModuleType("amdsmi"))
    with pytest.raises(SensorUnavailable, match="has no attribute 'amdsmi_init'"):
        AmdSmiSensor(driver=tmp_path)


def test_a_library_that_does_not_start_is_the_reason() -> None:
    """Its own words, in one line."""
    fake = FakeAmdSmi(failure=AmdSmiLibraryException("AMDSMI_STATUS_DRIVER_NOT_LOADED", "Driver not loaded"))
    with pytest.raises(
        SensorUnavailable, match="AMDSMI_STATUS_DRIVER_NOT_LOADED - Driver not loaded"
    ) as caught:
        opened(smi=fake)
    assert caught.value.reasons[0].remedies == ()


def test_a_missing_permission_has_its_fix() -> None:
    """The device files belong to two groups."""
    fake = FakeAmdSmi(failure=AmdSmiLibraryException("AMDSMI_STATUS_NO_PERM", "Permission Denied"))
    with pytest.raises(SensorUnavailable, match="Permission Denied") as caught:
        opened(smi=fake)
    assert caught.value.reasons[0].remedies == ("sudo usermod -aG render,video $USER",)
