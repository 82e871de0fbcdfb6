"""Readings from the sensors of this machine."""

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter import quality, rest
from pytest_energy.meter.clock import Clock, TimeMarks
from pytest_energy.meter.device_monitor import DEVICE_LOOK_S, DeviceMonitor
from pytest_energy.meter.edge_reads import EdgeReads
from pytest_energy.meter.even_shares import ThirdShares
from pytest_energy.meter.host_usage import HOST_LOOK_S, HostMonitor, LinuxSystem, System
from pytest_energy.meter.protocol import OpenWindow, StagedWindow
from pytest_energy.meter.rest import at_rest, mean_power_w, settled
from pytest_energy.meter.sampler import Runner, Sampler, ThreadRunner
from pytest_energy.meter.synchronize import gpus_in_use
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.waiting import QuietSpans, slowest_tick_s
from pytest_energy.meter.window import Instruments, LiveWindow
from pytest_energy.meter.window_channels import WindowChannels
from pytest_energy.model import Channel, Domain, Provenance, SensorStatus, Tick
from pytest_energy.sensors.estimate import CpuPower, EstimateSensor
from pytest_energy.sensors.protocol import CountsProcesses, Sensor


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
        cpu_power: Models a CPU that none of *sensors* measures, to be shown beside the joules.
        source: What follows the counters; a sampler that reads *sensors* by default.
        gpus_in_use: Tells CUDA's numbers of the GPUs that torch uses in this process, of those measured.

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
        cpu_power: CpuPower | None = None,
        source: TickSource | None = None,
        gpus_in_use: Callable[[], tuple[int, ...]] = gpus_in_use,
    ) -> None:
        self._sensors = sensors = tuple(sensors)
        self._statuses = tuple(statuses)
        self._channels = tuple(channel for sensor in sensors for channel in sensor.channels)
        self.provenance = _one_provenance(sensors)
        sampler = source or Sampler(sensors, clock, runner or ThreadRunner(clock))
        self._system = system = system or LinuxSystem()
        host, devices = HostMonitor(sensors, clock, system), DeviceMonitor(sensors, system, gpus_in_use)
        sampler.add_chore(host.look, HOST_LOOK_S)
        for name in devices.names:
            sampler.add_chore(partial(devices.look, name), DEVICE_LOOK_S, is_regular=False)
        self._instruments = Instruments(
            clock=clock,
            marks=TimeMarks(clock),
            sampler=sampler,
            host=host,
            devices=devices,
            synchronize=synchronize,
            delays=ThirdShares(rng.random()),
            provenance=self.provenance,
            quiet=QuietSpans(),
            cpu_power=cpu_power,
            estimate=next((sensor.power for sensor in sensors if isinstance(sensor, EstimateSensor)), None),
        )
        self._chosen: dict[frozenset[Domain] | None, tuple[WindowChannels, EdgeReads]] = {}
        self._is_idle_known = False
        self._unsettled_notes: tuple[str, ...] = ()
        self._last: LiveWindow | None = None

    def start(self) -> None:
        if not self._instruments.sampler.is_running and self._instruments.sampler.start():
            self._instruments.quiet.forget()
        if not self._is_idle_known:
            if self.provenance is Provenance.MEASURED and self._channels:
                # Not kept as quiet for the first window: by then a device that is opened has another quiet.
                instruments = self._instruments
                ticks, self._unsettled_notes = settled(instruments.sampler, self._channels, instruments.clock)
                self._instruments = replace(instruments, rest_w=_powers_w(ticks))
            self._is_idle_known = True

    def pause(self) -> None:
        if self._last is not None:
            self._last.abandon("it was still open when its test ended")
        if self._instruments.sampler.is_running:
            self._instruments.sampler.stop()

    def statuses(self) -> tuple[SensorStatus, ...]:
        sampler, statuses = self._instruments.sampler, []
        for status in self._statuses:
            channels = [channel for channel in self._channels if channel.name in status.channels]
            statuses.append(replace(status, tick_s=slowest_tick_s(sampler, channels)))
        return tuple(statuses)

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
        return dict(self._instruments.rest_w) or None

    def drift_notes(self) -> tuple[str, ...]:
        """See `Meter`. Channels that tick are compared with the first window's quiet, its devices open."""
        is_ticked = {channel.name: channel.is_ticked for channel in self._channels}
        rest_w, first_w = self._instruments.rest_w, self._instruments.quiet.first_power_w
        before_w = {name: power_w for name, power_w in rest_w.items() if not is_ticked[name]} | first_w
        is_asked = self.provenance is Provenance.MEASURED and self._last is not None
        if not (is_asked and before_w):
            return self._unsettled_notes
        self.start()
        instruments = self._instruments
        instruments.synchronize()
        is_dead = instruments.sampler.why_dead() is not None
        ticks = (
            {} if is_dead else at_rest(instruments.sampler, self._channels, instruments.clock, rest.IDLE_S)
        )
        return (*self._unsettled_notes, *quality.drift_notes(before_w, _powers_w(ticks)))

    def devices(self, domains: frozenset[Domain] | None) -> tuple[str, ...]:
        return tuple(sorted({channel.device for channel in self._of(domains)}))

    def _of(self, domains: frozenset[Domain] | None) -> tuple[Channel, ...]:
        return tuple(c for c in self._channels if domains is None or c.domain in domains)

    def _choose(self, domains: frozenset[Domain] | None) -> tuple[WindowChannels, EdgeReads]:
        if domains not in self._chosen:
            channels, instruments = WindowChannels.of(self._of(domains)), self._instruments
            read_edges = EdgeReads(channels.edge_names, self._sensors, instruments.sampler, instruments.clock)
            self._chosen[domains] = channels, read_edges
        return self._chosen[domains]

    def open(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> OpenWindow:
        window = self.stage(test_id, domains=domains)
        window.get_ready()
        window.start()
        return window

    def stage(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> StagedWindow:
        """See `StagedMeter`."""
        self.start()
        last, (channels, read_edges) = self._last, self._choose(domains)
        if last is not None:
            last.abandon(f"it was still open when {test_id} opened another window")
        reason = None if channels.every else _why_no_channel(domains, self._channels)
        self._last = window = LiveWindow(self._instruments, channels, read_edges, reason)
        return window

    def adopt(self, pids: Iterable[int], *, on: Collection[str] = ()) -> None:
        adopted = {*pids, *self._instruments.devices.processes_on(on)}
        self._system.adopt(adopted)
        for sensor in self._sensors:
            if isinstance(sensor, CountsProcesses):
                sensor.adopt(adopted)

    def roles(self) -> Mapping[str, str]:
        return {}

    def processes(self) -> Mapping[str, frozenset[int]]:
        devices = self._instruments.devices
        return {name: frozenset(devices.processes_on([name])) for name in devices.names}

    def close(self) -> None:
        self.pause()


def _powers_w(ticks: Mapping[str, Sequence[Tick]]) -> dict[str, float]:
    """Mean powers by channel, of those whose counter moved."""
    # A counter that stands still has no idle power; its windows will say so.
    powers_w = {name: mean_power_w(ticks[name]) for name in ticks}
    return {name: power_w for name, power_w in powers_w.items() if power_w is not None}


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
