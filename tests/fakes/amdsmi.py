"""A stand-in for the module `amdsmi`, with the names and answers of release 7.0.2."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

RESOLUTION_UJ = 15.259


class AmdSmiException(Exception):
    """Base of the library's errors."""


class AmdSmiLibraryException(AmdSmiException):
    """The library in C returned a status; its text has lines, `err_info` has one."""

    def __init__(
        self, name: str = "AMDSMI_STATUS_NOT_SUPPORTED", text: str = "Feature not supported"
    ) -> None:
        super().__init__(f"Error code:\n\t2 | {name}")
        self.err_info = f"{name} - {text}"


class AmdSmiVirtualizationMode(IntEnum):
    UNKNOWN, BAREMETAL, HOST, GUEST, PASSTHROUGH = range(5)


class AmdSmiTemperatureType(IntEnum):
    EDGE, HOTSPOT = range(2)


class AmdSmiTemperatureMetric(IntEnum):
    CURRENT, MAX = range(2)


class AmdSmiMemoryType(IntEnum):
    VRAM, VIS_VRAM, GTT = range(3)


@dataclass(slots=True, kw_only=True)
class FakeAmdGpu:
    """One GPU.

    `answers` maps a function's name, such as `amdsmi_get_energy_count`, to what it returns in place of these
    values, or raises. While it is idle, each read adds `idle_counts`.
    """

    model: str = "AMD Instinct MI300X"
    serial: str = "0xA1B2C3D4E5F60001"
    hip_id: int | str = 0
    counts: int = 1_000_000_000
    idle_counts: int = 0
    partition: str = "SPX"
    mode: AmdSmiVirtualizationMode = AmdSmiVirtualizationMode.BAREMETAL
    power_w: int | str = 140
    power_cap_uw: int = 750_000_000
    activity_percent: int | str = 0
    memory_bytes: int = 0
    temperature_c: int = 45
    processes: dict[int, int] = field(default_factory=dict)
    answers: dict[str, object] = field(default_factory=dict)


class FakeAmdSmi:
    """The module. A `FakeAmdGpu` is its own handle."""

    AmdSmiException = AmdSmiException
    AmdSmiTemperatureType = AmdSmiTemperatureType
    AmdSmiTemperatureMetric = AmdSmiTemperatureMetric
    AmdSmiMemoryType = AmdSmiMemoryType

    def __init__(self, *gpus: FakeAmdGpu, failure: Exception | None = None) -> None:
        self._gpus = gpus
        self._failure = failure
        self.start_count = 0

    def amdsmi_init(self) -> None:
        if self._failure is not None:
            raise self._failure
        self.start_count += 1

    def amdsmi_shut_down(self) -> None:
        self.start_count -= 1

    def amdsmi_get_processor_handles(self) -> list[FakeAmdGpu]:
        return list(self._gpus)

    def amdsmi_get_gpu_enumeration_info(self, gpu: FakeAmdGpu) -> Any:
        serial = gpu.serial.removeprefix("0x").lower()
        answer = {
            "drm_render": 128,
            "drm_card": 0,
            "hsa_id": 1,
            "hip_id": gpu.hip_id,
            "hip_uuid": f"GPU-{serial}",
        }
        return self._answer(gpu, "amdsmi_get_gpu_enumeration_info", answer)

    def amdsmi_get_gpu_asic_info(self, gpu: FakeAmdGpu) -> Any:
        answer = {"market_name": gpu.model, "asic_serial": gpu.serial, "oam_id": 0}
        return self._answer(gpu, "amdsmi_get_gpu_asic_info", answer)

    def amdsmi_get_gpu_device_bdf(self, gpu: FakeAmdGpu) -> Any:
        return self._answer(gpu, "amdsmi_get_gpu_device_bdf", "0000:c1:00.0")

    def amdsmi_get_gpu_compute_partition(self, gpu: FakeAmdGpu) -> Any:
        return self._answer(gpu, "amdsmi_get_gpu_compute_partition", gpu.partition)

    def amdsmi_get_gpu_virtualization_mode(self, gpu: FakeAmdGpu) -> Any:
        return self._answer(gpu, "amdsmi_get_gpu_virtualization_mode", {"mode": gpu.mode})

    def amdsmi_get_energy_count(self, gpu: FakeAmdGpu) -> Any:
        gpu.counts += gpu.idle_counts
        answer = {"energy_accumulator": gpu.counts, "counter_resolution": RESOLUTION_UJ, "timestamp": 1}
        return self._answer(gpu, "amdsmi_get_energy_count", answer)

    def amdsmi_get_power_info(self, gpu: FakeAmdGpu) -> Any:
        answer = {"current_socket_power": gpu.power_w, "average_socket_power": "N/A", "power_limit": 750}
        return self._answer(gpu, "amdsmi_get_power_info", answer)

    def amdsmi_get_power_cap_info(self, gpu: FakeAmdGpu) -> Any:
        return self._answer(gpu, "amdsmi_get_power_cap_info", {"power_cap": gpu.power_cap_uw})

    def amdsmi_get_gpu_activity(self, gpu: FakeAmdGpu) -> Any:
        answer = {"gfx_activity": gpu.activity_percent, "umc_activity": 0, "mm_activity": "N/A"}
        return self._answer(gpu, "amdsmi_get_gpu_activity", answer)

    def amdsmi_get_gpu_memory_usage(self, gpu: FakeAmdGpu, kind: object) -> Any:
        assert kind is AmdSmiMemoryType.VRAM
        return self._answer(gpu, "amdsmi_get_gpu_memory_usage", gpu.memory_bytes)

    def amdsmi_get_temp_metric(self, gpu: FakeAmdGpu, place: object, metric: object) -> Any:
        assert (place, metric) == (AmdSmiTemperatureType.HOTSPOT, AmdSmiTemperatureMetric.CURRENT)
        return self._answer(gpu, "amdsmi_get_temp_metric", gpu.temperature_c)

    def amdsmi_get_gpu_process_list(self, gpu: FakeAmdGpu) -> Any:
        answer = [
            {"name": "python", "pid": pid, "mem": 0, "cu_occupancy": units}
            for pid, units in gpu.processes.items()
        ]
        return self._answer(gpu, "amdsmi_get_gpu_process_list", answer)

    def amdsmi_get_gpu_driver_info(self, gpu: FakeAmdGpu) -> Any:
        return self._answer(gpu, "amdsmi_get_gpu_driver_info", {"driver_version": "6.12.12"})

    def _answer(self, gpu: FakeAmdGpu, name: str, answer: object) -> object:
        if self.start_count < 1:
            raise AmdSmiLibraryException("AMDSMI_STATUS_NOT_INIT", "Device not initialized")
        given = gpu.answers.get(name, answer)
        if isinstance(given, Exception):
            raise given
        return given
