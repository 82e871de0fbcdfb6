"""An agent's values as bytes, and whatever bytes somebody sends."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import FormatError
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Channel, CounterResponse, Domain, Machine, Provenance, SensorStatus
from pytest_energy.remote import wire
from pytest_energy.remote.protocol import (
    AgentDescription,
    ChannelTicks,
    Cursor,
    DeviceProcess,
    DeviceReport,
    Fault,
    HostReport,
    Poll,
    Snapshot,
    Who,
)
from pytest_energy.sensors.protocol import Slowdown

WHO = Who(run_id="r-1", host="client", user="ada", pid=7, session="nightly")

DESCRIPTION = AgentDescription(
    agent_id="a1",
    host="server",
    version="0.1.0",
    provenance=Provenance.MEASURED,
    channels=(
        Channel(
            name="gpu:0",
            domain=Domain.GPU,
            device="GPU-5e",
            is_ticked=True,
            resolution_j=0.001,
            sampled_s=0.05,
            response=CounterResponse(
                settle_s=0.06, edge_s=0.01, tick_s=0.1, waves=((1e-3, -1e-3),), source="a bench"
            ),
        ),
        Channel(
            name="cpu:package-0", domain=Domain.CPU, device="package-0", is_ticked=True, resolution_j=1e-6
        ),
    ),
    statuses=(
        SensorStatus(name="nvml", channels=("gpu:0",), provenance=Provenance.MEASURED),
        SensorStatus(name="rapl", provenance=Provenance.MEASURED, absent_because="no permission"),
    ),
    machine=Machine(key="h100_rapl", fixed={"gpu_model": "H100"}, varying={"gpu_driver": "550"}),
    boot_id="b-1",
)

TICKS = (
    SeenTick(time_s=10.1, joules=5.0, spread_s=0.001, after_s=10.09, before_s=10.11),
    SeenTick(time_s=10.2, joules=6.5, spread_s=0.0, after_s=10.2, before_s=10.2),
)

POLL = Poll(
    agent_id="a1",
    asked_s=10.3,
    time_s=10.301,
    cursor=Cursor(ticks={"gpu:0": 2, "cpu:package-0": 0}, next_fault=1, next_snapshot=4),
    channels={
        "gpu:0": ChannelTicks(ticks=TICKS, lost_count=3, tick_s=0.1, read_s=10.2),
        "cpu:package-0": ChannelTicks(is_silent=True),
    },
    faults=(Fault(time_s=9.0, because="it fell", channel="gpu:0"), Fault(time_s=9.5, because="it died")),
    lost_fault_count=1,
    snapshots=(
        Snapshot(time_s=10.0, channel="gpu:0", slowdowns=frozenset({Slowdown.POWER_BRAKE}), power_w=300.0),
    ),
    devices={
        "gpu:0": DeviceReport(
            time_s=10.0,
            processes=(DeviceProcess(pid=77, is_reported=True, computed_s=9.9),),
            settings={"power limit": "700 W"},
            temperature_c=41.0,
            is_busy=True,
        )
    },
    host=HostReport(cpu_busy_s=100.0, cpu_total_s=400.0, gpu_utilisation_share=0.5, suspended_s=0.0),
    dead_because=None,
    others=(WHO,),
)


def test_a_description_is_read_as_it_was_written() -> None:
    """Bytes and back is the identity."""
    assert wire.description_of(wire.description_to_json(DESCRIPTION), "agent") == DESCRIPTION


def test_an_answer_is_read_as_it_was_written() -> None:
    """Bytes and back is the identity, also of what is empty."""
    assert wire.poll_of(wire.poll_to_json(POLL), "agent") == POLL
    empty = Poll(
        agent_id="a",
        asked_s=0.0,
        time_s=0.0,
        cursor=Cursor(),
        channels={},
        host=HostReport(cpu_busy_s=0.0, cpu_total_s=0.0),
    )
    assert wire.poll_of(wire.poll_to_json(empty), "agent") == empty


def test_what_an_honest_agent_may_answer_is_read() -> None:
    """Two clocks may differ by less than nothing, and a counter of another package may fall."""
    host = HostReport(cpu_busy_s=1.0, cpu_total_s=2.0, suspended_s=-1e-6)
    fallen = (TICKS[0], replace(TICKS[1], joules=0.0))
    poll = replace(POLL, host=host, channels={"gpu:0": ChannelTicks(ticks=fallen)})
    assert wire.poll_of(wire.poll_to_json(poll), "agent") == poll


@pytest.mark.parametrize("cursor", [POLL.cursor, Cursor(), Cursor(state_since_s=12.5)])
def test_a_poll_is_read_as_it_was_written(cursor: Cursor) -> None:
    """Bytes and back is the identity."""
    assert wire.ask_of(wire.ask_to_json(WHO, cursor), "client") == (WHO, cursor)


def test_a_newer_agent_may_say_more() -> None:
    """A key that isn't known is left alone, at every depth."""
    document = json.loads(wire.poll_to_json(POLL))
    document["mood"] = document["host"]["mood"] = document["faults"][0]["mood"] = {"good": [1, 2]}
    assert wire.poll_of(json.dumps(document).encode(), "agent") == POLL


@pytest.mark.parametrize("read", [wire.poll_of, wire.description_of])
def test_another_format_is_refused(read: Callable[[bytes, str], object]) -> None:
    """An agent that speaks another format is not understood by chance."""
    write: dict[Any, bytes] = {
        wire.poll_of: wire.poll_to_json(POLL),
        wire.description_of: wire.description_to_json(DESCRIPTION),
    }
    document = json.loads(write[read])
    document["format"] = 2
    with pytest.raises(FormatError, match="format is 2; this version reads 1"):
        read(json.dumps(document).encode(), "agent")


def changed(place: tuple[str | int, ...], value: object) -> bytes:
    """The answer of above with another value at *place*."""
    document = json.loads(wire.poll_to_json(POLL))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("time_s",), 1e300),
        (("time_s",), float("nan")),
        (("asked_s",), "soon"),
        (("channels",), {"../../etc": {}}),
        (("channels",), {"gpu:" + "0" * 200: {}}),
        (("channels",), {f"gpu:{number}": {} for number in range(257)}),
        (("channels", "gpu:0", "ticks"), [[1.0, 2.0]]),
        (("channels", "gpu:0", "ticks"), [[1.0, 2.0, -0.1, 1.0, 1.0]]),
        (("channels", "gpu:0", "ticks"), [[1.0, 2.0, 0.1, 1.6, 1.5]]),
        (("channels", "gpu:0", "ticks"), [[2.0, 2.0, 0.1, 2.0, 2.0], [1.0, 2.0, 0.1, 1.0, 1.0]]),
        (("channels", "gpu:0", "ticks"), [[1.0, 1e300, 0.1, 1.0, 1.0]]),
        (("channels", "gpu:0", "ticks"), [[float(n), 0.0, 0.0, float(n), float(n)] for n in range(1025)]),
        (("channels", "gpu:0", "tick_s"), 0.0),
        (("channels", "gpu:0", "lost_count"), -1),
        (("cursor", "ticks"), {"gpu:0": 2**60}),
        (("faults",), [{"time_s": 1.0, "because": "x" * 10_001}]),
        (("snapshots", 0, "slowdowns"), ["tired"]),
        (("devices", "gpu:0", "processes", 0, "pid"), -5),
        (("host", "gpu_utilisation_share"), 17),
        (("agent_id",), "a\nb"),
        (("others", 0, "run_id"), ""),
    ],
)
def test_what_no_agent_answers_is_refused(place: tuple[str | int, ...], value: object) -> None:
    """Each value has its bounds, and ticks an order."""
    with pytest.raises(FormatError):
        wire.poll_of(changed(place, value), "agent")


def test_a_channel_is_of_the_domain_that_its_name_says() -> None:
    """Joules are summed by domain: a name can't claim another."""
    channel = replace(DESCRIPTION.channels[0], domain=Domain.CPU)
    content = wire.description_to_json(replace(DESCRIPTION, channels=(channel,)))
    with pytest.raises(FormatError, match="gpu:0 is not of the domain cpu"):
        wire.description_of(content, "agent")


def test_a_channel_is_there_once() -> None:
    """Two channels of one name would be one in every sum."""
    content = wire.description_to_json(replace(DESCRIPTION, channels=DESCRIPTION.channels[:1] * 2))
    with pytest.raises(FormatError, match="twice"):
        wire.description_of(content, "agent")


def test_texts_command_no_terminal() -> None:
    """What an agent or a run says of itself is on one line, without escapes."""
    hostile = "\x1b[2J\nhost\r::error::x"
    description = replace(
        DESCRIPTION,
        host=hostile,
        machine=Machine(key=hostile, fixed={hostile: hostile}, varying={}),
        statuses=(replace(DESCRIPTION.statuses[1], absent_because=hostile),),
    )
    read = wire.description_of(wire.description_to_json(description), "agent")
    poll = wire.poll_of(
        wire.poll_to_json(replace(POLL, dead_because=hostile, others=(replace(WHO, user=hostile),))), "agent"
    )
    texts = [
        read.host,
        read.machine.key,
        *read.machine.fixed,
        *read.machine.fixed.values(),
        read.statuses[0].absent_because,
        poll.dead_because,
        poll.others[0].user,
    ]
    assert {text.isprintable() for text in texts if text is not None} == {True}


READERS: list[Callable[[bytes, str], object]] = [wire.poll_of, wire.description_of, wire.ask_of]
WRITTEN = [wire.poll_to_json(POLL), wire.description_to_json(DESCRIPTION), wire.ask_to_json(WHO, POLL.cursor)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=9,
)


def outcomes(content: bytes) -> list[object]:
    """What each reader makes of *content*, or why it refuses it."""
    return [outcome(read, content) for read in READERS]


def outcome(read: Callable[[bytes, str], object], content: bytes) -> object:
    try:
        return read(content, "somebody")
    except FormatError as error:
        return str(error)[:20_000]


def are_fine(found: list[object]) -> bool:
    kinds = (Poll, AgentDescription, tuple, str)
    return all(isinstance(one, kinds) and len(str(one)) < 20_000 for one in found)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Nothing but a `FormatError` comes of bytes."""
    assert are_fine(outcomes(content))


@given(st.sampled_from(WRITTEN), st.data())
def test_damaged_bytes_are_read_or_refused(content: bytes, data: st.DataObject) -> None:
    """The same of a document some of whose bytes are others."""
    start = data.draw(st.integers(0, len(content) - 1))
    stop = data.draw(st.integers(start, min(len(content), start + 30)))
    assert are_fine(outcomes(content[:start] + data.draw(st.binary(max_size=8)) + content[stop:]))


@given(st.sampled_from(WRITTEN), st.data())
def test_any_value_at_any_place_is_read_or_refused(content: bytes, data: st.DataObject) -> None:
    """The same of a document that holds something else in one place."""
    document = json.loads(content)
    inner: Any = document
    parent: Any = None
    key: Any = None
    while isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(inner) if isinstance(inner, dict) else range(len(inner))))
        parent, inner = inner, inner[key]
    value = data.draw(JSON)
    if parent is None:
        document = value
    else:
        parent[key] = value
    assert are_fine(outcomes(json.dumps(document).encode("utf-8", "surrogatepass")))


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"format":1,"agent_id":' + b"9" * 100_000 + b"}",
        b'{"who":"\\ud800"}',
        b'\xff\xfe{"who":1}',
    ],
)
def test_documents_that_are_made_to_hurt_are_refused(content: bytes) -> None:
    """Depth, digits and half characters are a `FormatError` like any other."""
    for read in READERS:
        with pytest.raises(FormatError):
            read(content, "somebody")
