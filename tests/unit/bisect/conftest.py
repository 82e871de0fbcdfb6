"""A repository of its own for each test."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.ab.test_worktree import git


class Project:
    """A repository whose commits change one file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        git(root, "init", "-q", "-b", "main")

    def commit(self, subject: str) -> str:
        """Name of a new commit with that message; the file `work.py` holds it."""
        return self.commits(subject)[0]

    def commits(self, *messages: str) -> Sequence[str]:
        """Names of new commits on the branch that is checked out, one after the other."""
        branch = git(self.root, "symbolic-ref", "HEAD")
        before = git(self.root, "for-each-ref", "--format=%(objectname)", branch)
        texts = [
            _commit_text(branch, message, before * (not number)) for number, message in enumerate(messages)
        ]
        subprocess.run(
            ["git", "fast-import", "--quiet"],  # noqa: S607  # whichever git there is
            cwd=self.root,
            input="".join(texts).encode(),
            check=True,
        )
        git(self.root, "reset", "-q", "--hard")
        return git(self.root, "rev-list", "--reverse", f"-n{len(messages)}", "--first-parent", "HEAD").split()

    def merge(self, branch: str) -> str:
        """Name of a commit that merges *branch*, of which nothing is taken."""
        git(self.root, "merge", "-q", "--no-ff", "-s", "ours", "-m", f"merge {branch}", branch)
        return git(self.root, "rev-parse", "HEAD")


def _commit_text(branch: str, message: str, before: str) -> str:
    """A commit that puts its message into `work.py`, for `git fast-import`."""
    words = f"data {len(message.encode())}\n{message}\n"
    parent = f"from {before}\n" if before else ""
    head = f"commit {branch}\ncommitter n <n@example.org> 1764000000 +0000\n"
    return f"{head}{words}{parent}M 644 inline work.py\n{words}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")
