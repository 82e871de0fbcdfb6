"""Rounds of two revisions -> verdict. Pure; the words are those of any verdict.

Rule 1: the verdict words and their limits are those of the gate against a baseline; only the bounds come from
    pairs of rounds.
Rule 2: one pair proves nothing: rounds that could not be taken in turns are shown, and `inconclusive`.
Rule 3: a test that did not end the same way on both sides is a problem, never a pass.
"""

from dataclasses import dataclass, replace

from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.baselines.machine import check_comparable
from pytest_energy.basis import Basis
from pytest_energy.conversion import judgement_from_json
from pytest_energy.errors import NotComparable, NotMeasurable
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Record
from pytest_energy.stats.compare import RoundEnergies
from pytest_energy.stats.paired import compare_pairs
from pytest_energy.verdict.findings import Compared, Decision, FactsDiffer, Void
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


def judge_pairs(
    rounds: PairedRounds, test_id: str, names: tuple[str, str], policy: Policy
) -> Judgement | Problem:
    """What the rounds of both sides say of *test_id*.

    Args:
        rounds: The rounds, and how the test ended.
        test_id: The test.
        names: Of the side that is compared with, such as `main (abc1234)`, and of the side that is judged.
        policy: How far the sides may be apart, and how sure that must be.

    Raises:
        FormatError: A side's judgement is none.
    """
    problem = _problem(rounds, test_id, names)
    if problem is not None:
        return problem
    before, after = (
        judgement_from_json(test.judgement, f"a message of {name}")
        for name, test in zip(names, rounds.ended, strict=True)
    )
    for name, judgement in zip(names, (before, after), strict=True):
        if judgement.verdict in _UNUSABLE:
            reason = f"on {name}: {judgement.reason}"
            return replace(after, verdict=judgement.verdict, reason=reason, comparison=None)
    decision = decide_pairs(rounds, before.record, after.record, policy)
    return in_words(decision, revision(*names))


def decide_pairs(rounds: PairedRounds, before: Record, after: Record, policy: Policy) -> Decision:
    """What is to be said of *after*, held against *before*, by *rounds* if those were taken in turns."""
    if rounds.void_because is not None:
        return _void(after, rounds.void_because, rounds)
    try:
        check_comparable(before, after)
    except NotComparable as error:
        differ = FactsDiffer(differences=error.differences, other_machines=None)
        return Decision(record=after, findings=(differ,), summary=summary_of(after))
    if rounds.is_interleaved:
        before, after = replace(before, rounds=rounds.before), replace(after, rounds=rounds.after)
    try:
        finding = _compared(before, after, policy, is_interleaved=rounds.is_interleaved)
    except NotMeasurable as error:
        return _void(after, str(error), rounds)
    return Decision(
        record=after,
        findings=(finding,),
        summary=summary_of(after),
        readings=(*before.usable_rounds, *after.usable_rounds),
    )


# ---- nothing to compare ----


def _void(after: Record, because: str, rounds: PairedRounds) -> Decision:
    return Decision(record=after, findings=(Void(because=because, pair_count=len(rounds.before)),))


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


def _compared(before: Record, after: Record, policy: Policy, *, is_interleaved: bool) -> Compared:
    rounds_of = Basis().round_energies if is_interleaved else _mean_as_one_round
    bounds = compare_pairs(
        rounds_of(before), rounds_of(after), tolerance=policy.tolerance, alpha=policy.alpha
    )
    finding = compared_of(after, [before], bounds, policy)
    is_proof = is_interleaved and bounds.spread.count > 1
    verdict = finding.verdict if is_proof else Verdict.INCONCLUSIVE
    return replace(finding, verdict=verdict, is_interleaved=is_interleaved)


def _mean_as_one_round(record: Record) -> RoundEnergies:
    """The mean of a record's rounds as one round: they were not taken in turns."""
    energy_j = summary_of(record).energy_j
    uncertainty_j = Basis().round_energies(record).relative_uncertainty * energy_j
    return RoundEnergies(energies_j=(energy_j,), uncertainties_j=(uncertainty_j,))
