"""An agent's values as JSON of format 1, and back.

Rule 1: what comes may be anybody's. Numbers are finite, texts and lists are bounded, names of channels have a
        pattern, and what people are shown is on one line and commands no terminal.
Rule 2: a key that isn't known is left alone, and one that is new has a default: agent and reader may be of
        different versions.
Rule 3: whatever the bytes are, the only error is a `FormatError`.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

from pytest_energy.codec import MOST_NUMBER, NULLABLE, Document, Number, decode, parse
from pytest_energy.errors import FormatError, printable
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Channel, Domain, Machine, Provenance, SensorStatus
from pytest_energy.remote import protocol
from pytest_energy.remote.protocol import FIRST_TICKS, MOST_TICKS
from pytest_energy.response_document import ResponseDocument
from pytest_energy.sensors.protocol import MOST_J, Slowdown

D = TypeVar("D", bound=Document)

FORMAT_VERSION = 1

# Over HTTP: `GET` the description and the metrics, `POST` a poll and a release. The token is in the header
# `Authorization: Bearer TOKEN`.
DESCRIPTION_PATH = "/v1/description"
POLL_PATH = "/v1/poll"
RELEASE_PATH = "/v1/release"
METRICS_PATH = "/metrics"

MOST_REQUEST_BYTES = 64_000
"""Of a poll: a cursor of a hundred channels takes 4 kB."""

MOST_ANSWER_BYTES = 16_000_000
"""Of an answer: a tick takes a hundred bytes, and sixty channels have up to a thousand in each."""

_MOST_CHANNELS = 256  # of a machine
_MOST_ITEMS = 4096  # of faults, snapshots, statuses, processes of a device, runs

# No duration or moment is longer: thirty years.
_MOST_S = 1e9

Short = Annotated[str, Meta(max_length=300)]
Long = Annotated[str, Meta(max_length=10_000)]
Name = Annotated[str, Meta(max_length=120, pattern=r"^(gpu|cpu|dram):[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Id = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._-]+$")]
Moment = Annotated[float, Meta(ge=-_MOST_S, le=_MOST_S)]
Seconds = Annotated[float, Meta(ge=0, le=_MOST_S)]
Period = Annotated[float, Meta(gt=0, le=_MOST_S)]
Joules = Annotated[float, Meta(ge=-MOST_J, le=MOST_J)]
Amount = Annotated[float, Meta(ge=0, le=MOST_NUMBER)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Pid = Annotated[int, Meta(ge=0, le=2**32)]

Facts = Annotated[dict[Short, Long], Meta(max_length=_MOST_CHANNELS)]


class _Who(Document, frozen=True, kw_only=True):
    run_id: Id
    host: Short
    user: Short
    pid: Pid
    session: Short = ""


class _Cursor(Document, frozen=True, kw_only=True):
    ticks: Annotated[dict[Name, Count], Meta(max_length=_MOST_CHANNELS)] = msgspec.field(default_factory=dict)
    next_fault: Count | None = None
    next_snapshot: Count | None = None
    state_since_s: Moment | None = None


class _Ask(Document, frozen=True, kw_only=True):
    """A poll, and a release, which has no cursor."""

    who: _Who
    cursor: _Cursor = msgspec.field(default_factory=_Cursor)


class _Channel(Document, frozen=True, kw_only=True):
    name: Name
    domain: Domain
    device: Short
    is_ticked: bool
    resolution_j: Amount
    sampled_s: Period | None = None
    response: ResponseDocument = ResponseDocument()
    is_of_processes: bool = False
    may_be_off: bool = False


class _Status(Document, frozen=True, kw_only=True):
    name: Short
    channels: Annotated[tuple[Name, ...], Meta(max_length=_MOST_CHANNELS)] = ()
    provenance: Provenance
    tick_s: Period | None = NULLABLE
    absent_because: Long | None = NULLABLE


class _Machine(Document, frozen=True, kw_only=True):
    key: Short
    fixed: Facts
    varying: Facts


class _Description(Document, frozen=True, kw_only=True):
    format: Count
    agent_id: Id
    host: Short
    version: Short
    provenance: Provenance
    channels: Annotated[tuple[_Channel, ...], Meta(max_length=_MOST_CHANNELS)]
    statuses: Annotated[tuple[_Status, ...], Meta(max_length=_MOST_ITEMS)]
    machine: _Machine
    boot_id: Id | None = None


Row = tuple[Moment, Joules, Seconds, Moment, Moment]
"""A tick: its time, joules, spread, and the times that it was surely after and before."""


class _Ticks(Document, frozen=True, kw_only=True):
    ticks: Annotated[tuple[Row, ...], Meta(max_length=max(MOST_TICKS, FIRST_TICKS))] = ()
    lost_count: Count = 0
    tick_s: Period | None = None
    is_silent: bool = False
    read_s: Moment | None = None


class _Fault(Document, frozen=True, kw_only=True):
    time_s: Moment
    because: Long
    channel: Name | None = None


class _Snapshot(Document, frozen=True, kw_only=True):
    time_s: Moment
    channel: Name
    slowdowns: Annotated[tuple[Slowdown, ...], Meta(max_length=len(Slowdown))] = ()
    power_w: Amount | None = None


class _Process(Document, frozen=True, kw_only=True):
    pid: Pid
    is_reported: bool
    computed_s: Moment | None = None


class _Report(Document, frozen=True, kw_only=True):
    time_s: Moment
    processes: Annotated[tuple[_Process, ...], Meta(max_length=_MOST_ITEMS)] = ()
    settings: Facts = msgspec.field(default_factory=dict)
    temperature_c: Number | None = None
    is_busy: bool | None = None


class _Host(Document, frozen=True, kw_only=True):
    cpu_busy_s: Amount
    cpu_total_s: Amount
    gpu_utilisation_share: Share | None = None
    gpu_memory_used_bytes: Amount | None = None
    suspended_s: Moment | None = None  # of two clocks: some microseconds below 0 where it never slept


class _Poll(Document, frozen=True, kw_only=True):
    format: Count
    agent_id: Id
    asked_s: Moment
    time_s: Moment
    cursor: _Cursor
    channels: Annotated[dict[Name, _Ticks], Meta(max_length=_MOST_CHANNELS)]
    faults: Annotated[tuple[_Fault, ...], Meta(max_length=_MOST_ITEMS)] = ()
    lost_fault_count: Count = 0
    snapshots: Annotated[tuple[_Snapshot, ...], Meta(max_length=_MOST_ITEMS)] = ()
    lost_snapshot_count: Count = 0
    devices: Annotated[dict[Name, _Report], Meta(max_length=_MOST_CHANNELS)] = msgspec.field(
        default_factory=dict
    )
    host: _Host
    dead_because: Long | None = None
    others: Annotated[tuple[_Who, ...], Meta(max_length=_MOST_ITEMS)] = ()


# From values to bytes


def description_to_json(description: protocol.AgentDescription) -> bytes:
    channels = tuple(
        _document(_Channel, channel, response=ResponseDocument.of(channel.response))
        for channel in description.channels
    )
    statuses = tuple(_document(_Status, status) for status in description.statuses)
    machine = description.machine
    return msgspec.json.encode(
        _document(
            _Description,
            description,
            format=FORMAT_VERSION,
            channels=channels,
            statuses=statuses,
            machine=_Machine(key=machine.key, fixed=dict(machine.fixed), varying=dict(machine.varying)),
        )
    )


def ask_to_json(who: protocol.Who, cursor: protocol.Cursor | None = None) -> bytes:
    """A poll; without a cursor a release."""
    written = _Cursor() if cursor is None else _document(_Cursor, cursor, ticks=dict(cursor.ticks))
    return msgspec.json.encode(_Ask(who=_document(_Who, who), cursor=written))


def poll_to_json(poll: protocol.Poll) -> bytes:
    channels = {
        name: _document(_Ticks, channel, ticks=tuple(map(_row, channel.ticks)))
        for name, channel in poll.channels.items()
    }
    return msgspec.json.encode(
        _document(
            _Poll,
            poll,
            format=FORMAT_VERSION,
            cursor=_document(_Cursor, poll.cursor, ticks=dict(poll.cursor.ticks)),
            channels=channels,
            faults=tuple(_document(_Fault, fault) for fault in poll.faults),
            snapshots=tuple(
                _document(_Snapshot, one, slowdowns=tuple(sorted(one.slowdowns))) for one in poll.snapshots
            ),
            devices={name: _report(report) for name, report in poll.devices.items()},
            host=_document(_Host, poll.host),
            others=tuple(_document(_Who, who) for who in poll.others),
        )
    )


def _report(report: protocol.DeviceReport) -> _Report:
    processes = tuple(_document(_Process, process) for process in report.processes)
    return _document(_Report, report, processes=processes, settings=dict(report.settings))


def _row(tick: SeenTick) -> Row:
    return tick.time_s, tick.joules, tick.spread_s, tick.after_s, tick.before_s


def _document(kind: type[D], value: object, **members: object) -> D:
    """A *kind* with *members*, and the attributes of *value* that have its other fields' names."""
    names = (name for name in kind.__struct_fields__ if name not in members)
    return kind(**{name: getattr(value, name) for name in names}, **members)


# From bytes to values


def description_of(content: bytes, source: str) -> protocol.AgentDescription:
    """The description that *content*, from *source*, is.

    Raises:
        FormatError: It is none, or of a format that isn't known here.
    """
    document = _checked_format(_read(content, _Description, source), source)
    names = [channel.name for channel in document.channels]
    if len({*names}) < len(names):
        raise FormatError(f"{source}: channels has a name twice: {', '.join(sorted(names))}")
    for channel in document.channels:
        if Channel.domain_of(channel.name) is not channel.domain:
            raise FormatError(f"{source}: channels: {channel.name} is not of the domain {channel.domain}")
    machine = document.machine
    return protocol.AgentDescription(
        **_values(
            document,
            "format",
            channels=tuple(
                Channel(**_values(channel, response=channel.response.response()))
                for channel in document.channels
            ),
            statuses=tuple(SensorStatus(**_values(status)) for status in document.statuses),
            machine=Machine(
                key=printable(machine.key), fixed=_shown(machine.fixed), varying=_shown(machine.varying)
            ),
        )
    )


def ask_of(content: bytes, source: str) -> tuple[protocol.Who, protocol.Cursor]:
    """Who polls, or lets go, and its cursor.

    Raises:
        FormatError: *content* is neither.
    """
    ask = _read(content, _Ask, source)
    return protocol.Who(**_values(ask.who)), protocol.Cursor(**asdict(ask.cursor))


def poll_of(content: bytes, source: str) -> protocol.Poll:
    """The answer to a poll that *content*, from *source*, is.

    Raises:
        FormatError: It is none, or of a format that isn't known here.
    """
    document = _checked_format(_read(content, _Poll, source), source)
    return protocol.Poll(
        **_values(
            document,
            "format",
            cursor=protocol.Cursor(**asdict(document.cursor)),
            channels={
                name: protocol.ChannelTicks(
                    **_values(channel, ticks=_ticks(channel.ticks, f"{source}: channels: {name}"))
                )
                for name, channel in document.channels.items()
            },
            faults=tuple(protocol.Fault(**_values(fault)) for fault in document.faults),
            snapshots=tuple(
                protocol.Snapshot(**_values(one, slowdowns=frozenset(one.slowdowns)))
                for one in document.snapshots
            ),
            devices={name: _device_report(report) for name, report in document.devices.items()},
            host=protocol.HostReport(**asdict(document.host)),
            others=tuple(protocol.Who(**_values(who)) for who in document.others),
        )
    )


def _device_report(report: _Report) -> protocol.DeviceReport:
    processes = tuple(protocol.DeviceProcess(**asdict(process)) for process in report.processes)
    return protocol.DeviceReport(**_values(report, processes=processes, settings=_shown(report.settings)))


def _ticks(rows: Iterable[Row], where: str) -> tuple[SeenTick, ...]:
    """The ticks that *rows* are, each later than the one before.

    Raises:
        FormatError: They can't be.
    """
    ticks = tuple(
        SeenTick(time_s=time_s, joules=joules, spread_s=spread_s, after_s=after_s, before_s=before_s)
        for time_s, joules, spread_s, after_s, before_s in rows
    )
    for tick in ticks:
        if tick.after_s > tick.before_s:
            raise FormatError(f"{where}: a tick can't be after {tick.after_s} s and before {tick.before_s} s")
    for before, after in pairwise(ticks):
        if after.time_s <= before.time_s:
            raise FormatError(
                f"{where}: ticks go from {before.time_s} s to {after.time_s} s; times must rise"
            )
    return ticks


def _channel(document: _Channel) -> Channel:
    return Channel(**_values(document, response=document.response.response()))


def _values(document: Document, *without: str, **members: object) -> dict[str, Any]:
    """The fields of *document* by name, texts printable, with *members* in place of those it has."""
    return {
        name: printable(value) if type(value) is str else value
        for name, value in asdict(document).items()
        if name not in without
    } | members


def _shown(facts: Mapping[str, str]) -> dict[str, str]:
    return {printable(name): printable(text) for name, text in facts.items()}


def _read(content: bytes, kind: type[D], source: str) -> D:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return decode(parse(content.decode("utf-8", "replace"), source), kind, source)  # says what is wrong


def _checked_format(document: Any, source: str) -> Any:
    if document.format != FORMAT_VERSION:
        raise FormatError(f"{source}: format is {document.format}; this version reads {FORMAT_VERSION}")
    return document
