"""Which judged records may enter a baseline."""

from dataclasses import replace

import pytest

from pytest_energy.baselines.accept import (
    counts_alone,
    joining,
    storable,
    why_not_accepted,
    why_not_beside,
)
from pytest_energy.baselines.schema import Baseline
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import JoinedAs, Machine, Provenance, Record
from pytest_energy.verdict.policy import Policy
from tests.builders import (
    COUNTS_COMPARISON,
    baseline,
    counted,
    counts_of,
    judgement,
    reading,
    record,
    uncounted,
)

UNUSABLE = {Verdict.SATURATED, Verdict.VOID, Verdict.UNMEASURED}
USABLE = [verdict for verdict in Verdict if verdict not in UNUSABLE]


def why(
    one: Judgement, *, replaces: bool = False, takes_estimates: bool = False, is_named: bool = False
) -> str | None:
    return why_not_accepted(one, replaces=replaces, takes_estimates=takes_estimates, is_named=is_named)


def estimate(verdict: Verdict = Verdict.UNMEASURED) -> Judgement:
    return judgement(verdict=verdict, provenance=Provenance.ESTIMATED)


@pytest.mark.parametrize("verdict", USABLE)
def test_what_passes_joins(verdict: Verdict) -> None:
    """On its own a record joins unless its verdict speaks against it; the reason names that."""
    because = why(judgement(verdict=verdict))
    if verdict in {Verdict.REGRESSION, Verdict.OVER_BUDGET, Verdict.NOT_COMPARABLE}:
        assert because == f"its verdict is {verdict}: the test is {verdict}"
    else:
        assert because is None


@pytest.mark.parametrize("verdict", USABLE)
def test_a_replacement_ignores_what_the_old_baseline_says(verdict: Verdict) -> None:
    """A new level is what a replacement is for; a budget still holds."""
    because = why(judgement(verdict=verdict), replaces=True)
    assert (because is None) == (verdict is not Verdict.OVER_BUDGET)


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_test_that_did_not_pass_stays_out(outcome: str) -> None:
    """Whatever the energy says, a test that failed, or failed as expected, enters nothing."""
    assert why(replace(judgement(), outcome=outcome)) == f"the test did not pass ({outcome})"


@pytest.mark.parametrize("verdict", USABLE)
def test_a_named_test_enters_whatever_its_verdict(verdict: Verdict) -> None:
    """Who names a test has seen that it failed."""
    assert why(replace(judgement(verdict=verdict), outcome="failed"), is_named=True) is None


@pytest.mark.parametrize(
    "one",
    [
        judgement(verdict=Verdict.VOID),
        judgement(verdict=Verdict.SATURATED),
        judgement(verdict=Verdict.UNMEASURED, energy_j=None),
        judgement(verdict=Verdict.UNMEASURED),
        judgement(verdict=Verdict.PASS, energy_j=0.0),
    ],
    ids=["void", "saturated", "nothing measured", "unmeasured", "0 J"],
)
@pytest.mark.parametrize("is_named", [False, True])
def test_joules_that_do_not_count_never_enter(one: Judgement, is_named: bool) -> None:  # noqa: FBT001  # a case
    """Not even where the test is named and the old sessions go."""
    because = why(one, replaces=True, takes_estimates=True, is_named=is_named)
    assert because is not None
    assert f"its verdict is {one.verdict}" in because


@pytest.mark.parametrize("verdict", [Verdict.UNMEASURED, Verdict.NO_BASELINE, Verdict.PASS])
def test_an_estimate_enters_only_where_estimates_are_asked_for(verdict: Verdict) -> None:
    """Neither naming the test nor a judgement that let estimates count is asking."""
    assert "an estimate" in (why(estimate(verdict), is_named=True) or "")
    assert why(estimate(verdict), takes_estimates=True) is None


def test_an_estimate_that_fails_stays_out() -> None:
    """Asking for estimates doesn't let a regression in."""
    assert "regression" in (why(estimate(Verdict.REGRESSION), takes_estimates=True) or "")


def test_a_reason_of_many_lines_is_told_by_its_first() -> None:
    """What is said is one line."""
    one = judgement(verdict=Verdict.REGRESSION, reason="+30 %\n  why: time")
    assert why(one) == "its verdict is regression: +30 %"


@pytest.mark.parametrize("verdict", USABLE)
def test_an_accepted_change_starts_a_level(verdict: Verdict) -> None:
    """A saving or a rise that a person takes is the new truth; all else stands beside what is there."""
    is_change = verdict in {Verdict.IMPROVEMENT, Verdict.REGRESSION}
    joins = joining(judgement(verdict=verdict), is_accepted=True)
    assert joins.joined_as is (JoinedAs.LEVEL if is_change else None)


@pytest.mark.parametrize("verdict", USABLE)
def test_a_run_that_adds_remembers_an_improvement(verdict: Verdict) -> None:
    """Nobody has looked at it yet: a second one running makes it the level's start."""
    joins = joining(judgement(verdict=verdict), is_accepted=False)
    assert joins.joined_as is (JoinedAs.IMPROVEMENT if verdict is Verdict.IMPROVEMENT else None)


def test_a_record_joins_as_it_was_measured() -> None:
    """How it joined is all that is written to it, and a mark from elsewhere is not believed."""
    one = judgement(verdict=Verdict.PASS)
    marked = replace(one, record=replace(one.record, joined_as=JoinedAs.LEVEL))
    assert joining(marked, is_accepted=True) == one.record


def test_a_baseline_keeps_a_note_of_each_kind() -> None:
    """Once, at the first round, with its range; what each round said stays with the run."""
    rounds = [reading(10.0, quality=[f"{share} % of it was others'"]) for share in (55, 91, 60)]
    one = judgement(verdict=Verdict.PASS)
    joins = joining(replace(one, record=replace(one.record, rounds=tuple(rounds))), is_accepted=True)
    assert [entry.quality for entry in joins.rounds] == [
        ("55 to 91 % of it was others' (3 of 3 rounds)",),
        (),
        (),
    ]
    assert [entry.channels for entry in joins.rounds] == [entry.channels for entry in rounds]


def test_a_load_enters_if_it_has_joules() -> None:
    """Nothing judges it; a round that reads 0 J can't be compared with."""
    good = record(10.0)
    absent = record(rounds=(), unmeasured_because="torch is not imported")
    void = record(rounds=[reading(void_because="throttled", channels={})], void_because="throttled")
    assert storable([absent, void, record(10.0, 0.0), good]) == [good]


def test_loads_of_one_run_stand_beside_one_another() -> None:
    """Of two processes that did different amounts the first one's enters."""
    first, less = record(10.0, samples=320), record(3.0, samples=80)
    assert storable([first, less, first]) == [first, first]


def test_a_record_of_other_work_can_not_stand_beside_the_stored_ones() -> None:
    """The reason names what differs; without a baseline there is none."""
    stored, less = baseline(record(10.0, samples=320)), record(3.0, samples=80)
    assert why_not_beside(less, None) is None
    assert why_not_beside(record(11.0, samples=320), stored) is None
    because = why_not_beside(less, stored) or ""
    assert because.startswith("it can't be added to the stored sessions: ")
    assert "320" in because


# ---- counts ----


def by_counts(verdict: Verdict, one: Record | None = None) -> Judgement:
    """A judgement of a test whose counts are compared, by what these say."""
    compared = None if verdict is Verdict.NO_BASELINE else replace(COUNTS_COMPARISON, verdict=verdict)
    return replace(
        judgement(verdict=verdict),
        record=counted(counts_of(12), key="epyc") if one is None else one,
        terms=replace(Policy().terms, is_by_counts=True),
        counts_comparison=compared,
    )


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.IMPROVEMENT, Verdict.NO_BASELINE])
def test_counts_enter_without_joules(verdict: Verdict) -> None:
    """A machine that measures nothing makes a baseline of counts."""
    assert why(by_counts(verdict)) is None


@pytest.mark.parametrize("verdict", [Verdict.REGRESSION, Verdict.NOT_COMPARABLE])
def test_counts_that_rose_enter_when_they_are_meant_to(verdict: Verdict) -> None:
    """In place of the old ones, or where a person names the test."""
    one = by_counts(verdict)
    assert why(one) == f"its counts are {verdict}: the test is {verdict}"
    assert why(one, replaces=True) is None
    assert why(replace(one, outcome="failed"), is_named=True) is None
    assert why(replace(one, outcome="failed"), replaces=True) == "the test did not pass (failed)"


def test_a_budget_that_nothing_told_keeps_no_counts_out() -> None:
    """The test is unmeasured for its joules, and its counts pass."""
    assert why(replace(by_counts(Verdict.PASS), verdict=Verdict.UNMEASURED)) is None


def test_without_counts_there_is_nothing_to_enter() -> None:
    """The reason is the record's own, also where a person names the test."""
    one = by_counts(Verdict.UNMEASURED, uncounted("a command"))
    assert why(one, replaces=True, is_named=True) == "nothing was counted: a command"


def test_counts_enter_alone_and_for_all_machines() -> None:
    """Their key names the kind of device, joules stay with the run, facts of the machine explain changes."""
    fresh = record(counts=counts_of(12), fixed={"cpu_model": "EPYC"}, shown={"torch": "2.13"}, samples=8)
    entering = joining(by_counts(Verdict.PASS, fresh), is_accepted=False)
    assert entering.machine == Machine(
        key="counts_cpu", fixed={}, varying={"torch": "2.13", "cpu_model": "EPYC"}
    )
    assert (entering.rounds, entering.counts, entering.samples) == ((), counts_of(12), 8)
    stored = Baseline(test_id=entering.test_id, machine_key="counts_cpu", entries=(entering,))
    assert stored.entries == (entering,)


@pytest.mark.parametrize("is_accepted", [True, False])
def test_an_improvement_of_counts_is_a_new_level_at_once(*, is_accepted: bool) -> None:
    """They have no noise: no second one needs to confirm it."""
    joined = joining(by_counts(Verdict.IMPROVEMENT), is_accepted=is_accepted)
    assert joined.joined_as is JoinedAs.LEVEL
    assert joining(by_counts(Verdict.PASS), is_accepted=is_accepted).joined_as is None


def test_a_record_without_counts_has_none_alone() -> None:
    """Absent counts are no counts of nothing."""
    with pytest.raises(NotMeasurable, match="there are no counts to keep"):
        counts_alone(record())
