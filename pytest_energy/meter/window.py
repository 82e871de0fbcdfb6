"""A window of a live meter: a stretch of time goes in, a `Reading` comes out.

Rule 1: `close` never raises for a fault of a sensor or a clock. The reading is void and says why.
Rule 2: both edges are taken after the device has been synchronised: the work is really over at the stop.
Rule 3: the time around an outermost window is quiet, because opening and closing wait for two ticks. A window
        that is opened right after another was closed needs no wait.
Rule 4: a random delay of up to a tick comes before each window, so that rounds aren't locked to the ticks.
Rule 5: without a ticked channel nothing waits.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_energy.errors import SensorError
from pytest_energy.meter import quality
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.device_monitor import DeviceMonitor
from pytest_energy.meter.host_usage import CpuTime, HostMonitor, System
from pytest_energy.meter.phase import LivePhase
from pytest_energy.meter.protocol import OpenPhase
from pytest_energy.meter.quality import DeviceHistory
from pytest_energy.meter.quiet_spans import QuietSpans
from pytest_energy.meter.reading import to_reading, void_reading
from pytest_energy.meter.sampler import Sampler
from pytest_energy.meter.surroundings import Surroundings
from pytest_energy.meter.waiting import slowest_tick_s, wait_for_ticks, why_not_followed
from pytest_energy.model import Channel, Phase, Provenance, Reading, Tick

# A window that is opened so soon after another was closed has the other's quiet tail as its head: in 5 % of a
# tick nothing happens that would matter. In joules: 5 ms of a GPU's full power at the very most.
_BACK_TO_BACK_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """What a live meter and its windows share."""

    clock: Clock
    sampler: Sampler
    host: HostMonitor
    devices: DeviceMonitor
    system: System
    synchronize: Callable[[], None]
    rng: random.Random
    provenance: Provenance


class LiveWindow:
    """One outermost window.

    Args:
        instruments: Of its meter.
        channels: What is measured.
        quiet: When nothing was at work, as far as its meter's windows know.
        void_because: Why its reading will be void, or `None`.
    """

    def __init__(
        self,
        instruments: Instruments,
        channels: Sequence[Channel],
        quiet: QuietSpans,
        void_because: str | None,
    ) -> None:
        self._instruments, self._channels, self._quiet = instruments, tuple(channels), quiet
        self._clock, self._sampler = instruments.clock, instruments.sampler
        self._ticked = tuple(channel for channel in channels if channel.is_ticked)
        self._void_because = void_because
        self._phases: list[LivePhase] = []
        self._reading: Reading | None = None
        self._opened_s = self._start_s = self._clock.now_s()
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
        self._suspended_s = self._clock.suspended_s()
        instruments.synchronize()
        self._start_reads = self._read_edge_channels()
        self._start_s = self._clock.now_s()
        if quiet_since_s is not None:
            self._quiet.add(quiet_since_s, self._start_s)

    def _wait_for_quiet(self) -> float | None:
        """Wait until the time before now is quiet, and a moment more.

        Returns:
            Since when it has been quiet, or `None` where the channels can't be followed.
        """
        self._void(why_not_followed(self._sampler, self._ticked))
        if self._void_because is not None:
            return None
        tick_s, quiet_since_s = slowest_tick_s(self._sampler, self._ticked) or 0.0, self._quiet.until_s
        is_back_to_back = self._clock.now_s() - quiet_since_s <= _BACK_TO_BACK_SHARE * tick_s
        if not (is_back_to_back and self._quiet.names >= {channel.name for channel in self._ticked}):
            self._instruments.synchronize()
            quiet_since_s = self._clock.now_s()
            self._wait_for_ticks(quiet_since_s)
        self._clock.sleep_s(self._instruments.rng.random() * tick_s)
        return quiet_since_s

    def _wait_for_ticks(self, since_s: float) -> None:
        why_not_ticked = wait_for_ticks(self._sampler, self._clock, self._ticked, since_s)
        self._void(self._why_faulty() or why_not_ticked)

    def _why_faulty(self) -> str | None:
        for channel in self._channels:
            fault = self._sampler.fault_since(channel.name, self._opened_s)
            if fault is not None:
                return fault.because
        return None

    def _void(self, because: str | None) -> None:
        """Keep the first reason."""
        if self._void_because is None:
            self._void_because = because

    def _read_edge_channels(self) -> dict[str, float]:
        """Joules of the channels that are read at edges; a fault makes the window void."""
        reads = {}
        for channel in self._channels:
            if not channel.is_ticked:
                try:
                    reads[channel.name] = self._sampler.read_j(channel.name)
                except SensorError as error:
                    self._void(str(error))
        return reads

    # Inside

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        phase = LivePhase(
            name,
            samples,
            clock=self._clock,
            synchronize=self._instruments.synchronize if waits_for_gpu else _go_on,
            read_edge_channels=self._read_edge_channels,
        )
        self._phases.append(phase)
        return phase

    # Closing

    def abandon(self, because: str) -> None:
        """End the window without a wait; its reading is void."""
        if self._reading is None:
            self._void(because)
            self._instruments.host.abandon()
            self._instruments.devices.abandon()
            self._reading = self._void_reading(self._clock.now_s())

    def close(self) -> Reading:
        if self._reading is None:
            self._instruments.synchronize()
            stop_s = self._clock.now_s()
            self._reading = self._close_at(stop_s)
        return self._reading

    def _close_at(self, stop_s: float) -> Reading:
        stop_reads = self._read_edge_channels()
        cpu = self._instruments.host.close()
        devices = self._instruments.devices.close()
        suspended_s = self._clock.suspended_s()
        self._void(quality.why_clock_is_wrong(self._start_s, stop_s, self._suspended_s, suspended_s))
        self._void(self._why_faulty())
        if self._void_because is None and self._ticked:
            self._wait_for_ticks(stop_s)
            self._quiet.add(stop_s, self._clock.now_s(), [channel.name for channel in self._ticked])
        usage = self._instruments.host.usage(cpu)
        self._void(why_not_followed(self._sampler, self._ticked) if self._ticked else None)
        self._void(quality.why_disturbed(devices))
        return replace(self._judged(stop_s, stop_reads, devices, cpu), usage=usage)

    def _judged(
        self,
        stop_s: float,
        stop_reads: Mapping[str, float],
        devices: Mapping[str, DeviceHistory],
        cpu: CpuTime,
    ) -> Reading:
        """The reading, or a void one."""
        if self._void_because is not None:
            return self._void_reading(stop_s)
        surroundings = Surroundings(
            sampler=self._sampler,
            channels=self._channels,
            start_s=self._start_s,
            stop_s=stop_s,
            quiet_s=self._quiet.until(self._start_s),
        )
        reading = self._integrated(surroundings, stop_reads)
        because = (
            reading.void_because
            or _why_unlikely(reading, devices)
            or quality.why_not_ours(self._instruments.provenance, cpu.foreign_share)
        )
        if because is not None:
            self._void(because)
            return self._void_reading(stop_s)
        self._quiet.add_power(reading.quiet_power_w)
        return replace(
            reading,
            quality=(*reading.quality, *self._notes(reading, devices, cpu)),
            temperatures_c=_temperatures_c(devices),
            phases=self._measured_phases(surroundings),
            power_trace=surroundings.power_trace(),
        )

    def _integrated(self, surroundings: Surroundings, stop_reads: Mapping[str, float]) -> Reading:
        edge_reads = {
            name: (Tick(self._start_s, self._start_reads[name]), Tick(surroundings.stop_s, joules))
            for name, joules in stop_reads.items()
        }
        resolutions_j = {channel.name: channel.resolution_j for channel in self._channels}
        reading = to_reading(
            surroundings.trace(edge_reads), self._instruments.provenance, resolutions_j=resolutions_j
        )
        uncertainty_j = math.hypot(reading.uncertainty_j, surroundings.sampling_uncertainty_j())
        return replace(reading, uncertainty_j=uncertainty_j)

    def _notes(self, reading: Reading, devices: Mapping[str, DeviceHistory], cpu: CpuTime) -> tuple[str, ...]:
        return (
            *quality.sampling_notes(self._channels),
            *quality.device_notes(devices),
            *quality.foreign_notes(reading.channels, cpu.foreign_share),
        )

    def _measured_phases(self, surroundings: Surroundings) -> tuple[Phase, ...]:
        if not self._phases:
            return ()
        cumulative = surroundings.cumulative()
        return tuple(phase.to_phase(cumulative) for phase in self._phases)

    def _void_reading(self, stop_s: float) -> Reading:
        because = self._void_because or "it was abandoned"
        phases = tuple(phase.without_joules("the window around it is void") for phase in self._phases)
        duration_s = max(0.0, stop_s - self._start_s)
        return replace(void_reading(because, duration_s, self._instruments.provenance), phases=phases)


def _go_on() -> None:
    """Wait for nothing."""


def _temperatures_c(devices: Mapping[str, DeviceHistory]) -> dict[str, float]:
    after = {name: device.after.temperature_c for name, device in devices.items()}
    return {name: temperature_c for name, temperature_c in after.items() if temperature_c is not None}


def _why_unlikely(reading: Reading, devices: Mapping[str, DeviceHistory]) -> str | None:
    """Why the joules of a whole reading can't be used after all, or `None`."""
    energy_j = math.fsum(reading.channels.values())
    return quality.why_too_uncertain(energy_j, reading.uncertainty_j) or quality.why_counter_disagrees(
        reading.channels, reading.duration_s, devices
    )
