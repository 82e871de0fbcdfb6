"""A second tree of the repository, beside the working tree, for as long as a block runs.

Rule 1: it is removed however the block ends: by its end, by an exception, by Ctrl-C, by SIGTERM. Only SIGKILL
    leaves it, in a temporary folder.
Rule 2: it lies outside the working tree, so that no tool which walks that tree finds it.
Rule 3: git is run without the repository's hooks and without the variables that a calling git has set.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pytest_energy.errors import SettingsError

SHORT_LENGTH = 7  # of a commit's name, as git itself shows it

_ENDING = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision as it was asked for, and the commit that it is.

    Attributes:
        name: What the user wrote: a branch, a tag, a commit.
        commit: The commit's whole name.
    """

    name: str
    commit: str

    @property
    def text(self) -> str:
        """`main (abc1234)`; a name that is the commit's own is said once."""
        short = self.commit[:SHORT_LENGTH]
        return short if self.commit.startswith(self.name) else f"{self.name} ({short})"


def without_git_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* without what a calling git (in a hook) says of its own repository."""
    return {
        name: value
        for name, value in environ.items()
        if name not in {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"}
    }


def repository_root(folder: Path) -> Path:
    """The top of the working tree that *folder* is in.

    Raises:
        SettingsError: There is none, with what git says.
    """
    done = git(folder, "rev-parse", "--show-toplevel")
    if done.returncode != 0:
        raise SettingsError(
            f"{folder} is not in a git working tree, so it has no other revision to compare with; git "
            f"reports: {git_message(done)}"
        )
    return Path(done.stdout.strip()).resolve()


def resolve(root: Path, name: str) -> Revision:
    """The commit that *name* means in the repository *root*.

    Raises:
        SettingsError: git knows no such commit.
    """
    done = git(root, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode != 0:
        raise SettingsError(
            f"{name!r} is no branch, tag or commit of {root}. {_near_text(root, name)}If it is in another "
            "repository, fetch it first."
        )
    return Revision(name=name, commit=done.stdout.strip())


def _near_text(root: Path, name: str) -> str:
    """Branches and tags that are spelt nearly like *name*, less what is appended to it: `main~3`."""
    known = ["HEAD", *git(root, "for-each-ref", "--format=%(refname:short)").stdout.split()]
    base = re.split(r"[~^@]", name, maxsplit=1)[0]
    near = [] if base in known else get_close_matches(base, known, n=3)
    return f"Did you mean {' or '.join(near)}? " if near else ""


@contextmanager
def worktree(root: Path, revision: Revision) -> Iterator[Path]:
    """The files of *revision* in a folder of their own.

    Args:
        root: Top of the working tree.
        revision: What to check out, detached.

    Raises:
        SettingsError: git can't make it, with what it says.
    """
    holder: Path | None = None
    try:
        with _uninterrupted():  # half a worktree is one that git doesn't remove
            holder = Path(tempfile.mkdtemp(prefix="pytest-energy-ab-", dir=_folder_beside(root))).resolve()
            path = holder / f"{root.name}-{revision.commit[:SHORT_LENGTH]}"
            done = git(root, "worktree", "add", "--detach", "--", str(path), revision.commit)
        if done.returncode != 0:
            raise SettingsError(
                f"{revision.text} can't be checked out to {path}; git reports: {git_message(done)}"
            )
        yield path
    finally:
        with _uninterrupted():
            if holder is not None:
                _remove(root, holder)


def _remove(root: Path, holder: Path) -> None:
    for path in holder.iterdir():
        git(root, "worktree", "remove", "--force", "--force", "--", str(path))
    shutil.rmtree(holder, ignore_errors=True)  # what git would not remove: files that the tests have locked
    git(root, "worktree", "prune")


def _folder_beside(root: Path) -> Path:
    """The folder for temporary files, or the repository's parent where that is inside the working tree."""
    folder = Path(tempfile.gettempdir()).resolve()
    return root.parent if folder.is_relative_to(root) else folder


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put SIGINT and SIGTERM off until the block has ended; what it starts doesn't see them either."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def git(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """What git answers in *folder*, whatever its exit status.

    Raises:
        SettingsError: git can't be run.
    """
    command = ["git", "-c", f"core.hooksPath={os.devnull}", "-C", str(folder), *words]
    try:
        return subprocess.run(  # noqa: S603  # fixed words, and a name that git takes as one
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            env=without_git_variables(os.environ),
        )
    except OSError as error:
        raise SettingsError(f"git can't be run: {error.strerror}; install it, or put it on PATH") from error


def git_message(done: "subprocess.CompletedProcess[str]") -> str:
    return " ".join(done.stderr.split()) or f"nothing (exit status {done.returncode})"
