"""Rounds of two revisions -> verdict, with the reason in words. Pure.

Rule 1: the verdict words and their limits are those of the gate against a baseline; only the bounds come from
    pairs of rounds.
Rule 2: one pair proves nothing: rounds that could not be taken in turns are shown, and `inconclusive`.
Rule 3: a test that did not end the same way on both sides is a problem, never a pass.
Rule 4: a figure is shown with as many digits as keep it on its own side of the tolerance.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pytest_energy.ab.interleave import Taken
from pytest_energy.ab.protocol import Done
from pytest_energy.baselines.machine import check_comparable
from pytest_energy.basis import Basis
from pytest_energy.errors import NotComparable, NotMeasurable
from pytest_energy.model import Comparison, Judgement, Provenance, Reading, Record, Summary, Verdict
from pytest_energy.stats.compare import Bounds, RoundEnergies, centre_ratio, summarise
from pytest_energy.stats.paired import compare_pairs
from pytest_energy.units import to_text, with_uncertainty_text
from pytest_energy.verdict import change_text, count_text, shown_differences, verdict_of

_UNUSABLE = frozenset({Verdict.SATURATED, Verdict.UNMEASURED, Verdict.VOID})

_MOST_TEXT_LINES = 12  # of a test's own failure: the end of it holds the error

_DUST = 1e-12  # a change smaller than this is the rounding of floats, not of energy


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one test.

    Attributes:
        test_id: The test.
        before: Name of the side that is compared with: `main (abc1234)`.
        after: Name of the side that is judged.
        tolerance: Accepted rise, a share.
        alpha: Chance of a false alarm at the edge of the tolerance, one-sided.
    """

    test_id: str
    before: str
    after: str
    tolerance: float
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A test of which nothing can be said.

    Attributes:
        text: Which test, on which side, why.
        is_failing: Whether that fails the comparison.
    """

    text: str
    is_failing: bool = True


def judge_pairs(taken: Taken, question: Question) -> Judgement | Problem:
    """What the rounds of both sides say.

    Args:
        taken: The rounds, and how the test ended.
        question: What is asked.
    """
    problem = _problem(taken, question)
    if problem is not None:
        return problem
    before, after = (done.judgement for done in taken.ended)
    if before is None or after is None:  # said above already
        raise NotMeasurable(f"{question.test_id}: a side without a record can't be judged")
    for name, judgement in ((question.before, before), (question.after, after)):
        if judgement.verdict in _UNUSABLE:
            reason = f"on {name}: {judgement.reason}"
            return replace(after, verdict=judgement.verdict, reason=reason, comparison=None)
    if taken.void_because is not None:
        reason = _lines(
            f"no usable joules: {taken.void_because}",
            f"{count_text(len(taken.before), 'pair')} of rounds taken before that, compared with nothing",
            "what to do: remove the cause and run it again",
        )
        return Judgement(record=after.record, verdict=Verdict.VOID, reason=reason)
    return _judged(taken, before.record, after.record, question)


# ---- nothing to compare ----


def _problem(taken: Taken, question: Question) -> Problem | None:
    test_id, names = question.test_id, (question.before, question.after)
    ended = tuple(zip(names, taken.ended, strict=True))
    failed = [(name, done) for name, done in ended if done.outcome == "failed"]
    if failed:
        name, done = failed[0]
        where = "both sides" if len(failed) > 1 else name
        return Problem(text=f"{test_id} failed on {where}:\n{_tail(done)}")
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


def _tail(done: Done) -> str:
    return "\n".join(f"  | {line}" for line in done.text.splitlines()[-_MOST_TEXT_LINES:])


# ---- both sides have joules ----


def _judged(taken: Taken, before: Record, after: Record, question: Question) -> Judgement:
    try:
        check_comparable(before, after)
    except NotComparable as error:
        return Judgement(
            record=after, verdict=Verdict.NOT_COMPARABLE, reason=_not_comparable_text(error, question)
        )
    if taken.is_interleaved:
        before, after = replace(before, rounds=taken.before), replace(after, rounds=taken.after)
    sample_of = Basis().sample if taken.is_interleaved else _one_sample
    try:
        samples = sample_of(before), sample_of(after)
        bounds = compare_pairs(*samples, tolerance=question.tolerance, alpha=question.alpha)
    except NotMeasurable as error:
        return Judgement(record=after, verdict=Verdict.VOID, reason=f"no usable joules: {error}")
    found = _Found(
        before=before,
        after=after,
        bounds=bounds,
        pair_count=len(samples[0].energies_j),
        is_interleaved=taken.is_interleaved,
    )
    return found.judgement(question)


def _one_sample(record: Record) -> RoundEnergies:
    """The mean of a record's rounds as one round: they were not taken in turns."""
    rounds = Basis().sample(record)
    summary = summarise(rounds.energies_j, rounds.uncertainties_j)
    uncertainty_j = rounds.relative_uncertainty * summary.energy_j
    return RoundEnergies(energies_j=(summary.energy_j,), uncertainties_j=(uncertainty_j,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Both records, and the bounds of their ratio."""

    before: Record
    after: Record
    bounds: Bounds
    pair_count: int
    is_interleaved: bool

    @property
    def is_proof(self) -> bool:
        return self.is_interleaved and self.pair_count > 1

    def judgement(self, question: Question) -> Judgement:
        sample = Basis().sample(self.after)
        summary = summarise(sample.energies_j, sample.uncertainties_j)
        comparison = self._comparison(question)
        verdict = verdict_of(self.bounds, question.tolerance) if self.is_proof else Verdict.INCONCLUSIVE
        reason = _lines(
            self._headline(summary, verdict, question),
            self._pairs_text(question),
            _why_text(comparison),
            *self._difference_lines(comparison),
            *([f"note: {self.bounds.note}"] if self.bounds.note else []),
            *_quality_lines((*self.before.usable_rounds, *self.after.usable_rounds)),
            *self._advice(verdict, question),
        )
        return Judgement(
            record=self.after, verdict=verdict, reason=reason, summary=summary, comparison=comparison
        )

    def _comparison(self, question: Question) -> Comparison:
        durations_s = [
            tuple(reading.duration_s for reading in one.usable_rounds) for one in (self.before, self.after)
        ]
        duration_ratio = centre_ratio(durations_s[1], [durations_s[0]])
        taken = f"against {question.before}: {self._rounds_text()}"
        return Comparison(
            session_count=1,
            energy_j=self.bounds.baseline_j,
            ratio=self.bounds.ratio,
            ratio_ci=(self.bounds.lower, self.bounds.upper),
            detectable_ratio=self.bounds.detectable_ratio,
            duration_ratio=duration_ratio,
            power_ratio=self.bounds.ratio / duration_ratio,
            differences=shown_differences(self.before, self.after),
            tolerance=question.tolerance,
            note="; ".join(filter(None, (taken, self.bounds.note))),
        )

    def _rounds_text(self) -> str:
        if self.is_interleaved:
            return f"{count_text(self.pair_count, 'pair')} of rounds, taken in turns"
        return "the rounds could not be taken in turns"

    def _headline(self, summary: Summary, verdict: Verdict, question: Question) -> str:
        tolerance = question.tolerance
        percent = f"{tolerance * 100:g} %"
        said = {
            Verdict.REGRESSION: f"more than the {percent} allowed",
            Verdict.IMPROVEMENT: f"a saving of more than {percent}",
            Verdict.PASS: f"within the {percent} allowed",
            Verdict.INCONCLUSIVE: f"can't tell whether within the {percent} allowed",
        }[verdict]
        ratios = (self.bounds.ratio, self.bounds.lower, self.bounds.upper)
        change, lower, upper = (change_text(ratio, tolerance) for ratio in ratios)
        is_dust = summary.uncertainty_j < _DUST * summary.energy_j
        energy = with_uncertainty_text(summary.energy_j, 0.0 if is_dust else summary.uncertainty_j, "J")
        provenance = self.after.provenance
        mark = "" if provenance is Provenance.MEASURED else f" ({provenance})"
        return (
            f"energy {change} against {question.before}, {said} (bounds {lower} to {upper}): "
            f"{energy} a round{mark}, there {to_text(self.bounds.baseline_j, 'J')}"
        )

    def _pairs_text(self, question: Question) -> str:
        confidence = f"bounds each at {(1 - question.alpha) * 100:g} % confidence"
        if not self.is_interleaved:
            return (
                "the rounds could not be taken in turns, so that what drifts between the sides counts as "
                f"theirs, and one pair of means proves nothing ({confidence})"
            )
        if self.pair_count == 1:
            return f"one pair of rounds proves nothing ({confidence})"
        detectable = change_text(self.bounds.detectable_ratio, None)
        told = f"a rise of {detectable} would have been told with 80 % power"
        return f"{told}: {self._rounds_text()}, {confidence}"

    def _difference_lines(self, comparison: Comparison) -> tuple[str, ...]:
        if not comparison.differences:
            return ()
        texts = (f"{name} {old} -> {new}" for name, (old, new) in comparison.differences.items())
        return (f"differs between the sides: {'; '.join(texts)}",)

    def _advice(self, verdict: Verdict, question: Question) -> tuple[str, ...]:
        match verdict:
            case Verdict.REGRESSION:
                return (f"what to do: find the cause in what has changed since {question.before}",)
            case Verdict.INCONCLUSIVE if not self.is_interleaved:
                return ("what to do: measure the work with energy.measure(...), which can take turns",)
            case Verdict.INCONCLUSIVE:
                more = max(10, 2 * self.pair_count)
                return (f"what to do: take more pairs: --pairs={more}, with --max-time if that ends it",)
            case _:
                return ()


# ---- words ----


def _not_comparable_text(error: NotComparable, question: Question) -> str:
    differ = "differs" if len(error.differences) == 1 else "differ"
    return _lines(
        f"{', '.join(error.differences)} {differ} between the sides, so their joules can't be compared",
        *(
            f"{name}: {old} on {question.before}, {new} on {question.after}"
            for name, (old, new) in error.differences.items()
        ),
        "what to do: have both sides do the same work, measured alike",
    )


def _why_text(comparison: Comparison) -> str:
    time, power = (change_text(ratio, None) for ratio in (comparison.duration_ratio, comparison.power_ratio))
    return f"why: time {time}, power {power}"


def _quality_lines(rounds: Sequence[Reading]) -> tuple[str, ...]:
    counts = Counter(sentence for reading in rounds for sentence in reading.quality)
    return tuple(f"seen in {count} of {len(rounds)} rounds: {text}" for text, count in counts.items())


def _lines(headline: str, *details: str) -> str:
    """*headline* and, indented below it, *details*: what others wrote into them starts no line of its own."""
    return "\n".join((" ".join(headline.split()), *(f"  {' '.join(line.split())}" for line in details)))
