"""Windows over an agent whose clock is another one, on one virtual clock whose truth is known."""

import math
import random

import pytest

from pytest_energy.errors import NotMeasurable, SensorError
from pytest_energy.model import Provenance, Reading
from pytest_energy.remote.clock_offset import MOST_DRIFT
from pytest_energy.remote.protocol import DeviceProcess, DeviceReport, Fault, Who
from tests.fakes.far_agent import CHANNEL, ME, FarBench, still
from tests.fakes.meter import BURST

WORK = ((0.5, 600.0), (0.3, 300.0))


def near(seed: int = 1) -> FarBench:
    """An agent in the same rack."""
    rng = random.Random(seed)  # noqa: S311  # a seeded simulation
    bench = FarBench(lambda: rng.uniform(1e-4, 4e-4), seed=seed)
    bench.meter.start()
    return bench


def why_void(reading: Reading) -> str:
    assert reading.void_because is not None
    assert reading.energy_j is None
    return reading.void_because


def is_right(bench: FarBench, reading: Reading) -> bool:
    assert reading.void_because is None, reading.void_because
    assert reading.energy_j is not None
    return abs(reading.energy_j - bench.truth_j(reading)) <= 2 * reading.uncertainty_j


class Path:
    """A kind of network, with a seed."""

    def __init__(self, kind: str, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311  # a seeded simulation
        self.longest_s = 0.25
        if kind == "near":
            self.there = self.back = lambda: rng.uniform(1e-4, 4e-4)
            self.longest_s = 0.005
        elif kind == "200 ms":
            self.there = self.back = still(0.1)
        elif kind == "200 ms there":
            self.there, self.back = still(0.2), still(1e-4)
        elif kind == "200 ms back":
            self.there, self.back = still(1e-4), still(0.2)
        else:
            self.there = self.back = lambda: 0.1 + min(0.3, rng.expovariate(1 / 0.03))
            self.longest_s = 0.9

    def bench(self, seed: int) -> FarBench:
        rng = random.Random(seed)  # noqa: S311  # a seeded simulation
        drift = rng.uniform(-1, 1) * MOST_DRIFT / 2
        bench = FarBench(self.there, self.back, longest_s=self.longest_s, seed=seed, drift=drift)
        bench.meter.start()
        return bench


PATHS = ("near", "200 ms", "200 ms there", "200 ms back", "200 ms with jitter")


@pytest.mark.parametrize("kind", PATHS)
def test_joules_are_right_whatever_the_path(kind: str) -> None:
    """At least 95 % of the readings hold the truth within twice their uncertainty."""
    right_count = count = 0
    for seed in range(15):
        bench = Path(kind, seed).bench(seed)
        for seconds in (0.5, 2.0):
            right_count += is_right(bench, bench.measure((seconds, bench.rng.uniform(200.0, 700.0))))
            count += 1
    assert right_count >= 0.95 * count - 1  # one more may be chance, of thirty


@pytest.mark.parametrize("kind", PATHS)
def test_quiet_that_changes_with_the_work_is_in_the_uncertainty(kind: str) -> None:
    """Where power after the window is another one, a shift of the window costs joules, and is counted."""
    right_count = 0
    for seed in range(20):
        bench = Path(kind, seed).bench(seed)
        window = bench.meter.open("test")
        bench.device.quiet_w = 200.0
        bench.device.work(WORK)
        right_count += is_right(bench, window.close())
    assert right_count >= 19


@pytest.mark.parametrize("kind", PATHS)
def test_phases_are_right_whatever_the_path(kind: str) -> None:
    """The edges of a phase, in a server's steady state, are not quiet: power there is what a shift costs.

    A path that is slow one way only shifts each by as much as is possible at all, 1.7 standard uncertainties:
    nine in ten are within two of them then (94 % of 300).
    """
    right_count, count = 0, 40
    for seed in range(count):
        bench = Path(kind, seed).bench(seed)
        window = bench.meter.open("test")
        steps = [(0.05, bench.rng.uniform(300.0, 500.0)) for _ in range(40)]
        bench.device.work(steps[:12])
        start_s, phase = bench.clock.now_s(), window.phase("steady")
        bench.device.work(steps[12:30])
        stop_s = bench.clock.now_s()
        phase.close()
        bench.device.work(steps[30:])
        (steady,) = window.close().phases
        assert steady.energy_j is not None
        assert steady.uncertainty_j is not None
        off_j = steady.energy_j - bench.device.joules_between(start_s, stop_s)
        right_count += abs(off_j) <= 2 * steady.uncertainty_j
    share = 0.9 if kind in {"200 ms there", "200 ms back"} else 0.95
    assert right_count >= share * count - 2 * math.sqrt(share * (1 - share) * count)  # what chance takes


def test_near_by_the_clocks_cost_nothing() -> None:
    """In the same rack a reading is as certain as at the machine itself: to 0.2 %."""
    bench = near()
    reading = bench.measure((2.0, 600.0))
    assert is_right(bench, reading)
    assert reading.uncertainty_j < 0.002 * 1200.0
    assert reading.quality == ()


def test_a_slow_path_is_noted() -> None:
    """A clock that is known to a hundredth of a second at best is worth a note, with the figure."""
    bench = FarBench(still(0.1), longest_s=0.25)
    bench.meter.start()
    (note,) = bench.measure((1.0, 600.0)).quality
    assert note == (
        "the clock of the agent at http://far:9000 is known to +- 100 ms, half the time that a poll is under "
        "way; the uncertainty includes it"
    )


def test_what_the_meter_says_is_the_agents() -> None:
    """Channels, idle power and quiet power are those of the far machine."""
    bench = near()
    assert bench.meter.provenance is Provenance.MEASURED
    assert bench.meter.devices(None) == (CHANNEL.device,)
    assert bench.meter.idle_power_w() == pytest.approx({"gpu:0": 120.0}, rel=0.01)
    reading = bench.measure(*WORK)
    assert reading.quiet_power_w == pytest.approx({"gpu:0": 120.0}, rel=0.01)
    assert reading.device_use == {}
    assert reading.usage is not None
    assert reading.usage.cpu_utilisation_share == pytest.approx(0.25, rel=0.01)
    with pytest.raises(SensorError, match=r"^gpu:0: the agent at http://far:9000 sends ticks only$"):
        bench.remote.sampler.read("gpu:0")


def test_an_agent_without_a_channel_is_no_meter() -> None:
    """The reason names the agent."""
    bench = near()
    bench.agent.start_again(channels=())
    with pytest.raises(NotMeasurable, match="the agent at http://far:9000 has no sensor"):
        bench.again()


def test_a_short_loss_loses_nothing() -> None:
    """The agent keeps its ticks: one that was back before the window ended is measured as ever."""
    bench = near()
    window = bench.meter.open("test")
    bench.device.work(WORK)
    bench.agent.is_lost = True
    bench.clock.sleep_s(2.0)
    bench.agent.is_lost = False
    bench.device.work(WORK)
    assert is_right(bench, window.close())


def test_a_lost_agent_makes_its_window_void_and_no_other() -> None:
    """The reason has the agent's address once, and what happened; the next window measures again."""
    bench = near()
    window = bench.meter.open("test")
    bench.device.work(WORK)
    bench.agent.is_lost = True
    bench.device.work(WORK)
    assert why_void(window.close()) == "the agent at http://far:9000 was lost: connection refused"
    assert "was lost" in why_void(bench.measure(BURST))
    bench.agent.is_lost = False
    bench.clock.sleep_s(1.0)
    assert is_right(bench, bench.measure(BURST))


def test_an_agent_lost_from_the_start_is_void() -> None:
    """A meter that has found no tick takes no window, and says why."""
    bench = FarBench(still(1e-4))
    bench.agent.is_lost = True
    assert "was lost" in why_void(bench.measure(BURST))
    assert bench.meter.idle_power_w() is None


def test_an_agent_that_was_started_again_is_void() -> None:
    """Its numbers and its clock begin anew: nothing before is set beside anything after."""
    bench = near()
    window = bench.meter.open("test")
    bench.device.work(WORK)
    bench.agent.start_again(ahead_s=77.0)
    bench.device.work(WORK)
    assert why_void(window.close()) == ("the agent at http://far:9000 was started again during the window")
    assert is_right(bench, bench.measure(BURST))


def test_an_agent_that_measures_other_things_now_stays_void() -> None:
    """A meter is over the channels that it was made for; who asks is told to make another."""
    bench = near()
    bench.agent.start_again(channels=())
    bench.clock.sleep_s(0.5)
    assert "measures other channels now" in why_void(bench.measure(BURST))
    assert bench.remote.sampler.is_stale


@pytest.mark.parametrize("step_s", [3.0, -3.0])
def test_an_agents_clock_that_is_stepped_is_void(step_s: float) -> None:
    """Ticks before the step can't be placed any more. The next window has its own."""
    bench = near()
    window = bench.meter.open("test")
    bench.device.work(WORK)
    bench.agent.ahead_s = step_s
    bench.device.work(WORK)
    because = why_void(window.close())
    assert because.startswith("the agent at http://far:9000: the two clocks moved apart by at least 3 s")
    bench.clock.sleep_s(1.0)
    assert sum(is_right(bench, bench.measure(BURST)) for _ in range(10)) >= 8


def test_lost_ticks_are_void() -> None:
    """An agent that kept too few of them says how many are missing."""
    bench = near()
    window = bench.meter.open("test")
    bench.agent.is_lost = True
    bench.device.work(WORK)
    bench.agent.forget_ticks(400)
    bench.agent.is_lost = False
    bench.clock.sleep_s(0.5)
    assert "no longer had " in why_void(window.close())


def test_a_fault_there_is_a_fault_here() -> None:
    """A read that failed there in a window makes it void with the agent's reason; one before doesn't."""
    bench = near()
    bench.agent.faults.append(Fault(time_s=bench.agent.time_s(bench.clock.now_s()), because="early"))
    bench.clock.sleep_s(0.5)
    assert is_right(bench, bench.measure(BURST))
    window = bench.meter.open("test")
    bench.device.work(WORK)
    bench.agent.faults.append(
        Fault(time_s=bench.agent.time_s(bench.clock.now_s()), because="NVML failed", channel="gpu:0")
    )
    bench.device.work(WORK)
    assert why_void(window.close()) == "NVML failed"


def test_an_agent_whose_sampler_died_is_void() -> None:
    """Nobody reads the counters there, whatever answers."""
    bench = near()
    bench.agent.dead_because = "the sampler thread died of OSError: no"
    bench.clock.sleep_s(0.5)
    assert why_void(bench.measure(BURST)) == (
        "the agent at http://far:9000: the sampler thread died of OSError: no"
    )


def test_a_counter_that_stands_still_is_void() -> None:
    """Silence there is told here."""
    bench = near()
    bench.agent.is_silent = True
    bench.clock.sleep_s(0.5)
    assert why_void(bench.measure(BURST)) == ("gpu:0: its counter does not move, so it measures nothing")


def test_another_run_at_the_same_agent_is_noted() -> None:
    """Both count the same joules: each is told of the other, as it calls itself and without its tricks."""
    bench = near()
    bench.agent.others = (Who(run_id="other", host="ci-7", user="e\x1b[2Jve", pid=12, session="nightly"),)
    (note,) = bench.measure(BURST).quality
    assert note == ("the agent at http://far:9000 was also read by e\\x1b[2Jve on ci-7, process 12 (nightly)")


def test_a_strangers_work_there_is_void() -> None:
    """A process that computed there is a stranger's, unless it was taken for the server before."""
    bench = near()
    server = DeviceProcess(pid=70, is_reported=True)
    bench.agent.devices = {"gpu:0": DeviceReport(time_s=0.0, processes=(server,))}
    bench.meter.adopt((), on=("gpu:0",))
    window = bench.meter.open("test")
    bench.device.work(WORK)
    now_s = bench.agent.time_s(bench.clock.now_s())
    worked = DeviceProcess(pid=70, is_reported=True, computed_s=now_s)
    bench.agent.devices = {"gpu:0": DeviceReport(time_s=0.0, processes=(worked,))}
    assert is_right(bench, window.close())
    window = bench.meter.open("test")
    bench.device.work(WORK)
    stranger = DeviceProcess(pid=99, is_reported=True, computed_s=now_s)
    bench.agent.devices = {"gpu:0": DeviceReport(time_s=0.0, processes=(worked, stranger))}
    assert why_void(window.close()) == (
        "gpu:0: process 99 of another program started or ended during the window"
    )


def test_a_pause_releases_the_agent() -> None:
    """Between tests nobody polls, and the agent knows; afterwards the meter goes on."""
    bench = near()
    bench.meter.pause()
    assert bench.agent.released == [ME]
    bench.clock.sleep_s(30.0)
    assert is_right(bench, bench.measure(BURST))
    bench.remote.close()
    assert bench.agent.is_closed


def test_a_forked_child_leaves_the_agent_to_its_parent() -> None:
    """It has no thread that asks, and the connection is not its own: it says so, and sends nothing."""
    bench = near()
    bench.remote.sampler._pid = -1
    assert "was forked from -1 in the middle of a test" in why_void(bench.meter.open("test").close())
    bench.meter.pause()
    assert bench.agent.released == []
