"""What measures is a guest: other tests have no thread of it beside them, and no test's clock is its own."""

import pytest

from pytest_energy.meter import rest
from tests.plugin.conftest import Project

# 20 W in ticks of 50 ms, by the kernel's own count of time.
SENSOR = """
import os

from pytest_energy.model import Channel, CounterResponse, Domain, Provenance
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage

FAULTS = []

class Ticking:
    name, provenance = "ticking", Provenance.MEASURED
    channels = (
        Channel(
            name="cpu:0", domain=Domain.CPU, device="a", is_ticked=True, resolution_j=1e-6,
            response=CounterResponse(settle_s=0.0),
        ),
    )

    def read_j(self, channel):
        if FAULTS:
            raise FAULTS.pop()
        return float(int(20 * os.times().elapsed))

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(key_parts=("ticking",))

    def close(self):
        pass

def pytest_energy_sensors(config):
    return {"ticking": Ticking}
"""
HEAD = """
import os
import select
import threading
import time
from unittest import mock

import pytest
from conftest import FAULTS

def work(duration_s=0.5):  # ticks are known to some milliseconds on a busy machine
    until_s = os.times().elapsed + duration_s
    while os.times().elapsed < until_s:
        select.select([], [], [], 0.001)  # whoever reads the counters has a turn

def own_threads():
    return [thread.name for thread in threading.enumerate() if "energy" in thread.name]

energetic = pytest.mark.energy(rounds=2, warmup=0, budget_j=0.001, server=True)  # however busy the machine
"""


@pytest.fixture
def ticking(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(rest, "IDLE_S", 0.2)
    project.write(SENSOR, "conftest.py")
    return project


def measured(project: Project, tests: str, *, passed: int = 0) -> dict[str, str]:
    """Verdict of each energy test of *tests*, two that fail by it and so many others that pass."""
    project.write(HEAD + tests)
    run = project.run("--energy-sensors=ticking")
    run.result.assert_outcomes(passed=passed, failed=2)
    assert run.document is not None
    return {test["id"].partition("::")[2]: test["verdict"] for test in run.document["tests"]}


def test_no_thread_is_left_between_tests(ticking: Project) -> None:
    """There is one from before an energy test's fixtures until after their ends, and at no other time."""
    verdicts = measured(
        ticking,
        """
def test_before():
    assert own_threads() == []

@pytest.fixture
def around():
    assert len(own_threads()) == 1
    yield
    assert len(own_threads()) == 1

@energetic
def test_first(around, energy):
    energy.measure(work)

def test_between():
    assert own_threads() == []
    time.sleep(1.2)  # long enough for ticks to be forgotten

@energetic
def test_second(around, energy):
    energy.measure(work)

def test_after():
    assert own_threads() == []
""",
        passed=3,
    )
    assert verdicts == {"test_first": "over-budget", "test_second": "over-budget"}


@pytest.mark.parametrize(
    "patch",
    [
        'mock.patch.multiple("time", monotonic=lambda: 0.0, perf_counter=lambda: 0.0, time=lambda: 0.0)',
        'mock.patch("time.sleep", side_effect=AssertionError("slept"))',
        'mock.patch("time.monotonic", side_effect=[1.0, 2.0])',
        'mock.patch("os.times", return_value=os.times())',
        'mock.patch("datetime.datetime", None)',
        'mock.patch.multiple("threading", Thread=None, Event=None, Lock=None)',
    ],
)
def test_a_test_that_replaces_clocks_or_threads_is_measured_and_so_is_the_next(
    ticking: Project, patch: str
) -> None:
    """Neither reaches what measures, whose own were kept before."""
    conftest = ticking.path / "conftest.py"
    conftest.write_text(SENSOR.replace("import os\n", "from os import times\n").replace("os.t", "t"), "utf-8")
    verdicts = measured(
        ticking,
        f"""
from os import times

def work(duration_s=0.5):  # ticks are known to some milliseconds on a busy machine
    until_s = times().elapsed + duration_s
    while times().elapsed < until_s:
        pass

@energetic
def test_with_it(energy):
    with {patch}:
        energy.measure(work)

@energetic
def test_next(energy):
    energy.measure(work)
""",
    )
    assert verdicts == {"test_with_it": "over-budget", "test_next": "over-budget"}


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt()", "ValueError('a mistake')"])
def test_a_dead_sampler_is_named_and_the_next_test_has_a_new_one(ticking: Project, error: str) -> None:
    """Whatever a sensor's read raises ends the thread, and no more than one test's measurement."""
    ticking.write(
        HEAD
        + f"""
@energetic
def test_dies(energy):
    with energy.window("work"):
        FAULTS.append({error})
        work()

@energetic
def test_next(energy):
    energy.measure(work)
"""
    )
    run = ticking.run("--energy-sensors=ticking")
    assert run.verdict("test_dies") == "void"
    assert f"the sampler thread died of {error.partition('(')[0]}" in run.test("test_dies")["reason"]
    assert run.verdict("test_next") == "over-budget"


def test_a_forked_child_has_no_sampler_and_does_not_wait_for_one(ticking: Project) -> None:
    """What it measures is void and says why; its parent's window and the next test's are good."""
    verdicts = measured(
        ticking,
        """
def child(energy):
    try:
        with energy.window("in the child") as window:
            pass
        because = window.reading.void_because
        os._exit(0 if "was forked from" in because and "no sampler thread" in because else 1)
    except BaseException:
        os._exit(2)

@energetic
def test_forks(energy):
    pid = os.fork()
    if not pid:
        child(energy)
    assert os.waitpid(pid, 0)[1] == 0
    with energy.window("in the parent"):
        work()

@energetic
def test_next(energy):
    energy.measure(work)
""",
    )
    assert verdicts == {"test_forks": "over-budget", "test_next": "over-budget"}


def test_of_windows_that_threads_open_at_once_the_others_are_in_the_first(ticking: Project) -> None:
    """None waits for the device that its own test holds."""
    ticking.write(
        HEAD
        + """
def test_threads(energy):
    together, ended = threading.Barrier(4), []

    def one():
        together.wait()
        with energy.window("part"):
            work()
        ended.append("part")

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == 4 * ["part"]
"""
    )
    run = ticking.run("--energy-sensors=ticking")
    run.result.assert_outcomes(passed=1)
    assert run.test("test_threads")["verdict"] == "no-baseline"
