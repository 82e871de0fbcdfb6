"""The search for the first bad commit. Pure: git lists the commits, a function judges one.

Rule 1: as in `git bisect`: what a good commit contains is good, and what no good commit contains may be bad.
Rule 2: a commit that can't be judged is skipped. Skipped commits that may be the first bad one are suspects
    beside it, never silently left out.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class Answer(StrEnum):
    """What a step found."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


class Commits(Protocol):
    """A history."""

    def candidates(self, good: Collection[str], bad: str) -> Sequence[str]:
        """Commits before *bad* that no *good* one contains, the one that halves them best first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The commits of a history that are judged so far.

    Attributes:
        good: Commits that are good.
        bad: The bad commit that all suspects lead to.
        skipped: Commits that could not be judged.
    """

    good: tuple[str, ...]
    bad: str
    skipped: frozenset[str] = frozenset()

    def after(self, commit: str, answer: Answer) -> "Frontier":
        """The same with one more *commit* judged."""
        if answer is Answer.GOOD:
            return replace(self, good=(*self.good, commit))
        if answer is Answer.BAD:
            return replace(self, bad=commit)
        return replace(self, skipped=self.skipped | {commit})

    def suspects(self, commits: Commits) -> tuple[str, ...]:
        """The bad commit, and every other that may be the first bad one."""
        return (self.bad, *commits.candidates(self.good, self.bad))

    def to_judge(self, commits: Commits) -> tuple[str, ...]:
        """Commits that another step may judge, the best first."""
        return tuple(one for one in commits.candidates(self.good, self.bad) if one not in self.skipped)


def most_steps(commit_count: int) -> int:
    """Steps that halving takes at most to find one of *commit_count* commits, or that it is none of them.

    >>> [most_steps(count) for count in (0, 1, 3, 11)]
    [0, 1, 2, 4]
    """
    return commit_count.bit_length()


def search(
    commits: Commits,
    frontier: Frontier,
    judge: Callable[[str, int], Answer],
    keep: Callable[[Frontier], None],
) -> Frontier:
    """Judge commits until no more can be.

    Args:
        commits: The history.
        frontier: What is known before.
        judge: Receives a commit and how many steps there will be at most, with this one.
        keep: Receives what is known after each step.
    """
    while left := frontier.to_judge(commits):
        frontier = frontier.after(left[0], judge(left[0], most_steps(len(left))))
        keep(frontier)
    return frontier
