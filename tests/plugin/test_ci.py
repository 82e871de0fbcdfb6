"""What CI sees of a run: GitHub's summary, errors at lines, and JUnit XML that agrees with the verdicts."""

import os
import resource
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_energy.plugin.ci import STEP_LIMIT_BYTES, append_step_summary
from pytest_energy.report import to_markdown, view
from tests.builders import judgement
from tests.plugin.conftest import Project

OVER = """
@pytest.mark.energy(budget_j=8)
def test_over(energy):
    energy.measure(lambda: None)

@pytest.mark.energy(budget_j=12)
def test_within(energy):
    energy.measure(lambda: None)
"""
TEN_J = [9.9, 10.0, 10.1, 9.95, 10.05]
AT = "::error file=test_work.py,line=4,title=energy over-budget%3A test_over::"
ERROR = f"{AT}125 %25 of the budget: 10.000 +- "


@pytest.fixture
def over(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    project.write(OVER)
    project.replay({"test_over": TEN_J, "test_within": TEN_J})
    return project


@pytest.fixture
def step_summary(over: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = over.path / "step-summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


@pytest.fixture
def _on_github(over: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(over.path))


def errors(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("::")]


# The job's summary


def test_the_report_is_appended_to_the_steps_summary(over: Project, step_summary: Path) -> None:
    """With `--energy-report` the Markdown report follows what the step has written so far."""
    step_summary.write_text("before", encoding="utf-8")
    run = over.run("--energy-report", "--energy-out=run.md")
    report = (over.path / "run.md").read_text(encoding="utf-8")
    assert step_summary.read_text(encoding="utf-8") == f"before\n{report}"
    assert f"energy: summary appended to {step_summary}" in run.text


def test_several_workers_append_it_once(over: Project, step_summary: Path) -> None:
    """Under `-n2` the controller alone appends, and all tests are in it."""
    over.run("-n2", "--energy-report", subprocess=True)
    text = step_summary.read_text(encoding="utf-8")
    assert text.count(to_markdown.MARKER) == 1
    assert "### Energy of 2 tests, every joule replayed: 1 OVER-BUDGET, 1 pass" in text


def test_nothing_is_written_that_was_not_asked_for(over: Project, step_summary: Path) -> None:
    """Without `--energy-report`, or without an energy test, the step's summary isn't touched."""
    over.run()
    over.run("--energy-report", "--energy-off")
    assert not step_summary.exists()


@pytest.mark.parametrize(("make", "what"), [(Path.mkdir, "a folder"), (os.mkfifo, "a FIFO")])
def test_a_summary_that_can_not_be_written_fails_nothing(
    over: Project, step_summary: Path, make: Callable[[Path], object], what: str
) -> None:
    """The log says so, with the file, and nobody waits; the exit status is that of the tests."""
    make(step_summary)
    run = over.run("--energy-report", "-k", "within")
    assert run.result.ret == 0
    because = f"can't be written: it is {what}, not a file"
    assert f"no job summary: {step_summary} (GITHUB_STEP_SUMMARY) {because}" in run.text


def test_a_summary_is_appended_whole_or_not_at_all(tmp_path: Path) -> None:
    """What other commands of the step wrote is as it was where the disk has no room for the rest."""
    path, run = tmp_path / "summary.md", view.of([judgement(test_id=f"t.py::t{i}") for i in range(100)])
    path.write_bytes(b"x" * 3000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        text = append_step_summary(run, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert text.startswith(f"no job summary: {path} (GITHUB_STEP_SUMMARY) can't be written: ")
    assert path.read_bytes() == b"x" * 3000


def test_a_long_run_gets_the_room_that_a_step_has(tmp_path: Path) -> None:
    """A thousand tests, too many for a comment, are all in a step's summary."""
    run = view.of([judgement(test_id=f"t.py::test_{i:04}") for i in range(1000)])
    assert "more tests" in to_markdown.render(run)
    append_step_summary(run, tmp_path / "summary.md")
    text = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert text.count("| `test_") == 1000
    assert "more tests" not in text


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    """Past a step's limit the tables end with a count of what they leave out."""
    run = view.of([judgement(test_id=f"t.py::test_{i:05}[{'€' * 150}]") for i in range(3000)])
    append_step_summary(run, tmp_path / "summary.md")
    assert (tmp_path / "summary.md").stat().st_size <= STEP_LIMIT_BYTES
    assert "more tests" in (tmp_path / "summary.md").read_text(encoding="utf-8")


def test_little_room_takes_the_short_report(tmp_path: Path) -> None:
    """Where an earlier command left little, the report is as long as a comment."""
    path, run = tmp_path / "summary.md", view.of([judgement(test_id=f"t.py::t{i}") for i in range(2000)])
    path.write_bytes(b"x" * (STEP_LIMIT_BYTES - to_markdown.LIMIT - 1000))
    append_step_summary(run, path)
    assert path.read_text(encoding="utf-8").endswith(f"\n{to_markdown.render(run)}")
    assert path.stat().st_size <= STEP_LIMIT_BYTES


def test_no_room_takes_nothing(tmp_path: Path) -> None:
    """What others wrote isn't lost by going past the limit; the log says how much there was."""
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * (STEP_LIMIT_BYTES - 10))
    said = append_step_summary(view.of([judgement()]), path)
    assert path.stat().st_size == STEP_LIMIT_BYTES - 10
    assert said.startswith(
        f"no job summary: {path} holds {STEP_LIMIT_BYTES - 10} bytes of the {STEP_LIMIT_BYTES}"
    )


# Errors at the lines of tests


@pytest.mark.usefixtures("_on_github")
def test_each_failing_verdict_is_one_error(over: Project) -> None:
    """Under GitHub Actions the test over its budget is named at its line, and no other."""
    (line,) = errors(over.run().text)
    assert line.startswith(ERROR)
    assert "%0A" in line


@pytest.mark.usefixtures("_on_github")
def test_workers_make_the_same_errors(over: Project) -> None:
    """Under `-n2` the error is made once, by the controller."""
    (line,) = errors(over.run("-n2", subprocess=True).text)
    assert line.startswith(ERROR)


@pytest.mark.usefixtures("_on_github")
def test_doubt_is_an_error_only_under_strict(over: Project) -> None:
    """A test without baseline has no error, unless strict fails it."""
    over.write(OVER.replace("budget_j=8", ""))
    assert errors(over.run().text) == []
    (line,) = errors(over.run("--energy-strict").text)
    assert "title=energy no-baseline%3A test_over::" in line


@pytest.mark.usefixtures("_on_github")
def test_what_energy_did_not_fail_has_no_error(over: Project) -> None:
    """An expected failure fails nothing, and an assertion's failure is not energy's."""
    over.write(
        OVER.replace("@pytest.mark.energy(budget_j=8)", "@pytest.mark.xfail\n@pytest.mark.energy(budget_j=8)")
    )
    assert errors(over.run().text) == []
    over.write(OVER.replace("energy.measure(lambda: None)", "energy.measure(lambda: None); assert 1 == 2"))
    assert errors(over.run().text) == []


@pytest.mark.usefixtures("_on_github")
def test_a_refresh_has_no_error(over: Project) -> None:
    """A rise that `--energy-baseline=replace` accepts is not told as one that fails."""
    over.write(OVER.replace("budget_j=8", ""))
    over.run("--energy-baseline=add")
    over.replay({"test_over": [1.3 * energy_j for energy_j in TEN_J], "test_within": TEN_J})
    assert "title=energy regression%3A test_over" in errors(over.run().text)[0]
    assert errors(over.run("--energy-baseline=replace").text) == []


def test_no_commands_outside_github_actions(over: Project) -> None:
    """An ordinary terminal shows no workflow commands."""
    assert errors(over.run().text) == []


# JUnit XML


def junit(project: Project) -> tuple[dict[str, int], dict[str, dict[str, str]], list[str]]:
    """Counts, properties by test, and the tests that failed."""
    suite = ET.parse(project.path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    counts = {name: int(suite.get(name, "-1")) for name in ("tests", "failures", "errors", "skipped")}
    properties, failed = {}, []
    for case in suite.iter("testcase"):
        name = case.get("name", "")
        said = [(p.get("name", ""), p.get("value", "")) for p in case.iter("property")]
        assert len(dict(said)) == len(said), f"{name} says a property twice: {said}"
        properties[name] = dict(said)
        failed += [name] if case.find("failure") is not None else []
    return counts, properties, failed


@pytest.mark.parametrize("workers", [(), ("-n2",)])
def test_junit_agrees_with_the_verdicts(over: Project, workers: tuple[str, ...]) -> None:
    """Joules and verdict for every test, the ratio where there is a comparison, and as many failures."""
    over.run("--energy-baseline=add", "-k", "within")
    over.replay({"test_over": TEN_J, "test_within": [1.01 * energy_j for energy_j in TEN_J]})
    run = over.run("--junitxml=junit.xml", *workers, subprocess=bool(workers))
    counts, properties, failed = junit(over)
    assert counts == {"tests": 2, "failures": 1, "errors": 0, "skipped": 0}
    assert failed == ["test_over"]
    assert set(properties["test_over"]) == {"energy_j", "energy_verdict"}
    for name, said in properties.items():
        assert said["energy_verdict"] == run.verdict(name)
        assert float(said["energy_j"]) == run.test(name)["energy_j"]
    assert float(properties["test_within"]["energy_ratio"]) == run.test("test_within")["baseline"]["ratio"]
    assert float(properties["test_within"]["energy_ratio"]) == pytest.approx(1.01)


def test_junit_leaves_out_what_was_not_measured(over: Project) -> None:
    """A test that nothing measured has its verdict and no joules: absent is not zero."""
    over.replay({"test_within": TEN_J})
    over.run("--junitxml=junit.xml")
    counts, properties, _ = junit(over)
    assert counts["failures"] == 0
    assert properties["test_over"] == {"energy_verdict": "unmeasured"}


def test_junit_says_a_repeated_test_once(over: Project) -> None:
    """A test that another plugin runs again has the properties of its last run alone."""
    over.write(
        "from _pytest.runner import runtestprotocol\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    runtestprotocol(item, log=False, nextitem=nextitem)\n"
        "    item._initrequest()\n",
        name="conftest.py",
    )
    over.replay({"test_over": [10.0] * 40, "test_within": [10.0] * 40})
    run = over.run("--junitxml=junit.xml")
    _, properties, failed = junit(over)
    assert failed == ["test_over"]
    assert properties["test_over"]["energy_verdict"] == run.verdict("test_over") == "over-budget"
