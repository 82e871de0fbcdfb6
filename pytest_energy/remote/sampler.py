"""The ticks of another machine, as its agent tells them, on the clock of this one.

Rule 1: what to do next is `RemoteSampler.step`, as in a `Sampler`: a thread calls it, or a test.
Rule 2: ticks are kept in the agent's time. They are mapped to this machine's clock when they are looked at,
        by all that is known of the offset then; what isn't known of it widens the time in which each tick
        surely happened.
Rule 3: an agent that can't be reached for a moment loses nothing: it keeps its ticks, and the next poll has
        them. While it can't be reached windows end void.
Rule 4: an agent that was started again, clocks that were stepped, and ticks that are lost are faults: the
        windows over them are void, and the next ones measure again.
Rule 5: nothing ever stands in for what an agent doesn't tell.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import overload

from pytest_energy.errors import SensorError, printable
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.sampler import Runner
from pytest_energy.meter.seen import SeenLately, count_after, fault_since
from pytest_energy.meter.ticks import Read, SeenTick
from pytest_energy.model import SAME_CLOCK, ClockError
from pytest_energy.remote.clock_offset import ClockOffset, Exchange
from pytest_energy.remote.protocol import (
    AgentDescription,
    AgentLost,
    AgentSource,
    ChannelTicks,
    Cursor,
    DeviceReport,
    Fault,
    HostReport,
    Poll,
    Snapshot,
    Who,
)
from pytest_energy.sensors.process_table import ProcessTable
from pytest_energy.units import to_text

POLL_S = 0.1
"""Between two polls: a tick of the usual counters."""

_EAGER_S = 0.01  # between two polls while a window waits
_RETRY_S = 0.2  # after a poll that failed
_LOST_COUNT = 2  # polls that failed one after another: one may be a connection that has just been dropped

SLOW_S = 3.0
"""A poll that takes longer counts as lost: fifteen times the round trip to the far side of the earth."""

FIRST_POLLS = 5
"""Polls at the start: the least of so many round trips is near the least of all."""

# The clocks of the machines slept apart if they did for longer than clocks are read to.
_SUSPENDED_S = 0.01

# Offsets that are known worse than this are worth a note: a tenth of a tick of the usual counters.
_NOTED_S = 0.01

_MOST_OTHERS = 16  # other runs that are named in a note

# After a longer stop what was quiet before is quiet no more.
_LONG_STOP_S = 1.0


@dataclass(frozen=True, slots=True)
class MappedTicks(Sequence[SeenTick]):
    """Ticks in the agent's time, each mapped to this machine's clock when it is looked at."""

    ticks: Sequence[SeenTick]
    offset: ClockOffset

    def __len__(self) -> int:
        return len(self.ticks)

    @overload
    def __getitem__(self, place: int) -> SeenTick: ...
    @overload
    def __getitem__(self, place: slice) -> list[SeenTick]: ...
    def __getitem__(self, place: int | slice) -> SeenTick | list[SeenTick]:
        if isinstance(place, slice):
            return [self._mapped(tick) for tick in self.ticks[place]]
        return self._mapped(self.ticks[place])

    def __iter__(self) -> Iterator[SeenTick]:
        return map(self._mapped, self.ticks)

    def _mapped(self, tick: SeenTick) -> SeenTick:
        offset = self.offset.at(tick.time_s)
        return SeenTick(
            time_s=tick.time_s + offset.middle_s,
            joules=tick.joules,
            spread_s=tick.spread_s,  # its own; the offset's is that of all ticks together
            after_s=tick.after_s + offset.middle_s - offset.reach_s,
            before_s=tick.before_s + offset.middle_s + offset.reach_s,
        )


class _Chore:
    def __init__(self, action: Callable[[], None], period_s: float, now_s: float) -> None:
        self.action, self.period_s, self.due_s = action, period_s, now_s + period_s


class RemoteSampler:
    """Follows the counters of an agent; see `meter.tick_source.TickSource`.

    Args:
        source: The agent.
        description: As the agent gave it.
        name: Of the agent, in messages: its address.
        who: This run, as the agent shows it to others.
        clock: Of this machine.
        runner: What calls `step`.
    """

    lag_s = SLOW_S

    def __init__(
        self,
        source: AgentSource,
        description: AgentDescription,
        *,
        name: str,
        who: Who,
        clock: Clock,
        runner: Runner,
    ) -> None:
        self._source, self._description, self._who = source, description, who
        self._address, self._name = name, f"the agent at {printable(name)}"
        self._clock, self._runner = clock, runner
        self._polling = Lock()
        self.offset = ClockOffset()
        self._names = tuple(channel.name for channel in description.channels)
        self._cursor = Cursor()
        self._seen = SeenLately()
        self._channels: Mapping[str, ChannelTicks] = {}
        self._others: dict[str, float] = {}  # other runs at the agent, and when they were seen last
        self._snapshots: dict[str, Snapshot] = {}
        self.devices: Mapping[str, DeviceReport] = {}
        """The newest state of each device, by channel."""
        self.host: HostReport | None = None
        """How busy the machine was at the newest poll."""
        self._chores: list[_Chore] = []
        self._eager_count = 0
        self._due_s = clock.now_s()
        self._sent_s: float | None = None  # of the poll that is under way
        self._failed_count = 0
        self._lost_because = ""
        self._agent_dead_because: str | None = None
        self._changed_because: str | None = None
        self._stopped_s = clock.now_s()
        self._pid: int | None = None
        self.failure: BaseException | None = None

    # Its life

    @property
    def is_running(self) -> bool:
        return self._pid is not None

    @property
    def is_stale(self) -> bool:
        """Whether the agent measures something else now than its description says."""
        return self._changed_because is not None

    def start(self) -> bool:
        self.failure, self._pid = None, ProcessTable.own_pid()
        is_long = self._clock.now_s() - self._stopped_s > _LONG_STOP_S
        if is_long:
            self._begin_anew()
        try:
            for _ in range(FIRST_POLLS):
                self.poll()
            self._runner.start(self)
        except Exception as error:  # noqa: BLE001  # as in a step
            self.failure = error
        return is_long

    def stop(self) -> None:
        is_ours = self._pid == ProcessTable.own_pid()
        if not is_ours:  # a forked child's: who held the lock isn't here to let it go
            self._polling = Lock()
        try:
            self._runner.stop()
        except RuntimeError as error:
            self.failure = error
        self._pid, self._stopped_s = None, self._clock.now_s()
        if is_ours:  # the connection is the parent's
            self._source.release(self._who)

    def why_dead(self) -> str | None:
        if self.failure is not None:
            return f"{self._name} is no longer asked: {type(self.failure).__name__}: {self.failure}"
        if self._pid not in {None, ProcessTable.own_pid()}:
            return (
                f"process {ProcessTable.own_pid()} was forked from {self._pid} in the middle of a test: "
                "it has no thread that asks the agent"
            )
        if self._agent_dead_because is not None:
            return f"{self._name}: {printable(self._agent_dead_because)}"
        return self._changed_because or self._why_unheard()

    def _why_unheard(self) -> str | None:
        if self._failed_count >= _LOST_COUNT:
            return f"{self._name} was lost: {self._lost_because}"
        sent_s = self._sent_s
        if sent_s is not None and self._clock.now_s() - sent_s > SLOW_S:
            return f"{self._name} was lost: no answer for {SLOW_S:g} s"
        return None

    def add_chore(self, action: Callable[[], None], period_s: float, *, is_regular: bool = True) -> None:
        del is_regular  # what comes from the agent was seen at the agent's times
        self._chores.append(_Chore(action, period_s, self._clock.now_s()))

    # What is known

    def tick_s(self, channel: str) -> float | None:
        heard = self._channels.get(channel)
        return None if heard is None or heard.is_silent else heard.tick_s

    def is_silent(self, channel: str) -> bool:
        heard = self._channels.get(channel)
        return heard is not None and heard.is_silent

    def is_read_since(self, channel: str, time_s: float) -> bool:
        heard = self._channels.get(channel)
        if heard is None or heard.read_s is None or not self.offset.is_known:
            return False
        offset = self.offset.at(heard.read_s)
        return heard.read_s + offset.middle_s - offset.reach_s > time_s

    def ticks(self, channel: str) -> Sequence[SeenTick]:
        return MappedTicks(self._seen.ticks(channel), self.offset)

    def mark(self) -> None:
        self._seen.mark()

    def count_after(self, channel: str, time_s: float) -> int:
        return count_after(self.ticks(channel), time_s)

    def fault_since(self, channel: str, since_s: float) -> str | None:
        return fault_since(self._seen.faults(channel), since_s)

    def read(self, channel: str) -> Read:
        raise SensorError(f"{channel}: {self._name} sends ticks only")

    def follow_each(self, channels: Sequence[str], *, is_each: bool) -> None:
        """An agent follows each tick."""

    def poll_eagerly(self, channels: Sequence[str]) -> None:
        del channels
        self._eager_count += 1
        self._due_s = min(self._due_s, self._clock.now_s())
        self._runner.wake()

    def poll_normally(self, channels: Sequence[str]) -> None:
        del channels
        self._eager_count -= 1

    def leave_until(self, channels: Sequence[str], time_s: float) -> None:
        """An agent follows each tick."""

    def clock_error(self, start_s: float, stop_s: float) -> ClockError:
        return self.offset.error(start_s, stop_s) if self.offset.is_known else SAME_CLOCK

    def notes_since(self, since_s: float) -> tuple[str, ...]:
        others = sorted(text for text, seen_s in tuple(self._others.items()) if seen_s >= since_s)
        notes = [f"{self._name} was also read by {other}" for other in others]
        if self.offset.is_known and (reach_s := self.offset.at_local(self._clock.now_s()).reach_s) > _NOTED_S:
            notes.append(
                f"the clock of {self._name} is known to +- {to_text(reach_s, 's', digits=2)}, half the time "
                "that a poll is under way; the uncertainty includes it"
            )
        return tuple(notes)

    def snapshot(self, channel: str) -> Snapshot | None:
        """The newest look at the device of *channel*, each only once."""
        return self._snapshots.pop(channel, None)

    # Polls

    def step(self) -> float:
        if self.failure is not None:
            return math.inf
        try:
            if self._due_s <= self._clock.now_s():
                self.poll()
            self._do_chores()
        except BaseException as error:  # noqa: BLE001  # as in a `Sampler`
            self.failure = error
            return math.inf
        return min((self._due_s, *(chore.due_s for chore in self._chores)))

    def _do_chores(self) -> None:
        for chore in self._chores:
            if chore.due_s <= self._clock.now_s():
                chore.action()
                chore.due_s = self._clock.now_s() + chore.period_s

    def poll(self, *, state_since_s: float | None = None) -> None:
        """Ask the agent once, from any thread.

        Args:
            state_since_s: States of devices must be younger than this moment of this machine's clock.
        """
        with self._polling:
            try:
                self._ask(replace(self._cursor, state_since_s=self._to_agent_s(state_since_s)))
            except AgentLost as error:
                self._failed_count += 1
                self._lost_because = str(error).removeprefix(f"{self._address}: ")
                self._due_s = self._clock.now_s() + _RETRY_S

    def _ask(self, cursor: Cursor) -> None:
        self._sent_s = sent_s = self._clock.now_s()
        try:
            poll = self._source.poll(cursor, self._who)
        finally:
            self._sent_s = None
        received_s = self._clock.now_s()
        self._take(
            poll,
            Exchange(sent_s=sent_s, asked_s=poll.asked_s, answered_s=poll.time_s, received_s=received_s),
        )
        self._failed_count = 0
        self._due_s = received_s + (_EAGER_S if self._eager_count else POLL_S)

    def _to_agent_s(self, local_s: float | None) -> float | None:
        """The agent's time at which *local_s* was surely over."""
        if local_s is None or not self.offset.is_known:
            return None
        offset = self.offset.at_local(local_s)
        return local_s - offset.middle_s + offset.reach_s

    def _take(self, poll: Poll, exchange: Exchange) -> None:
        now_s = exchange.received_s
        if poll.agent_id != self._description.agent_id:
            self._meet(self._source.description(), now_s)
            return
        because = self._why_stepped(poll, exchange)
        self._cursor, self._channels = poll.cursor, poll.channels
        self.host, self.devices, self._agent_dead_because = poll.host, poll.devices, poll.dead_because
        self._snapshots |= {snapshot.channel: snapshot for snapshot in poll.snapshots}
        if because is not None:
            self._fault(now_s, None, f"{self._name}: {because}, so its ticks can't be placed in time")
            self._seen.forget_ticks()
            self.offset.forget()
            self.offset.add(exchange)
            return
        for name in self._names:
            self._take_ticks(name, poll.channels.get(name), now_s)
        for fault in poll.faults:
            self._take_fault(fault)
        if poll.lost_fault_count:
            self._fault(now_s, None, f"{self._name} had more faults than it keeps")
        for other in poll.others:
            self._note_other(other, now_s)

    def _meet(self, description: AgentDescription, now_s: float) -> None:
        """Go on with an agent that was started again: what it numbers, and its clock, begin anew."""
        before, self._description = self._description, description
        self._fault(now_s, None, f"{self._name} was started again during the window")
        self._begin_anew()
        self.offset.forget()
        self.host = None
        if description.channels != before.channels:
            self._changed_because = f"{self._name} was started again, and measures other channels now"
        elif description.machine.fixed != before.machine.fixed:
            self._changed_because = f"{self._name} was started again, on a machine that differs"

    def _why_stepped(self, poll: Poll, exchange: Exchange) -> str | None:
        """Why earlier ticks can't be placed on this machine's clock, or `None`."""
        because = self.offset.add(exchange)
        before_s = None if self.host is None else self.host.suspended_s
        if before_s is not None and poll.host.suspended_s is not None:
            slept_s = poll.host.suspended_s - before_s
            if abs(slept_s) > _SUSPENDED_S:
                return f"its machine slept for {to_text(slept_s, 's', digits=2)}"
        return because

    def _take_ticks(self, name: str, heard: ChannelTicks | None, now_s: float) -> None:
        if heard is None:
            self._fault(now_s, name, f"{self._name} no longer reads {name}")
            return
        if heard.lost_count:
            because = f"{self._name} no longer had {heard.lost_count} ticks of {name} when it was asked"
            self._fault(now_s, name, because)
        for tick in heard.ticks:
            self._seen.keep_tick(name, tick)

    def _take_fault(self, fault: Fault) -> None:
        offset = self.offset.at(fault.time_s)
        self._fault(fault.time_s + offset.middle_s + offset.reach_s, fault.channel, fault.because)

    def _fault(self, time_s: float, channel: str | None, because: str) -> None:
        for name in self._names if channel is None else (channel,):
            self._seen.keep_fault(name, time_s, printable(because))

    def _note_other(self, other: Who, now_s: float) -> None:
        session = f" ({other.session})" if other.session else ""
        text = printable(f"{other.user} on {other.host}, process {other.pid}{session}")
        if len(self._others) < _MOST_OTHERS or text in self._others:
            self._others[text] = now_s

    def _begin_anew(self) -> None:
        self._cursor = Cursor()
        self._seen.forget_ticks()
