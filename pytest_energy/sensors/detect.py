"""Which sensors this machine has, and why the others are absent.

Rule 1: joules of different provenance never meet in one run; an estimate is taken only where nothing
        measures.
Rule 2: a sensor asked for by name that is absent is reported absent; no other takes its place.
Rule 3: no channel is read by two sensors.
Rule 4: a sensor that repeats another's joules is taken only when it is asked for by name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from pytest_energy.errors import SensorUnavailable, SettingsError
from pytest_energy.model import Provenance, SensorStatus
from pytest_energy.sensors import estimate, nvml, perf, pyrapl, rapl
from pytest_energy.sensors.protocol import Sensor

Opener = Callable[[], Sensor]

# Sensors that are there for comparison with other people's numbers, never taken by themselves.
ONLY_BY_NAME = frozenset({pyrapl.NAME})

_NONE_EXTRA: Mapping[str, Opener] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The sensors of this machine.

    Attributes:
        sensors: Those to measure with, open; all of one provenance. Empty where there are none.
        statuses: One for each sensor that was tried: there with its channels, or absent and why; and one
            for each device that a sensor which is there can't read.
    """

    sensors: tuple[Sensor, ...]
    statuses: tuple[SensorStatus, ...]


@runtime_checkable
class _LeavesOut(Protocol):
    """A sensor that can't read all of its hardware: channel name to why not."""

    @property
    def left_out(self) -> Mapping[str, str]: ...


def builtin_openers(cpu_tdp_w: float | None = None) -> dict[str, Opener]:
    """The sensors of this package, by name."""
    return {
        nvml.NAME: nvml.NvmlSensor.open,
        rapl.NAME: open_rapl,
        pyrapl.NAME: pyrapl.PyraplSensor.open,
        estimate.NAME: lambda: estimate.EstimateSensor.open(cpu_tdp_w=cpu_tdp_w),
    }


def open_rapl(
    powercap: Opener = rapl.RaplSensor.open,
    perf_events: Opener = perf.PerfSensor.open,
) -> Sensor:
    """RAPL by the first way that works: powercap, then perf.

    Raises:
        SensorUnavailable: Neither works, with both reasons.
    """
    try:
        return powercap()
    except SensorUnavailable as error:
        no_powercap = error.because
    try:
        return perf_events()
    except SensorUnavailable as error:
        raise SensorUnavailable(
            rapl.NAME, f"through powercap: {no_powercap}; through perf: {error.because}"
        ) from error


def detect(
    names: tuple[str, ...] | None,
    *,
    openers: Mapping[str, Opener] | None = None,
    cpu_tdp_w: float | None = None,
    extra: Mapping[str, Opener] = _NONE_EXTRA,
) -> Found:
    """Open the sensors *names*, or those that this machine has.

    Args:
        names: Sensors asked for, or `None` for all that measure and, where none does, the estimate.
        openers: Sensors of this package by name, each value opening one.
        cpu_tdp_w: TDP of all CPUs together in watts, for the estimate.
        extra: Sensors of other packages.

    Raises:
        SettingsError: A name is unknown or taken twice, or the sensors asked for differ in provenance.
    """
    own = builtin_openers(cpu_tdp_w) if openers is None else openers
    if taken := sorted(set(own) & set(extra)):
        raise SettingsError(
            f"a plugin offers a sensor named {', '.join(taken)}, which this package has; rename it"
        )
    known = {**own, **extra}
    if names is not None:
        return _named(names, known)
    auto = {name: known[name] for name in known if name != estimate.NAME and name not in ONLY_BY_NAME}
    opened, statuses = _open_each(auto)
    opened, estimates = _measured_first(opened)
    statuses += [
        _absent(
            sensor.name, "it estimates, and measured and estimated joules are never mixed", sensor.provenance
        )
        for sensor in estimates
    ]
    if not opened and estimate.NAME in known:
        opened, more = _open_each({estimate.NAME: known[estimate.NAME]})
        statuses += more
    return _found(opened, statuses)


def check_names(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a sensor name that nobody offers, without opening any sensor.

    Raises:
        SettingsError: A name of *names* is not in *known*, or there is none.
    """
    asked, offered = tuple(names), tuple(known)
    unknown = [name for name in asked if name not in offered]
    if unknown or not asked:
        what = f"no sensor is named {', '.join(unknown)}" if unknown else "no sensor is named"
        raise SettingsError(f"--energy-sensors: {what}; there are auto, {', '.join(offered)} and replay:FILE")


def _named(names: Iterable[str], known: Mapping[str, Opener]) -> Found:
    asked = tuple(dict.fromkeys(names))
    check_names(asked, known)
    opened, statuses = _open_each({name: known[name] for name in asked})
    if len({sensor.provenance for sensor in opened}) > 1:
        _close(opened)
        kinds = ", ".join(f"{sensor.name} ({sensor.provenance})" for sensor in opened)
        raise SettingsError(f"--energy-sensors: joules of different provenance are never mixed: {kinds}")
    return _found(opened, statuses)


def _open_each(openers: Mapping[str, Opener]) -> tuple[list[Sensor], list[SensorStatus]]:
    """The sensors that open and read channels of their own, and the status of those that don't."""
    opened: list[Sensor] = []
    absent: list[SensorStatus] = []
    for name, opener in openers.items():
        try:
            sensor = opener()
        except SensorUnavailable as error:
            kind = Provenance.ESTIMATED if name == estimate.NAME else Provenance.MEASURED
            absent.append(_absent(name, error.because, kind))
            continue
        except BaseException:
            _close(opened)
            raise
        if clash := _clash(sensor, opened):
            sensor.close()
            absent.append(_absent(name, clash, sensor.provenance))
        else:
            opened.append(sensor)
    return opened, absent


def _clash(sensor: Sensor, opened: Iterable[Sensor]) -> str | None:
    """Why *sensor* would count joules again that another counts, or `None`."""
    own = {channel.name for channel in sensor.channels}
    for other in opened:
        if both := sorted(own & {channel.name for channel in other.channels}):
            return f"{other.name} reads {', '.join(both)} already, and each joule counts once"
    return None


def _measured_first(opened: list[Sensor]) -> tuple[list[Sensor], list[Sensor]]:
    """The sensors to keep, and estimates that measured ones make needless, closed."""
    measured = [sensor for sensor in opened if sensor.provenance is Provenance.MEASURED]
    if not measured:
        return opened, []
    estimates = [sensor for sensor in opened if sensor not in measured]
    _close(estimates)
    return measured, estimates


def _found(opened: Iterable[Sensor], absent: Iterable[SensorStatus]) -> Found:
    sensors = tuple(opened)
    there = [
        SensorStatus(
            name=sensor.name,
            channels=tuple(channel.name for channel in sensor.channels),
            provenance=sensor.provenance,
        )
        for sensor in sensors
    ]
    left_out = [
        _absent(f"{sensor.name} {channel}", why, sensor.provenance)
        for sensor in sensors
        if isinstance(sensor, _LeavesOut)
        for channel, why in sensor.left_out.items()
    ]
    return Found(sensors=sensors, statuses=(*there, *left_out, *absent))


def _absent(name: str, because: str, provenance: Provenance) -> SensorStatus:
    return SensorStatus(name=name, provenance=provenance, absent_because=because)


def _close(sensors: Iterable[Sensor]) -> None:
    for sensor in sensors:
        sensor.close()
