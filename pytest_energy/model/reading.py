"""The measurements of one window."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from pytest_energy.errors import NotMeasurable
from pytest_energy.model.load_costs import DURATION_S, ROUND_TOKENS, STEP_COUNT, WHOLE_TOKENS
from pytest_energy.model.values import CounterResponse, Provenance
from pytest_energy.usage import DeviceUse, Usage


@dataclass(frozen=True, slots=True)
class Tick:
    """One update of a counter.

    Attributes:
        time_s: When it was seen.
        joules: What the counter showed from then on.
        spread_s: Standard uncertainty of the time, or `None` if it is unknown.
    """

    time_s: float
    joules: float
    spread_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockError:
    """How well the edges of a window are known among ticks that another clock has timed.

    Attributes:
        alike_s: Standard uncertainty that both edges share: a shift of the window.
        apart_s: Standard uncertainty of one edge against the other.
    """

    alike_s: float = 0.0
    apart_s: float = 0.0

    @property
    def reach_s(self) -> float:
        """The furthest shift that is possible: each up to it is as likely."""
        return math.sqrt(3) * self.alike_s


SAME_CLOCK = ClockError()
"""Ticks and edges were timed by one clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Raw counter ticks around one window, enough to integrate it again anywhere.

    Attributes:
        ticks: Channel name to the updates of its counter. Times share one clock with *start_s* and *stop_s*.
        start_s: When the window opened.
        stop_s: When the window closed.
        quiet_s: Stretches of time (from, to) before the window in which nothing was at work, in order; empty
            if unknown; then the ticks right before the window are used.
        worked_until_s: When earlier work ended; `None` if unknown.
        may_be_off: Channels of which 0 J are a reading.
        responses: Channel name to how its counter responds, where that is known; `settle_s` is what this
            window needed. Without one the second tick after the stop is taken to hold all of the work.
        clock_error: Of *start_s* and *stop_s* among the ticks, which another clock may have timed.
    """

    ticks: Mapping[str, tuple[Tick, ...]]
    start_s: float
    stop_s: float
    quiet_s: tuple[tuple[float, float], ...] = ()
    worked_until_s: float | None = None
    may_be_off: tuple[str, ...] = ()
    responses: Mapping[str, CounterResponse] = field(default_factory=dict)
    clock_error: ClockError = SAME_CLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A named window inside a round. `energy_j` is `None` if it is unknown; *quality* says why.

    Attributes:
        accuracy: Of the model at its end, a share, where it is an epoch of `energy.until`; else `None`.
        channels: Joules by channel, empty without joules; not written to JSON.
    """

    name: str
    energy_j: float | None
    uncertainty_j: float | None
    duration_s: float
    samples: int | None = None
    quality: tuple[str, ...] = ()
    accuracy: float | None = None
    channels: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The measurements of one window.

    Attributes:
        channels: Joules by channel name, each joule once. Empty when the reading is void or all was at rest.
        resting_channels: Joules of devices that did nothing, by channel name: in no sum.
        estimated_channels: Estimates for hardware that nothing measures, by channel name: shown
            beside the joules, never added to them.
        device_use: The use of each device by this run's processes, by channel name, measured or not.
        duration_s: Seconds between the window's edges.
        uncertainty_j: Standard uncertainty of the sum of the channels, in joules: tick time, quiet
            power, interpolation, resolution. The constant gain error of a board is not in it.
        provenance: Where the joules come from.
        quality: Remarks on this reading, one sentence each.
        void_because: Why these joules must not be used, or `None`.
        usage: How busy the machine was, where it is known.
        phases: Named windows inside this one.
        quiet_power_w: Power just before the window, device open and nothing at work, by channel; without
            those whose ticks don't suffice.
        temperatures_c: Temperature at the window's end by channel; without those that don't report it.
        call_count: Calls of the work that the window held, one after another; joules, seconds and uncertainty
            are those of one. Phases, power and the trace are the whole window's.
        power_trace: Channel name to the steps of its power: pairs of seconds since the window opened and of
            watts from then until the next pair. The last pair ends the last step and repeats its watts.
            Without the channels that don't tick; empty if they are unknown.
        step_count: Steps that a model server took for all requests, as counted as the joules are; `None` if
            it doesn't report them, and where a load doesn't come at a rate.
        load_tokens: What such a load is made of beside steps and seconds, as counted as the joules are
            (`ROUND_TOKENS`), and for all its requests (`WHOLE_TOKENS`). Empty if answers have a free length.
        start_unix_s: When the window opened, in seconds since 1970 (UTC) by the machine's clock, or `None`.
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
    step_count: float | None = None
    load_tokens: Mapping[str, float] = field(default_factory=dict)
    start_unix_s: float | None = None
    trace: Trace | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.duration_s < math.inf:
            raise NotMeasurable(f"a window of {self.duration_s} s: the clock went back or stood still")
        if self.void_because is None and not (self.channels or self.resting_channels):
            raise NotMeasurable("a reading without channels must say why it is void")
        for name, energy_j in chain(self.channels.items(), self.resting_channels.items()):
            if not 0 <= energy_j < math.inf:
                raise NotMeasurable(f"channel {name} reads {energy_j} J; joules are finite and not negative")

    @property
    def energy_j(self) -> float | None:
        """Sum of the channels, or `None` for a void reading and for one of devices at rest."""
        has_joules = self.void_because is None and bool(self.channels)
        return math.fsum(self.channels.values()) if has_joules else None

    @property
    def load_amounts(self) -> dict[str, float]:
        """Those of `AMOUNTS` that are known: all, steps and seconds, or none."""
        if self.step_count is None:
            return {}
        is_whole = self.load_tokens.keys() >= {*ROUND_TOKENS, *WHOLE_TOKENS}
        tokens = {name: self.load_tokens[name] for name in ROUND_TOKENS} if is_whole else {}
        return {STEP_COUNT: self.step_count, DURATION_S: self.duration_s, **tokens}

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
