"""Windows: a stretch of time goes in, a `Reading` comes out.

Rule 1: `close` never raises for a fault of a sensor or a clock. The reading is void and says why.
Rule 2: both edges are taken after the device has been synchronised: the work is really over at the stop.
Rule 3: the time around an outermost window is quiet, because opening and closing wait for two ticks. A window
        that is opened right after another was closed needs no wait.
Rule 4: a random delay of up to a tick comes before each window, so that rounds aren't locked to the ticks.
Rule 5: without a ticked channel nothing waits.
"""

import math
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from pytest_energy.errors import NotMeasurable, SensorError
from pytest_energy.meter import quality
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.device_monitor import DEVICE_LOOK_S, DeviceMonitor
from pytest_energy.meter.host_usage import HOST_LOOK_S, CpuTime, HostMonitor, PsutilSystem, System
from pytest_energy.meter.idle import IDLE_S, IdlePower, idle_power
from pytest_energy.meter.integrate import (
    HEAD_TICKS,
    INNER_TICKS,
    Cumulative,
    Integral,
    Span,
    integrate,
)
from pytest_energy.meter.power import most_steps, power_steps
from pytest_energy.meter.quality import DeviceHistory
from pytest_energy.meter.rest import at_rest
from pytest_energy.meter.sampler import Runner, Sampler, ThreadRunner
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Channel, Domain, Phase, Provenance, Reading, SensorStatus, Tick, Trace, Usage
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.sensors.replay import Replay, ReplayRound

# A window that is opened so soon after another was closed has the other's quiet tail as its head: in 5 % of a
# tick nothing happens that would matter. In joules: 5 ms of a GPU's full power at the very most.
_BACK_TO_BACK_SHARE = 0.05

# Ticks to wait for beside a window: the first may lack the end of the work (measured on an H100).
_QUIET_TICKS = 2

# How long to wait for them: a tick that comes late by a whole period, and a held-up thread.
_WAIT_TICKS, _WAIT_S = 4.0, 1.0


class OpenPhase(Protocol):
    """A named stretch inside an open window."""

    def close(self) -> None:
        """End the stretch. What it used is in the window's reading, once that is closed."""
        ...


class OpenWindow(Protocol):
    """A window whose joules are being counted."""

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        """Begin a named stretch inside this window; stretches may nest and overlap.

        Nothing waits for the sensors, so its edges are known less well than the window's: where the counter
        ticks they are interpolated.

        Args:
            name: What it is called.
            samples: Samples that it works on.
            waits_for_gpu: Its edges wait until the GPU has done what it was given; not where the stretch is
                one of time, in a flow of work that doesn't stop.
        """
        ...

    def close(self) -> Reading:
        """End the window. A fault of a sensor makes the reading void, with the reason; it isn't raised."""
        ...


class Meter(Protocol):
    """Where readings come from."""

    @property
    def provenance(self) -> Provenance: ...

    def statuses(self) -> tuple[SensorStatus, ...]:
        """The sensors with the tick that was found, and those that are absent."""
        ...

    def start(self) -> None:
        """Begin; takes about 3 s where something is measured: ticks are found, idle power is measured."""
        ...

    def rounds_left(self, test_id: str) -> int | None:
        """Rounds that can still be read for the test *test_id*; `None` where there is no limit."""
        ...

    def why_unmeasured(self, test_id: str) -> str | None:
        """Why the test *test_id* can't be measured at all, or `None`."""
        ...

    def open(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> OpenWindow:
        """Open an outermost window over the channels of *domains*, or all.

        One window is open at a time. One that was left open (its work raised) is abandoned.
        """
        ...

    def idle_power_w(self) -> Mapping[str, float] | None:
        """Power at rest by channel, or `None` where it isn't known."""
        ...

    def drift_notes(self) -> tuple[str, ...]:
        """What a reader should know of power without work that has changed since the run's start.

        To be asked at the end of the run, with nothing at work; takes about 3 s where something is measured.
        """
        ...

    def devices(self, domains: frozenset[Domain] | None) -> tuple[str, ...]:
        """What only one process at a time may measure: GPU UUIDs, CPU packages."""
        ...

    def adopt(self, pids: Iterable[int]) -> None:
        """Take these processes for this run's own: a server that it asks, not a stranger beside it."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instruments:
    """What a live meter and its windows share."""

    clock: Clock
    sampler: Sampler
    host: HostMonitor
    devices: DeviceMonitor
    system: System
    synchronize: Callable[[], None]
    rng: random.Random
    provenance: Provenance


class LiveMeter:
    """Readings from the sensors of this machine.

    Args:
        sensors: Open sensors, all of one provenance. They stay the caller's to close.
        statuses: What was found on this machine, present and absent.
        clock: The clock of all times.
        synchronize: Waits until the work that was started has ended. What it raises is the work's own
            error, and passes through.
        rng: For the delays before windows.
        runner: What runs the sampler; a thread by default.
        system: What is asked of the operating system; psutil by default.

    Raises:
        NotMeasurable: The sensors are of different provenance.
    """

    def __init__(
        self,
        sensors: Iterable[Sensor],
        statuses: Iterable[SensorStatus],
        *,
        clock: Clock,
        synchronize: Callable[[], None],
        rng: random.Random,
        runner: Runner | None = None,
        system: System | None = None,
    ) -> None:
        self._sensors, self._statuses = tuple(sensors), tuple(statuses)
        self._channels = tuple(channel for sensor in self._sensors for channel in sensor.channels)
        self.provenance = _one_provenance(self._sensors)
        sampler = Sampler(self._sensors, clock, ThreadRunner(clock) if runner is None else runner)
        system = PsutilSystem() if system is None else system
        host, devices = HostMonitor(self._sensors, clock, system), DeviceMonitor(self._sensors, system)
        sampler.add_chore(host.look, HOST_LOOK_S)
        for name in devices.names:
            sampler.add_chore(partial(devices.look, name), DEVICE_LOOK_S)
        self._instruments = _Instruments(
            clock=clock,
            sampler=sampler,
            host=host,
            devices=devices,
            system=system,
            synchronize=synchronize,
            rng=rng,
            provenance=self.provenance,
        )
        self._idle: dict[str, IdlePower] = {}
        self._quiet = _QuietSpans()
        self._last: _LiveWindow | None = None

    def start(self) -> None:
        self._instruments.sampler.start()
        if self.provenance is Provenance.MEASURED and self._channels:
            self._idle = self._at_rest()

    def _at_rest(self) -> dict[str, IdlePower]:
        """Power of each channel over the next seconds, in which nothing is at work."""
        # Not kept as quiet for the first window: by then a device that is opened has another quiet.
        ticks = at_rest(self._instruments.sampler, self._channels, self._instruments.clock, IDLE_S)
        idle: dict[str, IdlePower] = {}
        for name in ticks:
            with suppress(NotMeasurable):  # a counter that stands still; its windows will say so
                idle[name] = idle_power(ticks[name])
        return idle

    def statuses(self) -> tuple[SensorStatus, ...]:
        return tuple(
            replace(status, tick_s=self._slowest_tick_s(status.channels)) for status in self._statuses
        )

    def _slowest_tick_s(self, names: Sequence[str]) -> float | None:
        ticked = [channel.name for channel in self._channels if channel.is_ticked and channel.name in names]
        ticks_s = [self._instruments.sampler.tick_s(name) for name in ticked]
        return max((tick_s for tick_s in ticks_s if tick_s is not None), default=None)

    def rounds_left(self, test_id: str) -> int | None:
        del test_id
        return None

    def why_unmeasured(self, test_id: str) -> str | None:
        del test_id
        if self._channels:
            return None
        reasons = "; ".join(f"{s.name}: {s.absent_because}" for s in self._statuses if s.absent_because)
        return f"no sensor on this machine ({reasons})" if reasons else "no sensor on this machine"

    def idle_power_w(self) -> Mapping[str, float] | None:
        return {name: idle.power_w for name, idle in self._idle.items()} or None

    def drift_notes(self) -> tuple[str, ...]:
        """See `Meter`. Channels that tick are compared with the first window's quiet, its devices open."""
        is_ticked = {channel.name: channel.is_ticked for channel in self._channels}
        before_w = {name: idle.power_w for name, idle in self._idle.items() if not is_ticked[name]}
        before_w |= self._quiet.first_power_w
        is_asked = self.provenance is Provenance.MEASURED and self._last is not None
        if not (is_asked and before_w) or self._instruments.sampler.failure is not None:
            return ()
        self._instruments.synchronize()
        after_w = {name: rest.power_w for name, rest in self._at_rest().items()}
        return quality.drift_notes(before_w, after_w)

    def idle(self) -> Mapping[str, IdlePower]:
        """Power at rest by channel, with its uncertainty; without those where it isn't known."""
        return dict(self._idle)

    def devices(self, domains: frozenset[Domain] | None) -> tuple[str, ...]:
        return tuple(sorted({channel.device for channel in self._of(domains)}))

    def _of(self, domains: frozenset[Domain] | None) -> tuple[Channel, ...]:
        return tuple(c for c in self._channels if domains is None or c.domain in domains)

    def open(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> OpenWindow:
        last, channels = self._last, self._of(domains)
        if last is not None:
            last.abandon(f"it was still open when {test_id} opened another window")
        reason = None if channels else _why_no_channel(domains, self._channels)
        self._last = window = _LiveWindow(self._instruments, channels, self._quiet, reason)
        window.begin()
        return window

    def adopt(self, pids: Iterable[int]) -> None:
        self._instruments.system.adopt(pids)

    def close(self) -> None:
        """End the sampling.

        Raises:
            Exception: What ended it before, if something did.
        """
        self._instruments.sampler.stop()


def _one_provenance(sensors: Sequence[Sensor]) -> Provenance:
    provenances = {sensor.provenance for sensor in sensors}
    if len(provenances) > 1:
        names = ", ".join(f"{sensor.name} ({sensor.provenance})" for sensor in sensors)
        raise NotMeasurable(f"{names}: joules of different provenance are never mixed; choose one")
    return provenances.pop() if provenances else Provenance.MEASURED


def _why_no_channel(domains: frozenset[Domain] | None, channels: Sequence[Channel]) -> str:
    wanted = "any domain" if domains is None else "the domains " + ", ".join(sorted(domains))
    there = ", ".join(channel.name for channel in channels) or "nothing"
    return f"no channel of {wanted} here; this run measures {there}"


class _QuietSpans:
    """Stretches of time in which nothing was at work, known because a window waited through them."""

    def __init__(self) -> None:
        self._spans: deque[Span] = deque(maxlen=HEAD_TICKS)
        self.names: frozenset[str] = frozenset()
        """The channels whose ticks were waited for in the last stretch."""
        self.first_power_w: dict[str, float] = {}
        """Quiet power before the first window over each channel."""

    def add(self, from_s: float, until_s: float) -> None:
        """Know of a stretch; one that continues the last makes it longer."""
        if self._spans and self._spans[-1][1] == from_s:
            from_s = self._spans.pop()[0]
        self._spans.append((from_s, until_s))

    @property
    def until_s(self) -> float:
        """Until when it is known to have been quiet."""
        return self._spans[-1][1] if self._spans else -math.inf

    def spans(self) -> tuple[Span, ...]:
        """The stretches, oldest first."""
        return tuple(self._spans)


def _time_s(tick: SeenTick) -> float:
    return tick.time_s


class _LiveWindow:
    """One outermost window over *channels*."""

    def __init__(
        self,
        instruments: _Instruments,
        channels: Sequence[Channel],
        quiet: _QuietSpans,
        void_because: str | None,
    ) -> None:
        self._instruments, self._channels, self._quiet = instruments, tuple(channels), quiet
        self._ticked = tuple(channel.name for channel in channels if channel.is_ticked)
        self._sampled = frozenset(channel.name for channel in channels if channel.sampled_s is not None)
        self._void_because = void_because
        self._phases: list[_LivePhase] = []
        self._reading: Reading | None = None
        self._opened_s = self._start_s = instruments.clock.now_s()
        self._start_reads: Mapping[str, float] = {}
        self._suspended_s: float | None = None

    # Opening

    def begin(self) -> None:
        """Wait for quiet, then start."""
        instruments = self._instruments
        quiet_since_s = self._wait_for_quiet() if self._ticked else None
        if self._void_because is None:
            instruments.devices.open(channel.name for channel in self._channels)
        instruments.host.open()
        self._suspended_s = instruments.clock.suspended_s()
        instruments.synchronize()
        self._start_reads = self.read_edge_channels()
        self._start_s = instruments.clock.now_s()
        if quiet_since_s is not None:
            self._quiet.add(quiet_since_s, self._start_s)

    def _wait_for_quiet(self) -> float | None:
        """Wait until the time before now is quiet, and a moment more.

        Returns:
            Since when it has been quiet, or `None` where the channels can't be followed.
        """
        clock, quiet = self._instruments.clock, self._quiet
        self._void(self._why_not_followed())
        if self._void_because is not None:
            return None
        tick_s, quiet_since_s = self._slowest_tick_s(), quiet.until_s
        is_back_to_back = clock.now_s() - quiet_since_s <= _BACK_TO_BACK_SHARE * tick_s
        if not (is_back_to_back and quiet.names >= set(self._ticked)):
            self._instruments.synchronize()
            quiet_since_s = clock.now_s()
            why_not_ticked = self._wait_for_ticks(quiet_since_s)
            self._void(self._why_faulty() or why_not_ticked)
        clock.sleep_s(self._instruments.rng.random() * tick_s)
        return quiet_since_s

    def _why_not_followed(self) -> str | None:
        sampler = self._instruments.sampler
        if sampler.failure is not None:
            return f"the sampling has ended: {sampler.failure!r}"
        for name in self._ticked:
            if sampler.is_silent(name):
                fault = sampler.fault_since_last_tick(name)
                if fault is not None:
                    return fault.because
                return f"{name}: its counter stands still; one that never moves measures nothing"
            if sampler.tick_s(name) is None:
                return f"{name}: the period of its counter hasn't been found"
        return None

    def _slowest_tick_s(self) -> float:
        ticks_s = [self._instruments.sampler.tick_s(name) for name in self._ticked]
        return max((tick_s for tick_s in ticks_s if tick_s is not None), default=0.0)

    def _wait_for_ticks(self, since_s: float) -> str | None:
        """Wait until each ticked channel has ticked twice after *since_s*; if one doesn't, why."""
        clock, sampler = self._instruments.clock, self._instruments.sampler
        tick_s = self._slowest_tick_s()
        limit_s = since_s + _WAIT_TICKS * tick_s + _WAIT_S
        missing = list(self._ticked)
        sampler.poll_eagerly(missing)
        try:
            while missing and sampler.failure is None:
                now_s = clock.now_s()
                if now_s > limit_s:
                    return f"{missing[0]}: its counter didn't tick twice in {now_s - since_s:.3g} s"
                clock.sleep_s(min(max(tick_s / 50, 2e-4), 2e-3))
                missing = [n for n in missing if sampler.count_after(n, since_s) < self._late_ticks(n)]
        finally:
            sampler.poll_normally(self._ticked)
        return None

    def _late_ticks(self, name: str) -> int:
        """Ticks to wait for after the work; where power is integrated the first of them is still late."""
        return _QUIET_TICKS + (name in self._sampled)

    def _void(self, because: str | None) -> None:
        """Keep the first reason."""
        if self._void_because is None:
            self._void_because = because

    def read_edge_channels(self) -> dict[str, float]:
        """Joules of the channels that are read at edges; a fault makes the window void."""
        reads = {}
        for channel in self._channels:
            if not channel.is_ticked:
                try:
                    reads[channel.name] = self._instruments.sampler.read_j(channel.name)
                except SensorError as error:
                    self._void(str(error))
        return reads

    # Inside

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        synchronize = self._instruments.synchronize if waits_for_gpu else _go_on
        synchronize()
        phase = _LivePhase(self, name, samples, self._instruments.clock, synchronize)
        self._phases.append(phase)
        return phase

    # Closing

    def abandon(self, because: str) -> None:
        """End the window without a wait; its reading is void."""
        if self._reading is None:
            self._void(because)
            self._instruments.host.abandon()
            self._instruments.devices.abandon()
            duration_s = max(0.0, self._instruments.clock.now_s() - self._start_s)
            self._reading = self._void_reading(duration_s)

    def close(self) -> Reading:
        if self._reading is None:
            self._instruments.synchronize()
            stop_s = self._instruments.clock.now_s()
            self._reading = self._close_at(stop_s)
        return self._reading

    def _close_at(self, stop_s: float) -> Reading:
        instruments = self._instruments
        stop_reads = self.read_edge_channels()
        cpu = instruments.host.close()
        devices = instruments.devices.close()
        self._void(
            quality.why_clock_is_wrong(
                self._start_s, stop_s, self._suspended_s, instruments.clock.suspended_s()
            )
        )
        self._void(self._why_faulty())
        if self._void_because is None and self._ticked:
            why_not_ticked = self._wait_for_ticks(stop_s)
            self._void(self._why_faulty() or why_not_ticked)
            self._quiet.add(stop_s, instruments.clock.now_s())
            self._quiet.names = frozenset(self._ticked)
        usage = instruments.host.usage(cpu)
        self._void(self._why_not_followed() if self._ticked else None)
        self._void(quality.why_disturbed(devices))
        return self._integrated(stop_s, stop_reads, devices, cpu, usage)

    def _why_faulty(self) -> str | None:
        for channel in self._channels:
            fault = self._instruments.sampler.fault_since(channel.name, self._opened_s)
            if fault is not None:
                return fault.because
        return None

    def _integrated(
        self,
        stop_s: float,
        stop_reads: Mapping[str, float],
        devices: Mapping[str, DeviceHistory],
        cpu: CpuTime,
        usage: Usage,
    ) -> Reading:
        duration_s = max(0.0, stop_s - self._start_s)
        if self._void_because is not None:
            return replace(self._void_reading(duration_s), usage=usage)
        ticks: dict[str, tuple[Tick, ...]] = {
            name: (Tick(self._start_s, self._start_reads[name]), Tick(stop_s, joules))
            for name, joules in stop_reads.items()
        }
        seen = {name: self._seen_around(name, stop_s, is_whole=False) for name in self._ticked}
        ticks |= {name: tuple(tick.tick for tick in around) for name, around in seen.items()}
        trace = Trace(
            ticks=ticks,
            start_s=self._start_s,
            stop_s=stop_s,
            quiet_s=self._quiet_s(
                min((around[0].time_s for around in seen.values() if around), default=stop_s)
            ),
            edges_s={channel.name: channel.edge_s for channel in self._channels if channel.edge_s},
        )
        resolutions_j = {channel.name: channel.resolution_j for channel in self._channels}
        reading = to_reading(trace, self._instruments.provenance, resolutions_j=resolutions_j)
        if self._sampled:
            uncertainty_j = math.hypot(reading.uncertainty_j, self._sampling_j(stop_s))
            reading = replace(reading, uncertainty_j=uncertainty_j)
        because = (
            reading.void_because
            or _why_unlikely(reading, devices)
            or quality.why_not_ours(self._instruments.provenance, cpu.foreign_share)
        )
        if because is not None:
            self._void(because)
            return replace(self._void_reading(duration_s), usage=usage)
        for name, power_w in reading.quiet_power_w.items():
            self._quiet.first_power_w.setdefault(name, power_w)
        notes = (
            *quality.sampling_notes(self._channels),
            *quality.condition_notes(devices),
            *quality.foreign_notes(reading.channels, cpu.foreign_share),
        )
        temperatures_c = {
            name: device.after.temperature_c
            for name, device in devices.items()
            if device.after.temperature_c is not None
        }
        return replace(
            reading,
            quality=(*reading.quality, *notes),
            temperatures_c=temperatures_c,
            phases=self._measured_phases(stop_s),
            power_trace=self._power_trace(stop_s),
            usage=usage,
        )

    def _power_trace(self, stop_s: float) -> dict[str, tuple[tuple[float, float], ...]]:
        """Power between the ticks that were surely inside the window, by channel; without those of no two."""
        most = most_steps(len(self._ticked))
        steps = {
            name: power_steps([t.tick for t in self._ticks_inside(name, stop_s)], self._start_s, most=most)
            for name in self._ticked
        }
        return {name: found for name, found in steps.items() if found}

    def _ticks_inside(self, name: str, stop_s: float) -> Sequence[SeenTick]:
        ticks = self._instruments.sampler.ticks(name)
        first, last = (bisect_right(ticks, time_s, key=_time_s) for time_s in (self._start_s, stop_s))
        while first < last and ticks[first].straddles(self._start_s):
            first += 1
        while first < last and ticks[last - 1].straddles(stop_s):
            last -= 1
        return ticks[first:last]

    def _sampling_j(self, stop_s: float) -> float:
        """What integrating power from samples leaves open, of all channels where that is done."""
        uncertainties_j = []
        for name in self._sampled:
            seen = self._seen_around(name, stop_s, is_whole=True)
            first = bisect_right(seen, self._start_s, key=_time_s)
            beside = [tick.tick for tick in seen[max(0, first - _QUIET_TICKS) :]]
            uncertainties_j.append(quality.sampling_uncertainty_j(beside))
        return math.hypot(*uncertainties_j)

    def _measured_phases(self, stop_s: float) -> tuple[Phase, ...]:
        if not self._phases:
            return ()
        cumulative = {c.name: self._cumulative(c, stop_s) for c in self._channels if c.is_ticked}
        return tuple(phase.to_phase(cumulative) for phase in self._phases)

    def _seen_around(self, name: str, stop_s: float, *, is_whole: bool) -> Sequence[SeenTick]:
        """Ticks before, beside and after the window: all that integrating it takes.

        Left out are ticks that may have been on either side of an edge of this window or an earlier one:
        an interval is then all work or all quiet.

        Args:
            name: The channel.
            stop_s: When the window stopped.
            is_whole: With every tick inside the window; else only those beside its edges.
        """
        ticks = self._instruments.sampler.ticks(name)
        first, last = (bisect_right(ticks, time_s, key=_time_s) for time_s in (self._start_s, stop_s))
        low, end = max(0, first - HEAD_TICKS - 1), last + self._late_ticks(name)
        while end < len(ticks) and ticks[end - 1].after_s < stop_s:
            end += 1  # reads slower than ticks: this one may still be from before the stop
        around = ticks[low:end]
        if not is_whole and last - first > 2 * INNER_TICKS + 1:
            around = [*ticks[low : first + INNER_TICKS + 1], *ticks[last - INNER_TICKS : end]]
        spans_s = self._quiet_s(ticks[low].time_s) if ticks else ()
        edges_s = {edge_s for span_s in spans_s for edge_s in span_s} | {self._start_s, stop_s}
        late = ticks[last : last + self._late_ticks(name) - _QUIET_TICKS]
        return [
            tick
            for tick in around
            if tick not in late and not any(tick.straddles(edge_s) for edge_s in edges_s)
        ]

    def _quiet_s(self, since_s: float) -> tuple[Span, ...]:
        """Quiet stretches before this window that reach past *since_s*."""
        return tuple(span_s for span_s in self._quiet.spans() if since_s < span_s[1] <= self._start_s)

    def _cumulative(self, channel: Channel, stop_s: float) -> Cumulative:
        seen = self._seen_around(channel.name, stop_s, is_whole=True)
        return Cumulative(
            [tick.tick for tick in seen],
            self._start_s,
            stop_s,
            quiet_s=self._quiet_s(seen[0].time_s) if seen else (),
            resolution_j=channel.resolution_j,
        )

    def _void_reading(self, duration_s: float) -> Reading:
        because = self._void_because or "it was abandoned"
        phases = tuple(phase.without_joules("the window around it is void") for phase in self._phases)
        return replace(_void(because, duration_s, self._instruments.provenance), phases=phases)


def _go_on() -> None:
    """Wait for nothing."""


class _LivePhase:
    """A stretch of a live window."""

    def __init__(
        self,
        window: _LiveWindow,
        name: str,
        samples: int | None,
        clock: Clock,
        synchronize: Callable[[], None],
    ) -> None:
        self._window, self._name, self._samples = window, name, samples
        self._clock, self._synchronize = clock, synchronize
        self._stop: tuple[float, Mapping[str, float]] | None = None
        self._start_reads = window.read_edge_channels()
        self._start_s = clock.now_s()

    def close(self) -> None:
        if self._stop is None:
            self._synchronize()
            stop_s = self._clock.now_s()
            self._stop = stop_s, self._window.read_edge_channels()

    def to_phase(self, cumulative: Mapping[str, Cumulative]) -> Phase:
        """What it used.

        Args:
            cumulative: The window's joules by ticked channel.
        """
        if self._stop is None:
            return self.without_joules("it was never closed")
        stop_s, stop_reads = self._stop
        try:
            integrals = {
                name: integrate(
                    [Tick(self._start_s, self._start_reads[name]), Tick(stop_s, joules)],
                    self._start_s,
                    stop_s,
                )
                for name, joules in stop_reads.items()
            }
            integrals |= {name: c.between(self._start_s, stop_s) for name, c in cumulative.items()}
        except NotMeasurable as error:
            return self.without_joules(str(error))
        channels = {name: max(0.0, integral.energy_j) for name, integral in integrals.items()}
        return Phase(
            name=self._name,
            energy_j=math.fsum(channels.values()),
            uncertainty_j=quality.total_uncertainty_j(integrals),
            duration_s=stop_s - self._start_s,
            samples=self._samples,
            quality=quality.phase_notes(integrals),
            channels=channels,
        )

    def without_joules(self, because: str) -> Phase:
        stop_s = self._start_s if self._stop is None else self._stop[0]
        return Phase(
            name=self._name,
            energy_j=None,
            uncertainty_j=None,
            duration_s=max(0.0, stop_s - self._start_s),
            samples=self._samples,
            quality=(because,),
        )


def _why_unlikely(reading: Reading, devices: Mapping[str, DeviceHistory]) -> str | None:
    """Why the joules of a whole reading can't be used after all, or `None`."""
    energy_j = math.fsum(reading.channels.values())
    return quality.why_too_uncertain(energy_j, reading.uncertainty_j) or quality.why_counter_disagrees(
        reading.channels, reading.duration_s, devices
    )


def to_reading(
    trace: Trace, provenance: Provenance, *, resolutions_j: Mapping[str, float] | None = None
) -> Reading:
    """The reading of a window from its ticks; void, with the reason, where they don't tell.

    Args:
        trace: Ticks of each channel, and the window's edges.
        provenance: Where the ticks come from.
        resolutions_j: Smallest step of each counter, where it is known.
    """
    duration_s = max(0.0, trace.stop_s - trace.start_s)
    integrals: dict[str, Integral] = {}
    because: str | None = None
    for name, ticks in trace.ticks.items():
        resolution_j = 0.0 if resolutions_j is None else resolutions_j.get(name, 0.0)
        try:
            integral = integrate(
                ticks,
                trace.start_s,
                trace.stop_s,
                quiet_s=trace.quiet_s,
                resolution_j=resolution_j,
            )
        except NotMeasurable as error:
            because = f"{name}: {error}"
            break
        integrals[name] = _with_edges(integral, duration_s, trace.edges_s.get(name, 0.0))
    if because is None:
        because = quality.why_joules_are_wrong(integrals)
    if because is not None:
        return _void(because, duration_s, provenance)
    return Reading(
        channels={name: integral.energy_j for name, integral in integrals.items()},
        duration_s=duration_s,
        uncertainty_j=quality.total_uncertainty_j(integrals),
        provenance=provenance,
        quality=quality.notes(integrals),
        quiet_power_w={
            name: integral.head_power_w
            for name, integral in integrals.items()
            if integral.head_power_w is not None
        },
        trace=trace,
    )


def _with_edges(integral: Integral, duration_s: float, edge_s: float) -> Integral:
    """*integral* with what a counter that samples power leaves open at the window's edges."""
    if edge_s == 0 or duration_s <= 0:
        return integral
    step_w = abs(integral.energy_j / duration_s - (integral.head_power_w or 0.0))
    return replace(integral, uncertainty_j=math.hypot(integral.uncertainty_j, step_w * edge_s))


def _void(because: str, duration_s: float, provenance: Provenance) -> Reading:
    return Reading(
        channels={}, duration_s=duration_s, uncertainty_j=0.0, provenance=provenance, void_because=because
    )


class ReplayMeter:
    """Readings from a replay file: the work runs, its joules and seconds come from the file.

    A round of ticks goes through the same integration as live ones. A round without a stated uncertainty
    counts as exact; the spread of the rounds still speaks.

    Args:
        replay: The file's rounds.
        clock: Unused by the joules; phases that the file doesn't hold take their seconds from it.
    """

    provenance = Provenance.REPLAYED

    def __init__(self, replay: Replay, clock: Clock) -> None:
        self._replay, self._clock = replay, clock
        self._taken: dict[str, int] = {}

    def statuses(self) -> tuple[SensorStatus, ...]:
        names = sorted(
            {
                name
                for rounds in self._replay.tests.values()
                for one_round in rounds
                for name in _channel_names(one_round)
            }
        )
        return (SensorStatus(name="replay", channels=tuple(names), provenance=self.provenance),)

    def start(self) -> None:
        """Nothing to find: a file has no ticks of its own."""

    def rounds_left(self, test_id: str) -> int | None:
        return len(self._replay.tests.get(test_id, ())) - self._taken.get(test_id, 0)

    def why_unmeasured(self, test_id: str) -> str | None:
        if self._replay.tests.get(test_id):
            return None
        return f"the replay file has no rounds for {test_id}"

    def open(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> OpenWindow:
        rounds, taken = self._replay.tests.get(test_id, ()), self._taken.get(test_id, 0)
        self._taken[test_id] = taken + 1
        if taken >= len(rounds):
            because = f"the replay file has {len(rounds)} round(s) for {test_id}, all of them taken"
            return _ReplayWindow(_void(because, 0.0, self.provenance), self._clock)
        return _ReplayWindow(_replayed(rounds[taken], domains), self._clock)

    def idle_power_w(self) -> Mapping[str, float] | None:
        return None

    def drift_notes(self) -> tuple[str, ...]:
        return ()

    def devices(self, domains: frozenset[Domain] | None) -> tuple[str, ...]:
        del domains
        return ()

    def adopt(self, pids: Iterable[int]) -> None:
        del pids

    def close(self) -> None:
        """Nothing to end."""


def _channel_names(one_round: ReplayRound) -> Iterable[str]:
    return one_round.channels if one_round.trace is None else one_round.trace.ticks


def _replayed(one_round: ReplayRound, domains: frozenset[Domain] | None) -> Reading:
    names = tuple(_channel_names(one_round))
    kept = tuple(n for n in names if domains is None or Domain(n.partition(":")[0]) in domains)
    if not kept:
        because = (
            f"no channel of the domains {', '.join(sorted(domains or ()))} in the replay file's round; "
            f"it holds {', '.join(names)}"
        )
        return _void(because, one_round.duration_s, Provenance.REPLAYED)
    if one_round.trace is not None:
        ticks = {name: one_round.trace.ticks[name] for name in kept}
        reading = to_reading(replace(one_round.trace, ticks=ticks), Provenance.REPLAYED)
        reading = reading.for_one_of(one_round.call_count)
    else:
        reading = Reading(
            channels={name: one_round.channels[name] for name in kept},
            duration_s=one_round.duration_s,
            uncertainty_j=one_round.uncertainty_j or 0.0,
            provenance=Provenance.REPLAYED,
        )
    if len(kept) == len(names):  # joules of a phase are those of all channels together
        reading = replace(reading, phases=one_round.phases)
    return reading


class _ReplayWindow:
    """A window whose reading is known before it is closed."""

    def __init__(self, reading: Reading, clock: Clock) -> None:
        self._reading, self._clock = reading, clock
        self._phases: list[_ReplayPhase] = []

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        del waits_for_gpu
        phase = _ReplayPhase(name, samples, self._clock)
        self._phases.append(phase)
        return phase

    def close(self) -> Reading:
        known = {phase.name for phase in self._reading.phases}
        untold = tuple(phase.without_joules() for phase in self._phases if phase.name not in known)
        return replace(self._reading, phases=(*self._reading.phases, *untold))


class _ReplayPhase:
    def __init__(self, name: str, samples: int | None, clock: Clock) -> None:
        self.name, self._samples, self._clock = name, samples, clock
        self._start_s = self._stop_s = clock.now_s()

    def close(self) -> None:
        self._stop_s = self._clock.now_s()

    def without_joules(self) -> Phase:
        return Phase(
            name=self.name,
            energy_j=None,
            uncertainty_j=None,
            duration_s=max(0.0, self._stop_s - self._start_s),
            samples=self._samples,
            quality=("the replay file doesn't hold this phase",),
        )
