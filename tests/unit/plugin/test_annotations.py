"""Workflow commands: which test gets one, where it points, and what no text can break out of."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.judgement import Brief, Judgement, Verdict
from pytest_energy.plugin.ci import annotations
from pytest_energy.plugin.reports import failure_lines
from tests.builders import record

ROOT = Path("/checkout/package")
ON_GITHUB = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": "/checkout"}


Reported = tuple[pytest.TestReport, Judgement]


def report(
    *,
    outcome: str = "failed",
    is_failing: bool = True,
    reason: str = "up",
    brief: Brief | None = None,
    file: str = "tests/test_a.py",
    line: int | None = 41,
    name: str = "test_a",
) -> Reported:
    made = pytest.TestReport(
        nodeid=f"{file}::{name}",
        location=(file, line, name),
        keywords={},
        outcome=outcome,  # type: ignore[arg-type]  # one of pytest's three words
        longrepr=None,
        when="call",
    )
    vars(made)["energy"] = {"is_failing": is_failing}
    return made, Judgement(
        record=record(), verdict=Verdict.REGRESSION, reason=reason, brief=brief, outcome=outcome
    )


def command(made: Reported, environ: dict[str, str] = ON_GITHUB) -> str:
    (only,) = annotations([made], root=ROOT, environ=environ)
    return only


def unescaped(text: str) -> str:
    for code, char in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_an_error_at_the_tests_line() -> None:
    """The command holds the file as the checkout knows it, the line from 1 on, verdict and reason."""
    assert command(report()) == (
        "::error file=package/tests/test_a.py,line=42,title=energy regression%3A test_a::up"
    )


def test_what_the_runner_would_read_is_escaped() -> None:
    """Percent and line ends in the message, colons and commas in properties too."""
    brief = Brief(headline="+10 %: a, b", cause="why")
    made = report(
        reason="+10 %: a, b\n  why\n  more", brief=brief, name="t[x,y::z]", file="a,b.py", line=None
    )
    assert command(made) == (
        "::error file=package/a%2Cb.py,title=energy regression%3A t[x%2Cy%3A%3Az]::"
        "+10 %25: a, b%0Awhy%0A-v shows the rest"
    )


@given(reason=st.text(max_size=200), name=st.text(max_size=50))
def test_no_text_makes_a_second_command(reason: str, name: str) -> None:
    """Whatever a test's name and reason hold, there is one line, and both can be read back."""
    made = report(reason=reason, name=name)
    line = command(made)
    assert "\n" not in line
    assert "\r" not in line
    properties, message = line.removeprefix("::error ").split("::", maxsplit=1)
    file, number, title = properties.split(",")
    assert (file, number) == ("file=package/tests/test_a.py", "line=42")
    assert unescaped(title) == f"title=energy regression: {name}"
    assert unescaped(message) == "\n".join(failure_lines(made[1]))


@pytest.mark.parametrize(
    ("outcome", "is_failing"),
    [
        pytest.param("passed", False, id="a verdict that passes"),
        pytest.param("skipped", True, id="an expected failure"),
        pytest.param("failed", False, id="a failure that is not one of energy"),
    ],
)
def test_only_what_energy_has_failed(outcome: str, is_failing: bool) -> None:  # noqa: FBT001
    """There is no error where nothing failed, or where something else did."""
    made = report(outcome=outcome, is_failing=is_failing)
    assert list(annotations([made], root=ROOT, environ=ON_GITHUB)) == []


@pytest.mark.parametrize("environ", [{}, {"GITHUB_ACTIONS": "false"}])
def test_nothing_outside_github_actions(environ: dict[str, str]) -> None:
    """Another log shows no commands that nobody reads."""
    assert list(annotations([report()], root=ROOT, environ=environ)) == []


@pytest.mark.parametrize("workspace", [None, "", "/elsewhere"])
def test_a_file_outside_the_checkout_keeps_its_whole_path(workspace: str | None) -> None:
    """Where no checkout holds the file, its path is told as it is."""
    environ = {"GITHUB_ACTIONS": "true"} | ({} if workspace is None else {"GITHUB_WORKSPACE": workspace})
    assert "file=/checkout/package/tests/test_a.py," in command(report(), environ)


def test_a_folder_above_the_root_is_followed() -> None:
    """A test outside pytest's root directory is still found in the checkout."""
    assert "file=other/test_a.py," in command(report(file="../other/test_a.py"))


def test_a_link_in_the_checkout_keeps_its_name(tmp_path: Path) -> None:
    """GitHub knows a linked test file by the link, and a linked checkout by where it leads."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (tmp_path / "real.py").touch()
    (checkout / "test_a.py").symlink_to(tmp_path / "real.py")
    (tmp_path / "link").symlink_to(checkout)
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path / "link")}
    (line,) = annotations([report(file="test_a.py")], root=checkout, environ=environ)
    assert line.startswith("::error file=test_a.py,")


def test_a_long_reason_is_cut() -> None:
    """A message stays readable, however long a reason is."""
    assert len(command(report(reason="x" * 100_000))) < 5_000
