"""Phases with baselines of their own, through whole runs of pytest: which fails, and what is reported."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_energy.cli import main
from tests.plugin.conftest import TEST_FILE, Project

SOURCE = """
import pytest

@pytest.mark.energy({arguments})
def test_work(energy):
    def work():
        for name in {names}:
            with energy.window(name):
                sum(range(100))
    energy.measure(work)
"""
USUAL_J = {"load": 2.0, "train": 6.0, "serve": 2.0}
MOVED_J = {"load": 2.0, "train": 7.2, "serve": 0.8}  # the same total
NOISE = (0.99, 1.0, 1.01, 0.995, 1.005) * 4  # for as often as it may run


def write(project: Project, arguments: str = "", names: Sequence[str] = tuple(USUAL_J)) -> None:
    project.write(SOURCE.format(arguments=arguments, names=tuple(names)))


def replay(project: Project, phases_j: Mapping[str, float], factor: float = 1.0) -> None:
    rounds = [
        {
            "energy_j": 10.0 * factor * one,
            "duration_s": 1.0,
            "channels": {"gpu:0": 10.0 * factor * one},
            "phases": [
                {
                    "name": name,
                    "energy_j": energy_j * factor * one,
                    "uncertainty_j": 0.002 * energy_j,
                    "duration_s": 0.3,
                }
                for name, energy_j in phases_j.items()
            ],
        }
        for one in NOISE
    ]
    tests = {f"{TEST_FILE}::test_work": {"rounds": rounds}}
    (project.path / "replay.json").write_text(json.dumps({"format": 1, "tests": tests}), encoding="utf-8")


@pytest.fixture
def stored(project: Project) -> Project:
    """A project whose test has three sessions in its baseline."""
    write(project)
    for factor in (0.999, 1.0, 1.001):
        replay(project, USUAL_J, factor)
        assert project.run("--energy-baseline=add").result.ret == 0
    return project


def phases(test: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in test["baseline"]["compared_phases"]}


def test_unchanged_phases_pass(stored: Project) -> None:
    """Each has its verdict in the JSON, with its sessions."""
    write(stored, "phase_baselines='all'")
    replay(stored, USUAL_J)
    run = stored.run()
    assert run.result.ret == 0
    assert phases(run.test()) == dict.fromkeys(USUAL_J, "pass")
    assert {one["sessions"] for one in run.test()["baseline"]["compared_phases"]} == {3}


def test_a_phase_that_rose_is_named_with_the_total_unchanged(stored: Project) -> None:
    """+20 % in one phase: exit 1, confirmed by a second batch, and the failure begins with that phase."""
    write(stored, "phase_baselines=['train', 'serve']")
    replay(stored, MOVED_J)
    run = stored.run()
    test = run.test()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert test["verdict"] == "regression"
    assert test["brief"]["headline"].startswith("+20.1 % energy in the phase train")
    assert test["brief"]["headline"] in run.text
    assert test["baseline"]["ratio"] == pytest.approx(1.0, abs=0.005)
    assert test["confirming_count"] > 0
    assert test["judged_by"]["phase_baselines"] == ["train", "serve"]


def test_a_phase_that_rose_fails_nothing_unless_asked(stored: Project) -> None:
    """By default it is shown."""
    replay(stored, MOVED_J)
    run = stored.run("-v", "--energy-report")
    assert run.result.ret == 0
    assert run.verdict() == "pass"
    assert phases(run.test())["train"] == "regression"
    assert "phases, not judged: load" in run.test()["reason"]


def test_an_accepted_rise_of_a_phase_is_its_new_level(stored: Project) -> None:
    """`replace` refreshes the levels of all phases, and so does `pytest-energy accept` of a named test."""
    write(stored, "phase_baselines='all'")
    replay(stored, MOVED_J)
    assert stored.run().verdict() == "regression"
    words = ["accept", str(stored.path / "out.json"), f"--baselines={stored.path / 'baselines'}"]
    assert main([*words, f"--test={TEST_FILE}::test_work"]) == 0
    assert stored.run().verdict() == "pass"
    replay(stored, USUAL_J)
    assert phases(stored.run().test())["serve"] == "regression"


def test_a_phase_of_the_baseline_that_does_not_come_is_an_error(stored: Project) -> None:
    """With `all`, too: work that is gone must not pass."""
    write(stored, "phase_baselines='all'", names=("load", "train"))
    replay(stored, {"load": 2.0, "train": 6.0})
    run = stored.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert "the phase 'serve', which did not come, and which the baseline has" in run.text
    assert stored.run("--energy-baseline=replace").result.ret == 0
    assert stored.run().result.ret == 0


def test_a_misspelt_phase_is_an_error(stored: Project) -> None:
    """A misspelt name must not switch the gate off, whether there is a baseline or not."""
    write(stored, "phase_baselines=['trian']")
    replay(stored, USUAL_J)
    run = stored.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert "the phase 'trian', which did not come." in run.text
    assert "Phases of this test: load, train, serve." in run.text


def test_a_baseline_from_before_phases_still_judges(stored: Project) -> None:
    """Its file has no phases: the test's joules are compared, and a run adds the phases."""
    [path] = stored.baseline_paths
    document = json.loads(path.read_text(encoding="utf-8"))
    for session in document["sessions"]:
        for one in session["rounds"]:
            one["phases"] = []
    path.write_text(json.dumps(document), encoding="utf-8")
    write(stored, "phase_baselines=['train']")
    replay(stored, USUAL_J)
    run = stored.run("--energy-baseline=add")
    assert run.result.ret == 0
    assert run.test()["baseline"]["ratio"] == pytest.approx(1.0, abs=0.005)
    assert run.verdict() == "no-baseline"
    assert run.test()["baseline"]["absent_phases"]["train"] == "no session of the baseline has joules of it"
    assert phases(stored.run().test())["train"] == "pass"


def test_a_stored_run_is_judged_the_same_again(stored: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """`pytest-energy judge` knows which phases were asked for."""
    write(stored, "phase_baselines=['train']")
    replay(stored, MOVED_J)
    assert stored.run().verdict() == "regression"
    words = ["judge", str(stored.path / "out.json"), f"--baselines={stored.path / 'baselines'}"]
    assert main(words) == 1
    assert "1 of 1 verdict as in the run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("5", "must name phases, such as ['train', 'serve'], or be 'all'. Got 5."),
        ("[]", "must name at least one phase, or be 'all'. Got []."),
        ("['']", "must be a text that is not empty"),
    ],
)
def test_names_that_are_none_stop_the_run(project: Project, value: str, says: str) -> None:
    """At collection, as any argument that can't be used does."""
    write(project, f"phase_baselines={value}")
    replay(project, USUAL_J)
    assert says in project.run().text.replace("\n", " ")
