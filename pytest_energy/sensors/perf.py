"""CPU packages and their memory, through the RAPL events of the kernel's perf subsystem.

Rule 1: `energy-pkg` and `energy-ram` count, each joule once. `energy-cores` and `energy-gpu` are inside the
        package, `energy-psys` is around it.
Rule 2: the kernel keeps these counters at 64 bits, so one that falls is a fault.
Rule 3: a counter that never moves is absent, not frugal.

Source: Linux, arch/x86/events/rapl.c, and perf_event_open(2).
"""

import os
import platform
import re
import struct
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from pytest_energy.errors import Reason, SensorError, SensorUnavailable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.prompt_read import read_descriptor
from pytest_energy.sensors.protocol import COUNTER_AGE_S, Facts
from pytest_energy.sensors.rapl import NAME, STILL_S, find_still, rapl_facts
from pytest_energy.usage import Usage

_EVENTS = ((Domain.CPU, "energy-pkg"), (Domain.DRAM, "energy-ram"))

# AMD and Hygon count a whole package; Intel counts a die, and only there are two dies two counters.
# Source: arch/x86/events/rapl.c, comment "RAPL Package energy counter scope".
_PACKAGE_SCOPE = ("AuthenticAMD", "HygonGenuine")

# Source: arch/x86/entry/syscalls/syscall_64.tbl. RAPL events exist on x86 only.
_PERF_EVENT_OPEN = {"x86_64": 298}
# Source: include/uapi/linux/perf_event.h: PERF_ATTR_SIZE_VER0 and PERF_FLAG_FD_CLOEXEC.
_ATTR_SIZE = 64
_CLOSE_ON_EXEC = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfPaths:
    """Kernel files that list RAPL events, CPUs and permissions."""

    power: Path = Path("/sys/bus/event_source/devices/power")
    cpus: Path = Path("/sys/devices/system/cpu")
    cpuinfo: Path = Path("/proc/cpuinfo")
    paranoid: Path = Path("/proc/sys/kernel/perf_event_paranoid")


class PerfEvents(Protocol):
    """The three calls that counting takes."""

    def open(self, *, pmu: int, config: int, cpu: int) -> int:
        """Descriptor of a counter of the event *config*, system-wide on *cpu*; `OSError` if refused."""
        ...

    def count(self, descriptor: int) -> int: ...

    def close(self, descriptor: int) -> None: ...


class KernelPerfEvents:
    """The calls of this machine's kernel."""

    def open(self, *, pmu: int, config: int, cpu: int) -> int:
        import ctypes

        number = _PERF_EVENT_OPEN.get(platform.machine())
        if number is None:
            raise OSError(f"no RAPL events on {platform.machine()}")
        # type, size, config; what samples and flags ask for stays 0: count from now on, everything.
        attr = struct.pack("IIQ", pmu, _ATTR_SIZE, config).ljust(_ATTR_SIZE, b"\0")
        syscall = ctypes.CDLL(None, use_errno=True).syscall
        syscall.restype = ctypes.c_long
        every_process, no_group = -1, -1
        descriptor: int = syscall(
            ctypes.c_long(number),
            ctypes.c_char_p(attr),
            ctypes.c_long(every_process),
            ctypes.c_long(cpu),
            ctypes.c_long(no_group),
            ctypes.c_ulong(_CLOSE_ON_EXEC),
        )
        if descriptor < 0:
            error_number = ctypes.get_errno()
            raise OSError(error_number, os.strerror(error_number))
        return descriptor

    def count(self, descriptor: int) -> int:
        content = read_descriptor(descriptor, 8)
        if len(content) != 8:
            raise OSError(f"the counter gave {len(content)} of 8 bytes")
        return int(struct.unpack("Q", content)[0])

    def close(self, descriptor: int) -> None:
        os.close(descriptor)


class PerfSensor:
    """RAPL counters through perf; to its user the same sensor as powercap's, with the same channels."""

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        *,
        paths: PerfPaths | None = None,
        events: PerfEvents | None = None,
        now_s: Callable[[], float] = MACHINE_TIME.now_s,
        sleep_s: Callable[[float], None] = MACHINE_TIME.sleep_s,
    ) -> None:
        """Open the events that count and see them move; takes a few milliseconds.

        Raises:
            SensorUnavailable: No events, no permission, or counters that don't move.
        """
        paths = PerfPaths() if paths is None else paths
        self._events = KernelPerfEvents() if events is None else events
        if not (paths.power / "events" / "energy-pkg").is_file():
            raise SensorUnavailable(NAME, _no_event_reason(paths.power))
        with ExitStack() as undo:
            try:
                counters = _open_counters(paths, self._events, undo)
                counts = {c.name: partial(self._events.count, number) for c, number in counters.items()}
                still = find_still(counts, now_s=now_s, sleep_s=sleep_s)
            except PermissionError as error:
                raise SensorUnavailable(NAME, _permission_reason(paths.paranoid)) from error
            except (OSError, ValueError) as error:
                because = f"the RAPL events under {paths.power} can't be used: {error}"
                raise SensorUnavailable(NAME, because) from error
            self.left_out = {
                name: f"perf's counter of {name} did not move for {STILL_S:g} s: it measures nothing"
                for name in sorted(still)
            }
            self.channels = tuple(channel for channel in counters if channel.name not in still)
            if not any(channel.domain is Domain.CPU for channel in self.channels):
                raise SensorUnavailable(NAME, *self.left_out.values())
            undo.pop_all()
        for channel, descriptor in counters.items():
            if channel.name in still:
                self._events.close(descriptor)
        self._counters = {channel.name: (channel, counters[channel]) for channel in self.channels}
        self._highest = dict.fromkeys(self._counters, 0)
        self._lock = threading.Lock()

    def read_j(self, channel: str) -> float:
        """Joules of *channel* since the sensor was opened."""
        with self._lock:
            if channel not in self._counters:
                raise SensorError(f"{channel}: perf reads {', '.join(self._counters) or 'nothing now'}")
            counted, descriptor = self._counters[channel]
            try:
                count = self._events.count(descriptor)
            except OSError as error:
                raise SensorError(f"{channel}: perf can't read its counter: {error}") from error
            highest = self._highest[channel]
            if count < highest:
                raise SensorError(f"{channel}: perf's counter fell from {highest} to {count}")
            self._highest[channel] = count
        return count * counted.resolution_j

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return rapl_facts("perf", [channel.name for channel in self.channels], self.left_out)

    def close(self) -> None:
        """Close the counters; a read after this is a `SensorError`."""
        with self._lock:
            # Forgotten first: the kernel may give a closed descriptor's number to another file.
            counters, self._counters = self._counters, {}
            for _, descriptor in counters.values():
                self._events.close(descriptor)


def _no_event_reason(power: Path) -> Reason:
    if not power.is_dir():
        remedy = "On your own machine: sudo modprobe rapl"
        return Reason(f"{power} doesn't exist: this kernel has no RAPL events", (remedy,))
    names = sorted(path.name for path in (power / "events").glob("energy-*") if "." not in path.name)
    return Reason(f"{power}/events has {', '.join(names) or 'no energy event'}, but not energy-pkg")


def _open_counters(paths: PerfPaths, events: PerfEvents, undo: ExitStack) -> dict[Channel, int]:
    """The descriptor of a counter of each event for each package; *undo* closes them."""
    pmu = int((paths.power / "type").read_text())
    places = _places(paths)
    counters: dict[Channel, int] = {}
    for domain, event in _EVENTS:
        file = paths.power / "events" / event
        if not file.is_file():
            continue
        config, scale_j = _config(file), _scale_j(file)
        for cpu, package in places.items():
            descriptor = events.open(pmu=pmu, config=config, cpu=cpu)
            undo.callback(events.close, descriptor)
            name = f"{domain}:{package}"
            channel = Channel(
                name=name,
                domain=domain,
                device=package,
                is_ticked=False,
                resolution_j=scale_j,
                age_s=COUNTER_AGE_S,
            )
            counters[channel] = descriptor
    return counters


def _config(file: Path) -> int:
    """The event's number: `event=0x02`, which is bits 0 to 7 of the configuration."""
    text = file.read_text().strip()
    if (event := re.fullmatch(r"event=(0x[0-9a-f]+)", text)) is None:
        raise ValueError(f"{file} holds {text!r}, not an event such as event=0x02")
    return int(event[1], 16)


def _scale_j(file: Path) -> float:
    """Joules of one count of the event; the kernel's is 2^-32 J."""
    unit = Path(f"{file}.unit").read_text().strip()
    scale_j = float(Path(f"{file}.scale").read_text())
    if unit != "Joules" or not 0 < scale_j < 1:
        raise ValueError(f"{file} counts in steps of {scale_j} {unit}, not in small fractions of a joule")
    return scale_j


def _places(paths: PerfPaths) -> dict[int, str]:
    """The CPUs to count on, each with the package (and die) that it counts, named as powercap names them."""
    counted = {cpu: _topology(paths.cpus, cpu) for cpu in _cpu_list((paths.power / "cpumask").read_text())}
    packages = [package for package, _die in counted.values()]
    if len(set(packages)) == len(packages):
        return {cpu: f"package-{package}" for cpu, (package, _die) in counted.items()}
    if any(vendor in paths.cpuinfo.read_text(errors="replace") for vendor in _PACKAGE_SCOPE):
        first = {package: cpu for cpu, (package, _die) in reversed(counted.items())}
        return {cpu: f"package-{package}" for package, cpu in sorted(first.items())}
    return {cpu: f"package-{package}-die-{die}" for cpu, (package, die) in counted.items()}


def _topology(cpus: Path, cpu: int) -> tuple[int, int]:
    folder = cpus / f"cpu{cpu}" / "topology"
    die = folder / "die_id"
    return int((folder / "physical_package_id").read_text()), int(die.read_text()) if die.is_file() else 0


def _cpu_list(text: str) -> tuple[int, ...]:
    """CPUs of a kernel list.

    >>> _cpu_list("0,18-19")
    (0, 18, 19)
    """
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return tuple(cpus)


def _permission_reason(paranoid: Path) -> Reason:
    try:
        level = paranoid.read_text().strip()
    except OSError:
        level = "unknown"
    return Reason(
        f"machine-wide events may not be counted: {paranoid} is {level} and must be 0 or less, "
        "or this Python needs the capability CAP_PERFMON",
        (
            "Until the next boot: sudo sysctl kernel.perf_event_paranoid=0",
            "Permanently: echo kernel.perf_event_paranoid=0 | sudo tee /etc/sysctl.d/70-perf.conf",
            "For one Python only: sudo setcap cap_perfmon+ep $(readlink -f $(which python))",
            "In Docker: --cap-add PERFMON",
        ),
    )
