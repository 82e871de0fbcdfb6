"""What a run shows of itself: short by default, whole when asked, nothing unasked."""

import pytest

from pytest_energy.plugin import progress
from tests.plugin.conftest import Project

PHASES = """
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_work(energy, name):
    energy.measure(sum, [1, 2])
"""


@pytest.fixture
def three(project: Project) -> Project:
    project.write(PHASES)
    project.replay({f"test_work[{name}]": [10.0, 10.1, 9.9] for name in "abc"})
    return project


def lines_of(project: Project, *options: str) -> list[str]:
    """From the title of our section to pytest's last line."""
    lines = project.run("--energy-baseline=off", *options).result.outlines
    start = next((place for place, line in enumerate(lines) if " energy ===" in line), 0)
    return lines[start:]


def test_a_log_names_the_file_again(three: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a line of ours the results of a file's tests go on after its name."""
    monkeypatch.setattr(progress, "_LOG_S", 0.0)
    lines = three.run("--energy-baseline=off").result.outlines
    results = [line.partition("[")[0].strip() for line in lines if line.startswith("test_work.py")]
    assert sum(line.startswith("energy: 1 of 3 tests") for line in lines) > 0
    assert not any(line.startswith(".") for line in lines)
    assert "".join(line.removeprefix("test_work.py").strip() for line in results) == "..."


def test_the_table_comes_last(three: Project) -> None:
    """Files and notes are named above it, so that the last screen of a run is the tests'."""
    lines = lines_of(three, "--energy-report")
    assert lines[-2].startswith("test_work.py::test_work[c]")
    assert any(line.startswith("energy: summary written to ") for line in lines)
    assert not any(line.startswith(("sensors", "machine", "why")) for line in lines)


@pytest.mark.parametrize("options", [["--energy-report=full"], ["--energy-report", "-v"]])
def test_all_of_it_when_asked(three: Project, options: list[str]) -> None:
    """Sensors and machine too, and the table is still last."""
    lines = lines_of(three, *options)
    assert {"sensors", "machine"} < {*lines}
    assert lines[-2].startswith("test_work.py::test_work[c]")


def test_the_option_takes_no_path(three: Project) -> None:
    """`pytest --energy-report tests` reports on tests."""
    run = three.run("--energy-report", "test_work.py")
    assert len(run.ids) == 3
    run = three.run("--energy-report=full", "test_work.py")
    assert len(run.ids) == 3


def test_another_value_is_refused_in_our_words(three: Project) -> None:
    """Before the tests, with the value and what is right."""
    run = three.run("--energy-report=fulll")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--energy-report must be given alone or as --energy-report=full. Got 'fulll'." in run.text


def test_the_file_has_the_same_values(three: Project) -> None:
    """`energy_report = full` is the option's twin; the command line wins."""
    (three.path / "pytest.ini").write_text("[pytest]\nenergy_report = full\n", encoding="utf-8")
    assert "machine" in lines_of(three)
    assert "machine" not in lines_of(three, "--energy-report")


def test_verdicts_have_colours_on_a_terminal_only(three: Project) -> None:
    """pytest's writer decides: never in a pipe, on request, and not under NO_COLOR."""
    assert "\x1b" not in "\n".join(lines_of(three, "--energy-report"))
    painted = lines_of(three, "--energy-report", "--color=yes")
    assert painted[-2].endswith("  \x1b[36mno-baseline\x1b[0m")


def test_without_the_report_the_reason_is_named(project: Project) -> None:
    """One line of verdicts, one on why there are no joules."""
    project.write(PHASES)
    project.replay({"other": [1.0]})
    lines = lines_of(project)
    assert "energy: 3 unmeasured (--energy-report shows the joules)" in lines
    assert any(line.startswith("energy: unmeasured: ") for line in lines)


def test_what_is_true_of_many_tests_is_one_line(project: Project) -> None:
    """Refusals of a baseline and warnings: one for all tests that differ in quantities alone."""
    project.write(
        "@pytest.mark.parametrize('n', range(12))\n"
        "@pytest.mark.energy(budget_j='1 J', rounds=3)\n"
        "def test_work(energy, n):\n    energy.measure(sum, [1, 2])\n"
    )
    project.replay({"other": [1.0]})
    run = project.run("--energy-report", "--energy-baseline=add")
    refused = [line for line in run.text.splitlines() if "no baseline written for" in line]
    assert len(refused) == 1
    assert "test_work.py::test_work[2] and 9 more: " in refused[0]
    assert "test_work.py: 12 warnings" in run.text
    assert run.text.count("energy not checked against its budget") == 1
