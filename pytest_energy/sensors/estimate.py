"""CPU energy as a model has it, for machines where nothing can be measured.

Rule 1: what comes from here is `estimated` wherever it is shown, and `facts` say from what.
Rule 2: it follows the whole machine's CPU time, not this process's: a model server has its own processes.
"""

import math
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pytest_energy.errors import SensorError, SensorUnavailable, SettingsError
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.cpu_times import CpuTimes, cpu_times_reader
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage

NAME = "estimate"
CHANNEL = "cpu:machine"

# Watts of one logical CPU of a cloud server, at rest and at full load: mean over one provider's processors.
# Source: Cloud Carbon Footprint, methodology, "Compute", averages for AWS (from SPECpower_ssj2008 results).
_GENERIC_IDLE_W = 0.74
_GENERIC_FULL_W = 3.5
IDLE_SHARE = _GENERIC_IDLE_W / _GENERIC_FULL_W

# (name in /proc/cpuinfo, TDP in watts, threads), each of one socket.
# Sources: Intel's product pages (ark.intel.com), "TDP" or "Processor Base Power", "Total Threads";
#          AMD's product pages (amd.com, processor specifications), "Default TDP", "# of Threads".
_TDP_TABLE: tuple[tuple[str, float, int], ...] = (
    ("Xeon E5-2680 v4", 120.0, 28),
    ("Xeon E5-2690 v4", 135.0, 28),
    ("Xeon E5-2698 v4", 135.0, 40),
    ("Xeon Silver 4310", 120.0, 24),
    ("Xeon Gold 6248R", 205.0, 48),
    ("Xeon Gold 6338", 205.0, 64),
    ("Xeon Platinum 8180", 205.0, 56),
    ("Xeon Platinum 8280", 205.0, 56),
    ("Xeon Platinum 8358", 250.0, 64),
    ("Xeon Platinum 8380", 270.0, 80),
    ("Xeon Platinum 8462Y+", 300.0, 64),
    ("Xeon Platinum 8468", 350.0, 96),
    ("Xeon Platinum 8480+", 350.0, 112),
    ("Xeon Platinum 8592+", 350.0, 128),
    ("Core i7-8700K", 95.0, 12),
    ("Core i9-9900K", 95.0, 16),
    ("Core i9-10900K", 125.0, 20),
    ("Core i7-12700K", 125.0, 20),
    ("Core i9-13900K", 125.0, 32),
    ("EPYC 7402", 180.0, 48),
    ("EPYC 7502", 180.0, 64),
    ("EPYC 7542", 225.0, 64),
    ("EPYC 7702", 200.0, 128),
    ("EPYC 7742", 225.0, 128),
    ("EPYC 7543", 225.0, 64),
    ("EPYC 7713", 225.0, 128),
    ("EPYC 7763", 280.0, 128),
    ("EPYC 9354", 280.0, 64),
    ("EPYC 9554", 360.0, 128),
    ("EPYC 9654", 360.0, 192),
    ("Ryzen 7 5800X", 105.0, 16),
    ("Ryzen 9 3950X", 105.0, 32),
    ("Ryzen 9 5900X", 105.0, 24),
    ("Ryzen 9 5950X", 105.0, 32),
    ("Ryzen 9 7950X", 170.0, 32),
    ("Ryzen Threadripper PRO 3975WX", 280.0, 64),
)


class Tdp(NamedTuple):
    """The design power of all CPUs of this machine, together, and where the figure is from."""

    power_w: float
    source: str


def find_tdp(cpu_model: str, cpu_count: int, cpu_tdp_w: float | None) -> Tdp:
    """TDP of *cpu_count* logical CPUs of the model *cpu_model*.

    A virtual machine that has 4 of a server's 128 threads gets 4/128 of the server's TDP, and a machine with
    two sockets twice the TDP of one.

    Args:
        cpu_model: As `/proc/cpuinfo` names it.
        cpu_count: Logical CPUs of this machine.
        cpu_tdp_w: Watts of all of them together, where the user gave it.

    Raises:
        SettingsError: *cpu_tdp_w* is not a power.

    >>> find_tdp("AMD EPYC 7763 64-Core Processor", 4, None).power_w
    8.75
    """
    if cpu_tdp_w is not None:
        if not (math.isfinite(cpu_tdp_w) and cpu_tdp_w > 0):
            raise SettingsError(
                f"energy_cpu_tdp_w is {cpu_tdp_w}; it is the TDP of all CPUs in watts, above 0"
            )
        return Tdp(cpu_tdp_w, "override (energy_cpu_tdp_w)")
    words = f" {_plain(cpu_model)} "
    for name, socket_w, thread_count in _TDP_TABLE:
        if f" {_plain(name)} " in words:
            source = f"table ({name}: {socket_w:g} W for {thread_count} threads)"
            return Tdp(socket_w * cpu_count / thread_count, source)
    source = f"generic default ({_GENERIC_FULL_W:g} W a logical CPU; this CPU model isn't in the table)"
    return Tdp(_GENERIC_FULL_W * cpu_count, source)


def _plain(cpu_model: str) -> str:
    """Model name in small letters, without trademark signs and the word CPU."""
    return " ".join(re.sub(r"\((r|tm)\)|\bcpu\b", " ", cpu_model.casefold()).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuPower:
    """What the model takes all CPUs of this machine for.

    Attributes:
        idle_w: Of all CPUs, at rest.
        busy_w: What a busy one adds, such that all of them busy draw the TDP.
    """

    idle_w: float
    busy_w: float

    def energy_j(self, duration_s: float, busy_s: float) -> float:
        """Joules of *duration_s* in which the CPUs were busy for *busy_s*, all together."""
        return self.idle_w * duration_s + self.busy_w * busy_s


class EstimateSensor:
    """Joules = idle share x TDP x time + busy CPU-seconds x watts a CPU.

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
        cpu_times: Callable[[], CpuTimes] | None = None,
        now_s: Callable[[], float] = MACHINE_TIME.now_s,
    ) -> None:
        """Look up the CPU and begin to count.

        Args:
            cpu_tdp_w: TDP of all CPUs of this machine together, in watts, instead of the table's.
            cpuinfo: Where the kernel names the CPU.
            cpu_count: Logical CPUs; asked of the machine when `None`.
            cpu_times: Of the whole machine; asked of it when `None`.
            now_s: A clock that never goes back.

        Raises:
            SensorUnavailable: The machine doesn't tell how many CPUs it has.
            SettingsError: *cpu_tdp_w* is not a power.
        """
        count = os.cpu_count() if cpu_count is None else cpu_count
        if not count:
            raise SensorUnavailable(NAME, "this machine doesn't tell how many CPUs it has")
        self._cpu_model, self._cpu_count = read_cpu_model(cpuinfo), count
        self._tdp = find_tdp(self._cpu_model, count, cpu_tdp_w)
        self._cpu_times = cpu_times_reader() if cpu_times is None else cpu_times
        self._now_s = now_s
        self._lock = threading.Lock()
        tdp_w = self._tdp.power_w
        self.power = CpuPower(idle_w=IDLE_SHARE * tdp_w, busy_w=(1.0 - IDLE_SHARE) * tdp_w / count)
        self._start_s, self._start_busy_s = now_s(), self._cpu_times().busy_s
        self._last_j = 0.0
        resolution_j = self.power.busy_w / os.sysconf("SC_CLK_TCK")
        self.channels = (
            Channel(
                name=CHANNEL,
                domain=Domain.CPU,
                device="machine",
                is_ticked=False,
                resolution_j=resolution_j,
            ),
        )

    def read_j(self, channel: str) -> float:
        """Joules of the machine's CPUs since the sensor was opened, as the model has it."""
        if channel != CHANNEL:
            raise SensorError(f"{channel}: the estimate has {CHANNEL}, not this channel")
        with self._lock:
            elapsed_s = self._now_s() - self._start_s
            busy_s = self._cpu_times().busy_s - self._start_busy_s
            energy_j = self.power.energy_j(elapsed_s, busy_s)
            # Written so that NaN is a fault too.
            if not energy_j >= self._last_j:
                raise SensorError(
                    f"{channel}: the estimate fell from {self._last_j} to {energy_j} J; "
                    f"CPU times ({busy_s} s) or clock ({elapsed_s} s) went back"
                )
            self._last_j = energy_j
        return energy_j

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts(
            fixed={
                "cpu_tdp_model": self._cpu_model,
                "cpu_tdp_w": f"{self._tdp.power_w:g}",
                "cpu_tdp_source": self._tdp.source,
                "cpu_idle_share": f"{IDLE_SHARE:.3f}",
                "cpu_count": str(self._cpu_count),
            }
        )

    def close(self) -> None:
        """Nothing is held open."""


def read_cpu_model(cpuinfo: Path) -> str:
    """The CPU's name in *cpuinfo*, or `unknown`: Arm kernels and some sandboxes give none."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return "unknown"
    line = re.search(r"^model name[ \t]*:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
    return "unknown" if line is None else line[1]
