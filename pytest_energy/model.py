"""The values that travel from the hardware to the verdict. Frozen, validated once.

Rule 1: absent is not zero. A value that was not measured is `None`, and its reason travels with it.
Rule 2: joules of different provenance never meet in one value.
Rule 3: nothing here knows JSON: `documents` says what of these values is written, and under which keys.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pytest_energy.errors import NotMeasurable
from pytest_energy.ready import ReadyPower
from pytest_energy.usage import DeviceUse, Usage


class Provenance(StrEnum):
    """Where joules come from. Values of different provenance are never compared."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    REPLAYED = "replayed"


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
class Channel:
    """One thing whose energy is read.

    Attributes:
        name: Domain and position, such as `gpu:0`, `cpu:package-0`, `dram:package-0`.
        domain: The kind of hardware.
        device: What only one window at a time may own: a GPU's UUID, a CPU package.
        is_ticked: The counter moves in steps long enough to follow (NVML: 100 ms), so windows are
            aligned to its ticks. Otherwise it is read at the window's edges.
        resolution_j: Smallest step of the counter's value, in joules.
        edge_s: The counter itself samples power, so that the joules of a step in power are known no better
            than the step times so many seconds (one standard uncertainty a window).
        sampled_s: Seconds between the samples of power that its joules are integrated from; `None` for a
            counter.
    """

    name: str
    domain: Domain
    device: str
    is_ticked: bool
    resolution_j: float
    sampled_s: float | None = None
    edge_s: float = 0.0

    @staticmethod
    def domain_of(name: str) -> Domain:
        """The domain of the channel that is called *name*."""
        return Domain(name.partition(":")[0])


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


@dataclass(frozen=True, slots=True)
class Tick:
    """One update of a counter.

    Attributes:
        time_s: When it was seen.
        joules: What the counter showed from then on.
        spread_s: Standard uncertainty of the time, or `None` where nobody knows it.
    """

    time_s: float
    joules: float
    spread_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Raw counter ticks around one window, enough to integrate it again anywhere.

    Attributes:
        ticks: Channel name to the updates of its counter. Times share one clock with *start_s* and *stop_s*.
        start_s: When the window opened.
        stop_s: When the window closed.
        quiet_s: Stretches of time (from, to) before the window in which nothing was at work, in order; empty
            where nobody knows, and then the ticks right before the window must speak for themselves.
        edges_s: Channel name to its `Channel.edge_s`, where that is not 0.
    """

    ticks: Mapping[str, tuple[Tick, ...]]
    start_s: float
    stop_s: float
    quiet_s: tuple[tuple[float, float], ...] = ()
    edges_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A named window inside a round. `energy_j` is `None` where it could not be told; *quality* says why.

    Attributes:
        channels: Joules by channel, empty without joules; not written to JSON.
    """

    name: str
    energy_j: float | None
    uncertainty_j: float | None
    duration_s: float
    samples: int | None = None
    quality: tuple[str, ...] = ()
    channels: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one window measured.

    Attributes:
        channels: Joules by channel name, each joule once. Empty when the reading is void or all was at rest.
        resting_channels: Joules of devices that did nothing, by channel name: in no sum.
        estimated_channels: What a model gives for hardware that nothing measures, by channel name: shown
            beside the joules, never added to them.
        device_use: What was seen of the use of each device, by channel name, measured or not.
        duration_s: Seconds between the window's edges.
        uncertainty_j: Standard uncertainty of the sum of the channels, in joules: tick time, quiet
            power, interpolation, resolution. The constant gain error of a board is not in it.
        provenance: Where the joules come from.
        quality: What a reader should know of this reading, one sentence each.
        void_because: Why these joules must not be used, or `None`.
        usage: How busy the machine was, where it is known.
        phases: Named windows inside this one.
        quiet_power_w: Power just before the window, device open and nothing at work, by channel; without
            those whose ticks don't tell.
        temperatures_c: Temperature at the window's end by channel; without those that don't tell.
        call_count: Calls of the work that the window held, one after another; joules, seconds and uncertainty
            are those of one. Phases, power and the trace are the whole window's.
        power_trace: Channel name to the steps of its power: pairs of seconds since the window opened and of
            watts from then until the next pair. The last pair ends the last step and repeats its watts.
            Without the channels that don't tick; empty where nobody knows.
        trace: The raw ticks, for recording; not written to JSON.
    """

    channels: Mapping[str, float]
    duration_s: float
    uncertainty_j: float
    provenance: Provenance
    quality: tuple[str, ...] = ()
    void_because: str | None = None
    usage: Usage | None = None
    phases: tuple[Phase, ...] = ()
    quiet_power_w: Mapping[str, float] = field(default_factory=dict)
    temperatures_c: Mapping[str, float] = field(default_factory=dict)
    call_count: int = 1
    resting_channels: Mapping[str, float] = field(default_factory=dict)
    estimated_channels: Mapping[str, float] = field(default_factory=dict)
    device_use: Mapping[str, DeviceUse] = field(default_factory=dict)
    power_trace: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict, repr=False)
    trace: Trace | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration_s) and self.duration_s >= 0):
            raise NotMeasurable(f"a window of {self.duration_s} s: the clock went back or stood")
        if self.void_because is None and not (self.channels or self.resting_channels):
            raise NotMeasurable("a reading without channels must say why it is void")
        for name, energy_j in (*self.channels.items(), *self.resting_channels.items()):
            if not (math.isfinite(energy_j) and energy_j >= 0):
                raise NotMeasurable(f"channel {name} reads {energy_j} J; joules are finite and not negative")

    @property
    def energy_j(self) -> float | None:
        """Sum of the channels, or `None` for a void reading and for one of devices at rest."""
        has_joules = self.void_because is None and bool(self.channels)
        return math.fsum(self.channels.values()) if has_joules else None

    def for_one_of(self, call_count: int) -> "Reading":
        """The reading of one call, out of a window that held *call_count* of them.

        Its `power_trace` stays the whole window's.
        """
        return replace(
            self,
            channels=_times(self.channels, 1, call_count),
            resting_channels=_times(self.resting_channels, 1, call_count),
            estimated_channels=_times(self.estimated_channels, 1, call_count),
            duration_s=self.duration_s / call_count,
            uncertainty_j=self.uncertainty_j / call_count,
            call_count=call_count,
        )

    def counting(self, name: str, scale: float) -> "Reading":
        """The reading of the phase *name* alone, as if *scale* of them had followed one another.

        What is known of the whole window stays: usage, quiet power, temperatures, quality, and power over
        time. A phase without joules makes the reading void.

        Raises:
            NotMeasurable: There is no such phase.
        """
        phase = next((phase for phase in self.phases if phase.name == name), None)
        if phase is None:
            raise NotMeasurable(f"the window holds no phase {name!r}")
        if self.void_because is not None:
            return self
        if phase.energy_j is None or phase.uncertainty_j is None:
            because = "; ".join(phase.quality) or f"the phase {name!r} has no joules"
            return replace(self, channels={}, void_because=because, phases=())
        return replace(
            self,
            channels=_times(phase.channels, scale),
            estimated_channels={},
            duration_s=phase.duration_s * scale,
            uncertainty_j=phase.uncertainty_j * scale,
            quality=tuple(dict.fromkeys((*self.quality, *phase.quality))),
            phases=(),
            trace=None,
        )


def _times(joules: Mapping[str, float], count: float, parts: int = 1) -> dict[str, float]:
    """*joules* by name, *count* times, or one of so many equal *parts*."""
    return {name: energy_j * count / parts for name, energy_j in joules.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All rounds of one test in one run.

    Attributes:
        test_id: The test's node id.
        created: UTC time of the record, ISO 8601 with `Z`.
        provenance: Of every round.
        rounds: One reading a round; empty when nothing was measured.
        samples: Samples (images, requests) in one round: the unit of work, or `None`.
        output_tokens: Tokens that a model wrote in one round, or `None` where it writes none.
        workload: What else the work is made of, name to value: records of other work are not comparable.
        engine_settings: How the work is done, name to value: a difference may explain a change of the joules.
        warmup_count: Rounds that were run first and dropped.
        confirming_count: How many of the last rounds are a second batch, taken because the rounds before
            them looked like a regression.
        group: Tests that are correlated together, such as `training`.
        model: The model that was at work: one row of the correlation.
        metrics: Metric name to value; `None` where it could not be computed.
        absent: Name of a missing value (a metric, `net_energy_j`, ...) to the reason.
        idle_power_w: Channel name to power at rest before the first test, or `None`.
        ready_power: Channel name to power with the device open and nothing at work, from all rounds of the
            session; without the channels that don't tell.
        session: Names the process that measured: records of one session share its card, host and hour. `None`
            where nobody wrote it down.
        machine: Where it was made.
        sensors: What was there to measure with, and what was not.
        joined_as: How it came into its baseline, if as an improvement or as the first of a new level.
        saturated_because: Why a server did not keep up with its load, so that the joules are those of no
            rate that could be asked of it again; or `None`.
        missing_domains: Domains that were at work and whose joules are not in the rounds'.
        void_because: Why the rounds must not be used, or `None`.
        unmeasured_because: Why there are no rounds that count, or `None`.
    """

    test_id: str
    created: str
    provenance: Provenance
    machine: Machine
    rounds: tuple[Reading, ...] = ()
    samples: int | None = None
    output_tokens: int | None = None
    workload: Mapping[str, str] = field(default_factory=dict)
    engine_settings: Mapping[str, str] = field(default_factory=dict)
    warmup_count: int = 0
    confirming_count: int = 0
    group: str | None = None
    model: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    idle_power_w: Mapping[str, float] | None = None
    ready_power: Mapping[str, ReadyPower] = field(default_factory=dict)
    session: str | None = None
    sensors: tuple[SensorStatus, ...] = ()
    joined_as: JoinedAs | None = None
    saturated_because: str | None = None
    missing_domains: tuple[Domain, ...] = ()
    void_because: str | None = None
    unmeasured_because: str | None = None

    def __post_init__(self) -> None:
        for reading in self.rounds:
            if reading.provenance is not self.provenance:
                raise NotMeasurable(
                    f"{self.test_id}: a {reading.provenance} round in a {self.provenance} record; "
                    "joules of different provenance are never mixed"
                )
        if not self.rounds and self.void_because is None and self.unmeasured_because is None:
            raise NotMeasurable(f"{self.test_id}: a record without rounds must say why")
        if not 0 <= self.confirming_count <= len(self.rounds):
            raise NotMeasurable(
                f"{self.test_id}: {self.confirming_count} of {len(self.rounds)} rounds are said to confirm"
            )
        if self.samples is not None and self.samples < 1:
            raise NotMeasurable(
                f"{self.test_id}: samples is {self.samples}; a round works on at least 1 sample"
            )

    @property
    def is_measured(self) -> bool:
        """Whether there are rounds whose joules may be used."""
        return bool(self.rounds) and self.void_because is None and self.unmeasured_because is None

    @property
    def usable_rounds(self) -> tuple[Reading, ...]:
        """The rounds that have joules."""
        return tuple(reading for reading in self.rounds if reading.energy_j is not None)

    @property
    def round_energies_j(self) -> tuple[float, ...]:
        """Joules of each round; empty when the record is void or unmeasured."""
        if not self.is_measured:
            return ()
        return tuple(energy_j for reading in self.rounds if (energy_j := reading.energy_j) is not None)

    @property
    def duration_s(self) -> float | None:
        """Mean seconds of a round that has joules."""
        durations_s = [reading.duration_s for reading in self.usable_rounds]
        return math.fsum(durations_s) / len(durations_s) if durations_s and self.is_measured else None

    @property
    def channels(self) -> dict[str, float] | None:
        """Mean joules of a round by channel, of the channels that every round with joules has."""
        rounds, partial = self.usable_rounds, self.partial_channels
        if not rounds or not self.is_measured:
            return None
        return {
            name: math.fsum(reading.channels[name] for reading in rounds) / len(rounds)
            for name in rounds[0].channels
            if name not in partial
        }

    @property
    def partial_channels(self) -> dict[str, str]:
        """Channels without a mean, because a round with joules lacks them: name to that reason."""
        rounds = self.usable_rounds
        if all(reading.channels.keys() == rounds[0].channels.keys() for reading in rounds):
            return {}
        counts = Counter(name for reading in rounds for name in reading.channels)
        return {
            name: f"only {count} of {len(rounds)} rounds have joules of it"
            for name, count in counts.items()
            if count < len(rounds)
        }

    @property
    def energy_j(self) -> float | None:
        """Mean joules of a round."""
        energies_j = self.round_energies_j
        return math.fsum(energies_j) / len(energies_j) if energies_j else None

    @property
    def absent_because(self) -> str | None:
        """Why there are no joules that may be used, or `None` where there are some."""
        if self.round_energies_j:
            return None
        of_rounds = (reading.void_because for reading in self.rounds)
        reasons = filter(None, (self.void_because, self.unmeasured_because, *of_rounds))
        return next(reasons, "no reason was given")

    @property
    def energy_per_sample_j(self) -> float | None:
        if self.energy_j is None or self.samples is None:
            return None
        return self.energy_j / self.samples

    @property
    def energy_per_token_j(self) -> float | None:
        """Joules of a round for each token that the model wrote."""
        if self.energy_j is None or not self.output_tokens:
            return None
        return self.energy_j / self.output_tokens

    @property
    def power_w(self) -> float | None:
        """Mean power of a round: joules over seconds."""
        if self.energy_j is None or not self.duration_s:
            return None
        return self.energy_j / self.duration_s

    @property
    def active_energy_j(self) -> float | None:
        """Mean joules of a round above ready power: what the work used; `None` where that isn't known."""
        rounds = self.usable_rounds
        if (
            not rounds
            or not self.is_measured
            or any(one.channels.keys() - self.ready_power.keys() for one in rounds)
        ):
            return None
        waiting_j = (
            self.ready_power[name].at(reading.temperatures_c.get(name)) * reading.duration_s
            for reading in rounds
            for name in reading.channels
        )
        return math.fsum((*self.round_energies_j, *(-one_j for one_j in waiting_j))) / len(rounds)

    @property
    def ready_power_w(self) -> Mapping[str, float] | None:
        """Power by channel just before the first round that counts: device open, no work; or `None`."""
        return (self.rounds[0].quiet_power_w or None) if self.is_measured else None

    @property
    def net_energy_j(self) -> float | None:
        """Mean joules of a round above idle: energy - idle power x time (the paper's E_tr and E_in)."""
        if (
            self.energy_j is None
            or self.duration_s is None
            or self.idle_power_w is None
            or self.channels is None
            or self.partial_channels
        ):
            return None
        if any(name not in self.idle_power_w for name in self.channels):
            return None
        idle_w = math.fsum(self.idle_power_w[name] for name in self.channels)
        return self.energy_j - idle_w * self.duration_s
