"""The sampling thread: it follows every counter that ticks, and reads the others.

Rule 1: what to do next is `Sampler.step`, which sleeps never and knows no thread; a `Runner` calls it when it
        is due. Tests run it with a clock of their own.
Rule 2: a `SensorError` is kept with its time: windows that it falls into are void, the run goes on.
Rule 3: any other exception ends the sampling, until it is started again. Windows are void, and name it.
Rule 4: memory doesn't grow without end: see `Seen`.
Rule 5: it may be stopped and started again. What was found of the counters is kept; nobody knows what they
        did in between, so the first read of each says nothing, and after a longer stop old ticks are
        forgotten.
"""

import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Event, Lock, Thread
from typing import Protocol

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.regular_reads import RegularReads
from pytest_energy.meter.seen import Seen, SeenLately, count_after, fault_since
from pytest_energy.meter.tick_tracker import TickTracker
from pytest_energy.meter.ticks import Read, SeenTick
from pytest_energy.model import SAME_CLOCK, ClockError
from pytest_energy.sensors.process_table import ProcessTable
from pytest_energy.sensors.protocol import Sensor, checked_j

# RAPL's smallest range wraps in 2.2 min at 500 W, and a sensor is promised a read each 30 s.
TOUCH_S = 20.0

# After a read that failed: often enough to see a counter come back, rarely enough to do no harm.
_RETRY_S = 0.5

# Chores wait until no tick is due for this long.
_CHORE_ROOM_S = 0.01

# Of the random times of chores; the same in each run.
_SEED = 1

# NVML's slowest call took 4 ms on a busy H100. A thread that is in one for so long isn't waited for.
_HANG_S = 5.0

# A stop as long as some ticks is as if the thread had been held up. After a longer one what was quiet before
# is quiet no more.
_LONG_STOP_S = 1.0


class Stepper(Protocol):
    """What is to be called again and again."""

    def step(self) -> float:
        """Do what is due; returns when something is due again."""
        ...


class Runner(Protocol):
    """Whatever calls a sampler's step when it is due."""

    def start(self, sampler: Stepper) -> None:
        """Begin to call; `RuntimeError` if that can't be."""
        ...

    def wake(self) -> None:
        """Let the sampler look again at what is due: something has changed."""
        ...

    def stop(self) -> None:
        """Call no more; `RuntimeError` if the last call doesn't come back. May be started again."""
        ...


class _Turn:
    """One life of a runner's thread."""

    def __init__(self) -> None:
        self.wake = Event()
        self.is_over = False


class ThreadRunner:
    """A thread that sleeps between the steps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = _Turn()
        self._thread: Thread | None = None

    def start(self, sampler: Stepper) -> None:
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError("the last one is still in a read that doesn't return")
        self._turn = turn = _Turn()
        self._thread = Thread(
            target=self._run, args=(sampler, turn), name="pytest-energy-sampler", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        self._turn.wake.set()

    def stop(self) -> None:
        self._turn.is_over = True
        self._turn.wake.set()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join(_HANG_S)
            if self._thread.is_alive():
                raise RuntimeError("a read of a counter doesn't return")

    def _run(self, sampler: Stepper, turn: _Turn) -> None:
        while not turn.is_over:
            due_s = sampler.step()
            wait_s = due_s - self._clock.now_s()
            if wait_s > 0:
                turn.wake.wait(None if math.isinf(wait_s) else wait_s)
            turn.wake.clear()


class _Chore:
    def __init__(
        self, action: Callable[[], None], period_s: float, now_s: float, *, is_regular: bool
    ) -> None:
        self.action, self._period_s, self.is_regular = action, period_s, is_regular
        self._rng = None if is_regular else random.Random(_SEED)  # noqa: S311  # any times will do
        self.plan(now_s)

    def plan(self, now_s: float) -> None:
        """Plan the next time: half a period to one and a half from now, where it is random."""
        self.due_s = now_s + self._period_s * (1.0 if self._rng is None else self._rng.uniform(0.5, 1.5))


class Sampler:
    """Ticks of channels that tick, reads of those that don't; nothing else reads the sensors from now on.

    Args:
        sensors: Whose channels are followed.
        clock: Of all times.
        runner: Calls `step`.
        seen: Where ticks and faults are kept.
        read_every_s: Channels that don't tick are read so often, and each of those reads is a tick; and each
            tick of the others is followed. Without it they are read when somebody asks.
    """

    def __init__(
        self,
        sensors: Sequence[Sensor],
        clock: Clock,
        runner: Runner,
        *,
        seen: Seen | None = None,
        read_every_s: float | None = None,
    ) -> None:
        self._clock, self._runner = clock, runner
        now_s = clock.now_s()
        channels = [channel for sensor in sensors for channel in sensor.channels]
        self._sensors = {channel.name: sensor for sensor in sensors for channel in sensor.channels}
        # A sensor's wrap count and the like must not be changed by two threads at once.
        self._locks = {id(sensor): Lock() for sensor in sensors}
        ticked = [channel for channel in channels if channel.is_ticked]
        self._trackers: dict[str, TickTracker | RegularReads] = {
            channel.name: TickTracker(now_s, len(ticked), is_known=channel.response.settle_s is not None)
            for channel in ticked
        }
        self._untouched = [channel.name for channel in channels if not channel.is_ticked]
        if read_every_s is not None:
            for tracker in self._trackers.values():
                tracker.follow_each(is_each=True)
            self._trackers |= {name: RegularReads(now_s, read_every_s) for name in self._untouched}
        self._seen: Seen = SeenLately() if seen is None else seen
        self._chores: list[_Chore] = []
        self._of_end = {channel.name for channel in channels if channel.is_read_at_end}
        self._sampled = [channel.name for channel in channels if channel.sampled_s is not None]
        if self._untouched and read_every_s is None:
            self.add_chore(partial(self._touch, self._untouched), TOUCH_S)
        for channel in channels:
            if channel.sampled_s is not None:
                self.add_chore(partial(self._touch, [channel.name]), channel.sampled_s)
        self._stopped_s = now_s
        self._left_until_s = -math.inf
        self._pid: int | None = None  # the process that it runs in
        self.failure: BaseException | None = None
        """What ended the sampling, if something did."""

    lag_s = 0.0

    @property
    def is_running(self) -> bool:
        """Whether it has been started and not stopped, by whichever process."""
        return self._pid is not None

    def start(self) -> bool:
        """Begin, or begin again; one that can't has a `failure`.

        Returns:
            Whether what was seen before is forgotten, as it is long ago.
        """
        self.failure, self._pid = None, ProcessTable.own_pid()
        is_long = self._clock.now_s() - self._stopped_s > _LONG_STOP_S
        if is_long:
            self._seen.forget_ticks()
        try:
            self._look_again()
            self._runner.start(self)
        except Exception as error:  # noqa: BLE001  # as in a step
            self.failure = error
        return is_long

    def _look_again(self) -> None:
        """Read what counts from one read to the next, as nobody did for long."""
        for name in {*self._untouched, *self._sampled}:
            with suppress(SensorError):  # that it wasn't read; what else is wrong shows again
                self.read(name)

    def stop(self) -> None:
        """End the sampling, until it is started again."""
        if self._pid != ProcessTable.own_pid():  # a forked child's: who held a lock isn't here to let it go
            self._locks = {key: Lock() for key in self._locks}
        try:
            self._runner.stop()
        except RuntimeError as error:
            self.failure = error
        self._pid, self._stopped_s = None, self._clock.now_s()

    def why_dead(self) -> str | None:
        """Why the counters aren't read although the sampling was started, or `None`."""
        if self.failure is not None:
            return f"the sampler thread died of {type(self.failure).__name__}: {self.failure}"
        if self._pid is not None and self._pid != ProcessTable.own_pid():
            return (
                f"process {ProcessTable.own_pid()} was forked from {self._pid} in the middle of a test: "
                "it has no sampler thread"
            )
        return None

    def add_chore(self, action: Callable[[], None], period_s: float, *, is_regular: bool = True) -> None:
        """Call *action* about every *period_s*, between the ticks; at random times if not *is_regular*."""
        self._chores.append(_Chore(action, period_s, self._clock.now_s(), is_regular=is_regular))

    def tick_s(self, channel: str) -> float | None:
        """Period of a ticked channel; `None` while it is unknown, or when the counter has fallen silent."""
        return None if self.is_silent(channel) else self._trackers[channel].tick_s

    def is_silent(self, channel: str) -> bool:
        """Whether a ticked channel, when it was read last, had stood still for too long."""
        return self._trackers[channel].is_silent

    def read_s(self, channel: str) -> float | None:
        """When the last read of a ticked channel that gave a value was begun, or `None`."""
        return self._trackers[channel].read_s

    def is_read_since(self, channel: str, time_s: float) -> bool:
        """Whether a read of a ticked channel was begun after *time_s*, and gave a value."""
        read_s = self.read_s(channel)
        return read_s is not None and read_s > time_s

    def ticks(self, channel: str) -> Sequence[SeenTick]:
        """All ticks of a ticked channel that are still known; the sequence may grow."""
        return self._seen.ticks(channel)

    def mark(self) -> None:
        """Keep the ticks beside now: a window begins."""
        self._seen.mark()

    def count_after(self, channel: str, time_s: float) -> int:
        """Ticks of *channel* that were surely after *time_s*."""
        return count_after(self._seen.ticks(channel), time_s)

    def fault_since(self, channel: str, since_s: float) -> str | None:
        """Why the first read of *channel* that failed at or after *since_s* did; or `None`."""
        faults = self._seen.faults(channel)
        return fault_since(faults, since_s) if faults else None

    def read(self, channel: str) -> Read:
        """Joules of *channel* now, from any thread, and when the call was made.

        Raises:
            SensorError: The sensor gives no value, or none that is a number.
        """
        sensor = self._sensors[channel]
        with self._locks[id(sensor)]:
            started_s = self._clock.now_s()
            joules = sensor.read_j(channel)
            ended_s = self._clock.now_s()
        return Read(started_s, ended_s, checked_j(joules, sensor.name, channel), channel in self._of_end)

    def clock_error(self, start_s: float, stop_s: float) -> ClockError:
        """None: one clock times the ticks and the windows."""
        del start_s, stop_s
        return SAME_CLOCK

    def notes_since(self, since_s: float) -> tuple[str, ...]:
        """None."""
        del since_s
        return ()

    def follow_each(self, channels: Sequence[str], *, is_each: bool) -> None:
        """Whether each tick of *channels* is followed: what lies between the edges of a window counts."""
        for name in channels:
            self._trackers[name].follow_each(is_each=is_each)
        self._runner.wake()

    def poll_eagerly(self, channels: Sequence[str]) -> None:
        """See each tick of *channels* as soon as it happens, as a window waits for it."""
        for name in channels:
            self._trackers[name].poll_eagerly()
        self._runner.wake()

    def poll_normally(self, channels: Sequence[str]) -> None:
        for name in channels:
            self._trackers[name].poll_normally()

    def leave_until(self, channels: Sequence[str], time_s: float) -> None:
        """Read *channels* no more until *time_s*, where that is not needed to know their ticks."""
        self._left_until_s = time_s
        for name in channels:
            self._trackers[name].leave_until(time_s)
        self._runner.wake()

    def step(self) -> float:
        """Do what is due, if anything is.

        Returns:
            When something is due again; never, once the sampling has ended.
        """
        if self.failure is not None:
            return math.inf
        try:
            self._do_one()
        except BaseException as error:  # noqa: BLE001  # also SystemExit, of which a thread dies without a word
            self.failure = error
            return math.inf
        trackers = self._trackers.values()
        looks_s = [tracker.due_s for tracker in trackers if tracker.is_looking]
        if looks_s:  # nobody else reads before
            return min(looks_s)
        dues_s = [tracker.due_s for tracker in trackers]
        return min((*dues_s, *(chore.due_s for chore in self._chores)), default=math.inf)

    def _do_one(self) -> None:
        now_s = self._clock.now_s()
        for tracker in self._trackers.values():
            tracker.update_plan(now_s)
        next_name = min(self._trackers, key=self._turn, default=None)
        due_s = math.inf if next_name is None else self._trackers[next_name].due_s
        if next_name is not None and due_s <= now_s:
            self._read(next_name)
            return
        room_s = due_s - now_s
        for chore in self._chores:
            if chore.due_s <= now_s:
                if now_s < self._left_until_s and not chore.is_regular:
                    chore.due_s = self._left_until_s
                    continue
                if room_s < _CHORE_ROOM_S:
                    chore.due_s = now_s + _CHORE_ROOM_S
                    continue
                chore.action()
                chore.plan(self._clock.now_s())
                return

    def _turn(self, name: str) -> tuple[bool, float]:
        """Place of a channel in the order of turns: the reads of a close look follow one another."""
        tracker = self._trackers[name]
        return not tracker.is_looking, tracker.due_s

    def _read(self, name: str) -> None:
        tracker = self._trackers[name]
        try:
            read = self.read(name)
        except SensorError as error:
            self._keep_fault(name, error)
            tracker.skip_to(self._clock.now_s() + _RETRY_S)
            return
        tick = tracker.see(read)
        if tick is not None:
            self._seen.keep_tick(name, tick)

    def _touch(self, channels: Sequence[str]) -> None:
        for name in channels:
            try:
                self.read(name)
            except SensorError as error:
                self._keep_fault(name, error)

    def _keep_fault(self, channel: str, error: SensorError) -> None:
        self._seen.keep_fault(channel, self._clock.now_s(), str(error))
