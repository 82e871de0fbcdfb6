"""The sampler, driven by a clock that the test advances."""

import math
import threading
from itertools import pairwise

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.meter.sampler import TOUCH_S, Sampler, ThreadRunner
from tests.fakes.meter import Bench, SimulatedCounter


def sampler_over(bench: Bench, *sensors: SimulatedCounter) -> Sampler:
    sampler = Sampler(sensors or bench.counters, bench.clock, bench.clock)
    sampler.start()
    return sampler


def test_each_channel_is_followed_with_its_own_phase() -> None:
    """Several channels tick at their own moments, and each is followed with a read for each tick seen."""
    bench = Bench(0.1, 0.1, 0.1, 0.1, call_s=(0.002, 0.004))
    sampler = sampler_over(bench)
    bench.clock.sleep_s(30.0)  # until each beat is known well
    before = [counter.read_count for counter in bench.counters]
    start_s = bench.clock.now_s()
    bench.clock.sleep_s(20.0)
    for counter, count in zip(bench.counters, before, strict=True):
        tick_count = sampler.count_after(counter.channels[0].name, start_s)
        assert tick_count >= 20
        assert (counter.read_count - count) / tick_count <= 1.4


@pytest.mark.parametrize("count", [1, 4, 8])
def test_counters_share_one_processor_time(count: int) -> None:
    """With calls of 3 ms that all take processor time, 1 to 3 % of a core, however many GPUs there are."""
    bench = Bench(*[0.1] * count, call_s=(0.0027, 0.0033))
    sampler_over(bench)
    bench.clock.sleep_s(20.0)
    before = sum(counter.read_count for counter in bench.counters)
    bench.clock.sleep_s(60.0)
    read_count = sum(counter.read_count for counter in bench.counters) - before
    assert read_count >= 100
    assert 0.003 * read_count / 60.0 < 0.03


def test_slow_reads_of_many_channels_find_each_beat() -> None:
    """Eight counters with calls of 6 ms are looked at one after the other: each tick is known to 4 ms."""
    bench = Bench(*[0.1] * 8, call_s=(0.005, 0.007))
    sampler = sampler_over(bench)
    bench.clock.sleep_s(30.0)
    start_s = bench.clock.now_s()
    names = [counter.channels[0].name for counter in bench.counters]
    sampler.poll_eagerly(names)
    bench.clock.sleep_s(2.0)
    for name in names:
        ticks = [tick for tick in sampler.ticks(name) if tick.after_s > start_s]
        assert len(ticks) >= 15
        assert all(tick.spread_s < 4e-3 for tick in ticks)
        assert sampler.tick_s(name) == pytest.approx(0.1, rel=1e-3)


def test_a_counter_that_fails_keeps_no_other_waiting() -> None:
    """A fault in a close look, or in the search, ends its turn."""
    bench = Bench(0.1, 0.1, call_s=(0.002, 0.004))
    sampler = sampler_over(bench)
    names = [counter.channels[0].name for counter in bench.counters]
    bench.counters[0].fault = SensorError("gpu:0: gone")
    bench.clock.sleep_s(2.0)
    assert sampler.count_after(names[1], 0.0) >= 10
    bench.counters[0].fault = None
    while not sampler._trackers[names[0]].is_looking or sampler.tick_s(names[0]) is None:
        bench.clock.sleep_s(1e-3)
    start_s, bench.counters[0].fault = bench.clock.now_s(), SensorError("gpu:0: gone")
    bench.clock.sleep_s(5.0)
    assert sampler.count_after(names[1], start_s) >= 10


def test_the_wrap_of_an_edge_channel_is_looked_after() -> None:
    """A channel that doesn't tick is read at least every 20 s, so that its wraps can be counted."""
    bench = Bench()
    rapl = SimulatedCounter(
        bench.device, bench.clock, tick_s=0.0, call_s=(0.0, 0.0), name="cpu:package-0", is_ticked=False
    )
    sampler_over(bench, rapl)
    bench.clock.sleep_s(10 * TOUCH_S)
    assert rapl.read_count >= 9


def test_a_fault_is_kept_with_its_time() -> None:
    """A read that fails is remembered, and the counter is tried again."""
    bench = Bench()
    sampler = sampler_over(bench)
    bench.clock.sleep_s(3.0)
    failed_s = bench.clock.now_s()
    bench.counters[0].fault = SensorError("gpu:0: the bus is gone")
    bench.clock.sleep_s(2.0)
    bench.counters[0].fault = None
    bench.clock.sleep_s(2.0)
    assert sampler.fault_since("gpu:0", failed_s) == "gpu:0: the bus is gone"
    assert sampler.fault_since("gpu:0", bench.clock.now_s()) is None
    assert sampler.count_after("gpu:0", failed_s + 2.5) > 5


def test_another_exception_ends_the_sampling_until_it_is_started_again() -> None:
    """A mistake in a sensor is kept, and nothing more is read; a new start begins anew."""
    bench = Bench()
    sampler = sampler_over(bench)
    bench.counters[0].fault = ZeroDivisionError("a mistake")
    bench.clock.sleep_s(1.0)
    reads = bench.counters[0].read_count
    bench.clock.sleep_s(1.0)
    assert bench.counters[0].read_count == reads
    assert isinstance(sampler.failure, ZeroDivisionError)
    assert sampler.step() == math.inf
    sampler.stop()
    bench.counters[0].fault = None
    sampler.start()
    assert sampler.why_dead() is None
    bench.clock.sleep_s(1.0)
    assert bench.counters[0].read_count > reads


@pytest.mark.parametrize("joules", [math.nan, math.inf])
def test_a_read_that_is_no_number_is_a_fault(joules: float) -> None:
    """NaN from a sensor is a fault, not a value."""
    bench = Bench()

    class Broken(SimulatedCounter):
        def read_j(self, channel: str) -> float:
            super().read_j(channel)
            return joules

    sampler = sampler_over(bench, Broken(bench.device, bench.clock))
    with pytest.raises(SensorError, match="gave"):
        sampler.read("gpu:0")


@pytest.mark.parametrize(
    ("limit", "tick_count"), [(1 << 13, 10_000), pytest.param(1 << 16, 70_000, marks=pytest.mark.slow)]
)
def test_history_does_not_grow_without_end(
    monkeypatch: pytest.MonkeyPatch, limit: int, tick_count: int
) -> None:
    """Of a long history only each second tick is kept, and the newest all."""
    monkeypatch.setattr("pytest_energy.meter.seen._HISTORY_TICKS", limit)
    bench = Bench(0.02, call_s=(1e-5, 2e-5))
    sampler = sampler_over(bench)
    bench.clock.sleep_s(0.02 * tick_count)
    ticks = sampler.ticks("gpu:0")
    assert len(ticks) < limit
    assert ticks[-1].time_s - ticks[-1000].time_s == pytest.approx(0.02 * 999, rel=0.15)
    assert ticks[1000].time_s - ticks[0].time_s == pytest.approx(0.04 * 1000, rel=0.25)


def test_chores_are_done_between_ticks() -> None:
    """A chore is done about as often as asked, also beside a ticked counter."""
    bench = Bench()
    sampler = sampler_over(bench)
    done_s: list[float] = []
    sampler.add_chore(lambda: done_s.append(bench.clock.now_s()), 1.0)
    bench.clock.sleep_s(20.5)
    assert 15 <= len(done_s) <= 20


def test_an_irregular_chore_comes_at_random_times() -> None:
    """It comes about as often as asked, half a period to one and a half after the last time."""
    bench = Bench()
    sampler = sampler_over(bench)
    done_s: list[float] = []
    sampler.add_chore(lambda: done_s.append(bench.clock.now_s()), 1.0, is_regular=False)
    bench.clock.sleep_s(200.0)
    gaps_s = [after - before for before, after in pairwise(done_s)]
    assert len(gaps_s) == pytest.approx(200, abs=20)
    assert min(gaps_s) == pytest.approx(0.5, abs=0.1)
    assert max(gaps_s) == pytest.approx(1.5, abs=0.15)


def test_the_thread_runs_the_steps_and_stops() -> None:
    """The runner calls step until it is stopped, and a wake is enough to look again."""

    class Steps:
        def __init__(self) -> None:
            self.first, self.second = threading.Event(), threading.Event()

        def step(self) -> float:
            (self.second if self.first.is_set() else self.first).set()
            return math.inf

    bench, steps = Bench(), Steps()
    runner = ThreadRunner(bench.clock)
    runner.start(steps)
    assert steps.first.wait(10.0)
    runner.wake()
    assert steps.second.wait(10.0)
    runner.stop()
    assert all(thread.name != "pytest-energy-sampler" for thread in threading.enumerate())
