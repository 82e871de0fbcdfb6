"""A run in which nothing was measured: the files requested for say so."""

import json

import pytest

from tests.plugin.conftest import Project

PLAIN = "def test_plain():\n    pass\n"
SKIPPED = "@pytest.mark.energy\ndef test_work(energy):\n    pytest.skip('no card')\n"
OLD = "of yesterday"


@pytest.mark.parametrize(
    ("source", "options", "status"),
    [
        (PLAIN, (), 0),
        ("", (), 5),
        (SKIPPED, (), 0),
        (SKIPPED, ("--energy-off",), 0),
        (SKIPPED, ("-m", "not energy"), 5),
        ("import nowhere_to_be_found\n", (), 2),
        (SKIPPED.replace("energy\n", "energy(bugdet_j=1)\n", 1), (), 4),
        (SKIPPED.replace("pytest.skip('no card')", "pytest.exit('enough')"), (), 2),
    ],
)
def test_no_older_file_stays(project: Project, source: str, options: tuple[str, ...], status: int) -> None:
    """Whatever kept a run from measuring: the next step of a pipeline reads no earlier run's report."""
    project.write(source)
    older = [project.path / name for name in ("run.json", "run.csv", "run.md", "run.html", "rounds.json")]
    for path in older:
        path.write_text(OLD, encoding="utf-8")
    outputs = [f"--energy-out={path}" for path in older[:-1]]
    run = project.run(*outputs, f"--energy-record={older[-1]}", *options)
    assert run.result.ret == status, run.text
    assert [path.name for path in older if path.read_text(encoding="utf-8") == OLD] == []
    assert run.ids == []
    assert json.loads(older[-1].read_text(encoding="utf-8"))["tests"] == {}
    assert "no test was judged by its energy" in older[2].read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--collect-only", "--fixtures", "--setup-only", "--setup-plan"])
def test_what_only_lists_tests_writes_nothing(project: Project, option: str) -> None:
    """Pytest's ways to look at tests without running them are no run."""
    project.write(PLAIN)
    assert project.run(option).document is None


def test_what_was_not_asked_for_is_not_written(project: Project) -> None:
    """A run without a test that was judged adds nothing to the attempts, and shows no table."""
    project.write(PLAIN)
    run = project.run("--energy-report", "--energy-attempts=attempts")
    assert "no test was judged" in run.text
    assert "energy of 0 tests" not in run.text
    assert not (project.path / "attempts").exists()


# Each test that asks for energy


UNTAKEN = "calls neither energy.measure nor energy.window"
FAILED = "its rounds ended with an error"
UNENDED = "the window 'x' was not completed: it was never closed, or an error ended it"
BODIES = {
    "pass": UNTAKEN,
    "return": UNTAKEN,
    "energy.record(loss=1.0)": UNTAKEN,
    "energy.window('x').__enter__()": UNENDED,
    "global kept; kept = energy.window('x'); kept.__enter__()": UNENDED,
    "a = energy.window('x')\n    with energy.window('y'): pass\n    a.__enter__()": UNENDED,
    "try:\n        with energy.window('x'): 1 / 0\n    except ZeroDivisionError: pass": UNENDED,
    "try: energy.measure(lambda: 1 / 0)\n    except ZeroDivisionError: pass": FAILED,
}


@pytest.mark.parametrize("mark", ["", "@pytest.mark.energy(budget_j=1)\n"])
@pytest.mark.parametrize("body", BODIES)
def test_each_way_to_measure_nothing_has_its_reason(project: Project, mark: str, body: str) -> None:
    """A test that asked for energy and used none of it, or not to the end, is unmeasured, and says why."""
    project.write(f"{mark}def test_work(energy):\n    {body}\n")
    project.replay({"test_work": [10.0] * 5})
    run = project.run(
        "-W", "default"
    )  # each is warned of once: that a budget holds nothing, or that nothing is measured
    run.result.assert_outcomes(passed=1, warnings=1 if mark or BODIES[body] == UNTAKEN else 0)
    assert run.verdict() == "unmeasured"
    assert BODIES[body] in run.test()["unmeasured_because"]
    assert run.test()["rounds"] == []
    assert project.run("-W", "default", "--energy-strict").result.ret == 1


def test_a_fixture_that_is_not_used_is_an_error_where_warnings_are(project: Project) -> None:
    """The run's document has the test all the same; where nothing is measured on purpose, nothing warns."""
    project.write("def test_work(energy):\n    pass\n")
    project.replay({"test_work": [10.0] * 5})
    run = project.run("-W", "error")
    run.result.assert_outcomes(passed=1, errors=1)
    assert "EnergyWarning: nothing was measured" in run.text
    assert run.verdict() == "unmeasured"
    project.run("-W", "error", "--energy-off").result.assert_outcomes(passed=1)
