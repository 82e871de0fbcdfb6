"""The only thread: it follows the ticks of every counter that ticks, and looks after the others.

Rule 1: what to do next is `Sampler.step`, which sleeps never and knows no thread; a `Runner` calls it when it
        is due. Tests run it with a clock of their own.
Rule 2: a `SensorError` is kept with its time: windows that it falls into are void, the run goes on.
Rule 3: any other exception ends the sampling. It is kept, makes windows void, and is raised again at `stop`.
Rule 4: memory doesn't grow without end: of a very long history only each second tick is kept.
"""

import math
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.tick_tracker import TickTracker
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.sensors.protocol import Sensor, checked_j
from pytest_energy.units import to_text

# RAPL's smallest range wraps in 2.2 min at 500 W, and a sensor is promised a read each 30 s.
TOUCH_S = 20.0

# NVML's slowest call took 4 ms on a busy H100. One that takes this long has hung, and nobody knows of which
# moment its value is.
_HANG_S = 1.0

# After a read that failed: often enough to see a counter come back, rarely enough to do no harm.
_RETRY_S = 0.5

# Chores wait until no tick is due for this long.
_CHORE_ROOM_S = 0.01

_HISTORY_TICKS = 1 << 16
_RECENT_TICKS = 1 << 12


class Runner(Protocol):
    """Whatever calls a sampler's step when it is due."""

    def start(self, sampler: "Sampler") -> None: ...

    def wake(self) -> None:
        """Let the sampler look again at what is due: something has changed."""
        ...

    def stop(self) -> None: ...


class ThreadRunner:
    """A thread that sleeps between the steps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wake = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def start(self, sampler: "Sampler") -> None:
        self._thread = threading.Thread(
            target=self._run, args=(sampler,), name="pytest-energy-sampler", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._is_stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, sampler: "Sampler") -> None:
        while not self._is_stopping:
            due_s = sampler.step()
            wait_s = due_s - self._clock.now_s()
            if wait_s > 0:
                self._wake.wait(None if math.isinf(wait_s) else wait_s)
            self._wake.clear()


class _Followed:
    """One ticked channel: its tracker and what it has seen."""

    def __init__(self, name: str, now_s: float) -> None:
        self.name, self.tracker = name, TickTracker(now_s)
        self.ticks: list[SeenTick] = []

    def keep(self, tick: SeenTick) -> None:
        self.ticks.append(tick)
        if len(self.ticks) > _HISTORY_TICKS:
            # A new list: somebody may be looking at the old one.
            self.ticks = [*self.ticks[:-_RECENT_TICKS:2], *self.ticks[-_RECENT_TICKS:]]


class _Chore:
    def __init__(self, action: Callable[[], None], period_s: float, now_s: float) -> None:
        self.action, self.period_s = action, period_s
        self.due_s = now_s + period_s


class Sampler:
    """Ticks of channels that tick, reads of those that don't; nobody else reads the sensors from now on."""

    def __init__(self, sensors: Sequence[Sensor], clock: Clock, runner: Runner) -> None:
        self._clock, self._runner = clock, runner
        now_s = clock.now_s()
        channels = [channel for sensor in sensors for channel in sensor.channels]
        self._sensors = {channel.name: sensor for sensor in sensors for channel in sensor.channels}
        # A sensor's wrap count and the like must not be changed by two threads at once.
        self._locks = {id(sensor): threading.Lock() for sensor in sensors}
        self._followed = {c.name: _Followed(c.name, now_s) for c in channels if c.is_ticked}
        self._faults: dict[str, deque[tuple[float, str]]] = {c.name: deque(maxlen=64) for c in channels}
        self._chores: list[_Chore] = []
        untouched = [channel.name for channel in channels if not channel.is_ticked]
        if untouched:
            self.add_chore(partial(self._touch, untouched), TOUCH_S)
        for channel in channels:
            if channel.sampled_s is not None:
                self.add_chore(partial(self._touch, [channel.name]), channel.sampled_s)
        self.failure: Exception | None = None
        """What ended the sampling, if something did."""

    def start(self) -> None:
        self._runner.start(self)

    def stop(self) -> None:
        """End the sampling.

        Raises:
            Exception: What ended it before, if something did.
        """
        self._runner.stop()
        if self.failure is not None:
            raise self.failure

    def add_chore(self, action: Callable[[], None], period_s: float) -> None:
        """Call *action* about every *period_s*, between the ticks."""
        self._chores.append(_Chore(action, period_s, self._clock.now_s()))

    def tick_s(self, channel: str) -> float | None:
        """Period of a ticked channel; `None` while it is unknown, or when the counter has fallen silent."""
        return None if self.is_silent(channel) else self._followed[channel].tracker.tick_s

    def is_silent(self, channel: str) -> bool:
        """Whether a ticked channel has stood still for too long."""
        return self._followed[channel].tracker.is_silent(self._clock.now_s())

    def ticks(self, channel: str) -> Sequence[SeenTick]:
        """All ticks of a ticked channel that are still known; the sequence may grow."""
        return self._followed[channel].ticks

    def count_after(self, channel: str, time_s: float) -> int:
        """Ticks of *channel* that were surely after *time_s*."""
        ticks = self._followed[channel].ticks
        first = bisect_right(ticks, time_s, key=lambda tick: tick.time_s)
        return sum(tick.after_s >= time_s for tick in ticks[first:])

    def fault_since(self, channel: str, since_s: float) -> str | None:
        """Why the first read of *channel* that failed at or after *since_s* did; or `None`."""
        faults = tuple(self._faults[channel])
        return next((because for time_s, because in faults if time_s >= since_s), None)

    def read_j(self, channel: str) -> float:
        """Joules of *channel* now, from any thread.

        Raises:
            SensorError: The sensor gives no value, or none that is a number, or hung.
        """
        sensor = self._sensors[channel]
        with self._locks[id(sensor)]:
            started_s = self._clock.now_s()
            joules = sensor.read_j(channel)
            took_s = self._clock.now_s() - started_s
        if took_s > _HANG_S:
            raise SensorError(
                f"{channel}: a read of its counter took {to_text(took_s, 's')}: "
                f"the sensor {sensor.name} hung, or the whole process did"
            )
        return checked_j(joules, sensor.name, channel)

    def poll_eagerly(self, channels: Sequence[str]) -> None:
        """See each tick of *channels* as soon as it happens: somebody waits."""
        for name in channels:
            self._followed[name].tracker.poll_eagerly()
        self._runner.wake()

    def poll_normally(self, channels: Sequence[str]) -> None:
        for name in channels:
            self._followed[name].tracker.poll_normally()

    def step(self) -> float:
        """Do what is due, if anything is.

        Returns:
            When something is due again; never, once the sampling has ended.
        """
        if self.failure is not None:
            return math.inf
        try:
            self._do_one()
        except Exception as error:  # noqa: BLE001  # kept, and raised again at stop()
            self.failure = error
            return math.inf
        dues_s = [followed.tracker.due_s for followed in self._followed.values()]
        return min((*dues_s, *(chore.due_s for chore in self._chores)), default=math.inf)

    def _do_one(self) -> None:
        now_s = self._clock.now_s()
        for followed in self._followed.values():
            followed.tracker.update_plan(now_s)
        following = min(self._followed.values(), key=lambda f: f.tracker.due_s, default=None)
        if following is not None and following.tracker.due_s <= now_s:
            self._read(following)
            return
        room_s = math.inf if following is None else following.tracker.due_s - now_s
        for chore in self._chores:
            if chore.due_s <= now_s:
                if room_s < _CHORE_ROOM_S:
                    chore.due_s = now_s + _CHORE_ROOM_S
                    continue
                chore.action()
                chore.due_s = self._clock.now_s() + chore.period_s
                return

    def _read(self, followed: _Followed) -> None:
        name = followed.name
        started_s = self._clock.now_s()
        try:
            joules = self.read_j(name)
        except SensorError as error:
            self._keep_fault(name, error)
            followed.tracker.skip_to(self._clock.now_s() + _RETRY_S)
            return
        tick = followed.tracker.see(started_s, self._clock.now_s(), joules)
        if tick is not None:
            followed.keep(tick)

    def _touch(self, channels: Sequence[str]) -> None:
        for name in channels:
            try:
                self.read_j(name)
            except SensorError as error:
                self._keep_fault(name, error)

    def _keep_fault(self, channel: str, error: SensorError) -> None:
        self._faults[channel].append((self._clock.now_s(), str(error)))
