"""The audit of dependencies: what fails it, and what is only told."""

import json

import pytest

from tests.release import audit


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def package(*vulnerabilities: dict[str, object], name: str = "numpy") -> dict[str, object]:
    return {"name": name, "version": "2.1.0", "vulns": list(vulnerabilities)}


def test_nothing_known_is_told_with_how_many_were_asked_about() -> None:
    """No answer about nothing would pass for a good one."""
    answer = audit.answer_of(report(package(), package(name="pytest")))
    assert answer == audit.Answer(lines=("vulnerabilities: 0 known, of 2 packages asked about",))


@pytest.mark.parametrize(
    ("releases", "remedy"),
    [(["2.1.1", "2.2"], "mended in 2.1.1, 2.2: take that"), ([], "no release mends it")],
)
def test_what_a_release_mends_fails(releases: list[str], remedy: str) -> None:
    """A vulnerability is told with its remedy, and fails where there is one."""
    answer = audit.answer_of(report(package({"id": "CVE-2026-1", "fix_versions": releases}), package()))
    assert answer.lines[0] == f"VULNERABLE: numpy 2.1.0: CVE-2026-1, {remedy}"
    assert answer.lines[1] == "vulnerabilities: 1 known, of 2 packages asked about"
    assert answer.is_failing == bool(releases)


def test_a_package_that_nobody_knows_is_no_good_one() -> None:
    """Who was not asked about is named, and no failure."""
    answer = audit.answer_of(report(package(), {"name": "torch", "skip_reason": "Dependency not found"}))
    assert answer.lines == (
        "vulnerabilities: 0 known, of 1 packages asked about",
        "not known, no service answered about 1: torch",
    )
    assert not answer.is_failing


@pytest.mark.parametrize("answer", ["", report({"name": "torch", "skip_reason": "Dependency not found"})])
def test_no_answer_is_told(answer: str) -> None:
    """Without a network there is no report, or one that knows no package."""
    assert audit.answer_of(answer) == audit.Answer(lines=("vulnerabilities: not known, no service answered",))


def test_what_a_package_needs_is_asked_about_as_well() -> None:
    """A vulnerability comes along with what nobody has named; what isn't installed can have none."""
    versions = audit.installed(["pytest", "no-such-package"])
    assert {"pytest", "pluggy", "iniconfig", "packaging"} <= versions.keys()
    assert "no-such-package" not in versions
