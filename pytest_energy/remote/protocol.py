"""What an agent tells about the machine that it runs on, whatever carries it.

Rule 1: times are seconds of the agent's own monotonic clock, unless it is said otherwise. No time of day
        crosses: a clock that is set changes nothing.
Rule 2: every channel of an agent is ticked. A counter that doesn't tick is read at a fixed rate, and each of
        those reads is a tick.
Rule 3: what happens one after another is numbered: a reader says what it has, and is told what it missed.
Rule 4: an agent that starts again is another agent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_energy.errors import EnergyError
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Channel, Machine, Provenance, SensorStatus
from pytest_energy.sensors.protocol import Slowdown

FIRST_TICKS = 64
"""Ticks of a channel that a reader without a cursor is given: enough to know the beat."""

MOST_TICKS = 1024
"""Ticks of a channel in one answer; the next one has the rest."""

FORGET_S = 10.0
"""A run that hasn't polled for so long doesn't measure any more."""


class AgentLost(EnergyError):
    """An agent can't be reached, refuses, or answers what no agent answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A run that measures, as it describes itself: shown to other runs, and believed by nobody.

    Attributes:
        run_id: Random text; two polls with the same one are of the same run.
        session: What the run is called; may be empty.
    """

    run_id: str
    host: str
    user: str
    pid: int
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What a reader has already, and what it asks for. An empty one asks for the newest.

    Attributes:
        ticks: Channel to the number of the next tick.
        next_fault: Number of the next fault; `None` for those to come.
        next_snapshot: Number of the next snapshot; `None` for those to come.
        state_since_s: States of devices that were read before this are read anew; `None` takes what there is.
    """

    ticks: Mapping[str, int] = field(default_factory=dict)
    next_fault: int | None = None
    next_snapshot: int | None = None
    state_since_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTicks:
    """A channel's ticks after a cursor.

    Attributes:
        ticks: In order of time.
        lost_count: Ticks between the cursor and the first of these that are no longer kept: a window over
            them has no joules.
        tick_s: The counter's period; `None` if it is unknown or silent.
        is_silent: The counter has stood still for too long to be said to tick.
        read_s: When the last read that gave a value was begun, or `None`.
    """

    ticks: tuple[SeenTick, ...] = ()
    lost_count: int = 0
    tick_s: float | None = None
    is_silent: bool = False
    read_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A read of a channel that failed; without a channel, of all: windows around it are void."""

    time_s: float
    because: str
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A device in the middle of its work; taken while a run measures.

    Attributes:
        slowdowns: What slows it down.
        power_w: What it draws, from another source than its joules; or `None`.
    """

    time_s: float
    channel: str
    slowdowns: frozenset[Slowdown] = frozenset()
    power_w: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProcess:
    """A process that may compute on a device.

    Attributes:
        pid: Its number on the agent's machine.
        is_reported: The device reports which processes compute.
        computed_s: When a look found last that it had computed since the look before; `None` if none did.
    """

    pid: int
    is_reported: bool
    computed_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceReport:
    """State of a channel's device at *time_s*; see `sensors.protocol.DeviceState`."""

    time_s: float
    processes: tuple[DeviceProcess, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    temperature_c: float | None = None
    is_busy: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """How busy the agent's machine is.

    Attributes:
        cpu_busy_s: Processor seconds of work since the machine was started, all processors together.
        cpu_total_s: The same, busy or not.
        gpu_utilisation_share: Of its GPUs, a moment ago; `None` if it is not known.
        gpu_memory_used_bytes: The same.
        suspended_s: Seconds that the machine has slept since it was started; its clock doesn't count them.
    """

    cpu_busy_s: float
    cpu_total_s: float
    gpu_utilisation_share: float | None = None
    gpu_memory_used_bytes: float | None = None
    suspended_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDescription:
    """An agent and its machine: the same for as long as it runs.

    Attributes:
        agent_id: Random, chosen at its start.
        host: The machine's name.
        version: Of this package, there.
        provenance: Of every joule.
        channels: All ticked.
        statuses: Sensors that are there, and those that are not, with the reason.
        machine: As a record has it.
        boot_id: The kernel's, the same in all containers of a machine until it is started again: with
            `Channel.device` it tells whether two agents read one counter. `None` if not available.
    """

    agent_id: str
    host: str
    version: str
    provenance: Provenance
    channels: tuple[Channel, ...]
    statuses: tuple[SensorStatus, ...]
    machine: Machine
    boot_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """The answer to one poll.

    Attributes:
        agent_id: Another one than before: the agent was started again.
        asked_s: When the agent got the poll.
        time_s: When it answered.
        cursor: For the next poll.
        channels: Ticks by channel; every channel is there.
        faults: After the cursor, in order.
        lost_fault_count: Faults after the cursor that are no longer kept.
        snapshots: After the cursor, in order.
        lost_snapshot_count: As for faults.
        devices: The last state of each device that reports one, by channel.
        host: How busy the machine is, at *time_s*.
        dead_because: Why no counter is read now, or `None`.
        others: Other runs that have polled within `FORGET_S`.
    """

    agent_id: str
    asked_s: float
    time_s: float
    cursor: Cursor
    channels: Mapping[str, ChannelTicks]
    faults: tuple[Fault, ...] = ()
    lost_fault_count: int = 0
    snapshots: tuple[Snapshot, ...] = ()
    lost_snapshot_count: int = 0
    devices: Mapping[str, DeviceReport] = field(default_factory=dict)
    host: HostReport
    dead_because: str | None = None
    others: tuple[Who, ...] = ()


class AgentSource(Protocol):
    """An agent, wherever it is. Each call is one round trip, and may come from any thread."""

    def description(self) -> AgentDescription:
        """The agent and its machine.

        Raises:
            AgentLost: It can't be reached, or refuses.
        """
        ...

    def poll(self, cursor: Cursor, who: Who) -> Poll:
        """What has happened since *cursor*; the agent knows from now on that *who* measures.

        Raises:
            AgentLost: It can't be reached, or refuses.
        """
        ...

    def release(self, who: Who) -> None:
        """Tell the agent that *who* measures no more. One that can't be reached will find out by itself."""
        ...

    def close(self) -> None:
        """Let go of what is held open here."""
        ...
