"""A window of a live meter, and the named stretches inside it: time goes in, a `Reading` comes out.

Rule 1: `close` never raises for a fault of a sensor or a clock. The reading is void and says why.
Rule 2: both edges are taken after the device has been synchronised: the work is really over at the stop.
Rule 3: the time around an outermost window is quiet, because opening and closing wait until the counters have
        settled and for two ticks then. A window that is opened right after another was closed needs no wait.
Rule 4: a delay of up to a tick comes before each window, so that rounds aren't locked to the ticks. Their
        starts are spread evenly over the tick from a random first one on: a few rounds then meet all of it.
Rule 5: without a ticked channel nothing waits.
Rule 6: beginning and ending go in steps, none of which waits where another could have waited before, so that
        windows on several machines begin and end together: first all wait, then all take their edge.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_energy.errors import NotMeasurable, SensorError
from pytest_energy.meter import quality
from pytest_energy.meter.clock import Clock, TimeMark, TimeMarks
from pytest_energy.meter.device_monitor import DeviceMonitor
from pytest_energy.meter.edges import Edge, EdgeTicks, ReadAll, Reads, start_now, stop_now
from pytest_energy.meter.even_shares import ThirdShares
from pytest_energy.meter.host_usage import SHORTEST_SEEN_S, CpuTime, HostMonitor
from pytest_energy.meter.live_phase import LivePhase
from pytest_energy.meter.protocol import OpenPhase
from pytest_energy.meter.quality import DeviceHistory
from pytest_energy.meter.reading import energies_j, integrals_of, quiet_powers_w
from pytest_energy.meter.settling_wait import NOTHING_SETTLED, SettlingWait
from pytest_energy.meter.surroundings import Surroundings
from pytest_energy.meter.synchronize import wait_for_nothing
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.waiting import (
    LEFT_S,
    QuietSpans,
    to_follow,
    until_share_s,
)
from pytest_energy.meter.window_channels import WindowChannels
from pytest_energy.model import Channel, Provenance, Reading
from pytest_energy.sensors.estimate import CHANNEL, CpuPower
from pytest_energy.usage import Usage

# A window that is opened so soon after the close of another has the other's quiet tail as its head. From
# round to round it takes 0.2 to 0.6 ms. Work of a millisecond at 660 W above quiet is 0.7 J, which this
# window would have: less than what the counter of an H100 leaves open of any window.
_BACK_TO_BACK_S = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What a live meter and its windows share.

    Attributes:
        cpu_power: Models a CPU that nothing measures, to be shown beside the joules.
        estimate: Models the CPU where its estimate is what is read.
    """

    clock: Clock
    marks: TimeMarks
    sampler: TickSource
    host: HostMonitor
    devices: DeviceMonitor
    synchronize: Callable[[], None]
    delays: ThirdShares
    provenance: Provenance
    quiet: QuietSpans
    cpu_power: CpuPower | None = None
    estimate: CpuPower | None = None
    rest_w: Mapping[str, float] = field(default_factory=dict)


class _Watched(NamedTuple):
    """What the monitors saw of a window, taken just after its stop."""

    cpu: CpuTime
    devices: Mapping[str, DeviceHistory]
    after: TimeMark


class LiveWindow:
    """One outermost window, whose reading will be void if there is a reason from the start."""

    def __init__(
        self,
        instruments: Instruments,
        channels: WindowChannels,
        read_edges: ReadAll,
        void_because: str | None,
    ) -> None:
        self._instruments, self._channels, self._read_edges = instruments, channels, read_edges
        self._clock, self._sampler, self._quiet = instruments.clock, instruments.sampler, instruments.quiet
        self._ticked = channels.ticked
        self._void_because = void_because
        self._phases: list[LivePhase] = []
        self._followed: Sequence[Channel] = ()
        self._reading: Reading | None = None
        self._opened_s = self._clock.now_s()
        self._start = Edge(self._opened_s, ())
        self._stop: Edge | None = None
        self._settled = NOTHING_SETTLED
        self._watched: _Watched | None = None
        self._before: TimeMark | None = None
        self._is_back_to_back = False
        self._quiet_since_s: float | None = None
        self._worked_until_s: float | None = None
        if self._ticked and not self._is_dead() and self._void_because is None:
            self._is_back_to_back = self._is_right_after_another()
            self._quiet_since_s = self._quiet_so_far_s()
            right_before_s = self._quiet.worked_until_s
            self._worked_until_s = right_before_s if self._is_back_to_back else self._quiet_since_s

    def get_ready(self) -> None:
        """Wait until the time before now is known to be quiet, and have the monitors watch."""
        if self._is_dead():
            return
        if self._quiet_since_s is not None and not self._is_back_to_back:
            settled = self._settling.before_work(self._quiet_since_s)
            self._void(settled.void_because)
            self._quiet_since_s += max(settled.settles_s.values())
        if self._void_because is None:
            self._instruments.devices.open(self._channels.names)
            self._wait_for_place()
        self._instruments.host.open(is_own_known=self._has_own_time())

    def start(self) -> None:
        """Begin now; `get_ready` was called."""
        if self._is_dead():
            return
        if self._ticked:
            self._sampler.mark()
            self._follow_each(to_follow(self._sampler, self._ticked))
        self._before = self._instruments.marks.before()
        self._instruments.synchronize()
        self._start = start_now(self._read_edge_channels, self._clock)
        if self._quiet_since_s is not None:
            self._quiet.add(self._quiet_since_s, self._start.time_s)

    def _is_dead(self) -> bool:
        """Whether nobody reads the counters. Then this window doesn't: a forked child might wait for ever."""
        because = self._sampler.why_dead()
        if because is None:
            return False
        self._void(because)
        return True

    @property
    def _settling(self) -> SettlingWait:
        return SettlingWait(self._sampler, self._clock, self._quiet, self._ticked, self._why_faulty)

    def _is_right_after_another(self) -> bool:
        is_near = self._clock.now_s() - self._quiet.until_s < _BACK_TO_BACK_S
        return is_near and self._quiet.names >= {channel.name for channel in self._ticked}

    def _quiet_so_far_s(self) -> float:
        """Since when it has been quiet: the end of a window right before this one, or now."""
        if self._is_back_to_back:
            return self._quiet.until_s
        self._instruments.synchronize()
        return self._clock.now_s()

    def _wait_for_place(self) -> None:
        """Wait for the next place in the tick; nothing that takes a while comes between it and the start."""
        if self._quiet_since_s is None:
            return
        share, now_s = self._instruments.delays.take(), self._clock.now_s()
        delay_s = until_share_s(self._sampler, self._ticked, share, now_s)
        self._leave_until(now_s + delay_s + LEFT_S)
        self._clock.sleep_s(delay_s)

    def _why_faulty(self) -> str | None:
        because = self._sampler.why_dead()
        if because is not None:
            return because
        for name in self._channels.names:
            if (because := self._sampler.fault_since(name, self._opened_s)) is not None:
                return because
        return None

    def _void(self, because: str | None) -> None:
        """Keep the first reason."""
        if self._void_because is None:
            self._void_because = because

    def _read_edge_channels(self) -> Sequence[Reads]:
        """Reads of the channels that don't tick; a fault makes the window void."""
        if not self._channels.edge_names:
            return ()
        try:
            return self._read_edges()
        except SensorError as error:
            self._void(str(error))
            return ()

    def _read_phase_channels(self) -> Sequence[Reads]:
        """The same, where nobody has asked yet whether the counters are read."""
        return () if self._is_dead() else self._read_edge_channels()

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        phase = LivePhase(
            name,
            samples,
            clock=self._clock,
            synchronize=self._instruments.synchronize if waits_for_gpu else wait_for_nothing,
            read_all=self._read_phase_channels,
            rest_w=self._instruments.rest_w,
            exact=self._channels.exact_names,
        )
        if self._ticked and not self._phases:  # edges are interpolated between ticks: each of them counts
            self._follow_each(self._ticked)
        self._phases.append(phase)
        return phase

    def abandon(self, because: str) -> None:
        """End the window without a wait; its reading is void."""
        if self._reading is None:
            self._void(because)
            self._follow_each(())
            self._leave_until(-math.inf)
            self._instruments.host.abandon()
            self._instruments.devices.abandon()
            self._reading = self._void_reading(self._clock.now_s())

    def stop(self) -> None:
        """Take the end of the window now; `close` makes the reading."""
        if self._stop is None and self._reading is None and not self._is_dead():
            self._instruments.synchronize()
            self._stop = stop_now(self._read_edge_channels, self._clock)
            self._follow_each(())
            if self._ticked:
                settles_s = self._settling.expected_s(self._stop.time_s - self._start.time_s)
                self._leave_until(self._stop.time_s + max(settles_s.values()))

    def _leave_until(self, time_s: float) -> None:
        names = [channel.name for channel in self._ticked if channel.response.waves]
        if names:
            self._sampler.leave_until(names, time_s)

    def _follow_each(self, channels: Sequence[Channel]) -> None:
        """Have each tick of these channels read from now on, and of no others."""
        for followed, is_each in ((self._followed, False), (channels, True)):
            if followed:
                self._sampler.follow_each([channel.name for channel in followed], is_each=is_each)
        self._followed = channels

    def end_watch(self) -> None:
        """Stop the monitors, just after the stop."""
        if self._stop is not None and self._watched is None:
            instruments, stop = self._instruments, self._stop
            after = instruments.marks.after()
            is_short = stop.time_s - self._start.time_s < SHORTEST_SEEN_S and instruments.cpu_power is None
            cpu = instruments.host.close(is_short=is_short, own_s=None if is_short else self._own_s(stop))
            self._watched = _Watched(cpu, instruments.devices.close(), after)

    def _has_own_time(self) -> bool:
        """Whether what is read is the processor time of this run's processes itself."""
        return self._channels.is_of_own_time and self._instruments.estimate is not None

    def _own_s(self, stop: Edge) -> float | None:
        """That time, between the edges."""
        estimate = self._instruments.estimate
        if estimate is None:
            return None
        first_j, last_j = self._start.joules(CHANNEL), stop.joules(CHANNEL)
        return None if first_j is None or last_j is None else (last_j - first_j) / estimate.busy_w

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
        if self._before is not None:
            self._void(quality.why_clock_is_wrong(self._start.time_s, stop_s, self._before, watched.after))
        self._void(self._why_faulty())
        if self._ticked:
            self._quiet.worked_until_s = stop_s  # also of a void window, whose work was no less
        is_quiet = self._void_because is None and bool(self._ticked)
        if is_quiet:
            self._settled = settled = self._settling.after_work(stop_s, stop_s - self._start.time_s)
            self._void(settled.void_because)
            quiet_since_s = stop_s + max(settled.settles_s.values())
            names = [channel.name for channel in self._ticked]
            self._quiet.add(quiet_since_s, max(quiet_since_s, self._clock.now_s()), names)
        usage = self._instruments.host.usage(cpu)
        self._void(quality.why_disturbed(devices))
        reading = self._judged(stop, watched, usage)
        if is_quiet:  # whose work it was hasn't come back from `close` yet
            self._quiet.go_on(self._clock.now_s())
        return reading

    def _judged(self, stop: Edge, watched: _Watched, usage: Usage) -> Reading:
        """The reading, or a void one."""
        reading = self._measured(stop, watched, usage) if self._void_because is None else None
        return self._void_reading(stop.time_s, usage) if reading is None else reading

    def _measured(self, stop: Edge, watched: _Watched, usage: Usage) -> Reading | None:
        """The reading; `None` if its joules can't be used, and the window is void then."""
        cpu, devices, channels = watched.cpu, watched.devices, self._channels
        surroundings = Surroundings(
            sampler=self._sampler,
            channels=channels,
            start_s=self._start.time_s,
            stop_s=stop.time_s,
            quiet_s=self._quiet.until(self._start.time_s),
            worked_until_s=self._worked_until_s,
            settled=self._settled,
            is_followed=bool(self._phases),
        )
        edges = EdgeTicks(self._start, stop, self._instruments.rest_w, channels.exact_names, channels.ages_s)
        trace = surroundings.trace(edges) if self._ticked else None
        try:
            integrals = edges.integrals(channels.resolutions_j)
            if trace is not None:
                integrals = integrals_of(trace, channels.resolutions_j, integrals)
        except NotMeasurable as error:
            self._void(str(error))
            return None
        joules, duration_s = energies_j(integrals), stop.time_s - self._start.time_s
        clock_error = self._sampler.clock_error(self._start.time_s, stop.time_s)
        uncertainty_j = math.hypot(
            quality.total_uncertainty_j(integrals, clock_error), surroundings.sampling_uncertainty_j()
        )
        energy_j = quality.total_j(integrals)
        self._void(
            quality.why_counters_stand(integrals, channels.may_be_off)
            or quality.why_ticks_are_vague(integrals, energy_j)
            or quality.why_too_uncertain(energy_j, uncertainty_j)
            or quality.why_counter_disagrees(joules, duration_s, devices)
            or quality.why_nothing_worked(
                self._instruments.provenance, cpu.own_s if channels.is_of_cpu_time else None, duration_s
            )
        )
        if self._void_because is not None:
            return None
        quiet_power_w = quiet_powers_w(integrals)
        for name, power_w in quiet_power_w.items():
            self._quiet.first_power_w.setdefault(name, power_w)
        cumulative = surroundings.cumulative() if self._phases else {}
        temperatures_c = {name: device.after.temperature_c for name, device in devices.items()}
        return Reading(
            channels=joules,
            duration_s=duration_s,
            uncertainty_j=uncertainty_j,
            provenance=self._instruments.provenance,
            quality=(
                *quality.notes(integrals),
                *channels.notes,
                *quality.device_notes(devices),
                *self._sampler.notes_since(self._opened_s),
                *self._foreign_notes(joules, cpu),
            ),
            usage=usage,
            phases=tuple(phase.to_phase(cumulative, self._sampler) for phase in self._phases),
            quiet_power_w=quiet_power_w,
            temperatures_c={name: value for name, value in temperatures_c.items() if value is not None},
            estimated_channels=self._estimated(cpu),
            device_use=self._instruments.devices.uses(devices),
            power_trace=surroundings.power_trace(),
            start_unix_s=self._start_unix_s,
            trace=trace or surroundings.trace(edges),
        )

    @property
    def _start_unix_s(self) -> float | None:
        return None if self._before is None else self._before.unix_s(self._clock, self._start.time_s)

    def _foreign_notes(self, joules: Mapping[str, float], cpu: CpuTime) -> tuple[str, ...]:
        if self._channels.is_of_cpu_time:
            return quality.other_notes(cpu.other_share)
        return quality.foreign_notes(joules, cpu.foreign_share)

    def _estimated(self, cpu: CpuTime) -> dict[str, float]:
        """Joules of a processor that nothing measures, of what this run's processes had of its time."""
        power = self._instruments.cpu_power
        return {} if power is None or cpu.own_s is None else {CHANNEL: power.energy_j(cpu.own_s)}

    def _void_reading(self, stop_s: float, usage: Usage | None = None) -> Reading:
        because = self._void_because or "it was abandoned"
        duration_s = max(0.0, stop_s - self._start.time_s)
        return Reading(
            channels={},
            duration_s=duration_s,
            uncertainty_j=0.0,
            provenance=self._instruments.provenance,
            void_because=because,
            usage=usage,
            phases=tuple(phase.without_joules("the window around it is void") for phase in self._phases),
            start_unix_s=self._start_unix_s,
        )
