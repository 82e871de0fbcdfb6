"""Verdicts on rounds of two revisions, and what is said of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from pytest_energy.ab.calls import Calls, Counted
from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.ab.judge import Problem, Suite, decide_pairs, judge_pairs
from pytest_energy.ab.part_changes import ONLY_LOOK, Look
from pytest_energy.ab.protocol import FinishedTest
from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.judgement import Brief, Judgement, Part, PartComparison, Verdict
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.stats.centre import Spread
from pytest_energy.verdict.findings import Decision, FactsDiffer, Void
from pytest_energy.verdict.policy import Policy
from tests.builders import TEST_ID, count_entry, counts_with, judged, reading, record

NAMES = ("main (abc1234)", "the working tree")
POLICY = Policy(tolerance=0.02)
NOISE = (1.0, 1.004, 0.997, 1.002, 0.999, 1.001)


def rounds(energy_j: float, *, noise: Sequence[float] = NOISE, power_w: float = 100.0) -> tuple[Reading, ...]:
    return tuple(reading(energy_j * n, duration_s=energy_j * n / power_w, uncertainty_j=0.01) for n in noise)


def done(one: Record | None, *, outcome: str = "passed", text: str = "") -> FinishedTest:
    measured = None if one is None else judgement_to_json(judged(one))
    return FinishedTest(outcome=outcome, text=text, judgement=measured, sources={})


def changed(done: FinishedTest, **members: str) -> FinishedTest:
    """*done* with a judgement that says something else."""
    assert done.judgement is not None
    return structs.replace(done, judgement=done.judgement | members)


def taken(
    before_j: float = 100.0,
    after_j: float = 100.0,
    *,
    before: FinishedTest | None = None,
    after: FinishedTest | None = None,
    count: int = 6,
    is_interleaved: bool = True,
) -> PairedRounds:
    """Six pairs of rounds that differ by less than 1 %."""
    one, other = rounds(before_j)[:count], rounds(after_j, noise=NOISE[::-1])[:count]
    return PairedRounds(
        before=one if is_interleaved else (),
        after=other if is_interleaved else (),
        ended=(before or done(record(rounds=one)), after or done(record(rounds=other))),
        is_interleaved=is_interleaved,
    )


def decided(what: PairedRounds) -> Decision:
    """What the rules find of both sides."""
    before, after = (judgement_from_json(done.judgement, "a side").record for done in what.ended)
    return decide_pairs([what], before, after, POLICY)


def judgement(what: PairedRounds) -> Judgement:
    result = judge_pairs([what], TEST_ID, NAMES, POLICY)
    assert isinstance(result, Judgement)
    return result


def problem(what: PairedRounds) -> Problem:
    result = judge_pairs([what], TEST_ID, NAMES, POLICY)
    assert isinstance(result, Problem)
    return result


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


def test_the_figures_are_those_of_the_pairs() -> None:
    """Ratio and level of the other side; the note says that the rounds took turns."""
    comparison = judgement(taken(100.0, 130.0)).comparison
    assert comparison is not None
    assert comparison.ratio == pytest.approx(1.3, rel=1e-3)
    assert comparison.energy_j == pytest.approx(100.0, rel=1e-3)
    assert comparison.duration_ratio == pytest.approx(1.3, rel=1e-3)
    assert comparison.power_ratio == pytest.approx(1.0, rel=1e-3)
    assert comparison.tolerance == 0.02
    assert comparison.note == "compared with main (abc1234): 6 pairs of rounds, in turns"


def test_a_judgement_survives_its_json() -> None:
    """What is written can be read again."""
    result = judgement(taken(100.0, 130.0))
    assert judgement_from_json(judgement_to_json(result), "a judgement") == result


def test_the_record_is_the_candidates_rounds() -> None:
    """Rounds without a partner are not in the record: it is what was compared."""
    extra = record(rounds=rounds(500.0))
    result = judgement(taken(100.0, 130.0, after=done(extra)))
    assert result.record.round_energies_j == tuple(r.energy_j for r in rounds(130.0, noise=NOISE[::-1]))


@pytest.mark.parametrize(
    ("count", "is_interleaved", "spread"),
    [
        (6, False, Spread(source="assumed", count=1)),
        (1, True, Spread(source="assumed", count=1)),
    ],
)
def test_one_pair_proves_nothing(count: int, *, is_interleaved: bool, spread: Spread) -> None:
    """Means of rounds that took no turns, or a single pair: inconclusive, however far apart they are."""
    rounds = taken(100.0, 300.0, count=count, is_interleaved=is_interleaved)
    finding = decided(rounds).compared
    assert finding is not None
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert (finding.spread, finding.is_interleaved) == (spread, is_interleaved)
    assert finding.comparison.ratio == pytest.approx(3.0, rel=1e-3)


def test_void_pairs_are_void() -> None:
    """Joules that must not be used are not judged; the pairs before are counted."""
    decision = decided(replace(taken(100.0, 300.0), void_because="somebody else computed"))
    assert decision.findings == (Void(because="somebody else computed", pair_count=6),)
    assert decision.compared is None


@pytest.mark.parametrize("side", [0, 1])
def test_a_side_that_measured_nothing_is_told(side: int) -> None:
    """A side without joules makes the test what that side is, with its reason."""
    unmeasured = done(record(rounds=(), unmeasured_because="no sensor on this machine"))
    what = taken()
    ended = (unmeasured, what.ended[1]) if side == 0 else (what.ended[0], unmeasured)
    result = judgement(replace(what, ended=ended))
    assert result.verdict is Verdict.UNMEASURED
    name = NAMES[side]
    assert result.reason.startswith(f"on {name}: nothing was measured: no sensor on this machine")


def test_sides_that_do_different_work_are_not_compared() -> None:
    """Another number of samples is another work."""
    one = rounds(100.0)
    what = taken(
        before=done(record(rounds=one, samples=10)),
        after=done(record(rounds=one, samples=20)),
    )
    differences = {"samples": ("10", "20")}
    assert decided(what).findings == (FactsDiffer(differences=differences, other_machines=None),)


def test_what_readings_say_is_counted_over_both_sides() -> None:
    """A late tick on either side is one of twelve rounds."""
    what = taken()
    late = replace(what.before[0], quality=("a tick was late",))
    decision = decided(replace(what, before=(late, *what.before[1:])))
    assert decision.notes == ("a tick was late (1 of 12 rounds)",)


def test_estimates_that_gate_are_compared() -> None:
    """Joules that were not measured pass and fail where they may on each side."""
    one = tuple(replace(r, provenance=Provenance.ESTIMATED) for r in rounds(100.0))
    both = record(rounds=one, provenance=Provenance.ESTIMATED)
    gated = changed(done(both), verdict=Verdict.NO_BASELINE)
    result = judgement(PairedRounds(before=one, after=one, ended=(gated, gated), is_interleaved=True))
    assert result.verdict is Verdict.PASS


def test_a_side_that_fell_behind_its_load_is_held_against_nothing() -> None:
    """Joules of no rate have no ratio: the side and its reason are told, on either side."""
    what = taken(100.0, 300.0)
    before, after = what.ended
    for ended in ((_saturated(before), after), (before, _saturated(after))):
        result = judgement(replace(what, ended=ended))
        assert result.verdict is Verdict.SATURATED
        assert "90 answers to 160 requests" in result.reason
        assert result.comparison is None


def test_a_side_past_its_latency_limits_has_no_ratio() -> None:
    """Fewer joules at longer latencies are no saving; only the side that is judged fails the test."""
    what = taken(100.0, 50.0)
    before, after = what.ended
    for ended, verdict in (
        ((_missed(before), after), Verdict.NOT_COMPARABLE),
        ((before, _missed(after)), Verdict.OVER_BUDGET),
    ):
        result = judgement(replace(what, ended=ended))
        assert result.verdict is verdict
        assert "97 % of 320 answers" in result.reason
        assert result.comparison is None


def _missed(done: FinishedTest) -> FinishedTest:
    because = "97 % of 320 answers"
    return changed(done, verdict=Verdict.OVER_BUDGET, reason=because, slo_missed_because=because)


def _saturated(done: FinishedTest) -> FinishedTest:
    reason = "saturated: 90 answers to 160 requests"
    return changed(done, verdict=Verdict.SATURATED, reason=reason)


def test_a_round_of_no_joules_is_void() -> None:
    """A ratio to nothing has no meaning."""
    what = taken()
    nothing = tuple(reading(0.0) for _ in what.before)
    assert judgement(replace(what, before=nothing)).verdict is Verdict.VOID


def test_a_failed_test_is_a_problem() -> None:
    """A test that fails is told with its side and the end of its error."""
    result = problem(taken(before=done(None, outcome="failed", text="E  assert 1 == 2")))
    assert result.is_failing
    assert result.text == f"{TEST_ID} failed on main (abc1234):\n  | E  assert 1 == 2"


def test_a_test_that_fails_on_both_sides_is_told_once() -> None:
    """The same failure on both sides is one problem."""
    failed = done(None, outcome="failed", text="E  boom")
    assert problem(taken(before=failed, after=failed)).text.startswith(f"{TEST_ID} failed on both sides")


@pytest.mark.parametrize(("is_both", "is_failing"), [(True, False), (False, True)])
def test_a_skipped_test(is_both: bool, is_failing: bool) -> None:  # noqa: FBT001
    """Skipped on both sides is a note; on one side only it is a problem."""
    skipped = done(None, outcome="skipped")
    result = problem(taken(before=skipped, after=skipped if is_both else None))
    assert result.is_failing is is_failing
    assert "skipped" in result.text


@pytest.mark.parametrize(("is_both", "is_failing"), [(True, False), (False, True)])
def test_a_test_that_measured_nothing(is_both: bool, is_failing: bool) -> None:  # noqa: FBT001
    """No window on both sides is a note; on one side only it is a problem."""
    silent = done(None)
    result = problem(taken(before=silent, after=silent if is_both else None))
    assert result.is_failing is is_failing
    assert "measured nothing" in result.text


# ---- blocks ----


def in_blocks(*changes: float) -> list[PairedRounds]:
    """A block for each of *changes*, of six pairs that differ by so much and a little noise."""
    return [taken(100.0, 100.0 * (1 + change)) for change in changes]


def of_blocks(blocks: Sequence[PairedRounds]) -> Judgement:
    result = judge_pairs(blocks, TEST_ID, NAMES, POLICY)
    assert isinstance(result, Judgement)
    return result


def test_blocks_are_judged_together() -> None:
    """The ratio is that of all blocks, the record holds the rounds of all, and the note counts both."""
    result = of_blocks(in_blocks(0.04, 0.05, 0.06))
    assert result.comparison is not None
    assert result.verdict is Verdict.REGRESSION
    assert result.comparison.ratio == pytest.approx(1.05, rel=1e-3)
    assert result.comparison.note.startswith(
        "compared with main (abc1234): 18 pairs of rounds, in turns in 3 blocks"
    )
    assert len(result.record.rounds) == 18


def test_blocks_that_differ_leave_it_open() -> None:
    """Six pairs that all show a rise, in one pair of processes, are none if other processes show none."""
    assert of_blocks(in_blocks(0.05)).verdict is Verdict.REGRESSION
    assert of_blocks(in_blocks(0.05, 0.0, 0.0)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_wrong_in_one_block_is_the_tests(place: int) -> None:
    """A failure or void joules in any block are told, not outvoted."""
    blocks = in_blocks(0.0, 0.0, 0.0)
    blocks[place] = replace(blocks[place], void_because="somebody else computed")
    assert of_blocks(blocks).verdict is Verdict.VOID
    blocks[place] = taken(after=done(None, outcome="failed", text="E  boom"))
    result = judge_pairs(blocks, TEST_ID, NAMES, POLICY)
    assert isinstance(result, Problem)
    assert "E  boom" in result.text


def test_a_suite_tells_its_levels_where_there_are_pairs() -> None:
    """A test without a usable pair has none, and takes nothing from the others."""
    nothing = replace(taken(), before=(), after=())
    wild = in_blocks(0.05, 0.0, -0.05)
    suite = Suite.of({"calm": in_blocks(0.0, 0.0, 0.0), "wild": wild, "none": [nothing]})
    assert suite.levels.keys() == {"calm", "wild"}
    assert suite.levels["calm"][Part.JOULES].variance > suite.levels["wild"][Part.JOULES].variance


# ---- parts ----

READY_W = 100.0


def parted(
    active_j: float,
    seconds: Sequence[float],
    *,
    noise: Sequence[float] = NOISE,
    quiet_w: float | None = READY_W,
) -> tuple[Reading, ...]:
    """Rounds of so many active joules, on top of ready power for *seconds*."""
    return tuple(
        replace(
            reading(active_j * n + READY_W * duration_s, duration_s=duration_s, uncertainty_j=0.01),
            quiet_power_w={} if quiet_w is None else {"gpu:0": quiet_w},
            temperatures_c={"gpu:0": 50.0},
        )
        for n, duration_s in zip(noise, seconds, strict=True)
    )


SHAKY = (1.0, 1.4, 0.8, 1.1, 1.3, 0.9)
STEADY = (1.0, 1.001, 0.999, 1.0, 1.001, 0.999)


def judged_parts(
    *,
    work: float = 1.0,
    wait: float = 1.0,
    seconds: Sequence[float] = STEADY,
    active_j: float = 100.0,
    noise: Sequence[float] = NOISE,
    quiet_w: float | None = READY_W,
    look: Look = ONLY_LOOK,
) -> Judgement:
    """Three blocks of a test whose sides differ by these factors of active joules and of seconds."""
    before = parted(active_j, seconds, noise=noise, quiet_w=quiet_w)
    after = parted(active_j * work, [wait * one for one in seconds[::-1]], noise=noise[::-1], quiet_w=quiet_w)
    ended = done(record(rounds=before)), done(record(rounds=after))
    blocks = [PairedRounds(before=before, after=after, ended=ended, is_interleaved=True)] * 3
    result = judge_pairs(blocks, TEST_ID, NAMES, POLICY, Suite.of({TEST_ID: blocks}), look=look)
    assert isinstance(result, Judgement)
    return result


def part_of(result: Judgement, part: Part) -> PartComparison:
    assert result.comparison is not None
    return next(one for one in result.comparison.parts if one.part is part)


def test_seconds_that_shake_do_not_hide_the_work() -> None:
    """Rounds that take 0.8 to 1.4 s at ready power: the work passes, and a rise of 3 % is found in it."""
    same, more = judged_parts(seconds=SHAKY), judged_parts(seconds=SHAKY, work=1.03)
    assert (same.verdict, more.verdict) == (Verdict.PASS, Verdict.REGRESSION)
    assert more.reason.startswith("+3.0 % energy of the work [+2.5, +3.5], allowed 2 %: ")
    assert part_of(more, Part.WORK).ratio == pytest.approx(1.03, rel=1e-3)
    assert not part_of(same, Part.WAITING).is_judged


def test_a_wait_is_named() -> None:
    """Steady rounds that take 10 % longer, doing the same: waiting has moved, and the work has not."""
    result = judged_parts(wait=1.1)
    assert result.verdict is Verdict.REGRESSION
    assert result.reason.startswith("+10.0 % time [")
    assert "work 0 %" in result.reason or "work +0.0 %" in result.reason
    assert "waiting +100 ms at 100 W" in result.reason
    assert part_of(result, Part.WORK).verdict is Verdict.PASS


def test_waiting_is_held_against_the_joules_of_the_test() -> None:
    """Of two equal halves, waiting may rise by twice the tolerance: that is the tolerance of all joules."""
    assert part_of(judged_parts(), Part.WAITING).allowed_ratio == pytest.approx(1.04, rel=1e-3)
    assert judged_parts(wait=1.015).verdict is Verdict.PASS


def test_work_that_is_blunt_is_held_against_the_joules_of_the_test() -> None:
    """Active joules of a tenth that scatter by 3 %: they may rise by ten times the tolerance."""
    noise = (1.0, 1.03, 0.97, 1.04, 0.96, 1.0)
    result = judged_parts(active_j=10.0, noise=noise)
    assert part_of(result, Part.WORK).allowed_ratio == pytest.approx(1.22, rel=0.01)
    assert result.verdict is Verdict.PASS


def test_a_saving_that_is_waiting_does_not_hide_more_work() -> None:
    """Gross joules fall, as the rounds are shorter, and the work rises: a regression."""
    result = judged_parts(work=1.05, wait=0.8)
    assert result.comparison is not None
    assert result.comparison.ratio < 1.0
    assert result.verdict is Verdict.REGRESSION


def test_without_ready_power_all_joules_are_judged() -> None:
    """No quiet, no parts: why is told, and gross joules decide."""
    result = judged_parts(work=1.10, quiet_w=None)
    assert result.comparison is not None
    assert result.comparison.parts == ()
    assert "ready power of gpu:0 is not known" in result.comparison.no_parts_because
    assert result.verdict is Verdict.REGRESSION
    assert result.reason.startswith("+5.0 % energy [")


def test_a_few_large_rounds_do_not_pass() -> None:
    """One round in six uses twice as much: its pair is trimmed, and yet the mean has risen by a sixth."""
    noise = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    before, after = parted(100.0, STEADY, noise=noise), parted(100.0, STEADY, noise=(*noise[:5], 2.0))
    ended = done(record(rounds=before)), done(record(rounds=after))
    blocks = [PairedRounds(before=before, after=after, ended=ended, is_interleaved=True)] * 3
    result = judge_pairs(blocks, TEST_ID, NAMES, POLICY, Suite.of({TEST_ID: blocks}))
    assert isinstance(result, Judgement)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "a few large rounds: the plain mean is +16.7 %" in result.reason


def test_parts_survive_their_json() -> None:
    """What is written of the parts can be read again."""
    result = judged_parts()
    assert judgement_from_json(judgement_to_json(result), "a judgement") == result


# ---- what was counted ----


def shaken(share: float) -> tuple[float, ...]:
    """Seconds around 1 that scatter by *share* of 28 %, so that no pair is alike."""
    return tuple(1.0 + share * (one - 1.08) for one in SHAKY)


TWELVE, MANY = (
    count_entry("aten::layer_norm", count, size_bytes=count * 1e5, inputs=f"{count}") for count in (12, 36)
)


def looked(calls: Calls) -> Look:
    return Look(counted=Counted(calls=calls))


def test_more_seconds_of_the_same_calls_are_not_the_codes() -> None:
    """Counted alike and worked alike: a longer wait is left open, unless it is past what any host does."""
    known, same, far = (
        judged_parts(wait=wait, seconds=shaken(0.1), look=looked(calls))
        for wait, calls in ((1.08, Calls.UNKNOWN), (1.08, Calls.SAME), (1.3, Calls.SAME))
    )
    assert (known.verdict, same.verdict) == (Verdict.REGRESSION, Verdict.INCONCLUSIVE)
    assert "the longer time is attributed to the host" in same.reason
    assert part_of(same, Part.WAITING).verdict is Verdict.INCONCLUSIVE
    assert far.verdict is Verdict.REGRESSION


def test_a_blunt_wait_of_the_same_calls_does_not_pass() -> None:
    """What proves a wait at a tenth of alpha is open, however blunt it is, and whoever's it may be."""
    result = judged_parts(wait=1.1, seconds=shaken(0.3), look=looked(Calls.SAME))
    assert not part_of(result, Part.WAITING).is_judged
    assert result.verdict is Verdict.INCONCLUSIVE


def test_more_work_of_the_same_calls_is_a_regression() -> None:
    """Joules of the device are no host's: other inputs that were not counted, or another kernel."""
    assert judged_parts(work=1.05, look=looked(Calls.SAME)).verdict is Verdict.REGRESSION


def test_no_calls_excuse_joules_of_work_that_may_have_risen() -> None:
    """Work and seconds up by 3 %: what the work says is open, and all joules have surely risen."""
    noise = (*(1 + 3 * (one - 1) for one in NOISE[:5]), 1.009)
    result = judged_parts(work=1.03, wait=1.03, noise=noise, look=looked(Calls.SAME))
    assert part_of(result, Part.WORK).verdict is Verdict.INCONCLUSIVE
    assert result.verdict is Verdict.REGRESSION
    assert result.reason.startswith("+3.0 % energy [")


def test_without_parts_the_same_calls_excuse_nothing() -> None:
    """Where work and waiting can't be told apart, nobody knows whose a rise is."""
    result = judged_parts(work=1.1, quiet_w=None, look=looked(Calls.SAME))
    assert result.verdict is Verdict.REGRESSION


def test_more_calls_make_a_blunt_rise_count() -> None:
    """A wait too blunt to pass, proved at alpha alone: it counts where the calls have risen."""
    rises = [
        judged_parts(wait=1.08, seconds=shaken(0.3), look=looked(calls))
        for calls in (Calls.UNKNOWN, Calls.MORE)
    ]
    assert not any(part_of(one, Part.WAITING).is_judged for one in rises)
    assert [one.verdict for one in rises] == [Verdict.PASS, Verdict.REGRESSION]


def test_counts_alone_decide_where_they_are_what_is_compared() -> None:
    """A rise of a count is a regression without any joules, in the words of two revisions."""
    before, after = (record(rounds=(), unmeasured_because="nothing measures") for _ in range(2))
    before, after = replace(before, counts=counts_with(TWELVE)), replace(after, counts=counts_with(MANY))
    policy = Policy(tolerance=0.02, is_by_counts=True)
    counted = Counted.of(before, after, NAMES[0], policy)
    rounds = PairedRounds(ended=(done(before), done(after)), is_interleaved=False, is_complete=True)
    result = judge_pairs([rounds], TEST_ID, NAMES, policy, look=Look(counted=counted))
    assert isinstance(result, Judgement)
    assert result.verdict is Verdict.REGRESSION
    assert result.brief == Brief(
        headline="+200.0 % weighted work, allowed 0 %",
        cause="layer_norm runs 36 times per call, not 12",
        advice="Find the cause in the changes since main (abc1234).",
    )
    assert "compared with the counts of main (abc1234)" in result.reason
    assert "Find the cause in the changes since main (abc1234)" in result.reason
    assert result.counts_comparison is not None
    assert result.counts_comparison.is_judged


def test_counts_stand_beside_joules() -> None:
    """What changed is told under the headline, is kept whole, and judges nothing."""
    before, after = (replace(record(), counts=counts_with(one)) for one in (TWELVE, MANY))
    counted = Counted.of(before, after, NAMES[0], POLICY)
    what = taken(after=done(replace(after, counts=None)))
    result = judge_pairs([what], TEST_ID, NAMES, POLICY, look=Look(counted=counted))
    assert isinstance(result, Judgement)
    assert result.verdict is Verdict.PASS
    assert "what changed: layer_norm runs 36 times per call, not 12" in result.reason
    assert result.counts_comparison is not None
    assert not result.counts_comparison.is_judged
    assert result.record.counts == after.counts


def test_counts_stand_beside_a_test_that_nothing_measured() -> None:
    """Unmeasured it is, and what changed is kept with it."""
    before, after = (
        replace(record(rounds=(), unmeasured_because="no sensor"), counts=counts_with(one))
        for one in (TWELVE, MANY)
    )
    rounds = PairedRounds(ended=(done(before), done(after)), is_interleaved=False, is_complete=True)
    counted = Counted.of(before, after, NAMES[0], POLICY)
    result = judge_pairs([rounds], TEST_ID, NAMES, POLICY, look=Look(counted=counted))
    assert isinstance(result, Judgement)
    assert result.verdict is Verdict.UNMEASURED
    assert result.counts_comparison == counted.comparison is not None
    lines = result.reason.splitlines()
    assert lines[0] == "on main (abc1234): nothing was measured: no sensor"
    assert lines[1].startswith("  what changed: layer_norm runs 36 times per call, not 12")
