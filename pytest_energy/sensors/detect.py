"""Finds the sensors of this machine, with a reason for each that is absent.

Rule 1: joules of different provenance never meet in one run; an estimate is taken only where nothing
        measures.
Rule 2: a sensor asked for by name that is absent is reported absent; no other takes its place.
Rule 3: no channel is read by two sensors.
Rule 4: the estimate of a slice of a GPU is taken by name alone: too much of it may be its neighbours'.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import NoReturn

from pytest_energy import system
from pytest_energy.codec import brief
from pytest_energy.errors import NoSuchHardware, Reason, SensorUnavailable, SettingsError, described
from pytest_energy.model import Channel, Domain, Provenance, SensorStatus
from pytest_energy.sensors import amdsmi, apple, estimate, hwmon, mig, nvml, perf, rapl
from pytest_energy.sensors.protocol import CanLeaveOut, LeavesOut, ReadByOthers, Sensor
from pytest_energy.sensors.pynvml_library import ODD
from pytest_energy.spelling import did_you_mean

Opener = Callable[[], Sensor]
_Absence = tuple[SensorStatus, tuple[Reason, ...]]

# Why a sensor of Linux is absent on another system.
_OF_LINUX = "it reads files of Linux's kernel, and this is {}"
_ELSEWHERE = {
    (nvml.NAME, "macOS"): "NVIDIA has no driver for macOS",
    (
        nvml.NAME,
        "Windows",
    ): "on Windows a GPU can't be reserved for one run, and two would measure each other",
}
_RUN_ON_LINUX = "Measure on Linux; here the CPU is estimated, which --energy-estimates=gate judges"

# What a GPU's counter may include without the joules of a CPU or of memory.
_SCOPES_OF_GPUS = frozenset({nvml.SCOPE_IS_GPU, amdsmi.SCOPE_IS_CARD})

_ESTIMATES = frozenset({apple.NAME, estimate.NAME, mig.NAME})

# Sensors that this package had, and what to ask for now.
_FORMER = {"pyrapl": "rapl reads the same counters"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorSet:
    """The sensors of this machine.

    Attributes:
        sensors: Those to measure with, open; all of one provenance. Empty where there are none.
        statuses: One for each sensor that was tried: there with its channels, or absent and why; and one
            for each device that a sensor which is there can't read.
        reasons: Why each absent one is, with the fix, by the name in its status.
        cpu_power: Models the CPU where other hardware is measured and the CPU is not, to be shown beside the
            joules; or `None`.
    """

    sensors: tuple[Sensor, ...]
    statuses: tuple[SensorStatus, ...]
    reasons: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)
    cpu_power: estimate.CpuPower | None = None


def builtin_openers(cpu_tdp_w: float | None = None) -> dict[str, Opener]:
    """The sensors of this package, by name."""
    openers: dict[str, Opener] = {
        nvml.NAME: nvml.NvmlSensor,
        amdsmi.NAME: amdsmi.AmdSmiSensor,
        rapl.NAME: open_rapl,
        hwmon.NAME: hwmon.HwmonSensor,
        apple.NAME: apple.AppleSensor,
        mig.NAME: mig.MigSensor,
        estimate.NAME: lambda: estimate.EstimateSensor(cpu_tdp_w=cpu_tdp_w),
    }
    if not system.IS_LINUX:
        openers |= {name: partial(_refuse_elsewhere, name) for name in (nvml.NAME, rapl.NAME, hwmon.NAME)}
    return openers


def _refuse_elsewhere(name: str) -> NoReturn:
    because = _ELSEWHERE.get((name, system.NAME), _OF_LINUX.format(system.NAME))
    raise SensorUnavailable(name, Reason(because, (_RUN_ON_LINUX,)))


def open_rapl(powercap: Opener = rapl.RaplSensor, perf_events: Opener = perf.PerfSensor) -> Sensor:
    """RAPL by the first way that works: powercap, then perf.

    Raises:
        SensorUnavailable: Neither works, with both reasons.
    """
    reasons: list[Reason] = []
    for way, opener in (("powercap", powercap), ("perf", perf_events)):
        try:
            return opener()
        except SensorUnavailable as error:
            reasons += (replace(one, because=f"through {way}: {one.because}") for one in error.reasons)
    raise SensorUnavailable(rapl.NAME, *reasons)


def detect(
    names: tuple[str, ...] | None,
    *,
    openers: Mapping[str, Opener] | None = None,
    cpu_tdp_w: float | None = None,
    extra: Mapping[str, Opener] | None = None,
) -> SensorSet:
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
    extra = {} if extra is None else extra
    if clashes := sorted(set(own) & set(extra)):
        raise SettingsError(
            f"a plugin offers a sensor named {', '.join(clashes)}, which this package has; rename it"
        )
    known = {**own, **extra}
    found = _automatic(known) if names is None else _named(names, known)
    return replace(found, cpu_power=_cpu_power(found.sensors, own))


def _automatic(known: Mapping[str, Opener]) -> SensorSet:
    openers = {name: known[name] for name in known if name not in {estimate.NAME, mig.NAME}}
    opened, absences = _open_each(openers, is_of_interest=lambda why: not isinstance(why, NoSuchHardware))
    if measured := [sensor for sensor in opened if sensor.provenance is Provenance.MEASURED]:
        estimates = [sensor for sensor in opened if sensor not in measured]
        close_all(estimates)
        needless = Reason("it is an estimate; measured and estimated joules are never mixed")
        absences += [_absence(sensor.name, sensor.provenance, needless) for sensor in estimates]
        opened = measured
    if not opened and estimate.NAME in known:
        opened, more = _open_each({estimate.NAME: known[estimate.NAME]})
        absences += more
    return _sensor_set(opened, absences)


def _cpu_power(sensors: Iterable[Sensor], own: Mapping[str, Opener]) -> estimate.CpuPower | None:
    """Rule 1: it is shown beside measured joules and added to none."""
    measured = [sensor for sensor in sensors if sensor.provenance is Provenance.MEASURED]
    domains = {Channel.domain_of(one.name) for sensor in measured for one in sensor.channels}
    if not measured or Domain.CPU in domains or estimate.NAME not in own:
        return None
    try:
        model = own[estimate.NAME]()
    except SensorUnavailable:
        return None
    model.close()
    return model.power if isinstance(model, estimate.EstimateSensor) else None


def check_names(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a sensor name that no sensor has, without opening any sensor.

    Raises:
        SettingsError: A name of *names* is not in *known*, or there is none.
    """
    asked, offered = tuple(names), tuple(known)
    unknown = [name for name in asked if name not in offered]
    if unknown or not asked:
        named = ", ".join(f"{name} ({_FORMER[name]})" if name in _FORMER else name for name in unknown)
        what = f"no sensor is named {named}.".replace("named .", "named.")
        hint = "".join(did_you_mean(name, ("auto", *offered, "replay:FILE")) for name in unknown)
        raise SettingsError(
            f"--energy-sensors: {what}{hint} It can be auto, {', '.join(offered)} or replay:FILE."
        )


def _named(names: Iterable[str], known: Mapping[str, Opener]) -> SensorSet:
    asked = tuple(dict.fromkeys(names))
    check_names(asked, known)
    opened, absences = _open_each({name: known[name] for name in asked})
    if len({sensor.provenance for sensor in opened}) > 1:
        close_all(opened)
        kinds = ", ".join(f"{sensor.name} ({sensor.provenance})" for sensor in opened)
        raise SettingsError(f"--energy-sensors: joules of different provenance are never mixed: {kinds}")
    return _sensor_set(opened, absences)


def _open_each(
    openers: Mapping[str, Opener], is_of_interest: Callable[[SensorUnavailable], bool] = lambda _: True
) -> tuple[list[Sensor], list[_Absence]]:
    """The sensors that open and read channels of their own, and why the others don't, if *is_of_interest*."""
    opened: list[Sensor] = []
    absences: list[_Absence] = []
    for name, opener in openers.items():
        kind = Provenance.ESTIMATED if name in _ESTIMATES else Provenance.MEASURED
        try:
            sensor = opener()
        except SensorUnavailable as error:
            if is_of_interest(error):
                absences.append(_absence(name, kind, *error.reasons))
            continue
        except (ImportError, *ODD) as error:  # of a library beside us: no reason to end the run
            reason = Reason(f"opening it failed: {described(error)}")
            absences.append(_absence(name, kind, reason))
            continue
        except BaseException:
            close_all(opened)
            raise
        if because := _oddity(sensor) or _why_only_again(sensor, opened):
            absences.append(_absence(name, kind, Reason("; ".join((because, *close_all([sensor]))))))
        else:
            opened.append(sensor)
    return opened, absences


def _oddity(sensor: Sensor) -> str | None:
    """Why *sensor*, which has opened, is of no use: it doesn't report what it reads. Else `None`."""
    try:
        facts = sensor.facts()
        texts: tuple[object, ...] = (*facts.key_parts, *chain(*facts.fixed.items(), *facts.shown.items()))
    except Exception as error:  # noqa: BLE001  # of another plugin's, or of a library beside us
        return f"it doesn't report what it reads: {described(error)}"
    odd = next((brief(text) for text in texts if not isinstance(text, str)), None)
    return None if odd is None else f"it reports {odd} as what it reads, which is not text"


def _why_only_again(sensor: Sensor, opened: Iterable[Sensor]) -> str | None:
    """Why all that *sensor* counts would count again, or `None`: it leaves out single channels if it can."""
    read_by = sensor.read_by if isinstance(sensor, ReadByOthers) else {}
    again = {
        channel.name: why
        for channel in sensor.channels
        for other in opened
        if (why := _clash(channel, other, read_by.get(channel.name)))
    }
    if not again:
        return None
    if len(again) < len(sensor.channels) and isinstance(sensor, CanLeaveOut):
        for channel, because in again.items():
            sensor.leave_out(channel, because)
        return None
    return "; ".join(dict.fromkeys(again.values()))


def _clash(channel: Channel, other: Sensor, read_by: str | None) -> str | None:
    """Why the joules of *channel* are counted by *other*, as by the sensor *read_by*; or `None`."""
    if other.name == read_by:
        return f"{other.name} reads the same hardware, and each joule counts once"
    for theirs in other.channels:
        if channel.name == theirs.name:
            return f"{other.name} reads {channel.name} already, and each joule counts once"
        if channel.domain is theirs.domain and channel.device == theirs.device:
            return f"{other.name} reads {channel.device} as {theirs.name}, and each joule counts once"
    scope = other.facts().shown.get(nvml.SCOPE_FACT, nvml.SCOPE_IS_GPU)
    if channel.domain is not Domain.GPU and not _SCOPES_OF_GPUS.issuperset(scope.split("; ")):
        return f"the counter that {other.name} reads is of the {scope}, and each joule counts once"
    return None


def _sensor_set(opened: Iterable[Sensor], absences: Iterable[_Absence]) -> SensorSet:
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
        _absence(f"{sensor.name} {channel}", sensor.provenance, Reason(because))
        for sensor in sensors
        if isinstance(sensor, LeavesOut)
        for channel, because in sensor.left_out.items()
    ]
    every = [*left_out, *absences]
    return SensorSet(
        sensors=sensors,
        statuses=(*there, *(status for status, _ in every)),
        reasons={status.name: reasons for status, reasons in every},
    )


def _absence(name: str, provenance: Provenance, *reasons: Reason) -> _Absence:
    """A sensor, or one of its channels, that is not there, and why."""
    because = "; ".join(map(str, reasons))
    return SensorStatus(name=name, provenance=provenance, absent_because=because), reasons


def close_all(sensors: Iterable[Sensor]) -> tuple[str, ...]:
    """Close each of *sensors*; one sentence for each failure."""
    failures = []
    for sensor in sensors:
        try:
            sensor.close()
        except Exception as error:  # noqa: BLE001  # of one's own or another plugin's: the others are closed too
            failures.append(f"closing the sensor {sensor.name} failed: {described(error)}")
    return tuple(failures)
