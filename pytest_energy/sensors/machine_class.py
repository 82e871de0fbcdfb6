"""The kind of this machine: laptop, desktop, server or virtual machine.

Source:
    Chassis types: SMBIOS 3.6 (DMTF DSP0134), table 17. `hypervisor` among the flags: CPUID leaf 1, ECX bit
    31, which every virtual machine's processor has. Batteries: Linux, sysfs-class-power.
"""

import re
from enum import StrEnum
from pathlib import Path

_LAPTOP_CHASSIS = frozenset({8, 9, 10, 11, 14, 30, 31, 32})
_DESKTOP_CHASSIS = frozenset({3, 4, 5, 6, 7, 13, 15, 16, 35, 36})
_SERVER_CHASSIS = frozenset({17, 23, 28, 29})
_SERVER_NAME = re.compile(r"\b(?:xeon|epyc|opteron)\b", re.IGNORECASE)
_DESKTOP_NAME = re.compile(r"\b(?:core|ryzen|threadripper)\b", re.IGNORECASE)


class MachineClass(StrEnum):
    """A kind of machine."""

    LAPTOP = "laptop"
    DESKTOP = "desktop"
    SERVER = "server"
    VIRTUAL = "virtual machine"
    UNKNOWN = "machine of unknown kind"


def machine_class(cpuinfo: Path = Path("/proc/cpuinfo"), sys: Path = Path("/sys/class")) -> MachineClass:
    """The kind of this machine by *cpuinfo* and *sys*, the kernel's lists of processors and devices.

    A virtual machine comes first: what else it says of itself is made up. Then batteries, as some makers
    leave the chassis open; then what the processor is sold for.
    """
    text = _text(cpuinfo)
    if re.search(r"^flags[ \t]*:.*\bhypervisor\b", text, re.MULTILINE):
        return MachineClass.VIRTUAL
    chassis = _text(sys / "dmi/id/chassis_type").strip()
    kind = int(chassis) if chassis.isdecimal() else 0
    if kind in _LAPTOP_CHASSIS or _has_battery(sys / "power_supply"):
        return MachineClass.LAPTOP
    if kind in _SERVER_CHASSIS or _SERVER_NAME.search(text):
        return MachineClass.SERVER
    if kind in _DESKTOP_CHASSIS or _DESKTOP_NAME.search(text):
        return MachineClass.DESKTOP
    return MachineClass.UNKNOWN


def _has_battery(supplies: Path) -> bool:
    """Whether a battery feeds the machine; that of a mouse has the scope `Device`."""
    return any(
        _text(kind).strip() == "Battery" and _text(kind.with_name("scope")).strip() != "Device"
        for kind in supplies.glob("*/type")
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
