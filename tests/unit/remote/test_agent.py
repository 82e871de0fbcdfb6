"""The agent's core, over simulated counters on a virtual clock."""

import gc
import tracemalloc

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.model import Channel
from pytest_energy.remote.agent import Agent
from pytest_energy.remote.protocol import FIRST_TICKS, FORGET_S, MOST_TICKS, Cursor, Poll
from pytest_energy.sensors.cpu_times import CpuTimes
from tests.fakes.agent import AgentBench, description, who
from tests.fakes.meter import NvmlBench


@pytest.fixture
def bench() -> AgentBench:
    return AgentBench()


def joules(poll: Poll, channel: str) -> list[float]:
    return [tick.joules for tick in poll.channels[channel].ticks]


def test_every_channel_has_ticks(bench: AgentBench) -> None:
    """A counter that ticks is followed, one that doesn't is read fifty times a second."""
    bench.clock.sleep_s(3.0)
    first = bench.poll()
    bench.clock.sleep_s(10.0)
    poll = bench.poll(first.cursor)
    assert len(poll.channels["gpu:0"].ticks) == pytest.approx(100, abs=2)
    assert poll.channels["gpu:0"].tick_s == pytest.approx(0.1, rel=0.01)
    assert len(poll.channels["cpu:package-0"].ticks) == pytest.approx(500, abs=6)
    assert poll.channels["cpu:package-0"].tick_s == 0.02


def test_the_joules_of_the_ticks_are_those_of_the_device(bench: AgentBench) -> None:
    """A poll's ticks hold the truth, at the times that they say."""
    bench.clock.sleep_s(3.0)
    first = bench.poll()
    bench.device.work([(2.0, 700.0)])
    for name, channel in bench.poll(first.cursor).channels.items():
        ticks = channel.ticks
        truth_j = bench.device.joules_between(ticks[0].time_s, ticks[-1].time_s)
        assert ticks[-1].joules - ticks[0].joules == pytest.approx(truth_j, rel=0.01), name


def test_a_reader_gets_each_tick_once_and_none_is_missing(bench: AgentBench) -> None:
    """Polls one after another give what one long poll gives."""
    bench.clock.sleep_s(3.0)
    start = bench.poll()
    cursor = start.cursor
    pieces: list[float] = []
    for pause_s in (0.05, 0.4, 0.0, 1.3):
        bench.clock.sleep_s(pause_s)
        poll = bench.poll(cursor)
        cursor, pieces = poll.cursor, pieces + joules(poll, "cpu:package-0")
    assert pieces == joules(bench.poll(start.cursor), "cpu:package-0")


def test_a_reader_without_a_cursor_gets_the_newest(bench: AgentBench) -> None:
    """The first poll has enough ticks to know the beat, and none of them counts as lost."""
    bench.clock.sleep_s(20.0)
    channel = bench.poll().channels["cpu:package-0"]
    assert len(channel.ticks) == FIRST_TICKS
    assert channel.ticks[-1].time_s > bench.clock.now_s() - 0.05
    assert channel.lost_count == 0


def test_a_reader_that_comes_too_late_learns_what_it_lost(bench: AgentBench) -> None:
    """Lost ticks are counted: those before the first that is kept."""
    bench.clock.sleep_s(3.0)
    first = bench.poll()
    bench.clock.sleep_s(200.0)
    poll = bench.poll(first.cursor)
    channel = poll.channels["cpu:package-0"]
    assert channel.lost_count == pytest.approx(200 * 50 - 4096, abs=100)
    assert len(channel.ticks) == MOST_TICKS
    assert poll.channels["gpu:0"].lost_count == 0


def test_one_answer_is_bounded_and_the_next_has_the_rest(bench: AgentBench) -> None:
    """A reader that was away catches up, poll after poll."""
    bench.clock.sleep_s(3.0)
    cursor = bench.poll().cursor
    counts: list[int] = []
    bench.clock.sleep_s(50.0)
    while not counts or counts[-1] == MOST_TICKS:
        poll = bench.poll(cursor)
        cursor = poll.cursor
        counts.append(len(poll.channels["cpu:package-0"].ticks))
    assert sum(counts) == pytest.approx(2500, abs=30)
    assert len(counts) == 3


def test_a_cursor_of_another_agent_is_taken_as_the_end(bench: AgentBench) -> None:
    """A number that is still to come gives nothing, and the next poll goes on from there."""
    bench.clock.sleep_s(3.0)
    poll = bench.poll(Cursor(ticks={"gpu:0": 10**9}, next_fault=10**9, next_snapshot=10**9))
    assert poll.channels["gpu:0"].ticks == ()
    bench.clock.sleep_s(1.0)
    assert len(bench.poll(poll.cursor).channels["gpu:0"].ticks) == pytest.approx(10, abs=1)


def test_a_fault_is_told_once_with_its_time(bench: AgentBench) -> None:
    """A failed read is a fault of its channel; the others go on."""
    bench.clock.sleep_s(3.0)
    first = bench.poll()
    bench.gpu.fault = SensorError("gpu:0: it fell off the bus")
    bench.clock.sleep_s(0.4)
    bench.gpu.fault = None
    bench.clock.sleep_s(2.0)
    poll = bench.poll(first.cursor)
    assert [(fault.channel, fault.because) for fault in poll.faults] == [
        ("gpu:0", "gpu:0: it fell off the bus")
    ]
    assert first.time_s < poll.faults[0].time_s < first.time_s + 0.4
    assert bench.poll(poll.cursor).faults == ()
    assert len(poll.channels["cpu:package-0"].ticks) == pytest.approx(120, abs=4)


def test_a_sampler_that_died_is_a_fault_for_all_and_starts_again(bench: AgentBench) -> None:
    """Who polls then is told why; then there are ticks again, and the fault remains for slower readers."""
    bench.clock.sleep_s(3.0)
    slow = bench.poll(run_id="slow")
    bench.gpu.fault = RuntimeError("a library is broken")
    bench.clock.sleep_s(0.5)
    bench.gpu.fault = None
    dead = bench.poll(slow.cursor)
    assert dead.dead_because == "the sampler thread died of RuntimeError: a library is broken"
    bench.clock.sleep_s(1.0)
    alive = bench.poll(dead.cursor)
    assert alive.dead_because is None
    assert len(alive.channels["cpu:package-0"].ticks) == pytest.approx(50, abs=3)
    (fault,) = bench.poll(slow.cursor, "slow").faults
    assert fault.channel is None
    assert "a library is broken" in fault.because


def test_a_sampler_that_keeps_dying_is_not_started_all_the_time(bench: AgentBench) -> None:
    """It is one fault for each start, and a start every five seconds at most."""
    bench.clock.sleep_s(3.0)
    first = bench.poll()
    bench.gpu.fault = RuntimeError("a library is broken")
    for _ in range(100):
        bench.clock.sleep_s(0.1)
        bench.poll()
    assert 2 <= len(bench.poll(first.cursor).faults) <= 4


def test_a_read_that_does_not_return_is_told(bench: AgentBench) -> None:
    """Nothing is started again: the thread is in the call."""
    bench.clock.sleep_s(3.0)
    bench.clock.stop()
    bench.clock.sleep_s(12.0)
    because = bench.poll().dead_because
    assert because is not None
    assert because.startswith("a read of a counter has not returned for 1")


def test_runs_know_of_one_another(bench: AgentBench) -> None:
    """A run is known from its first poll until it lets go, or hasn't polled for long."""
    assert bench.poll(run_id="one").others == ()
    assert [other.run_id for other in bench.poll(run_id="two").others] == ["one"]
    assert [other.run_id for other in bench.poll(run_id="one").others] == ["two"]
    bench.agent.release(who("two"))
    assert bench.poll(run_id="one").others == ()
    bench.poll(run_id="three")
    bench.clock.sleep_s(FORGET_S + 1)
    assert bench.poll(run_id="one").others == ()


def test_runs_without_end_take_no_memory_without_end(bench: AgentBench) -> None:
    """Of very many runs the last 64 are remembered."""
    for number in range(1000):
        bench.poll(run_id=str(number))
    assert [run.run_id for run in bench.agent.runs()] == [str(number) for number in range(936, 1000)]


def test_processor_times_and_times_of_the_answer_are_the_agents(bench: AgentBench) -> None:
    """The answer lies between the two times that it names."""
    poll = bench.poll()
    assert poll.asked_s == poll.time_s == bench.clock.now_s()
    assert (poll.host.cpu_busy_s, poll.host.cpu_total_s) == (bench.clock.now_s(), 2 * bench.clock.now_s())
    assert poll.host.suspended_s == 0.0


def test_a_counter_that_is_not_read_any_more_has_no_joules(bench: AgentBench) -> None:
    """What was read long ago is not exported as if it were now."""
    bench.clock.sleep_s(3.0)
    assert bench.agent.joules().keys() == {"gpu:0", "cpu:package-0"}
    bench.gpu.fault = SensorError("gpu:0: it fell off the bus")
    bench.clock.sleep_s(20.0)
    assert bench.agent.joules().keys() == {"cpu:package-0"}


def test_channels_say_that_they_tick() -> None:
    """A description's channels are as windows use them."""
    bench = AgentBench()
    channels: tuple[Channel, ...] = bench.agent.description().channels
    assert [(channel.name, channel.is_ticked) for channel in channels] == [
        ("gpu:0", True),
        ("cpu:package-0", True),
    ]


class DeviceBench:
    """An agent over a simulated GPU behind NVML."""

    def __init__(self) -> None:
        self.nvml = NvmlBench()
        self.clock = self.nvml.clock
        self.nvml.meter.close()
        sensor = self.nvml.sensor
        self.agent = Agent(
            [sensor],
            description(sensor),
            clock=self.clock,
            runner=self.clock,
            cpu_times=lambda: CpuTimes(0.0, 0.0, 0.0, 0.0),
        )


def test_devices_are_looked_at_while_a_run_measures_and_no_longer() -> None:
    """About four snapshots a second, at random times, from the first poll on, until the run is forgotten."""
    bench = DeviceBench()
    bench.clock.sleep_s(5.0)
    first = bench.agent.poll(Cursor(), who())
    assert first.snapshots == ()
    bench.clock.sleep_s(5.0)
    second = bench.agent.poll(first.cursor, who())
    assert len(second.snapshots) == pytest.approx(20, abs=5)
    assert {snapshot.channel for snapshot in second.snapshots} == {"gpu:0"}
    bench.clock.sleep_s(FORGET_S)
    waiting = bench.agent.poll(second.cursor, who())
    bench.agent.release(who())
    bench.clock.sleep_s(20.0)
    assert bench.agent.poll(waiting.cursor, who("two")).snapshots == ()


def test_a_state_is_read_anew_for_who_asks_for_it() -> None:
    """A state is at least as new as it was asked for, and shared until then."""
    bench = DeviceBench()
    bench.clock.sleep_s(1.0)
    assert bench.agent.poll(Cursor(), who()).devices == {}
    now_s = bench.clock.now_s()
    report = bench.agent.poll(Cursor(state_since_s=now_s), who()).devices["gpu:0"]
    assert report.time_s >= now_s
    assert report.settings["power limit"] == "700 W"
    bench.clock.sleep_s(1.0)
    assert bench.agent.poll(Cursor(state_since_s=now_s), who("two")).devices["gpu:0"] == report
    later = bench.agent.poll(Cursor(state_since_s=bench.clock.now_s()), who()).devices["gpu:0"]
    assert later.time_s >= now_s + 1.0


class TestProcessesOnADevice:
    """Which processes computed is asked by several runs, and each must know it of its own window."""

    @staticmethod
    def bench(*samples: tuple[int, int, int]) -> DeviceBench:
        bench = DeviceBench()
        bench.nvml.gpu.processes, bench.nvml.gpu.samples = (77, 78), samples
        bench.clock.sleep_s(1.0)
        return bench

    @staticmethod
    def processes(bench: DeviceBench, run_id: str) -> dict[int, float | None]:
        cursor = Cursor(state_since_s=bench.clock.now_s())
        report = bench.agent.poll(cursor, who(run_id)).devices["gpu:0"]
        return {process.pid: process.computed_s for process in report.processes if process.is_reported}

    def test_it_is_known_when_a_process_computed(self) -> None:
        """It is the time of the look that found it, and stays so for who asks later."""
        bench = self.bench((5, 77, 90))
        now_s = bench.clock.now_s()
        assert self.processes(bench, "one") == {77: now_s, 78: None}
        bench.clock.sleep_s(1.0)
        assert self.processes(bench, "two") == {77: now_s, 78: None}

    def test_it_is_known_anew_when_it_computes_again(self) -> None:
        """The last look that found it counts."""
        bench = self.bench((5, 77, 90))
        self.processes(bench, "one")
        bench.clock.sleep_s(1.0)
        bench.nvml.gpu.samples += ((9, 78, 10),)
        assert self.processes(bench, "two")[78] == bench.clock.now_s()


@pytest.mark.parametrize("poll_count", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_memory_is_the_same_after_very_many_reads_and_polls(bench: AgentBench, poll_count: int) -> None:
    """Rings are full after a minute or some; from then on nothing is added."""
    bench.clock.sleep_s(100.0)
    cursor = bench.poll().cursor
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(poll_count):
            bench.clock.sleep_s(1.0)
            cursor = bench.poll(cursor, run_id=str(number)).cursor
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert bench.cpu.read_count > 49 * (100 + poll_count)
    assert after - before < 50_000
