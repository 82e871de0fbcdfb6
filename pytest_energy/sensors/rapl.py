"""CPU packages and their memory, through RAPL counters under `/sys/class/powercap`.

Rule 1: packages and `dram` count, each joule once. `core` and `uncore` are inside their package, `psys` is
        around it, `intel-rapl-mmio` repeats it, and the dies of some AMD packages mirror one counter.
Rule 2: a fall is a wrap only if the joules it implies could have been used in that time; else a fault.
Rule 3: a counter that never moves is absent, not frugal.
Rule 4: a counter that wasn't read for so long that it may have wrapped unseen gives no joules.

Source: Linux, Documentation/power/powercap/powercap.rst and drivers/powercap/intel_rapl_common.c.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pytest_energy.errors import Reason, SensorError, SensorUnavailable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.prompt_read import KeptFile, read_small
from pytest_energy.sensors.protocol import COUNTER_AGE_S, Facts
from pytest_energy.units import JOULES_PER_MICROJOULE
from pytest_energy.usage import UNKNOWN_USAGE, Usage

Name = TypeVar("Name")

NAME = "rapl"
POWERCAP = Path("/sys/class/powercap")

# `intel-rapl:0` and `intel-rapl:0:2`, on AMD too; `intel-rapl-mmio:0` repeats a package and must not match.
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")
_PACKAGE = re.compile(r"package-\d+(-die-\d+)?")

_UDEV_RULE = 'SUBSYSTEM=="powercap", ACTION=="add", RUN+="/bin/chmod a+r /sys%p/energy_uj"'
_NEW_GROUP = "sudo groupadd -f rapl; sudo usermod -aG rapl $USER"
_LOAD_MODULE = "On your own machine: sudo modprobe intel_rapl_msr"

# More than any package draws (500 W is sold today, short peaks are below twice that), and a tenth of a second
# of it for counters that were just behind their update. More than that is a counter that was set, not energy.
_MOST_POWER_UW = 2000e6
_SLACK_S = 0.1

# A package at rest draws watts and its counter is updated every millisecond, so it moves at the first looks.
STILL_S = 1.0
_LOOK_S = 0.002

# Updates that are rarer than this are followed as ticks: at the edges of a window they would be too old. The
# shortest of some gaps counts, because this process may be held up. So long is looked at most.
_RARE_S = 0.005
_GAPS, _LONGEST_LOOK_S, _SHORT_LOOK_S = 3, 0.4, 2e-4


@dataclass(slots=True, kw_only=True)
class _Zone:
    """A zone that counts; its counter's last raw value, when that was, and the sum of all steps."""

    channel: Channel
    counter: Path
    read: Callable[[], str | bytes]
    range_uj: int
    raw_uj: int = 0
    at_s: float = 0.0
    sum_uj: int = 0
    is_read: bool = False

    def joules_at(self, raw_uj: int, time_s: float) -> float:
        """Joules since the sensor was opened, by what the counter showed then.

        Raises:
            SensorError: It may have wrapped unseen, or was set.
        """
        before_uj, elapsed_s, is_first = self.raw_uj, time_s - self.at_s, not self.is_read
        self.raw_uj, self.at_s, self.is_read = raw_uj, time_s, True
        step_uj, most_uj = (raw_uj - before_uj) % self.range_uj, _MOST_POWER_UW * (elapsed_s + _SLACK_S)
        if most_uj >= self.range_uj:
            if is_first:
                return 0.0  # a long time since it was opened, but nobody has joules from before
            raise SensorError(
                f"{self.channel.name}: {self.counter} wasn't read for {elapsed_s:.1f} s, so it may have "
                "wrapped unseen: this process was held up"
            )
        if step_uj > most_uj:
            raise SensorError(
                f"{self.channel.name}: {self.counter} changed from {before_uj} to {raw_uj} uJ in "
                f"{elapsed_s:.3f} s, which is neither use nor a wrap: the machine slept or the driver was "
                "reloaded"
            )
        self.sum_uj += step_uj
        return self.sum_uj * JOULES_PER_MICROJOULE


class _Powercap:
    """The kernel's tree of zones, and how its files are read."""

    def __init__(self, root: Path, read_text: Callable[[Path], str] | None) -> None:
        self._root, self._read_text = root, read_text or read_small
        self._keep: Callable[[Path], Callable[[], str | bytes]] = KeptFile
        if read_text is not None:
            self._keep = partial(partial, read_text)

    def zones(self) -> tuple[_Zone, ...]:
        """The packages and their memory.

        Raises:
            SensorUnavailable: There is no package, or a zone that counts can't be read.
        """
        if not self._root.is_dir():
            because = (
                f"{self._root} doesn't exist: this kernel offers no RAPL, as is usual in virtual machines, "
                "containers and hosted CI"
            )
            raise SensorUnavailable(NAME, Reason(because, (_LOAD_MODULE,)))
        paths = sorted((path for path in self._root.iterdir() if _ZONE.fullmatch(path.name)), key=_place)
        names = {path.name: name for path in paths if (name := self._name(path)) is not None}
        zones = tuple(zone for path in paths if (zone := self._zone(path, names)) is not None)
        if not any(zone.channel.domain is Domain.CPU for zone in zones):
            others = ", ".join(f"{place} ({name})" for place, name in names.items()) or "no readable zone"
            because = (
                f"{self._root} lists {others}, but no CPU package: virtual machines and hosted CI don't "
                "pass RAPL through, and Docker hides it (docker run --security-opt systempaths=unconfined)"
            )
            raise SensorUnavailable(NAME, Reason(because, (_LOAD_MODULE,)))
        return zones

    def _name(self, path: Path) -> str | None:
        try:
            return self._read_text(path / "name").strip()
        except OSError:
            return None  # a container's mask leaves empty folders behind

    def _zone(self, path: Path, names: Mapping[str, str]) -> _Zone | None:
        """The zone at *path* if it counts, else `None`."""
        name = names.get(path.name)
        parent = names.get(path.name.rpartition(":")[0], "")
        if name is not None and _PACKAGE.fullmatch(name):
            domain, package = Domain.CPU, name
        elif name == "dram" and _PACKAGE.fullmatch(parent):
            domain, package = Domain.DRAM, parent
        else:
            return None
        channel = Channel(
            name=f"{domain}:{package}",
            domain=domain,
            device=package,
            is_ticked=False,
            resolution_j=JOULES_PER_MICROJOULE,
        )
        counter = path / "energy_uj"
        return _Zone(
            channel=channel, counter=counter, read=self._keep(counter), range_uj=self._range_uj(path)
        )

    def _range_uj(self, path: Path) -> int:
        """Where the counter of the zone at *path*, which can be read, wraps."""
        counter, file = path / "energy_uj", path / "max_energy_range_uj"
        try:
            self.count_uj(counter)
            range_uj = self.count_uj(file)
        except SensorError as error:
            is_refused = isinstance(error.__cause__, PermissionError)
            raise SensorUnavailable(NAME, permission_reason(counter) if is_refused else str(error)) from error
        if range_uj <= 0:
            raise SensorUnavailable(NAME, f"{file} holds {range_uj}: wraps can't be detected")
        return range_uj

    def count_uj(self, path: Path) -> int:
        """The count in the file *path*.

        Raises:
            SensorError: It can't be read, or holds none.
        """
        try:
            return int(text := self._read_text(path))
        except OSError as error:
            raise SensorError(_why_unread(path, error)) from error
        except ValueError as error:
            raise SensorError(_why_no_count(path, text)) from error

    def each_joule_once(self, zones: Iterable[_Zone]) -> tuple[list[_Zone], list[str]]:
        """The zones less those that repeat another, and a sentence on each of the latter."""
        counted: list[_Zone] = []
        mirrors: list[str] = []
        for zone in zones:
            original = next((other for other in counted if self._is_mirror(other, zone)), None)
            if original is None:
                counted.append(zone)
            else:
                mirrors.append(
                    f"{zone.counter.parent.name} ({zone.channel.name}) repeats {original.channel.name}"
                )
        return counted, mirrors

    def _is_mirror(self, original: _Zone, zone: _Zone) -> bool:
        """Whether both zones show one counter."""
        if original.channel.name == zone.channel.name:
            return True
        if original.channel.domain is not zone.channel.domain:
            return False
        return shows_the_same(
            partial(self.count_uj, original.counter), partial(self.count_uj, zone.counter), original.range_uj
        )


def _why_unread(path: Path, error: OSError) -> str:
    return f"{path} can't be read: {error.strerror or error}"


def _why_no_count(path: Path, text: str | bytes) -> str:
    shown = text if isinstance(text, str) else text.decode("ascii", "replace")
    return f"{path} holds {shown!r}, not a count of microjoules"


def _place(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in path.name.split(":")[1:])


class RaplSensor:
    """RAPL counters of the kernel's powercap tree."""

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        *,
        root: Path = POWERCAP,
        read_text: Callable[[Path], str] | None = None,
        now_s: Callable[[], float] = MACHINE_TIME.now_s,
        sleep_s: Callable[[float], None] = MACHINE_TIME.sleep_s,
    ) -> None:
        """Find the zones that count and watch them move; takes a few milliseconds.

        Args:
            root: The kernel's tree.
            read_text: Reads each file each time; without it the counters' files are kept open.
            now_s: The clock.
            sleep_s: Waits on it.

        Raises:
            SensorUnavailable: No zones, no permission, or counters that don't move.
        """
        self._powercap, self._now_s = _Powercap(root, read_text), now_s
        self._lock = threading.Lock()
        zones = self._powercap.zones()
        counts = {zone.counter: partial(self._powercap.count_uj, zone.counter) for zone in zones}
        try:
            still = find_still(counts, now_s=now_s, sleep_s=sleep_s)
            self.left_out = {
                zone.channel.name: f"{zone.counter} did not move for {STILL_S:g} s: it measures nothing"
                for zone in zones
                if zone.counter in still
            }
            moving = [zone for zone in zones if zone.counter not in still]
            if not any(zone.channel.domain is Domain.CPU for zone in moving):
                raise SensorUnavailable(NAME, *self.left_out.values())
            counted, self._mirrors = self._powercap.each_joule_once(moving)
            for zone in counted:
                gap_s = shortest_gap_s(counts[zone.counter], now_s=now_s, sleep_s=sleep_s)
                if gap_s > _RARE_S:
                    zone.channel = replace(zone.channel, is_ticked=True)
                elif gap_s > COUNTER_AGE_S / 2:
                    zone.channel = replace(zone.channel, age_s=COUNTER_AGE_S)
                zone.raw_uj, zone.at_s = counts[zone.counter](), now_s()
        except SensorError as error:
            raise SensorUnavailable(NAME, str(error)) from error
        self._zones = {zone.channel.name: zone for zone in counted}
        self.channels = tuple(zone.channel for zone in counted)

    def read_j(self, channel: str) -> float:
        """Joules of *channel* since the sensor was opened."""
        return self.read_together_j((channel,))[0]

    def read_together_j(self, channels: Sequence[str]) -> list[float]:
        """The same of several channels: their files one right after another, and then what they mean."""
        # Two threads may read; without the lock an older value could look like a counter that fell.
        with self._lock:
            counts_uj = self._counts_uj(channels)
            now_s = self._now_s()
            return [zone.joules_at(raw_uj, now_s) for zone, raw_uj in counts_uj]

    def _counts_uj(self, channels: Sequence[str]) -> list[tuple[_Zone, int]]:
        counts_uj = []
        for channel in channels:
            zone = self._zones.get(channel)
            if zone is None:
                raise SensorError(f"{channel}: RAPL reads {', '.join(self._zones)}, not this channel")
            try:
                counts_uj.append((zone, int(text := zone.read())))
            except OSError as error:
                raise SensorError(f"{channel}: {_why_unread(zone.counter, error)}") from error
            except ValueError as error:
                raise SensorError(f"{channel}: {_why_no_count(zone.counter, text)}") from error
        return counts_uj

    def usage(self) -> Usage:
        return UNKNOWN_USAGE

    def facts(self) -> Facts:
        return rapl_facts("powercap", self._zones, self.left_out, self._mirrors)

    def close(self) -> None:
        """Close the counters' files."""
        for zone in self._zones.values():
            if isinstance(zone.read, KeptFile):
                zone.read.close()


def rapl_facts(
    interface: str, channels: Iterable[str], left_out: Mapping[str, str], mirrors: Iterable[str] = ()
) -> Facts:
    """Facts about a sensor that reads RAPL through *interface*."""
    texts = {
        "rapl_interface": interface,
        "rapl_left_out": "; ".join(f"{name}: {why}" for name, why in left_out.items()),
        "rapl_mirrors": "; ".join(mirrors),
    }
    present = {name: text for name, text in texts.items() if text}
    return Facts(fixed={"rapl_channels": ", ".join(channels)}, shown=present)


def permission_reason(counter: Path) -> Reason:
    """The file's permissions, and three ways to get read access."""
    pattern = counter.parent.parent / "intel-rapl:*" / "energy_uj"
    group = f"{_NEW_GROUP}; sudo chgrp rapl {pattern}; sudo chmod g+r {pattern}; then log in again"
    return Reason(
        f"{counter} has mode {mode_text(counter)}; since Linux 5.10 only root may read it (CVE-2020-8694)",
        (
            f"Until the next boot: sudo chmod a+r {pattern}",
            f"Permanently, in /etc/udev/rules.d/70-rapl.rules: {_UDEV_RULE}",
            f"For one group only: {group}",
            "Readable RAPL lets other users of the machine infer secrets from power",
        ),
    )


def mode_text(path: Path) -> str:
    """The permissions of a file, such as `0400`."""
    try:
        return f"{path.stat().st_mode & 0o7777:04o}"
    except OSError:
        return "unknown"


def shows_the_same(
    original: Callable[[], int], other: Callable[[], int], range_uj: int | None = None
) -> bool:
    """Whether both counters show one: what is read of it between two reads of the original lies between them.

    Two counters of their own, anywhere in 65 kJ or more, don't meet within the millijoules that pass
    meanwhile. *range_uj* is where they wrap, if they do.
    """
    before_uj, between_uj, after_uj = original(), other(), original()
    if range_uj is None:
        return before_uj <= between_uj <= after_uj
    return (between_uj - before_uj) % range_uj <= (after_uj - before_uj) % range_uj


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


def shortest_gap_s(
    count: Callable[[], int], *, now_s: Callable[[], float], sleep_s: Callable[[float], None]
) -> float:
    """The shortest of some gaps between the updates of a counter; 0 if it was not updated twice."""
    start_s, value, moved_s = now_s(), count(), None
    gaps_s: list[float] = []
    while len(gaps_s) < _GAPS and now_s() - start_s < _LONGEST_LOOK_S:
        sleep_s(_SHORT_LOOK_S)
        last, value = value, count()
        if value != last:
            gaps_s += [] if moved_s is None else [now_s() - moved_s]
            moved_s = now_s()
    return min(gaps_s, default=0.0)
