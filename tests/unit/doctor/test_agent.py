"""What the doctor says of an agent elsewhere."""

import random

import pytest

from pytest_energy.doctor.agent import AgentReport, agent_to_json, diagnose_agent, render_agent
from pytest_energy.remote.protocol import AgentLost, Who
from tests.fakes.far_agent import ME, FarAgent, still
from tests.fakes.meter import Device, VirtualClock


class Bench:
    def __init__(self, delay_s: float = 1e-4) -> None:
        self.clock = VirtualClock()
        rng = random.Random(1)  # noqa: S311  # a seeded simulation
        self.agent = FarAgent(
            self.clock, Device(self.clock), rng=rng, there=still(delay_s), back=still(delay_s)
        )

    def report(self) -> AgentReport:
        return diagnose_agent(self.agent, name="http://far:8365", who=ME, clock=self.clock)


def test_an_agent_that_measures() -> None:
    """Its machine, its channels with their power, its clock, and who else measures there."""
    bench = Bench()
    bench.agent.others = (Who(run_id="x", host="ci-7", user="ada\x1b[2J", pid=12),)
    report = bench.report()
    assert report.measures
    assert report.channels[0].power_w == pytest.approx(120.0, rel=0.05)
    assert report.clock_reach_s == pytest.approx(1e-4, rel=0.1)
    assert report.round_trip_s == pytest.approx(2e-4, rel=0.01)
    assert bench.agent.released == [ME]
    assert render_agent(report).splitlines() == [
        "The agent at http://far:8365 (version 1) measures far.",
        "Baselines of its tests are kept under far_nvml.",
        "",
        "channel    joules are    tick    power now",
        f"gpu:0      measured      100 ms  {report.channels[0].power_w:.0f} W",
        "",
        "clock",
        "  known to +- 100 us; the fastest poll took 200 us",
        "",
        "also measured by",
        "  ada\\x1b[2J on ci-7, process 12",
    ]


def test_a_far_agents_clock_is_known_worse() -> None:
    """Half of the round trip, and both are told."""
    report = Bench(0.1).report()
    assert report.clock_reach_s == pytest.approx(0.1, rel=0.05)
    assert agent_to_json(report)["round_trip_s"] == pytest.approx(0.2, rel=0.05)


def test_an_agent_whose_counters_stand_still_measures_nothing() -> None:
    """So does one that reads none, with its reason."""
    bench = Bench()
    bench.agent.is_silent = True
    report = bench.report()
    assert not report.measures
    assert "measures nothing on far:\n  no counter moves" in render_agent(report)
    bench.agent.dead_because = "the sampler thread died of OSError"
    assert "reads no counter:\n  the sampler thread died of OSError" in render_agent(bench.report())
    assert agent_to_json(bench.report())["measures"] is False


def test_an_agent_that_can_not_be_reached_is_an_error() -> None:
    """There is nothing to report of it."""
    bench = Bench()
    bench.agent.is_lost = True
    with pytest.raises(AgentLost, match="connection refused"):
        bench.report()
