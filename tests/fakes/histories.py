"""A history of commits without git, and comparisons whose outcome is known."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_energy.ab.comparison import Choice, ComparisonPlan
from pytest_energy.ab.judge import Problem
from pytest_energy.bisect.bisection import Compared
from pytest_energy.errors import EnergyError
from pytest_energy.judgement import Judgement


@dataclass(frozen=True, slots=True)
class Graph:
    """A history: each commit with its parents, a commit after those."""

    parents: Mapping[str, tuple[str, ...]]

    @classmethod
    def line(cls, count: int) -> "Graph":
        """`0` and *count* commits after it, one after the other."""
        before = {number: (str(number - 1),) if number else () for number in range(count + 1)}
        return cls({str(number): parents for number, parents in before.items()})

    def ancestors(self, name: str) -> frozenset[str]:
        """The commit itself and all before it."""
        found, left = set[str](), [name]
        while left:
            one = left.pop()
            if one not in found:
                found.add(one)
                left += self.parents[one]
        return frozenset(found)

    def candidates(self, good: Collection[str], bad: str) -> tuple[str, ...]:
        """As `git rev-list --bisect-all` has them."""
        known = frozenset[str]().union(*map(self.ancestors, good))
        open_ = self.ancestors(bad) - known

        def distance(name: str) -> int:
            count = len(self.ancestors(name) & open_)
            return min(count, len(open_) - count)

        return tuple(sorted(open_ - {bad}, key=lambda name: (-distance(name), name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a comparison is known to find."""

    judgements: Sequence[Judgement] = ()
    problems: Sequence[Problem] = ()
    shared_modules: Sequence[str] = ()


@dataclass(slots=True)
class KnownComparer:
    """Compares commits by what is known of them: a result, and perhaps one of twice the rounds.

    Attributes:
        results: Commit to its results, or to the error that it fails with.
        plans: Of each comparison so far.
        extended: Commits that were given twice the rounds.
    """

    results: Callable[[str], EnergyError | tuple[Result, ...]]
    plans: list[ComparisonPlan] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)

    def compare(
        self, commit: str, plan: ComparisonPlan, choice: Choice, is_enough: Callable[[Compared], bool]
    ) -> Result:
        self.plans.append(plan)
        results = self.results(commit)
        if isinstance(results, EnergyError):
            raise results
        first, *more = (self._chosen(result, choice) for result in results)
        if is_enough(first):
            return first
        self.extended.append(commit)
        return more[0] if more else first

    def _chosen(self, result: Result, choice: Choice) -> Result:
        chosen = choice([one.record.test_id for one in result.judgements] or ["t.py::test_work"])
        judgements = [one for one in result.judgements if one.record.test_id in chosen]
        return Result(judgements=judgements, problems=result.problems, shared_modules=result.shared_modules)
