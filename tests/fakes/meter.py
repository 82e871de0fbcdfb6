"""A virtual clock, and counters on it whose truth is known.

The clock runs the sampler while somebody sleeps. The sampler has a time of its own, as a thread has: a read
that takes 5 ms delays nobody else. It is let run only where its reads can't end after the sleeper has woken:
what a device draws is then known at each moment that is read, because the sleeper decides it.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.sampler import Stepper
from pytest_energy.model import Channel, Provenance, Reading, SensorStatus
from pytest_energy.sensors.estimate import CpuPower
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.protocol import Facts, Sensor
from pytest_energy.usage import Usage
from tests.fakes.nvml import FakeGpu, FakeNvml, NVMLError_NotSupported

BURST = (0.05, 700.0)
"""Work that is shorter than a tick: seconds and watts."""


EPOCH = datetime(2026, 11, 21, 10, tzinfo=UTC)
"""The time of day at 0 of a virtual clock."""


class VirtualClock:
    """A clock that the test advances, by sleeping on it.

    Args:
        now_s: Where it starts.
        longest_call_s: No read of a sensor takes longer.
    """

    def __init__(self, now_s: float = 1000.0, *, longest_call_s: float = 0.005) -> None:
        self._now_s, self._longest_call_s = now_s, longest_call_s
        self._sampler: Stepper | None = None
        self._sampler_now_s: float | None = None
        self._sampler_free_s = now_s
        self._sampler_due_s = math.inf
        self.slept_s: float | None = 0.0

    def now_s(self) -> float:
        return self._now_s if self._sampler_now_s is None else self._sampler_now_s

    def suspended_s(self) -> float | None:
        return self.slept_s

    def unix_s(self, time_s: float, suspended_s: float | None) -> float:
        return EPOCH.timestamp() + time_s + (suspended_s or 0.0)

    def sleep_s(self, duration_s: float) -> None:
        stop_s = self._now_s + max(0.0, duration_s)
        latest_s = stop_s - self._longest_call_s
        while self._sampler is not None and max(self._sampler_due_s, self._sampler_free_s) <= latest_s:
            self._sampler_now_s = max(self._sampler_due_s, self._sampler_free_s)
            self._sampler_due_s = self._sampler.step()
            self._sampler_free_s, self._sampler_now_s = self._sampler_now_s, None
        self._now_s = stop_s

    def take(self, duration_s: float) -> None:
        """Spend time in a call: whoever is running, the others don't wait."""
        if self._sampler_now_s is None:
            self.sleep_s(duration_s)
        else:
            self._sampler_now_s += duration_s

    def jump(self, duration_s: float) -> None:
        """Set the clock forward, or back, with nobody noticing."""
        self._now_s += duration_s

    def hold(self, duration_s: float) -> None:
        """Spend time in a call that the sampler's thread can't make meanwhile, such as one under a lock."""
        if self._sampler_now_s is None:
            self._now_s += duration_s
        else:
            self._sampler_now_s += duration_s

    # The runner of a sampler

    def start(self, sampler: Stepper) -> None:
        self._sampler, self._sampler_due_s, self._sampler_free_s = sampler, self._now_s, self._now_s

    def wake(self) -> None:
        self._sampler_due_s = min(self._sampler_due_s, self._now_s)

    def stop(self) -> None:
        self._sampler = None


class Device:
    """A device with a known power at every moment."""

    def __init__(self, clock: VirtualClock, quiet_w: float = 120.0) -> None:
        self._clock, self.quiet_w = clock, quiet_w
        self._times, self._joules, self._powers = [clock.now_s() - 10.0], [0.0], [quiet_w]

    def plan(self, time_s: float, power_w: float) -> None:
        """Draw *power_w* from *time_s* on."""
        joules = self.joules_at(time_s)
        assert time_s >= self._times[-1]
        self._times.append(time_s)
        self._joules.append(joules)
        self._powers.append(power_w)

    def joules_at(self, time_s: float) -> float:
        index = max(0, bisect_right(self._times, time_s) - 1)
        return self._joules[index] + self._powers[index] * (time_s - self._times[index])

    def joules_between(self, start_s: float, stop_s: float) -> float:
        """The truth."""
        return self.joules_at(stop_s) - self.joules_at(start_s)

    def seen_power_w(self, time_s: float, update_s: float = 0.097, share: float = 1.0) -> float:
        """Power as it is shown at *time_s*: a mean over the last *share* of the last whole *update_s*."""
        updated_s = time_s // update_s * update_s
        return self.joules_between(updated_s - share * update_s, updated_s) / (share * update_s)

    def work(self, steps: Sequence[tuple[float, float]]) -> None:
        """Draw each power for its seconds, then be quiet again; returns when that is over."""
        time_s = self._clock.now_s()
        for duration_s, power_w in steps:
            self.plan(time_s, power_w)
            time_s += duration_s
        self.plan(time_s, self.quiet_w)
        self._clock.sleep_s(time_s - self._clock.now_s())


class SimulatedCounter:
    """One channel of a device, updated at its ticks.

    Args:
        device: Whose joules it counts.
        clock: The test's clock.
        tick_s: Seconds between ticks; 0 counts all the time.
        jitter_share: Spread of a tick's time around its beat, as a share of the tick.
        is_wandering: The spread adds up from tick to tick.
        call_s: Shortest and longest duration of a read.
        rng: Chance.
        resolution_j: Smallest step.
        declared_j: What the channel says of it, if that is another.
        name: Channel name.
        is_ticked: What the channel says of itself.
    """

    provenance = Provenance.MEASURED
    name = "simulated"

    def __init__(
        self,
        device: Device,
        clock: VirtualClock,
        *,
        tick_s: float = 0.1,
        jitter_share: float = 0.0,
        is_wandering: bool = False,
        call_s: tuple[float, float] = (0.002, 0.004),
        rng: random.Random | None = None,
        resolution_j: float = 1e-3,
        declared_j: float | None = None,
        name: str = "gpu:0",
        is_ticked: bool = True,
    ) -> None:
        self._device, self._clock = device, clock
        self._tick_s, self._jitter_s, self._is_wandering = tick_s, jitter_share * tick_s, is_wandering
        self._call_s, self._rng = call_s, random.Random(7) if rng is None else rng  # noqa: S311  # a seeded simulation
        domain = Channel.domain_of(name)
        self.channels: tuple[Channel, ...] = (
            Channel(
                name=name,
                domain=domain,
                device=f"device-of-{name}",
                is_ticked=is_ticked,
                resolution_j=resolution_j if declared_j is None else declared_j,
            ),
        )
        self._resolution_j = resolution_j
        self._beat_s = clock.now_s() - 5.0 - self._rng.random() * max(tick_s, 1e-3)
        self._number = 0
        self._last_tick_s = self._beat_s
        self._next_tick_s = self._after(self._beat_s)
        self.is_stuck = False
        self.hang_s = 0.0  # the next read takes so much longer
        self.fault: BaseException | None = None
        self.read_count = 0
        self.usages = Usage()

    def _after(self, tick_s: float) -> float:
        jitter_s = self._rng.gauss(0.0, self._jitter_s) if self._jitter_s else 0.0
        if self._is_wandering:
            return tick_s + max(0.1 * self._tick_s, self._tick_s + jitter_s)
        self._number += 1
        return max(math.nextafter(tick_s, math.inf), self._beat_s + self._number * self._tick_s + jitter_s)

    def read_j(self, channel: str) -> float:
        assert channel == self.channels[0].name
        self.read_count += 1
        if self.fault is not None:
            raise self.fault
        duration_s = self._rng.uniform(*self._call_s)
        looked_s = self._clock.now_s() + duration_s * self._rng.random()
        self._clock.take(duration_s + self.hang_s)
        self.hang_s = 0.0
        return (
            math.floor(self._device.joules_at(self._updated_s(looked_s)) / self._resolution_j)
            * self._resolution_j
        )

    def _updated_s(self, time_s: float) -> float:
        if self.is_stuck:
            return self._last_tick_s
        if not self._tick_s:
            return time_s
        while self._next_tick_s <= time_s:
            self._last_tick_s, self._next_tick_s = self._next_tick_s, self._after(self._next_tick_s)
        return self._last_tick_s

    def usage(self) -> Usage:
        return self.usages

    def facts(self) -> Facts:
        return Facts()

    def close(self) -> None:
        pass


class StillSystem:
    """An operating system on which half of two processors is busy.

    Attributes:
        own_share: Share of the busy time that the known family has; `None` where it isn't known.
        look_count: How often it was asked for memory.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.look_count = 0
        self.kin: dict[int, bool] = {}
        self.own_share: float | None = 1.0

    def own_cpu_s(self) -> float | None:
        return None if self.own_share is None else self.own_share * self._clock.now_s()

    def cpu_times_s(self) -> tuple[float, float]:
        return self._clock.now_s(), 2 * self._clock.now_s()

    def ram_used_bytes(self) -> float | None:
        self.look_count += 1
        return 1e9

    def adopt(self, pids: Iterable[int]) -> None:
        self.kin |= dict.fromkeys(pids, True)

    def is_kin(self, pid: int) -> bool | None:
        return self.kin.get(pid)


class Bench:
    """A live meter over simulated counters of one device, everything on one virtual clock.

    Args:
        seed: For all chance.
        tick_s: One counter for each, `gpu:0`, `gpu:1`, ...
        quiet_w: What the device draws when nothing works.
        **counter: Passed on to each `SimulatedCounter`.
    """

    def __init__(self, *tick_s: float, seed: int = 1, quiet_w: float = 120.0, **counter: Any) -> None:
        self.rng = random.Random(seed)  # noqa: S311  # a seeded simulation
        self.clock = VirtualClock()
        self.device = Device(self.clock, quiet_w)
        self.counters = [
            SimulatedCounter(
                self.device, self.clock, tick_s=tick, rng=self.rng, name=f"gpu:{index}", **counter
            )
            for index, tick in enumerate(tick_s or (0.1,))
        ]
        self.system = StillSystem(self.clock)
        self.synchronize_count = 0
        self.meter = self.meter_over(*self.counters)

    def meter_over(self, *sensors: Sensor, cpu_power: CpuPower | None = None) -> LiveMeter:
        return LiveMeter(
            sensors,
            [
                SensorStatus(
                    name=sensor.name, channels=(sensor.channels[0].name,), provenance=sensor.provenance
                )
                for sensor in sensors
            ],
            clock=self.clock,
            synchronize=self._synchronize,
            rng=self.rng,
            runner=self.clock,
            system=self.system,
            cpu_power=cpu_power,
        )

    def _synchronize(self) -> None:
        self.synchronize_count += 1

    def measure(self, *steps: tuple[float, float]) -> Reading:
        """One window around work of these (seconds, watts)."""
        window = self.meter.open("test")
        self.device.work(steps)
        return window.close()

    def truth_j(self, reading: Reading) -> float:
        assert reading.trace is not None, reading.void_because
        return self.device.joules_between(reading.trace.start_s, reading.trace.stop_s)


class NvmlBench(Bench):
    """A live meter over NVML's sensor, whose one GPU counts and draws what the simulated device does.

    Args:
        seed: For all chance.
        has_counter: Without one, the GPU's power is integrated.
        gpu: Values of the `FakeGpu`.
    """

    def __init__(self, *, seed: int = 1, has_counter: bool = True, **gpu: Any) -> None:
        super().__init__(0.1, seed=seed)
        self.gpu = FakeGpu(count_mj=self._count_mj, draw_mw=self._draw_mw, **gpu)
        if not has_counter:
            self.gpu.failures["nvmlDeviceGetTotalEnergyConsumption"] = NVMLError_NotSupported()
        self.lost_mj = 0
        self.draw_share = 1.0
        self.sensor = NvmlSensor(nvml=FakeNvml(self.gpu), environ={}, now_s=self.clock.now_s)
        self.meter = self.meter_over(self.sensor)
        self.meter.start()

    def _count_mj(self) -> int:
        return round(self.counters[0].read_j("gpu:0") * 1e3) - self.lost_mj

    def _draw_mw(self) -> int:
        return round(self.device.seen_power_w(self.clock.now_s()) * self.draw_share * 1e3)


def started(*tick_s: float, **counter: Any) -> Bench:
    """A bench whose meter has found its ticks."""
    bench = Bench(*tick_s, **counter)
    bench.meter.start()
    return bench


def edge_meter(
    bench: Bench, provenance: Provenance = Provenance.MEASURED, channel: str = "cpu:package-0"
) -> LiveMeter:
    """A started meter over a processor's counter that is read at the edges."""
    rapl = SimulatedCounter(
        bench.device, bench.clock, tick_s=0.0, call_s=(0.0, 0.0), name=channel, is_ticked=False
    )
    rapl.provenance = provenance
    meter = bench.meter_over(rapl)
    meter.start()
    return meter


def why_void(reading: Reading) -> str:
    """The reason of a void reading, which has no joules."""
    assert reading.void_because is not None
    assert reading.channels == {}
    assert reading.energy_j is None
    return reading.void_because
