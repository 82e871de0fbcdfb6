"""NVML: which GPUs count, and what a read of them is."""

import sys
from types import ModuleType

import pytest

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.model import Channel, Domain
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.nvml_responses import UNKNOWN
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Slowdown
from tests.fakes.nvml import (
    FakeGpu,
    FakeNvml,
    NVMLError_DriverNotLoaded,
    NVMLError_FunctionNotFound,
    NVMLError_GpuIsLost,
    NVMLError_LibraryNotFound,
    NVMLError_NotSupported,
    NVMLError_Uninitialized,
)

UUIDS = ("GPU-aaaa1111-0000", "GPU-aaaa2222-0000", "GPU-bbbb3333-0000")


def gpus(*models: str) -> tuple[FakeGpu, ...]:
    """Three GPUs, of one model unless *models* says otherwise."""
    names = models or ("NVIDIA H200",) * 3
    return tuple(FakeGpu(uuid=uuid, model=model) for uuid, model in zip(UUIDS, names, strict=True))


def opened(*gpu_list: FakeGpu, **environ: str) -> NvmlSensor:
    return NvmlSensor(nvml=FakeNvml(*gpu_list), environ=environ)


def why_absent(nvml: FakeNvml, **environ: str) -> str:
    with pytest.raises(SensorUnavailable) as caught:
        NvmlSensor(nvml=nvml, environ=environ)
    assert caught.value.sensor == "nvml"
    return caught.value.because


def test_what_is_known_of_a_counter_goes_with_model_and_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """H100s under driver 580 were measured; under another one nothing is known of how they answer."""
    for driver, is_known in (("580.159.04", True), ("535.1", False)):
        nvml = FakeNvml(*gpus())
        monkeypatch.setattr(nvml, "nvmlSystemGetDriverVersion", lambda driver=driver: driver)
        channel = NvmlSensor(nvml=nvml, environ={}).channels[0]
        assert bool(channel.response.waves) is is_known
        assert (channel.followed_response is not None) is is_known
        assert channel.is_read_at_end is is_known


def test_channels_are_numbered_as_cuda_numbers() -> None:
    """`gpu:0` is the first of CUDA_VISIBLE_DEVICES, whatever its index in NVML; its device is its UUID."""
    sensor = opened(*gpus(), CUDA_VISIBLE_DEVICES="2,0")
    assert [(channel.name, channel.device) for channel in sensor.channels] == [
        ("gpu:0", UUIDS[2]),
        ("gpu:1", UUIDS[0]),
    ]
    assert sensor.channels[0] == Channel(
        name="gpu:0",
        domain=Domain.GPU,
        device=UUIDS[2],
        is_ticked=True,
        resolution_j=1e-3,
        response=UNKNOWN,
    )


def test_reads_millijoules_as_joules() -> None:
    """The counter's millijoules come out as joules."""
    sensor = opened(FakeGpu(energy_mj=1_234_567))
    assert sensor.read_j("gpu:0") == 1234.567


def test_one_gpu_is_read_by_its_own_handle() -> None:
    """Each channel reads the GPU it stands for."""
    first, second, third = gpus()
    third.energy_mj = 7_000
    second.energy_mj = 5_000
    sensor = opened(first, second, third, CUDA_VISIBLE_DEVICES="2,1")
    assert (sensor.read_j("gpu:0"), sensor.read_j("gpu:1")) == (7.0, 5.0)


@pytest.mark.parametrize("setting", ["-1", ""])
def test_hidden_gpus_make_the_sensor_absent(setting: str) -> None:
    """Where CUDA_VISIBLE_DEVICES hides every GPU there is nothing to read, and the reason shows its value."""
    because = why_absent(FakeNvml(*gpus()), CUDA_VISIBLE_DEVICES=setting)
    assert because == f"CUDA_VISIBLE_DEVICES={setting!r} hides every GPU"


def test_no_gpu_makes_the_sensor_absent() -> None:
    """A driver without a GPU is no sensor."""
    assert why_absent(FakeNvml()) == "the NVIDIA driver shows no GPU"


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (NVMLError_LibraryNotFound(), "docker run --gpus all"),
        (NVMLError_DriverNotLoaded(), "sudo modprobe nvidia"),
        (NVMLError_GpuIsLost(), "GPU is lost"),
    ],
)
def test_a_driver_that_doesnt_start_makes_the_sensor_absent(failure: Exception, advice: str) -> None:
    """The reason holds NVML's text and what to do."""
    because = why_absent(FakeNvml(FakeGpu(), failures={"nvmlInit": failure}))
    assert str(failure) in because
    assert advice in because


def test_gpus_that_cant_be_listed_make_the_sensor_absent() -> None:
    """An error while listing is the reason, and NVML is stopped again."""
    nvml = FakeNvml(FakeGpu(), failures={"nvmlDeviceGetCount": NVMLError_GpuIsLost()})
    assert "GPU is lost" in why_absent(nvml)
    assert not nvml.is_started


def test_mig_mode_is_refused() -> None:
    """With MIG on, the counter is the whole GPU's: no slice can be gated; the reason holds the cure."""
    nvml = FakeNvml(FakeGpu(mig_mode=1))
    because = why_absent(nvml)
    assert "MIG is on" in because
    assert "nvidia-smi -mig 0" in because
    assert not nvml.is_started


@pytest.mark.parametrize("mode", [2, 3, 4])
def test_vgpu_is_refused(mode: int) -> None:
    """A vGPU's counter is the whole GPU's, seen from the guest or from the host."""
    assert "vGPU" in why_absent(FakeNvml(FakeGpu(virtualization_mode=mode)))


@pytest.mark.parametrize("mode", [0, 1])
def test_a_gpu_passed_through_counts(mode: int) -> None:
    """On bare metal, or passed to one virtual machine whole, a GPU is its user's alone."""
    assert opened(FakeGpu(virtualization_mode=mode)).channels


@pytest.mark.parametrize("error", [NVMLError_NotSupported(), NVMLError_FunctionNotFound()])
@pytest.mark.parametrize("function", ["nvmlDeviceGetMigMode", "nvmlDeviceGetVirtualizationMode"])
def test_a_gpu_that_knows_no_mig_or_vgpu_counts(function: str, error: Exception) -> None:
    """GPUs and drivers from before MIG and vGPU are read."""
    gpu = FakeGpu()
    gpu.failures[function] = error  # type: ignore[assignment]
    assert opened(gpu).channels


@pytest.mark.parametrize("function", ["nvmlDeviceGetMigMode", "nvmlDeviceGetVirtualizationMode"])
def test_a_gpu_that_cant_be_examined_is_refused(function: str) -> None:
    """A GPU whose state is unknown is not assumed to be whole."""
    nvml = FakeNvml(FakeGpu(failures={function: NVMLError_GpuIsLost()}))
    assert why_absent(nvml) == "gpu:0: NVML can't examine it: GPU is lost"


def without_counter(**values: object) -> FakeGpu:
    gpu = FakeGpu(model="Tesla P100-PCIE-16GB", power_limit_mw=250_000, architecture=4, **values)  # type: ignore[arg-type]
    gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_NotSupported()
    return gpu


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("nvmlDeviceGetPowerUsage", "doesn't report its present power"),
        ("nvmlDeviceGetEnforcedPowerLimit", "its power limit: Not Supported"),
    ],
)
def test_a_gpu_without_counter_or_power_is_refused(function: str, reason: str) -> None:
    """A GPU older than Volta whose power can't be integrated either is named, with both reasons."""
    gpu = without_counter(instant_power_mw=None)
    gpu.failures[function] = NVMLError_NotSupported()
    because = why_absent(FakeNvml(gpu))
    assert "Tesla P100-PCIE-16GB has no energy counter (Not Supported;" in because
    assert reason in because


def test_a_counter_that_fails_at_once_is_refused() -> None:
    """Any other error of the first read is the reason."""
    gpu = FakeGpu(failures={"nvmlDeviceGetTotalEnergyConsumption": NVMLError_GpuIsLost()})
    assert "GPU is lost" in why_absent(FakeNvml(gpu))


def test_one_gpu_left_out_leaves_the_others() -> None:
    """A GPU that can't be read is left out with its reason; the others keep CUDA's numbers."""
    first, second, third = gpus()
    second.mig_mode = 1
    sensor = opened(first, second, third)
    assert [channel.name for channel in sensor.channels] == ["gpu:0", "gpu:2"]
    assert list(sensor.left_out) == ["gpu:1"]
    assert "gpu:1: MIG is on" in sensor.facts().shown["gpu_left_out"]


def test_a_mig_slice_is_left_out_of_the_sensor() -> None:
    """A MIG id among whole GPUs is left out by its number; alone, it makes the sensor absent."""
    slice_id = "MIG-GPU-aaaa1111-0000/1/0"
    sensor = opened(*gpus(), CUDA_VISIBLE_DEVICES=f"{slice_id},1")
    assert [(channel.name, channel.device) for channel in sensor.channels] == [("gpu:1", UUIDS[1])]
    assert slice_id in sensor.left_out["gpu:0"]
    assert "whole GPU's" in why_absent(FakeNvml(*gpus()), CUDA_VISIBLE_DEVICES=slice_id)


def test_a_fault_names_channel_and_nvmls_text() -> None:
    """An NVML error in a read is a `SensorError` with the channel and NVML's own words."""
    gpu = FakeGpu()
    sensor = opened(gpu)
    gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_GpuIsLost()
    with pytest.raises(SensorError, match=r"gpu:0: .*GPU is lost"):
        sensor.read_j("gpu:0")


def test_a_counter_that_fell_stays_a_fault_until_it_is_past_its_mark() -> None:
    """After a reset no difference over it can be trusted, however often one asks."""
    gpu = FakeGpu(energy_mj=9_000)
    sensor = opened(gpu)
    for energy_mj in (0, 4_000, 8_999):
        gpu.energy_mj = energy_mj
        with pytest.raises(SensorError, match=f"fell from 9000 to {energy_mj} mJ"):
            sensor.read_j("gpu:0")
    gpu.energy_mj = 9_001
    assert sensor.read_j("gpu:0") == 9.001


def test_one_thread_reads_at_a_time() -> None:
    """A read is locked, so that a slower thread's older value is never mistaken for a counter that fell."""
    locked: list[bool] = []

    class Watched(FakeNvml):
        def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu) -> int:  # noqa: N802
            locked.append(sensor._lock.locked() if locked else False)
            return super().nvmlDeviceGetTotalEnergyConsumption(handle)

    sensor = NvmlSensor(nvml=Watched(FakeGpu()), environ={})
    sensor.read_j("gpu:0")
    assert locked == [False, True]


def test_usage_is_the_mean_share_and_the_sum_of_memory() -> None:
    """Utilisation is the GPUs' mean share, memory their sum in bytes."""
    first, second, third = gpus()
    first.utilisation_percent, second.utilisation_percent = 100, 50
    first.memory_used_bytes, third.memory_used_bytes = 1 << 30, 2 << 30
    usage = opened(first, second, third).usage()
    assert usage.gpu_utilisation_share == 0.5
    assert usage.gpu_memory_used_bytes == 3 << 30
    assert usage.cpu_utilisation_share is None


@pytest.mark.parametrize(
    ("function", "field"),
    [
        ("nvmlDeviceGetUtilizationRates", "gpu_utilisation_share"),
        ("nvmlDeviceGetMemoryInfo", "gpu_memory_used_bytes"),
    ],
)
def test_usage_that_cant_be_told_is_none(function: str, field: str) -> None:
    """What a GPU doesn't tell is `None`, not 0; the rest is told all the same."""
    usage = opened(FakeGpu(failures={function: NVMLError_NotSupported()})).usage()
    told = {"gpu_utilisation_share": usage.gpu_utilisation_share}
    told["gpu_memory_used_bytes"] = usage.gpu_memory_used_bytes
    assert [name for name, value in told.items() if value is None] == [field]


# How the GPU is


@pytest.mark.parametrize(
    ("bits", "slowdowns"),
    [
        (0x00, set()),
        (0x04 | 0x01 | 0x10, set()),
        (0x08 | 0x40, {Slowdown.HARDWARE, Slowdown.HARDWARE_THERMAL}),
        (0x80, {Slowdown.POWER_BRAKE}),
        (0x20 | 0x04, {Slowdown.SOFTWARE_THERMAL}),
    ],
)
def test_slowdowns_are_those_that_no_load_explains(bits: int, slowdowns: set[Slowdown]) -> None:
    """Heat and the power brake are slowdowns; idle, a power cap at full load and sync boost are none."""
    assert opened(FakeGpu(event_reasons=bits)).snapshot("gpu:0").slowdowns == slowdowns


def test_slowdowns_are_found_by_their_old_name() -> None:
    """Drivers before 535 know the reasons as throttle reasons."""
    gpu = FakeGpu(event_reasons=0x40)
    gpu.failures["nvmlDeviceGetCurrentClocksEventReasons"] = NVMLError_FunctionNotFound()
    assert opened(gpu).snapshot("gpu:0").slowdowns == {Slowdown.HARDWARE_THERMAL}


def test_a_look_has_the_power_that_checks_the_counter() -> None:
    """Power of the moment is told in watts; not where it can't be, nor where the scopes differ."""
    assert opened(FakeGpu(instant_power_mw=431_500)).snapshot("gpu:0").power_w == pytest.approx(431.5)
    assert opened(FakeGpu(instant_power_mw=None)).snapshot("gpu:0").power_w is None
    assert opened(FakeGpu(model="NVIDIA GH200 480GB")).snapshot("gpu:0").power_w is None
    assert opened(without_counter()).snapshot("gpu:0").power_w is None


def test_a_condition_tells_settings_and_temperature() -> None:
    """Power limit, MIG, application clocks and temperature are told with their units."""
    state = opened(FakeGpu(power_limit_mw=350_000, temperature_c=61)).state("gpu:0")
    assert state.settings == {
        "power limit": "350 W",
        "MIG": "off",
        "application clocks": "1980 MHz, memory 2619 MHz",
    }
    assert state.temperature_c == 61


def test_a_condition_leaves_out_what_cant_be_told() -> None:
    """A GPU that is lost has no condition, and asking for it raises nothing."""
    gpu = FakeGpu()
    sensor = opened(gpu)
    functions = [name for name in dir(FakeNvml) if name.startswith("nvmlDevice")]
    gpu.failures = dict.fromkeys(functions, NVMLError_GpuIsLost())
    assert sensor.state("gpu:0") == DeviceState()
    assert sensor.snapshot("gpu:0") == DeviceSnapshot()


def test_a_function_that_pynvml_lacks_tells_nothing() -> None:
    """A name that a release of nvidia-ml-py doesn't have is as good as a GPU that doesn't tell."""

    class Older(FakeNvml):
        @property
        def nvmlDeviceGetApplicationsClock(self) -> None:  # type: ignore[override]  # noqa: N802
            raise AttributeError

    state = NvmlSensor(nvml=Older(FakeGpu()), environ={}).state("gpu:0")
    assert set(state.settings) == {"power limit", "MIG"}


def test_processes_are_busy_by_what_they_did_since() -> None:
    """A process counts as busy if a sample since the last call says so, and only then."""
    gpu = FakeGpu(processes=(41, 42), samples=((1_000, 41, 80), (2_000, 42, 0)))
    sensor = opened(gpu)
    assert sensor.state("gpu:0").processes == {41: True, 42: False}
    assert sensor.state("gpu:0").processes == {41: False, 42: False}
    gpu.samples += ((3_000, 42, 5),)
    assert sensor.state("gpu:0").processes == {41: False, 42: True}


def test_processes_whose_work_cant_be_told_are_listed() -> None:
    """Where NVML doesn't tell who computes, a process is there and nobody knows more."""
    gpu = FakeGpu(processes=(41,))
    gpu.failures["nvmlDeviceGetProcessUtilization"] = NVMLError_NotSupported()
    assert opened(gpu).state("gpu:0").processes == {41: None}


def test_facts_fix_what_must_be_equal() -> None:
    """Model, count, power limit and MIG are fixed; UUID and driver are shown."""
    facts = opened(FakeGpu(power_limit_mw=350_000)).facts()
    assert facts.fixed == {
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "gpu_count": "1",
        "gpu_power_limit_w": "350",
        "mig": "off",
    }
    assert facts.shown == {
        "gpu_uuid": "GPU-11111111-aaaa-bbbb-cccc-000000000001",
        "gpu_driver": "550.163.01",
        "gpu_counter_scope": "whole GPU",
        "gpu_counter_response": "not measured on this model",
    }
    assert facts.key_parts == ("NVIDIA H100 80GB HBM3",)


def test_key_counts_equal_gpus() -> None:
    """Equal GPUs are one part of the machine's key, with their count."""
    sensor = opened(*gpus("NVIDIA H200", "NVIDIA L4", "NVIDIA H200"))
    assert sensor.facts().key_parts == ("2x NVIDIA H200", "NVIDIA L4")


def test_facts_say_what_they_cant_tell() -> None:
    """A fact that NVML doesn't give is `unknown` with NVML's text, never an empty or invented one."""
    gpu = FakeGpu(failures={"nvmlDeviceGetEnforcedPowerLimit": NVMLError_NotSupported()})
    nvml = FakeNvml(gpu, failures={"nvmlSystemGetDriverVersion": NVMLError_GpuIsLost()})
    facts = NvmlSensor(nvml=nvml, environ={}).facts()
    assert facts.fixed["gpu_power_limit_w"] == "unknown (Not Supported)"
    assert facts.shown["gpu_driver"] == "unknown (GPU is lost)"


def test_scope_of_a_grace_hopper_is_shown() -> None:
    """On GH200 the counter may be the whole module's, and the facts say so."""
    assert "module" in opened(FakeGpu(model="NVIDIA GH200 480GB")).facts().shown["gpu_counter_scope"]


def test_indices_over_different_models_need_an_order() -> None:
    """CUDA's default order isn't NVML's: indices that pick from different models are refused."""
    nvml = FakeNvml(*gpus("NVIDIA H200", "NVIDIA L4", "NVIDIA L4"))
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in why_absent(nvml, CUDA_VISIBLE_DEVICES="1")


@pytest.mark.parametrize(
    "environ",
    [
        {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        {"CUDA_VISIBLE_DEVICES": "GPU-aaaa2"},
    ],
)
def test_a_clear_choice_among_different_models_counts(environ: dict[str, str]) -> None:
    """With PCI bus order, or by UUID, there is one GPU that is meant."""
    sensor = opened(*gpus("NVIDIA H200", "NVIDIA L4", "NVIDIA L4"), **environ)
    assert [channel.device for channel in sensor.channels] == [UUIDS[1]]


def test_closing_stops_nvml_once() -> None:
    """Closing gives back the one start of this sensor, and a read after it is a fault."""
    nvml = FakeNvml(FakeGpu())
    nvml.nvmlInit()
    sensor = NvmlSensor(nvml=nvml, environ={})
    sensor.close()
    sensor.close()
    assert nvml.is_started
    nvml.nvmlShutdown()
    with pytest.raises(SensorError, match="Uninitialized"):
        sensor.read_j("gpu:0")


def test_the_environment_is_the_process_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment handed in, the variables of this process count."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    with pytest.raises(SensorUnavailable, match="hides every GPU"):
        NvmlSensor(nvml=FakeNvml(FakeGpu()))


def test_the_module_is_imported_when_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pynvml` is what is used when nothing is handed in."""
    module = ModuleType("pynvml")
    nvml = FakeNvml(FakeGpu())
    for name in dir(nvml):
        if not name.startswith("_"):
            setattr(module, name, getattr(nvml, name))
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert NvmlSensor(environ={}).read_j("gpu:0") == 5000.0


def test_a_missing_module_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without nvidia-ml-py the sensor is absent, and the reason says what to install."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(SensorUnavailable, match="pip install nvidia-ml-py"):
        NvmlSensor(environ={})


def test_the_fake_has_only_names_of_the_real_module() -> None:
    """Every NVML name that the fake offers exists in nvidia-ml-py, with the same values and errors."""
    import pynvml

    names = [name for name in dir(FakeNvml) if name.lower().startswith("nvml")]
    assert len(names) > 15
    for name in names:
        assert hasattr(pynvml, name), name
        if name.startswith("NVML_"):
            assert getattr(pynvml, name) == getattr(FakeNvml, name)
    for error in (NVMLError_GpuIsLost, NVMLError_NotSupported, NVMLError_LibraryNotFound):
        assert str(getattr(pynvml, error.__name__)()) == str(error())
    assert str(NVMLError_Uninitialized()) == str(pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED))


@pytest.mark.hardware
def test_a_real_gpu_counts() -> None:
    """On a machine with an NVIDIA GPU, two reads don't fall and the facts name it."""
    try:
        sensor = NvmlSensor()
    except SensorUnavailable as error:
        pytest.skip(str(error))
    channel = sensor.channels[0].name
    assert 0 < sensor.read_j(channel) <= sensor.read_j(channel)
    assert sensor.facts().key_parts
    sensor.close()
