"""What measures on this machine, what may gate here, and what to do about the rest.

Rule 1: a counter that stands still while its hardware works is called absent, not frugal.
Rule 2: looking (`examine`) touches hardware and clock; what is made of it (`report_of`) and its text and JSON
        are pure.
"""

import math
import os
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_energy.errors import NotMeasurable, SensorError, SensorUnavailable
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.idle import idle_power
from pytest_energy.meter.sampler import Runner, Sampler, ThreadRunner
from pytest_energy.model import Channel, Domain, Provenance, SensorStatus, Tick
from pytest_energy.profiling.load import CpuLoad, GpuLoad, Load
from pytest_energy.sensors.detect import ONLY_BY_NAME, Found, Opener, builtin_openers, detect
from pytest_energy.sensors.perf import PerfPaths
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.sensors.rapl import POWERCAP
from pytest_energy.units import to_text
from pytest_energy.wire import JsonDict

FORMAT_VERSION = 1

# Calls whose median is the cost of one: an odd number, and at NVML's 3 ms done in a twentieth of a second.
_CALL_COUNT = 15

# Idle power is read over at least this, and power under load over twice that: 15 and 20 ticks of NVML.
_IDLE_S = 1.5
_LOAD_S = 2.0
# A tick of a second needs three of them to be found; a counter that hasn't moved by then has none.
_FIND_S = 4.0
# Power takes two ticks, and a third may lie across an edge.
_LEAST_TICKS = 3
_LOOK_S = 0.02

# Source: include/uapi/linux/capability.h; CAP_SYS_ADMIN does what CAP_PERFMON does.
_CAP_SYS_ADMIN, _CAP_PERFMON = 21, 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen of one channel.

    Attributes:
        call_s: Median duration of one read, or `None` where none succeeded.
        tick_s: Period of its updates; `None` where it has none that can be followed.
        idle_power_w: Mean power at rest, without a GPU context of ours.
        load_power_w: Mean power under load.
        has_moved: Whether its joules grew under load, or at rest where there was no load.
        fault: Why a read gave no value, or `None`.
    """

    call_s: float | None
    tick_s: float | None
    idle_power_w: float | None
    load_power_w: float | None
    has_moved: bool
    fault: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """What was seen of a machine.

    Attributes:
        channels: By channel name.
        loads: Domain to what worked there.
        unloaded: Domain to why nothing did.
    """

    channels: Mapping[str, Observation]
    loads: Mapping[Domain, str]
    unloaded: Mapping[Domain, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """Something that this user must be allowed to read, or the kernel to let count.

    Attributes:
        sensor: The sensor that needs it.
        what: The file and its state.
        is_granted: Whether it is allowed.
        fix: The command that allows it until the next boot; `None` where it is allowed.
    """

    sensor: str
    what: str
    is_granted: bool
    fix: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport:
    """One channel of a sensor that is there.

    Attributes:
        source: What its joules are made of.
        is_ticked: Windows wait for its ticks; otherwise it is read at their edges.
        load: What worked while power under load was read, or why nothing did.
        absent_because: Why its joules can't be used, or `None`.
    """

    name: str
    domain: Domain
    device: str
    source: str
    is_ticked: bool
    call_s: float | None
    tick_s: float | None
    idle_power_w: float | None
    load_power_w: float | None
    load: str
    absent_because: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorReport:
    """One sensor: its channels, or why it has none.

    Attributes:
        not_taken_because: Why a run doesn't take it by itself though it is there, or `None`.
    """

    name: str
    provenance: Provenance
    channels: tuple[ChannelReport, ...] = ()
    absent_because: str | None = None
    not_taken_because: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What measures on this machine.

    Attributes:
        machine_key: The key under which baselines of this machine are kept.
        gates: Channels that may fail a test.
        gates_not: Domain or channel to why it may not.
    """

    machine_key: str
    sensors: tuple[SensorReport, ...]
    permissions: tuple[Permission, ...]
    gates: tuple[str, ...]
    gates_not: Mapping[str, str] = field(default_factory=dict)

    @property
    def measures(self) -> bool:
        return bool(self.gates)


def diagnose(
    openers: Mapping[str, Opener] | None = None,
    *,
    loads: Iterable[Load] | None = None,
    clock: Clock | None = None,
    runner: Runner | None = None,
) -> Report:
    """Look at this machine: 4 s, and some more where torch must be imported to load a GPU.

    Args:
        openers: Sensors by name; those of this package by default.
        loads: What to put on the machine; all its GPUs, then also all its CPUs, by default.
        clock: The machine's by default.
        runner: What runs the sampler; a thread by default.
    """
    from pytest_energy.baselines.machine import fingerprint

    openers = builtin_openers() if openers is None else openers
    found = detect(None, openers=openers)
    try:
        names = [sensor.name for sensor in found.sensors]
        provenance = found.sensors[0].provenance if found.sensors else Provenance.MEASURED
        machine = fingerprint([sensor.facts() for sensor in found.sensors], names, provenance)
        seen = examine(
            found.sensors,
            [GpuLoad(), CpuLoad()] if loads is None else loads,
            SystemClock() if clock is None else clock,
            runner,
        )
    finally:
        for sensor in found.sensors:
            sensor.close()
    seen_names = {status.name for status in found.statuses}
    others = {name: opener for name, opener in openers.items() if name not in seen_names}
    return report_of(
        found,
        seen,
        others=look_at_others(others),
        permissions=permissions(),
        machine_key=machine.key,
    )


# Looking


def examine(
    sensors: Sequence[Sensor], loads: Iterable[Load], clock: Clock, runner: Runner | None = None
) -> Observations:
    """Read each channel at rest and under load.

    Args:
        sensors: Open sensors.
        loads: What to put on the machine, in the order in which they start; those whose domain has no
            channel stay away.
        clock: The clock of all times.
        runner: What runs the sampler; a thread by default.

    Raises:
        Exception: What a sensor raised that is no `SensorError`.
    """
    channels = {channel.name: channel for sensor in sensors for channel in sensor.channels}
    calls_s = {channel: _call_s(sensor, channel, clock) for sensor in sensors for channel in _names(sensor)}
    since_s = clock.now_s()
    sampler = Sampler(sensors, clock, ThreadRunner(clock) if runner is None else runner)
    sampler.start()
    try:
        at_rest = _watched(sampler, channels.values(), clock, _IDLE_S, finds_ticks=True)
        ticks_s = {name: sampler.tick_s(name) if c.is_ticked else None for name, c in channels.items()}
        working, unloaded = _started(loads, {channel.domain for channel in channels.values()})
        try:
            least_s = _LEAST_TICKS * max((tick_s or 0.0 for tick_s in ticks_s.values()), default=0.0)
            under_load = _watched(sampler, channels.values(), clock, max(_LOAD_S, least_s)) if working else {}
        finally:
            unloaded |= _stopped(working)
        faults = {name: sampler.fault_since(name, since_s) for name in channels}
    finally:
        sampler.stop()
    loaded = {domain: load.what for load in working for domain in load.domains if domain not in unloaded}
    seen = {}
    for name, channel in channels.items():
        fault, is_loaded = faults[name], channel.domain in loaded
        decisive = under_load if is_loaded else at_rest
        seen[name] = Observation(
            call_s=calls_s[name],
            tick_s=ticks_s[name],
            idle_power_w=_power_w(at_rest[name]),
            load_power_w=_power_w(under_load[name]) if is_loaded else None,
            has_moved=_has_moved(decisive[name], channel),
            fault=None if fault is None else fault.because,
        )
    return Observations(channels=seen, loads=loaded, unloaded=unloaded)


def _names(sensor: Sensor) -> list[str]:
    return [channel.name for channel in sensor.channels]


def _call_s(sensor: Sensor, channel: str, clock: Clock) -> float | None:
    """Median duration of a read; `None` where one fails, which the sampler will see too."""
    durations_s = []
    for _ in range(_CALL_COUNT):
        before_s = clock.now_s()
        try:
            sensor.read_j(channel)
        except SensorError:
            return None
        durations_s.append(clock.now_s() - before_s)
    return statistics.median(durations_s)


def _started(loads: Iterable[Load], domains: set[Domain]) -> tuple[list[Load], dict[Domain, str]]:
    """The loads that are at work now, and why the other domains have none."""
    working: list[Load] = []
    unloaded: dict[Domain, str] = {}
    for load in loads:
        if not domains & load.domains:
            continue
        try:
            load.start()
        except NotMeasurable as error:
            unloaded |= dict.fromkeys(load.domains, str(error))
        except BaseException:
            _stopped(working)
            raise
        else:
            working.append(load)
    return working, unloaded


def _stopped(working: Iterable[Load]) -> dict[Domain, str]:
    """Stop the loads; why some weren't at work until then."""
    failed: dict[Domain, str] = {}
    for load in working:
        try:
            load.stop()
        except NotMeasurable as error:
            failed |= dict.fromkeys(load.domains, str(error))
    return failed


def _watched(
    sampler: Sampler,
    channels: Iterable[Channel],
    clock: Clock,
    duration_s: float,
    *,
    finds_ticks: bool = False,
) -> dict[str, list[Tick]]:
    """Ticks of each channel over *duration_s*; of one that doesn't tick, a read at either end."""
    unticked = [channel.name for channel in channels if not channel.is_ticked]
    ticked = [channel.name for channel in channels if channel.is_ticked]
    start_s = clock.now_s()
    seen: dict[str, list[Tick]] = {name: [] for name in (*unticked, *ticked)}
    _read(sampler, unticked, clock, seen)
    while clock.now_s() - start_s < duration_s or (
        finds_ticks and clock.now_s() - start_s < _FIND_S and _are_searched(sampler, ticked)
    ):
        clock.sleep_s(_LOOK_S)
    stop_s = clock.now_s()
    _read(sampler, unticked, clock, seen)
    for name in ticked:
        seen[name] = [t.tick for t in sampler.ticks(name) if start_s <= t.time_s <= stop_s]
    return seen


def _are_searched(sampler: Sampler, ticked: Iterable[str]) -> bool:
    return sampler.failure is None and any(
        sampler.tick_s(name) is None and not sampler.is_silent(name) for name in ticked
    )


def _read(sampler: Sampler, names: Iterable[str], clock: Clock, into: Mapping[str, list[Tick]]) -> None:
    for name in names:
        try:
            into[name].append(Tick(clock.now_s(), sampler.read_j(name)))
        except SensorError:
            continue  # the missing end says so: it hasn't moved


def _power_w(ticks: Sequence[Tick]) -> float | None:
    try:
        return idle_power(ticks).power_w
    except NotMeasurable:
        return None


def _has_moved(ticks: Sequence[Tick], channel: Channel) -> bool:
    """Each tick is a change; of two reads the second must be more."""
    if channel.is_ticked:
        return bool(ticks)
    return len(ticks) > 1 and ticks[-1].joules > ticks[0].joules


def look_at_others(openers: Mapping[str, Opener]) -> dict[str, str | None]:
    """Sensors that a run doesn't take by itself: name to why it is absent, `None` if it is there."""
    found: dict[str, str | None] = {}
    for name, opener in openers.items():
        try:
            opener().close()
            found[name] = None
        except SensorUnavailable as error:
            found[name] = error.because
    return found


# Permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedPaths:
    """The files that decide who may read energy."""

    powercap: Path = POWERCAP
    perf: PerfPaths = field(default_factory=PerfPaths)
    devices: Path = Path("/dev")
    status: Path = Path("/proc/self/status")


def permissions(
    paths: GuardedPaths | None = None, *, may_access: Callable[[Path, int], bool] = os.access
) -> tuple[Permission, ...]:
    """What there is on this machine to be permitted, and whether it is.

    Args:
        paths: Where to look.
        may_access: Whether this user may do what a mode of `os.access` says with a file.
    """
    paths = GuardedPaths() if paths is None else paths
    found: list[Permission] = []
    gpus = sorted(paths.devices.glob("nvidia[0-9]*"))
    for file in [path for path in (paths.devices / "nvidiactl", *gpus) if path.exists()]:
        fix = f"sudo chmod a+rw {file}"
        found.append(_file_permission("nvml", file, fix, is_granted=may_access(file, os.R_OK | os.W_OK)))
    counters = sorted(paths.powercap.glob("intel-rapl:*/energy_uj"))
    if counters:
        refused = [file for file in counters if not may_access(file, os.R_OK)]
        fix = f"sudo chmod a+r {paths.powercap}/intel-rapl:*/energy_uj"
        found.append(_file_permission("rapl", (refused or counters)[0], fix, is_granted=not refused))
    if (paths.perf.power / "events" / "energy-pkg").exists():
        found.append(_perf_permission(paths))
    return tuple(found)


def _file_permission(sensor: str, file: Path, fix: str, *, is_granted: bool) -> Permission:
    what = f"{file} (mode {_mode_text(file)})"
    return Permission(sensor=sensor, what=what, is_granted=is_granted, fix=None if is_granted else fix)


def _mode_text(file: Path) -> str:
    try:
        return f"{file.stat().st_mode & 0o7777:04o}"
    except OSError:
        return "unknown"


def _perf_permission(paths: GuardedPaths) -> Permission:
    level = _text_of(paths.perf.paranoid) or "unknown"
    capabilities = re.search(r"^CapEff:\s*([0-9a-f]+)$", _text_of(paths.status), re.MULTILINE)
    mask = int(capabilities[1], 16) if capabilities else 0
    is_open = level.lstrip("-").isdecimal() and int(level) <= 0
    is_granted = is_open or bool(mask & (1 << _CAP_PERFMON | 1 << _CAP_SYS_ADMIN))
    return Permission(
        sensor="rapl",
        what=f"{paths.perf.paranoid} is {level}",
        is_granted=is_granted,
        fix=None if is_granted else "sudo sysctl kernel.perf_event_paranoid=0",
    )


def _text_of(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""


# What is made of it


def report_of(
    found: Found,
    seen: Observations,
    *,
    others: Mapping[str, str | None],
    permissions: tuple[Permission, ...],
    machine_key: str,
) -> Report:
    """The report on a machine.

    Args:
        found: The sensors that a run takes here, and why it doesn't take others.
        seen: What was seen of their channels.
        others: Sensors that a run takes only when it is asked to: name to why it is absent, or `None`.
        permissions: What must be permitted.
        machine_key: The key under which baselines of this machine are kept.
    """
    there = {sensor.name: sensor for sensor in found.sensors}
    sensors = [
        _sensor_report(there[status.name], seen) if status.name in there else _absent_report(status)
        for status in found.statuses
    ]
    sensors += [_other_report(name, because) for name, because in others.items()]
    gates = tuple(
        channel.name
        for sensor in sensors
        for channel in sensor.channels
        if sensor.provenance is Provenance.MEASURED and channel.absent_because is None
    )
    return Report(
        machine_key=machine_key,
        sensors=tuple(sensors),
        permissions=permissions,
        gates=gates,
        gates_not=_gates_not(sensors, gates),
    )


def _absent_report(status: SensorStatus) -> SensorReport:
    return SensorReport(name=status.name, provenance=status.provenance, absent_because=status.absent_because)


def _other_report(name: str, because: str | None) -> SensorReport:
    repeats = "it repeats what rapl reads" if name in ONLY_BY_NAME else "other sensors measure"
    return SensorReport(
        name=name,
        provenance=Provenance.MEASURED if name in ONLY_BY_NAME else Provenance.ESTIMATED,
        absent_because=because,
        not_taken_because=None if because else f"{repeats}; --energy-sensors={name} asks for it",
    )


def _sensor_report(sensor: Sensor, seen: Observations) -> SensorReport:
    channels = tuple(
        _channel_report(channel, sensor.provenance, seen.channels[channel.name], seen)
        for channel in sensor.channels
    )
    is_absent = all(channel.absent_because is not None for channel in channels)
    reasons = (
        # A sensor's own words begin with the channel that they are about.
        f"{channel.name}: {str(channel.absent_because).removeprefix(f'{channel.name}: ')}"
        for channel in channels
    )
    return SensorReport(
        name=sensor.name,
        provenance=sensor.provenance,
        channels=channels,
        absent_because="; ".join(reasons) if is_absent else None,
    )


def _channel_report(
    channel: Channel, provenance: Provenance, observed: Observation, seen: Observations
) -> ChannelReport:
    load = seen.loads.get(channel.domain)
    no_load = f"no load: {seen.unloaded.get(channel.domain, 'none is known for this domain')}"
    return ChannelReport(
        name=channel.name,
        domain=channel.domain,
        device=channel.device,
        source=_source(channel, provenance),
        is_ticked=channel.is_ticked,
        call_s=observed.call_s,
        tick_s=observed.tick_s,
        idle_power_w=observed.idle_power_w,
        load_power_w=observed.load_power_w,
        load=no_load if load is None else load,
        absent_because=observed.fault or _still_text(observed, load),
    )


def _source(channel: Channel, provenance: Provenance) -> str:
    if provenance is Provenance.ESTIMATED:
        return "CPU time and design power"
    if channel.sampled_s is not None:
        return f"power, sampled each {to_text(channel.sampled_s, 's')} and integrated"
    return "energy counter"


def _still_text(observed: Observation, load: str | None) -> str | None:
    if observed.has_moved:
        return None
    while_what = "at rest, and nothing could be put to work" if load is None else f"under load ({load})"
    return f"its counter stood still {while_what}: it measures nothing"


def _gates_not(sensors: Iterable[SensorReport], gates: Iterable[str]) -> dict[str, str]:
    """Why channels may not fail a test; and domains that no channel is there for."""
    reasons = {}
    seen_domains = {Domain(name.partition(":")[0]) for name in gates}
    for sensor in sensors:
        for channel in sensor.channels:
            if channel.absent_because is not None:
                reasons[channel.name] = channel.absent_because
            elif sensor.provenance is Provenance.ESTIMATED:
                reasons[channel.name] = "estimated; --energy-estimates=gate lets it judge all the same"
                seen_domains.add(channel.domain)
    for domain in Domain:
        if domain not in seen_domains:
            reasons.setdefault(domain.value, "no channel here")
    return reasons


# Telling it

_HEADERS = ("channel", "sensor", "joules are", "tick", "call", "idle", "load", "under")
_UNKNOWN = "-"


def to_json(report: Report) -> JsonDict:
    """The report as plain values; what isn't known is `null`."""
    return {
        "format": FORMAT_VERSION,
        "measures": report.measures,
        "machine_key": report.machine_key,
        "gates": list(report.gates),
        "gates_not": dict(report.gates_not),
        "sensors": [_sensor_json(sensor) for sensor in report.sensors],
        "permissions": [
            {"sensor": p.sensor, "what": p.what, "is_granted": p.is_granted, "fix": p.fix}
            for p in report.permissions
        ],
    }


def _sensor_json(sensor: SensorReport) -> JsonDict:
    return {
        "name": sensor.name,
        "provenance": sensor.provenance.value,
        "absent_because": sensor.absent_because,
        "not_taken_because": sensor.not_taken_because,
        "channels": [
            {
                "name": channel.name,
                "domain": channel.domain.value,
                "device": channel.device,
                "source": channel.source,
                "is_ticked": channel.is_ticked,
                "tick_s": channel.tick_s,
                "call_s": channel.call_s,
                "idle_power_w": channel.idle_power_w,
                "load_power_w": channel.load_power_w,
                "load": channel.load,
                "absent_because": channel.absent_because,
            }
            for channel in sensor.channels
        ],
    }


def render(report: Report) -> str:
    """The report for a screen. Commands stay in one line each, so that they can be copied."""
    sections = [
        [_headline(report)],
        _table(report),
        _titled("absent", _absences(report)),
        _titled("there, but not taken", _not_taken(report)),
        _titled("permissions", _permission_lines(report)),
        _titled("may fail a test", report.gates or ["nothing"]),
        _titled("may not", [f"{name}: {why}" for name, why in report.gates_not.items()]),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _headline(report: Report) -> str:
    if report.measures:
        return f"This machine measures. Its baselines are kept under {report.machine_key}."
    return (
        "Nothing measures here. Tests are unmeasured: budgets and baselines neither pass nor fail, unless "
        "--energy-estimates=gate lets the estimate judge them."
    )


def _table(report: Report) -> list[str]:
    from tabulate import tabulate

    rows = [
        (
            channel.name,
            sensor.name,
            f"{sensor.provenance}: {channel.source}",
            _value(channel.tick_s, "s") if channel.is_ticked else "at edges",
            _value(channel.call_s, "s"),
            _value(channel.idle_power_w, "W"),
            _value(channel.load_power_w, "W"),
            channel.load,
        )
        for sensor in report.sensors
        for channel in sensor.channels
    ]
    return tabulate(rows, headers=_HEADERS, tablefmt="plain").splitlines() if rows else []


def _value(value: float | None, unit: str) -> str:
    return _UNKNOWN if value is None or math.isnan(value) else to_text(value, unit, digits=3)


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    indented = [f"  {line}" for line in lines]
    return [title, *indented] if indented else []


def _absences(report: Report) -> list[str]:
    lines = []
    for sensor in report.sensors:
        if sensor.absent_because is not None:
            lines += [sensor.name, *(f"  {sentence}" for sentence in _sentences(sensor.absent_because))]
    return lines


def _sentences(text: str) -> list[str]:
    """One sentence, one of several reasons, or one remedy a line.

    >>> _sentences("through powercap: no file. Until the next boot: a b; through perf: none; pip install c")
    ['through powercap: no file', 'Until the next boot: a b', 'through perf: none', 'pip install c']
    """
    return re.split(r"\.\s+(?=[A-Z])|; (?=through perf|on a machine of your own|pip install)", text)


def _not_taken(report: Report) -> list[str]:
    return [f"{s.name}: {s.not_taken_because}" for s in report.sensors if s.not_taken_because is not None]


def _permission_lines(report: Report) -> list[str]:
    lines = []
    for permission in report.permissions:
        state = "granted" if permission.is_granted else "refused; until the next boot:"
        lines.append(f"{permission.sensor}: {permission.what}: {state}")
        if permission.fix is not None:
            lines.append(f"  {permission.fix}")
    return lines
