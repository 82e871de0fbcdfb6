"""Ticks of counters over some seconds at rest."""

import math
import random

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.meter.rest import FIND_S, IDLE_S, at_rest, mean_power_w, settled
from pytest_energy.meter.sampler import Sampler
from pytest_energy.model import Tick
from tests.fakes.meter import Bench, SimulatedCounter


class Rest:
    """Counters of one bench at rest."""

    def __init__(self, bench: Bench, *others: SimulatedCounter) -> None:
        self.bench, self.sensors = bench, (*bench.counters, *others)
        self.sampler = Sampler(self.sensors, bench.clock, bench.clock)
        self.sampler.start()
        self.start_s = bench.clock.now_s()

    def ticks(self, duration_s: float, **limits: float) -> dict[str, list[Tick]]:
        channels = [channel for sensor in self.sensors for channel in sensor.channels]
        return at_rest(self.sampler, channels, self.bench.clock, duration_s, **limits)

    def settled(self) -> tuple[dict[str, list[Tick]], tuple[str, ...]]:
        channels = [channel for sensor in self.sensors for channel in sensor.channels]
        return settled(self.sampler, channels, self.bench.clock)

    def fall(self, above_w: float, tau_s: float) -> None:
        """Draw so much more than quiet, less by a factor e each *tau_s*."""
        device, now_s = self.bench.device, self.bench.clock.now_s()
        for number in range(200):
            over_w = above_w * math.exp(-number / 25)
            device.plan(now_s + number * tau_s / 25, device.quiet_w + over_w)
        device.plan(now_s + 8 * tau_s, device.quiet_w)

    @property
    def passed_s(self) -> float:
        return self.bench.clock.now_s() - self.start_s


def edge_counter(bench: Bench) -> SimulatedCounter:
    return SimulatedCounter(bench.device, bench.clock, tick_s=0.0, name="cpu:package-0", is_ticked=False)


def test_a_channel_that_ticks_gives_its_ticks() -> None:
    """Ticks of all that time are there, and none from before it."""
    rest = Rest(Bench())
    rest.bench.clock.sleep_s(2.0)
    ticks = rest.ticks(3.0)["gpu:0"]
    assert len(ticks) >= 14
    assert ticks[-1].time_s - ticks[0].time_s == pytest.approx(3.0, abs=0.45)
    assert ticks[0].time_s >= rest.start_s + 2.0


def test_a_channel_without_ticks_is_read_at_either_end() -> None:
    """Two reads, as far apart as was asked."""
    bench = Bench()
    first, last = Rest(bench, edge_counter(bench)).ticks(3.0)["cpu:package-0"]
    assert last.time_s - first.time_s == pytest.approx(3.0, abs=0.02)
    assert last.joules - first.joules == pytest.approx(360.0, rel=0.01)


def test_a_slow_counter_is_waited_for() -> None:
    """A period that the time doesn't show is searched for somewhat longer, if that is asked for."""
    rest = Rest(Bench(1.2))
    rest.ticks(1.0)
    assert rest.sampler.tick_s("gpu:0") == pytest.approx(1.2, rel=0.02)
    assert 1.0 < rest.passed_s < FIND_S


def test_without_a_search_the_time_is_what_was_asked_for() -> None:
    """A load runs for its seconds, whatever the counters show."""
    rest = Rest(Bench(1.2))
    rest.ticks(1.0, find_s=0.0)
    assert rest.passed_s == pytest.approx(1.0)


def test_a_counter_that_stands_still_is_not_searched_for_long() -> None:
    """It has no ticks, and nobody waits for them."""
    bench = Bench()
    bench.counters[0].is_stuck = True
    rest = Rest(bench)
    assert rest.ticks(1.0) == {"gpu:0": []}
    assert rest.passed_s < FIND_S


def test_a_read_that_fails_is_missing() -> None:
    """A counter that fails between its reads has one, which nobody takes for power."""
    bench = Bench()
    counter = edge_counter(bench)
    rest = Rest(bench, counter)
    rest.sampler.add_chore(lambda: setattr(counter, "fault", SensorError("gone")), 1.0)
    assert len(rest.ticks(3.0)["cpu:package-0"]) == 1


def test_power_is_joules_over_whole_ticks() -> None:
    """It is the counter's rise from the first tick to the last, over that time."""
    ticks = [Tick(0.1 * number, 7.5 * number + (0.3 if number == 15 else 0.0)) for number in range(31)]
    assert mean_power_w(ticks) == pytest.approx(75.0)


@pytest.mark.parametrize(
    "ticks",
    [
        [],
        [Tick(0.0, 1.0)],
        [Tick(0.0, 1.0), Tick(0.0, 2.0)],
        [Tick(0.0, 1.0), Tick(3.0, 1.0)],
    ],
    ids=["none", "one", "no time passed", "stands still"],
)
def test_no_power_is_made_up(ticks: list[Tick]) -> None:
    """Where the counter doesn't tell, power is unknown, never 0."""
    assert mean_power_w(ticks) is None


def test_steady_power_is_at_rest_at_once() -> None:
    """Nothing is waited for where power neither falls nor rises, however badly its ticks are seen."""
    for seed in range(20):
        rest = Rest(Bench(seed=seed, jitter_share=0.03 * (seed % 2), quiet_w=75.0))
        ticks, notes = rest.settled()
        assert notes == ()
        assert rest.passed_s == pytest.approx(IDLE_S)
        assert mean_power_w(ticks["gpu:0"]) == pytest.approx(75.0, rel=0.01)


def test_power_that_falls_for_some_seconds_is_waited_for() -> None:
    """What a short work before the run left is not power at rest; some seconds later it is known."""
    rest = Rest(Bench(quiet_w=75.0))
    rest.fall(100.0, 0.5)
    ticks, notes = rest.settled()
    assert notes == ()
    assert IDLE_S < rest.passed_s <= 4 * IDLE_S
    assert mean_power_w(ticks["gpu:0"]) == pytest.approx(75.0, rel=0.01)


@pytest.mark.parametrize(("above_w", "tau_s"), [(60.0, 20.0), (100.0, 5.0), (-40.0, 20.0)])
def test_power_that_falls_for_longer_is_unknown(above_w: float, tau_s: float) -> None:
    """Power that falls or rises all the while has no value at rest but a note; other channels have theirs."""
    for seed in range(10):
        bench = Bench(seed=seed, quiet_w=75.0)
        rest = Rest(bench, edge_counter(bench))
        rest.fall(above_w, tau_s)
        ticks, (note,) = rest.settled()
        assert set(ticks) == {"cpu:package-0"}
        assert rest.passed_s == pytest.approx(4 * IDLE_S, abs=0.1)
        verb = "fell" if above_w > 0 else "rose"
        assert f"gpu:0: power at rest is unknown: at the start of the run it still {verb}, from " in note
        assert note.endswith("Start the run some seconds later")


def test_power_that_flickers_has_a_mean() -> None:
    """Chance up and down isn't a trend."""
    rng = random.Random(3)  # noqa: S311  # a simulation
    for seed in range(10):
        rest = Rest(Bench(seed=seed, quiet_w=75.0))
        start_s = rest.bench.clock.now_s()
        for number in range(200):
            rest.bench.device.plan(start_s + 0.1 * number, rng.uniform(60.0, 90.0))
        assert rest.settled()[1] == ()
