"""Which counts a fresh record is compared with."""

from dataclasses import replace

from pytest_energy.judgement import Budget, Limit, Verdict
from pytest_energy.model import JoinedAs, Record
from pytest_energy.verdict.count_history import CountHistory, counted_sessions
from pytest_energy.verdict.findings import (
    AgainstBudget,
    AgainstCounts,
    NoCounts,
    NoCountsBaseline,
    OtherWork,
    Unmeasured,
)
from pytest_energy.verdict.policy import Policy
from tests.builders import KEY, baseline, counted, counts_baseline, counts_of, decided, record, uncounted

BY_COUNTS = Policy(is_by_counts=True)
CUDA = "torch.profiler (CPU, CUDA)"


def history(**sessions: Record) -> CountHistory:
    """Sessions by machine key."""
    return CountHistory(by_key={key: counted_sessions([one]) for key, one in sessions.items()})


def used(of: CountHistory, own_key: str, *, is_by_counts: bool = False) -> list[int]:
    """Counts of the operator in the sessions that counts on a CPU are compared with."""
    sessions = of.sessions_for(counts_of(1), own_key, is_by_counts=is_by_counts)
    return [one.counts.entries[0].count for one in sessions]


ALL = history(own=counted(counts_of(1)), counts_cpu=counted(counts_of(2)), other=counted(counts_of(3)))


def test_the_sessions_of_this_machine_go_first() -> None:
    """What was measured here is nearest; then counts alone, then the rest."""
    assert used(ALL, "own") == [1]
    assert used(ALL, "elsewhere") == [2]
    assert used(history(other=counted(counts_of(3))), "elsewhere") == [3]


def test_where_counts_are_the_basis_those_alone_go_first() -> None:
    """All machines share them, so that a change is accepted once."""
    assert used(ALL, "own", is_by_counts=True) == [2]
    assert used(history(own=counted(counts_of(1))), "own", is_by_counts=True) == [1]


def test_of_other_machines_the_newest_counts() -> None:
    """An old machine's sessions may be of old code."""
    old = replace(counted(counts_of(3)), created="2025-01-01T00:00:00Z")
    new = replace(counted(counts_of(4)), created="2025-02-01T00:00:00Z")
    assert used(history(a=new, b=old), "elsewhere") == [4]
    assert used(history(a=old, b=new), "elsewhere") == [4]


def test_another_kind_of_device_is_no_baseline() -> None:
    """What runs on a GPU is copied there first, and waits for it: those are other counts."""
    of_gpu = history(own=counted(counts_of(1, source=CUDA), key="own"))
    assert used(of_gpu, "own") == []


def test_equal_counts_are_in_memory_once() -> None:
    """Of ten thousand tests all sessions are in memory."""
    first, second = counted_sessions([counted(counts_of(1)), counted(counts_of(1))])
    assert first.counts is second.counts


def test_a_new_level_leaves_the_old_counts_behind() -> None:
    """What was accepted is what is compared with."""
    entries = [counted(counts_of(1)), replace(counted(counts_of(2)), joined_as=JoinedAs.LEVEL)]
    assert [one.counts.entries[0].count for one in counted_sessions(entries)] == [2]


# ---- the verdict ----


def test_counts_are_shown_where_nothing_hangs_on_them() -> None:
    """On a machine that measures nothing a rise is told, and fails nothing."""
    decision = decided(counted(counts_of(36)), counted=[counts_baseline(counted(counts_of(12)))])
    assert decision.verdict is Verdict.UNMEASURED
    assert decision.counts_comparison is not None
    assert decision.counts_comparison.verdict is Verdict.REGRESSION
    assert not decision.counts_comparison.is_judged


def test_joules_decide_where_they_are_the_basis() -> None:
    """Equal joules pass, although counts rose."""
    fresh, old = record(counts=counts_of(36)), record(counts=counts_of(12))
    decision = decided(fresh, baseline(old), counted=[baseline(old)])
    assert decision.verdict is Verdict.PASS
    assert decision.counts_comparison is not None
    assert decision.counts_comparison.verdict is Verdict.REGRESSION


def test_counts_decide_where_they_are_the_basis() -> None:
    """Twice the joules with equal counts pass, and no joules are compared."""
    against = [counts_baseline(counted(counts_of(12)))]
    decision = decided(record(energy_j=200.0, counts=counts_of(12)), policy=BY_COUNTS, counted=against)
    assert decision.verdict is Verdict.PASS
    assert [type(one) for one in decision.findings] == [AgainstCounts]
    rise = decided(record(energy_j=50.0, counts=counts_of(13)), policy=BY_COUNTS, counted=against)
    assert rise.verdict is Verdict.REGRESSION


def test_a_tolerance_is_of_the_counts() -> None:
    """13 of 12 calls are 8.3 % more."""
    against = [counts_baseline(counted(counts_of(12)))]
    verdicts = [
        decided(
            counted(counts_of(13)),
            policy=Policy(is_by_counts=True, counts_tolerance=tolerance),
            counted=against,
        ).verdict
        for tolerance in (0.0, 0.08, 0.09)
    ]
    assert verdicts == [Verdict.REGRESSION, Verdict.REGRESSION, Verdict.PASS]


def test_a_creep_below_the_tolerance_is_red_at_last() -> None:
    """Each session adds 4 %, where 10 % are allowed: the first ones of the level are what is held against."""
    counts = [100, 104, 108, 112, 116, 120, 124, 128, 132, 136, 140]
    sessions = [
        replace(counted(counts_of(count)), created=f"2025-11-20T10:{minute:02}:00Z")
        for minute, count in enumerate(counts)
    ]
    verdicts = [
        decided(
            sessions[place],
            policy=Policy(is_by_counts=True, counts_tolerance=0.1),
            counted=[counts_baseline(*sessions[:place])],
        ).verdict
        for place in range(1, len(sessions))
    ]
    assert verdicts[:4] == [Verdict.PASS] * 4  # up to 116, as 108 is one of the first three
    assert verdicts[5:] == [Verdict.REGRESSION] * 5


def test_without_a_tolerance_the_newest_sessions_judge() -> None:
    """Unchanged code that doesn't repeat is as far apart as they are, and old code is forgotten."""
    counts = [50, *[10] * 3, *[9, 10] * 3, 11]
    sessions = [
        replace(counted(counts_of(count)), created=f"2025-11-20T10:{minute:02}:00Z")
        for minute, count in enumerate(counts)
    ]
    fresh = counted(counts_of(12))
    assert (
        decided(fresh, policy=BY_COUNTS, counted=[counts_baseline(*sessions)]).verdict is Verdict.REGRESSION
    )
    assert (
        decided(counted(counts_of(11)), policy=BY_COUNTS, counted=[counts_baseline(*sessions)]).verdict
        is Verdict.PASS
    )


def test_a_budget_is_held_against_joules() -> None:
    """Equal counts don't excuse a test that is over its budget."""
    against = [counts_baseline(counted(counts_of(12)))]
    decision = decided(
        record(counts=counts_of(12)), policy=BY_COUNTS, counted=against, budget=Budget(budget_j=50.0)
    )
    assert decision.verdict is Verdict.OVER_BUDGET
    assert [type(one) for one in decision.findings] == [AgainstBudget, AgainstCounts]


def test_a_rise_of_counts_is_red_although_no_joules_are_there_for_the_budget() -> None:
    """What can be told comes first; without a rise the budget is what nobody could check."""
    against, budget = [counts_baseline(counted(counts_of(12)))], Budget(budget_j=50.0)
    rise = decided(counted(counts_of(13)), policy=BY_COUNTS, counted=against, budget=budget)
    assert [type(one) for one in rise.findings] == [AgainstCounts, Unmeasured]
    assert rise.verdict is Verdict.REGRESSION
    equal = decided(counted(counts_of(12)), policy=BY_COUNTS, counted=against, budget=budget)
    assert equal.verdict is Verdict.UNMEASURED
    assert rise.unchecked == equal.unchecked == (Limit.BUDGET,)


def test_without_counts_nothing_is_told() -> None:
    """A test whose counts are compared and were not counted passes nothing: it is unmeasured."""
    decision = decided(uncounted(), policy=BY_COUNTS, counted=[counts_baseline(counted(counts_of(12)))])
    assert decision.findings == (NoCounts(because="--energy-trace=off"),)
    assert decision.unchecked == (Limit.BASELINE,)


def test_without_a_baseline_of_counts() -> None:
    """There is nothing to be held against yet."""
    decision = decided(counted(counts_of(12)), policy=BY_COUNTS)
    assert decision.findings == (NoCountsBaseline(key="counts_cpu"),)


def test_counts_of_other_work_are_not_compared() -> None:
    """Twice the samples are twice the work."""
    against = [counts_baseline(counted(counts_of(12)))]
    fresh = replace(counted(counts_of(12)), samples=64)
    assert decided(fresh, policy=BY_COUNTS, counted=against).verdict is Verdict.NOT_COMPARABLE
    assert decided(fresh, counted=against).counts_comparison is None


def test_a_piece_is_not_compared_with_the_whole() -> None:
    """A step is no epoch that has become cheaper."""
    against = [counts_baseline(counted(counts_of(12)))]
    piece = counted(replace(counts_of(1), is_piece=True))
    finding = decided(piece, policy=BY_COUNTS, counted=against).findings[0]
    assert finding == OtherWork(differences={"counted": ("the whole", "a piece")})


def test_facts_of_the_newest_session_explain_a_change() -> None:
    """What runs inside an operator with another torch is the library's, and no rise of the code."""
    old = record(counts=counts_of(12), shown={"torch": "2.11"})
    comparison = decided(
        record(counts=counts_of(12), shown={"torch": "2.13"}, key=KEY), counted=[baseline(old)]
    ).counts_comparison
    assert comparison is not None
    assert comparison.verdict is Verdict.PASS
