"""The steps of a bisection: the bad commit first, then the search, then what the first bad commit changed.

Rule 1: all steps together err at most with the chance that was asked for. Each step has an equal share of it,
    and each of its two looks (at the rounds that were planned, and at twice as many) a half of that.
Rule 2: every step is kept: commit, level with bounds, answer or the reason why it was skipped, seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Protocol

from pytest_energy.ab.calls import Counted
from pytest_energy.ab.comparison import Choice, ComparisonPlan
from pytest_energy.ab.judge import Problem
from pytest_energy.ab.side import SideEnded
from pytest_energy.bisect.history import Commit, History
from pytest_energy.bisect.search import Answer, Frontier, most_steps, search
from pytest_energy.bisect.target import COMPARED, Level, Target, target_of
from pytest_energy.errors import Absent, EnergyError, SettingsError
from pytest_energy.judgement import CountsComparison, Judgement, Verdict
from pytest_energy.meter.clock import Clock
from pytest_energy.verdict.policy import Policy

LOOKS = 2
"""At the rounds of a step, which share its chance of an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One commit that was compared with the good one.

    Attributes:
        number: From 1, the bad commit's.
        most: Steps that there would be at most, this one and those before it included.
        level: `None` if it isn't known.
        because: Why the commit is skipped, or empty; `inconclusive` where half of the rise lies within the
            bounds of *level*, even with twice the rounds.
        judgement: Of the test that is followed; `None` if it couldn't be compared.
    """

    number: int
    most: int
    commit: Commit
    answer: Answer
    level: Level | None = None
    because: str = ""
    judgement: Judgement | None = None
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """The first bad commit.

    Attributes:
        before: Commit that it is shown against: a parent that is good, or the good revision.
        level: Of the commit.
        level_before: Of *before*.
        energies_j: Joules per round (before, at the commit), both in the rounds of the commit's step; `None`
            where only counts were compared.
        share: Of the whole rise, what lies between the two.
        counts: What the commit calls otherwise; `None` if it wasn't counted.
        diff_stat: Changed files, and their sum.
    """

    commit: Commit
    before: Commit
    level: Level
    level_before: Level
    energies_j: tuple[float, float] | None
    share: float
    counts: CountsComparison | None
    diff_stat: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of a bisection.

    Attributes:
        alpha: Chance of an error that all steps together have at most.
        step_alpha: The same of one step.
        target: What rose; `None` if no rise was detected.
        others: Further tests that rose, which were not followed.
        suspects: Commits one of which is the first bad one; one alone where nothing was skipped.
        culprit: Set where there is one suspect.
        checked: Of the bad commit, all tests that were compared with the good one.
    """

    history: History
    alpha: float
    step_alpha: float
    target: Target | None = None
    others: tuple[Target, ...] = ()
    steps: tuple[Step, ...] = ()
    suspects: tuple[Commit, ...] = ()
    culprit: Culprit | None = None
    checked: tuple[Judgement, ...] = ()
    notes: tuple[str, ...] = ()


class Compared(Protocol):
    """A commit that was compared with the good one; a `Comparison` is one."""

    @property
    def judgements(self) -> Sequence[Judgement]:
        """Of the tests that could be compared."""
        ...

    @property
    def problems(self) -> Sequence[Problem]:
        """Tests that couldn't."""
        ...

    @property
    def shared_modules(self) -> Sequence[str]:
        """Warnings of code that both commits have from one file."""
        ...


class Comparer(Protocol):
    """What compares commits with the good one; a `Bench` is one."""

    def compare(
        self, commit: str, plan: ComparisonPlan, choice: Choice, is_enough: Callable[[Compared], bool]
    ) -> Compared:
        """Compare *commit*, with twice the rounds unless the first are enough.

        Raises:
            EnergyError: It can't be measured.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Bisection:
    """A bisection on its way.

    Attributes:
        plan: How commits are compared; its alpha is what all steps together may err by.
        test_name: Id of the test that is followed, or a part of it; empty for the one that rose most clearly.
        report: Receives each step when it is done.
        frontier: What is known so far.
    """

    history: History
    bench: Comparer
    plan: ComparisonPlan
    test_name: str
    clock: Clock
    report: Callable[[Step, Target], None]
    frontier: Frontier = field(init=False)
    _steps: list[Step] = field(default_factory=list)
    _notes: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.frontier = Frontier(good=(self.history.good.commit,), bad=self.history.bad.commit)

    def run(self) -> Found:
        """Find the first bad commit.

        Raises:
            EnergyError: GOOD or BAD can't be measured, or no test can be compared.
        """
        most = 1 + most_steps(len(self.frontier.to_judge(self.history)))
        step_alpha = self.plan.alpha / most
        found = Found(history=self.history, alpha=self.plan.alpha, step_alpha=step_alpha)
        plan = replace(self.plan, alpha=step_alpha / LOOKS)
        started_s = self.clock.now_s()
        checked = self._check(plan)
        targets = sorted(filter(None, map(target_of, checked)), key=lambda one: -one.clarity)
        found = replace(found, checked=checked, notes=tuple(self._notes))
        if not targets:
            return found
        target, *others = targets
        self._keep(self._check_step(target, checked, most, self.clock.now_s() - started_s), target)
        plan = _step_plan(plan, target)
        self._search(plan, target)
        return self._concluded(replace(found, target=target, others=tuple(others)), target)

    # The bad commit

    def _check(self, plan: ComparisonPlan) -> tuple[Judgement, ...]:
        """All tests of the bad commit.

        Raises:
            EnergyError: It can't be measured, or nothing of it can be compared.
        """
        try:
            comparison = self.bench.compare(self.frontier.bad, plan, self._choice, _is_decided)
        except SideEnded as error:
            raise SideEnded(f"{error}{_newer_text(str(error))}") from error
        self._notes |= dict.fromkeys(comparison.shared_modules)
        if not any(one.verdict in COMPARED for one in comparison.judgements):
            raise SettingsError(_nothing_text(comparison))
        self._notes |= dict.fromkeys(problem.text for problem in comparison.problems)
        return tuple(comparison.judgements)

    def _choice(self, test_ids: Sequence[str]) -> Sequence[str]:
        return named_tests(self.test_name, test_ids)

    def _check_step(self, target: Target, checked: Sequence[Judgement], most: int, duration_s: float) -> Step:
        return Step(
            number=1,
            most=most,
            commit=self.history.commit(self.frontier.bad),
            answer=Answer.BAD,
            level=target.bad,
            judgement=next(one for one in checked if one.record.test_id == target.test_id),
            duration_s=duration_s,
        )

    # The others

    def _search(self, plan: ComparisonPlan, target: Target) -> None:
        def judge(name: str, most_left: int) -> Answer:
            step = self._step(plan, target, name, len(self._steps) + most_left)
            self._keep(step, target)
            return step.answer

        search(self.history, self.frontier, judge, self._move)

    def _move(self, frontier: Frontier) -> None:
        self.frontier = frontier

    def _keep(self, step: Step, target: Target) -> None:
        self._steps.append(step)
        self.report(step, target)

    def _step(self, plan: ComparisonPlan, target: Target, name: str, most: int) -> Step:
        """Compare the commit *name* with the good one, and judge it by half of the rise."""
        started_s = self.clock.now_s()
        judgement = self._judgement(plan, target, name)
        level = judgement if isinstance(judgement, Absent) else target.level(judgement)
        answer = None if isinstance(level, Absent) else target.answer(level)
        return Step(
            number=len(self._steps) + 1,
            most=most,
            commit=self.history.commit(name),
            answer=answer or Answer.SKIP,
            level=None if isinstance(level, Absent) else level,
            because=_because(level, answer),
            judgement=None if isinstance(judgement, Absent) else judgement,
            duration_s=self.clock.now_s() - started_s,
        )

    def _judgement(self, plan: ComparisonPlan, target: Target, name: str) -> Judgement | Absent:
        try:
            comparison = self.bench.compare(
                name, plan, lambda _: (target.test_id,), lambda one: _is_answered(one, target)
            )
        except EnergyError as error:
            return Absent(str(error))
        self._notes |= dict.fromkeys(comparison.shared_modules)
        if comparison.judgements:
            return comparison.judgements[0]
        return Absent(next((problem.text for problem in comparison.problems), "the test was not run"))

    # What was found

    def _concluded(self, found: Found, target: Target) -> Found:
        suspects = self.frontier.suspects(self.history)
        found = replace(
            found,
            steps=tuple(self._steps),
            suspects=tuple(map(self.history.commit, suspects)),
            notes=tuple(self._notes),
        )
        if len(suspects) > 1:
            return found
        return replace(found, culprit=self._culprit(target))

    def _culprit(self, target: Target) -> Culprit:
        judged = {step.commit.name: step for step in self._steps}
        step = judged[self.frontier.bad]
        parents = self.history.parents(step.commit.name)
        good = [judged[name] for name in parents if name in judged and judged[name].answer is Answer.GOOD]
        before = good[0] if good else None
        before_name = before.commit.name if before else self.history.good.commit
        level, level_before = _known(step.level), _known(before.level) if before else target.good
        return Culprit(
            commit=step.commit,
            before=self.history.commit(before_name),
            level=level,
            level_before=level_before,
            energies_j=_energies_j(step, before),
            share=target.share(level_before, level),
            counts=_counts(step, before),
            diff_stat=self.history.diff_stat(parents[0] if parents else before_name, step.commit.name),
        )


def _step_plan(plan: ComparisonPlan, target: Target) -> ComparisonPlan:
    """How the commits after the bad one are compared; a test that is judged by its counts takes no rounds."""
    if target.is_exact:
        return replace(plan, tolerance=target.step_tolerance, is_by_counts=True)
    return replace(plan, tolerance=target.step_tolerance, precision=target.step_precision)


def named_tests(name: str, test_ids: Sequence[str]) -> Sequence[str]:
    """The tests that *name* means: that very id, else those that it is part of; all for an empty name.

    Raises:
        SettingsError: There is none.
    """
    if name in test_ids:
        return [name]
    if matching := [test_id for test_id in test_ids if name in test_id]:
        return matching
    near = get_close_matches(name, test_ids, n=3, cutoff=0.3) or test_ids[:3]
    raise SettingsError(f"--test {name}: no energy test has that name. Did you mean {' or '.join(near)}?")


def _is_decided(comparison: Compared) -> bool:
    """Whether more rounds have nothing to add: a rise is proved, or no test is in doubt."""
    verdicts = {one.verdict for one in comparison.judgements}
    return Verdict.REGRESSION in verdicts or Verdict.INCONCLUSIVE not in verdicts


def _is_answered(comparison: Compared, target: Target) -> bool:
    levels = [target.level(one) for one in comparison.judgements]
    return all(isinstance(level, Absent) or target.answer(level) is not None for level in levels)


def _nothing_text(comparison: Compared) -> str:
    """Why no test of the bad commit could be compared with the good one."""
    reasons = [f"{one.record.test_id}: {one.reason.splitlines()[0]}" for one in comparison.judgements]
    reasons += [problem.text for problem in comparison.problems]
    text = "no test of BAD could be compared with GOOD: " + "; ".join(reasons[:3])
    text += _newer_text(text)
    if any(one.verdict is Verdict.UNMEASURED for one in comparison.judgements):
        return f"{text}. On a machine without sensors compare counts: --basis=counts"
    return text


def _newer_text(text: str) -> str:
    """What to do about a test that GOOD doesn't have yet, where *text* speaks of one."""
    is_newer = "file or directory not found" in text or "is on one side only" in text
    return "\nCopy a test that is newer than GOOD into each commit: --copy PATH" if is_newer else ""


def _because(level: Level | Absent, answer: Answer | None) -> str:
    if isinstance(level, Absent):
        return level.because
    return "" if answer else "inconclusive"


def _known(level: Level | None) -> Level:
    if level is None:
        raise SettingsError("a commit that was judged has no level")
    return level


def _energies_j(step: Step, before: Step | None) -> tuple[float, float] | None:
    comparison = step.judgement.comparison if step.judgement else None
    if comparison is None:
        return None
    earlier = before.judgement.comparison if before and before.judgement else None
    ratio = earlier.ratio if earlier else 1.0
    return comparison.energy_j * ratio, comparison.energy_j * comparison.ratio


def _counts(step: Step, before: Step | None) -> CountsComparison | None:
    """What the commit of *step* calls otherwise than that of *before*, or than the good one."""
    if step.judgement is None:
        return None
    if before is None or before.judgement is None:
        return step.judgement.counts_comparison
    one, other = before.judgement.record, step.judgement.record
    return Counted.of(one, other, before.commit.short, Policy(is_by_counts=True)).comparison
