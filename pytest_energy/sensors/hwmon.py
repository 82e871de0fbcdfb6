"""Boards and cards whose energy or power the kernel shows under `/sys/class/hwmon`.

Rule 1: only known rails count, each joule once (`hwmon_rails.py`); each of the others has a reason.
Rule 2: a counter of joules is read as one. Power is integrated, and its channel says so.
Rule 3: power that is a mean over a long time puts the joules of a burst into the next: it doesn't count.

Source: Linux, Documentation/ABI/testing/sysfs-class-hwmon: energy in microjoules, power in microwatts,
        voltage in millivolts, current in milliamperes, intervals in milliseconds;
        Documentation/hwmon/ina3221.rst and acpi_power_meter.rst.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest_energy.errors import Reason, SensorError, SensorUnavailable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Channel, Provenance
from pytest_energy.sensors.hwmon_rails import (
    Rail,
    amdgpu_rail,
    counter_rail,
    jetson_rail,
    power_meter_rail,
)
from pytest_energy.sensors.integrated_power import IntegratedPower
from pytest_energy.sensors.prompt_read import read_small
from pytest_energy.sensors.protocol import Facts
from pytest_energy.sensors.rapl import STILL_S, find_still
from pytest_energy.units import JOULES_PER_MICROJOULE, WATTS_PER_MICROWATT
from pytest_energy.usage import Usage

NAME = "hwmon"
HWMON = Path("/sys/class/hwmon")

_COUNTERS = ("i915", "xe", "amd_energy")
_MONITORS = ("ina3221",)
_METER = "power_meter"
_CARD = "amdgpu"

_WATTS_PER_MILLIVOLT_MILLIAMPERE = 1e-6
_SECONDS_PER_MILLISECOND = 1e-3
_UPDATE_S = 0.1  # of a chip that doesn't report its own interval
_LONGEST_UPDATE_S = 0.2  # as often as the integral moves
_NOISE_W = 0.5

ReadText = Callable[[Path], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """What a rail is read from: a counter of joules, or power of a moment that is updated now and then."""

    rail: Rail
    files: tuple[Path, ...]
    read: Callable[[], float]
    update_s: float | None = None


class _Tree:
    """The kernel's tree of chips, and how its files are read."""

    def __init__(self, root: Path, read_text: ReadText) -> None:
        self._root, self._read_text = root, read_text

    def found(self) -> Iterator[tuple[str, _Source | str]]:
        """Each rail by its place in the tree: what it is read from, or why it doesn't count."""
        chips = [(path, self._text(path / "name")) for path in self._folders()]
        by_chip = {chip: [path for path, name in chips if name == chip] for _, chip in chips}
        for chip in _COUNTERS:
            for place, path in enumerate(by_chip.get(chip, ())):
                yield from self._counters(chip, place, path)
        yield from self._monitors([path for chip in _MONITORS for path in by_chip.get(chip, ())])
        yield from self._meters(by_chip.get(_METER, []))
        yield from self._cards(by_chip.get(_CARD, []))

    def _folders(self) -> list[Path]:
        try:
            paths = [path for path in self._root.iterdir() if re.fullmatch(r"hwmon\d+", path.name)]
        except OSError:
            return []
        return sorted(paths, key=lambda path: int(path.name.removeprefix("hwmon")))

    def _text(self, path: Path) -> str:
        try:
            return self._read_text(path).strip()
        except OSError:
            return ""

    def _counters(self, chip: str, place: int, path: Path) -> Iterator[tuple[str, _Source | str]]:
        files = _numbered(path, "energy")
        labels = {number: self._text(path / f"energy{number}_label") for number in files}
        for number, file in files.items():
            rail = counter_rail(chip, place, labels[number], set(labels.values()))
            yield (
                f"{path.name} {labels[number] or file.name}",
                rail
                if isinstance(rail, str)
                else _Source(rail=rail, files=(file,), read=partial(self._energy_j, file)),
            )

    def _monitors(self, paths: list[Path]) -> Iterator[tuple[str, _Source | str]]:
        """The monitors of one board: their rails are known only together."""
        rails = {
            (path, number): self._text(path / f"in{number}_label")
            for path in paths
            for number in _numbered(path, "curr")
        }
        for (path, number), label in rails.items():
            rail = jetson_rail(label, set(rails.values()))
            if rail is None:
                continue
            volts, amperes = path / f"in{number}_input", path / f"curr{number}_input"
            interval = self._milliseconds(path / "update_interval")
            yield (
                f"{path.name} {label}",
                rail
                if isinstance(rail, str)
                else self._power(rail, (volts, amperes), partial(self._product_w, volts, amperes), interval),
            )

    def _meters(self, paths: list[Path]) -> Iterator[tuple[str, _Source | str]]:
        places = {
            path: next((at for at in (path, path / "device") if (at / "power1_average").exists()), path)
            for path in paths
        }
        labels = {path: self._text(places[path] / "power1_oem_info") for path in paths}
        for path, at in places.items():
            rail, file = power_meter_rail(labels[path], set(labels.values())), at / "power1_average"
            interval = self._milliseconds(at / "power1_average_interval")
            yield (
                f"{path.name} {labels[path] or 'power1'}",
                rail
                if isinstance(rail, str)
                else self._power(rail, (file,), partial(self._power_w, file), interval),
            )

    def _cards(self, paths: list[Path]) -> Iterator[tuple[str, _Source | str]]:
        with_cpu = {path for path in paths if self._text(path / "in1_label") == "vddnb"}
        for place, path in enumerate(paths):
            file = path / "power1_input"
            limit_w = self._watts(path / "power1_cap")
            rail = amdgpu_rail(
                place,
                unique_id=self._text(path / "device" / "unique_id"),
                limit_w=limit_w,
                is_with_cpu=path in with_cpu,
                is_of_now=file.exists(),
                is_alone=len(paths) - len(with_cpu) == 1,
            )
            yield (
                f"{path.name} {_CARD}",
                rail
                if isinstance(rail, str)
                else self._power(rail, (file,), partial(self._power_w, file), None),
            )

    def _watts(self, path: Path) -> float | None:
        try:
            return self._power_w(path)
        except SensorError:
            return None

    def _power(
        self, rail: Rail, files: tuple[Path, ...], read: Callable[[], float], interval_s: float | None
    ) -> _Source | str:
        update_s = _UPDATE_S if interval_s is None else interval_s
        if update_s > _LONGEST_UPDATE_S:
            return (
                f"its power is a mean over {1000 * update_s:g} ms, and more than "
                f"{1000 * _LONGEST_UPDATE_S:g} ms can't be assigned to a test"
            )
        return _Source(rail=rail, files=files, read=partial(_checked_w, rail, files, read), update_s=update_s)

    def _milliseconds(self, path: Path) -> float | None:
        try:
            return max(0.0, self._number(path) * _SECONDS_PER_MILLISECOND)
        except SensorError:
            return None

    def _number(self, path: Path) -> int:
        """The number in the file *path*.

        Raises:
            SensorError: It can't be read, or holds none.
        """
        try:
            text = self._read_text(path)
        except OSError as error:
            raise SensorError(f"{path} can't be read: {error.strerror or error}") from error
        try:
            return int(text)
        except ValueError as error:
            raise SensorError(f"{path} holds {text!r}, not a number") from error

    def _energy_j(self, path: Path) -> float:
        return self._number(path) * JOULES_PER_MICROJOULE

    def _power_w(self, path: Path) -> float:
        return self._number(path) * WATTS_PER_MICROWATT

    def _product_w(self, millivolts: Path, milliamperes: Path) -> float:
        return self._number(millivolts) * self._number(milliamperes) * _WATTS_PER_MILLIVOLT_MILLIAMPERE


def _checked_w(rail: Rail, files: tuple[Path, ...], read: Callable[[], float]) -> float:
    """Power that the rail may have: a monitor without load shows a little less than 0.

    Raises:
        SensorError: It can't be read, or isn't that.
    """
    power_w = read()
    if not -_NOISE_W <= power_w <= rail.most_w:
        names = " and ".join(map(str, files))
        raise SensorError(f"{names} give {power_w:g} W, and the rail draws 0 to {rail.most_w:g} W")
    return max(0.0, power_w)


def _numbered(path: Path, kind: str) -> dict[int, Path]:
    """The files such as `energy1_input` in *path*, by their number."""
    found = (re.fullmatch(rf"{kind}(\d+)_input", file.name) for file in path.iterdir())
    return {int(one[1]): path / one[0] for one in sorted(filter(None, found), key=lambda one: int(one[1]))}


class _Counter:
    """A counter of joules, which never falls."""

    def __init__(self, channel: str, source: _Source) -> None:
        self._channel, self._source = channel, source
        self._last_j: float | None = None

    def read_j(self) -> float:
        joules, last_j = self._source.read(), self._last_j
        self._last_j = joules
        if last_j is not None and joules < last_j:
            raise SensorError(
                f"{self._channel}: {self._source.files[0]} fell from {last_j:g} to {joules:g} J: it wrapped, "
                "or its driver was reloaded"
            )
        return joules


class HwmonSensor:
    """Known rails and counters of the kernel's hwmon tree."""

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        *,
        root: Path = HWMON,
        read_text: ReadText = read_small,
        now_s: Callable[[], float] = MACHINE_TIME.now_s,
        sleep_s: Callable[[float], None] = MACHINE_TIME.sleep_s,
    ) -> None:
        """Find the rails that count.

        Raises:
            SensorUnavailable: There is none, with the reason of each that was found.
        """
        found = dict(_Tree(root, read_text).found())
        self.left_out = {place: why for place, why in found.items() if isinstance(why, str)}
        sources = {place: one for place, one in found.items() if isinstance(one, _Source)}
        self._refuse_unusable(sources, now_s, sleep_s)
        self._readers: dict[str, IntegratedPower | _Counter] = {}
        channels = []
        for place, source in sources.items():
            channel, reader = _channel(source, now_s)
            if channel.name in self._readers:
                self.left_out[place] = f"another rail is {channel.name} already"
                continue
            channels.append(channel)
            self._readers[channel.name] = reader
        self.channels = tuple(channels)
        if not channels:
            reasons = [Reason(f"{place}: {why}") for place, why in self.left_out.items()]
            nothing = Reason(f"{root} has no chip whose energy or power is known to this package")
            raise SensorUnavailable(NAME, *(reasons or [nothing]))

    def _refuse_unusable(
        self,
        sources: dict[str, _Source],
        now_s: Callable[[], float],
        sleep_s: Callable[[float], None],
    ) -> None:
        """Move sources that can't be read, or whose counter doesn't move, to what is left out."""
        for place, source in list(sources.items()):
            try:
                source.read()
            except SensorError as error:
                self.left_out[place] = str(error)
                del sources[place]
        counts = {
            place: partial(_microjoules, source)
            for place, source in sources.items()
            if source.update_s is None
        }
        try:
            still = find_still(counts, now_s=now_s, sleep_s=sleep_s) if counts else frozenset[str]()
        except SensorError as error:
            raise SensorUnavailable(NAME, str(error)) from error
        for place in still:
            self.left_out[place] = f"it did not move for {STILL_S:g} s: it measures nothing"
            del sources[place]

    def leave_out(self, channel: str, because: str) -> None:
        """Read *channel* no longer, as another sensor reads it."""
        del self._readers[channel]
        self.channels = tuple(one for one in self.channels if one.name != channel)
        self.left_out[channel] = because

    def read_j(self, channel: str) -> float:
        """Joules of *channel*, from an arbitrary zero."""
        reader = self._readers.get(channel)
        if reader is None:
            raise SensorError(f"{channel}: hwmon reads {', '.join(self._readers)}, not this channel")
        try:
            return reader.read_j()
        except SensorError as error:
            if channel in str(error):
                raise
            raise SensorError(f"{channel}: {error}") from error

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        shown: Mapping[str, str] = {
            "hwmon_left_out": "; ".join(f"{place}: {why}" for place, why in self.left_out.items())
        }
        return Facts(
            fixed={"hwmon_channels": ", ".join(self._readers)},
            shown={name: text for name, text in shown.items() if text},
        )

    def close(self) -> None:
        """Nothing is held open."""


def _microjoules(source: _Source) -> int:
    return round(source.read() / JOULES_PER_MICROJOULE)


def _channel(source: _Source, now_s: Callable[[], float]) -> tuple[Channel, IntegratedPower | _Counter]:
    rail = source.rail
    name = f"{rail.domain}:{rail.name}"
    channel = Channel(
        name=name,
        domain=rail.domain,
        device=rail.device or rail.name,
        is_ticked=source.update_s is not None,
        resolution_j=JOULES_PER_MICROJOULE,
    )
    if source.update_s is None:
        return channel, _Counter(name, source)
    power = IntegratedPower(
        name,
        source.read,
        limit_w=rail.most_w,
        now_s=now_s,
        update_s=source.update_s,
        may_be_off=rail.may_be_off,
    )
    return power.of(channel), power
