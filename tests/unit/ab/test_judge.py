"""Verdicts on rounds of two revisions, and what is said of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_energy.ab.interleave import Taken
from pytest_energy.ab.judge import Problem, Question, judge_pairs
from pytest_energy.ab.protocol import Done
from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.model import Judgement, Provenance, Reading, Record, Verdict
from pytest_energy.verdict.policy import Policy
from tests.builders import TEST_ID, judged, reading, record

QUESTION = Question(
    test_id=TEST_ID, before="main (abc1234)", after="the working tree", policy=Policy(tolerance=0.02)
)
NOISE = (1.0, 1.004, 0.997, 1.002, 0.999, 1.001)


def rounds(energy_j: float, *, noise: Sequence[float] = NOISE, power_w: float = 100.0) -> tuple[Reading, ...]:
    return tuple(reading(energy_j * n, duration_s=energy_j * n / power_w, uncertainty_j=0.01) for n in noise)


def done(one: Record | None, *, outcome: str = "passed", text: str = "") -> Done:
    return Done(outcome=outcome, text=text, judgement=None if one is None else judged(one), sources={})


def taken(
    before_j: float = 100.0,
    after_j: float = 100.0,
    *,
    before: Done | None = None,
    after: Done | None = None,
    count: int = 6,
    is_interleaved: bool = True,
) -> Taken:
    """Six pairs of rounds that differ by less than 1 %."""
    one, other = rounds(before_j)[:count], rounds(after_j, noise=NOISE[::-1])[:count]
    return Taken(
        before=one if is_interleaved else (),
        after=other if is_interleaved else (),
        ended=(before or done(record(rounds=one)), after or done(record(rounds=other))),
        is_interleaved=is_interleaved,
    )


def judgement(what: Taken, question: Question = QUESTION) -> Judgement:
    found = judge_pairs(what, question)
    assert isinstance(found, Judgement)
    return found


def problem(what: Taken) -> Problem:
    found = judge_pairs(what, QUESTION)
    assert isinstance(found, Problem)
    return found


@pytest.mark.parametrize(
    ("after_j", "verdict"),
    [
        (130.0, Verdict.REGRESSION),
        (100.0, Verdict.PASS),
        (102.0, Verdict.INCONCLUSIVE),
        (80.0, Verdict.IMPROVEMENT),
    ],
)
def test_the_bounds_and_the_tolerance_decide(after_j: float, verdict: Verdict) -> None:
    """The words of the gate, for pairs of rounds."""
    assert judgement(taken(100.0, after_j)).verdict is verdict


def test_the_reason_says_against_what() -> None:
    """The first line has the change, the revision and its commit, the limit and both energies."""
    found = judgement(taken(100.0, 130.0))
    headline = found.reason.splitlines()[0]
    assert headline.startswith(
        "energy +30.0 % against main (abc1234), more than the 2 % allowed (bounds +29."
    ), headline
    assert headline.endswith("J a round (6 rounds), there 100 J")
    assert "6 pairs of rounds, taken in turns, bounds each at 95 % confidence" in found.reason
    assert "why: time +30.0 %, power 0 %" in found.reason
    assert found.comparison is not None
    assert found.comparison.note == "against main (abc1234): 6 pairs of rounds, taken in turns"
    assert found.comparison.ratio == pytest.approx(1.3, rel=1e-3)


def test_a_judgement_survives_its_json() -> None:
    """What is written can be read again."""
    found = judgement(taken(100.0, 130.0))
    assert judgement_from_json(judgement_to_json(found), "a judgement") == found


def test_the_record_is_the_candidates_rounds() -> None:
    """Rounds without a partner are not in the record: it is what was compared."""
    extra = record(rounds=rounds(500.0))
    found = judgement(taken(100.0, 130.0, after=done(extra)))
    assert found.record.round_energies_j == tuple(r.energy_j for r in rounds(130.0, noise=NOISE[::-1]))


def test_rounds_that_took_no_turns_prove_nothing() -> None:
    """However far apart they are: inconclusive, with the reason and the way out."""
    found = judgement(taken(100.0, 300.0, is_interleaved=False))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "could not be taken in turns" in found.reason
    assert "measure the work with energy.measure(...)" in found.reason
    assert found.comparison is not None
    assert found.comparison.ratio == pytest.approx(3.0, rel=1e-3)


def test_one_pair_proves_nothing() -> None:
    """A single pair is inconclusive, whatever it shows."""
    found = judgement(taken(100.0, 300.0, count=1))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "one pair of rounds proves nothing" in found.reason
    assert "--pairs=10" in found.reason


def test_void_pairs_are_void() -> None:
    """Joules that must not be used are not judged."""
    found = judgement(replace(taken(100.0, 300.0), void_because="somebody else computed"))
    assert found.verdict is Verdict.VOID
    assert found.reason.splitlines()[0] == "no usable joules: somebody else computed"
    assert found.comparison is None


@pytest.mark.parametrize("side", [0, 1])
def test_a_side_that_measured_nothing_is_told(side: int) -> None:
    """A side without joules makes the test what that side is, with its reason."""
    unmeasured = done(record(rounds=(), unmeasured_because="no sensor on this machine"))
    what = taken()
    ended = (unmeasured, what.ended[1]) if side == 0 else (what.ended[0], unmeasured)
    found = judgement(replace(what, ended=ended))
    assert found.verdict is Verdict.UNMEASURED
    name = (QUESTION.before, QUESTION.after)[side]
    assert found.reason.startswith(f"on {name}: nothing was measured: no sensor on this machine")


def test_sides_that_do_different_work_are_not_compared() -> None:
    """Another number of samples is another work."""
    one = rounds(100.0)
    what = taken(
        before=done(record(rounds=one, samples=10)),
        after=done(record(rounds=one, samples=20)),
    )
    found = judgement(what)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert "samples: 10 on main (abc1234), 20 on the working tree" in found.reason


def test_estimates_are_marked() -> None:
    """Joules that were not measured say so beside the figure."""
    one = tuple(replace(r, provenance=Provenance.ESTIMATED) for r in rounds(100.0))
    both = record(rounds=one, provenance=Provenance.ESTIMATED)
    gated = replace(done(both), judgement=replace(judged(both), verdict=Verdict.NO_BASELINE))
    found = judgement(Taken(before=one, after=one, ended=(gated, gated), is_interleaved=True))
    assert found.verdict is Verdict.PASS
    assert "a round (estimated, 6 rounds), there" in found.reason.splitlines()[0]


def test_a_side_that_fell_behind_its_load_is_held_against_nothing() -> None:
    """Joules of no rate have no ratio: the side and its reason are told, on either side."""
    what = taken(100.0, 300.0)
    before, after = what.ended
    for ended in ((_saturated(before), after), (before, _saturated(after))):
        found = judgement(replace(what, ended=ended))
        assert found.verdict is Verdict.SATURATED
        assert "90 answers to 160 requests" in found.reason
        assert found.comparison is None


def _saturated(done: Done) -> Done:
    assert done.judgement is not None
    reason = "saturated: 90 answers to 160 requests"
    return replace(done, judgement=replace(done.judgement, verdict=Verdict.SATURATED, reason=reason))


def test_a_round_of_no_joules_is_void() -> None:
    """A ratio to nothing has no meaning."""
    what = taken()
    nothing = tuple(reading(0.0) for _ in what.before)
    assert judgement(replace(what, before=nothing)).verdict is Verdict.VOID


def test_a_failed_test_is_a_problem() -> None:
    """A test that fails is told with its side and the end of its error."""
    found = problem(taken(before=done(None, outcome="failed", text="E  assert 1 == 2")))
    assert found.is_failing
    assert found.text == f"{TEST_ID} failed on main (abc1234):\n  | E  assert 1 == 2"


def test_a_test_that_fails_on_both_sides_is_told_once() -> None:
    """The same failure on both sides is one problem."""
    failed = done(None, outcome="failed", text="E  boom")
    assert problem(taken(before=failed, after=failed)).text.startswith(f"{TEST_ID} failed on both sides")


@pytest.mark.parametrize(("is_both", "is_failing"), [(True, False), (False, True)])
def test_a_skipped_test(is_both: bool, is_failing: bool) -> None:  # noqa: FBT001
    """Skipped on both sides is a note; on one side only it is a problem."""
    skipped = done(None, outcome="skipped")
    found = problem(taken(before=skipped, after=skipped if is_both else None))
    assert found.is_failing is is_failing
    assert "skipped" in found.text


@pytest.mark.parametrize(("is_both", "is_failing"), [(True, False), (False, True)])
def test_a_test_that_measured_nothing(is_both: bool, is_failing: bool) -> None:  # noqa: FBT001
    """No window on both sides is a note; on one side only it is a problem."""
    silent = done(None)
    found = problem(taken(before=silent, after=silent if is_both else None))
    assert found.is_failing is is_failing
    assert "measured nothing" in found.text


def test_a_bound_stays_on_its_side_of_the_tolerance() -> None:
    """A bound just past the tolerance doesn't read as the tolerance."""
    found = judgement(taken(100.0, 102.0, count=6), replace(QUESTION, policy=Policy(tolerance=0.0199999)))
    assert "allowed" in found.reason.splitlines()[0]
    assert "+2.0 % against" in found.reason.splitlines()[0]
