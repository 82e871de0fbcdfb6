"""CPU packages and their memory, through RAPL counters under `/sys/class/powercap`.

Rule 1: packages and `dram` count, each joule once. `core` and `uncore` are inside their package, `psys` is
        around it, `intel-rapl-mmio` repeats it, and the dies of some AMD packages mirror one counter.
Rule 2: a fall is a wrap only if the joules it stands for could have been used in that time; else a fault.
Rule 3: a counter that never moves is absent, not frugal.
Rule 4: a counter that wasn't read for so long that it may have wrapped unseen gives no joules.

Source: Linux, Documentation/power/powercap/powercap.rst and drivers/powercap/intel_rapl_common.c.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.model import Channel, Domain, Provenance, Usage
from pytest_energy.sensors.protocol import Facts
from pytest_energy.units import JOULES_PER_MICROJOULE

Name = TypeVar("Name")

NAME = "rapl"
POWERCAP = Path("/sys/class/powercap")

# `intel-rapl:0` and `intel-rapl:0:2`, on AMD too; `intel-rapl-mmio:0` repeats a package and must not match.
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")
_PACKAGE = re.compile(r"package-\d+(-die-\d+)?")

# A count of 20 digits, or a name.
_LINE_BYTES = 256

# More than any package draws (500 W is sold today, short peaks are below twice that), and a tenth of a second
# of it for counters that were just behind their update. More than that is a counter that was set, not energy.
_MOST_POWER_W = 2000.0
_SLACK_S = 0.1

# A package at rest draws watts and its counter is updated every millisecond, so it moves at the first looks.
STILL_S = 1.0
_LOOK_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class _Zone:
    channel: Channel
    counter: Path
    range_uj: int


@dataclass(slots=True, kw_only=True)
class _Unwrapped:
    """How far one counter has come: its last raw value, when that was, and the sum of all steps."""

    raw_uj: int
    at_s: float
    sum_uj: int = 0
    is_read: bool = False


class RaplSensor:
    """RAPL counters of the kernel's powercap tree.

    Attributes:
        left_out: Channel name to why it can't be counted.
    """

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        zones: Sequence[_Zone],
        left_out: Mapping[str, str],
        mirrors: Sequence[str],
        *,
        read_text: Callable[[Path], str],
        now_s: Callable[[], float],
    ) -> None:
        self._read_text = read_text
        self._now_s = now_s
        self._lock = threading.Lock()
        self._zones = {zone.channel.name: zone for zone in zones}
        self._unwrapped = {
            zone.channel.name: _Unwrapped(raw_uj=_count_uj(read_text, zone.counter), at_s=now_s())
            for zone in zones
        }
        self.channels = tuple(zone.channel for zone in zones)
        self.left_out = left_out
        self._mirrors = tuple(mirrors)

    @classmethod
    def open(
        cls,
        *,
        root: Path = POWERCAP,
        read_text: Callable[[Path], str] | None = None,
        now_s: Callable[[], float] = time.monotonic,
        sleep_s: Callable[[float], None] = time.sleep,
    ) -> "RaplSensor":
        """Find the zones that count and see them move; takes a few milliseconds.

        Args:
            root: Folder of the powercap tree.
            read_text: Reads one of its files; `read_small` by default.
            now_s: Clock.
            sleep_s: Waits.

        Raises:
            SensorUnavailable: No zones, no permission, or counters that stand still.
        """
        read_text = read_small if read_text is None else read_text
        zones = _find_zones(root, read_text)
        try:
            still = find_still(
                {zone.counter: partial(_count_uj, read_text, zone.counter) for zone in zones},
                now_s=now_s,
                sleep_s=sleep_s,
            )
            left_out = {
                zone.channel.name: f"{zone.counter} did not move for {STILL_S:g} s: it is no sensor"
                for zone in zones
                if zone.counter in still
            }
            moving = tuple(zone for zone in zones if zone.counter not in still)
            if not any(zone.channel.domain is Domain.CPU for zone in moving):
                raise SensorUnavailable(NAME, "; ".join(left_out.values()))
            counted, mirrors = _each_joule_once(moving, read_text)
            return cls(counted, left_out, mirrors, read_text=read_text, now_s=now_s)
        except SensorError as error:
            raise SensorUnavailable(NAME, str(error)) from error

    def read_j(self, channel: str) -> float:
        """Joules of *channel* since the sensor was opened."""
        zone = self._zones.get(channel)
        if zone is None:
            raise SensorError(f"{channel}: RAPL reads {', '.join(self._zones)}, not this channel")
        # Two threads may read; without the lock an older value could look like a counter that fell.
        with self._lock:
            raw_uj = self._raw_uj(zone)
            now_s = self._now_s()
            state = self._unwrapped[channel]
            before_uj, elapsed_s = state.raw_uj, now_s - state.at_s
            step_uj = (raw_uj - before_uj) % zone.range_uj
            is_first = not state.is_read
            state.raw_uj, state.at_s, state.is_read = raw_uj, now_s, True
            most_j = _MOST_POWER_W * (elapsed_s + _SLACK_S)
            if most_j >= zone.range_uj * JOULES_PER_MICROJOULE:
                if is_first:
                    return 0.0  # a long time since it was opened, but nobody has joules from before
                raise SensorError(
                    f"{channel}: {zone.counter} wasn't read for {elapsed_s:.1f} s, in which it may have "
                    "wrapped unseen: something held this process up"
                )
            if step_uj * JOULES_PER_MICROJOULE > most_j:
                raise SensorError(
                    f"{channel}: {zone.counter} went from {before_uj} to {raw_uj} uJ in {elapsed_s:.3f} s, "
                    "which is neither use nor a wrap: the machine slept or the driver was loaded anew"
                )
            state.sum_uj += step_uj
            return state.sum_uj * JOULES_PER_MICROJOULE

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        shown = {"rapl_interface": "powercap"}
        if self.left_out:
            shown["rapl_left_out"] = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
        if self._mirrors:
            shown["rapl_mirrors"] = "; ".join(self._mirrors)
        return Facts(fixed={"rapl_channels": ", ".join(self._zones)}, shown=shown)

    def close(self) -> None:
        """Nothing is held open."""

    def _raw_uj(self, zone: _Zone) -> int:
        try:
            return _count_uj(self._read_text, zone.counter)
        except SensorError as error:
            raise SensorError(f"{zone.channel.name}: {error}") from error


def read_small(path: Path) -> str:
    """What a file of one line holds, in a fifth of the time of `Path.read_text`: windows wait for it.

    Raises:
        OSError: It can't be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _LINE_BYTES).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _find_zones(root: Path, read_text: Callable[[Path], str]) -> tuple[_Zone, ...]:
    if not root.is_dir():
        raise SensorUnavailable(
            NAME,
            f"there is no {root}: this kernel shows no RAPL, as is usual in virtual machines, containers and "
            "hosted CI; on a machine of your own: sudo modprobe intel_rapl_msr",
        )
    paths = sorted((path for path in root.iterdir() if _ZONE.fullmatch(path.name)), key=_place)
    names = {path.name: name for path in paths if (name := _zone_name(path, read_text)) is not None}
    zones = tuple(zone for path in paths if (zone := _zone(path, names, read_text)) is not None)
    if not any(zone.channel.domain is Domain.CPU for zone in zones):
        seen = ", ".join(f"{place} ({name})" for place, name in names.items()) or "no readable zone"
        raise SensorUnavailable(
            NAME,
            f"{root} shows {seen}, but no CPU package: virtual machines and hosted CI don't pass RAPL on, "
            "and Docker masks it (docker run --security-opt systempaths=unconfined); "
            "on a machine of your own: sudo modprobe intel_rapl_msr",
        )
    return zones


def _place(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in path.name.split(":")[1:])


def _zone_name(path: Path, read_text: Callable[[Path], str]) -> str | None:
    try:
        return read_text(path / "name").strip()
    except OSError:
        return None  # a container's mask leaves empty folders behind


def _zone(path: Path, names: Mapping[str, str], read_text: Callable[[Path], str]) -> _Zone | None:
    """The zone at *path* if it counts, else `None`."""
    name = names.get(path.name)
    parent = names.get(path.name.rpartition(":")[0], "")
    if name is not None and _PACKAGE.fullmatch(name):
        domain, package = Domain.CPU, name
    elif name == "dram" and _PACKAGE.fullmatch(parent):
        domain, package = Domain.DRAM, parent
    else:
        return None
    counter = path / "energy_uj"
    channel = Channel(
        name=f"{domain}:{package}",
        domain=domain,
        device=package,
        is_ticked=False,
        resolution_j=JOULES_PER_MICROJOULE,
    )
    try:
        _count_uj(read_text, counter)
        range_uj = _count_uj(read_text, path / "max_energy_range_uj")
    except SensorError as error:
        if isinstance(error.__cause__, PermissionError):
            raise SensorUnavailable(NAME, permission_text(counter)) from error
        raise SensorUnavailable(NAME, str(error)) from error
    if range_uj <= 0:
        raise SensorUnavailable(NAME, f"{path / 'max_energy_range_uj'} holds {range_uj}: wraps can't be told")
    return _Zone(channel=channel, counter=counter, range_uj=range_uj)


def _count_uj(read_text: Callable[[Path], str], path: Path) -> int:
    try:
        text = read_text(path)
    except OSError as error:
        raise SensorError(f"{path} can't be read: {error.strerror or error}") from error
    try:
        return int(text)
    except ValueError as error:
        raise SensorError(f"{path} holds {text!r}, not a count of microjoules") from error


def permission_text(counter: Path) -> str:
    """What the file allows, and three ways to be allowed to read it."""
    pattern = counter.parent.parent / "intel-rapl:*" / "energy_uj"
    return (
        f"{counter} has mode {_mode_text(counter)}; since Linux 5.10 only root may read it (CVE-2020-8694). "
        f"Until the next boot: sudo chmod a+r {pattern}. "
        "For good, in /etc/udev/rules.d/70-rapl.rules: "
        'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj". '
        "For one group only: sudo groupadd -f rapl; sudo usermod -aG rapl $USER; "
        f"sudo chgrp rapl {pattern}; sudo chmod g+r {pattern}; then log in again. "
        "Readable RAPL lets other users of the machine guess at secrets from power"
    )


def _mode_text(path: Path) -> str:
    try:
        return f"{path.stat().st_mode & 0o7777:04o}"
    except OSError:
        return "unknown"


def find_still(
    counts: Mapping[Name, Callable[[], int]],
    *,
    now_s: Callable[[], float],
    sleep_s: Callable[[float], None],
) -> frozenset[Name]:
    """Names of the counters that keep one value for `STILL_S`; ends as soon as all have moved."""
    start_s = now_s()
    first = {name: count() for name, count in counts.items()}
    still = set(counts)
    while still and now_s() - start_s < STILL_S:
        sleep_s(_LOOK_S)
        still = {name for name in still if counts[name]() == first[name]}
    return frozenset(still)


def _each_joule_once(
    zones: Iterable[_Zone], read_text: Callable[[Path], str]
) -> tuple[tuple[_Zone, ...], tuple[str, ...]]:
    """The zones less those that repeat another, and a sentence on each of the latter."""
    counted: list[_Zone] = []
    mirrors: list[str] = []
    for zone in zones:
        original = next((other for other in counted if _is_mirror(other, zone, read_text)), None)
        if original is None:
            counted.append(zone)
        else:
            mirrors.append(
                f"{zone.counter.parent.name} ({zone.channel.name}) repeats {original.channel.name}"
            )
    return tuple(counted), tuple(mirrors)


def _is_mirror(original: _Zone, zone: _Zone, read_text: Callable[[Path], str]) -> bool:
    """Whether both zones show one counter.

    A mirror read between two reads of the original lies between them. Two counters of their own, anywhere in
    65 kJ or more, don't meet within the millijoules that pass meanwhile.
    """
    if original.channel.name == zone.channel.name:
        return True
    if original.channel.domain is not zone.channel.domain:
        return False
    before_uj = _count_uj(read_text, original.counter)
    between_uj = _count_uj(read_text, zone.counter)
    after_uj = _count_uj(read_text, original.counter)
    return (between_uj - before_uj) % original.range_uj <= (after_uj - before_uj) % original.range_uj
