"""A window of a live meter, and the named stretches inside it: time goes in, a `Reading` comes out.

Rule 1: `close` never raises for a fault of a sensor or a clock. The reading is void and says why.
Rule 2: both edges are taken after the device has been synchronised: the work is really over at the stop.
Rule 3: the time around an outermost window is quiet, because opening and closing wait until the counters have
        settled and for two ticks then. A window that is opened right after another was closed needs no wait.
Rule 4: a delay of up to a tick comes before each window, so that rounds aren't locked to the ticks. Delays
        are spread evenly over the tick from a random first one on: a few rounds then meet all of it.
Rule 5: without a ticked channel nothing waits.
Rule 6: beginning and ending go in steps, none of which waits where another could have waited before, so that
        windows on several machines begin and end together: first all wait, then all take their edge.
"""

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_energy.errors import NotMeasurable, SensorError
from pytest_energy.meter import quality
from pytest_energy.meter.clock import Clock, TimeMark, unix_time_s
from pytest_energy.meter.device_monitor import DeviceMonitor
from pytest_energy.meter.edges import Edge, ReadAll, start_now, stop_now, ticks_at
from pytest_energy.meter.host_usage import CpuTime, HostMonitor
from pytest_energy.meter.integrate import integrate
from pytest_energy.meter.interpolate import Cumulative
from pytest_energy.meter.protocol import OpenPhase
from pytest_energy.meter.quality import DeviceHistory
from pytest_energy.meter.reading import to_reading, void_reading
from pytest_energy.meter.settling import Settling, ticks_after
from pytest_energy.meter.surroundings import Surroundings
from pytest_energy.meter.synchronize import wait_for_nothing
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.ticks import Read
from pytest_energy.meter.waiting import (
    QuietSpans,
    settle_s,
    slowest_tick_s,
    wait_for_ticks,
    why_not_followed,
)
from pytest_energy.model import Channel, Phase, Provenance, Reading
from pytest_energy.sensors.estimate import CHANNEL, CpuPower, is_of_cpu_time

# A window that is opened so soon after the close of another has the other's quiet tail as its head. From
# round to round it takes 0.2 to 0.6 ms. Work of a millisecond at 660 W above quiet is 0.7 J, which this
# window would have: less than what the counter of an H100 leaves open of any window.
_BACK_TO_BACK_S = 1e-3

_GOLDEN_SHARE = (math.sqrt(5) - 1) / 2

# For how long a counter may settle after it is expected to have: a filter of 0.1 s takes half a second.
_LONGEST_SETTLING_S, _MOST_SETTLING_TICKS = 1.2, 12


class Delays:
    """Shares of a tick, evenly spread however many there are: multiples of the golden ratio."""

    def __init__(self, rng: random.Random) -> None:
        self._share = rng.random()

    def next_share(self) -> float:
        self._share = (self._share + _GOLDEN_SHARE) % 1.0
        return self._share


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What a live meter and its windows share."""

    clock: Clock
    sampler: TickSource
    host: HostMonitor
    devices: DeviceMonitor
    synchronize: Callable[[], None]
    delays: Delays
    provenance: Provenance
    quiet: QuietSpans
    cpu_power: CpuPower | None = None
    rest_w: Mapping[str, float] = field(default_factory=dict)


class LivePhase:
    """A stretch of a live window, begun when it is made; its edges are those of a window."""

    def __init__(
        self,
        name: str,
        samples: int | None,
        *,
        clock: Clock,
        synchronize: Callable[[], None],
        read_all: ReadAll,
        rest_w: Mapping[str, float],
        exact: Collection[str],
    ) -> None:
        self._name, self._samples, self._rest_w, self._exact = name, samples, rest_w, exact
        self._clock, self._synchronize, self._read_all = clock, synchronize, read_all
        self._stop: Edge | None = None
        synchronize()
        self._start = start_now(read_all, clock)

    def close(self) -> None:
        if self._stop is None:
            self._synchronize()
            self._stop = stop_now(self._read_all, self._clock)

    def to_phase(self, cumulative: Mapping[str, Cumulative], sampler: TickSource) -> Phase:
        """What it used, from the window's joules by ticked channel."""
        if self._stop is None:
            return self.without_joules("it was never closed")
        start_s, stop_s = self._start.time_s, self._stop.time_s
        reads = ticks_at(self._start, self._stop, self._rest_w, self._exact)
        clock_error = sampler.clock_error(start_s, stop_s)
        try:
            integrals = {name: integrate(ticks, start_s, stop_s) for name, ticks in reads.items()}
            integrals |= {
                name: joules.between(start_s, stop_s, reach_s=clock_error.reach_s)
                for name, joules in cumulative.items()
            }
        except NotMeasurable as error:
            return self.without_joules(str(error))
        channels = {name: max(0.0, integral.energy_j) for name, integral in integrals.items()}
        return replace(
            self.without_joules(*quality.phase_notes(integrals)),
            energy_j=math.fsum(channels.values()),
            uncertainty_j=quality.total_uncertainty_j(integrals, clock_error),
            channels=channels,
        )

    def without_joules(self, *notes: str) -> Phase:
        stop = self._stop or self._start
        return Phase(
            name=self._name,
            energy_j=None,
            uncertainty_j=None,
            duration_s=max(0.0, stop.time_s - self._start.time_s),
            samples=self._samples,
            quality=notes,
        )


@dataclass(frozen=True, slots=True)
class _Watched:
    """What the monitors saw of a window, taken just after its stop."""

    cpu: CpuTime
    devices: Mapping[str, DeviceHistory]
    after: TimeMark


class LiveWindow:
    """One outermost window, whose reading will be void if there is a reason from the start."""

    def __init__(
        self, instruments: Instruments, channels: Sequence[Channel], void_because: str | None
    ) -> None:
        self._instruments, self._channels = instruments, tuple(channels)
        self._clock, self._sampler, self._quiet = instruments.clock, instruments.sampler, instruments.quiet
        self._ticked = tuple(channel for channel in channels if channel.is_ticked)
        self._is_cpu_time = is_of_cpu_time(channel.name for channel in channels)
        self._exact = frozenset(channel.name for channel in channels if channel.is_of_processes)
        self._void_because = void_because
        self._phases: list[LivePhase] = []
        self._reading: Reading | None = None
        self._opened_s = self._clock.now_s()
        self._start = Edge(self._opened_s, {})
        self._start_unix_s: float | None = None
        self._stop: Edge | None = None
        self._settles_s: dict[str, float] = {}
        self._watched: _Watched | None = None
        self._before = TimeMark.now(self._clock)
        self._is_back_to_back = self._is_right_after_another()
        self._quiet_since_s: float | None = None
        if not self._is_dead() and self._ticked and self._void_because is None:
            self._quiet_since_s = self._quiet_so_far_s()

    def get_ready(self) -> None:
        """Wait until the time before now is known to be quiet, and have the monitors watch."""
        instruments = self._instruments
        if self._is_dead():
            return
        self._wait_for_quiet()
        if self._void_because is None:
            instruments.devices.open(channel.name for channel in self._channels)
        instruments.host.open()

    def start(self) -> None:
        """Begin now; `get_ready` was called."""
        if self._is_dead():
            return
        self._sampler.mark()
        self._before = TimeMark.now(self._clock)
        self._instruments.synchronize()
        self._start = start_now(self._read_edge_channels, self._clock)
        self._start_unix_s = unix_time_s(self._clock, self._start.time_s)
        if self._quiet_since_s is not None:
            self._quiet.add(self._quiet_since_s, self._start.time_s)

    def _is_dead(self) -> bool:
        """Whether nobody reads the counters. Then this window doesn't: a forked child might wait for ever."""
        self._void(because := self._sampler.why_dead())
        return because is not None

    @property
    def _tick_s(self) -> float:
        return slowest_tick_s(self._sampler, self._ticked) or 0.0

    def _is_right_after_another(self) -> bool:
        is_near = self._clock.now_s() - self._quiet.until_s < _BACK_TO_BACK_S
        return is_near and self._quiet.names >= {channel.name for channel in self._ticked}

    def _quiet_so_far_s(self) -> float:
        """Since when it has been quiet: the end of a window right before this one, or now."""
        if self._is_back_to_back:
            return self._quiet.until_s
        self._instruments.synchronize()
        return self._clock.now_s()

    def _wait_for_quiet(self) -> None:
        """Wait until two ticks of quiet have been seen, and a moment more."""
        if self._quiet_since_s is None:
            return
        if not self._is_back_to_back:
            settles_s = self._wait_until_settled(self._quiet_since_s, self._ticked)
            self._quiet_since_s += max(settles_s.values())
        self._clock.sleep_s(self._instruments.delays.next_share() * self._tick_s)

    def _wait_until_settled(self, since_s: float, unknown: Sequence[Channel]) -> dict[str, float]:
        """Wait until each counter has settled after work until *since_s*, and has ticked twice then.

        Power of *unknown* is then what it was at rest before, or stays the same.

        Returns:
            Seconds after *since_s* until each had.
        """
        settles_s = {c.name: settle_s(c, self._sampler.tick_s(c.name)) for c in self._ticked}
        moments_s = {channel: since_s + settles_s[channel.name] for channel in self._ticked}
        why_not_ticked = wait_for_ticks(self._sampler, self._clock, moments_s, self._why_faulty)
        self._void(self._why_faulty() or why_not_ticked or why_not_followed(self._sampler, self._ticked))
        latest_s = self._clock.now_s() + max(_LONGEST_SETTLING_S, _MOST_SETTLING_TICKS * self._tick_s)
        settling = {c.name: Settling(self._quiet.power_w.get(c.name)) for c in unknown}
        seen_s = {channel.name: moments_s[channel] for channel in unknown}
        while settling and self._void_because is None and self._clock.now_s() < latest_s:
            is_new = False
            for name in tuple(settling):
                pair = ticks_after(self._sampler.ticks(name), seen_s[name])
                if pair is None:
                    continue
                is_new, seen_s[name] = True, pair[1].time_s
                channel = settling[name]
                channel.see(*pair)
                if channel.settled_s is not None:
                    settles_s[name] = channel.settled_s - since_s
                if channel.is_over and channel.quiet_w is not None:
                    self._quiet.power_w[name] = channel.quiet_w
                    del settling[name]
            if settling and not is_new:
                self._wait_for_one_more(settling)
        return settles_s

    def _wait_for_one_more(self, names: Collection[str]) -> None:
        """Wait for another tick of each of these channels."""
        channels = [channel for channel in self._ticked if channel.name in names]
        last_s = {channel: self._sampler.ticks(channel.name)[-1].after_s for channel in channels}
        self._void(wait_for_ticks(self._sampler, self._clock, last_s, self._why_faulty))

    def _why_faulty(self) -> str | None:
        because = self._sampler.why_dead()
        if because is not None:
            return because
        reasons = (self._sampler.fault_since(channel.name, self._opened_s) for channel in self._channels)
        return next((because for because in reasons if because is not None), None)

    def _void(self, because: str | None) -> None:
        """Keep the first reason."""
        if self._void_because is None:
            self._void_because = because

    def _read_edge_channels(self) -> dict[str, Read]:
        """Reads of the channels that don't tick; a fault makes the window void."""
        reads: dict[str, Read] = {}
        for channel in self._channels:
            if not channel.is_ticked and not self._is_dead():
                try:
                    reads[channel.name] = self._sampler.read(channel.name)
                except SensorError as error:
                    self._void(str(error))
        return reads

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        phase = LivePhase(
            name,
            samples,
            clock=self._clock,
            synchronize=self._instruments.synchronize if waits_for_gpu else wait_for_nothing,
            read_all=self._read_edge_channels,
            rest_w=self._instruments.rest_w,
            exact=self._exact,
        )
        if not self._phases:  # its edges are interpolated between ticks, so each of them counts
            self._sampler.follow_each([channel.name for channel in self._ticked], is_each=True)
        self._phases.append(phase)
        return phase

    def abandon(self, because: str) -> None:
        """End the window without a wait; its reading is void."""
        if self._reading is None:
            self._void(because)
            self._follow_no_more()
            self._instruments.host.abandon()
            self._instruments.devices.abandon()
            self._reading = self._void_reading(self._clock.now_s())

    def stop(self) -> None:
        """Take the end of the window now; `close` makes the reading."""
        if self._stop is None and self._reading is None:
            self._instruments.synchronize()
            self._stop = stop_now(self._read_edge_channels, self._clock)
            self._follow_no_more()

    def _follow_no_more(self) -> None:
        if self._phases:
            self._sampler.follow_each([channel.name for channel in self._ticked], is_each=False)

    def end_watch(self) -> None:
        """Stop the monitors, just after the stop."""
        if self._stop is not None and self._watched is None and not self._is_dead():
            self._watched = _Watched(
                self._instruments.host.close(), self._instruments.devices.close(), TimeMark.now(self._clock)
            )

    def close(self) -> Reading:
        self.stop()
        self.end_watch()
        if self._reading is None:
            if self._stop is None or self._watched is None:
                self.abandon("the counters are not read")
            else:
                self._reading = self._close_at(self._stop, self._watched)
        return self._reading or self._void_reading(self._clock.now_s())

    def _close_at(self, stop: Edge, watched: _Watched) -> Reading:
        cpu, devices, stop_s = watched.cpu, watched.devices, stop.time_s
        self._void(quality.why_clock_is_wrong(self._start.time_s, stop_s, self._before, watched.after))
        self._void(self._why_faulty())
        is_quiet = self._void_because is None and bool(self._ticked)
        if is_quiet:
            unknown = [channel for channel in self._ticked if channel.response.settle_s is None]
            self._settles_s = self._wait_until_settled(stop_s, unknown)
            quiet_since_s = stop_s + max(self._settles_s.values())
            names = [channel.name for channel in self._ticked]
            self._quiet.add(quiet_since_s, max(quiet_since_s, self._clock.now_s()), names)
        usage = self._instruments.host.usage(cpu)
        self._void(quality.why_disturbed(devices))
        reading = replace(self._judged(stop, devices, cpu), usage=usage)
        if is_quiet:  # whose work it was hasn't come back from `close` yet
            self._quiet.go_on(self._clock.now_s())
        return reading

    def _judged(self, stop: Edge, devices: Mapping[str, DeviceHistory], cpu: CpuTime) -> Reading:
        """The reading, or a void one."""
        if self._void_because is not None:
            return self._void_reading(stop.time_s)
        surroundings = Surroundings(
            sampler=self._sampler,
            channels=self._channels,
            start_s=self._start.time_s,
            stop_s=stop.time_s,
            quiet_s=self._quiet.until(self._start.time_s),
            settles_s=self._settles_s,
        )
        reading = self._integrated(surroundings, stop)
        because = (
            reading.void_because
            or quality.why_too_uncertain(math.fsum(reading.channels.values()), reading.uncertainty_j)
            or quality.why_counter_disagrees(reading.channels, reading.duration_s, devices)
            or quality.why_nothing_worked(
                self._instruments.provenance, cpu.own_s if self._is_cpu_time else None, reading.duration_s
            )
        )
        if because is not None:
            self._void(because)
            return self._void_reading(stop.time_s)
        for name, power_w in reading.quiet_power_w.items():
            self._quiet.first_power_w.setdefault(name, power_w)
        cumulative = surroundings.cumulative() if self._phases else {}
        temperatures_c = {name: device.after.temperature_c for name, device in devices.items()}
        return replace(
            reading,
            quality=(
                *reading.quality,
                *quality.sampling_notes(self._channels),
                *quality.device_notes(devices),
                *self._sampler.notes_since(self._opened_s),
                *self._foreign_notes(reading, cpu),
            ),
            temperatures_c={name: value for name, value in temperatures_c.items() if value is not None},
            phases=tuple(phase.to_phase(cumulative, self._sampler) for phase in self._phases),
            estimated_channels=self._estimated(cpu),
            device_use=self._instruments.devices.uses(devices),
            power_trace=surroundings.power_trace(),
            start_unix_s=self._start_unix_s,
        )

    def _foreign_notes(self, reading: Reading, cpu: CpuTime) -> tuple[str, ...]:
        if self._is_cpu_time:
            return quality.other_notes(cpu.other_share)
        return quality.foreign_notes(reading.channels, cpu.foreign_share)

    def _estimated(self, cpu: CpuTime) -> dict[str, float]:
        """Joules of a processor that nothing measures, of what this run's processes had of its time."""
        power = self._instruments.cpu_power
        return {} if power is None or cpu.own_s is None else {CHANNEL: power.energy_j(cpu.own_s)}

    def _integrated(self, surroundings: Surroundings, stop: Edge) -> Reading:
        resolutions_j = {channel.name: channel.resolution_j for channel in self._channels}
        trace = surroundings.trace(ticks_at(self._start, stop, self._instruments.rest_w, self._exact))
        reading = to_reading(trace, self._instruments.provenance, resolutions_j=resolutions_j)
        uncertainty_j = math.hypot(reading.uncertainty_j, surroundings.sampling_uncertainty_j())
        return replace(reading, uncertainty_j=uncertainty_j)

    def _void_reading(self, stop_s: float) -> Reading:
        because = self._void_because or "it was abandoned"
        phases = tuple(phase.without_joules("the window around it is void") for phase in self._phases)
        duration_s = max(0.0, stop_s - self._start.time_s)
        void = void_reading(because, duration_s, self._instruments.provenance)
        return replace(void, phases=phases, start_unix_s=self._start_unix_s)
