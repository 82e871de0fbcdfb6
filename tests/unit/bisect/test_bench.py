"""The tree of a commit: checked out, completed from the working tree, built."""

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_energy.ab.side import SideEnded
from pytest_energy.ab.worktree import resolve
from pytest_energy.bisect.bench import Setup
from pytest_energy.errors import SettingsError
from tests.unit.ab.test_worktree import trees
from tests.unit.bisect.conftest import Project


def setup(project: Project, *copies: str, build: str = "", folder: str = ".") -> Setup:
    return Setup(
        root=project.root,
        folder=Path(folder),
        copies=tuple(map(Path, copies)),
        build=build,
        logs=project.root.parent,
    )


def test_a_tree_is_the_commits(project: Project) -> None:
    """Nothing else is in it, and it is gone afterwards."""
    project.commits("one", "two")
    (project.root / "new.py").write_text("not committed")
    with setup(project).tree(resolve(project.root, "HEAD~1")) as tree:
        assert (tree.root / "work.py").read_text() == "one"
        assert not (tree.root / "new.py").exists()
    assert trees(project.root) == 1


def test_copies_replace_what_the_commit_has(project: Project) -> None:
    """Files and folders, as they are in the working tree now."""
    project.commits("one", "two")
    (project.root / "work.py").write_text("changed")
    (project.root / "tests" / "deep").mkdir(parents=True)
    (project.root / "tests" / "deep" / "test_new.py").write_text("new")
    with setup(project, "work.py", "tests").tree(resolve(project.root, "HEAD~1")) as tree:
        assert (tree.root / "work.py").read_text() == "changed"
        assert (tree.root / "tests" / "deep" / "test_new.py").read_text() == "new"


def test_a_build_runs_in_the_commits_tree(project: Project) -> None:
    project.commit("one")
    with setup(project, build="cp work.py built.py && pwd > place").tree(
        resolve(project.root, "HEAD")
    ) as tree:
        assert (tree.root / "built.py").read_text() == "one"
        assert (tree.root / "place").read_text().strip() == str(tree.root)
    assert not (project.root / "built.py").exists()


def test_a_build_that_fails_is_an_error_with_its_output(project: Project) -> None:
    """The status and the last lines; the tree is gone."""
    project.commit("one")
    revision = resolve(project.root, "HEAD")
    with (
        pytest.raises(SideEnded, match="exit status 3") as failed,
        setup(project, build="echo no compiler >&2; exit 3").tree(revision),
    ):
        pass
    assert "  | no compiler" in str(failed.value)
    assert trees(project.root) == 1


def test_nothing_of_a_build_outlives_it(project: Project) -> None:
    """What it leaves running in its group is ended."""
    project.commit("one")
    build = "sleep 60 & echo $! > pid"
    with setup(project, build=build).tree(resolve(project.root, "HEAD")) as tree:
        process_id = int((tree.root / "pid").read_text())
        deadline_s = time.monotonic() + 60
        while is_alive(process_id) and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert not is_alive(process_id)


def is_alive(process_id: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent doesn't."""
    with suppress(OSError):
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
        os.kill(process_id, 0)
        return state != "Z"
    return False


def test_a_commit_without_the_folder_is_refused(project: Project) -> None:
    """Where the command was started; the working tree has it."""
    project.commit("one")
    (project.root / "new").mkdir()
    revision = resolve(project.root, "HEAD")
    with pytest.raises(SettingsError, match="has no folder new"), setup(project, folder="new").tree(revision):
        pass
    assert trees(project.root) == 1
