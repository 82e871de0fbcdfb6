"""NVIDIA GPUs, through NVML's total-energy counter.

Rule 1: joules come from the counter. Only a GPU without one has its power integrated, and the channel says
        so; never from NVML's moving average, which puts a burst's joules into the next second.
Rule 2: a GPU whose counter covers more than what CUDA may use here (MIG, vGPU) is left out, with the reason.
Rule 3: channels are numbered as CUDA numbers its devices, so `gpu:0` is what a program calls `cuda:0`.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.model import Channel, Domain, Provenance, Usage
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Facts, Slowdown
from pytest_energy.units import JOULES_PER_MILLIJOULE, WATTS_PER_MILLIWATT

NAME = "nvml"

# The counter of an H100 integrates power that it samples itself: bursts of 10 to 200 ms at some 750 W above
# quiet scattered by 1.7 to 2.4 J around the truth of their series, with a period of about 25 ms in their
# phase (docs/results/meter-h100.md). One standard deviation is so many seconds of the step in power.
COUNTER_EDGE_S = 2.8e-3

# NVML's clocks event reasons (nvml.h). SwPowerCap (0x4) is what any GPU at full load has.
_SLOWDOWN_BITS = {
    Slowdown.HARDWARE: 0x08,
    Slowdown.SOFTWARE_THERMAL: 0x20,
    Slowdown.HARDWARE_THERMAL: 0x40,
    Slowdown.POWER_BRAKE: 0x80,
}

# Where power is integrated: it is shown about 100 ms late and changes about every 100 ms (seen on an H100).
# Samples twice as often miss no value, and a step twice as long is past the delay.
_SAMPLE_S = 0.05
_STEP_S = 0.2
_UPDATE_S = 0.1

# Reads closer than this see the same power.
_SAME_SAMPLE_S = 0.02

# Samples further apart than this leave a gap that nobody can fill.
_LONGEST_GAP_S = 1.0

_WHOLE_GPU = "its energy counter is the whole GPU's, so a slice can't be told from its neighbours"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleGpu:
    """One place in CUDA's list of devices.

    Attributes:
        position: CUDA's number for it.
        index: NVML's number for it, or `None` when no GPU can be told.
        refused_because: Why it can't be read, or `None`.
    """

    position: int
    index: int | None = None
    refused_because: str | None = None


def visible_gpus(setting: str | None, uuids: Sequence[str]) -> tuple[VisibleGpu, ...]:
    """The GPUs that CUDA sees, in its order.

    Args:
        setting: Value of `CUDA_VISIBLE_DEVICES`, or `None` where it isn't set.
        uuids: UUID of each GPU, in NVML's order.

    Source:
        CUDA Programming Guide, section CUDA_VISIBLE_DEVICES: indices or UUIDs that may be cut to a unique
        prefix; devices after the first invalid entry aren't seen; an empty list shows none.

    >>> [gpu.index for gpu in visible_gpus("2,1,-1,0", ["GPU-a", "GPU-b", "GPU-c"])]
    [2, 1]
    """
    if setting is None:
        return tuple(VisibleGpu(position=index, index=index) for index in range(len(uuids)))
    found: list[VisibleGpu] = []
    entries = [entry.strip() for entry in setting.split(",")] if setting.strip() else []
    for position, entry in enumerate(entries):
        if entry.startswith("-"):
            break
        gpu = _named_gpu(position, entry, uuids)
        if gpu.index is not None and any(gpu.index == other.index for other in found):
            reason = f"CUDA_VISIBLE_DEVICES names it twice ({entry}); its joules count once"
            gpu = VisibleGpu(position=position, refused_because=reason)
        found.append(gpu)
        if gpu.index is None and not entry.upper().startswith("MIG-"):
            break
    return tuple(found)


def _named_gpu(position: int, entry: str, uuids: Sequence[str]) -> VisibleGpu:
    if entry.upper().startswith("MIG-"):
        reason = f"{entry} is a MIG slice: {_WHOLE_GPU}; use a whole GPU"
        return VisibleGpu(position=position, refused_because=reason)
    if entry.isdecimal():
        matches = [int(entry)] if int(entry) < len(uuids) else []
    else:
        prefix = entry.casefold()
        is_uuid = prefix.startswith("gpu-")
        matches = [i for i, uuid in enumerate(uuids) if is_uuid and uuid.casefold().startswith(prefix)]
    if len(matches) == 1:
        return VisibleGpu(position=position, index=matches[0])
    how_many = f"{len(matches)} GPUs" if matches else "no GPU"
    reason = (
        f"CUDA_VISIBLE_DEVICES holds {entry!r}, which names {how_many} here; CUDA sees nothing from there on"
    )
    return VisibleGpu(position=position, refused_because=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gpu:
    channel: Channel
    handle: object
    model: str
    energy_mj: int
    power: "_IntegratedPower | None" = None


class _IntegratedPower:
    """Joules of a GPU without a counter: its power, summed up.

    They move in steps of 200 ms, like a counter that ticks, so that windows are aligned to them as to any
    other. Power is shown with a delay, and that is over one step after the work.
    """

    def __init__(
        self, channel: str, ask_w: Callable[[], float], *, limit_w: float, now_s: Callable[[], float]
    ) -> None:
        self._channel, self._ask_w, self._limit_w, self._now_s = channel, ask_w, limit_w, now_s
        self._sampled_s: float | None = None
        self._step = 0
        self._joules = self._shown_j = 0.0

    def of(self, channel: Channel) -> Channel:
        """*channel* as one whose power is integrated.

        At an edge of the work the power that is shown is up to one update old, and off by up to all power:
        that is the step to which its joules are known.
        """
        return replace(channel, sampled_s=_SAMPLE_S, edge_s=0.0, resolution_j=self._limit_w * _UPDATE_S)

    def read_j(self) -> float:
        """Joules since the first read.

        Raises:
            SensorError: It wasn't read for too long; from now on it counts again.
        """
        now_s = self._now_s()
        last_s, step = self._sampled_s, math.floor(now_s / _STEP_S)
        if last_s is not None and step == self._step and 0 <= now_s - last_s < _SAME_SAMPLE_S:
            return self._shown_j
        power_w = self._ask_w()
        before, self._sampled_s, self._step = self._step, now_s, step
        if last_s is None:
            return self._shown_j
        if not 0 <= now_s - last_s <= _LONGEST_GAP_S:
            raise SensorError(
                f"{self._channel}: its power wasn't sampled for {now_s - last_s:.3g} s: joules are missing"
            )
        if step != before:
            self._shown_j = self._joules + power_w * (step * _STEP_S - last_s)
        self._joules += power_w * (now_s - last_s)
        return self._shown_j


class NvmlSensor:
    """The energy counters of the GPUs that CUDA sees.

    Attributes:
        left_out: Channel name to why that GPU isn't read, for GPUs that CUDA sees all the same.
    """

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(self, nvml: Any, gpus: Sequence[_Gpu], left_out: Mapping[str, str]) -> None:
        self._nvml = nvml
        self._gpus = {gpu.channel.name: gpu for gpu in gpus}
        self._highest_mj = {gpu.channel.name: gpu.energy_mj for gpu in gpus}
        self._last_sample_us = {gpu.channel.name: 0 for gpu in gpus}
        self._lock = threading.Lock()
        self._is_open = True
        self.channels = tuple(gpu.channel for gpu in gpus)
        self.left_out = left_out

    @classmethod
    def open(
        cls,
        *,
        nvml: Any = None,
        environ: Mapping[str, str] | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> "NvmlSensor":
        """Start NVML and find the GPUs that CUDA sees.

        Args:
            nvml: The module `pynvml`, or something like it; imported when `None`.
            environ: Environment variables; those of this process when `None`.
            now_s: Clock for GPUs whose power is integrated.

        Raises:
            SensorUnavailable: No driver, no GPU, or no GPU whose energy can be read.
        """
        nvml = _import_nvml() if nvml is None else nvml
        environ = os.environ if environ is None else environ
        _start(nvml)
        try:
            gpus, left_out = _find(nvml, environ, now_s)
        except nvml.NVMLError as error:
            nvml.nvmlShutdown()
            raise SensorUnavailable(NAME, f"NVML can't list the GPUs: {error}") from error
        except SensorUnavailable:
            nvml.nvmlShutdown()
            raise
        return cls(nvml, gpus, left_out)

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
            except self._nvml.NVMLError as error:
                raise SensorError(f"{channel}: NVML can't read the energy counter: {error}") from error
            highest_mj = self._highest_mj[channel]
            if energy_mj < highest_mj:
                # The mark stays: until the counter is past it no difference can be trusted.
                raise SensorError(
                    f"{channel}: the energy counter fell from {highest_mj} to {energy_mj} mJ; "
                    "the GPU was reset or its driver loaded anew: start the run again"
                )
            self._highest_mj[channel] = energy_mj
        return energy_mj * JOULES_PER_MILLIJOULE

    def usage(self) -> Usage:
        """Mean utilisation of the GPUs over NVML's last sample period, and the sum of their memory in use."""
        nvml = self._nvml
        handles = [gpu.handle for gpu in self._gpus.values()]
        try:
            shares = [nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100.0 for handle in handles]
            utilisation_share = sum(shares) / len(shares)
        except nvml.NVMLError:
            utilisation_share = None
        try:
            memory_bytes = float(sum(nvml.nvmlDeviceGetMemoryInfo(handle).used for handle in handles))
        except nvml.NVMLError:
            memory_bytes = None
        return Usage(gpu_utilisation_share=utilisation_share, gpu_memory_used_bytes=memory_bytes)

    def snapshot(self, channel: str) -> DeviceSnapshot:
        """What slows one GPU down now, and its power as the counter's cross-check: two calls."""
        gpu = self._gpus[channel]
        reasons = self._told("nvmlDeviceGetCurrentClocksEventReasons", gpu.handle)
        if reasons is None:  # the name before driver 535
            reasons = self._told("nvmlDeviceGetCurrentClocksThrottleReasons", gpu.handle)
        slowdowns = (s for s, bit in _SLOWDOWN_BITS.items() if reasons is not None and reasons & bit)
        # Power that was integrated can't check itself, and a module's joules aren't its GPU's.
        is_another = gpu.power is None and _counter_scope(gpu.model) == "whole GPU"
        return DeviceSnapshot(
            slowdowns=frozenset(slowdowns), power_w=self._power_or_none_w(gpu) if is_another else None
        )

    def _power_or_none_w(self, gpu: _Gpu) -> float | None:
        try:
            return _instant_power_w(self._nvml, gpu.handle)
        except self._nvml.NVMLError:
            return None

    def state(self, channel: str) -> DeviceState:
        """Processes, settings and temperature of one GPU: seven calls."""
        gpu = self._gpus[channel]
        return DeviceState(
            processes=self._processes(gpu),
            settings=self._settings(gpu),
            temperature_c=self._told("nvmlDeviceGetTemperature", gpu.handle, self._nvml.NVML_TEMPERATURE_GPU),
        )

    def _processes(self, gpu: _Gpu) -> dict[int, bool | None]:
        listed = self._told("nvmlDeviceGetComputeRunningProcesses", gpu.handle)
        if not listed:
            return {}
        busy = self._busy_processes(gpu)
        return {process.pid: None if busy is None else process.pid in busy for process in listed}

    def _busy_processes(self, gpu: _Gpu) -> frozenset[int] | None:
        """Processes that have computed since the last call, as NVML's samples of up to a second tell."""
        nvml, name = self._nvml, gpu.channel.name
        since_us = self._last_sample_us[name]
        try:
            samples = nvml.nvmlDeviceGetProcessUtilization(gpu.handle, since_us)
        except nvml.NVMLError as error:
            has_none = error.value in {nvml.NVML_ERROR_NOT_FOUND, nvml.NVML_SUCCESS}
            return frozenset() if has_none else None
        new = [sample for sample in samples if sample.timeStamp > since_us]
        self._last_sample_us[name] = max((sample.timeStamp for sample in new), default=since_us)
        return frozenset(sample.pid for sample in new if sample.smUtil > 0)

    def _settings(self, gpu: _Gpu) -> dict[str, str]:
        nvml = self._nvml
        limit_mw = self._told("nvmlDeviceGetEnforcedPowerLimit", gpu.handle)
        mig = self._told("nvmlDeviceGetMigMode", gpu.handle)
        clocks_mhz = [
            self._told("nvmlDeviceGetApplicationsClock", gpu.handle, kind)
            for kind in (nvml.NVML_CLOCK_GRAPHICS, nvml.NVML_CLOCK_MEM)
        ]
        settings = {}
        if limit_mw is not None:
            settings["power limit"] = f"{limit_mw * WATTS_PER_MILLIWATT:g} W"
        if mig is not None:
            settings["MIG"] = "on" if mig[0] == nvml.NVML_DEVICE_MIG_ENABLE else "off"
        if None not in clocks_mhz:
            settings["application clocks"] = "{} MHz, memory {} MHz".format(*clocks_mhz)
        return settings

    def _told(self, function: str, *args: object) -> Any:
        """What NVML's *function* returns, or `None` where this GPU, driver or pynvml doesn't tell."""
        ask = getattr(self._nvml, function, None)
        if ask is None:
            return None
        try:
            return ask(*args)
        except self._nvml.NVMLError:
            return None

    def facts(self) -> Facts:
        gpus = tuple(self._gpus.values())
        models = tuple(gpu.model for gpu in gpus)
        shown = {
            "gpu_uuid": ", ".join(gpu.channel.device for gpu in gpus),
            "gpu_driver": self._text_of(self._nvml.nvmlSystemGetDriverVersion),
            "gpu_counter_scope": "; ".join(sorted({_counter_scope(model) for model in models})),
        }
        if self.left_out:
            shown["gpu_left_out"] = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
        fixed = {
            "gpu_model": ", ".join(models),
            "gpu_count": str(len(gpus)),
            "gpu_power_limit_w": ", ".join(self._power_limit_text(gpu) for gpu in gpus),
            "mig": "off",
        }
        integrated = [gpu.channel.name for gpu in gpus if gpu.power is not None]
        if integrated:
            fixed["gpu_power_integrated"] = ", ".join(integrated)
        return Facts(
            fixed=fixed,
            shown=shown,
            key_parts=_key_parts(models),
        )

    def close(self) -> None:
        """Stop NVML. What was read stays valid; a read after this is a `SensorError`."""
        if self._is_open:
            self._is_open = False
            self._nvml.nvmlShutdown()

    def _power_limit_text(self, gpu: _Gpu) -> str:
        try:
            limit_mw = int(self._nvml.nvmlDeviceGetEnforcedPowerLimit(gpu.handle))
        except self._nvml.NVMLError as error:
            return f"unknown ({error})"
        return f"{limit_mw * WATTS_PER_MILLIWATT:g}"

    def _text_of(self, ask: Any) -> str:
        try:
            return str(ask())
        except self._nvml.NVMLError as error:
            return f"unknown ({error})"


def _import_nvml() -> Any:
    try:
        import pynvml
    except ImportError as error:
        raise SensorUnavailable(NAME, f"{error}; pip install nvidia-ml-py") from error
    return pynvml


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
        raise SensorUnavailable(
            NAME, f"{error}: the NVIDIA driver is installed but not running; sudo modprobe nvidia"
        ) from error
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
    _refuse_unknown_order(
        setting, environ.get("CUDA_DEVICE_ORDER"), [nvml.nvmlDeviceGetName(h) for h in handles]
    )
    gpus: list[_Gpu] = []
    left_out: dict[str, str] = {}
    for visible in visible_gpus(setting, [nvml.nvmlDeviceGetUUID(handle) for handle in handles]):
        channel = f"gpu:{visible.position}"
        if visible.index is None:
            left_out[channel] = str(visible.refused_because)
            continue
        found = _examine(nvml, channel, handles[visible.index], now_s)
        if isinstance(found, str):
            left_out[channel] = found
        else:
            gpus.append(found)
    if not gpus:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise SensorUnavailable(NAME, reasons or f"CUDA_VISIBLE_DEVICES={setting!r} hides every GPU")
    return gpus, left_out


def _refuse_unknown_order(setting: str | None, order: str | None, models: Sequence[str]) -> None:
    """Refuse indices that may mean other GPUs to CUDA than to NVML.

    NVML counts in PCI bus order; CUDA does so only under `CUDA_DEVICE_ORDER=PCI_BUS_ID` and otherwise puts
    the fastest first. With GPUs of one model both orders are the same; with several, an index that picks
    some of them could have us read a GPU that does nothing.
    """
    picks_by_index = setting is not None and any(entry.strip().isdecimal() for entry in setting.split(","))
    if picks_by_index and order != "PCI_BUS_ID" and len(set(models)) > 1:
        raise SensorUnavailable(
            NAME,
            f"CUDA_VISIBLE_DEVICES={setting} counts GPUs of different models ({', '.join(models)}) "
            "in CUDA's order, NVML in PCI bus order: "
            "set CUDA_DEVICE_ORDER=PCI_BUS_ID or name the GPUs by UUID",
        )


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
        edge_s=COUNTER_EDGE_S,
    )
    try:
        energy_mj = int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    except nvml.NVMLError_NotSupported as error:
        power = _integrated_power(nvml, channel, handle, now_s)
        if isinstance(power, str):
            return f"{model} has no energy counter ({error}; Volta and newer GPUs have one), and {power}"
        return _Gpu(channel=power.of(whole), handle=handle, model=model, energy_mj=0, power=power)
    except nvml.NVMLError as error:
        return f"NVML can't read the energy counter of {model}: {error}"
    return _Gpu(channel=whole, handle=handle, model=model, energy_mj=energy_mj)


def _integrated_power(
    nvml: Any, channel: str, handle: object, now_s: Callable[[], float]
) -> _IntegratedPower | str:
    """The integral of a GPU's power, or why there can't be one."""
    ask_w = _power_source(nvml, channel, handle)
    if ask_w is None:
        return "NVML doesn't tell its power of the moment, a mean over a second at best"
    try:
        limit_w = int(nvml.nvmlDeviceGetEnforcedPowerLimit(handle)) * WATTS_PER_MILLIWATT
    except nvml.NVMLError as error:
        return f"how sure integrated power would be can't be told without its power limit: {error}"
    return _IntegratedPower(channel, ask_w, limit_w=limit_w, now_s=now_s)


def _power_source(nvml: Any, channel: str, handle: object) -> Callable[[], float] | None:
    """What tells the power of a moment, in watts; `None` where NVML tells a mean over a second at best.

    Source:
        NVML API reference, nvmlDeviceGetPowerUsage: a mean over 1 s on Ampere (except GA100) and newer.
    """
    try:
        _instant_power_w(nvml, handle)
    except nvml.NVMLError:
        power_w = _power_usage_w
    else:
        power_w = _instant_power_w
    if power_w is _power_usage_w and not _shows_power_of_the_moment(nvml, handle):
        return None

    def ask_w() -> float:
        try:
            return power_w(nvml, handle)
        except nvml.NVMLError as error:
            raise SensorError(f"{channel}: NVML can't read its power: {error}") from error

    return ask_w


def _shows_power_of_the_moment(nvml: Any, handle: object) -> bool:
    """Whether power usage can be asked, and isn't a mean."""
    try:
        _power_usage_w(nvml, handle)
        return bool(nvml.nvmlDeviceGetArchitecture(handle) < nvml.NVML_DEVICE_ARCH_AMPERE)
    except nvml.NVMLError:
        return False


def _power_usage_w(nvml: Any, handle: object) -> float:
    return float(nvml.nvmlDeviceGetPowerUsage(handle) * WATTS_PER_MILLIWATT)


def _instant_power_w(nvml: Any, handle: object) -> float:
    (field,) = nvml.nvmlDeviceGetFieldValues(handle, [nvml.NVML_FI_DEV_POWER_INSTANT])
    if field.nvmlReturn != nvml.NVML_SUCCESS:
        raise nvml.NVMLError(field.nvmlReturn)
    return float(field.value.uiVal * WATTS_PER_MILLIWATT)


def _why_shared(nvml: Any, handle: object) -> str | None:
    if _is_mig_on(nvml, handle):
        return f"MIG is on: {_WHOLE_GPU}; sudo nvidia-smi -mig 0"
    if _is_shared_by_vgpu(nvml, handle):
        return f"it is a vGPU or shared out as vGPUs: {_WHOLE_GPU}"
    return None


def _is_mig_on(nvml: Any, handle: object) -> bool:
    try:
        current, _pending = nvml.nvmlDeviceGetMigMode(handle)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        return False  # GPUs before Ampere and drivers before 450 know no MIG
    return bool(current == nvml.NVML_DEVICE_MIG_ENABLE)


def _is_shared_by_vgpu(nvml: Any, handle: object) -> bool:
    try:
        mode = nvml.nvmlDeviceGetVirtualizationMode(handle)
    except (nvml.NVMLError_NotSupported, nvml.NVMLError_FunctionNotFound):
        return False
    # Passed through whole, a GPU is its guest's alone: that is as good as bare metal.
    return mode not in {nvml.NVML_GPU_VIRTUALIZATION_MODE_NONE, nvml.NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH}


def _counter_scope(model: str) -> str:
    # Seen on GH200 (ml-energy/zeus issue 172): CPU and memory of the module may be in the counter.
    return "GPU or its whole module" if "GH200" in model else "whole GPU"


def _key_parts(models: Sequence[str]) -> tuple[str, ...]:
    """Each model once, with its count where there are several."""
    counts = {model: models.count(model) for model in models}
    return tuple(model if count == 1 else f"{count}x {model}" for model, count in counts.items())
