"""The gate from end to end: a small run, and the checks of its outputs."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.gate.endtoend import Checked, _disagreements, check_gate, expected_shares, main, table
from pytest_energy.judgement import Verdict


@pytest.fixture(scope="module", params=[4, pytest.param(20, marks=pytest.mark.slow)])
def checks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Checked]:
    """Four or twenty tests with two sessions each, unchanged, and all four or four of twenty 15 % up."""
    folder = tmp_path_factory.mktemp("gate")
    return check_gate(folder, test_count=request.param, session_count=2, changes=(0.0, 0.15))


def test_unchanged_passes_and_a_rise_fails(checks: list[Checked]) -> None:
    """Real runs of pytest fail none of the unchanged tests and all that use 15 % more."""
    unchanged, risen = checks
    assert unchanged.counts.keys() <= {Verdict.PASS, Verdict.INCONCLUSIVE}
    assert unchanged.exit_status == 0
    assert risen.counts == {Verdict.REGRESSION: len(risen.changed)}
    assert risen.other_counts.keys() <= {Verdict.PASS, Verdict.INCONCLUSIVE}
    assert risen.exit_status == 1
    assert len(unchanged.verdicts) == len(risen.verdicts) >= 4


def test_the_outputs_agree(checks: list[Checked]) -> None:
    """Session document, JUnit XML and exit status say the same of every test."""
    assert [check.disagreements for check in checks] == [(), ()]


def _junit(folder: Path, verdict: str, *, fails: bool, counted: int) -> Path:
    suites = ET.Element("testsuites")
    suite = ET.SubElement(suites, "testsuite", failures=str(counted))
    case = ET.SubElement(suite, "testcase", name="t")
    ET.SubElement(ET.SubElement(case, "properties"), "property", name="energy_verdict", value=verdict)
    if fails:
        ET.SubElement(case, "failure")
    path = folder / "junit.xml"
    ET.ElementTree(suites).write(path)
    return path


@pytest.mark.parametrize(
    ("said", "exit_status", "what"),
    [
        (("pass", True, 1), 1, "JUnit reports pass, the session document regression"),
        (("regression", False, 1), 1, "a failure in JUnit: False"),
        (("regression", True, 0), 1, "JUnit counts 0 failures"),
        (("regression", True, 1), 0, "exit status 0 with 1 failures"),
    ],
)
def test_each_disagreement_is_found(
    tmp_path: Path, said: tuple[str, bool, int], exit_status: int, what: str
) -> None:
    """One output that says something else is told, alone."""
    verdict, fails, counted = said
    path = _junit(tmp_path, verdict, fails=fails, counted=counted)
    (found,) = _disagreements({"t": Verdict.REGRESSION}, path, exit_status)
    assert what in found


def test_a_test_that_junit_lacks_is_found(tmp_path: Path) -> None:
    """Two tests in the session document and one in JUnit XML don't agree."""
    path = _junit(tmp_path, "regression", fails=True, counted=1)
    found = _disagreements({"t": Verdict.REGRESSION, "u": Verdict.PASS}, path, 1)
    assert found == ["JUnit has 1 tests, the session document 2"]


def test_the_table_has_found_and_expected() -> None:
    """Counts stand beside the simulation's, scaled to as many tests."""
    check = Checked(
        change=0.0,
        verdicts={"a": Verdict.PASS, "b": Verdict.PASS},
        changed=frozenset("ab"),
        exit_status=0,
        disagreements=(),
    )
    text = table([check], {0.0: {Verdict.PASS: 0.5, Verdict.INCONCLUSIVE: 0.5}})
    assert "2 (  1.0 +- 0.7)" in text
    assert text.splitlines()[1].endswith("0  yes")


@pytest.mark.slow
def test_the_expectation_is_the_operating_tables() -> None:
    """Shares of all verdicts add up at each change."""
    shares = expected_shares(1, (0.0, 0.15))
    assert {change: round(sum(found.values()), 9) for change, found in shares.items()} == {
        0.0: 1.0,
        0.15: 1.0,
    }
    assert shares[0.15][Verdict.REGRESSION] > 0.95


def test_odd_counts_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """No tests or no sessions are nothing to check."""
    with pytest.raises(SystemExit):
        main(["--tests=0"])
    assert "give at least 1" in capsys.readouterr().err
