"""The commits at which runs were made, and the order of runs that follows from them. Pure.

Rule 1: runs are in the order of their commits where the repository has all of them, else in that of their
    times: an older commit that is measured again today belongs to its own place.
Rule 2: a commit that HEAD does not descend from, of a branch that was never merged, is shown, and no level
    rests on it.
Rule 3: links are made for hosts whose addresses are known, of names that can't be anything else.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pytest_energy.history.points import Point

SHORT_LENGTH = 7  # as git shortens a name

_NAME = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REMOTE = re.compile(
    r"(?:https?://(?:[^/@]*@)?|ssh://git@|git@)(?P<host>[a-z0-9.-]+)(?::\d+)?[:/]"
    r"(?P<path>\w[\w.-]*(?:/\w[\w.-]*)+)/?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit, for people."""

    name: str
    subject: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """The commits of a history's points.

    Attributes:
        known: Name to commit.
        ranks: Name to place, no commit before one that it descends from.
        line: Those that HEAD descends from, and HEAD.
        web: Address of the repository on its host, or empty.
        between: Names of two commits to those of the second that the first does not have, the newest first.
    """

    known: Mapping[str, Commit] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    line: frozenset[str] = frozenset()
    web: str = ""
    between: Mapping[tuple[str, str], tuple[Commit, ...]] = field(default_factory=dict)

    def ordered(self, points: Iterable[Point]) -> list[Point]:
        """*points*, the oldest first: rule 1."""
        listed = list(points)
        if all(point.commit in self.ranks for point in listed):
            return sorted(listed, key=lambda point: (self.ranks[point.commit], point.created))
        return sorted(listed, key=lambda point: point.created)

    def is_aside(self, point: Point) -> bool:
        """Whether *point* is of a commit that HEAD does not descend from: rule 2."""
        return point.commit in self.known and point.commit not in self.line

    def commit_link(self, name: str) -> str:
        """Address of the commit *name*, or empty."""
        return self._link("commit", name) if _NAME.fullmatch(name) else ""

    def compare_link(self, before: str, after: str) -> str:
        """Address of the changes from *before* to *after*, or empty."""
        is_pair = _NAME.fullmatch(before) and _NAME.fullmatch(after) and before != after
        return self._link("compare", f"{before}...{after}") if is_pair else ""

    def _link(self, kind: str, name: str) -> str:
        if not self.web:
            return ""
        return f"{self.web}/{kind}/{name}" if "//github." in self.web else f"{self.web}/-/{kind}/{name}"


NO_COMMITS = Commits()


def web_of(remote: str) -> str:
    """Address on the web of the *remote* of a repository, on GitHub or a GitLab; else empty.

    >>> web_of("git@github.com:someone/thing.git")
    'https://github.com/someone/thing'
    >>> web_of("https://user:token@gitlab.example.org/group/sub/thing.git")
    'https://gitlab.example.org/group/sub/thing'
    >>> web_of("https://example.org/thing.git")
    ''
    """
    match = _REMOTE.fullmatch(remote.strip())
    if match is None or match["host"].partition(".")[0] not in {"github", "gitlab"}:
        return ""
    return f"https://{match['host']}/{match['path'].removesuffix('.git')}"
