"""CPU energy estimated from CPU time, for machines where nothing can be measured.

Rule 1: what comes from here is `estimated` wherever it is shown, and `facts` say from what.
Rule 2: it follows the CPU time of this process and its descendants, and of no other program; beside a
    server, in `pytest-energy agent`, that of all processes of the machine. A second of a busy
    logical CPU counts as its share of the TDP; one in which it waits counts nothing.
Rule 3: not included is what no CPU of this family does: GPUs, memory, disks, a server that
    another program has started, and what the machine draws at rest.

Source:
    How far a second of a logical CPU may be from its share of the TDP: docs/results/estimate-classes.md.
"""

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.cpu_model import listed_cpu_model
from pytest_energy.sensors.cpu_times import cpu_times_reader
from pytest_energy.sensors.machine_class import MachineClass, machine_class
from pytest_energy.sensors.process_tree import ProcessTree
from pytest_energy.sensors.protocol import Facts
from pytest_energy.sensors.tdp import find_tdp
from pytest_energy.usage import UNKNOWN_USAGE, Usage

NAME = "estimate"
CHANNEL = "cpu:processes"

MACHINE_CHANNEL = "cpu:machine"

FACTOR = "estimate_factor"
"""The fact that says by which factor an estimate may be wrong."""

UNKNOWN = "unknown"
"""In place of the factor, where nobody has measured it."""

FROM = "estimate_from"
"""The fact that says from what an estimate is made, if not from CPU time."""

OF = "estimate_of"
"""The fact that says what an estimate counts; estimates of other things can't be compared."""

_OF_PROCESSES = "CPU time of the test's own processes"
_OF_MACHINE = "CPU time of all processes of the machine"

# Opening and closing a window takes 9 us of CPU time inside it, 14 us with five children.
_RESOLUTION_S = 5e-5

# Linux counts the whole machine's time in hundredths of a second.
_MACHINE_RESOLUTION_S = 1e-2

# By which factor a joule may be wrong, with the processor's TDP known: the smallest whole number that holds
# nine of ten published measurements by RAPL. The host of a virtual machine is taken to be half busy or more.
# Of desktops there is one machine, never with one thread, so they have a server's; of laptops no table.
# Source: docs/results/estimate-classes.md.
_FACTORS = {MachineClass.VIRTUAL: 3, MachineClass.SERVER: 4, MachineClass.DESKTOP: 4, MachineClass.LAPTOP: 5}
FACTOR_UNKNOWN = 5
"""The same where the processor's TDP or the machine's kind is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuPower:
    """Power of a busy logical CPU, as the model assumes it.

    Attributes:
        busy_w: Watts of a logical CPU that is busy.
    """

    busy_w: float

    def energy_j(self, busy_s: float) -> float:
        """Joules of so many CPU seconds."""
        return self.busy_w * busy_s


def is_of_cpu_time(channels: Iterable[str]) -> bool:
    """Whether *channels*, by name, are estimates from CPU time, here or on another machine."""
    names = {name.partition("@")[0] for name in channels}
    return bool(names) and names <= {CHANNEL, MACHINE_CHANNEL}


def error_text(factor: int | str | None) -> str:
    """How wrong an estimate may be; *factor* may be `UNKNOWN`."""
    return f"may be wrong by {'an unknown factor' if factor in {None, UNKNOWN} else f'a factor of {factor}'}"


def factor_of(kind: MachineClass, *, is_known: bool) -> int:
    """By which factor an estimate may be wrong on a machine of this *kind*, its TDP *is_known* or not."""
    return _FACTORS.get(kind, FACTOR_UNKNOWN) if is_known else FACTOR_UNKNOWN


class EstimateSensor:
    """Joules = CPU seconds of this process's family, or of the machine, x TDP / logical CPUs.

    Attributes:
        power: By which it counts.
    """

    name = NAME
    provenance = Provenance.ESTIMATED

    def __init__(
        self,
        *,
        cpu_tdp_w: float | None = None,
        cpuinfo: Path = Path("/proc/cpuinfo"),
        cpu_count: int | None = None,
        cpu_s: Callable[[], float] | None = None,
        kind: MachineClass | None = None,
        is_of_machine: bool = False,
    ) -> None:
        """Look up the CPU and begin to count.

        Args:
            cpu_tdp_w: TDP of all CPUs of this machine together, in watts, instead of the table's.
            cpuinfo: Where the kernel names the CPU.
            cpu_count: Logical CPUs; asked of the machine when `None`.
            cpu_s: CPU seconds so far of what is estimated; of this process's family when `None`.
            kind: Of this machine; found out when `None`.
            is_of_machine: Count the processor time of all processes of the machine.

        Raises:
            SensorUnavailable: The number of CPUs is not known.
            SettingsError: *cpu_tdp_w* is not a power.
        """
        count = os.cpu_count() if cpu_count is None else cpu_count
        if not count:
            raise SensorUnavailable(NAME, "the number of this machine's CPUs is not known")
        self._cpu_model, self._cpu_count = listed_cpu_model(cpuinfo) or "unknown", count
        self._kind = machine_class(cpuinfo) if kind is None else kind
        self._tdp = find_tdp(self._cpu_model, count, cpu_tdp_w, self._kind)
        self.power = CpuPower(busy_w=self._tdp.power_w / count)
        self._tree = ProcessTree()
        self._is_of_machine = is_of_machine
        self._cpu_s = cpu_s or (_busy_reader() if is_of_machine else self._tree.cpu_s)
        self._lock = threading.Lock()
        self._start_s, self._last_j = self._cpu_s(), 0.0
        resolution_s = _MACHINE_RESOLUTION_S if is_of_machine else _RESOLUTION_S
        self.channels = (
            Channel(
                name=MACHINE_CHANNEL if is_of_machine else CHANNEL,
                domain=Domain.CPU,
                device="machine",
                is_ticked=False,
                resolution_j=self.power.energy_j(resolution_s),
                is_of_processes=not is_of_machine,
            ),
        )

    def read_j(self, channel: str) -> float:
        """Estimated joules, since the sensor was opened, of what it counts."""
        if channel != self.channels[0].name:
            raise SensorError(f"{channel}: the estimate has {self.channels[0].name}, not this channel")
        with self._lock:
            cpu_s = self._cpu_s() - self._start_s
            energy_j = self.power.energy_j(cpu_s)
            # Written so that NaN is a fault too.
            if not energy_j >= self._last_j:
                raise SensorError(
                    f"{channel}: the estimate fell from {self._last_j} to {energy_j} J: CPU time ({cpu_s} s) "
                    "went back"
                )
            self._last_j = energy_j
        return energy_j

    def read_together_j(self, channels: Sequence[str]) -> list[float]:
        """The same, from any thread: nobody else has to keep two threads apart."""
        return [self.read_j(channel) for channel in channels]

    def adopt(self, pids: Iterable[int]) -> None:
        """Count these processes and what they start, too, from now on."""
        self._tree.adopt(pids)

    def usage(self) -> Usage:
        return UNKNOWN_USAGE

    def facts(self) -> Facts:
        factor = factor_of(self._kind, is_known=self._tdp.is_known)
        return Facts(
            fixed={
                "cpu_tdp_model": self._cpu_model,
                "cpu_tdp_w": f"{self._tdp.power_w:g}",
                "cpu_tdp_source": self._tdp.source,
                "cpu_count": str(self._cpu_count),
                OF: _OF_MACHINE if self._is_of_machine else _OF_PROCESSES,
            },
            shown={FACTOR: str(factor), "machine_class": str(self._kind)},
        )

    def close(self) -> None:
        """Nothing is held open."""


def _busy_reader() -> Callable[[], float]:
    times = cpu_times_reader()
    return lambda: times().busy_s
