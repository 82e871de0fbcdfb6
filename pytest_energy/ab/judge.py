"""Rounds of two revisions -> verdict. Pure; the words are those of any verdict.

Rule 1: the verdict words and their limits are those of the gate against a baseline; only the bounds come from
    pairs of rounds.
Rule 2: one pair proves nothing: rounds that could not be taken in turns are shown, and `inconclusive`.
Rule 3: a test that did not end the same way on both sides is a problem, never a pass, in whichever block.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.baselines.machine import check_comparable
from pytest_energy.basis import Basis
from pytest_energy.conversion import judgement_from_json
from pytest_energy.errors import NotComparable, NotMeasurable
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Record
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.paired import PairBlock, compare_pairs, suite_levels
from pytest_energy.stats.process_levels import PRIOR_LEVELS, ProcessLevels
from pytest_energy.verdict.findings import Decision, FactsDiffer, Void
from pytest_energy.verdict.paragraph import revision
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import compared_of, summary_of
from pytest_energy.verdict.words import in_words

_UNUSABLE = frozenset({Verdict.SATURATED, Verdict.UNMEASURED, Verdict.VOID})

_MOST_TEXT_LINES = 12  # of a test's own failure: the end of it holds the error


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A test of which nothing can be said: which, where, why, and whether that fails the comparison."""

    text: str
    is_failing: bool = True


def known_levels(suite: Mapping[str, Sequence[PairedRounds]]) -> dict[str, ProcessLevels]:
    """What of each test the others show of how far processes differ; without those that have no pairs."""
    pairs = {}
    for test_id, blocks in suite.items():
        with suppress(NotMeasurable):
            pairs[test_id] = [one.block() for one in blocks]
    return dict(zip(pairs, suite_levels(list(pairs.values())), strict=True))


def judge_pairs(
    blocks: Sequence[PairedRounds],
    test_id: str,
    names: tuple[str, str],
    policy: Policy,
    levels: ProcessLevels = PRIOR_LEVELS,
) -> Judgement | Problem:
    """What the rounds of both sides say of *test_id*.

    Args:
        blocks: The rounds of each block, and how the test ended there; at least one.
        test_id: The test.
        names: Of the side that is compared with, such as `main (abc1234)`, and of the side that is judged.
        policy: How far the sides may be apart, and how sure that must be.
        levels: How far processes differ, as far as that is known without this test.

    Raises:
        FormatError: A side's judgement is none.
    """
    problem = next(filter(None, (_problem(rounds, test_id, names) for rounds in blocks)), None)
    if problem is not None:
        return problem
    for rounds in blocks:
        before, after = (
            judgement_from_json(test.judgement, f"a message of {name}")
            for name, test in zip(names, rounds.ended, strict=True)
        )
        for name, judgement in zip(names, (before, after), strict=True):
            if judgement.verdict in _UNUSABLE:
                reason = f"on {name}: {judgement.reason}"
                return replace(after, verdict=judgement.verdict, reason=reason, comparison=None)
    decision = decide_pairs(blocks, before.record, after.record, policy, levels)
    return in_words(decision, revision(*names))


def decide_pairs(
    blocks: Sequence[PairedRounds],
    before: Record,
    after: Record,
    policy: Policy,
    levels: ProcessLevels = PRIOR_LEVELS,
) -> Decision:
    """What is to be said of *after*, held against *before*, by *blocks* if rounds were taken in turns there.

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
    is_interleaved = all(one.is_interleaved for one in blocks)
    if is_interleaved:
        before = replace(before, rounds=tuple(chain.from_iterable(one.before for one in blocks)))
        after = replace(after, rounds=tuple(chain.from_iterable(one.after for one in blocks)))
    try:
        pairs = [one.block() for one in blocks] if is_interleaved else [_means_as_one_pair(before, after)]
        bounds = compare_pairs(pairs, tolerance=policy.tolerance, alpha=policy.alpha, levels=levels)
        finding = compared_of(after, [before], bounds, policy)
    except NotMeasurable as error:
        return _void(after, str(error), blocks)
    is_proof = is_interleaved and bounds.spread.count > 1
    finding = replace(
        finding,
        verdict=finding.verdict if is_proof else Verdict.INCONCLUSIVE,
        is_interleaved=is_interleaved,
        block_count=len(pairs),
    )
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


def _means_as_one_pair(before: Record, after: Record) -> PairBlock:
    """The means of two records' rounds as one pair: they were not taken in turns."""
    return PairBlock(before=_mean_as_one_round(before), after=_mean_as_one_round(after))


def _mean_as_one_round(record: Record) -> RoundEnergies:
    energy_j = summary_of(record).energy_j
    uncertainty_j = Basis().round_energies(record).relative_uncertainty * energy_j
    return RoundEnergies(energies_j=(energy_j,), uncertainties_j=(uncertainty_j,))
