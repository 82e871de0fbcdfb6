"""From a run's JSON to the baselines and back: `accept`, `show`, `compare` beside real runs."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_energy.cli import main
from tests.plugin.conftest import Project, Run

NOISE = (0.99, 1.0, 1.01, 0.995, 1.005)
MEASURED = """
@pytest.mark.energy({arguments})
def test_work(energy):
    assert energy.measure(sum, [1, 2]) == 3
"""
BOTH = MEASURED + "\n@pytest.mark.energy\ndef test_other(energy):\n    energy.measure(sum, [1, 2])\n"


def rounds(energy_j: float) -> list[float]:
    return [energy_j * factor for factor in NOISE]


def measured(project: Project, energy_j: float, *options: str, arguments: str = "") -> Run:
    """A run of two tests, of which `test_work` uses *energy_j* and the other 5 J."""
    project.write(BOTH.format(arguments=arguments))
    project.replay({"test_work": rounds(energy_j), "test_other": rounds(5)})
    return project.run(*options)


def command(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Status and output of pytest-energy."""
    capsys.readouterr()
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def accept(capsys: pytest.CaptureFixture[str], project: Project, *options: str) -> tuple[int, str]:
    return command(
        capsys, "accept", project.path / "out.json", "--baselines", project.path / "baselines", *options
    )


def test_an_accepted_run_is_what_the_next_is_held_against(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run's JSON makes, without measuring again, the baselines that --energy-baseline=add would have."""
    run = measured(project, 10)
    assert run.verdict() == "no-baseline"
    assert project.baseline_paths == []
    status, out = accept(capsys, project)
    assert status == 0
    assert "2 added of" in out
    made = [path.read_bytes() for path in project.baseline_paths]
    document = run.document
    assert document is not None
    stored = json.loads(made[1])["sessions"]
    assert [session["rounds"] for session in stored] == [run.test()["rounds"]]
    again = measured(project, 10)
    assert (again.verdict(), again.test()["baseline"]["sessions"]) == ("pass", 1)
    assert [path.read_bytes() for path in project.baseline_paths] == made


def test_a_test_that_failed_says_so_in_the_json(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A regression's outcome is in its entry; one that passed has none, so that old files stay true."""
    measured(project, 10)
    accept(capsys, project)
    run = measured(project, 13)
    assert run.test()["outcome"] == "failed"
    assert "outcome" not in run.test("test_other")


def test_a_regression_is_accepted_by_its_name_only(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A new level is taken where a person names the test, and the next run passes against it."""
    measured(project, 10)
    accept(capsys, project)
    measured(project, 13)
    before = project.baseline_paths[1].read_bytes()
    status, out = accept(capsys, project, "--replace")
    assert status == 0
    assert "left out: test_work.py::test_work: the test did not pass (failed)" in out
    assert "added: test_work.py::test_other" in out
    assert project.baseline_paths[1].read_bytes() == before
    status, out = accept(capsys, project, "--replace", "--test=test_work.py::test_work")
    assert (status, out.startswith("added: test_work.py::test_work: now 1 session")) == (0, True)
    assert measured(project, 13).verdict() == "pass"


def test_a_saving_that_is_accepted_is_lost_with_a_failure(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """After -20 % the old level judges nothing: to use as much as before is a regression."""
    for energy_j in (10, 10.05, 9.95):
        measured(project, energy_j)
        accept(capsys, project)
    assert measured(project, 8).verdict() == "improvement"
    status, out = accept(capsys, project)
    assert status == 0
    assert "added: test_work.py::test_work: a new level, and 3 sessions of the old one removed; now 1" in out
    assert measured(project, 8.05).verdict() == "pass"
    accept(capsys, project)
    lost = measured(project, 10)
    assert (lost.verdict(), lost.test()["baseline"]["sessions"]) == ("regression", 2)
    assert lost.verdict("test_other") == "pass"


def test_two_savings_that_runs_added_start_the_level_anew(project: Project) -> None:
    """One alone judges nothing; the second running makes it the first of a new level."""
    sessions = [
        measured(project, energy_j, "--energy-baseline=add").test()["baseline"]
        for energy_j in (10, 10.05, 9.95, 7, 7.05)
    ]
    assert [one and one["sessions"] for one in sessions] == [None, 1, 2, 3, 3]
    again = measured(project, 7)
    assert (again.verdict(), again.test()["baseline"]["sessions"]) == ("pass", 2)


def test_a_test_over_its_budget_or_expected_to_fail_is_left_out(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a failure nor one that was expected is a test that passed."""
    measured(project, 10, arguments="budget_j=8")
    assert "the test did not pass (failed)" in accept(capsys, project)[1]
    project.write('@pytest.mark.xfail(reason="known")' + MEASURED.format(arguments="budget_j=8"))
    run = project.run()
    assert run.test()["outcome"] == "skipped"
    assert "the test did not pass (skipped)" in accept(capsys, project)[1]
    assert len(project.baseline_paths) == 1  # the other test's, of the first run


def test_a_test_whose_own_check_failed_has_no_joules_to_accept(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """A named test that the run has no record of is an error, and nothing is written."""
    marked = "@pytest.mark.energy\ndef {}():\n    assert {}\n\n"
    project.write(marked.format("test_work", "False") + marked.format("test_b", "True"))
    project.replay({"test_work": [10.0], "test_b": [10.0]})
    project.run()
    status, out = accept(capsys, project, "--test=test_work.py::test_work")
    assert status == 2
    assert "has no test 'test_work.py::test_work'. Did you mean test_work.py::test_b?" in out
    assert project.baseline_paths == []


def test_the_runs_of_xdist_are_accepted_alike(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Outcomes cross from the workers to the JSON."""
    project.write(BOTH.format(arguments="budget_j=8"))
    project.replay({"test_work": rounds(10), "test_other": rounds(5)})
    project.run("-n2", "-p", "no:cacheprovider", subprocess=True)
    status, out = accept(capsys, project)
    assert status == 0
    assert "1 added, 1 left out of" in out


def test_sessions_of_several_runs_are_a_history(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """What `accept` has added run by run, `show` tells session by session."""
    for energy_j in (10.0, 10.1, 10.2):
        measured(project, energy_j, "--energy-baseline=off")
        accept(capsys, project)
    status, out = command(
        capsys, "show", "test_work.py::test_work", "--baselines", project.path / "baselines", "--ascii"
    )
    assert status == 0
    assert "on replay: 3 sessions, replayed" in out
    assert "+2.0 %" in out
    assert "trend  _=#  10 J to 10.2 J" in out


def test_two_runs_are_compared_by_the_gate_s_rule(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """+30 % between two runs that knew of no baseline is a regression of one test, and status 1."""
    measured(project, 10)
    (project.path / "out.json").rename(project.path / "old.json")
    measured(project, 13)
    files = (project.path / "old.json", project.path / "out.json")
    status, out = command(capsys, "compare", *files)
    assert status == 1
    assert "energy of 2 tests, every joule replayed: 1 REGRESSION, 1 pass" in out
    assert "+30.0 %" in out


# Bad input: exit status 4, and nothing is lost


def _with_sessions(change: Callable[[list[dict[str, object]]], object]) -> Callable[[str], str]:
    def damage(text: str) -> str:
        document = json.loads(text)
        change(document["sessions"])
        return json.dumps(document)

    return damage


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda text: text.replace("{\n", "{\n<<<<<<< HEAD\n", 1), "a merge was left unfinished"),
        (_with_sessions(lambda found: found.append(found[0])), "is sessions[0] again"),
        (_with_sessions(lambda found: found[0].update(created="2999-01-01T00:00:00Z")), "from the future"),
        (_with_sessions(lambda found: found[0].update(id="t.py::x")), "is of the test 't.py::x'"),
        (_with_sessions(lambda found: found[0].update(provenance="measured")), "sessions[1]"),
        (lambda text: text.replace('"gpu:0": ', '"gpu:0": -'), "J; joules are finite and not negative"),
        (lambda text: text.replace('"gpu:0": 10.0}', '"gpu:0": NaN}'), "not a finite number"),
    ],
    ids=["merge", "twice", "future", "another test", "provenance", "negative", "NaN"],
)
@pytest.mark.parametrize("mode", ["check", "add"])
def test_a_mended_baseline_stops_the_run_and_stays_as_it_was(
    project: Project, damage: Callable[[str], str], what: str, mode: str
) -> None:
    """What a person or a merge has made of a file is named before any test runs, and is not written over."""
    for _ in range(2):
        measured(project, 10, "--energy-baseline=add")
    path = project.baseline_paths[1]
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = path.read_bytes()
    run = measured(project, 10, f"--energy-baseline={mode}")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert str(path) in run.text
    assert what in run.text
    assert "Traceback" not in run.text
    assert path.read_bytes() == before


def test_a_baseline_of_100_mb_stops_the_run(project: Project) -> None:
    """It is refused by its size before it is read."""
    measured(project, 10, "--energy-baseline=add")
    path = project.baseline_paths[0]
    os.truncate(path, 100_000_000)
    run = measured(project, 10)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"can't read {path}: it has 100,000,000 bytes" in run.text


def test_replace_mends_a_broken_baseline(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """The way out that the message names works: a new start needs nothing of the old file."""
    measured(project, 10)
    accept(capsys, project)
    project.baseline_paths[0].write_text("{", encoding="utf-8")
    assert accept(capsys, project)[0] == 2
    assert accept(capsys, project, "--replace")[0] == 0
    assert measured(project, 10).verdict() == "pass"
