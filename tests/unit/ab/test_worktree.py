"""A second tree of a real repository, and that nothing is left of it."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from pytest_energy.ab.worktree import Revision, repository_root, resolve, without_git_variables, worktree
from pytest_energy.errors import SettingsError


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(  # noqa: S603  # fixed words
        ["git", *identity, *words],  # noqa: S607  # whichever git there is
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose file `work.py` says 1 in `HEAD~1` and 2 in `HEAD`."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for number in (1, 2):
        (root / "work.py").write_text(f"{number}\n")
        git(root, "add", "-A")
        git(root, "commit", "-qm", f"number {number}")
    return root


def trees(root: Path) -> int:
    return len(git(root, "worktree", "list").splitlines())


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, this test's own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def assert_nothing_left(root: Path) -> None:
    assert trees(root) == 1
    assert list(Path(tempfile.gettempdir()).iterdir()) == []


def test_it_holds_the_revisions_files(root: Path) -> None:
    """The older file is there, outside the working tree, which stays as it is; afterwards nothing is left."""
    with worktree(root, resolve(root, "HEAD~1")) as path:
        assert (path / "work.py").read_text() == "1\n"
        assert not path.is_relative_to(root)
        assert trees(root) == 2
    assert (root / "work.py").read_text() == "2\n"
    assert_nothing_left(root)


def test_an_exception_removes_it(root: Path) -> None:
    """Also with files that the tests have left in it."""

    def fail() -> None:
        with worktree(root, resolve(root, "HEAD")) as path:
            (path / "left").mkdir()
            (path / "left" / "behind").write_text("x")
            raise RuntimeError("the work broke")

    with pytest.raises(RuntimeError, match="the work broke"):
        fail()
    assert_nothing_left(root)


def test_a_signal_while_it_is_made_waits(root: Path) -> None:
    """Ctrl-C in the middle of git's work comes when the tree is whole, and it is removed."""
    was = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's job in the background ignores it
    hook = root / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def interrupted() -> None:
        with worktree(root, resolve(root, "HEAD")) as path:
            assert not (path / "ran").exists(), "the repository's hooks are not ours to run"
            os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, was)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert_nothing_left(root)


def test_a_temporary_folder_inside_the_tree_is_not_taken(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where TMPDIR lies in the working tree the repository's parent is taken."""
    (root / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(root / "tmp"))
    with worktree(root, resolve(root, "HEAD")) as path:
        assert path.parent.parent == root.parent
    assert sorted(one.name for one in root.parent.iterdir()) == ["project", "temporary"]


@pytest.mark.parametrize("name", ["nowhere", "", "--all", "-h", "HEAD:work.py", "a b", "HEAD^{tree}"])
def test_a_name_of_no_commit_is_an_error(root: Path, name: str) -> None:
    """An unknown or odd name is refused, and never taken for an option."""
    with pytest.raises(SettingsError, match="is no branch, tag or commit of"):
        resolve(root, name)


def test_a_folder_without_git_is_an_error(tmp_path: Path) -> None:
    """What is no repository has no other revision."""
    with pytest.raises(SettingsError, match=r"is not in a git working tree.*git reports: ."):
        repository_root(tmp_path)


def test_the_root_is_found_from_below(root: Path) -> None:
    """The command may be started in any folder."""
    below = root / "a" / "b"
    below.mkdir(parents=True)
    assert repository_root(below) == root.resolve()


def test_a_tree_that_can_not_be_made_is_an_error(root: Path) -> None:
    """What git says is told, and nothing is left."""
    with (
        pytest.raises(SettingsError, match=r"can't be checked out to .* git reports: ."),
        worktree(root, Revision(name="gone", commit="0" * 40)),
    ):
        pass
    assert_nothing_left(root)


def test_git_that_is_not_there_is_an_error(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git the message says what to install."""
    monkeypatch.setenv("PATH", str(root))
    with pytest.raises(SettingsError, match="git can't be run: No such file or directory; install it"):
        repository_root(root)


@pytest.mark.parametrize(
    ("name", "text"), [("main", "main (0123456)"), ("0123456", "0123456"), ("01234567", "0123456")]
)
def test_a_commit_by_its_own_name_is_said_once(name: str, text: str) -> None:
    """A branch is shown with its commit; a commit is not shown twice."""
    assert Revision(name=name, commit="0123456789" * 4).text == text


def test_a_calling_git_is_forgotten() -> None:
    """In a git hook the variables of its repository don't reach ours."""
    environ = {"GIT_DIR": "/x", "GIT_INDEX_FILE": "/y", "GIT_AUTHOR_NAME": "n", "PATH": "/bin"}
    assert without_git_variables(environ) == {"GIT_AUTHOR_NAME": "n", "PATH": "/bin"}
