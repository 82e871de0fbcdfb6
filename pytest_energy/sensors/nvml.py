"""NVIDIA GPUs, through NVML's total-energy counter.

Rule 1: joules come from the counter. Only a GPU without one has its power integrated, and the channel says
        so; never from NVML's moving average, which puts a burst's joules into the next second.
Rule 2: a GPU whose counter covers more than what CUDA may use here (MIG, vGPU) is left out, with the reason.
Rule 3: channels are numbered as CUDA numbers its devices, so `gpu:0` is what a program calls `cuda:0`.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from pytest_energy.errors import Reason, SensorError, SensorUnavailable, SettingsError
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.cuda_devices import WHOLE_GPU, visible_gpus, why_order_is_unknown
from pytest_energy.sensors.integrated_power import (
    IntegratedPower,
    instant_power_w,
    integrated_power,
    power_limit_w,
)
from pytest_energy.sensors.kept_responses import kept_response, responses_path
from pytest_energy.sensors.nvml_responses import followed_response_of, is_read_at_end, response_of
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Facts, Slowdown
from pytest_energy.sensors.pynvml_library import PynvmlLibrary, imported_pynvml
from pytest_energy.units import JOULES_PER_MILLIJOULE
from pytest_energy.usage import Usage

T = TypeVar("T")

NAME = "nvml"

SCOPE_FACT = "gpu_counter_scope"
SCOPE_IS_GPU = "whole GPU"

# What calculating with a value raises that is none: an odd library may give `None` or a text.
_NO_VALUE = (TypeError, ValueError)

# NVML's clocks event reasons (nvml.h). SwPowerCap (0x4) is what any GPU at full load has.
_SLOWDOWN_BITS = {
    Slowdown.HARDWARE: 0x08,
    Slowdown.SOFTWARE_THERMAL: 0x20,
    Slowdown.HARDWARE_THERMAL: 0x40,
    Slowdown.POWER_BRAKE: 0x80,
}


@dataclass(slots=True, kw_only=True)
class _Gpu:
    channel: Channel
    handle: object
    model: str
    highest_mj: int = 0
    last_sample_us: int = 0
    power: IntegratedPower | None = None


class NvmlSensor:
    """The energy counters of the GPUs that CUDA sees.

    Attributes:
        left_out: Channel name to why that GPU isn't read, for GPUs that CUDA sees all the same.
        models: Channel name to the GPU's model.
        driver: Its version, or nothing if it isn't known.
    """

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        *,
        nvml: Any = None,
        environ: Mapping[str, str] | None = None,
        now_s: Callable[[], float] = MACHINE_TIME.now_s,
    ) -> None:
        """Start NVML and find the GPUs that CUDA sees.

        Args:
            nvml: The module `pynvml`, or something like it; imported when `None`.
            environ: Environment variables; those of this process when `None`.
            now_s: Clock for GPUs whose power is integrated.

        Raises:
            SensorUnavailable: No driver, no GPU, or no GPU whose energy can be read.
            SettingsError: The file of measured responses is broken.
        """
        environ = os.environ if environ is None else environ
        self._nvml = nvml = PynvmlLibrary(imported_pynvml() if nvml is None else nvml)
        _start(nvml)
        try:
            gpus, self.left_out = _find(nvml, environ, now_s)
            self.driver = _driver_of(nvml)
            _calibrate(gpus, self.driver, responses_path(environ))
        except (nvml.NVMLError, *_NO_VALUE) as error:
            self._stop()
            raise SensorUnavailable(NAME, f"NVML can't list the GPUs: {error}") from error
        except (SensorUnavailable, SettingsError):
            self._stop()
            raise
        self._gpus = {gpu.channel.name: gpu for gpu in gpus}
        self._lock = threading.Lock()
        self._is_open = True
        self.channels = tuple(gpu.channel for gpu in gpus)
        self.models = {gpu.channel.name: gpu.model for gpu in gpus}

    def read_j(self, channel: str) -> float:
        """Joules of one GPU since its driver was loaded; since its first read where power is integrated."""
        gpu = self._gpus.get(channel)
        if gpu is None:
            raise SensorError(f"{channel}: NVML reads {', '.join(self._gpus)}, not this channel")
        # Two threads may read; without the lock an older value could look like a counter that fell.
        with self._lock:
            if gpu.power is not None:
                return gpu.power.read_j()
            try:
                energy_mj = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(gpu.handle))
            except (self._nvml.NVMLError, *_NO_VALUE) as error:
                raise SensorError(f"{channel}: NVML can't read the energy counter: {error}") from error
            if energy_mj < gpu.highest_mj:
                # The mark stays: until the counter is past it no difference can be trusted.
                raise SensorError(
                    f"{channel}: the energy counter fell from {gpu.highest_mj} to {energy_mj} mJ; "
                    "the GPU was reset or its driver reloaded: start the run again"
                )
            gpu.highest_mj = energy_mj
        return energy_mj * JOULES_PER_MILLIJOULE

    def usage(self) -> Usage:
        """Mean utilisation of the GPUs over NVML's last sample period, and the sum of their memory in use."""
        handles = [gpu.handle for gpu in self._gpus.values()]
        return Usage(
            gpu_utilisation_share=self._or_none(
                lambda nvml: fmean(nvml.nvmlDeviceGetUtilizationRates(h).gpu / 100.0 for h in handles)
            ),
            gpu_memory_used_bytes=self._or_none(
                lambda nvml: float(sum(nvml.nvmlDeviceGetMemoryInfo(handle).used for handle in handles))
            ),
        )

    def snapshot(self, channel: str) -> DeviceSnapshot:
        """What slows one GPU down now, and its power as the counter's cross-check: two calls."""
        gpu = self._gpus[channel]
        reasons = self._or_none(lambda nvml: nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu.handle))
        if reasons is None:  # the name before driver 535
            reasons = self._or_none(lambda nvml: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu.handle))
        slowdowns = (s for s, bit in _SLOWDOWN_BITS.items() if reasons is not None and reasons & bit)
        # Power that was integrated can't check itself, and a module's joules aren't its GPU's.
        is_another = gpu.power is None and _counter_scope(gpu.model) == SCOPE_IS_GPU
        return DeviceSnapshot(
            slowdowns=frozenset(slowdowns),
            power_w=self._or_none(lambda nvml: instant_power_w(nvml, gpu.handle)) if is_another else None,
        )

    def state(self, channel: str) -> DeviceState:
        """Processes, settings, temperature and utilisation of one GPU: eight calls."""
        gpu = self._gpus[channel]
        return DeviceState(
            processes=self._processes(gpu),
            settings=self._settings(gpu),
            temperature_c=self._or_none(
                lambda nvml: nvml.nvmlDeviceGetTemperature(gpu.handle, nvml.NVML_TEMPERATURE_GPU)
            ),
            is_busy=self._or_none(lambda nvml: nvml.nvmlDeviceGetUtilizationRates(gpu.handle).gpu > 0),
        )

    def _processes(self, gpu: _Gpu) -> dict[int, bool | None]:
        listed = self._or_none(lambda nvml: nvml.nvmlDeviceGetComputeRunningProcesses(gpu.handle))
        if not listed:
            return {}
        busy = self._busy_processes(gpu)
        return {process.pid: None if busy is None else process.pid in busy for process in listed}

    def _busy_processes(self, gpu: _Gpu) -> frozenset[int] | None:
        """Processes that have computed since the last call, by NVML's samples of up to a second."""
        nvml, since_us = self._nvml, gpu.last_sample_us
        try:
            samples = nvml.nvmlDeviceGetProcessUtilization(gpu.handle, since_us)
        except nvml.NVMLError as error:
            has_none = error.value in {nvml.NVML_ERROR_NOT_FOUND, nvml.NVML_SUCCESS}
            return frozenset() if has_none else None
        new = [sample for sample in samples if sample.timeStamp > since_us]
        gpu.last_sample_us = max((sample.timeStamp for sample in new), default=since_us)
        return frozenset(sample.pid for sample in new if sample.smUtil > 0)

    def _settings(self, gpu: _Gpu) -> dict[str, str]:
        handle = gpu.handle
        asked: dict[str, Callable[[Any], str]] = {
            "power limit": lambda nvml: f"{power_limit_w(nvml, handle):g} W",
            "MIG": lambda nvml: "on" if _is_mig_on(nvml, handle) else "off",
            "application clocks": lambda nvml: _clocks_text(nvml, handle),
        }
        return {name: text for name, ask in asked.items() if (text := self._or_none(ask)) is not None}

    def _or_none(self, ask: Callable[[Any], T]) -> T | None:
        """What *ask* has of NVML, or `None` if this GPU, driver or pynvml doesn't offer it."""
        try:
            return ask(self._nvml)
        except (self._nvml.NVMLError, AttributeError, *_NO_VALUE):
            return None

    def facts(self) -> Facts:
        gpus = tuple(self._gpus.values())
        models = tuple(gpu.model for gpu in gpus)
        variable = {
            "gpu_uuid": ", ".join(gpu.channel.device for gpu in gpus),
            "gpu_driver": self._text_of(lambda nvml: str(nvml.nvmlSystemGetDriverVersion())),
            SCOPE_FACT: "; ".join(sorted({_counter_scope(model) for model in models})),
        }
        if sources := {gpu.channel.response.source for gpu in gpus if gpu.power is None}:
            variable["gpu_counter_response"] = "; ".join(sorted(sources))
        if self.left_out:
            variable["gpu_left_out"] = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
        fixed = {
            "gpu_model": ", ".join(models),
            "gpu_count": str(len(gpus)),
            "gpu_power_limit_w": ", ".join(map(self._power_limit_text, gpus)),
            "mig": "off",
        }
        integrated = [gpu.channel.name for gpu in gpus if gpu.power is not None]
        if integrated:
            fixed["gpu_power_integrated"] = ", ".join(integrated)
        # Each model once, with its count where there are several.
        parts = (name if count == 1 else f"{count}x {name}" for name, count in Counter(models).items())
        return Facts(fixed=fixed, shown=variable, key_parts=tuple(parts))

    def close(self) -> None:
        """Stop NVML. What was read stays valid; a read after this is a `SensorError`."""
        if self._is_open:
            self._is_open = False
            self._stop()

    def _stop(self) -> None:
        with suppress(self._nvml.NVMLError):  # it ends with the process
            self._nvml.nvmlShutdown()

    def _power_limit_text(self, gpu: _Gpu) -> str:
        return self._text_of(lambda nvml: f"{power_limit_w(nvml, gpu.handle):g}")

    def _text_of(self, ask: Callable[[Any], str]) -> str:
        try:
            return ask(self._nvml)
        except (self._nvml.NVMLError, *_NO_VALUE) as error:
            return f"unknown ({error})"


def _start(nvml: Any) -> None:
    try:
        nvml.nvmlInit()
    except nvml.NVMLError_LibraryNotFound as error:
        raise SensorUnavailable(
            NAME,
            f"{error} (libnvidia-ml.so.1): no NVIDIA driver is installed, "
            "or this container was started without it (docker run --gpus all)",
        ) from error
    except nvml.NVMLError_DriverNotLoaded as error:
        because = f"{error}: the NVIDIA driver is installed but not running"
        raise SensorUnavailable(NAME, Reason(because, ("sudo modprobe nvidia",))) from error
    except nvml.NVMLError as error:
        raise SensorUnavailable(NAME, f"NVML doesn't start: {error}") from error


def _find(
    nvml: Any, environ: Mapping[str, str], now_s: Callable[[], float]
) -> tuple[list[_Gpu], dict[str, str]]:
    """GPUs that CUDA sees and can be read, and why the others can't be."""
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    if not handles:
        raise SensorUnavailable(NAME, "the NVIDIA driver shows no GPU")
    setting = environ.get("CUDA_VISIBLE_DEVICES")
    models = [nvml.nvmlDeviceGetName(handle) for handle in handles]
    if because := why_order_is_unknown(setting, environ.get("CUDA_DEVICE_ORDER"), models):
        raise SensorUnavailable(NAME, because)
    gpus: list[_Gpu] = []
    left_out: dict[str, str] = {}
    uuids = [nvml.nvmlDeviceGetUUID(handle) for handle in handles]
    for position, visible in enumerate(visible_gpus(setting, uuids)):
        channel = f"gpu:{position}"
        gpu = visible if isinstance(visible, str) else _examine(nvml, channel, handles[visible], now_s)
        if isinstance(gpu, str):
            left_out[channel] = gpu
        else:
            gpus.append(gpu)
    if not gpus:
        reasons = [f"{name}: {because}" for name, because in left_out.items()]
        raise SensorUnavailable(NAME, *(reasons or [f"CUDA_VISIBLE_DEVICES={setting!r} hides every GPU"]))
    return gpus, left_out


def _examine(nvml: Any, channel: str, handle: object, now_s: Callable[[], float]) -> _Gpu | str:
    """The GPU behind *handle*, or why its energy can't be read."""
    try:
        if why_shared := _why_shared(nvml, handle):
            return why_shared
        model = str(nvml.nvmlDeviceGetName(handle))
        uuid = str(nvml.nvmlDeviceGetUUID(handle))
    except nvml.NVMLError as error:
        return f"NVML can't examine it: {error}"
    whole = Channel(
        name=channel,
        domain=Domain.GPU,
        device=uuid,
        is_ticked=True,
        resolution_j=JOULES_PER_MILLIJOULE,
        response=response_of(model, _driver_of(nvml)),
        followed_response=followed_response_of(model, _driver_of(nvml)),
        is_read_at_end=is_read_at_end(model, _driver_of(nvml)),
    )
    try:
        energy_mj = int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    except nvml.NVMLError_NotSupported as error:
        power = integrated_power(nvml, channel, handle, now_s)
        if isinstance(power, str):
            return f"{model} has no energy counter ({error}; Volta and newer GPUs have one), and {power}"
        return _Gpu(channel=power.of(whole), handle=handle, model=model, power=power)
    except nvml.NVMLError as error:
        return f"NVML can't read the energy counter of {model}: {error}"
    return _Gpu(channel=whole, handle=handle, model=model, highest_mj=energy_mj)


def _calibrate(gpus: Iterable[_Gpu], driver: str, path: Path) -> None:
    """Let counters respond as the user has measured it, where that was."""
    for gpu in gpus:
        response = kept_response(gpu.model, driver, path) if gpu.power is None else None
        if response is not None:
            gpu.channel = replace(gpu.channel, response=response)


def _driver_of(nvml: Any) -> str:
    """Version of the driver, or nothing if it isn't known."""
    try:
        return str(nvml.nvmlSystemGetDriverVersion())
    except (nvml.NVMLError, AttributeError, *_NO_VALUE):
        return ""


def _why_shared(nvml: Any, handle: object) -> str | None:
    # GPUs before Ampere and drivers before 450 know no MIG.
    unknown = nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound
    with suppress(*unknown):
        if _is_mig_on(nvml, handle):
            return f"MIG is on: {WHOLE_GPU}; sudo nvidia-smi -mig 0, or estimate it: --energy-sensors=mig"
    # Passed through whole, a GPU is its guest's alone: that is as good as bare metal.
    alone = nvml.NVML_GPU_VIRTUALIZATION_MODE_NONE, nvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH
    with suppress(*unknown):
        if nvml.nvmlDeviceGetVirtualizationMode(handle) not in alone:
            return f"it is a vGPU or split into vGPUs: {WHOLE_GPU}"
    return None


def _is_mig_on(nvml: Any, handle: object) -> bool:
    current, _pending = nvml.nvmlDeviceGetMigMode(handle)
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def _clocks_text(nvml: Any, handle: object) -> str:
    graphics_mhz = nvml.nvmlDeviceGetApplicationsClock(handle, nvml.NVML_CLOCK_GRAPHICS)
    memory_mhz = nvml.nvmlDeviceGetApplicationsClock(handle, nvml.NVML_CLOCK_MEM)
    return f"{graphics_mhz} MHz, memory {memory_mhz} MHz"


def _counter_scope(model: str) -> str:
    # Seen on GH200 (ml-energy/zeus issue 172): CPU and memory of the module may be in the counter.
    return "GPU or its whole module" if "GH200" in model else SCOPE_IS_GPU
