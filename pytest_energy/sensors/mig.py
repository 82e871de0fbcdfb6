"""Slices of NVIDIA GPUs (MIG): an estimate of their share of the GPU's counter.

Rule 1: no hardware counts the joules of a slice: NVML and DCGM give its GPU's. What comes from here is
        `estimated`: the counter times the slice's share of the multiprocessors. It is right if all slices do
        the same; else some joules of its neighbours are in it, or some of its own are missing.
Rule 2: a slice never used more than its whole GPU: the factor by which the estimate may be too small.
Rule 3: it is used by name alone, in no place of a measurement or of another estimate.

Source:
    NVIDIA MIG User Guide: CUDA takes one slice, of several the first that it sees. Vamja et al. 2025, On the
    Partitioning of GPU Power among Multi-Instances (arXiv 2501.17752), abstract: no model of a slice's power
    from its activity holds for different work.
"""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pytest_energy.errors import NoSuchHardware, SensorError, SensorUnavailable
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.estimate import FACTOR, FROM
from pytest_energy.sensors.nvml_responses import UNKNOWN
from pytest_energy.sensors.protocol import Facts
from pytest_energy.sensors.pynvml_library import PynvmlLibrary, imported_pynvml
from pytest_energy.units import JOULES_PER_MILLIJOULE
from pytest_energy.usage import Usage

NAME = "mig"

_PROFILE_COUNT = 32  # of NVML, whose newest header has 18; each that a GPU doesn't know is an error
_NAME_THEM = "nvidia-smi -L lists them: CUDA_VISIBLE_DEVICES=MIG-..."


@dataclass(slots=True, kw_only=True)
class _Slice:
    """A slice, its GPU, and the multiprocessors that it has of the GPU's."""

    uuid: str
    model: str
    gpu: object
    own_count: int
    gpu_count: int
    highest_mj: int = 0

    @property
    def share(self) -> float:
        return self.own_count / self.gpu_count


class MigSensor:
    """Estimated joules of the slices that `CUDA_VISIBLE_DEVICES` names.

    Attributes:
        left_out: Channel name to why that slice isn't estimated.
    """

    name = NAME
    provenance = Provenance.ESTIMATED

    def __init__(self, *, nvml: Any = None, environ: Mapping[str, str] | None = None) -> None:
        """Start NVML and find the slices.

        Args:
            nvml: The module `pynvml`, or something like it; imported when `None`.
            environ: Environment variables; those of this process when `None`.

        Raises:
            NoSuchHardware: No GPU here is split into slices.
            SensorUnavailable: None of the slices can be estimated, or which of them CUDA takes is not known.
        """
        self._nvml = nvml = PynvmlLibrary(imported_pynvml() if nvml is None else nvml)
        self._is_open = False
        try:
            nvml.nvmlInit()
            self._is_open = True
            found = list(_slices(nvml))
        except (nvml.NVMLError, TypeError, ValueError) as error:
            self.close()
            raise NoSuchHardware(NAME, f"NVML can't list the GPUs: {error}") from error
        self.left_out: dict[str, str] = {}
        self._slices: dict[str, _Slice] = {}
        try:
            self._choose(found, (os.environ if environ is None else environ).get("CUDA_VISIBLE_DEVICES"))
        except SensorUnavailable:
            self.close()
            raise
        self.channels = tuple(
            Channel(
                name=channel,
                domain=Domain.GPU,
                device=one.uuid,
                is_ticked=True,
                resolution_j=one.share * JOULES_PER_MILLIJOULE,
                response=UNKNOWN,
            )
            for channel, one in self._slices.items()
        )

    def _choose(self, found: list[_Slice], setting: str | None) -> None:
        if not found:
            raise NoSuchHardware(NAME, "no GPU here is split into slices")
        entries = [found[0].uuid] if setting is None else [entry.strip() for entry in setting.split(",")]
        if setting is None and len(found) > 1:
            because = f"it is not known which of {len(found)} slices CUDA takes; {_NAME_THEM}"
            raise SensorUnavailable(NAME, because)
        for position, entry in enumerate(entries):
            named = [one for one in found if entry and one.uuid.casefold().startswith(entry.casefold())]
            channel = f"gpu:{position}"
            if len(named) != 1:
                self.left_out[channel] = f"CUDA_VISIBLE_DEVICES: {entry!r} names no slice here; {_NAME_THEM}"
            elif (why := self._why_unreadable(named[0])) is not None:
                self.left_out[channel] = why
            else:
                self._slices[channel] = named[0]
        if not self._slices:
            raise SensorUnavailable(NAME, *(f"{name}: {because}" for name, because in self.left_out.items()))

    def _why_unreadable(self, one: _Slice) -> str | None:
        if not 0 < one.own_count <= one.gpu_count:
            return f"NVML gives it {one.own_count} multiprocessors of {one.gpu_count}, which is no share"
        try:
            self._nvml.nvmlDeviceGetTotalEnergyConsumption(one.gpu)
        except self._nvml.NVMLError as error:
            return f"the energy counter of its GPU can't be read: {error}"
        return None

    def read_j(self, channel: str) -> float:
        """Estimated joules of one slice since the driver of its GPU was loaded."""
        one = self._slices.get(channel)
        if one is None:
            raise SensorError(f"{channel}: mig estimates {', '.join(self._slices)}, not this channel")
        try:
            energy_mj = int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(one.gpu))
        except (self._nvml.NVMLError, TypeError, ValueError) as error:
            raise SensorError(f"{channel}: NVML can't read the counter of its GPU: {error}") from error
        if energy_mj < one.highest_mj:
            raise SensorError(
                f"{channel}: the counter of its GPU fell from {one.highest_mj} to {energy_mj} mJ"
            )
        one.highest_mj = energy_mj
        return energy_mj * JOULES_PER_MILLIJOULE * one.share

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        slices = tuple(self._slices.values())
        shares = (f"{one.own_count} of {one.gpu_count} multiprocessors" for one in slices)
        factor = max(math.ceil(1 / one.share) for one in slices)
        return Facts(
            fixed={"gpu_model": ", ".join(one.model for one in slices), "mig_share": ", ".join(shares)},
            shown={
                "gpu_uuid": ", ".join(one.uuid for one in slices),
                FROM: "the slice's share of its GPU",
                FACTOR: str(factor),
            },
            key_parts=tuple(one.model for one in slices),
        )

    def close(self) -> None:
        """Stop NVML. What was read stays valid; a read after this is a `SensorError`."""
        if self._is_open:
            self._is_open = False
            with suppress(self._nvml.NVMLError):  # it ends with the process
                self._nvml.nvmlShutdown()


def _slices(nvml: Any) -> Iterator[_Slice]:
    """All slices that are visible here."""
    for index in range(nvml.nvmlDeviceGetCount()):
        gpu = nvml.nvmlDeviceGetHandleByIndex(index)
        most = _most_slices(nvml, gpu)
        gpu_count = _multiprocessor_count(nvml, gpu) if most else 0
        for place in range(most if gpu_count else 0):
            with suppress(nvml.NVMLError):  # no slice has this place
                one = nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, place)
                yield _Slice(
                    uuid=str(nvml.nvmlDeviceGetUUID(one)),
                    model=str(nvml.nvmlDeviceGetName(one)),
                    gpu=gpu,
                    own_count=int(nvml.nvmlDeviceGetAttributes_v2(one).multiprocessorCount),
                    gpu_count=gpu_count,
                )


def _most_slices(nvml: Any, gpu: object) -> int:
    """How many slices *gpu* can have; 0 if it isn't split."""
    try:
        return int(nvml.nvmlDeviceGetMaxMigDeviceCount(gpu))
    except nvml.NVMLError:  # it can't be split, or its driver doesn't know how
        return 0


def _multiprocessor_count(nvml: Any, gpu: object) -> int:
    """Multiprocessors of the largest slice that *gpu* can have: all that slices share; 0 if unknown."""
    counts = []
    for profile in range(_PROFILE_COUNT):
        with suppress(nvml.NVMLError):
            counts.append(int(nvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, profile).multiprocessorCount))
    return max(counts, default=0)
