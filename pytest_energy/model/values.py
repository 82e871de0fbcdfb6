"""Values of a record: the machine, its channels and sensors, and the provenance of joules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

METER_FACT = "meter"
"""Of a machine that an agent measured: the agent's address."""


class Provenance(StrEnum):
    """Where joules come from. Values of different provenance are never compared.

    It is of another machine: it is shown beside the joules of a record, and no round is of it.
    """

    MEASURED = "measured"
    ESTIMATED = "estimated"
    REPLAYED = "replayed"
    PREDICTED = "predicted"


class JoinedAs(StrEnum):
    """How a record came into its baseline, where the baseline must remember it (`baselines/levels.py`)."""

    IMPROVEMENT = "improvement"
    LEVEL = "level"


class Domain(StrEnum):
    """The kind of hardware that a channel belongs to."""

    GPU = "gpu"
    CPU = "cpu"
    DRAM = "dram"


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterResponse:
    """How a counter responds to power: when the joules of work are in it, and which moments it sees.

    A counter that samples power counts some moments for more than they last, and others for less. If it does
    so at always the same moments of its tick, what it is ahead of an even count is known at each moment.

    Attributes:
        settle_s: Seconds after the work's end until all of its joules are in the counter; `None` if unknown.
        prompt_s: The same if they don't come late, where *settle_s* is how long the counter was above quiet:
            nobody knows then whether joules came late or power fell late. `None` if that is known.
        rest_s: Seconds after the work's end until the device draws what it draws at rest, as far as is known.
        shortest_s: Work that is shorter may be seen hardly or twice, nobody knows: a window is void.
        shortest_ticks: The same, in periods of the counter.
        edge_s: Joules of a step in power are known no better than the step times so many seconds (one
            standard uncertainty a window).
        edge_ticks: At least that, in periods of the counter.
        edge_length_s: In shorter windows both edges err alike, so less of *edge_s* is left; 0 if unknown.
        tick_s: Period of the counter that *waves* belong to.
        waves: Seconds of power by which the counter is ahead of an even count, as sine and cosine of the
            first, second, ... harmonic of the tick, whose phase is 0 when the counter changes.
        source: Where these come from.
    """

    settle_s: float | None = None
    prompt_s: float | None = None
    rest_s: float = 0.0
    shortest_s: float = 0.0
    shortest_ticks: float = 0.0
    edge_s: float = 0.0
    edge_ticks: float = 0.0
    edge_length_s: float = 0.0
    tick_s: float = 0.0
    waves: tuple[tuple[float, float], ...] = ()
    source: str = ""


UNKNOWN_RESPONSE = CounterResponse()
"""Nothing is known of the counter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One thing whose energy is read.

    Attributes:
        name: Domain and position, such as `gpu:0`, `cpu:package-0`, `dram:package-0`.
        domain: The kind of hardware.
        device: What one window at a time may own: a GPU's UUID, a CPU package.
        is_ticked: The counter moves in steps long enough to follow (NVML: 100 ms), so windows are
            aligned to its ticks. Otherwise it is read at the window's edges.
        resolution_j: Smallest step of the counter's value, in joules.
        sampled_s: Seconds between the samples of power that its joules are integrated from; `None` for a
            counter.
        response: How its counter responds to power, as far as known, if it is not read meanwhile.
        followed_response: The same while each of its ticks is read; `None` if that isn't known.
        age_s: A value that is read at an edge is up to so old, as the counter is updated so often.
        is_read_at_end: A call that reads its counter gives what it has at the call's end, not at any moment
            in between.
        is_of_processes: Its joules are those of this run's processes, which do nothing between a window's
            edge and the read beside it: how long that took doesn't matter.
        may_be_off: The hardware may be switched off while it has no work, so that 0 J are a reading of it. Of
            all other hardware they show a counter that doesn't move.
    """

    name: str
    domain: Domain
    device: str
    is_ticked: bool
    resolution_j: float
    sampled_s: float | None = None
    response: CounterResponse = UNKNOWN_RESPONSE
    followed_response: CounterResponse | None = None
    age_s: float = 0.0
    is_read_at_end: bool = False
    is_of_processes: bool = False
    may_be_off: bool = False

    @staticmethod
    def domain_of(name: str) -> Domain:
        """The domain of the channel that is called *name*."""
        return Domain(name.partition(":")[0])

    @staticmethod
    def place_of(name: str) -> tuple[str, str | None]:
        """What the channel *name* is called on its own machine, and that machine's name if it isn't this one.

        >>> Channel.place_of("gpu:0@node-b"), Channel.place_of("gpu:0")
        (('gpu:0', 'node-b'), ('gpu:0', None))
        """
        local, _, node = name.partition("@")
        return local, node or None


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorStatus:
    """One sensor as it was found on this machine: there with its channels, or absent and why."""

    name: str
    channels: tuple[str, ...] = ()
    provenance: Provenance
    tick_s: float | None = None
    absent_because: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine and software that a record was made on.

    Attributes:
        key: Readable name of what must be equal, such as `h100-80gb-hbm3_xeon-8480_nvml`.
        fixed: Facts that must be equal for two records to be compared.
        varying: Facts that may differ and are shown when they do (driver, torch, commit).
    """

    key: str
    fixed: Mapping[str, str] = field(default_factory=dict)
    varying: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_elsewhere(self) -> bool:
        """Whether an agent measured it; its address is a fact of the machine then."""
        return METER_FACT in self.varying
