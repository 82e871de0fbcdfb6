"""Apple silicon, through the counters that `zeus-apple-silicon` reads.

Rule 1: what comes from here is `estimated`: the chip's counters are a model of what its parts do, not meters.
Rule 2: the processor's total counts, and not its cores and clusters, which are inside it. What may be inside
        another counter (the GPU's SRAM) doesn't count.

Source:
    zeus-apple-silicon 1.1.0, README, sections "Struct/Class: AppleEnergyMetrics" and "Accuracy": millijoules
    since a fixed moment; the values are "believed to be model-based estimates".
"""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_energy import system
from pytest_energy.codec import brief, number_of
from pytest_energy.errors import NoSuchHardware, Reason, SensorError, SensorUnavailable, described
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.estimate import FACTOR, FROM, UNKNOWN
from pytest_energy.sensors.protocol import Facts
from pytest_energy.sensors.pynvml_library import ODD
from pytest_energy.units import JOULES_PER_MILLIJOULE
from pytest_energy.usage import Usage

NAME = "apple"

# The neural engine is of the domain `cpu`, as what a board's chip has besides is in hwmon.
_FIELDS = {
    "cpu:package-0": ("cpu_total_mj", Domain.CPU),
    "cpu:ane-0": ("ane_mj", Domain.CPU),
    "gpu:0": ("gpu_mj", Domain.GPU),
    "dram:package-0": ("dram_mj", Domain.DRAM),
}
_SWITCHED = frozenset({"cpu:ane-0", "gpu:0"})  # without work they count nothing at all
_SRAM = "gpu_sram_mj"

_FIX = "pip install 'pytest-energy[apple]'"


@dataclass(slots=True, kw_only=True)
class _Counter:
    field: str
    highest_mj: float


class AppleSensor:
    """Estimated joules of the processor, its neural engine, GPU and memory.

    Attributes:
        left_out: What the chip reports and doesn't count, with the reason.
    """

    name = NAME
    provenance = Provenance.ESTIMATED

    def __init__(self, *, new_monitor: Callable[[], Any] | None = None) -> None:
        """Find what this chip reports.

        Args:
            new_monitor: Makes the library's `AppleEnergyMonitor`; the library is imported when `None`.

        Raises:
            NoSuchHardware: This is no Mac with Apple silicon.
            SensorUnavailable: The library is missing, or reports nothing.
        """
        if new_monitor is None:
            if system.NAME != "macOS" or platform.machine() != "arm64":
                raise NoSuchHardware(NAME, f"this is no Apple silicon ({system.NAME}, {platform.machine()})")
            new_monitor = _imported_monitor()
        try:
            self._monitor = new_monitor()
            metrics = self._monitor.get_cumulative_energy()
        except ODD as error:
            raise SensorUnavailable(NAME, f"its counters can't be opened: {described(error)}") from error
        found_mj = {
            channel: number_of(getattr(metrics, field, None)) for channel, (field, _) in _FIELDS.items()
        }
        self._counters = {
            channel: _Counter(field=_FIELDS[channel][0], highest_mj=energy_mj)
            for channel, energy_mj in found_mj.items()
            if energy_mj is not None
        }
        if not self._counters:
            raise SensorUnavailable(NAME, "this chip reports no energy of its processor, GPU or memory")
        self.left_out = dict.fromkeys(_FIELDS.keys() - self._counters.keys(), "this chip doesn't report it")
        if getattr(metrics, _SRAM, None) is not None:
            self.left_out["GPU SRAM"] = "it may be inside gpu:0, and each joule counts once"
        self.channels = tuple(
            Channel(
                name=channel,
                domain=_FIELDS[channel][1],
                device=channel.partition(":")[2],
                is_ticked=False,
                resolution_j=JOULES_PER_MILLIJOULE,
                may_be_off=channel in _SWITCHED,
            )
            for channel in self._counters
        )

    def read_j(self, channel: str) -> float:
        """Estimated joules of *channel* since a moment before the sensor was opened."""
        counter = self._counters.get(channel)
        if counter is None:
            raise SensorError(f"{channel}: apple reads {', '.join(self._counters)}, not this channel")
        try:
            value = getattr(self._monitor.get_cumulative_energy(), counter.field)
        except ODD as error:
            raise SensorError(f"{channel}: its counter can't be read: {described(error)}") from error
        energy_mj = number_of(value)
        if energy_mj is None:
            raise SensorError(f"{channel}: its counter gave {brief(value)}, which is no number")
        if energy_mj < counter.highest_mj:
            raise SensorError(f"{channel}: its counter fell from {counter.highest_mj:g} to {energy_mj:g} mJ")
        counter.highest_mj = energy_mj
        return energy_mj * JOULES_PER_MILLIJOULE

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts(
            fixed={"apple_channels": ", ".join(self._counters)},
            shown={FROM: "Apple's model of the chip", FACTOR: UNKNOWN},
        )

    def close(self) -> None:
        """Nothing is held open."""


def _imported_monitor() -> Callable[[], Any]:
    try:
        from zeus_apple_silicon import AppleEnergyMonitor
    except ImportError as error:
        raise SensorUnavailable(
            NAME, Reason(f"the library zeus-apple-silicon is not installed ({error})", (_FIX,))
        ) from error
    monitor: Callable[[], Any] = AppleEnergyMonitor
    return monitor
