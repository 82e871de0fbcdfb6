"""The doctor's report, from sensors, their channels and permissions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from pytest_energy.codec import JsonDict
from pytest_energy.doctor.permissions import Permission
from pytest_energy.errors import Reason
from pytest_energy.meter.rest import mean_power_w
from pytest_energy.model import Channel, Domain, Provenance, SensorStatus, Tick
from pytest_energy.sensors.detect import SensorSet
from pytest_energy.sensors.estimate import FACTOR, FROM, error_text
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.units import to_text

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelReport:
    """One channel of an available sensor.

    Attributes:
        source: What its joules are made of.
        is_ticked: Windows wait for its ticks; otherwise it is read at their edges.
        tick_s: Period of its updates; `None` if there is none that can be followed.
        call_s: Median duration of one read, or `None` if one failed.
        load: What worked while power under load was read, or why nothing did.
        absent_because: Why its joules can't be used, or `None`.
        response: Where what is known of its counter's response comes from; `None` if nothing ticks.
    """

    name: str
    domain: Domain
    device: str
    source: str
    is_ticked: bool
    tick_s: float | None
    call_s: float | None
    idle_power_w: float | None
    load_power_w: float | None
    load: str
    absent_because: str | None
    response: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorReport:
    """One sensor: its channels, or why it has none.

    Attributes:
        not_taken_because: Why a run doesn't take it by itself though it is there, or `None`.
    """

    name: str
    provenance: Provenance
    absent_because: str | None = None
    not_taken_because: str | None = None
    channels: tuple[ChannelReport, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What measures on this machine.

    Attributes:
        machine_key: The key under which baselines of this machine are kept.
        gates: Channels that may fail a test.
        gates_not: Domain or channel to why it may not.
        reasons: Why absent sensors are, by name; for people, not in JSON.
    """

    machine_key: str
    gates: tuple[str, ...]
    gates_not: Mapping[str, str] = field(default_factory=dict)
    sensors: tuple[SensorReport, ...]
    permissions: tuple[Permission, ...]
    reasons: Mapping[str, tuple[Reason, ...]] = field(default_factory=dict)

    @property
    def measures(self) -> bool:
        return bool(self.gates)


def to_json(report: Report) -> JsonDict:
    """The report as plain values; what isn't known is `null`."""
    document = {"format": FORMAT_VERSION, "measures": report.measures, **asdict(report)}
    del document["reasons"]
    return document


def channel_report(
    channel: Channel,
    provenance: Provenance,
    *,
    tick_s: float | None,
    call_s: float | None,
    idle: Sequence[Tick],
    busy: Sequence[Tick] | None,
    load: str,
    fault: str | None,
    estimate_from: str | None = None,
) -> ChannelReport:
    """The report of *channel*.

    *idle* are its ticks, or reads at both ends, without a load and without a GPU context of ours; *busy* are
    those under load, or `None` if nothing worked; *load* says what worked, or why nothing did;
    *estimate_from* says from what an estimate is made, if not from CPU time.
    """
    return ChannelReport(
        name=channel.name,
        domain=channel.domain,
        device=channel.device,
        source=_source(channel, provenance, estimate_from),
        is_ticked=channel.is_ticked,
        tick_s=tick_s,
        call_s=call_s,
        idle_power_w=mean_power_w(idle),
        load_power_w=None if busy is None else mean_power_w(busy),
        load=f"no load: {load}" if busy is None else load,
        absent_because=fault or _still_text(channel, idle, busy, load),
        response=(channel.response.source or None) if channel.is_ticked else None,
    )


def _source(channel: Channel, provenance: Provenance, estimate_from: str | None) -> str:
    if provenance is Provenance.ESTIMATED:
        return estimate_from or "CPU time of the test's processes and design power"
    if channel.sampled_s is not None:
        return f"power, sampled each {to_text(channel.sampled_s, 's')} and integrated"
    return "energy counter"


def _still_text(channel: Channel, idle: Sequence[Tick], busy: Sequence[Tick] | None, load: str) -> str | None:
    """That the counter of *channel* stood still, or `None` if it moved."""
    ticks = idle if busy is None else busy
    # Each tick is a change; of two reads the second must be more.
    has_moved = bool(ticks) if channel.is_ticked else len(ticks) > 1 and ticks[-1].joules > ticks[0].joules
    if has_moved:
        return None
    while_what = "at rest, no load could be run" if busy is None else f"under load ({load})"
    return f"its counter did not move {while_what}: it measures nothing"


def report_of(
    sensor_set: SensorSet,
    channels: Mapping[str, ChannelReport],
    *,
    others: Mapping[str, tuple[Reason, ...]],
    permissions: tuple[Permission, ...],
    machine_key: str,
) -> Report:
    """The report of a machine.

    Args:
        sensor_set: The sensors that a run uses here, and why it doesn't use others.
        channels: Of those sensors, by name.
        others: Sensors that a run uses only when it is asked to, with why they are absent; with no reason
            where they are there.
        permissions: What must be permitted.
        machine_key: The key under which baselines of this machine are kept.
    """
    sensors = [_sensor_report(status, channels) for status in sensor_set.statuses]
    sensors += [_other_report(name, reasons) for name, reasons in others.items()]
    gates = tuple(
        channel.name
        for sensor in sensors
        for channel in sensor.channels
        if sensor.provenance is Provenance.MEASURED and channel.absent_because is None
    )
    still = {s.name: (Reason(s.absent_because),) for s in sensors if s.absent_because is not None}
    return Report(
        machine_key=machine_key,
        sensors=tuple(sensors),
        permissions=permissions,
        gates=gates,
        gates_not=_gates_not(sensors, gates, _estimated_because(sensor_set.sensors)),
        reasons={**still, **others, **sensor_set.reasons},
    )


def _other_report(name: str, reasons: Sequence[Reason]) -> SensorReport:
    asks = f"a run doesn't use it by itself; to use it: --energy-sensors={name}"
    return SensorReport(
        name=name,
        provenance=Provenance.ESTIMATED,
        absent_because="; ".join(map(str, reasons)) or None,
        not_taken_because=None if reasons else asks,
    )


def _sensor_report(status: SensorStatus, by_name: Mapping[str, ChannelReport]) -> SensorReport:
    channels = tuple(by_name[name] for name in status.channels)
    because = status.absent_because
    if because is None and all(channel.absent_because is not None for channel in channels):
        # A sensor's own words begin with the channel that they are about.
        because = "; ".join(
            f"{channel.name}: {str(channel.absent_because).removeprefix(f'{channel.name}: ')}"
            for channel in channels
        )
    return SensorReport(
        name=status.name, provenance=status.provenance, channels=channels, absent_because=because
    )


def _estimated_because(sensors: Iterable[Sensor]) -> str:
    """Why an estimate may not fail a test, with its error where its sensor says so."""
    shown = [sensor.facts().shown for sensor in sensors]
    error = "".join(f", {error_text(facts[FACTOR])}" for facts in shown if FACTOR in facts)
    source = next((facts[FROM] for facts in shown if FROM in facts), "the CPU time of the test's processes")
    return f"estimated from {source}{error}; --energy-estimates=gate judges it anyway"


def _gates_not(
    sensors: Iterable[SensorReport], gates: Iterable[str], estimated_because: str
) -> dict[str, str]:
    """Why channels may not fail a test; and domains that no channel is there for."""
    reasons = {}
    domains = {Channel.domain_of(name) for name in gates}
    for sensor in sensors:
        for channel in sensor.channels:
            if channel.absent_because is not None:
                reasons[channel.name] = channel.absent_because
            elif sensor.provenance is Provenance.ESTIMATED:
                reasons[channel.name] = estimated_because
                domains.add(channel.domain)
    for domain in Domain:
        if domain not in domains:
            reasons.setdefault(domain.value, "no channel here")
    return reasons
