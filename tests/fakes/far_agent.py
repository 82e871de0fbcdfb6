"""An agent on a machine whose clock is another one, at the end of a path whose delays a test chooses."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from pytest_energy.meter.ticks import SeenTick
from pytest_energy.model import Channel, Domain, Machine, Provenance, Reading
from pytest_energy.remote.meter import RemoteMeter, remote_meter
from pytest_energy.remote.protocol import (
    FIRST_TICKS,
    AgentDescription,
    AgentLost,
    ChannelTicks,
    Cursor,
    DeviceReport,
    Fault,
    HostReport,
    Poll,
    Who,
)
from tests.fakes.meter import Device, VirtualClock

Delay = Callable[[], float]
"""Seconds that a message is under way."""

CHANNEL = Channel(name="gpu:0", domain=Domain.GPU, device="gpu-far", is_ticked=True, resolution_j=1e-3)
ME = Who(run_id="mine", host="here", user="ada", pid=1)


def still(delay_s: float) -> Delay:
    return lambda: delay_s


class FarAgent:
    """An agent that has seen each tick of one counter between two reads.

    Args:
        clock: The test's: the time that both machines share, and neither of them reads.
        device: Whose joules it counts.
        rng: Chance.
        there: Delay of a poll on its way.
        back: Delay of its answer.
        zero_s: What the agent's clock shows at the test's 0.
        drift: Seconds per second by which it gains.
        tick_s: Of the counter.

    Attributes:
        is_lost: Nothing answers.
        ahead_s: By how much its clock has been stepped.
    """

    def __init__(
        self,
        clock: VirtualClock,
        device: Device,
        *,
        rng: random.Random,
        there: Delay,
        back: Delay,
        zero_s: float = 1e6,
        drift: float = 0.0,
        tick_s: float = 0.1,
    ) -> None:
        self._clock, self._device, self._rng = clock, device, rng
        self.there, self.back = there, back
        self._zero_s, self._drift, self._tick_s = zero_s, drift, tick_s
        self._next_s = clock.now_s() - 8.0 + rng.random() * tick_s
        self.ticks: list[SeenTick] = []
        self.first_number = 0
        self.is_lost = self.is_silent = False
        self.ahead_s = 0.0
        self.agent_id, self.channels = "first", (CHANNEL,)
        self.faults: list[Fault] = []
        self.devices: Mapping[str, DeviceReport] = {}
        self.dead_because: str | None = None
        self.others: tuple[Who, ...] = ()
        self.released: list[Who] = []
        self.is_closed = False

    def time_s(self, true_s: float) -> float:
        """What its clock shows."""
        return self._zero_s + self.ahead_s + true_s * (1 + self._drift)

    def description(self) -> AgentDescription:
        self._travel(self.there)
        self._travel(self.back)
        return AgentDescription(
            agent_id=self.agent_id,
            host="far",
            version="1",
            provenance=Provenance.MEASURED,
            channels=self.channels,
            statuses=(),
            machine=Machine(key="far_nvml", fixed={"gpu": "H100"}, varying={"git_commit": "theirs"}),
        )

    def start_again(self, **changes: object) -> None:
        """Be another agent on the same machine: ticks are numbered anew."""
        self.agent_id = "second"
        self.first_number, self.ticks = 0, []
        for name, value in changes.items():
            setattr(self, name, value)

    def forget_ticks(self, count: int) -> None:
        """Have ticked so often, and know of none of them."""
        self._see_until(self._clock.now_s())
        self.first_number += len(self.ticks) + count
        self.ticks = []

    def _travel(self, delay: Delay) -> None:
        if self.is_lost:
            self._clock.hold(1e-3)
            raise AgentLost("http://far:9000: connection refused")
        self._clock.hold(delay())

    def poll(self, cursor: Cursor, who: Who) -> Poll:
        assert who == ME
        self._travel(self.there)
        now_s = self._clock.now_s()
        asked_s = self.time_s(now_s)
        self._see_until(now_s)
        newest = self.first_number + len(self.ticks)
        number = cursor.ticks.get("gpu:0", max(0, newest - FIRST_TICKS))
        lost_count = max(0, self.first_number - number)
        since = 0 if cursor.next_fault is None else cursor.next_fault
        faults = self.faults[since:] if cursor.next_fault is not None else []
        answered_s = self.time_s(now_s + 3e-4)
        self._clock.hold(3e-4)
        self._travel(self.back)
        heard = ChannelTicks(
            ticks=tuple(self.ticks[max(0, number - self.first_number) :]),
            lost_count=lost_count,
            tick_s=None if self.is_silent else self._tick_s,
            is_silent=self.is_silent,
            read_s=asked_s - 1e-3,
        )
        return Poll(
            agent_id=self.agent_id,
            asked_s=asked_s,
            time_s=answered_s,
            cursor=Cursor(ticks={"gpu:0": newest}, next_fault=len(self.faults)),
            channels={"gpu:0": heard},
            faults=tuple(faults),
            devices={name: replace(one, time_s=asked_s) for name, one in self.devices.items()},
            host=HostReport(cpu_busy_s=now_s, cpu_total_s=4 * now_s),
            dead_because=self.dead_because,
            others=self.others,
        )

    def _see_until(self, true_s: float) -> None:
        while self._next_s < true_s - 4e-3:
            gap_s, share = self._rng.uniform(1e-3, 4e-3), self._rng.random()
            after_s, before_s = self._next_s - share * gap_s, self._next_s + (1 - share) * gap_s
            if not self.is_silent:
                self.ticks.append(
                    SeenTick(
                        time_s=self.time_s((after_s + before_s) / 2),
                        joules=self._device.joules_at(self._next_s),
                        spread_s=gap_s / 12**0.5,
                        after_s=self.time_s(after_s),
                        before_s=self.time_s(before_s),
                    )
                )
            self._next_s += self._tick_s * self._rng.uniform(0.99, 1.01)

    def release(self, who: Who) -> None:
        self.released.append(who)

    def close(self) -> None:
        self.is_closed = True


class FarBench:
    """A meter here over an agent there, everything on one virtual clock.

    Args:
        there, back: Delays of a poll and of its answer.
        longest_s: No poll takes longer.
        seed: For all chance.
        quiet_w: What the device draws when nothing works.
        **agent: Passed on to the `FarAgent`.
    """

    def __init__(
        self,
        there: Delay,
        back: Delay | None = None,
        *,
        longest_s: float = 0.005,
        seed: int = 1,
        quiet_w: float = 120.0,
        **agent: float,
    ) -> None:
        self.rng = random.Random(seed)  # noqa: S311  # a seeded simulation
        self.clock = VirtualClock(longest_call_s=longest_s)
        self.device = Device(self.clock, quiet_w)
        self.agent = FarAgent(
            self.clock, self.device, rng=self.rng, there=there, back=there if back is None else back, **agent
        )
        self.remote = self.again()
        self.meter = self.remote.meter

    def again(self) -> RemoteMeter:
        """Another meter over the same agent."""
        return remote_meter(
            self.agent, name="http://far:9000", who=ME, clock=self.clock, runner=self.clock, rng=self.rng
        )

    def measure(self, *steps: tuple[float, float]) -> Reading:
        """One window around work of these (seconds, watts)."""
        window = self.meter.open("test")
        self.device.work(steps)
        return window.close()

    def truth_j(self, reading: Reading) -> float:
        assert reading.trace is not None, reading.void_because
        return self.device.joules_between(reading.trace.start_s, reading.trace.stop_s)
