"""A bisection whose comparisons are known: what is found, from how many, and what it costs in chances."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from pytest_energy.ab.comparison import ComparisonPlan
from pytest_energy.ab.judge import Problem
from pytest_energy.ab.side import SideEnded
from pytest_energy.bisect.bisection import LOOKS, Bisection, Found, Step, named_tests
from pytest_energy.bisect.history import History
from pytest_energy.bisect.search import Answer
from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.judgement import Judgement, Verdict
from tests.builders import counted, counts_of, judgement
from tests.fakes.hand_clock import HandClock
from tests.fakes.histories import KnownComparer, Result
from tests.unit.ab.test_worktree import git
from tests.unit.bisect.conftest import Project
from tests.unit.bisect.verdicts import WORK, by_counts, by_joules

PLAN = ComparisonPlan(
    tolerance=None, alpha=0.05, is_by_counts=False, pair_count=45, block_count=2, max_time_s=None
)
Outcome = Judgement | EnergyError | Problem | tuple[Judgement, ...]


class Trial:
    """A bisection of *project*'s commits, each of which has a known outcome by its subject."""

    def __init__(self, project: Project, outcomes: Mapping[str, Outcome]) -> None:
        project.commits("good", *outcomes)
        self._outcomes, self._project = outcomes, project
        self.history = History.of(project.root, f"HEAD~{len(outcomes)}", "HEAD")
        self.comparer = KnownComparer(self._results)
        self.shown: list[Step] = []

    def _results(self, name: str) -> EnergyError | tuple[Result, ...]:
        outcome = self._outcomes[self.history.commit(name).subject]
        if isinstance(outcome, EnergyError):
            return outcome
        if isinstance(outcome, Problem):
            return (Result(problems=(outcome,)),)
        judgements = (outcome,) if isinstance(outcome, Judgement) else outcome
        return (Result(judgements=judgements),)

    def run(self, test_name: str = "", plan: ComparisonPlan = PLAN) -> Found:
        return Bisection(
            history=self.history,
            bench=self.comparer,
            plan=plan,
            test_name=test_name,
            clock=HandClock(),
            report=lambda step, _: self.shown.append(step),
        ).run()


def line(count: int, planted: int, outcome: Callable[[float], Judgement] = by_joules) -> dict[str, Outcome]:
    """*count* commits; from number *planted* on the level is 1.25, before it 1."""
    return {f"c{number}": outcome(1.25 if number >= planted else 1.0) for number in range(1, count + 1)}


@pytest.mark.parametrize("planted", [1, 5, 8, 12])
def test_the_planted_one_of_twelve_is_found_in_five_steps(project: Project, planted: int) -> None:
    """The check of the bad commit included; each step is shown when it is done."""
    trial = Trial(project, line(12, planted))
    found = trial.run()
    assert found.culprit is not None
    assert found.culprit.commit.subject == f"c{planted}"
    assert len(found.steps) <= 5
    assert list(found.steps) == trial.shown
    assert found.steps[0].most == 5


def test_the_culprit_has_what_a_reader_needs(project: Project) -> None:
    """Its parent, joules of both in the rounds of its own step, its share of the rise, and the files."""
    outcomes = {"c1": by_joules(1.0), "c2": by_joules(1.02), "c3": by_joules(1.3), "c4": by_joules(1.3)}
    culprit = Trial(project, outcomes).run().culprit
    assert culprit is not None
    assert (culprit.before.subject, culprit.commit.subject) == ("c2", "c3")
    assert culprit.energies_j == pytest.approx((10.2, 13.0))
    assert culprit.share == pytest.approx(0.9245, abs=1e-3)
    assert culprit.diff_stat[-1] == "1 file changed, 1 insertion(+), 1 deletion(-)"


def test_a_single_commit_takes_the_check_alone(project: Project) -> None:
    """Its parent is the good revision, whose level is 1."""
    found = Trial(project, {"c1": by_joules(1.3)}).run()
    assert found.culprit is not None
    assert (found.culprit.before.subject, len(found.steps)) == ("good", 1)
    assert found.culprit.energies_j == pytest.approx((10.0, 13.0))


def test_all_steps_share_the_chance_of_an_error(project: Project) -> None:
    """5 % of 5 steps: 1 % a step, half of it at each of its two looks; every comparison has that."""
    trial = Trial(project, line(12, 8))
    found = trial.run()
    assert found.alpha == 0.05
    assert found.step_alpha == pytest.approx(0.01)
    assert [plan.alpha for plan in trial.comparer.plans] == [pytest.approx(0.01 / LOOKS)] * len(found.steps)


def test_a_step_is_judged_at_half_of_the_rise(project: Project) -> None:
    """The bad commit by the tolerance that was asked for, the others by half of its rise."""
    trial = Trial(project, line(4, 3))
    trial.run(plan=replace(PLAN, tolerance=0.05))
    first, *others = (plan.tolerance for plan in trial.comparer.plans)
    assert first == 0.05
    assert others == [pytest.approx(1.25**0.5 - 1)] * len(others)


def test_a_step_takes_the_rounds_that_half_of_the_rise_asks_for(project: Project) -> None:
    """A large rise takes few; a test that is judged by its counts takes none, whatever was asked for."""
    trial = Trial(project, line(4, 3))
    trial.run()
    first, *others = (plan.precision for plan in trial.comparer.plans)
    assert first is None
    assert others == [pytest.approx(math.log(1.25) / 8)] * len(others)


def test_a_test_that_is_judged_by_its_counts_takes_no_rounds(project: Project) -> None:
    """As its marker may have it, where joules were asked for."""
    risen = by_counts(weight_ratio=1.25, rises={"weighted work": (4.0, 5.0)})
    trial = Trial(project, {"c1": by_counts(weight_ratio=1.0), "c2": risen})
    assert trial.run().culprit is not None
    assert [plan.is_by_counts for plan in trial.comparer.plans] == [False, True]


def test_without_a_rise_nothing_is_searched(project: Project) -> None:
    """The bad commit alone is compared, and all its tests are kept with their bounds."""
    trial = Trial(project, line(4, 9))
    found = trial.run()
    assert (found.target, found.culprit, found.steps) == (None, None, ())
    assert [one.verdict for one in found.checked] == [Verdict.PASS]
    assert len(trial.comparer.plans) == 1


def test_a_doubtful_rise_gets_twice_the_rounds(project: Project) -> None:
    """Of the bad commit: where no test is proved to have risen and one may have."""
    trial = Trial(project, {"c1": by_joules(1.0), "c2": by_joules(1.03, half=0.05)})
    assert trial.run().target is None
    assert trial.comparer.extended == [trial.history.bad.commit]


def test_an_inconclusive_commit_gets_twice_the_rounds_and_is_skipped(project: Project) -> None:
    """Its level is kept; where it may be the first bad one, it is a suspect."""
    trial = Trial(project, {"c1": by_joules(1.12, half=0.02), "c2": by_joules(1.25)})
    found = trial.run()
    step = found.steps[1]
    assert (step.answer, step.because) == (Answer.SKIP, "inconclusive")
    assert step.level is not None
    assert step.level.value == 1.12
    assert trial.comparer.extended == [step.commit.name]
    assert [one.subject for one in found.suspects] == ["c2", "c1"]
    assert found.culprit is None


@pytest.mark.parametrize(
    ("outcome", "because"),
    [
        (SideEnded("pytest ended with exit status 4"), "pytest ended with exit status 4"),
        (Problem(text="t.py::test_work is on one side only"), "t.py::test_work is on one side only"),
        (judgement(test_id=WORK, verdict=Verdict.VOID, reason="a bad counter"), "void: a bad counter"),
        ((), "the test was not run"),
    ],
)
def test_what_can_not_be_compared_is_skipped(project: Project, outcome: Outcome, because: str) -> None:
    """With its reason; the commit beside it decides."""
    outcomes = {"c1": by_joules(1.0), "c2": outcome, "c3": by_joules(1.0), "c4": by_joules(1.3)}
    found = Trial(project, outcomes).run()
    skipped = {step.commit.subject: step.because for step in found.steps if step.answer is Answer.SKIP}
    assert skipped == {"c2": because}
    assert found.culprit is not None
    assert found.culprit.commit.subject == "c4"


def test_the_bad_commit_must_be_measured(project: Project) -> None:
    """What fails there is an error with its own words."""
    with pytest.raises(SideEnded, match="no torch"):
        Trial(project, {"c1": SideEnded("no torch")}).run()


def test_a_test_that_good_lacks_can_be_copied(project: Project) -> None:
    """The error of a missing file names the option; another doesn't."""
    missing = SideEnded("pytest on v1 ended:\n  | ERROR: file or directory not found: test_new.py")
    with pytest.raises(SideEnded, match="--copy PATH"):
        Trial(project, {"c1": missing}).run()


def test_without_joules_counts_are_named(project: Project) -> None:
    """A machine without sensors can still compare counts."""
    unmeasured = judgement(test_id=WORK, energy_j=None, verdict=Verdict.UNMEASURED, reason="no sensor")
    with pytest.raises(SettingsError, match=r"no sensor.*--basis=counts"):
        Trial(project, {"c1": unmeasured}).run()


def test_a_test_on_one_side_is_no_reason_to_stop(project: Project) -> None:
    """Unless it is the only one; then the error names it."""
    with pytest.raises(SettingsError, match=r"is on one side only(?s:.*)--copy PATH"):
        Trial(project, {"c1": Problem(text="t.py::test_new is on one side only")}).run()


def test_of_several_risen_tests_the_clearest_is_followed(project: Project) -> None:
    """The others are named; `--test` picks another."""
    small, clear = by_joules(1.1, half=0.02, test_id="t.py::test_a"), by_joules(1.4, test_id="t.py::test_b")
    outcomes: dict[str, Outcome] = {"c1": (small, clear)}
    found = Trial(project, outcomes).run()
    assert found.target is not None
    assert found.target.test_id == "t.py::test_b"
    assert [one.test_id for one in found.others] == ["t.py::test_a"]


def test_a_named_test_alone_is_compared(project: Project) -> None:
    both = by_joules(1.1, test_id="t.py::test_a"), by_joules(1.4, test_id="t.py::test_b")
    found = Trial(project, {"c1": both}).run("test_a")
    assert found.target is not None
    assert found.target.test_id == "t.py::test_a"
    assert [one.record.test_id for one in found.checked] == ["t.py::test_a"]


def test_a_name_means_an_id_or_a_part_of_one() -> None:
    """A whole id means that test alone; an unknown name is refused with ids near it."""
    ids = ["t.py::test_a", "t.py::test_a[x]", "t.py::test_b"]
    assert named_tests("t.py::test_a", ids) == ["t.py::test_a"]
    assert named_tests("test_a", ids) == ["t.py::test_a", "t.py::test_a[x]"]
    assert named_tests("", ids) == ids
    with pytest.raises(SettingsError, match=r"--test tst_b: no energy test.*t\.py::test_b"):
        named_tests("tst_b", ids)


def test_counts_find_the_commit_and_say_what_it_calls(project: Project) -> None:
    """What it calls otherwise than its parent, from the counts of both steps; joules there are none."""

    def at(count: int) -> Judgement:
        rises = {"weighted work": (4.0, float(count))} if count > 4 else {}
        one = by_counts(weight_ratio=count / 4, rises=rises)
        return replace(one, record=counted(counts_of(count)))

    outcomes: dict[str, Outcome] = {"c1": at(4), "c2": at(5), "c3": at(8), "c4": at(8)}
    culprit = Trial(project, outcomes).run(plan=replace(PLAN, is_by_counts=True)).culprit
    assert culprit is not None
    assert (culprit.commit.subject, culprit.before.subject) == ("c3", "c2")
    assert culprit.energies_j is None
    assert culprit.share == 0.75
    assert culprit.counts is not None
    assert [(one.name, one.before, one.after) for one in culprit.counts.changes] == [
        ("aten::mm", (5, 5), (8, 8))
    ]


def test_a_merge_that_is_the_first_bad_one_is_shown_against_its_good_parent(project: Project) -> None:
    """The diff is that of its first parent."""
    outcomes: dict[str, Outcome] = {"side": by_joules(1.0), "own": by_joules(1.0)}
    trial = Trial(project, outcomes)
    git_side_and_merge(project)
    trial.history = History.of(project.root, trial.history.good.commit, "HEAD")
    outcomes |= {"branch": by_joules(1.0), "merge branch": by_joules(1.3)}
    found = trial.run()
    assert found.culprit is not None
    assert found.culprit.commit.subject == "merge branch"
    assert found.culprit.before.subject in {"own", "branch"}
    assert not found.history.is_linear


def git_side_and_merge(project: Project) -> None:
    """A branch off the commit before the last, and a merge of it."""
    git(project.root, "switch", "-qc", "branch", "HEAD~1")
    project.commit("branch")
    git(project.root, "switch", "-q", "main")
    project.merge("branch")
