"""A stand-in for the module `pynvml`, with the names and results of nvidia-ml-py."""
# ruff: noqa: N802  # NVML's own names

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace


class NVMLError(Exception):
    """Base of NVML's errors; its text is NVML's, and so is its number where somebody looks at it."""

    value = 999


class NVMLError_NotSupported(NVMLError):  # noqa: N801
    def __str__(self) -> str:
        return "Not Supported"


class NVMLError_FunctionNotFound(NVMLError):  # noqa: N801
    def __str__(self) -> str:
        return "Function Not Found"


class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801
    def __str__(self) -> str:
        return "NVML Shared Library Not Found"


class NVMLError_DriverNotLoaded(NVMLError):  # noqa: N801
    def __str__(self) -> str:
        return "Driver Not Loaded"


class NVMLError_GpuIsLost(NVMLError):  # noqa: N801
    def __str__(self) -> str:
        return "GPU is lost"


class NVMLError_Uninitialized(NVMLError):  # noqa: N801
    def __str__(self) -> str:
        return "Uninitialized"


class NVMLError_Timeout(NVMLError):  # noqa: N801
    def __str__(self) -> str:
        return "Timeout"


class NVMLError_NotFound(NVMLError):  # noqa: N801
    value = 6

    def __str__(self) -> str:
        return "Not Found"


@dataclass(slots=True, kw_only=True)
class FakeSlice:
    """A MIG slice; without a UUID, a place where none is."""

    uuid: str
    multiprocessor_count: int = 16
    model: str = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"


@dataclass(slots=True, kw_only=True)
class FakeGpu:
    """One GPU.

    `failures` maps a function's name, such as `nvmlDeviceGetMigMode`, to the error it raises; `count_mj` and
    `draw_mw` replace the plain values of energy and power; `samples` are (microseconds, process, percent).
    """

    uuid: str = "GPU-11111111-aaaa-bbbb-cccc-000000000001"
    model: str = "NVIDIA H100 80GB HBM3"
    energy_mj: int = 5_000_000
    mig_mode: int = 0
    virtualization_mode: int = 1
    utilisation_percent: int = 0
    memory_used_bytes: int = 0
    power_limit_mw: int = 700_000
    instant_power_mw: int | None = 120_000
    power_usage_mw: int = 120_000
    architecture: int = 9
    temperature_c: int = 40
    event_reasons: int = 0
    clocks_mhz: tuple[int, int] = (1980, 2619)
    processes: tuple[int, ...] = ()
    samples: tuple[tuple[int, int, int], ...] = ()
    slices: tuple[FakeSlice, ...] = ()
    profiles: Mapping[int, int] = field(default_factory=lambda: {0: 16, 2: 60, 4: 132})
    count_mj: Callable[[], int] | None = None
    draw_mw: Callable[[], int] | None = None
    failures: dict[str, NVMLError] = field(default_factory=dict)


class FakeNvml:
    """The module. A `FakeGpu` is its own handle."""

    NVMLError = NVMLError
    NVMLError_NotSupported = NVMLError_NotSupported
    NVMLError_FunctionNotFound = NVMLError_FunctionNotFound
    NVMLError_LibraryNotFound = NVMLError_LibraryNotFound
    NVMLError_DriverNotLoaded = NVMLError_DriverNotLoaded
    NVML_DEVICE_MIG_ENABLE = 1
    NVML_SUCCESS = 0
    NVML_ERROR_NOT_FOUND = 6
    NVML_FI_DEV_POWER_INSTANT = 186
    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_GRAPHICS = 0
    NVML_CLOCK_MEM = 2
    NVML_DEVICE_ARCH_AMPERE = 7
    NVML_GPU_VIRTUALIZATION_MODE_NONE = 0
    NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH = 1

    def __init__(self, *gpus: FakeGpu, failures: Mapping[str, Exception] | None = None) -> None:
        self._gpus: Sequence[FakeGpu] = gpus
        self._failures = dict(failures or {})
        self._starts = 0

    @property
    def is_started(self) -> bool:
        return self._starts > 0

    def nvmlInit(self) -> None:
        self._fail("nvmlInit")
        self._starts += 1

    def nvmlShutdown(self) -> None:
        self._check_started()
        self._starts -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        self._check_started()
        self._fail("nvmlSystemGetDriverVersion")
        return "550.163.01"

    def nvmlDeviceGetCount(self) -> int:
        self._check_started()
        self._fail("nvmlDeviceGetCount")
        return len(self._gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        self._check_started()
        return self._gpus[index]

    def nvmlDeviceGetName(self, handle: FakeGpu | FakeSlice) -> str:
        if isinstance(handle, FakeSlice):
            return handle.model
        return self._asked(handle, "nvmlDeviceGetName").model

    def nvmlDeviceGetUUID(self, handle: FakeGpu | FakeSlice) -> str:
        if isinstance(handle, FakeSlice):
            return handle.uuid
        return self._asked(handle, "nvmlDeviceGetUUID").uuid

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: FakeGpu) -> int:
        return 7 if self._asked(handle, "nvmlDeviceGetMaxMigDeviceCount").mig_mode else 0

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: FakeGpu, index: int) -> FakeSlice:
        slices = self._asked(handle, "nvmlDeviceGetMigDeviceHandleByIndex").slices
        if index >= len(slices) or not slices[index].uuid:
            raise NVMLError_NotFound
        return slices[index]

    def nvmlDeviceGetAttributes_v2(self, handle: FakeSlice) -> SimpleNamespace:
        return SimpleNamespace(multiprocessorCount=handle.multiprocessor_count)

    def nvmlDeviceGetGpuInstanceProfileInfo(self, handle: FakeGpu, profile: int) -> SimpleNamespace:
        profiles = self._asked(handle, "nvmlDeviceGetGpuInstanceProfileInfo").profiles
        if profile not in profiles:
            raise NVMLError_NotSupported
        return SimpleNamespace(multiprocessorCount=profiles[profile])

    def nvmlDeviceGetMigMode(self, handle: FakeGpu) -> list[int]:
        mode = self._asked(handle, "nvmlDeviceGetMigMode").mig_mode
        return [mode, mode]

    def nvmlDeviceGetVirtualizationMode(self, handle: FakeGpu) -> int:
        return self._asked(handle, "nvmlDeviceGetVirtualizationMode").virtualization_mode

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: FakeGpu) -> int:
        gpu = self._asked(handle, "nvmlDeviceGetTotalEnergyConsumption")
        return gpu.energy_mj if gpu.count_mj is None else gpu.count_mj()

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: FakeGpu) -> int:
        return self._asked(handle, "nvmlDeviceGetEnforcedPowerLimit").power_limit_mw

    def nvmlDeviceGetFieldValues(self, handle: FakeGpu, fields: Sequence[int]) -> list[SimpleNamespace]:
        gpu = self._asked(handle, "nvmlDeviceGetFieldValues")
        assert list(fields) == [self.NVML_FI_DEV_POWER_INSTANT]
        if gpu.instant_power_mw is None:
            return [SimpleNamespace(nvmlReturn=3, value=SimpleNamespace(uiVal=0))]
        power_mw = gpu.instant_power_mw if gpu.draw_mw is None else gpu.draw_mw()
        return [SimpleNamespace(nvmlReturn=self.NVML_SUCCESS, value=SimpleNamespace(uiVal=power_mw))]

    def nvmlDeviceGetPowerUsage(self, handle: FakeGpu) -> int:
        return self._asked(handle, "nvmlDeviceGetPowerUsage").power_usage_mw

    def nvmlDeviceGetArchitecture(self, handle: FakeGpu) -> int:
        return self._asked(handle, "nvmlDeviceGetArchitecture").architecture

    def nvmlDeviceGetTemperature(self, handle: FakeGpu, kind: int) -> int:
        assert kind == self.NVML_TEMPERATURE_GPU
        return self._asked(handle, "nvmlDeviceGetTemperature").temperature_c

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: FakeGpu) -> int:
        return self._asked(handle, "nvmlDeviceGetCurrentClocksEventReasons").event_reasons

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: FakeGpu) -> int:
        return self._asked(handle, "nvmlDeviceGetCurrentClocksThrottleReasons").event_reasons

    def nvmlDeviceGetApplicationsClock(self, handle: FakeGpu, kind: int) -> int:
        graphics_mhz, memory_mhz = self._asked(handle, "nvmlDeviceGetApplicationsClock").clocks_mhz
        return graphics_mhz if kind == self.NVML_CLOCK_GRAPHICS else memory_mhz

    def nvmlDeviceGetComputeRunningProcesses(self, handle: FakeGpu) -> list[SimpleNamespace]:
        gpu = self._asked(handle, "nvmlDeviceGetComputeRunningProcesses")
        return [SimpleNamespace(pid=pid, usedGpuMemory=1 << 30) for pid in gpu.processes]

    def nvmlDeviceGetProcessUtilization(self, handle: FakeGpu, since_us: int) -> list[SimpleNamespace]:
        samples = self._asked(handle, "nvmlDeviceGetProcessUtilization").samples
        new = [sample for sample in samples if sample[0] > since_us]
        if not new:
            raise NVMLError_NotFound
        return [SimpleNamespace(timeStamp=time, pid=pid, smUtil=share) for time, pid, share in new]

    def nvmlDeviceGetUtilizationRates(self, handle: FakeGpu) -> SimpleNamespace:
        gpu = self._asked(handle, "nvmlDeviceGetUtilizationRates")
        return SimpleNamespace(gpu=gpu.utilisation_percent, memory=0)

    def nvmlDeviceGetMemoryInfo(self, handle: FakeGpu) -> SimpleNamespace:
        return SimpleNamespace(used=self._asked(handle, "nvmlDeviceGetMemoryInfo").memory_used_bytes)

    def _asked(self, gpu: FakeGpu, function: str) -> FakeGpu:
        self._check_started()
        if function in gpu.failures:
            raise gpu.failures[function]
        return gpu

    def _fail(self, function: str) -> None:
        if function in self._failures:
            raise self._failures[function]

    def _check_started(self) -> None:
        if not self.is_started:
            raise NVMLError_Uninitialized
