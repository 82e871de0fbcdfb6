"""Life inside pytest: a failing verdict is a failing test, for every way that pytest is run."""

import xml.etree.ElementTree as ET

import pytest

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


@pytest.fixture
def over(project: Project) -> Project:
    project.write(OVER)
    project.replay({"test_over": TEN_J, "test_within": TEN_J})
    return project


def test_two_workers_judge_and_the_controller_writes(over: Project) -> None:
    """Under `-n2` the verdicts, the exit code, the outputs and the baselines are those of one process."""
    run = over.run("-n2", "--energy-baseline=add", "--energy-report", subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(passed=1, failed=1)
    assert {name: run.verdict(name) for name in ("test_over", "test_within")} == {
        "test_over": "over-budget",
        "test_within": "pass",
    }
    assert [path.name for path in over.baseline_paths] == ["test_within.json"]
    assert "% of the budget: " in run.text


def test_two_workers_stop_on_a_wrong_marker(over: Project) -> None:
    """A marker that is wrong is named under `-n2` too, and no energy test's body runs."""
    over.write(
        "@pytest.mark.energy(bugdet_j=1)\ndef test_work():\n    open('ran', 'w').close()\n"
        "@pytest.mark.energy(budget_j=1)\ndef test_other():\n    open('ran', 'w').close()\n"
    )
    run = over.run("-n2", subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(errors=2)
    assert "bugdet_j" in run.text
    assert "INTERNALERROR" not in run.text
    assert not (over.path / "ran").exists()
    assert run.ids == []


def test_an_expected_failure_may_be_one_of_energy(over: Project) -> None:
    """`xfail` covers a failing verdict as it covers any failure; strict xfail fails when the budget holds."""
    over.write(OVER.replace("@pytest.mark.energy", "@pytest.mark.xfail(strict=True)\n@pytest.mark.energy"))
    run = over.run()
    run.result.assert_outcomes(xfailed=1, failed=1)
    assert run.verdict("test_over") == "over-budget"


def test_first_failure_stops(over: Project) -> None:
    """`-x` stops at a failing verdict."""
    run = over.run("-x")
    run.result.assert_outcomes(failed=1)
    assert [test["id"] for test in (run.document or {})["tests"]] == ["test_work.py::test_over"]


def test_last_failed_runs_it_again(over: Project) -> None:
    """`--lf` selects what failed by its energy."""
    over.run()
    run = over.run("--lf")
    run.result.assert_outcomes(failed=1)
    assert "rerun previous 1 failure" in run.text


def test_no_cache_is_needed(over: Project) -> None:
    """Without pytest's cache everything works."""
    run = over.run("-p", "no:cacheprovider")
    run.result.assert_outcomes(passed=1, failed=1)
    assert run.verdict("test_over") == "over-budget"


def test_junit_counts_the_failure_and_carries_the_joules(over: Project) -> None:
    """In JUnit XML a failing verdict is a failure, with joules and verdict as properties."""
    over.run("--junitxml=junit.xml")
    suite = ET.parse(over.path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors"), suite.get("tests")) == ("1", "0", "2")
    properties = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in suite.iter("testcase")
    }
    assert properties["test_over"]["energy_verdict"] == "over-budget"
    assert float(properties["test_over"]["energy_j"] or "nan") == pytest.approx(10)
    assert properties["test_within"]["energy_verdict"] == "pass"


def test_a_real_failure_is_not_masked(over: Project) -> None:
    """An assertion that fails is what is reported; energy says nothing of a test that did not pass."""
    over.write(OVER.replace("energy.measure(lambda: None)", "energy.measure(lambda: None); assert 1 == 2"))
    run = over.run()
    run.result.assert_outcomes(failed=2)
    assert "assert 1 == 2" in run.text
    assert "over-budget" not in run.text


def test_a_skipped_test_has_no_joules(over: Project) -> None:
    """A test that skips itself is skipped, not judged."""
    over.write("@pytest.mark.energy(budget_j=8)\ndef test_over(energy):\n    pytest.skip('not here')\n")
    run = over.run()
    run.result.assert_outcomes(skipped=1)
    assert run.ids == []


def test_parametrised_tests_are_judged_one_by_one(project: Project) -> None:
    """Each parameter set has its own joules, verdict and baseline."""
    project.write(
        "@pytest.mark.energy(budget_j=8)\n"
        "@pytest.mark.parametrize('size', ['small', 'large'])\n"
        "def test_work(energy, size):\n    energy.measure(lambda: None)\n"
    )
    project.replay({"test_work[small]": [5.0] * 5, "test_work[large]": TEN_J})
    run = project.run("--energy-baseline=add")
    assert run.verdict("test_work[small]") == "pass"
    assert run.verdict("test_work[large]") == "over-budget"
    assert len(project.baseline_paths) == 1


def test_off_runs_tests_once_and_judges_nothing(over: Project) -> None:
    """With `--energy-off` the work still runs and its result is still the test's."""
    over.write(
        "@pytest.mark.energy(budget_j=8)\n"
        "def test_over(energy):\n"
        "    done = []\n"
        "    with energy.window('part'):\n        pass\n"
        "    assert energy.measure(lambda: done.append(1) or len(done)) == 1\n"
    )
    run = over.run("--energy-off")
    run.result.assert_outcomes(passed=1)
    assert run.ids == []


def test_collect_only_opens_no_sensor(over: Project) -> None:
    """Listing tests reads no baseline and writes nothing."""
    (over.path / "baselines").write_text("", encoding="utf-8")
    run = over.run("--collect-only")
    assert run.result.ret == 0


def test_report_log_dicts_are_plain(over: Project) -> None:
    """What a test's report carries is made of JSON's own kinds, whatever transports it."""
    over.write(OVER)
    (over.path / "conftest.py").write_text(
        "import json\n"
        "def pytest_runtest_logreport(report):\n"
        "    if report.when == 'call':\n"
        "        assert json.loads(json.dumps(report.energy)) == report.energy\n",
        encoding="utf-8",
    )
    over.run().result.assert_outcomes(passed=1, failed=1)
