"""Design power (TDP) of a processor in watts, by its name.

Rule 1: a processor that is in no list has the usual power of its kind, and the source says so.
"""

import math
import re
from typing import NamedTuple

from pytest_energy.errors import SettingsError
from pytest_energy.sensors.machine_class import MachineClass

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


# What the letters after a processor's number say of its TDP in watts: the median of those that carry them.
# Source: github.com/Boavizta/boaviztapi, data/crowdsourcing/cpu_specs.csv at 15878f0 (from TechPowerUp), 2012
#         and later; benchmarks/meter/estimate_classes.py works them out.
_SUFFIX_W = {
    "y": 9.0,
    "u": 15.0,
    "ue": 15.0,
    "c": 15.0,
    "p": 28.0,
    "t": 35.0,
    "te": 35.0,
    "ge": 35.0,
    "hs": 35.0,
    "h": 45.0,
    "hk": 45.0,
    "hq": 45.0,
    "he": 45.0,
    "hx": 55.0,
    "": 65.0,
    "e": 65.0,
    "f": 65.0,
    "g": 65.0,
    "x": 105.0,
    "k": 110.0,
    "kf": 125.0,
}
_NUMBERED = re.compile(r"\b(?:i[3579]-|ultra \d |ryzen (?:ai )?\d (?:pro )?)\d{3,5}([a-z]{0,2})\b")

# Watts of a logical CPU of a model that says nothing, by the kind of machine; medians of the same source, and
# for servers the mean of one provider's (Cloud Carbon Footprint, methodology, "Compute", AWS at full load).
_GENERIC_W = {MachineClass.LAPTOP: 1.9, MachineClass.DESKTOP: 5.4}
_GENERIC_SERVER_W = 3.5


class Tdp(NamedTuple):
    """The design power of all CPUs of this machine, together.

    Attributes:
        source: Where the figure is from.
        is_known: It is that of this processor, or of its line; not only usual for this kind of machine.
    """

    power_w: float
    source: str
    is_known: bool = True


def find_tdp(
    cpu_model: str, cpu_count: int, cpu_tdp_w: float | None, kind: MachineClass = MachineClass.UNKNOWN
) -> Tdp:
    """TDP of *cpu_count* logical CPUs of the model *cpu_model*, in a machine of this *kind*.

    A virtual machine that has 4 of a server's 128 threads gets 4/128 of the server's TDP, and a machine with
    two sockets twice the TDP of one.

    Args:
        cpu_model: As `/proc/cpuinfo` names it.
        cpu_count: Logical CPUs of this machine.
        cpu_tdp_w: Watts of all of them together, where the user gave it.
        kind: Of this machine.

    Raises:
        SettingsError: *cpu_tdp_w* is not a power.

    >>> find_tdp("AMD EPYC 7763 64-Core Processor", 4, None).power_w
    8.75
    >>> find_tdp("12th Gen Intel(R) Core(TM) i7-1260P", 16, None, MachineClass.LAPTOP).power_w
    28.0
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
    return _by_letters(words, kind) or _usual(cpu_count, kind)


def _by_letters(words: str, kind: MachineClass) -> Tdp | None:
    """TDP by the letters after the number; not in a virtual machine, which may have a part of the threads."""
    numbered = None if kind is MachineClass.VIRTUAL else _NUMBERED.search(words)
    power_w = numbered and _SUFFIX_W.get(numbered[1])
    if numbered is None or power_w is None:
        return None
    line = f"models on -{numbered[1].upper()}" if numbered[1] else "models without letters"
    return Tdp(power_w, f"usual for {line} ({power_w:g} W)")


def _usual(cpu_count: int, kind: MachineClass) -> Tdp:
    per_cpu_w = _GENERIC_W.get(kind, _GENERIC_SERVER_W)
    source = f"generic default ({per_cpu_w:g} W per logical CPU; this CPU model isn't in the table)"
    return Tdp(per_cpu_w * cpu_count, source, is_known=False)


def _plain(cpu_model: str) -> str:
    """Model name in small letters, without trademark signs and the word CPU."""
    return " ".join(re.sub(r"\((r|tm)\)|\bcpu\b", " ", cpu_model.casefold()).split())
