"""Permissions that sensors need, and whether this user has them."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_energy.sensors.perf import PerfPaths
from pytest_energy.sensors.rapl import POWERCAP, mode_text

# Source: include/uapi/linux/capability.h; CAP_SYS_ADMIN does what CAP_PERFMON does.
_CAP_SYS_ADMIN, _CAP_PERFMON = 21, 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One permission.

    Attributes:
        sensor: The sensor that needs it.
        what: The file and its state.
        is_granted: Whether it is allowed.
        fix: The command that allows it until the next boot; `None` if it is allowed.
    """

    sensor: str
    what: str
    is_granted: bool
    fix: str | None


def permissions(
    *,
    powercap: Path = POWERCAP,
    perf: PerfPaths | None = None,
    devices: Path = Path("/dev"),
    status: Path = Path("/proc/self/status"),
    may_access: Callable[[Path, int], bool] = os.access,
) -> tuple[Permission, ...]:
    """The permissions that sensors of this machine need, and whether they are granted.

    The paths are where to look, and *may_access* returns whether this user may access a file as a mode of
    `os.access` says.
    """
    perf = PerfPaths() if perf is None else perf
    needed: list[Permission] = []
    gpus = sorted(devices.glob("nvidia[0-9]*"))
    for file in [path for path in (devices / "nvidiactl", *gpus) if path.exists()]:
        fix = f"sudo chmod a+rw {file}"
        needed.append(_file_permission("nvml", file, fix, is_granted=may_access(file, os.R_OK | os.W_OK)))
    counters = sorted(powercap.glob("intel-rapl:*/energy_uj"))
    if counters:
        refused = [file for file in counters if not may_access(file, os.R_OK)]
        fix = f"sudo chmod a+r {powercap}/intel-rapl:*/energy_uj"
        needed.append(_file_permission("rapl", (refused or counters)[0], fix, is_granted=not refused))
    if (perf.power / "events" / "energy-pkg").exists():
        needed.append(_perf_permission(perf.paranoid, status))
    return tuple(needed)


def _file_permission(sensor: str, file: Path, fix: str, *, is_granted: bool) -> Permission:
    return _permission(sensor, f"{file} (mode {mode_text(file)})", fix, is_granted=is_granted)


def _permission(sensor: str, what: str, fix: str, *, is_granted: bool) -> Permission:
    return Permission(sensor=sensor, what=what, is_granted=is_granted, fix=None if is_granted else fix)


def _perf_permission(paranoid: Path, status: Path) -> Permission:
    level = _text_of(paranoid) or "unknown"
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)$", _text_of(status), re.MULTILINE)
    mask = int(capabilities[1], 16) if capabilities else 0
    is_open = level.lstrip("-").isdecimal() and int(level) <= 0
    is_granted = is_open or bool(mask & (1 << _CAP_PERFMON | 1 << _CAP_SYS_ADMIN))
    fix = "sudo sysctl kernel.perf_event_paranoid=0"
    return _permission("rapl", f"{paranoid} is {level}", fix, is_granted=is_granted)


def _text_of(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
