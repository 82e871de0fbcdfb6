"""The commits between two revisions, as git has them.

Rule 1: nothing of the user's repository changes: no checkout, no index, no state of `git bisect`.
Rule 2: which commit halves a history, with merges too, is git's own answer (`git rev-list --bisect-all`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from pytest_energy.ab.worktree import SHORT_LENGTH, Revision, git, git_message, resolve
from pytest_energy.errors import SettingsError

_STAT_WIDTHS = "--stat=76,56,12"  # columns, columns of a file's name, files: what fits under an indent

_LOG = ("log", "-1", "--no-show-signature", "--no-color")  # whatever the user's configuration adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit, for people.

    Attributes:
        name: The whole hash.
        author_date: ISO 8601.
        subject: First line of the message.
    """

    name: str
    author_date: str
    subject: str

    @property
    def short(self) -> str:
        return self.name[:SHORT_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What lies between a good revision, which is not part of it, and a bad one, which is.

    Attributes:
        root: Top of the working tree.
        is_first_parent: Of a merge only the first parent is followed.
    """

    root: Path
    good: Revision
    bad: Revision
    is_first_parent: bool = False

    @classmethod
    def of(cls, root: Path, good: str, bad: str, *, is_first_parent: bool = False) -> "History":
        """The commits after *good* up to *bad*.

        Raises:
            SettingsError: One is no commit, or *bad* doesn't come after *good*.
        """
        before, after = resolve(root, good), resolve(root, bad)
        if before.commit == after.commit:
            raise SettingsError(
                f"GOOD {before.text} and BAD {after.text} are the same commit. Name an older commit as GOOD"
            )
        history = cls(root=root, good=before, bad=after, is_first_parent=is_first_parent)
        if not history._is_ancestor(before.commit, after.commit):
            raise SettingsError(history._no_ancestor_text())
        return history

    def candidates(self, good: Collection[str], bad: str) -> tuple[str, ...]:
        """Commits before *bad* that no *good* one contains, the one that halves them best first."""
        words = ["--first-parent"] if self.is_first_parent else []
        done = git(self.root, "rev-list", "--bisect-all", *words, bad, "--not", *good, "--")
        if done.returncode != 0:
            raise SettingsError(f"git can't list the commits up to {bad}; git reports: {git_message(done)}")
        names = [line.split()[0] for line in done.stdout.splitlines()]
        return tuple(name for name in names if name != bad)

    @property
    def is_linear(self) -> bool:
        """Whether it has no merge, so that each step halves it."""
        merges = self._line("rev-list", "--merges", "-n1", self.bad.commit, "--not", self.good.commit, "--")
        return self.is_first_parent or not merges

    def commit(self, name: str) -> Commit:
        full, author_date, subject = self._line(*_LOG, "--format=%H%x00%aI%x00%s", name, "--").split("\0")
        return Commit(name=full, author_date=author_date, subject=subject)

    def parents(self, name: str) -> tuple[str, ...]:
        return tuple(self._line(*_LOG, "--format=%P", name, "--").split())

    def diff_stat(self, before: str, after: str) -> tuple[str, ...]:
        """Changed files from commit to commit, and their sum in the last line."""
        words = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", _STAT_WIDTHS, before, after, "--")
        return tuple(line.strip() for line in git(self.root, *words).stdout.splitlines())

    def _line(self, *words: str) -> str:
        return git(self.root, *words).stdout.strip("\n")

    def _is_ancestor(self, one: str, other: str) -> bool:
        return git(self.root, "merge-base", "--is-ancestor", one, other).returncode == 0

    def _no_ancestor_text(self) -> str:
        good, bad = self.good, self.bad
        if self._is_ancestor(bad.commit, good.commit):
            return f"GOOD {good.text} comes after BAD {bad.text}. Swap them"
        text = f"GOOD {good.text} is not an ancestor of BAD {bad.text}, so no commit lies between them"
        if base := self._line("merge-base", good.commit, bad.commit):
            return f"{text}. Name their last common commit as GOOD: {base[:SHORT_LENGTH]}"
        if self._line("rev-parse", "--is-shallow-repository") == "true":
            return f"{text}. This clone is shallow. Fetch the rest of the history: git fetch --unshallow"
        return f"{text}, and they have no commit in common"
