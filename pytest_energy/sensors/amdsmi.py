"""AMD GPUs, through the energy counter that `amdsmi` reads.

Rule 1: joules come from the counter alone. A GPU without one, or whose counter stands still, is left out.
Rule 2: a GPU whose counter covers more than what a program may use here (a partition, a virtual function) is
        left out, with the reason. GPUs that have one number and a counter each are partitions, too.
Rule 3: channels are numbered as HIP numbers its devices, so `gpu:0` is what a program calls `cuda:0`.
Rule 4: where two GPUs share a card, the first one's counter is the card's and the second one's reads 0. The
        first counts, and processes on the second are processes on its device.

Source:
    amdsmi 7.0.2, `amdsmi_get_energy_count`: counts of `counter_resolution` microjoules. Two GPUs of a card:
    ml-energy/zeus, pull request 203. The driver answers for 1 ms with what it has read: ROCm issue 1649.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, TypeVar

from pytest_energy.codec import number_of
from pytest_energy.errors import NoSuchHardware, Reason, SensorError, SensorUnavailable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Channel, CounterResponse, Domain, Provenance
from pytest_energy.sensors.amdsmi_library import AmdSmiError, AmdSmiLibrary, imported_amdsmi
from pytest_energy.sensors.cuda_devices import WHOLE_GPU, visible_gpus
from pytest_energy.sensors.nvml import SCOPE_FACT, SCOPE_IS_GPU
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Facts
from pytest_energy.sensors.rapl import STILL_S, find_still
from pytest_energy.units import JOULES_PER_MICROJOULE, WATTS_PER_MICROWATT
from pytest_energy.usage import Usage

T = TypeVar("T")

NAME = "amdsmi"

DRIVER = Path("/sys/module/amdgpu")

SCOPE_IS_CARD = "card of two GPUs"
_SCOPE_IS_SOCKET = "socket with its CPU"
_WITH_CPU = "MI300A"

# A counter may be read 1 ms late, and nobody has measured how it samples.
_RESPONSE = CounterResponse(edge_s=1e-3)

_ROCR, _HIP, _CUDA = "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"
_REFUSED, _PERMIT = "AMDSMI_STATUS_NO_PERM", "sudo usermod -aG render,video $USER"  # then log in again
_NO_COUNT = 2**64 - 1  # what the driver writes where there is no counter
_NO_POWER_W = 2**16 - 1  # the same, of power in watts
_MODEL = "AMD GPU"  # of a card that has no name
_WHOLE = frozenset({"SPX", ""})  # how a GPU is partitioned: not at all
_SHARED = frozenset({"HOST", "GUEST"})


@dataclass(slots=True, kw_only=True)
class _Gpu:
    channel: Channel
    handles: tuple[object, ...]
    model: str
    scope: str
    partition: str
    highest: int = 0

    @property
    def handle(self) -> object:
        """The one whose counter it is."""
        return self.handles[0]


class AmdSmiSensor:
    """The energy counters of the GPUs that HIP sees.

    Attributes:
        left_out: Channel name to why that GPU isn't read, for GPUs that HIP sees all the same.
    """

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        *,
        amdsmi: object = None,
        environ: Mapping[str, str] | None = None,
        driver: Path = DRIVER,
        now_s: Callable[[], float] = MACHINE_TIME.now_s,
        sleep_s: Callable[[float], None] = MACHINE_TIME.sleep_s,
    ) -> None:
        """Start the library and find the GPUs that HIP sees.

        Args:
            amdsmi: The module, or something like it; imported when `None`.
            environ: Environment variables; those of this process when `None`.
            driver: What the kernel shows if its driver for AMD GPUs is loaded.
            now_s: Clock, to see whether a counter moves.
            sleep_s: Waits, for the same.

        Raises:
            NoSuchHardware: There is no AMD GPU here.
            SensorUnavailable: No library, or no GPU whose energy can be read.
        """
        if amdsmi is None and not driver.exists():
            raise NoSuchHardware(NAME, f"{driver} doesn't exist: no driver of an AMD GPU is loaded")
        self._smi = AmdSmiLibrary(imported_amdsmi() if amdsmi is None else amdsmi)
        self._is_open = False
        self._lock = threading.Lock()
        try:
            self._smi.ask(lambda amdsmi: amdsmi.amdsmi_init())
            self._is_open = True
            gpus, self.left_out = _find(self._smi, os.environ if environ is None else environ)
            self._leave_out_still(gpus, now_s, sleep_s)
        except AmdSmiError as error:
            self.close()
            remedies = (_PERMIT,) if _REFUSED in str(error) else ()
            raise SensorUnavailable(NAME, Reason(str(error), remedies)) from error
        except SensorUnavailable:
            self.close()
            raise
        if not gpus:
            self.close()
            reasons = [f"{name}: {because}" for name, because in self.left_out.items()]
            raise SensorUnavailable(NAME, *(reasons or ["no AMD GPU is visible to HIP"]))
        self._gpus = gpus
        self.channels = tuple(gpu.channel for gpu in gpus.values())

    def _leave_out_still(
        self, gpus: dict[str, _Gpu], now_s: Callable[[], float], sleep_s: Callable[[float], None]
    ) -> None:
        counts = {name: partial(_count, self._smi, gpu.handle) for name, gpu in gpus.items()}
        for name in find_still(counts, now_s=now_s, sleep_s=sleep_s) if counts else ():
            self.left_out[name] = (
                f"its energy counter did not move for {STILL_S:g} s: it measures nothing; on some cards it "
                "moves again after a reboot"
            )
            del gpus[name]

    def read_j(self, channel: str) -> float:
        """Joules of one GPU since its driver was loaded."""
        gpu = self._gpus.get(channel)
        if gpu is None:
            raise SensorError(f"{channel}: amdsmi reads {', '.join(self._gpus)}, not this channel")
        with self._lock:  # without it an older value of another thread could look like a counter that fell
            try:
                count = _count(self._smi, gpu.handle)
            except AmdSmiError as error:
                raise SensorError(f"{channel}: {error}") from error
            if count < gpu.highest:
                # The mark stays: until the counter is past it no difference can be trusted.
                raise SensorError(
                    f"{channel}: the energy counter fell from {gpu.highest} to {count} counts; the GPU was "
                    "reset or its driver reloaded: start the run again"
                )
            gpu.highest = count
        return count * gpu.channel.resolution_j

    def usage(self) -> Usage:
        """Mean utilisation of the GPUs, and the sum of their memory in use."""
        handles = [handle for gpu in self._gpus.values() for handle in gpu.handles]
        percents, used_bytes = map(self._activity, handles), map(self._memory_bytes, handles)
        return Usage(
            gpu_utilisation_share=_of_all(lambda values: fmean(values) / 100, percents),
            gpu_memory_used_bytes=_of_all(sum, used_bytes),
        )

    def snapshot(self, channel: str) -> DeviceSnapshot:
        """Power of one GPU as the counter's cross-check. What slows it down takes 100 ms to ask: unknown."""
        gpu = self._gpus[channel]
        return DeviceSnapshot(power_w=self._power_w(gpu.handle))

    def state(self, channel: str) -> DeviceState:
        """Processes, settings, temperature and utilisation of one GPU, and processes on those of its card."""
        gpu = self._gpus[channel]
        limit_w = self._limit_w(gpu.handle)
        return DeviceState(
            processes={pid: busy for one in gpu.handles for pid, busy in self._processes(one).items()},
            settings={} if limit_w is None else {"power limit": f"{limit_w:g} W"},
            temperature_c=self._temperature_c(gpu.handle),
            is_busy=_of_all(any, map(self._activity, gpu.handles)),
        )

    def _processes(self, handle: object) -> dict[int, bool | None]:
        """Whether each computes now; where it doesn't, it may have since the last time: unknown."""
        with suppress(AmdSmiError):
            listed = self._smi.ask(lambda amdsmi: amdsmi.amdsmi_get_gpu_process_list(handle))
            return {one["pid"]: True if number_of(one.get("cu_occupancy")) else None for one in listed}
        return {}

    def _activity(self, handle: object) -> float | None:
        return self._number(lambda amdsmi: amdsmi.amdsmi_get_gpu_activity(handle)["gfx_activity"])

    def _memory_bytes(self, handle: object) -> float | None:
        return self._number(
            lambda amdsmi: amdsmi.amdsmi_get_gpu_memory_usage(handle, amdsmi.AmdSmiMemoryType.VRAM)
        )

    def _temperature_c(self, handle: object) -> float | None:
        return self._number(
            lambda amdsmi: amdsmi.amdsmi_get_temp_metric(
                handle, amdsmi.AmdSmiTemperatureType.HOTSPOT, amdsmi.AmdSmiTemperatureMetric.CURRENT
            )
        )

    def _power_w(self, handle: object) -> float | None:
        """Of the moment; cards before MI300 give a mean over an unknown time alone."""
        power_w = self._number(lambda amdsmi: amdsmi.amdsmi_get_power_info(handle)["current_socket_power"])
        return None if power_w is None or power_w >= _NO_POWER_W else power_w

    def _limit_w(self, handle: object) -> float | None:
        limit = self._number(lambda amdsmi: amdsmi.amdsmi_get_power_cap_info(handle)["power_cap"])
        if limit is None:
            return None
        return limit if limit < _NO_POWER_W else limit * WATTS_PER_MICROWATT  # watts before release 6

    def _number(self, question: Callable[[Any], object]) -> float | None:
        """The number that *question* has of the module; `None` if this card or release doesn't offer it."""
        with suppress(AmdSmiError):
            return number_of(self._smi.ask(question))
        return None

    def facts(self) -> Facts:
        gpus = tuple(self._gpus.values())
        limits_w = [self._limit_w(gpu.handle) for gpu in gpus]
        shown = {
            "gpu_uuid": ", ".join(gpu.channel.device for gpu in gpus),
            "gpu_driver": self._driver(gpus[0].handle),
            SCOPE_FACT: "; ".join(sorted({gpu.scope for gpu in gpus})),
        }
        if self.left_out:
            shown["gpu_left_out"] = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
        counts = Counter(gpu.model for gpu in gpus)
        return Facts(
            fixed={
                "gpu_model": ", ".join(gpu.model for gpu in gpus),
                "gpu_count": str(len(gpus)),
                "gpu_power_limit_w": ", ".join("unknown" if w is None else f"{w:g}" for w in limits_w),
                "gpu_partition": ", ".join(gpu.partition or "none" for gpu in gpus),
            },
            shown=shown,
            key_parts=tuple(name if count == 1 else f"{count}x {name}" for name, count in counts.items()),
        )

    def _driver(self, handle: object) -> str:
        try:
            return self._smi.text(lambda amdsmi: amdsmi.amdsmi_get_gpu_driver_info(handle)["driver_version"])
        except AmdSmiError as error:
            return f"unknown ({error})"

    def close(self) -> None:
        """Stop the library. What was read stays valid; a read after this is a `SensorError`."""
        if self._is_open:
            self._is_open = False
            with suppress(AmdSmiError):  # it ends with the process
                self._smi.ask(lambda amdsmi: amdsmi.amdsmi_shut_down())


def _of_all(of: Callable[[list[float]], T], values: Iterable[float | None]) -> T | None:
    """What *of* makes of *values*, or `None` if one is unknown."""
    known = list(values)
    return None if None in known else of([value for value in known if value is not None])


def _find(smi: AmdSmiLibrary, environ: Mapping[str, str]) -> tuple[dict[str, _Gpu], dict[str, str]]:
    """GPUs that HIP sees and can be read, and why the others can't be, by channel."""
    handles = _in_order_of_hip(smi)
    if not handles:
        raise NoSuchHardware(NAME, "the driver shows no AMD GPU")
    uuids = [_uuid(smi, handle) for handle in handles]
    counting = Counter(uuids[place] for place, one in enumerate(handles) if not _reads_nothing(smi, one))
    gpus: dict[str, _Gpu] = {}
    left_out: dict[str, str] = {}
    for position, visible in enumerate(_visible(environ, uuids)):
        channel = f"gpu:{position}"
        gpu: _Gpu | str
        if isinstance(visible, str):
            gpu = visible
        elif (part_count := counting[uuids[visible]]) > 1:
            gpu = f"it is one of {part_count} parts of a GPU, by its number {uuids[visible]}: {WHOLE_GPU}"
        else:
            gpu = _examine(smi, channel, handles, visible, uuids[visible])
        if isinstance(gpu, str):
            left_out[channel] = gpu
        else:
            gpus[channel] = gpu
    return gpus, left_out


def _in_order_of_hip(smi: AmdSmiLibrary) -> list[object]:
    """The library's GPUs in HIP's order; in its own, that of the PCI bus, where it doesn't know HIP's."""
    handles: list[object] = list(smi.ask(lambda amdsmi: amdsmi.amdsmi_get_processor_handles()))
    places: dict[int, object] = {}
    with suppress(AmdSmiError):
        for handle in handles:
            place = smi.ask(partial(_hip_place, handle))
            if isinstance(place, int):
                places[place] = handle
    return [places[place] for place in sorted(places)] if len(places) == len(handles) else handles


def _hip_place(handle: object, amdsmi: Any) -> object:
    place: object = amdsmi.amdsmi_get_gpu_enumeration_info(handle)["hip_id"]
    return place


def _uuid(smi: AmdSmiLibrary, handle: object) -> str:
    """The UUID by which ROCm's variables name a GPU: `GPU-` and the number that its maker gave it."""
    with suppress(AmdSmiError):
        serial = smi.text(lambda amdsmi: amdsmi.amdsmi_get_gpu_asic_info(handle)["asic_serial"])
        with suppress(ValueError):  # "N/A"
            if number := int(serial, 16):  # 0 in some virtual machines, for each GPU alike
                return f"GPU-{number:016x}"
    return smi.text(lambda amdsmi: amdsmi.amdsmi_get_gpu_device_bdf(handle))


def _visible(environ: Mapping[str, str], uuids: Sequence[str]) -> list[int | str]:
    """Places of the GPUs that HIP sees, in its order: ROCr's list, and of that HIP's."""
    of_rocr = visible_gpus(environ.get(_ROCR), uuids, _ROCR)
    seen = [gpu for gpu in of_rocr if isinstance(gpu, int)]
    name = _HIP if environ.get(_HIP) else _CUDA
    of_hip = visible_gpus(environ.get(name) or None, [uuids[gpu] for gpu in seen], name)
    unseen = [gpu for gpu in of_rocr if isinstance(gpu, str)]
    return [seen[gpu] if isinstance(gpu, int) else gpu for gpu in of_hip] + unseen


def _examine(
    smi: AmdSmiLibrary, channel: str, handles: Sequence[object], place: int, uuid: str
) -> _Gpu | str:
    """The GPU at *place* of *handles*, or why its energy can't be read."""
    handle = handles[place]
    try:
        model = (
            _or_empty(smi, lambda amdsmi: amdsmi.amdsmi_get_gpu_asic_info(handle)["market_name"]) or _MODEL
        )
        partition = _partition(smi, handle)
        mode = _or_empty(smi, lambda amdsmi: amdsmi.amdsmi_get_gpu_virtualization_mode(handle)["mode"].name)
        count, resolution_uj = _counter(smi, handle)
    except AmdSmiError as error:
        return f"its energy counter can't be read: {error}"
    if partition not in _WHOLE:
        return f"it is a partition ({partition}) of a GPU: {WHOLE_GPU}"
    if mode in _SHARED:
        return f"it is a virtual function ({mode.lower()}) of a GPU: {WHOLE_GPU}"
    if not count:
        return "its counter reads 0: the card's first GPU has the joules of both, or it counts nothing"
    second = handles[place + 1 : place + 2]
    with_second = [handle, *(one for one in second if _reads_nothing(smi, one))]
    scope = (
        SCOPE_IS_CARD if len(with_second) > 1 else _SCOPE_IS_SOCKET if _WITH_CPU in model else SCOPE_IS_GPU
    )
    return _Gpu(
        channel=Channel(
            name=channel,
            domain=Domain.GPU,
            device=uuid,
            is_ticked=True,
            resolution_j=resolution_uj * JOULES_PER_MICROJOULE,
            response=_RESPONSE,
        ),
        handles=tuple(with_second),
        model=model,
        scope=scope,
        partition=partition,
        highest=count,
    )


def _partition(smi: AmdSmiLibrary, handle: object) -> str:
    """How the GPU is partitioned, by the one of two functions that this release has; nothing if by none."""
    return _or_empty(smi, lambda amdsmi: amdsmi.amdsmi_get_gpu_compute_partition(handle)) or _or_empty(
        smi,
        lambda amdsmi: amdsmi.amdsmi_get_gpu_accelerator_partition_profile(handle)["partition_profile"][
            "profile_type"
        ],
    )


def _or_empty(smi: AmdSmiLibrary, question: Callable[[Any], object]) -> str:
    """The text, or none where this card or release doesn't know such a thing."""
    try:
        text = smi.text(question)
    except AmdSmiError:
        return ""
    return "" if text == "N/A" else text


def _counter(smi: AmdSmiLibrary, handle: object) -> tuple[int, float]:
    """Counts so far, and microjoules of one.

    Raises:
        AmdSmiError: They can't be read, or are no numbers.
    """
    answer = smi.ask(lambda amdsmi: dict(amdsmi.amdsmi_get_energy_count(handle)))
    count = answer.get("energy_accumulator", answer.get("power"))  # its name before release 6.2
    resolution_uj = number_of(answer.get("counter_resolution"))
    if not isinstance(count, int) or not 0 <= count < _NO_COUNT or not resolution_uj or resolution_uj < 0:
        raise AmdSmiError(f"amdsmi_get_energy_count gave {answer}, which is no count of joules")
    return count, resolution_uj


def _count(smi: AmdSmiLibrary, handle: object) -> int:
    return _counter(smi, handle)[0]


def _reads_nothing(smi: AmdSmiLibrary, handle: object) -> bool:
    with suppress(AmdSmiError):
        return _count(smi, handle) == 0
    return False
