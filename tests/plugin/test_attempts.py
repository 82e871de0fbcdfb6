"""`--energy-attempts`: runs of one commit, one after the other."""

import json
from pathlib import Path

import pytest

from tests.fakes import faulty_disk
from tests.plugin.conftest import Project, Run
from tests.unit.ab.test_worktree import git

STEADY = (0.99, 1.0, 1.01, 0.995, 1.005)


@pytest.fixture
def committed(project: Project) -> Project:
    """A project with a baseline of 10 J, committed."""
    project.write("@pytest.mark.energy\ndef test_work(energy):\n    energy.measure(sum, [1, 2])\n")
    git(project.path, "init", "-q", "-b", "main")
    (project.path / ".gitignore").write_text("*\n!test_work.py\n")
    git(project.path, "add", "test_work.py")
    git(project.path, "commit", "-qm", "work")
    tried(project, "--energy-baseline=add")
    return project


def tried(project: Project, *options: str) -> Run:
    """One try; each uses 10 J."""
    project.replay({"test_work": [10 * share for share in STEADY]})
    return project.run(*options)


def notes(run: Run) -> list[str]:
    """What the run's document says of the run itself."""
    assert run.document is not None, run.text
    return list(run.document.get("run_notes", ()))


def kept(project: Project, folder: str = "tries") -> list[Path]:
    return sorted((project.path / folder).glob("*.json"))


def test_each_try_is_kept_and_counted(committed: Project) -> None:
    """The first is only kept; later ones say with how many they are judged."""
    first, second, third = (tried(committed, "--energy-attempts=tries") for _ in range(3))
    assert notes(first) == []
    assert notes(second) == ["attempt 2 of this commit: judged with the one before it"]
    assert notes(third) == ["attempt 3 of this commit: judged with the 2 before it"]
    stored = {json.loads(path.read_text())["tests"][0]["session"] for path in kept(committed)}
    assert stored == {run.test()["session"] for run in (first, second, third)}
    assert len(stored) == 3
    assert f"energy: attempt kept as {committed.path / 'tries'}" in third.text


def test_another_commit_begins_anew(committed: Project) -> None:
    """Tries of other code say nothing of this one."""
    tried(committed, "--energy-attempts=tries")
    git(committed.path, "commit", "-qm", "other", "--allow-empty")
    assert notes(tried(committed, "--energy-attempts=tries")) == []


def test_tries_that_were_not_kept_are_named(committed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """CI counts its tries; what they measured is gone unless somebody kept it."""
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")
    (note,) = notes(tried(committed))
    assert note.startswith("attempt 2 of this commit: the joules of the first were not kept, so this verdict")
    assert kept(committed) == []


def test_a_run_that_compares_nothing_has_no_tries(
    committed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a baseline there is no verdict to forget anything."""
    monkeypatch.setenv("GITHUB_RUN_ATTEMPT", "2")
    assert notes(tried(committed, "--energy-baseline=off")) == []


def test_a_try_that_can_not_be_read_stops_the_run(committed: Project) -> None:
    """Its joules would be forgotten in silence."""
    tried(committed, "--energy-attempts=tries")
    (path,) = kept(committed)
    path.write_text("{")
    run = tried(committed, "--energy-attempts=tries")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--energy-attempts: {path} can't be read as a run: " in run.text
    assert "delete it; later verdicts then don't include its joules" in run.text


@pytest.mark.parametrize("name", ["file", "file/tries", "nowhere", "nowhere/tries"])
def test_a_folder_that_can_not_be_made(committed: Project, name: str) -> None:
    """The run stops before its tests: earlier tries may be missing, and the next would forget this one."""
    (committed.path / "file").write_text("mine")
    (committed.path / "nowhere").symlink_to("elsewhere")
    run = tried(committed, f"--energy-attempts={name}")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    place = committed.path / name.partition("/")[0]
    assert f"--energy-attempts: a run in {committed.path / name} can't be written: {place} is not" in run.text


def test_a_try_that_can_not_be_kept(committed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run says so and fails: the next try would forget this one."""
    faulty_disk.refuse(monkeypatch, "/tries/")
    run = tried(committed, "--energy-attempts=tries")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: the report" in run.text
    assert "can't be written: Input/output error" in run.text
