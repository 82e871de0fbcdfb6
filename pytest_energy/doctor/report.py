"""What is made of the sensors, of what they showed, and of the permissions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from pytest_energy.codec import JsonDict
from pytest_energy.doctor.examine import Observations
from pytest_energy.doctor.permissions import Permission
from pytest_energy.errors import Reason
from pytest_energy.meter.rest import mean_power_w
from pytest_energy.model import Channel, Domain, Provenance, Tick
from pytest_energy.sensors.detect import SensorSet
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.units import to_text

FORMAT_VERSION = 1


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
    tick_s: float | None
    call_s: float | None
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


def report_of(
    sensor_set: SensorSet,
    observations: Observations,
    *,
    others: Mapping[str, tuple[Reason, ...]],
    permissions: tuple[Permission, ...],
    machine_key: str,
) -> Report:
    """What there is to say of a machine.

    Args:
        sensor_set: The sensors that a run uses here, and why it doesn't use others.
        observations: Of their channels.
        others: Sensors that a run uses only when it is asked to, with why they are absent; with no reason
            where they are there.
        permissions: What must be permitted.
        machine_key: The key under which baselines of this machine are kept.
    """
    there = {sensor.name: sensor for sensor in sensor_set.sensors}
    sensors = [
        _sensor_report(there[status.name], observations)
        if status.name in there
        else SensorReport(
            name=status.name, provenance=status.provenance, absent_because=status.absent_because
        )
        for status in sensor_set.statuses
    ]
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
        gates_not=_gates_not(sensors, gates),
        reasons={**still, **others, **sensor_set.reasons},
    )


def _other_report(name: str, reasons: Sequence[Reason]) -> SensorReport:
    asks = f"other sensors measure; --energy-sensors={name} asks for it"
    return SensorReport(
        name=name,
        provenance=Provenance.ESTIMATED,
        absent_because="; ".join(map(str, reasons)) or None,
        not_taken_because=None if reasons else asks,
    )


def _sensor_report(sensor: Sensor, observations: Observations) -> SensorReport:
    channels = tuple(_channel_report(channel, sensor.provenance, observations) for channel in sensor.channels)
    is_absent = all(channel.absent_because is not None for channel in channels)
    reasons = (
        # A sensor's own words begin with the channel that they are about.
        channel.absent_because
        if str(channel.absent_because).startswith(f"{channel.name}: ")
        else f"{channel.name}: {channel.absent_because}"
        for channel in channels
    )
    return SensorReport(
        name=sensor.name,
        provenance=sensor.provenance,
        channels=channels,
        absent_because="; ".join(map(str, reasons)) if is_absent else None,
    )


def _channel_report(channel: Channel, provenance: Provenance, observations: Observations) -> ChannelReport:
    name, load = channel.name, observations.loads.get(channel.domain)
    at_rest = observations.at_rest[name]
    under_load = [] if load is None else observations.under_load[name]
    return ChannelReport(
        name=name,
        domain=channel.domain,
        device=channel.device,
        source=_source(channel, provenance),
        is_ticked=channel.is_ticked,
        tick_s=observations.ticks_s[name],
        call_s=observations.calls_s[name],
        idle_power_w=mean_power_w(at_rest),
        load_power_w=mean_power_w(under_load),
        load=_no_load_text(channel.domain, observations) if load is None else load,
        absent_because=observations.faults.get(name)
        or _still_text(channel, at_rest if load is None else under_load, load),
    )


def _source(channel: Channel, provenance: Provenance) -> str:
    if provenance is Provenance.ESTIMATED:
        return "CPU time and design power"
    if channel.sampled_s is not None:
        return f"power, sampled each {to_text(channel.sampled_s, 's')} and integrated"
    return "energy counter"


def _no_load_text(domain: Domain, observations: Observations) -> str:
    return f"no load: {observations.unloaded.get(domain, 'none is known for this domain')}"


def _still_text(channel: Channel, ticks: Sequence[Tick], load: str | None) -> str | None:
    """That the counter of *channel* stood still, or `None` where it moved."""
    # Each tick is a change; of two reads the second must be more.
    has_moved = bool(ticks) if channel.is_ticked else len(ticks) > 1 and ticks[-1].joules > ticks[0].joules
    if has_moved:
        return None
    while_what = "at rest, and nothing could be put to work" if load is None else f"under load ({load})"
    return f"its counter stood still {while_what}: it measures nothing"


def _gates_not(sensors: Iterable[SensorReport], gates: Iterable[str]) -> dict[str, str]:
    """Why channels may not fail a test; and domains that no channel is there for."""
    reasons = {}
    domains = {Channel.domain_of(name) for name in gates}
    for sensor in sensors:
        for channel in sensor.channels:
            if channel.absent_because is not None:
                reasons[channel.name] = channel.absent_because
            elif sensor.provenance is Provenance.ESTIMATED:
                reasons[channel.name] = "estimated; --energy-estimates=gate lets it judge all the same"
                domains.add(channel.domain)
    for domain in Domain:
        if domain not in domains:
            reasons.setdefault(domain.value, "no channel here")
    return reasons
