"""What rose, and which level separates good from bad."""

from dataclasses import replace

import pytest

from pytest_energy.bisect.search import Answer
from pytest_energy.bisect.target import Level, Target, target_of
from pytest_energy.errors import Absent
from pytest_energy.judgement import Part, Verdict
from tests.builders import judgement
from tests.unit.bisect.verdicts import by_counts, by_joules, part


def target(one: object) -> Target:
    assert isinstance(one, Target)
    return one


def test_half_of_a_ratio_is_its_root() -> None:
    """As far from the good level as from the bad one, in ln J."""
    found = target(target_of(by_joules(1.21)))
    assert (found.measure, found.is_exact) == ("joules", False)
    assert found.halfway == pytest.approx(1.1)
    assert found.step_tolerance == pytest.approx(0.1)


def test_half_of_a_count_is_its_middle() -> None:
    """A count that was 0 has a middle as well."""
    found = target(target_of(by_counts(rises={"waits": (0.0, 100.0)})))
    assert (found.measure, found.halfway, found.step_tolerance) == ("waits", 50.0, 0.0)
    assert found.rise_ratio == float("inf")


@pytest.mark.parametrize(
    ("value", "lower", "upper", "answer"),
    [
        (1.2, 1.12, 1.3, Answer.BAD),
        (1.0, 0.9, 1.09, Answer.GOOD),
        (1.1, 1.05, 1.15, None),
        (1.3, 1.09, 1.5, None),
    ],
)
def test_a_level_is_judged_by_its_bounds(
    value: float, lower: float, upper: float, answer: Answer | None
) -> None:
    """Only a level that is surely on one side of the middle is good or bad."""
    found = target(target_of(by_joules(1.21)))
    assert found.answer(Level(value=value, lower=lower, upper=upper)) is answer


def test_an_exact_level_in_the_middle_is_bad() -> None:
    """Of two equal steps the first one is found; no exact level is in doubt."""
    found = target(target_of(by_counts(rises={"waits": (2.0, 4.0)})))
    assert found.answer(Level.exact(3.0)) is Answer.BAD
    assert found.answer(Level.exact(2.999)) is Answer.GOOD


def test_no_proved_rise_is_no_target() -> None:
    """Neither a pass, nor what may be a rise, nor what nothing measured."""
    for one in (by_joules(1.0), by_joules(1.05, half=0.2), by_counts(weight_ratio=1.0)):
        assert target_of(one) is None
    assert target_of(judgement(energy_j=None, verdict=Verdict.UNMEASURED)) is None


def test_the_figure_that_shows_the_rise_most_clearly_is_followed() -> None:
    """Work with narrow bounds before all joules with wide ones; what is within its limit is not followed."""
    parts = (part(Part.WORK, 1.3, half=0.01), part(Part.WAITING, 1.0))
    assert target(target_of(by_joules(1.15, half=0.1, parts=parts))).measure == "work"
    parts = (part(Part.WORK, 1.3, half=0.2), part(Part.WAITING, 1.0))
    assert target(target_of(by_joules(1.15, half=0.01, parts=parts))).measure == "joules"


def test_the_tolerance_of_a_step_puts_the_part_at_half_of_its_rise() -> None:
    """Where 2 % of the joules allow the work 4 %, half of +21 % of the work is 5 % of the joules."""
    parts = (part(Part.WORK, 1.21, allowed=1.04),)
    found = target(target_of(by_joules(1.1, half=0.2, parts=parts)))
    assert found.measure == "work"
    assert found.step_tolerance == pytest.approx(0.05)


def test_weighted_work_is_followed_before_other_counts() -> None:
    rises = {"waits": (1.0, 2.0), "weighted work": (0.1, 0.12)}
    assert target(target_of(by_counts(rises=rises))).measure == "weighted work"


def test_the_level_of_a_commit_is_that_of_the_followed_figure() -> None:
    """With its bounds; a part that another commit doesn't have is absent with its reason."""
    followed = target(target_of(by_joules(1.1, half=0.2, parts=(part(Part.WORK, 1.2),))))
    level = followed.level(by_joules(1.0, parts=(part(Part.WORK, 1.1),)))
    assert isinstance(level, Level)
    assert level.value == 1.1
    assert followed.level(by_joules(1.0)) == Absent("work can't be separated from the other joules")


def test_what_can_not_be_compared_has_no_level() -> None:
    """The verdict and the first line of its reason say why."""
    followed = target(target_of(by_joules(1.21)))
    void = judgement(verdict=Verdict.VOID, reason="a counter stood still\nmore")
    assert followed.level(void) == Absent("void: a counter stood still")


def test_a_count_that_did_not_rise_has_at_most_its_old_value() -> None:
    """Weighted work has its own value also where it fell; another measure is at most what it was."""
    rises = {"weighted work": (10.0, 12.0)}
    followed = target(target_of(by_counts(rises=rises)))
    assert followed.level(by_counts(weight_ratio=0.9)) == Level.exact(9.0)
    assert followed.level(by_counts(rises={"weighted work": (10.0, 11.5)})) == Level.exact(11.5)
    waits = target(target_of(by_counts(rises={"waits": (10.0, 12.0)})))
    assert waits.level(by_counts()) == Level(value=10.0, lower=0.0, upper=10.0)
    nothing = replace(by_counts(), counts_comparison=None)
    assert waits.level(nothing) == Absent("nothing was counted")


def test_the_share_of_a_rise_is_that_of_its_logarithm_or_of_the_count() -> None:
    """All commits together have all of it."""
    followed = target(target_of(by_joules(1.21)))
    assert followed.share(Level.exact(1.0), Level.exact(1.1)) == pytest.approx(0.5)
    assert followed.share(Level.exact(1.1), Level.exact(1.21)) == pytest.approx(0.5)
    counted = target(target_of(by_counts(rises={"waits": (0.0, 4.0)})))
    assert counted.share(Level.exact(0.0), Level.exact(3.0)) == 0.75
