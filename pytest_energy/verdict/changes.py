"""One part of a record against its baseline: bounds and what they say. Pure.

Rule 1: a rise fails only when the lower bound is past what is allowed; what the bounds leave open is
    `inconclusive`, never `pass`. A pass also takes the plain mean, in which a few large rounds count, and
    stays one if the largest of them comes once more: of rare rounds one more or less is chance.
Rule 2: a rise is one only if it is confirmed: by a second batch of rounds where there is one, and, among many
    tests, by bounds at alpha over their number that exclude no change at all.
Rule 3: work is held against the tolerance d by itself where it can be told that sharply. Where its half-width
    h is larger it is held against 2 h - d, at most against d of the test's joules. Waiting is held against d
    of the test's joules; where it is too blunt to pass if nothing has changed it is shown and has no say: a
    host that others share may be twice as slow. Surely more than that is no host.
Rule 4: the first sessions of a level are a second gate, so that a rise in small steps fails at last.
Rule 5: where too few tests run to tell what they share, a rise is none that a load of the yardstick explains.
Rule 6: nor is it one that other programs explain: it must remain without the joules that they used at most,
    now and in the baseline.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import SEVERITY, EqualSteps, Part, PartComparison, Verdict
from pytest_energy.model import Reading, Record
from pytest_energy.stats.compare import Bounds, Noise, compare_levels, informed
from pytest_energy.stats.suite import LevelsOfTest
from pytest_energy.verdict.findings import (
    Batch,
    ByChance,
    Crept,
    FewLargeRounds,
    MachineBusy,
    MachineMoved,
    NotConfirmed,
)
from pytest_energy.verdict.history import Entry, History, entry_of, mean_entry
from pytest_energy.verdict.other_programs import NOTED_SHARE, own_ratio
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.suite import Suite, active_share, levels_of

SLOW_HOST_RATIO = 2.0
"""Seconds of a test on one host over those on another: the largest of 2,160 pairs of unchanged tests on
eleven rented H100s was 2.1, so that a lower bound past this is the code."""

CREPT_SHARE = 0.5  # of what is allowed, that the newest sessions lie above the first at least

Doubt = NotConfirmed | ByChance | FewLargeRounds | MachineMoved | MachineBusy


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One part against its baseline.

    Attributes:
        is_asked: Whether this part may fail the test.
        bounds: Against the sessions that judge.
        doubt: Why what the bounds say by themselves is not the verdict, or `None`.
        crept: The rise over the first sessions that is past what is allowed, or `None`.
    """

    comparison: PartComparison
    is_asked: bool
    bounds: Bounds
    doubt: Doubt | None = None
    crept: Crept | None = None

    @property
    def severity(self) -> int:
        return SEVERITY[self.comparison.verdict].of_findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one record: how far each of its parts is from the baseline's.

    Attributes:
        fresh: What is kept of *record*, and of earlier *attempts* at the same code: the mean of all.
        equal_steps: How *record* and *history* are stated at equal steps, if both know them.
    """

    record: Record
    fresh: Entry
    history: History
    policy: Policy
    suite: Suite
    attempts: tuple[Entry, ...] = ()
    equal_steps: EqualSteps | None = None

    def changes(self) -> tuple[Change, ...]:
        """Each part that both sides have, work first; all joules where there are none, or if asked for."""
        asked = self.policy.parts
        parts = [part for part in (Part.WORK, Part.WAITING) if self._has(part)]
        if not parts or Part.JOULES in asked:
            parts.append(Part.JOULES)
        has_own = any(part in asked for part in parts)
        return tuple(self.change(part, is_asked=part in asked or not has_own) for part in parts)

    def change(self, part: Part, *, is_asked: bool = True, round_count: int | None = None) -> Change:
        """The change of one part, as if the record had *round_count* rounds of the same centre and spread."""
        allowed = self._allowed(part, round_count)
        bounds = self._bounds(self.fresh, self.history.judging, part, allowed, round_count)
        verdict, doubt, crept = self._verdict(part, bounds, allowed)
        energy_j, duration_s = self._baseline_values(part)
        comparison = PartComparison(
            part=part,
            ratio=bounds.ratio,
            ratio_ci=(bounds.lower, bounds.upper),
            detectable_ratio=bounds.detectable_ratio,
            allowed_ratio=1 + allowed,
            energy_j=energy_j,
            duration_s=duration_s,
            verdict=verdict,
            is_judged=is_asked and (not self._may_be_blunt(part) or _has_say(bounds, allowed)),
        )
        return Change(comparison=comparison, is_asked=is_asked, bounds=bounds, doubt=doubt, crept=crept)

    def _may_be_blunt(self, part: Part) -> bool:
        """Whether *part* has no say where it is blunt: waiting, unless nothing else was asked for."""
        return part is Part.WAITING and self.policy.parts != {Part.WAITING}

    def _has(self, part: Part) -> bool:
        """Whether both sides have *part*; no joules wait where ready power is idle power and is taken off."""
        if self._levels(self.fresh, part) is None:
            return False
        return part is not Part.WAITING or self._active_share() < 1

    def joules(self) -> Bounds:
        """Bounds of all joules as they were measured, nothing left out that tests share: what is reported."""
        return compare_levels(
            self.fresh.energy,
            [entry.energy for entry in self.history.judging],
            tolerance=self.policy.tolerance,
            alpha=self.policy.alpha,
        )

    # ---- what is allowed ----

    def _allowed(self, part: Part, round_count: int | None) -> float:
        """The accepted rise of *part*, a share of itself: rule 3."""
        tolerance = self.policy.tolerance
        if part is Part.JOULES:
            return tolerance
        share = self._active_share()
        if part is Part.WAITING:
            return tolerance / (1 - share) if share < 1 else math.inf
        bounds = self._bounds(self.fresh, self.history.judging, part, tolerance, round_count)
        half = bounds.upper / bounds.ratio - 1
        return min(max(tolerance, 2 * half - tolerance), tolerance / share)

    def _active_share(self) -> float:
        parts = (entry.parts for entry in self.history.judging)
        return active_share(activity for activity in parts if activity is not None)

    def _baseline_values(self, part: Part) -> tuple[float, float]:
        """Mean joules of *part* and seconds of a round in the sessions that judge."""
        entries = self.history.judging
        parts = [activity for entry in entries if (activity := entry.parts) is not None]
        if part is Part.JOULES or not parts:
            joules = [entry.energy.value for entry in entries]
        else:
            joules = [one.active_j if part is Part.WORK else one.waiting_j for one in parts]
        return sum(joules) / len(joules), sum(entry.seconds.value for entry in entries) / len(entries)

    # ---- bounds ----

    def _levels(
        self, fresh: Entry, part: Part, entries: Sequence[Entry] | None = None
    ) -> LevelsOfTest | None:
        return levels_of(fresh, self.history.judging if entries is None else entries, part)

    def _bounds(
        self,
        fresh: Entry,
        entries: Sequence[Entry],
        part: Part,
        allowed: float,
        round_count: int | None = None,
    ) -> Bounds:
        levels = self._levels(fresh, part, entries)
        if levels is None or levels.fresh is None:
            raise NotMeasurable(f"{self.record.test_id}: {part} is not known on both sides")
        return compare_levels(
            levels.fresh,
            levels.sessions,
            tolerance=allowed,
            alpha=self.policy.alpha,
            noise=self._noise(levels, part, entries),
            test_count=self.suite.test_count,
            round_count=round_count,
        )

    def _noise(self, levels: LevelsOfTest, part: Part, entries: Sequence[Entry]) -> Noise:
        """How sessions differ; for the pinned ones, which are few, also by those that judge."""
        channels = frozenset(self.history.entries[-1].channels_j)
        noise = self.suite.noise_of(levels, channels, part)
        judging = None if entries is self.history.judging else self._levels(self.fresh, part)
        if judging is None:
            return noise
        spread = informed(self.suite.noise_of(judging, channels, part), judging.sessions)
        return replace(noise, between_sd=spread.between_sd, between_df=spread.between_df)

    # ---- what they say ----

    def _verdict(
        self, part: Part, bounds: Bounds, allowed: float
    ) -> tuple[Verdict, Doubt | None, Crept | None]:
        verdict = verdict_of(bounds, allowed)
        if verdict is Verdict.REGRESSION:
            doubt = self._doubt(part, bounds, allowed, self.history.judging)
            return (verdict, None, None) if doubt is None else (Verdict.INCONCLUSIVE, doubt, None)
        crept = self._crept(part, bounds, allowed)
        if crept is not None:
            return Verdict.REGRESSION, None, crept
        if verdict is Verdict.PASS and bounds.repeated_ratio >= 1 + allowed:
            large = FewLargeRounds(plain_ratio=bounds.plain_ratio, repeated_ratio=bounds.repeated_ratio)
            return Verdict.INCONCLUSIVE, large, None
        return verdict, None, None

    def _crept(self, part: Part, newest: Bounds, allowed: float) -> Crept | None:
        """The rise over the pinned sessions that is past what is allowed: rule 4.

        Half of it or more lies between the pinned sessions and the newest; else it is the same chance twice.
        """
        pinned = self.history.pinned
        if not pinned or self._levels(self.fresh, part, pinned) is None:
            return None
        bounds = self._bounds(self.fresh, pinned, part, allowed)
        is_rise = verdict_of(bounds, allowed) is Verdict.REGRESSION
        if not is_rise or bounds.ratio / newest.ratio <= 1 + CREPT_SHARE * allowed:
            return None
        if self._doubt(part, bounds, allowed, pinned) is not None:
            return None
        return Crept(
            ratio=bounds.ratio,
            ratio_ci=(bounds.lower, bounds.upper),
            entry_count=len(pinned),
            since=pinned[-1].created,
        )

    def _doubt(
        self, part: Part, bounds: Bounds, allowed: float, entries: Sequence[Entry]
    ) -> NotConfirmed | ByChance | MachineMoved | MachineBusy | None:
        """Why what looks like a rise isn't sure enough (rules 2, 5 and 6), or `None`."""
        busy = self._others(part, bounds, allowed, entries)
        if busy is not None:
            return busy
        for batch, rounds in self._batches():
            if not rounds or self._bounds(self._entry(rounds), entries, part, allowed).lower <= 1 + allowed:
                return NotConfirmed(batch=batch, round_count=len(rounds))
        if not bounds.is_proof:
            return NotConfirmed(batch="only", round_count=1)
        if bounds.chance_lower <= 1:
            count = self.suite.test_count
            return ByChance(test_count=count, alpha=self.policy.alpha / count)
        moved = self.suite.machine_rise(frozenset(self.history.entries[-1].channels_j), part)
        if moved is not None and bounds.lower / max(1.0, moved[1]) <= 1 + allowed:
            return MachineMoved(load=moved[0], ratio=moved[1])
        return None

    def _others(
        self, part: Part, bounds: Bounds, allowed: float, entries: Sequence[Entry]
    ) -> MachineBusy | None:
        """That other programs may explain a rise of joules, or `None`."""
        if self.policy.is_server or part is Part.WAITING or self.fresh.others_share < NOTED_SHARE:
            return None
        share, usual = _others_of(self.fresh, part), fmean(_others_of(entry, part) for entry in entries)
        if bounds.lower * own_ratio(share, usual) > 1 + allowed:
            return None
        usual_share = fmean(entry.others_share for entry in entries)
        return MachineBusy(share=self.fresh.others_share, usual_share=usual_share)

    def _entry(self, rounds: tuple[Reading, ...]) -> Entry:
        """What is kept of the record if it had but *rounds*."""
        batch = entry_of(replace(self.record, rounds=rounds, confirming_count=0), self.policy.basis)
        return mean_entry([*self.attempts, batch])

    def _batches(self) -> Iterator[tuple[Batch, tuple[Reading, ...]]]:
        """The rounds with joules of each batch of a record that has two."""
        rounds, count = self.record.rounds, self.record.confirming_count
        batches: tuple[tuple[Batch, tuple[Reading, ...]], ...] = (
            ("first", rounds[: len(rounds) - count]),
            ("confirming", rounds[len(rounds) - count :]),
        )
        for batch, readings in batches if count else ():
            yield batch, tuple(reading for reading in readings if reading.void_because is None)


def _others_of(entry: Entry, part: Part) -> float:
    """Share of *part* that other programs used at most: what they use is active."""
    if part is not Part.WORK or entry.parts is None:
        return entry.others_share
    return entry.others_share / entry.parts.active_share


def worst(changes: Sequence[Change]) -> Change:
    """The change that decides: the most severe that counts, the first of equals.

    Where none counts, all that were asked for being too blunt, it is the first that was asked for.
    """
    counting = [change for change in changes if change.comparison.is_judged]
    return min(
        counting or [change for change in changes if change.is_asked], key=lambda change: change.severity
    )


def verdict_of(bounds: Bounds, tolerance: float) -> Verdict:
    """What *bounds* of a ratio say by themselves, held against *tolerance*."""
    if bounds.lower > 1 + tolerance:
        return Verdict.REGRESSION
    if bounds.upper < 1 - tolerance:
        return Verdict.IMPROVEMENT
    if bounds.upper < 1 + tolerance:
        return Verdict.PASS
    return Verdict.INCONCLUSIVE


def _has_say(bounds: Bounds, allowed: float) -> bool:
    """Whether waiting is sharp, or is longer than a slow host alone makes it."""
    return _is_sharp(bounds, allowed) or bounds.lower > max(1 + allowed, SLOW_HOST_RATIO)


def _is_sharp(bounds: Bounds, allowed: float) -> bool:
    """Whether unchanged work would pass: its interval is narrower than what is allowed."""
    return bounds.upper / bounds.ratio < 1 + allowed
