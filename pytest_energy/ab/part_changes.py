"""Compares each part of a test's pairs with what is allowed. Pure.

Rule 1: what is allowed, and what is sharp enough to count, is that of the blocks that were planned, at the
    alpha that was asked for. A look before the last block is no milder than the last one would be.
Rule 2: one block doesn't show how processes differ. An early look at it takes them for as far apart as they
    are at the most.
Rule 3: where the calls of both sides are the same and the work is no regression, more seconds may be the
    host's, and so may all joules where the work passes. They are a rise only if they prove one with processes
    as far apart as they are at the most: what is past that lies between the calls (Python, files, sleep).
Rule 4: where there are more calls, what is too blunt to pass proves a rise at alpha, not at a tenth of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_energy.ab.calls import NOT_COUNTED, Calls, Counted
from pytest_energy.ab.parts import TestPairs
from pytest_energy.judgement import SEVERITY, Part, PartComparison, Verdict
from pytest_energy.stats.compare import Bounds
from pytest_energy.stats.looks import Chances, is_worth_a_look
from pytest_energy.stats.paired import compare_pairs
from pytest_energy.stats.process_levels import PRIOR_LEVELS, PRIOR_SECONDS_LEVELS, ProcessLevels, farthest
from pytest_energy.verdict.changes import verdict_of
from pytest_energy.verdict.findings import FewLargeRounds, SameCalls
from pytest_energy.verdict.policy import Policy

PRIORS = {
    Part.JOULES: PRIOR_LEVELS,
    Part.WORK: PRIOR_LEVELS,
    Part.WAITING: PRIOR_SECONDS_LEVELS,
}


_EXCUSED: Mapping[Verdict, frozenset[Part]] = {
    Verdict.PASS: frozenset({Part.WAITING, Part.JOULES}),
    Verdict.IMPROVEMENT: frozenset({Part.WAITING, Part.JOULES}),
    Verdict.INCONCLUSIVE: frozenset({Part.WAITING}),
    Verdict.REGRESSION: frozenset(),
}
"""Verdict of the work to the parts whose rise may be the host's, where the calls are the same: rule 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at a test's pairs.

    Attributes:
        chances: What this look may err by; `None`: alpha, of each bound.
        counted: What was counted of both sides.
        block_count: Blocks that were planned; `None`: those that there are.
    """

    chances: Chances | None = None
    counted: Counted = NOT_COUNTED
    block_count: int | None = None

    def is_early(self, count: int) -> bool:
        """Whether more than *count* blocks were planned."""
        return self.block_count is not None and count < self.block_count


ONLY_LOOK = Look()
"""At all blocks, with nothing counted and no look before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChange:
    """One part of the pairs.

    Attributes:
        is_certain: That it has risen is proved by far, or by less where the counts have risen as well.
        doubt: Why what the bounds say is not the verdict, or `None`.
    """

    comparison: PartComparison
    is_certain: bool
    doubt: FewLargeRounds | SameCalls | None = None


@dataclass(frozen=True, slots=True)
class PartComparer:
    """Compares the parts of a test's *pairs* with what *policy* allows."""

    pairs: TestPairs
    policy: Policy
    levels: Mapping[Part, ProcessLevels]
    look: Look = field(default=ONLY_LOOK)

    def bounds(self, part: Part) -> Bounds:
        """Those that this look judges by."""
        bounds, chances = self._usual(part), self.look.chances
        if chances is None:
            return bounds
        lower, upper = (self._bounds_at(part, alpha) for alpha in (chances.lower, chances.upper))
        return replace(bounds, lower=lower.lower, upper=upper.upper, detectable_ratio=lower.detectable_ratio)

    def changes(self) -> tuple[PartChange, ...]:
        """Work, waiting and all joules; these alone where there are no parts."""
        parts = [part for part in (Part.WORK, Part.WAITING) if part in self.pairs.blocks]
        changes = [self._change(part) for part in (*parts, Part.JOULES)]
        if not parts or self.look.counted.calls is not Calls.SAME:
            return tuple(changes)
        excused = _EXCUSED[changes[0].comparison.verdict]
        return tuple(self._in_doubt(one) if one.comparison.part in excused else one for one in changes)

    def is_worth_a_look(self) -> bool:
        """Whether all parts that will count are likely to pass where nothing has changed."""
        return all(
            is_worth_a_look(bounds.upper / bounds.ratio, self._allowed(part))
            for part in self.pairs.blocks
            if self._will_count(part)
            for bounds in (self.bounds(part),)
        )

    def _change(self, part: Part) -> PartChange:
        bounds, allowed = self.bounds(part), self._allowed(part)
        verdict, doubt = verdict_of(bounds, allowed), None
        if verdict is Verdict.PASS and part is not Part.WAITING and bounds.plain_ratio >= 1 + allowed:
            verdict, doubt = Verdict.INCONCLUSIVE, FewLargeRounds(plain_ratio=bounds.plain_ratio)
        comparison = PartComparison(
            part=part,
            ratio=bounds.ratio,
            ratio_ci=(bounds.lower, bounds.upper),
            detectable_ratio=bounds.detectable_ratio * (1 + allowed) / (1 + self.policy.tolerance),
            allowed_ratio=1 + allowed,
            energy_j=self._energy_j(part, bounds),
            duration_s=self.pairs.duration_s,
            verdict=verdict,
            is_judged=self._will_count(part),
        )
        sure_lower = bounds.lower if self.look.counted.calls is Calls.MORE else bounds.chance_lower
        return PartChange(comparison=comparison, is_certain=sure_lower > 1 + allowed, doubt=doubt)

    def _in_doubt(self, change: PartChange) -> PartChange:
        """A rise that a host may be the cause of: rule 3."""
        if change.comparison.verdict is not Verdict.REGRESSION or self._is_past_any_host(change):
            return change
        comparison = replace(change.comparison, verdict=Verdict.INCONCLUSIVE)
        return replace(change, comparison=comparison, doubt=SameCalls())

    def _is_past_any_host(self, change: PartChange) -> bool:
        part, levels = change.comparison.part, farthest(PRIORS[Part.WAITING])
        bounds = self._bounds_at(part, self.policy.alpha, levels=levels)
        return bounds.lower > change.comparison.allowed_ratio

    def _usual(self, part: Part) -> Bounds:
        """Of the blocks that there are, at the alpha that was asked for."""
        return self._bounds_at(part, self.policy.alpha)

    def _bounds_at(
        self, part: Part, alpha: float, *, times: int = 1, levels: ProcessLevels | None = None
    ) -> Bounds:
        if levels is None:
            is_single = times * len(self.pairs.blocks[part]) == 1 and self.look.is_early(1)
            levels = farthest(PRIORS[part]) if is_single else self.levels.get(part, PRIORS[part])
        return compare_pairs(
            self.pairs.blocks[part] * times,
            tolerance=self.policy.tolerance,
            alpha=alpha,
            levels=levels,
        )

    def _planned(self, part: Part) -> Bounds:
        """As if all blocks were there, each like those that are; narrower than they will be."""
        count = len(self.pairs.blocks[part])
        times = -(-(self.look.block_count or count) // count)
        return self._bounds_at(part, self.policy.alpha, times=times)

    def _energy_j(self, part: Part, bounds: Bounds) -> float:
        """Joules of *part* in a round of the first side."""
        if part is Part.JOULES:
            return bounds.baseline_j
        return self.pairs.active_j if part is Part.WORK else self.pairs.waiting_j

    def _allowed(self, part: Part) -> float:
        """The accepted rise of *part*, a share of itself."""
        tolerance = self.policy.tolerance
        if part is Part.WAITING:
            return tolerance / (1 - self.pairs.active_share)
        if part is Part.WORK and not _is_sharp(self._planned(part), tolerance):
            return tolerance / self.pairs.active_share
        return tolerance

    def _will_count(self, part: Part) -> bool:
        """Whether *part* has a say, once all blocks are there: work always, or all joules in its place."""
        always = Part.WORK if Part.WORK in self.pairs.blocks else Part.JOULES
        return part is always or _is_sharp(self._planned(part), self._allowed(part))


def worst_of(changes: Sequence[PartChange]) -> PartChange:
    """The change that decides: the most severe of those that count, work first."""
    counting = [change for change in changes if change.comparison.is_judged or change.is_certain]
    return min(counting, key=lambda change: SEVERITY[change.comparison.verdict].of_findings)


def _is_sharp(bounds: Bounds, allowed: float) -> bool:
    """Whether unchanged work would pass, as often as the bounds hold: they take half of what is allowed."""
    return (bounds.upper / bounds.ratio) ** 2 <= 1 + allowed
