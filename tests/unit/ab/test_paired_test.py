"""A test that may end before its last block."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.ab.judge import Problem, Suite
from pytest_energy.ab.paired_test import PairedTest
from pytest_energy.conversion import judgement_to_json
from pytest_energy.counts import Counts
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.verdict.policy import Policy
from tests.builders import TEST_ID, count_entry, counts_with, judged, record
from tests.unit.ab.test_judge import NAMES, NOISE, done, rounds

TWELVE, MANY = (
    counts_with(count_entry("aten::layer_norm", count, size_bytes=count * 1e5, inputs=f"{count}"))
    for count in (12, 36)
)


def block(after_j: float, before: Counts | None = None, after: Counts | None = None) -> PairedRounds:
    """Six pairs of a first side of 100 J, with what was counted on each side."""
    one, other = rounds(100.0), rounds(after_j, noise=NOISE[::-1])
    first, second = (
        done(replace(record(rounds=taken), counts=counts, absent={} if counts else {"counts": "off"}))
        for taken, counts in ((one, before), (other, after))
    )
    return PairedRounds(before=one, after=other, ended=(first, second), is_interleaved=True)


def run(
    blocks: Sequence[PairedRounds], *, tolerance: float = 0.05, is_by_counts: bool = False
) -> tuple[PairedTest, Judgement]:
    """The blocks one after the other, as the command takes them: until enough is known."""
    policy = Policy(tolerance=tolerance, is_by_counts=is_by_counts)
    test = PairedTest(TEST_ID, NAMES, policy, len(blocks))
    for number, one in enumerate(blocks, start=1):
        test.add(one)
        suite = Suite.of({TEST_ID: test.blocks})
        if number < len(blocks) and test.look(suite) is not None:
            break
    judgement = test.conclude(Suite.of({TEST_ID: test.blocks}))
    assert isinstance(judgement, Judgement)
    return test, judgement


def test_equal_counts_and_joules_need_no_last_block() -> None:
    """The same calls and no change of the joules: a pass after two blocks of three, at a quarter of alpha."""
    test, judgement = run([block(100.0, TWELVE, TWELVE), block(100.0), block(100.0)])
    assert (len(test.blocks), test.is_open) == (2, False)
    assert judgement.verdict is Verdict.PASS
    assert "in turns in 2 of 3 blocks, which was enough" in judgement.reason
    assert "bounds at 95 % confidence (lower) and 98.75 % confidence (upper)" in judgement.reason
    assert judgement.record.counts == TWELVE
    assert "counts" not in judgement.record.absent


def test_one_block_is_enough_where_much_is_allowed() -> None:
    """Processes as far apart as they are at the most fit into 15 %."""
    test, judgement = run([block(100.0, TWELVE, TWELVE), *[block(100.0)] * 2], tolerance=0.15)
    assert (len(test.blocks), judgement.verdict) == (1, Verdict.PASS)


@pytest.mark.parametrize(("before", "after"), [(None, None), (TWELVE, None), (MANY, TWELVE), (TWELVE, MANY)])
def test_without_equal_counts_a_pass_takes_all_blocks(before: Counts | None, after: Counts | None) -> None:
    """Nothing counted, one side counted, fewer calls, more calls."""
    test, judgement = run([block(100.0, before, after), block(100.0), block(100.0)], tolerance=0.15)
    assert (len(test.blocks), judgement.verdict) == (3, Verdict.PASS)


def test_a_rise_that_counts_explain_is_found_at_once() -> None:
    """Three times the calls and 30 % more joules: a regression after the first block of three."""
    test, judgement = run([block(130.0, TWELVE, MANY), block(130.0), block(130.0)])
    assert (len(test.blocks), judgement.verdict) == (1, Verdict.REGRESSION)
    assert "what changed: layer_norm runs 36 times per call, not 12" in judgement.reason
    assert "99.5 % confidence (lower)" in judgement.reason


@pytest.mark.parametrize(("before", "after"), [(None, None), (TWELVE, TWELVE)])
def test_a_rise_that_counts_do_not_explain_takes_all_blocks(
    before: Counts | None, after: Counts | None
) -> None:
    """It is found as it was without counts: all blocks, and the lower bound at alpha."""
    test, judgement = run([block(130.0, before, after), block(130.0), block(130.0)])
    assert (len(test.blocks), judgement.verdict) == (3, Verdict.REGRESSION)
    plain = run([block(130.0)] * 3)[1]
    assert judgement.comparison is not None
    assert plain.comparison is not None
    assert judgement.comparison.ratio_ci[0] == plain.comparison.ratio_ci[0]


def test_a_saving_of_equal_calls_takes_all_blocks() -> None:
    """A look ends in a pass or in no verdict: an improvement is for the last block to tell."""
    test, judgement = run([block(70.0, TWELVE, TWELVE), block(70.0), block(70.0)])
    assert (len(test.blocks), judgement.verdict) == (3, Verdict.IMPROVEMENT)


def test_a_rise_at_the_edge_is_left_open() -> None:
    """The looks that were in vain have made the upper bound of the last one wider, never narrower."""
    edge = 100.0 * 1.049
    looked, plain = (run([block(edge, one, one), block(edge), block(edge)]) for one in (TWELVE, None))
    assert [len(test.blocks) for test, _ in (looked, plain)] == [3, 3]
    uppers = [one.comparison.ratio_ci[1] for _, one in (looked, plain) if one.comparison is not None]
    assert uppers[0] > uppers[1]


def test_void_pairs_are_not_looked_at() -> None:
    """What is void ends nothing early, and is void at the end."""
    void = replace(block(100.0, TWELVE, TWELVE), void_because="somebody else computed")
    test = PairedTest(TEST_ID, NAMES, Policy(tolerance=0.15), 3)
    test.add(void)
    suite = Suite.of({TEST_ID: test.blocks})
    assert test.look(suite) is None
    judgement = test.conclude(suite)
    assert isinstance(judgement, Judgement)
    assert judgement.verdict is Verdict.VOID


def test_a_test_that_fails_is_a_problem_in_any_block() -> None:
    """It has no counts, and its failure is not hidden by the other blocks."""
    failed = replace(block(100.0), ended=(done(None, outcome="failed", text="E boom"), done(record())))
    test = PairedTest(TEST_ID, NAMES, Policy(tolerance=0.15), 3)
    test.add(failed)
    assert test.look(Suite.of({TEST_ID: test.blocks})) is None
    assert isinstance(test.conclude(Suite.of({TEST_ID: test.blocks})), Problem)


def test_counts_alone_take_one_block() -> None:
    """Where counts are what is compared, one trace of each side decides."""
    _, more = run([block(100.0, TWELVE, MANY)], is_by_counts=True)
    _, same = run([block(200.0, TWELVE, TWELVE)], is_by_counts=True)
    assert (more.verdict, same.verdict) == (Verdict.REGRESSION, Verdict.PASS)


def test_a_marker_that_asks_for_counts_has_them_decide() -> None:
    """One block is enough for such a test, among others that are compared by joules."""
    first = block(100.0, TWELVE, MANY)
    judged_by_counts = replace(
        judged(replace(record(), counts=MANY)), terms=Policy(tolerance=0.05, is_by_counts=True).terms
    )
    ended = (first.ended[0], structs.replace(first.ended[1], judgement=judgement_to_json(judged_by_counts)))
    test = PairedTest(TEST_ID, NAMES, Policy(tolerance=0.05), 3)
    test.add(replace(first, ended=ended))
    assert not test.is_open
    judgement = test.conclude(Suite.of({TEST_ID: test.blocks}))
    assert isinstance(judgement, Judgement)
    assert judgement.verdict is Verdict.REGRESSION
    assert judgement.counts_comparison is not None
    assert judgement.counts_comparison.is_judged


def test_a_test_that_is_in_doubt_can_be_extended() -> None:
    """It is open again, also after a look that had ended it; its verdict is then that of all blocks."""
    test, judgement = run([block(100.0, TWELVE, TWELVE), *[block(100.0)] * 2], tolerance=0.15)
    assert (judgement.verdict, test.is_open) == (Verdict.PASS, False)
    test.extend(6)
    assert test.is_open
    test.add(block(130.0))
    again = test.conclude(Suite.of({TEST_ID: test.blocks}))
    assert isinstance(again, Judgement)
    assert len(again.record.rounds) == 12


def test_what_more_rounds_can_not_decide_is_not_extended() -> None:
    """Nothing measured, a failure, a void block, a replay's rounds, which come again as they were."""
    usual = replace(block(100.0), is_complete=True)
    replayed = tuple(replace(one, provenance=Provenance.REPLAYED) for one in usual.after)
    failed = (usual.ended[0], structs.replace(usual.ended[1], outcome="failed"))
    for one in (
        replace(usual, void_because="a stranger"),
        replace(usual, is_interleaved=False),
        replace(usual, after=replayed),
        replace(usual, ended=failed),
    ):
        test = PairedTest(TEST_ID, NAMES, Policy(), 1)
        test.blocks = [one]
        test.extend(2)
        assert not test.is_open
    PairedTest(TEST_ID, NAMES, Policy(), 1).extend(2)
