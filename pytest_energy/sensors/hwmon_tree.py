"""The kernel's tree of chips under `/sys/class/hwmon`: what counts in it, and why the rest doesn't.

Rule 1: chips are in the order of their places in the machine. Their numbers may change at each boot.
Rule 2: what can't be known of a chip leaves it out with a reason; nothing of it ends the search.
Rule 3: a chip that isn't known has a reason, too, where it shows energy, power or a current.

Source: Linux, Documentation/ABI/testing/sysfs-class-hwmon: energy in microjoules, power in microwatts,
        voltage in millivolts, current in milliamperes, intervals in milliseconds;
        Documentation/hwmon/ina3221.rst; drivers/hwmon/acpi_power_meter.c, whose files, its name among them,
        are in the folder of the device until they are in that of the chip.
"""

import errno
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest_energy.errors import SensorError, printable
from pytest_energy.sensors.hwmon_rails import (
    Rail,
    amdgpu_rail,
    counter_rail,
    jetson_rail,
    power_meter_rail,
)
from pytest_energy.units import JOULES_PER_MICROJOULE, WATTS_PER_MICROWATT

_COUNTERS = ("i915", "xe", "amd_energy")
_MONITOR, _METER, _CARD = "ina3221", "power_meter", "amdgpu"

_WATTS_PER_MILLIVOLT_MILLIAMPERE = 1e-6
_SECONDS_PER_MILLISECOND = 1e-3
_UPDATE_S = 0.1  # of a chip that doesn't report its own interval
_SHORTEST_UPDATE_S = 1e-3  # an interval is in milliseconds, and 0 of them are less than one
_LONGEST_UPDATE_S = 0.2  # as often as the integral moves
_NOISE_W = 0.5

_NUMBER = re.compile(r"\s*(-?[0-9]{1,20})\s*")  # 64 bits
_CHIP = re.compile(r"hwmon[0-9]+")
_SHOWS = re.compile(r"(?:energy|power|curr)[0-9]+_(?:input|average)")
_MOST_SHOWN = 6

ReadText = Callable[[Path], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a rail is read from: a counter of joules, or power of a moment that is updated now and then.

    Attributes:
        chip: Kind of the chip that it is of.
        files: Those that *read* reads.
        read: Joules or watts.
        update_s: How often power is updated; `None` of a counter.
    """

    rail: Rail
    chip: str
    files: tuple[Path, ...]
    read: Callable[[], float]
    update_s: float | None = None


Found = Iterator[tuple[str, Source | str]]


class Tree:
    """The kernel's tree of chips, and how its files are read."""

    def __init__(self, root: Path, read_text: ReadText) -> None:
        self._root, self._read_text = root, read_text

    def found(self) -> Found:
        """Each rail by its place in the tree: what it is read from, or why it doesn't count."""
        by_kind: dict[str, list[Path]] = {}
        for path in self._folders():
            by_kind.setdefault(self._kind(path), []).append(path)
        for kind in _COUNTERS:
            for place, path in enumerate(by_kind.pop(kind, ())):
                yield from self._counters(kind, place, path)
        yield from self._monitors(by_kind.pop(_MONITOR, []))
        yield from self._meters(by_kind.pop(_METER, []))
        yield from self._cards(by_kind.pop(_CARD, []))
        for kind, paths in by_kind.items():
            for path in paths:
                yield from self._unknown(kind, path)

    # ---- folders and files ----

    def _folders(self) -> list[Path]:
        try:
            paths = [path for path in self._root.iterdir() if _CHIP.fullmatch(path.name)]
        except OSError:
            return []
        return [*dict.fromkeys(_real(path) for path in sorted(paths, key=_place))]

    def _kind(self, path: Path) -> str:
        """The name of the chip at *path*; some drivers have it in the folder of the device."""
        return self._text(path / "name") or self._text(path / "device" / "name")

    def _text(self, path: Path) -> str:
        try:
            return printable(self._read_text(path).strip())
        except OSError:
            return ""

    def _number(self, path: Path) -> int:
        """The number in the file *path*.

        Raises:
            SensorError: It can't be read, or holds none.
        """
        try:
            text = self._read_text(path)
        except OSError as error:
            remedy = f" (sudo chmod a+r {path})" if error.errno == errno.EACCES else ""
            raise SensorError(f"{path} can't be read: {error.strerror or error}{remedy}") from error
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise SensorError(f"{path} holds {text!r}, not a number")
        return int(match[1])

    def _count(self, path: Path) -> int:
        """The same, of what is never below 0: drivers write -1 for what they don't know.

        Raises:
            SensorError: As for `_number`; or it is below 0.
        """
        number = self._number(path)
        if number < 0:
            raise SensorError(f"{path} holds {number}, and it can't be below 0")
        return number

    def _energy_j(self, path: Path) -> float:
        return self._count(path) * JOULES_PER_MICROJOULE

    def _power_w(self, path: Path) -> float:
        return self._count(path) * WATTS_PER_MICROWATT

    def _product_w(self, millivolts: Path, milliamperes: Path) -> float:
        return self._count(millivolts) * self._number(milliamperes) * _WATTS_PER_MILLIVOLT_MILLIAMPERE

    def _interval_s(self, path: Path) -> float | None:
        try:
            return self._count(path) * _SECONDS_PER_MILLISECOND
        except SensorError:
            return None

    def _watts(self, path: Path) -> float | None:
        try:
            return self._power_w(path)
        except SensorError:
            return None

    # ---- chips ----

    def _counters(self, kind: str, place: int, path: Path) -> Found:
        files = _numbered(path, "energy")
        labels = {number: self._text(path / f"energy{number}_label") for number in files}
        of_chip = frozenset(labels.values())
        for number, file in files.items():
            rail = counter_rail(kind, place, labels[number], of_chip)
            yield (
                f"{path.name} {labels[number] or file.name}",
                rail
                if isinstance(rail, str)
                else Source(rail=rail, chip=kind, files=(file,), read=partial(self._energy_j, file)),
            )

    def _monitors(self, paths: list[Path]) -> Found:
        """The monitors of one board: their rails are known only together."""
        labels = {
            (path, number): self._text(path / f"in{number}_label")
            for path in paths
            for number in _numbered(path, "curr")
        }
        of_board = frozenset(labels.values())
        for (path, number), label in labels.items():
            rail = jetson_rail(label, of_board)
            if rail is None:
                continue
            volts, amperes = path / f"in{number}_input", path / f"curr{number}_input"
            update_s = self._interval_s(path / "update_interval")
            yield (
                f"{path.name} {label or amperes.name}",
                rail
                if isinstance(rail, str)
                else _power(
                    Source(
                        rail=rail,
                        chip=_MONITOR,
                        files=(volts, amperes),
                        read=partial(self._product_w, volts, amperes),
                        update_s=_UPDATE_S if update_s is None else update_s,
                    )
                ),
            )

    def _meters(self, paths: list[Path]) -> Found:
        places = {
            path: next((at for at in (path, path / "device") if (at / "power1_average").exists()), path)
            for path in paths
        }
        labels = {path: self._text(places[path] / "power1_oem_info") for path in paths}
        of_machine = frozenset(labels.values())
        for path, at in places.items():
            yield (
                f"{path.name} {labels[path] or 'power1'}",
                self._meter(at, power_meter_rail(labels[path], of_machine)),
            )

    def _meter(self, at: Path, rail: Rail | str) -> Source | str:
        if isinstance(rail, str):
            return rail
        file, interval = at / "power1_average", at / "power1_average_interval"
        update_s = self._interval_s(interval)
        if not update_s:
            return f"its power is a mean over an unknown time: {interval} has none"
        shortest_s = self._interval_s(at / "power1_average_interval_min")
        read = partial(self._power_w, file)
        source = _power(Source(rail=rail, chip=_METER, files=(file,), read=read, update_s=update_s))
        if isinstance(source, str) and shortest_s and shortest_s <= _LONGEST_UPDATE_S:
            return f"{source}; shorter: echo {1000 * shortest_s:g} | sudo tee {interval}"
        return source

    def _cards(self, paths: list[Path]) -> Found:
        with_cpu = {path for path in paths if self._text(path / "in1_label") == "vddnb"}
        for place, path in enumerate(paths):
            file = path / "power1_input"
            rail = amdgpu_rail(
                place,
                unique_id=self._text(path / "device" / "unique_id"),
                limit_w=self._watts(path / "power1_cap"),
                is_with_cpu=path in with_cpu,
                is_of_now=file.exists(),
                is_alone=len(paths) - len(with_cpu) == 1,
            )
            read = partial(self._power_w, file)
            yield (
                f"{path.name} {_CARD}",
                rail
                if isinstance(rail, str)
                else _power(Source(rail=rail, chip=_CARD, files=(file,), read=read, update_s=_UPDATE_S)),
            )

    def _unknown(self, kind: str, path: Path) -> Found:
        """Rule 3: what a chip shows whose place among the others nobody knows."""
        shown = sorted(file for file in _names(path) if _SHOWS.fullmatch(file))
        if not shown:
            return
        labels = [self._text(path / f"{file.partition('_')[0]}_label") for file in shown]
        texts = [f"{label} ({file})" if label else file for label, file in zip(labels, shown, strict=True)]
        more = f" and {len(texts) - _MOST_SHOWN} more" if len(texts) > _MOST_SHOWN else ""
        shows = f"it shows {', '.join(texts[:_MOST_SHOWN])}{more}"
        unknown = "this package doesn't know what that is a part of. A sensor of your own can read it"
        yield f"{path.name} {kind or 'without a name'}", f"{shows}; {unknown}"


def _real(path: Path) -> Path:
    """The chip's folder under that of its device: once that is removed, another chip may have its number."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path


def _place(path: Path) -> tuple[str, int]:
    """Where the chip is in the machine; then by its number, as chips of one device are in a fixed order."""
    return str(_real(path).parent), int(path.name.removeprefix("hwmon"))


def _names(path: Path) -> list[str]:
    try:
        return [file.name for file in path.iterdir()]
    except OSError:  # the device was removed meanwhile, or it is no folder
        return []


def _numbered(path: Path, quantity: str) -> Mapping[int, Path]:
    """The files such as `energy1_input` in *path*, by their number."""
    found = (re.fullmatch(rf"{quantity}([0-9]+)_input", name) for name in _names(path))
    return {int(one[1]): path / one[0] for one in sorted(filter(None, found), key=lambda one: int(one[1]))}


def _power(source: Source) -> Source | str:
    """*source* with a check of its power; or why its power can't be assigned to a test."""
    rail, update_s = source.rail, max(_SHORTEST_UPDATE_S, source.update_s or 0.0)
    if update_s > _LONGEST_UPDATE_S:
        return (
            f"its power is a mean over {1000 * update_s:g} ms, and more than "
            f"{1000 * _LONGEST_UPDATE_S:g} ms can't be assigned to a test"
        )
    read = partial(_checked_w, rail, source.files, source.read)
    return Source(rail=rail, chip=source.chip, files=source.files, read=read, update_s=update_s)


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
