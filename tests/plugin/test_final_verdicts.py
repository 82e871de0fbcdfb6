"""Verdicts are final at the end of a run, when all tests are judged together."""

import xml.etree.ElementTree as ET

import pytest

from tests.plugin.conftest import TWO_TESTS as TESTS
from tests.plugin.conftest import Project, Run, junit, order, rounds, suspicious

# A stand-in for the rules judges them so that each kind of change at the end is there.

TOGETHER = """
from dataclasses import replace

from pytest_energy import Verdict
from pytest_energy.plugin.run import Conclusion

def conclude(run, judgements):
    return Conclusion(
        judgements=tuple(
            replace(one, verdict=Verdict.{verdict}, reason="together it is another thing")
            if one.record.test_id.endswith("test_other") else one for one in judgements
        ),
        failure={failure!r},
        notes=("the tests were looked at together",),
    )

def pytest_configure(config):
    from pytest_energy.plugin.run import EnergyRun
    patch = pytest.MonkeyPatch()
    patch.setattr(EnergyRun, "conclude", conclude)
    config.add_cleanup(patch.undo)
"""
WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])


def together(project: Project, *options: str, verdict: str = "PASS", failure: str | None = None) -> Run:
    """A run whose `test_other` gets *verdict* at the end."""
    project.write(TOGETHER.format(verdict=verdict, failure=failure), "conftest.py")
    project.replay({"test_work": rounds(10), "test_other": rounds(10)})
    return project.run("--junitxml=junit.xml", *options, subprocess="-n2" in options)


@WORKERS
def test_a_test_that_fails_only_at_the_end_counts_once(gated: Project, workers: tuple[str, ...]) -> None:
    """It was shown as passed; at the end it is one failure, everywhere, with the reason."""
    run = together(gated, "-rA", *workers, verdict="REGRESSION")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(passed=2, failed=1)
    assert (run.verdict("test_other"), run.test("test_other")["outcome"]) == ("regression", "failed")
    assert "together it is another thing" in run.text
    assert "PASSED test_work.py::test_other" not in run.result.outlines
    cases = junit(gated.path / "junit.xml")
    assert [*cases] == ["test_work", "test_plain", "test_other"] or workers
    assert sorted(cases["test_other"]) == ["failure", "properties"]
    run = together(gated, "--lf", verdict="REGRESSION")
    run.result.assert_outcomes(failed=1)


@WORKERS
def test_a_verdict_that_changes_no_outcome_is_the_final_one(gated: Project, workers: tuple[str, ...]) -> None:
    """In JSON, JUnit XML and baselines: a test that passed before all were looked at."""
    run = together(gated, *workers, verdict="IMPROVEMENT")
    assert run.result.ret == 0
    assert run.verdict("test_other") == "improvement"
    properties = {
        case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in ET.parse(gated.path / "junit.xml").getroot().iter("testcase")
    }
    assert properties["test_other"]["energy_verdict"] == "improvement"
    assert properties["test_work"]["energy_verdict"] == "pass"
    assert run.document is not None
    assert run.document["run_notes"] == ["the tests were looked at together"]


def test_an_expected_failure_may_come_at_the_end(gated: Project) -> None:
    """A test that is expected to fail and passed fails nothing when its verdict does."""
    mark = "@pytest.mark.energy(rounds=5)\ndef test_other"
    gated.write(TESTS.replace(mark, f"@pytest.mark.xfail\n{mark}"))
    run = together(gated, verdict="REGRESSION")
    assert (run.result.ret, run.verdict("test_other")) == (0, "regression")


@WORKERS
def test_what_all_tests_have_in_common_fails_the_run_once(
    gated: Project, workers: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test fails, the run does: status 1, one line, one note in the JSON, one error in CI."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    failure = "all 2 tests +8 %: one cause"
    run = together(gated, *workers, failure=failure)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(passed=3)
    assert run.result.outlines.count(f"energy: FAILED: {failure}") == 1
    assert run.result.outlines.count("::error title=energy::all 2 tests +8 %25: one cause") == 1
    assert run.document is not None
    assert run.document["run_notes"].count(f"FAILED: {failure}") == 1


def test_other_plugins_are_asked_once_a_test(gated: Project) -> None:
    """`pytest_energy_verdict` gets the final judgement, the second run included, and may let it pass."""
    gated.write(
        "from dataclasses import replace\n"
        "from pytest_energy import Verdict\n"
        "def pytest_energy_verdict(judgement):\n"
        "    with open('asked', 'a') as file:\n"
        "        name = judgement.record.test_id.rpartition('::')[2]\n"
        "        print(name, judgement.verdict, len(judgement.record.rounds), file=file)\n"
        "    return replace(judgement, verdict=Verdict.PASS)\n",
        "conftest.py",
    )
    run = suspicious(gated, second_j=12.1)
    run.result.assert_outcomes(passed=3)
    assert run.verdict() == "pass"
    asked = (gated.path / "asked").read_text(encoding="utf-8").splitlines()
    assert asked == ["test_work regression 10", "test_other pass 5"]


def test_tests_that_can_not_be_judged_together_fail_the_run(gated: Project) -> None:
    """The gate doesn't open because the end of the run went wrong."""
    error = 'from pytest_energy.errors import BaselineError\n    raise BaselineError("it is gone")\n    '
    together(gated)
    path = gated.path / "conftest.py"
    gated.write(path.read_text().replace("    return Conclusion", f"    {error}return Conclusion"), path.name)
    gated.replay({"test_work": rounds(10), "test_other": rounds(10)})
    run = gated.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert "energy: FAILED: the tests could not be judged together: it is gone" in run.text


LATE_SUSPECT = """
def suspects(run, judgements):
    names = {one.record.test_id: one.record for one in judgements}
    other = names.get("test_work.py::test_other")
    return {} if len(names) < 2 or other.confirming_count else {other.test_id: 5}
"""


@pytest.mark.parametrize("second", ["passes", "fails"])
def test_a_test_may_be_suspect_only_when_all_have_run(gated: Project, second: str) -> None:
    """It was shown as passed; it runs once more all the same, and what comes of it is told."""
    if second == "fails":
        once = '    work("other")\n    assert Path("order").read_text().count("other") == 1'
        gated.write(TESTS.replace('    work("other")', once))
    together(gated, verdict="REGRESSION")
    (gated.path / "order").unlink()
    source = (gated.path / "conftest.py").read_text(encoding="utf-8")
    patch = '    patch.setattr(EnergyRun, "suspects", suspects)\n'
    patched = source.replace("    config.add_cleanup", f"{patch}    config.add_cleanup")
    gated.write(LATE_SUSPECT + patched, "conftest.py")
    gated.replay({"test_work": rounds(10), "test_other": [*rounds(10), *rounds(10)]})
    run = gated.run()
    run.result.assert_outcomes(passed=2, failed=1)
    assert order(gated) == ["work", "other", "plain", "other"]
    assert run.test("test_other").get("confirming_count") == (5 if second == "passes" else None)
    assert ("the second run, which should confirm it, did not pass" in run.text) is (second == "fails")
