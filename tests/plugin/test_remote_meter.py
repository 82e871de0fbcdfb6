"""Tests that an agent elsewhere measures: whose joules, whose machine, and what happens without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.sampler import ThreadRunner
from pytest_energy.model import Channel, Domain, Machine, Provenance, SensorStatus
from pytest_energy.remote.agent import Agent
from pytest_energy.remote.protocol import AgentDescription
from pytest_energy.sensors.cpu_times import CpuTimes
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage
from tests.fakes.agent_server import AgentServer, serving
from tests.plugin.conftest import Project, Run, rounds

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105  # of a test

ENGINE = """
import asyncio
from pytest_energy.remote.address import MeterAddress
from pytest_energy.serving.engines.protocol import EngineFacts, TokenEvent

class Engine:
    name = "far"
    served = 0

    def __init__(self, url):
        meter = MeterAddress.parse(url, token_file="token", environ={{}})
        self.facts = EngineFacts(model="m", parameters=1, size_bytes=4.0, vram_bytes=None, meter=meter)

    async def generate(self, request):
        Engine.served += 1
        await asyncio.sleep(0.2)
        yield TokenEvent(count=1)

    def cache_counters(self):
        return None

    async def queue_depth(self):
        return None

    def worker_pids(self):
        return ()

    def close(self):
        pass

def load(energy, url):
    energy.requests(Engine(url), [[1], [2]], rate=float("inf"), output_tokens=1)

@pytest.mark.energy(rounds=2, warmup=0)
def test_work(energy):
    load(energy, "{url}")
"""


class SteadyCounter:
    """A processor that draws the same power all the time, on the machine's own clock."""

    provenance = Provenance.ESTIMATED  # with no power at rest to wait for
    name = "steady"

    def __init__(self, power_w: float) -> None:
        self._power_w, self._clock = power_w, SystemClock()
        self.channels = (
            Channel(name="cpu:far", domain=Domain.CPU, device="far", is_ticked=False, resolution_j=1e-6),
        )

    def read_j(self, channel: str) -> float:
        assert channel == "cpu:far"
        return self._power_w * self._clock.now_s()

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts()

    def close(self) -> None:
        pass


@contextmanager
def agent(power_w: float = 100.0, name: str = "far-box") -> Iterator[str]:
    """The address of an agent on a machine called *name*."""
    counter, clock = SteadyCounter(power_w), SystemClock()
    status = SensorStatus(name="steady", channels=("cpu:far",), provenance=Provenance.ESTIMATED)
    description = AgentDescription(
        agent_id=name,
        host=name,
        version="1",
        provenance=Provenance.ESTIMATED,
        channels=tuple(replace(channel, is_ticked=True) for channel in counter.channels),
        statuses=(status,),
        machine=Machine(key=name, fixed={"cpu_model": name}, varying={"cpu_count": "4"}),
    )
    core = Agent(
        [counter],
        description,
        clock=clock,
        runner=ThreadRunner(clock),
        cpu_times=lambda: CpuTimes(1.0, 0.0, 0.0, clock.now_s()),
    )
    try:
        with serving(AgentServer(core, TOKEN)) as url:
            yield url
    finally:
        core.close()


def machine_of(run: Run, name: str = "test_work", member: str = "machine") -> Any:
    """What a test's entry has of its own, or the document has for all that have none."""
    assert run.document is not None
    return run.test(name).get(member, run.document[member])


@pytest.fixture
def remote(project: Project) -> Project:
    token = project.path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    return project


def test_the_agents_joules_are_those_of_its_machine(remote: Project) -> None:
    """100 W for as long as the load took, on the agent's machine, under its key; nothing of this one."""
    with agent() as url:
        remote.write(ENGINE.format(url=url))
        run = remote.run("--energy-baseline=add", "--energy-estimates=gate", "--energy-sensors=estimate")
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert [list(one["channels"]) for one in entry["rounds"]] == [["cpu:far"]] * 2
    for one in entry["rounds"]:
        off_j = one["energy_j"] - 100.0 * one["duration_s"]
        assert abs(off_j) <= 0.05 * one["energy_j"] + 3 * one["uncertainty_j"]
        assert one["duration_s"] >= 0.2
    assert entry["provenance"] == "estimated"
    assert machine_of(run)["key"] == "far-box"
    assert machine_of(run)["fixed"] == {"cpu_model": "far-box"}
    assert machine_of(run)["shown"]["meter"] == url
    assert [one["name"] for one in machine_of(run, member="sensors")] == ["steady"]
    assert [path.relative_to(remote.path / "baselines").parts[0] for path in remote.baseline_paths] == [
        "far-box"
    ]


def test_tests_of_one_run_have_meters_of_their_own(remote: Project) -> None:
    """Each is measured where its engine's meter is."""
    with agent(100.0, "one") as first, agent(300.0, "two") as second:
        of_first = ENGINE.format(url=first)
        test = of_first[of_first.index("@pytest.mark") :]
        remote.write(of_first + test.replace("test_work", "test_other").replace(first, second))
        run = remote.run("--energy-sensors=estimate")
    run.result.assert_outcomes(passed=2)
    powers_w = {
        name: run.test(name)["rounds"][0]["energy_j"] / run.test(name)["rounds"][0]["duration_s"]
        for name in ("test_work", "test_other")
    }
    assert powers_w == pytest.approx({"test_work": 100.0, "test_other": 300.0}, rel=0.3)
    assert [machine_of(run, name)["key"] for name in powers_w] == ["one", "two"]


def test_an_agent_that_can_not_be_asked_leaves_its_test_unmeasured(remote: Project) -> None:
    """With the reason; the requests are sent once, and this machine's joules are nobody's."""
    remote.write(ENGINE.format(url="http://127.0.0.1:9") + "    assert Engine.served == 2\n")
    run = remote.run("--energy-baseline=add", "--energy-sensors=estimate")
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert (entry["verdict"], entry["rounds"], machine_of(run)["key"]) == ("unmeasured", [], "unknown")
    because = "http://127.0.0.1:9: connection refused; is `pytest-energy agent` running there?"
    assert entry["reason"].startswith(f"nothing was measured: {because}")
    assert remote.baseline_paths == []


def test_an_agent_that_refuses_leaves_its_test_unmeasured(remote: Project) -> None:
    """A wrong token is a reason that isn't shown with the token."""
    (remote.path / "token").write_text("quite-another-token-of-ours")
    with agent() as url:
        remote.write(ENGINE.format(url=url))
        run = remote.run("--energy-sensors=estimate")
    assert run.test()["reason"].startswith(f"nothing was measured: {url}: it refuses the token (401)")
    assert "quite-another" not in run.text


def test_a_token_file_that_is_missing_fails_the_test(remote: Project) -> None:
    """What is wrong here is no reason to go on."""
    (remote.path / "token").unlink()
    with agent() as url:
        remote.write(ENGINE.format(url=url))
        run = remote.run("--energy-sensors=estimate")
    run.result.assert_outcomes(failed=1)
    assert "the token file token can't be read" in run.text


def test_a_replay_asks_nobody(remote: Project) -> None:
    """Joules of a file stand in for those of every machine."""
    remote.write(ENGINE.format(url="http://127.0.0.1:9").replace("rounds=2, warmup=0", ""))
    remote.replay({"test_work": rounds(10)})
    run = remote.run()
    run.result.assert_outcomes(passed=1)
    assert run.test()["provenance"] == "replayed"


def test_a_run_that_is_off_asks_nobody(remote: Project) -> None:
    """The requests are sent once."""
    remote.write(ENGINE.format(url="http://127.0.0.1:9"))
    remote.run("--energy-off").result.assert_outcomes(passed=1)


def test_engines_that_are_compared_have_one_meter(remote: Project) -> None:
    """Their joules would be those of two machines."""
    two = 'Engine("http://127.0.0.1:9"), "b": Engine("http://127.0.0.1:8")'
    source = ENGINE.format(url="http://127.0.0.1:9")
    call = f'    energy.compare({{"a": {two}}}, [[1]], rate=1.0, output_tokens=1)\n'
    remote.write(source.replace('    load(energy, "http://127.0.0.1:9")\n', call))
    run = remote.run("--energy-sensors=estimate")
    run.result.assert_outcomes(failed=1)
    assert "the engines have different meters; a test is measured by one" in run.text
