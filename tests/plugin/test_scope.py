"""Whose joules count: a GPU at rest, at work, and beside another, through whole runs of pytest.

The GPUs draw 100 W by the virtual clock, and what the test says that they use. They are read at the edges.
"""

import pytest

from pytest_energy.cli import main
from tests.plugin.conftest import Project

SENSOR = """
import time

from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage

NAMES = {names}
USED_J = dict.fromkeys(NAMES, 0.0)

class Board:
    name, provenance = "board", Provenance.MEASURED
    channels = tuple(
        Channel(name=name, domain=Channel.domain_of(name), device=name, is_ticked=False, resolution_j=1e-9)
        for name in NAMES
    )

    def read_j(self, channel):
        return 100.0 * time.monotonic() + USED_J[channel]

    def usage(self):
        return Usage()

    def facts(self):
        return Facts()

    def close(self):
        pass

def pytest_energy_sensors(config):
    return {{"board": Board}}
"""
TESTS = """
import time

import pytest
from conftest import USED_J

@pytest.mark.energy(rounds=3, warmup=0, budget_j=50)
def test_work(energy):
    energy.measure(lambda: time.sleep(0.03))

@pytest.mark.energy(rounds=3, warmup=0, budget_j=50)
def test_gpu(energy):
    def work():
        time.sleep(0.03)
        USED_J["gpu:0"] += 20.0
    energy.measure(work)
"""


@pytest.fixture
def board(virtual_project: Project) -> Project:
    return _with_channels(virtual_project, "gpu:0")


def _with_channels(project: Project, *names: str) -> Project:
    (project.path / "conftest.py").write_text(SENSOR.format(names=names), encoding="utf-8")
    project.write(TESTS)
    return project


def test_work_on_the_cpu_beside_a_gpu_at_rest_is_unmeasured(board: Project) -> None:
    """A card's joules at rest pass no budget and enter no baseline; reason and estimate stand there."""
    run = board.run("--energy-sensors=board", "--energy-baseline=add")
    test = run.test()
    because = "the GPU was at rest and nothing measures the CPU here"
    assert (test["verdict"], test["unmeasured_because"]) == ("unmeasured", because)
    assert (test["energy_j"], test["baseline"], "active_energy_j" in test) == (None, None, False)
    assert test["missing_domains"] == ["cpu"]
    for one in test["rounds"]:
        assert (one["energy_j"], one["channels"]) == (None, {})
        assert one["resting_channels"]["gpu:0"] == pytest.approx(100.0 * one["duration_s"], rel=0.05)
        assert one["estimated_channels"]["cpu:processes"] > 0
    assert f"nothing was measured: {because}" in test["reason"]
    assert "estimate of the CPU: ~" in test["reason"]
    assert [path.stem for path in board.baseline_paths] == ["test_gpu"]


def test_work_on_the_gpu_is_measured_and_names_its_scope(board: Project) -> None:
    """In the same run on the same card: its joules count, and are said to be of the GPU only."""
    run = board.run("--energy-sensors=board", "--energy-report")
    assert (run.verdict("test_work"), run.verdict("test_gpu")) == ("unmeasured", "pass")
    test = run.test("test_gpu")
    assert test["energy_j"] == pytest.approx(23.0, rel=0.1)
    assert test["channels"] == {"gpu:0": pytest.approx(test["energy_j"])}
    assert "GPU only, 3 rounds" in test["reason"]
    assert "GPU only" in run.text
    assert "CPU ~" in run.text


def test_a_gpu_that_did_nothing_is_not_added(board: Project) -> None:
    """Of two GPUs the one at work is counted; that of the other stands apart."""
    run = _with_channels(board, "gpu:0", "gpu:1").run("--energy-sensors=board")
    test = run.test("test_gpu")
    assert set(test["channels"]) == {"gpu:0"}
    assert {*test["rounds"][0]["resting_channels"]} == {"gpu:1"}
    assert "note: gpu:1 was at rest: not counted (3 of 3 rounds)" in test["reason"]
    assert run.test()["unmeasured_because"].startswith("all 2 GPUs were at rest and ")


def test_a_baseline_that_counts_it_is_still_compared(board: Project) -> None:
    """A GPU whose joules stand in the baseline is counted on, so that both are of the same channels."""
    both = _with_channels(board, "gpu:0", "gpu:1")
    both.write(TESTS.replace('USED_J["gpu:0"] += 20.0', 'USED_J["gpu:0"] += 20.0; USED_J["gpu:1"] += 20.0'))
    both.run("--energy-sensors=board", "--energy-baseline=add", "-k", "test_gpu")
    both.write(TESTS)
    run = both.run("--energy-sensors=board", "-k", "test_gpu")
    test = run.test("test_gpu")
    assert set(test["channels"]) == {"gpu:0", "gpu:1"}
    assert test["baseline"]["sessions"] == 1


def test_a_measured_cpu_is_what_a_cpu_test_is_judged_by(board: Project) -> None:
    """With both measured the CPU's joules are the test's, those of a GPU at rest are not; no estimate."""
    run = _with_channels(board, "cpu:package-0", "gpu:0").run("--energy-sensors=board")
    test = run.test()
    assert set(test["channels"]) == {"cpu:package-0"}
    assert test["verdict"] == "pass"
    assert "estimated_channels" not in test["rounds"][0]
    assert "only" not in test["reason"].splitlines()[0]
    assert set(run.test("test_gpu")["channels"]) == {"cpu:package-0", "gpu:0"}


def test_the_judge_says_the_same_without_the_hardware(
    board: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was at rest is in the run's document: its verdicts can be worked out again."""
    board.run("--energy-sensors=board")
    capsys.readouterr()
    assert main(["judge", str(board.path / "out.json")]) == 0
    assert "2 tests: 1 unmeasured, 1 pass" in capsys.readouterr().out


KINDS = """
import time
import unittest

import pytest

ENERGY = pytest.mark.energy(rounds=2, warmup=0, budget_j=50)

@ENERGY
def test_marked():
    time.sleep(0.03)

@ENERGY
def test_windows(energy):
    for name in ("first", "second") * 2:
        with energy.window(name):
            time.sleep(0.02)

@ENERGY
def test_phases(energy):
    def work():
        with energy.window("phase"):
            time.sleep(0.02)
        time.sleep(0.02)
    energy.measure(work)

@pytest.mark.energy(rounds=2, warmup=0, budget_per_sample_j=50, basis="net", per="sample")
def test_net_joules_a_sample(energy):
    energy.measure(lambda: time.sleep(0.03), samples=3)

@pytest.mark.energy(rounds=2, warmup=0, domains="gpu", budget_j=50)
def test_domain(energy):
    energy.measure(lambda: time.sleep(0.03))

@ENERGY
class TestCase(unittest.TestCase):
    def test_method(self):
        time.sleep(0.03)

@pytest.fixture
def around(energy):
    with energy.window("around"):
        yield

@ENERGY
def test_in_a_fixture(around):
    time.sleep(0.03)
"""


def test_no_kind_of_measuring_makes_joules_of_rest(board: Project) -> None:
    """Marked, in windows, in phases, by the sample, in a class, in a fixture: none is judged or kept."""
    board.write(KINDS)
    outputs = ("--energy-out=out.md", "--energy-out=out.html", "--energy-out=out.rounds.csv")
    run = board.run("--energy-sensors=board", "--energy-baseline=add", *outputs)
    assert run.document is not None
    tests = run.document["tests"]
    assert [(test["verdict"], test["energy_j"], test["net_energy_j"]) for test in tests] == [
        ("unmeasured", None, None)
    ] * 7
    phases = [phase for test in tests for one in test["rounds"] for phase in one["phases"]]
    assert phases
    assert {phase["energy_j"] for phase in phases} == {None}
    assert board.baseline_paths == []
    assert all((board.path / name).exists() for name in ("out.md", "out.html", "out.rounds.csv"))


def test_rest_beside_a_budget_fails_where_that_is_asked_for(board: Project) -> None:
    """What was to be checked and wasn't is a warning, and a failure under `--energy-strict`."""
    board.run("--energy-sensors=board").result.assert_outcomes(passed=2, warnings=1)
    strict = board.run("--energy-sensors=board", "--energy-strict")
    strict.result.assert_outcomes(passed=1, failed=1)


POLICIES = """
from conftest import USED_J
from pytest_energy import ChangingLoad, FixedBatch, Slo

def policy(used_j):
    def answer(items):
        USED_J["gpu:0"] += used_j * len(items)
        return items
    return FixedBatch(answer=answer, size=99, timeout_s=0.02)

def test_work(energy):
    load = ChangingLoad(items=range(9), stages=[(1000, 0.05)], slo=Slo(e2e_s=9.0, least_share=0.5))
    result = energy.compare({"gpu": policy(1.0), "cpu": policy(0.0)}, load)
    assert result.verdict == "cheaper", result.absent
"""


def test_a_policy_that_leaves_the_gpu_at_rest_is_compared(board: Project) -> None:
    """The card's joules count for both policies in turns if one of them used it."""
    board.write(POLICIES)
    run = board.run("--energy-sensors=board")
    run.result.assert_outcomes(passed=1)
    test = run.test()
    assert test["channels"] == {"gpu:0": pytest.approx(test["energy_j"])}
    assert test["metrics"]["reference_energy_per_sample"] > 1.0 > test["metrics"]["pair_energy_ratio"]
