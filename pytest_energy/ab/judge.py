"""Rounds of two revisions -> verdict. Pure; the words are those of any verdict.

Rule 1: the verdict words and their limits are those of the gate against a baseline; only the bounds come from
    pairs of rounds.
Rule 2: one pair proves nothing: rounds that could not be taken in turns are shown, and `inconclusive`.
Rule 3: a test that did not end the same way on both sides is a problem, never a pass, in whichever block.
Rule 4: where joules have parts, work is compared with the tolerance by itself if that can be told so sharply,
    else against the tolerance of the test's joules; waiting always is. All joules count as well, so that two
    small rises are not lost. The worst is the verdict. What is too blunt to pass where nothing has changed
    doesn't count, unless it proves a rise at a tenth of alpha; work always counts. What the counts of both
    sides say of that: `part_changes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain

from pytest_energy.ab.calls import Counted
from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.ab.part_changes import ONLY_LOOK, PRIORS, Look, PartComparer, worst_of
from pytest_energy.ab.parts import ReadyPowers, TestPairs, pairs_of, ready_powers_of
from pytest_energy.baselines.machine import check_comparable
from pytest_energy.basis import Basis
from pytest_energy.conversion import judgement_from_json
from pytest_energy.errors import NotComparable, NotMeasurable
from pytest_energy.judgement import Judgement, Part, Verdict
from pytest_energy.model import Record
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.paired import PairBlock, compare_pairs, suite_levels
from pytest_energy.stats.process_levels import ProcessLevels
from pytest_energy.verdict.count_paragraphs import labelled
from pytest_energy.verdict.findings import Compared, Decision, FactsDiffer, NoCounts, Void
from pytest_energy.verdict.history import has_joules
from pytest_energy.verdict.paragraph import revision
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import compared_of, summary_of
from pytest_energy.verdict.words import in_words

_UNUSABLE = frozenset({Verdict.SATURATED, Verdict.UNMEASURED, Verdict.VOID})

_MOST_TEXT_LINES = 12  # of a test's own failure: the end of it holds the error


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A test that could not be compared: which, where, why, and whether that fails the comparison."""

    text: str
    is_failing: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What all tests have in common.

    Attributes:
        ready_powers: Of each block; empty if nothing is known of them.
        levels: For each test and part, what the other tests show of how far processes differ.
    """

    ready_powers: tuple[ReadyPowers, ...] = ()
    levels: Mapping[str, Mapping[Part, ProcessLevels]] = field(default_factory=dict)

    @classmethod
    def of(cls, tests: Mapping[str, Sequence[PairedRounds]]) -> "Suite":
        ready_powers = ready_powers_of(tests.values(), _idle_power_w(tests.values()))
        pairs: dict[str, TestPairs] = {}
        for test_id, blocks in tests.items():
            with suppress(NotMeasurable):
                pairs[test_id] = pairs_of(blocks, ready_powers)
        levels: dict[str, dict[Part, ProcessLevels]] = {test_id: {} for test_id in pairs}
        for part, prior in PRIORS.items():
            parted = {test_id: one.blocks[part] for test_id, one in pairs.items() if part in one.blocks}
            known = suite_levels(list(parted.values()), prior)
            for test_id, one in zip(parted, known, strict=True):
                levels[test_id][part] = one
        return cls(ready_powers=ready_powers, levels=levels)


BY_ITSELF = Suite()
"""Of a test that is measured alone."""


def _idle_power_w(tests: Iterable[Sequence[PairedRounds]]) -> Mapping[str, float] | None:
    """Power at rest, from the first side that has measured it."""
    for rounds in chain.from_iterable(tests):
        for done in rounds.ended:
            if done.judgement is not None and done.judgement.get("idle_power_w"):
                return judgement_from_json(done.judgement, "a side's message").record.idle_power_w
    return None


def judge_pairs(
    blocks: Sequence[PairedRounds],
    test_id: str,
    names: tuple[str, str],
    policy: Policy,
    suite: Suite = BY_ITSELF,
    *,
    look: Look = ONLY_LOOK,
) -> Judgement | Problem:
    """The judgement of *test_id* from the rounds of both sides.

    Args:
        blocks: The rounds of each block, and how the test ended there; at least one.
        test_id: The test.
        names: Of the side that is compared with, such as `main (abc1234)`, and of the side that is judged.
        policy: How far the sides may be apart, and how sure that must be.
        suite: What all tests have in common.
        look: Whether the blocks are all that there will be, and what was counted.

    Raises:
        FormatError: A side's judgement is none.
    """
    problem = next(filter(None, (_problem(rounds, test_id, names) for rounds in blocks)), None)
    if problem is not None:
        return problem
    for rounds in blocks:
        before, after = judgements_of(rounds, names)
        if before.record.slo_missed_because is not None:  # at other latencies fewer joules are no saving
            before = replace(before, verdict=Verdict.NOT_COMPARABLE)
        for name, judgement in zip(names, (before, after), strict=True):
            if judgement.record.slo_missed_because is not None:
                return _unusable(after, name, judgement, look.counted)
        if policy.is_by_counts:
            return in_words(decide_counts(look.counted, after.record), revision(*names))
        for name, judgement in zip(names, (before, after), strict=True):
            if judgement.verdict in _UNUSABLE:
                return _unusable(after, name, judgement, look.counted)
    decision = decide_pairs(
        blocks, before.record, look.counted.put_into(after.record), policy, suite, look=look
    )
    decision = replace(decision, counts_comparison=look.counted.comparison)
    return in_words(decision, revision(*names))


def _unusable(after: Judgement, name: str, unusable: Judgement, counted: Counted) -> Judgement:
    """*after*, of a test whose joules on the side *name* are *unusable*; its counts are reported anyway."""
    headline, *rest = unusable.reason.splitlines()
    lines = () if counted.comparison is None else labelled(counted.comparison)
    return replace(
        after,
        record=counted.put_into(after.record),
        verdict=unusable.verdict,
        reason="\n".join((f"on {name}: {headline}", *(f"  {line}" for line in lines), *rest)),
        comparison=None,
        counts_comparison=counted.comparison,
    )


def judgements_of(rounds: PairedRounds, names: tuple[str, str]) -> tuple[Judgement, Judgement]:
    """Each side's own judgement of a test that ended with joules or a reason on both.

    Raises:
        FormatError: A side's judgement is none.
    """
    before, after = (
        judgement_from_json(test.judgement, f"a message of {name}")
        for name, test in zip(names, rounds.ended, strict=True)
    )
    return before, after


def decide_counts(counted: Counted, after: Record) -> Decision:
    """The judgement of *after* by its counts alone."""
    finding = counted.finding or NoCounts(because="no reason was given")
    return Decision(
        record=counted.put_into(after),
        findings=(finding,),
        summary=summary_of(after) if has_joules(after) else None,
        counts_comparison=counted.comparison,
    )


def decide_pairs(
    blocks: Sequence[PairedRounds],
    before: Record,
    after: Record,
    policy: Policy,
    suite: Suite = BY_ITSELF,
    *,
    look: Look = ONLY_LOOK,
) -> Decision:
    """The judgement of *after*, compared with *before*; by *blocks* if rounds were taken in turns there.

    The records are those of the last block; their rounds become those of all blocks.
    """
    void_because = next((one.void_because for one in blocks if one.void_because is not None), None)
    if void_because is not None:
        return _void(after, void_because, blocks)
    try:
        check_comparable(before, after)
    except NotComparable as error:
        differ = FactsDiffer(differences=error.differences, other_machines=None)
        return Decision(record=after, findings=(differ,), summary=summary_of(after))
    if all(one.is_interleaved for one in blocks):
        before = replace(before, rounds=tuple(chain.from_iterable(one.before for one in blocks)))
        after = replace(after, rounds=tuple(chain.from_iterable(one.after for one in blocks)))
        compare = _compared_in_turns
    else:
        compare = _compared_by_means
    try:
        finding = compare(blocks, before, after, policy, suite=suite, look=look)
    except NotMeasurable as error:
        return _void(after, str(error), blocks)
    return Decision(
        record=after,
        findings=(finding,),
        summary=summary_of(after),
        readings=(*before.usable_rounds, *after.usable_rounds),
    )


# ---- nothing to compare ----


def _void(after: Record, because: str, blocks: Sequence[PairedRounds]) -> Decision:
    pair_count = sum(len(one.before) for one in blocks)
    return Decision(record=after, findings=(Void(because=because, pair_count=pair_count),))


def _problem(rounds: PairedRounds, test_id: str, names: tuple[str, str]) -> Problem | None:
    ended = tuple(zip(names, rounds.ended, strict=True))
    failed = [(name, done) for name, done in ended if done.outcome == "failed"]
    if failed:
        name, done = failed[0]
        where = "both sides" if len(failed) > 1 else name
        tail = "\n".join(f"  | {line}" for line in done.text.splitlines()[-_MOST_TEXT_LINES:])
        return Problem(text=f"{test_id} failed on {where}:\n{tail}")
    skipped = [name for name, done in ended if done.outcome == "skipped"]
    if len(skipped) == len(names):
        return Problem(text=f"{test_id} was skipped on both sides", is_failing=False)
    if skipped:
        return Problem(text=f"{test_id} was skipped on {skipped[0]} only")
    silent = [name for name, done in ended if done.judgement is None]
    if len(silent) == len(names):
        return Problem(text=f"{test_id} measured nothing on either side", is_failing=False)
    if silent:
        return Problem(text=f"{test_id} measured nothing on {silent[0]}, but did on the other side")
    return None


# ---- both sides have joules ----


def _compared_in_turns(
    blocks: Sequence[PairedRounds], before: Record, after: Record, policy: Policy, *, suite: Suite, look: Look
) -> Compared:
    comparer = comparer_of(blocks, after.test_id, policy, suite, look)
    finding = compared_of(after, [before], comparer.bounds(Part.JOULES), policy)
    finding = replace(
        finding,
        is_interleaved=True,
        block_count=len(blocks),
        planned_block_count=look.block_count,
        chances=look.chances,
    )
    if finding.spread.count == 1:
        return replace(finding, verdict=Verdict.INCONCLUSIVE)
    changes = comparer.changes()
    decisive = worst_of(changes)
    *parts, _ = changes
    comparison = replace(
        finding.comparison,
        parts=tuple(change.comparison for change in parts),
        no_parts_because=comparer.pairs.no_parts_because,
    )
    return replace(
        finding,
        verdict=decisive.comparison.verdict,
        comparison=comparison,
        decisive=decisive.comparison if parts else None,
        doubt=decisive.doubt,
    )


def comparer_of(
    blocks: Sequence[PairedRounds], test_id: str, policy: Policy, suite: Suite, look: Look
) -> PartComparer:
    """What compares the parts of the pairs of *test_id*.

    Raises:
        NotMeasurable: A block has no pair, or a round of 0 J.
    """
    pairs = pairs_of(blocks, suite.ready_powers or [{}] * len(blocks))
    return PartComparer(pairs, policy, suite.levels.get(test_id, {}), look)


def _compared_by_means(
    blocks: Sequence[PairedRounds], before: Record, after: Record, policy: Policy, *, suite: Suite, look: Look
) -> Compared:
    """The means of two records' rounds as one pair: they were not taken in turns."""
    del blocks, suite, look
    pair = PairBlock(before=_mean_as_one_round(before), after=_mean_as_one_round(after))
    bounds = compare_pairs([pair], tolerance=policy.tolerance, alpha=policy.alpha)
    finding = compared_of(after, [before], bounds, policy)
    return replace(finding, verdict=Verdict.INCONCLUSIVE, is_interleaved=False)


def _mean_as_one_round(record: Record) -> RoundEnergies:
    energy_j = summary_of(record).energy_j
    uncertainty_j = Basis().round_energies(record).relative_uncertainty * energy_j
    return RoundEnergies(energies_j=(energy_j,), uncertainties_j=(uncertainty_j,))
