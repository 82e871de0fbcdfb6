"""Reads beside an edge: each has its own seconds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.edges import Edge, EdgeTicks, Reads, start_now, stop_now
from pytest_energy.meter.integrate import integrate
from tests.fakes.meter import VirtualClock

POWER_W = 100.0


@dataclass
class Counters:
    """So many counters of 100 W, whose next calls take as long as was said.

    Each is looked at after this share of its call: what held the call up came after that, or before.
    """

    clock: VirtualClock
    calls_s: list[float]
    looked_share: float = 0.0
    names: tuple[str, ...] = ("cpu:0", "cpu:1")
    looked_s: dict[str, list[float]] = field(default_factory=dict)

    def read_all(self) -> Sequence[Reads]:
        return [self._read(name) for name in self.names]

    def _read(self, name: str) -> Reads:
        started_s = self.clock.now_s()
        self.looked_s.setdefault(name, []).append(started_s)
        call_s = self.calls_s.pop(0) if self.calls_s else 2e-5
        self.clock.sleep_s(call_s)
        joules = POWER_W * (started_s + self.looked_share * call_s)
        return Reads(started_s, self.clock.now_s(), {name: joules})


def window(stop_calls_s: list[float], work_s: float, looked_share: float = 0.0) -> tuple[Edge, Edge]:
    clock = VirtualClock()
    start = start_now(Counters(clock, []).read_all, clock)
    clock.sleep_s(work_s)
    return start, stop_now(Counters(clock, stop_calls_s, looked_share).read_all, clock)


@pytest.mark.parametrize("looked_share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("work_s", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("stop_calls_s", [[], [0.005], [0.015, 0.015], [0.0, 0.005], [0.2]])
def test_joules_are_those_between_the_edges(
    stop_calls_s: list[float], work_s: float, looked_share: float
) -> None:
    """However long reads at the stop were held up, joules are right within twice what is said of them."""
    start, stop = window(stop_calls_s, work_s, looked_share)
    assert stop.time_s - start.time_s == pytest.approx(work_s)
    ticks = EdgeTicks(start, stop, {"cpu:0": POWER_W, "cpu:1": POWER_W})
    integrals = ticks.integrals({})
    assert [*integrals] == [*ticks] == ["cpu:0", "cpu:1"]
    for name, (first, last) in ticks.items():
        integral = integrate((first, last), start.time_s, stop.time_s)
        assert integrals[name].energy_j == pytest.approx(integral.energy_j, abs=1e-9)
        assert integrals[name].uncertainty_j == pytest.approx(integral.uncertainty_j)
        assert abs(integral.energy_j - POWER_W * work_s) <= 2 * integral.uncertainty_j


def test_a_read_that_came_late_is_taken_back_to_its_edge() -> None:
    """The second counter was looked at 15 ms after the stop, and no joule of these counts."""
    start, stop = window([0.015], 0.1)
    first, last = EdgeTicks(start, stop, {"cpu:0": POWER_W, "cpu:1": POWER_W})["cpu:1"]
    assert last.joules - first.joules == pytest.approx(POWER_W * 0.1, rel=1e-3)
    assert last.spread_s == pytest.approx(0.015 / math.sqrt(3), rel=0.01)


def test_what_a_device_draws_at_rest_is_left_out_and_never_more_than_it_drew() -> None:
    """Beside the work it is at rest: where that isn't known, the joules are those of the reads."""
    start, stop = window([0.01], 0.1)
    spans_j = {
        rest_w: last.joules - first.joules
        for rest_w in (0.0, 40.0, 1e6)
        for first, last in [EdgeTicks(start, stop, {"cpu:1": rest_w})["cpu:1"]]
    }
    assert EdgeTicks(start, stop, {})["cpu:1"][1].joules == stop.joules("cpu:1")
    assert spans_j[0.0] == pytest.approx(POWER_W * 0.11, rel=1e-3)
    assert spans_j[40.0] == pytest.approx(POWER_W * 0.11 - 40.0 * 0.01, rel=1e-3)
    assert spans_j[1e6] == pytest.approx(POWER_W * 0.1, rel=1e-3)


@pytest.mark.parametrize(
    ("calls_s", "most_reach_s"),
    [([], 5e-5), ([0.005], 5e-5), ([0.005, 0.005, 0.015, 0.001], 5e-5), ([0.005] * 2 + [0.02] * 6, 0.0101)],
)
def test_reads_before_the_start_that_were_held_up_are_made_again(
    calls_s: list[float], most_reach_s: float
) -> None:
    """Of some attempts that counts whose reads are nearest."""
    clock = VirtualClock()
    start = start_now(Counters(clock, calls_s).read_all, clock)
    assert start.reach_s <= most_reach_s


def test_a_sensor_that_is_slow_is_read_twice_and_no_more() -> None:
    """What takes as long again is no hindrance that will pass."""
    clock = VirtualClock()
    counters = Counters(clock, [0.01] * 20)
    start_now(counters.read_all, clock)
    assert len(counters.looked_s["cpu:0"]) == 2


def test_an_edge_without_counters_is_read_once() -> None:
    """Where everything ticks there is nothing to read."""
    clock = VirtualClock()
    assert start_now(tuple, clock) == Edge(clock.now_s(), ())


def test_reads_of_the_work_alone_have_no_spread() -> None:
    """Nothing of the work is between a read and its edge, however late the read is."""
    start, stop = window([0.015], 0.1)
    spread = EdgeTicks(start, stop, {}).integrals({})["cpu:1"]
    exact = EdgeTicks(start, stop, {}, ["cpu:1"])
    assert [tick.spread_s for tick in exact["cpu:1"]] == [0.0, 0.0]
    assert exact.integrals({})["cpu:1"].uncertainty_j < spread.uncertainty_j


def test_a_counter_that_went_back_has_no_joules() -> None:
    """Neither has a stretch that doesn't last; the reason names what was read."""
    before, after = Reads(0.9, 1.0, {"cpu:0": 5.0}), Reads(2.0, 2.1, {"cpu:0": 4.0})
    with pytest.raises(NotMeasurable, match="fell from 5"):
        EdgeTicks(Edge(1.0, [before]), Edge(2.0, [after]), {}).integrals({})
    with pytest.raises(NotMeasurable, match="clock"):
        EdgeTicks(Edge(1.0, [before]), Edge(1.0, [before]), {}).integrals({})
    with pytest.raises(KeyError):
        EdgeTicks(Edge(1.0, [before]), Edge(2.0, [after]), {})["cpu:1"]


@pytest.mark.parametrize("duration_s", [0.002, 0.1])
def test_old_values_lack_half_their_age_of_the_work(duration_s: float) -> None:
    """Read 0.5 ms after its update at both edges: what is missing is added, and the ticks say the same."""
    rest_w, work_w, old_s = 20.0, 150.0, 5e-4
    shown_j = work_w * (duration_s - old_s) + rest_w * old_s
    start, stop = Edge(1.0, [Reads(1.0, 1.0, {"cpu:0": 5.0})]), Edge(1.0 + duration_s, [])
    stop = Edge(stop.time_s, [Reads(stop.time_s, stop.time_s, {"cpu:0": 5.0 + shown_j})])
    edges = EdgeTicks(start, stop, {"cpu:0": rest_w}, ages_s={"cpu:0": 2 * old_s})
    assert edges.integrals({})["cpu:0"].energy_j == pytest.approx(work_w * duration_s)
    first, last = edges["cpu:0"]
    assert last.joules - first.joules == pytest.approx(work_w * duration_s)
    unknown = EdgeTicks(start, stop, {}, ages_s={"cpu:0": 2 * old_s})
    assert unknown.integrals({})["cpu:0"].energy_j == pytest.approx(shown_j)


def test_values_of_a_machine_at_rest_lack_nothing() -> None:
    """As much is missing at the start as at the stop."""
    start, stop = Edge(1.0, [Reads(1.0, 1.0, {"cpu:0": 5.0})]), Edge(1.1, [Reads(1.1, 1.1, {"cpu:0": 7.0})])
    edges = EdgeTicks(start, stop, {"cpu:0": 20.0}, ages_s={"cpu:0": 1e-3})
    assert edges.integrals({})["cpu:0"].energy_j == pytest.approx(2.0)
