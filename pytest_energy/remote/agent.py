"""The agent: it follows the counters of its machine, for all runs that ask.

Rule 1: nothing is kept for one run alone, but when it polled last: each has its own cursor.
Rule 2: memory is bounded by sizes that are fixed here; what a slow reader has missed is counted.
Rule 3: a sampler that died is reported to every run as a fault, and started again.
Rule 4: devices are looked at while a run measures, and their utilisation when somebody asks.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Lock

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.device_monitor import DEVICE_LOOK_S
from pytest_energy.meter.host_usage import HOST_LOOK_S, hardware_usage
from pytest_energy.meter.sampler import Runner, Sampler
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.remote.device_looks import DeviceLooks
from pytest_energy.remote.numbered import Numbered, TickRing
from pytest_energy.remote.protocol import (
    FIRST_TICKS,
    MOST_TICKS,
    AgentDescription,
    ChannelTicks,
    Cursor,
    Fault,
    HostReport,
    Poll,
    Who,
)
from pytest_energy.remote.runs import Runs
from pytest_energy.sensors.cpu_times import CpuTimes
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.usage import Usage

READ_EVERY_S = 0.02
"""Counters that don't tick are read so often. At an edge that isn't quiet, half of that times the step of
power is in doubt: 1 J of 100 W. Each read takes some 0.3 ms of a core with its thread."""

# A reader that is away for so long misses nothing: a minute and more of regular reads.
_KEPT_TICKS = 4096
_KEPT_FAULTS = 256

# The sampler gives a sign so often; without one for so long it is in a call that doesn't return.
_PULSE_S = 1.0
_HANG_S = 10.0

# A counter whose last value is older is not exported.
_STALE_S = 10.0

# A sampler that dies again and again is started again no more often than this.
_REVIVE_S = 5.0


class NumberedSeen:
    """A sampler's memory, numbered for readers."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.rings = {name: TickRing(_KEPT_TICKS) for name in channels}
        self.faulty: Numbered[Fault] = Numbered(_KEPT_FAULTS)

    def keep_tick(self, channel: str, tick: SeenTick) -> None:
        self.rings[channel].append(tick)

    def keep_fault(self, channel: str, time_s: float, because: str) -> None:
        self.faulty.append(Fault(time_s=time_s, because=because, channel=channel))

    def ticks(self, channel: str) -> Sequence[SeenTick]:
        return self.rings[channel].newest(_KEPT_TICKS).items

    def faults(self, channel: str) -> tuple[tuple[float, str], ...]:
        kept = self.faulty.after(0).items
        return tuple((fault.time_s, fault.because) for fault in kept if fault.channel in {channel, None})

    def mark(self) -> None:
        """No window begins here: who reads the agent keeps what it needs."""

    def forget_ticks(self) -> None:
        for ring in self.rings.values():
            ring.forget()


class Agent:
    """Follows the counters of *sensors* from when it is made; an `AgentSource` for those beside it.

    Args:
        sensors: Open sensors. They stay the caller's to close.
        description: What it says of itself.
        clock: Of all times.
        runner: Runs its sampler.
        cpu_times: Processor times of the machine.
    """

    def __init__(
        self,
        sensors: Sequence[Sensor],
        description: AgentDescription,
        *,
        clock: Clock,
        runner: Runner,
        cpu_times: Callable[[], CpuTimes],
    ) -> None:
        self._sensors, self._description = tuple(sensors), description
        self._clock, self._cpu_times = clock, cpu_times
        self._names = tuple(channel.name for channel in description.channels)
        self._seen, self._runs = NumberedSeen(self._names), Runs()
        self._devices = DeviceLooks(sensors, clock)
        self._usage, self._usage_s, self._looking = Usage(), -math.inf, Lock()
        self._pulse_s, self._revived_s = clock.now_s(), -math.inf
        self._reviving, self._is_reported = Lock(), False
        self._sampler = Sampler(sensors, clock, runner, seen=self._seen, read_every_s=READ_EVERY_S)
        self._sampler.add_chore(self._beat, _PULSE_S)
        for name in self._devices.names:
            self._sampler.add_chore(partial(self._look, name), DEVICE_LOOK_S, is_regular=False)
        self._sampler.start()

    def description(self) -> AgentDescription:
        return self._description

    def poll(self, cursor: Cursor, who: Who) -> Poll:
        """See `AgentSource`; nothing is raised."""
        asked_s = self._clock.now_s()
        self._runs.see(who, asked_s)
        dead_because = self.why_dead()
        devices = self._devices.reports(cursor.state_since_s)
        numbers, channels = {}, {}
        for name in self._names:
            numbers[name], channels[name] = self._ticks(name, cursor.ticks.get(name))
        faults = self._seen.faulty.after(cursor.next_fault)
        snapshots = self._devices.snapshots(cursor.next_snapshot)
        return Poll(
            agent_id=self._description.agent_id,
            asked_s=asked_s,
            cursor=Cursor(ticks=numbers, next_fault=faults.next_number, next_snapshot=snapshots.next_number),
            channels=channels,
            faults=faults.items,
            lost_fault_count=faults.lost_count,
            snapshots=snapshots.items,
            lost_snapshot_count=snapshots.lost_count,
            devices=devices,
            host=self.host(),
            dead_because=dead_because,
            others=self._runs.now(asked_s, besides=who.run_id),
            time_s=self._clock.now_s(),
        )

    def _ticks(self, name: str, number: int | None) -> tuple[int, ChannelTicks]:
        # The tracker first: what it says of the counter is then never newer than the ticks.
        is_silent, tick_s, read_s = (
            self._sampler.is_silent(name),
            self._sampler.tick_s(name),
            self._sampler.read_s(name),
        )
        ring = self._seen.rings[name]
        stretch = ring.newest(FIRST_TICKS) if number is None else ring.after(number, MOST_TICKS)
        return stretch.next_number, ChannelTicks(
            ticks=stretch.items,
            lost_count=stretch.lost_count,
            tick_s=tick_s,
            is_silent=is_silent,
            read_s=read_s,
        )

    def release(self, who: Who) -> None:
        self._runs.forget(who)

    def close(self) -> None:
        """End the sampling."""
        self._sampler.stop()

    def host(self) -> HostReport:
        """How busy the machine is."""
        times, usage = self._cpu_times(), self._usage_now()
        return HostReport(
            cpu_busy_s=times.busy_s,
            cpu_total_s=times.total_s,
            gpu_utilisation_share=usage.gpu_utilisation_share,
            gpu_memory_used_bytes=usage.gpu_memory_used_bytes,
            suspended_s=self._clock.suspended_s(),
        )

    def runs(self) -> tuple[Who, ...]:
        """The runs that measure now."""
        return self._runs.now(self._clock.now_s())

    def joules(self) -> Mapping[str, float]:
        """The counter of each channel that was read a moment ago, from an arbitrary zero."""
        oldest_s = self._clock.now_s() - _STALE_S
        newest = {
            name: self._seen.rings[name].newest(1).items
            for name in self._names
            if (self._sampler.read_s(name) or 0.0) >= oldest_s
        }
        return {name: ticks[0].joules for name, ticks in newest.items() if ticks}

    def why_dead(self) -> str | None:
        """Why no counter is read now, or `None`; a sampler that died is started again."""
        if (because := self._sampler.why_dead()) is None:
            silent_s = self._clock.now_s() - self._pulse_s
            if silent_s <= _HANG_S:
                return None
            return f"a read of a counter has not returned for {silent_s:.0f} s"
        if self._reviving.acquire(blocking=False):
            try:
                self._revive(because)
            finally:
                self._reviving.release()
        return because

    def _revive(self, because: str) -> None:
        now_s = self._clock.now_s()
        if not self._is_reported:
            self._seen.faulty.append(Fault(time_s=now_s, because=because))
            self._is_reported = True
        if now_s - self._revived_s >= _REVIVE_S:
            self._sampler.stop()
            self._sampler.start()
            self._revived_s = self._pulse_s = self._clock.now_s()
            self._is_reported = False

    def _beat(self) -> None:
        self._pulse_s = self._clock.now_s()

    def _look(self, channel: str) -> None:
        if self.runs():
            self._devices.look(channel)

    def _usage_now(self) -> Usage:
        """How busy the hardware is, looked at a moment ago."""
        with self._looking:
            now_s = self._clock.now_s()
            if now_s - self._usage_s > HOST_LOOK_S:
                self._usage, self._usage_s = hardware_usage(self._sensors), now_s
            return self._usage
