"""The target of a search: a test, its measure that rose, and the level between good and bad. Pure.

Rule 1: a commit is bad if its level is clearly above half of the rise, good if it is clearly below.
    Where one commit is the cause every other one is at one end of the rise, so that the middle is farthest
    from both, and a step is surer than against the tolerance of a test.
Rule 2: half of a ratio's rise is its root (half of its logarithm), half of a count's is the middle.
Rule 3: what rose is followed in the figure that shows it most clearly: all joules, active joules or
    seconds; of counts the weighted work if it rose, else the first measure that did.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_energy.bisect.search import Answer
from pytest_energy.errors import Absent
from pytest_energy.judgement import Comparison, CountsComparison, Judgement, Part, Verdict
from pytest_energy.verdict.count_measures import WEIGHTED_WORK

COMPARED = frozenset({Verdict.PASS, Verdict.IMPROVEMENT, Verdict.INCONCLUSIVE, Verdict.REGRESSION})
"""Verdicts of a test whose level is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How a commit compares with the good one.

    Attributes:
        value: Ratio to the good commit; of a count, the count.
        lower: Bound of the true value, one-sided; equal to *value* where it is exact.
        upper: The same on the other side.
    """

    value: float
    lower: float
    upper: float

    @classmethod
    def exact(cls, value: float) -> "Level":
        return cls(value=value, lower=value, upper=value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A rise from the good commit to the bad one.

    Attributes:
        measure: `joules`, `work` or `waiting` (`Part`), or the name of a measure of counts.
        is_exact: It is a count.
        good: Level of the good commit.
        bad: Level of the bad commit.
        step_tolerance: Tolerance that has `ab` judge by half of the rise.
    """

    test_id: str
    measure: str
    is_exact: bool
    good: Level
    bad: Level
    step_tolerance: float

    @property
    def halfway(self) -> float:
        """The level between good and bad: rule 2."""
        return _middle(self.good.value, self.bad.value, is_exact=self.is_exact)

    @property
    def step_precision(self) -> float:
        """Half-width, in ln J, of the 95 % interval that a step's pairs are taken for.

        A quarter of the way to the middle: processes' own levels and the smaller chance of a step have to fit
        in as well.
        """
        return math.log1p(self.step_tolerance) / 4

    @property
    def clarity(self) -> float:
        """The rise over what isn't known of it."""
        unknown = math.log(self.bad.value / self.bad.lower) if self.bad.lower < self.bad.value else 0.0
        return math.inf if not unknown else math.log(self.bad.value) / unknown

    @property
    def rise_ratio(self) -> float:
        """The bad level over the good one; infinite where the good one is 0."""
        return self.bad.value / self.good.value if self.good.value else math.inf

    def share(self, before: Level, after: Level) -> float:
        """The part of the rise that lies between two commits."""
        if self.is_exact:
            return (after.value - before.value) / (self.bad.value - self.good.value)
        return math.log(after.value / before.value) / math.log(self.bad.value / self.good.value)

    def answer(self, level: Level) -> Answer | None:
        """Whether a commit at *level* is good or bad; `None` if its bounds hold the middle."""
        if level.lower >= self.halfway:
            return Answer.BAD
        return Answer.GOOD if level.upper < self.halfway else None

    def level(self, judgement: Judgement) -> Level | Absent:
        """The level of a commit that *judgement* compares with the good one."""
        if judgement.verdict not in COMPARED:
            return Absent(f"{judgement.verdict}: {judgement.reason.splitlines()[0]}")
        if self.is_exact:
            return self._counted(judgement.counts_comparison)
        levels = {} if judgement.comparison is None else dict(_levels(judgement.comparison))
        return levels.get(self.measure, Absent(f"{self.measure} can't be separated from the other joules"))

    def _counted(self, comparison: CountsComparison | None) -> Level | Absent:
        if comparison is None:
            return Absent("nothing was counted")
        if self.measure in comparison.rises:
            return Level.exact(comparison.rises[self.measure][1])
        if self.measure == WEIGHTED_WORK and comparison.weight_ratio is not None:
            return Level.exact(self.good.value * comparison.weight_ratio)
        return Level(value=self.good.value, lower=0.0, upper=self.good.value)  # it didn't rise


def target_of(judgement: Judgement) -> Target | None:
    """The rise that *judgement* of the bad commit proves, or `None`."""
    if judgement.verdict is not Verdict.REGRESSION:
        return None
    if judgement.comparison is not None:
        rises = _rises(judgement.record.test_id, judgement.comparison)
        return max(rises, key=lambda one: one.clarity, default=None)
    return None if judgement.counts_comparison is None else _risen_count(judgement)


def _middle(good: float, bad: float, *, is_exact: bool) -> float:
    return (good + bad) / 2 if is_exact else math.sqrt(good * bad)


def _levels(comparison: Comparison) -> Iterator[tuple[str, Level]]:
    """The levels of all joules and of each part."""
    lower, upper = comparison.ratio_ci
    yield Part.JOULES, Level(value=comparison.ratio, lower=lower, upper=upper)
    for one in comparison.parts:
        yield one.part, Level(value=one.ratio, lower=one.ratio_ci[0], upper=one.ratio_ci[1])


def _rises(test_id: str, comparison: Comparison) -> Iterator[Target]:
    """What is past what is allowed of it."""
    tolerance = comparison.tolerance or 0.0
    allowed = {Part.JOULES.value: 1 + tolerance} | {
        one.part.value: one.allowed_ratio for one in comparison.parts
    }
    for measure, level in _levels(comparison):
        if level.lower <= allowed[measure]:
            continue
        rise = _middle(1.0, level.value, is_exact=False) - 1
        factor = tolerance / (allowed[measure] - 1) if allowed[measure] > 1 else 1.0
        yield Target(
            test_id=test_id,
            measure=measure,
            is_exact=False,
            good=Level.exact(1.0),
            bad=level,
            step_tolerance=rise * factor,
        )


def _risen_count(judgement: Judgement) -> Target | None:
    comparison = judgement.counts_comparison
    if comparison is None or not comparison.rises:
        return None
    measure = WEIGHTED_WORK if WEIGHTED_WORK in comparison.rises else next(iter(comparison.rises))
    good, bad = map(Level.exact, comparison.rises[measure])
    return Target(
        test_id=judgement.record.test_id,
        measure=measure,
        is_exact=True,
        good=good,
        bad=bad,
        step_tolerance=0.0,
    )
