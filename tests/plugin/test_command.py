"""`energy.command`: a program in rounds, in a test like any other."""

import pytest

from tests.plugin.conftest import Project

ROUNDS_J = [9.9, 10.0, 10.1, 9.95, 10.05]
WORK = """
import sys

def test_work(energy):
    code = "open('log', 'a').write('x'); print('done')"
    result = energy.command([sys.executable, "-S", "-c", code], samples=4)
    assert (result.exit_status, result.stdout) == (0, "done\\n")
"""
FAILS = """
import sys

@pytest.mark.energy(budget_j=1)
def test_work(energy):
    energy.command([sys.executable, "-S", "-c", "import sys; print('whole'); sys.exit('broken')"])
"""


@pytest.fixture
def replayed(project: Project) -> Project:
    project.write(WORK)
    project.replay({"test_work": ROUNDS_J})
    return project


def run_count(project: Project) -> int:
    return len((project.path / "log").read_text())


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["alone", "xdist"])
def test_each_round_is_one_run(replayed: Project, workers: list[str]) -> None:
    """As many runs as rounds; samples and the command are in the record."""
    run = replayed.run(*workers, subprocess=bool(workers))
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert [one["energy_j"] for one in entry["rounds"]] == ROUNDS_J
    assert run_count(replayed) == len(ROUNDS_J)
    assert entry["samples"] == 4
    assert entry["work"] == {"measured": "a command"}
    assert entry["tuning"]["command"].endswith("print('\"'\"'done'\"'\"')'")
    assert "in its own process" in entry["absent"]["counts"]


def test_off_it_runs_once(replayed: Project) -> None:
    """With --energy-off the command still does its work, once."""
    replayed.run("--energy-off").result.assert_outcomes(passed=1)
    assert run_count(replayed) == 1


def test_unmeasured_it_runs_once(replayed: Project) -> None:
    """Where nothing measures the test passes, with the reason."""
    replayed.replay({"test_other": ROUNDS_J})
    run = replayed.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run_count(replayed) == 1


def test_a_failure_is_the_tests(replayed: Project) -> None:
    """The error names command and status, the report holds all that it wrote, and there is no record."""
    replayed.write(FAILS)
    run = replayed.run()
    run.result.assert_outcomes(failed=1)
    run.result.stdout.fnmatch_lines(["*CommandError: *: exit status 1; the end of its stderr:", "*broken"])
    run.result.stdout.fnmatch_lines(["*Captured stdout call*", "whole"])
    assert run.ids == []


def test_an_expected_failure_stays_one(replayed: Project) -> None:
    """xfail covers a command as it covers any failure."""
    replayed.write(FAILS.replace("def test_work", "@pytest.mark.xfail(strict=True)\ndef test_work"))
    replayed.run().result.assert_outcomes(xfailed=1)


def test_the_first_failure_stops_a_run(replayed: Project) -> None:
    """-x after a command that failed."""
    replayed.write(f"{FAILS}\ndef test_later():\n    pass\n")
    replayed.run("-x").result.assert_outcomes(failed=1)


def test_a_budget_holds_a_command(replayed: Project) -> None:
    """Joules of a sample against their limit, as with any work."""
    replayed.write(WORK.replace("def test_work", "@pytest.mark.energy(budget_per_sample_j=2)\ndef test_work"))
    run = replayed.run()
    run.result.assert_outcomes(failed=1)
    assert run.verdict() == "over-budget"
