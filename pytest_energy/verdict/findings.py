"""Findings on a record, as values without sentences.

Each finding has a verdict; of several findings the most severe is the record's. `words` makes sentences of
them. A `because` is the reason that a record or an error brings along, as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from pytest_energy.judgement import (
    Budget,
    Comparison,
    CountsComparison,
    Limit,
    PartComparison,
    PhaseComparison,
    Summary,
    Terms,
    Verdict,
)
from pytest_energy.model import Reading, Record
from pytest_energy.notes import merged
from pytest_energy.stats.centre import Spread
from pytest_energy.stats.looks import Chances
from pytest_energy.verdict.history import OddRound

Unit = Literal["round", "sample", "token", "prefill_token", "decode_token", "training", "phase"]
Batch = Literal["first", "confirming", "only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Joules that must not be used, of *pair_count* pairs of rounds where two sides took turns."""

    verdict: ClassVar = Verdict.VOID
    because: str
    pair_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmeasured:
    """No joules at all."""

    verdict: ClassVar = Verdict.UNMEASURED
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyEstimated:
    """Estimated joules (or void ones), where estimates neither pass nor fail a test."""

    verdict: ClassVar = Verdict.UNMEASURED
    void_because: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saturated:
    """Joules of a load that its server did not keep up with."""

    verdict: ClassVar = Verdict.SATURATED
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SloMissed:
    """Too few answers within the limits of latency; it needs no joules, and fails whatever they are.

    *because* holds the share, and behind `; ` the times.
    """

    verdict: ClassVar = Verdict.OVER_BUDGET
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstBudget:
    """Joules compared with a budget of *limit_j* for one *unit*.

    Attributes:
        mean_j: Mean joules of one unit.
        phase: Name of the phase of a round, where that is the unit.
        bounds_j: Bounds of the true mean, each at confidence 1 - *alpha*; the upper is infinite where a
            training ended below its accuracy, so that *mean_j* is the least mean.
        spread: What the bounds rest on.
        doubt: Why it is not over the budget although the bounds are, or `None`.
    """

    verdict: Verdict
    limit_j: float
    unit: Unit
    mean_j: float
    bounds_j: tuple[float, float]
    alpha: float
    spread: Spread
    doubt: "MachineBusy | None" = None
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetUnknown:
    """A budget of *limit_j* for one *unit*, whose joules are not known, with the reason."""

    verdict: ClassVar = Verdict.INCONCLUSIVE
    limit_j: float
    unit: Unit
    because: str
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstBest:
    """Joules of a default compared with those of the best setting of its sweep.

    Attributes:
        what: What was swept, such as `batch size`.
        best: Name of the best setting.
        ratio: Joules per sample, default over best, with the bounds of its 95 % interval.
        most_excess: Share above the best that is allowed.
    """

    verdict: Verdict
    what: str
    default: str
    best: str
    ratio: tuple[float, float, float]
    most_excess: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BestUnknown:
    """A limit of the joules above those of the best setting, which can't be checked, with the reason."""

    verdict: ClassVar = Verdict.INCONCLUSIVE
    most_excess: float
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBaseline:
    """Nothing to compare with: no baseline here, or one that *is_unusable*, with no session of usable joules.

    *other_machines* are the keys of those that do have a baseline for the test. If baselines are
    ignored, nothing is known of them.
    """

    verdict: ClassVar = Verdict.NO_BASELINE
    is_unusable: bool
    other_machines: tuple[str, ...]
    is_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsDiffer:
    """What must be equal and is not, so that a ratio would mean nothing.

    Attributes:
        differences: Name to (then, now).
        other_machines: As in `NoBaseline`; `None` if two revisions are compared and no baseline.
    """

    verdict: ClassVar = Verdict.NOT_COMPARABLE
    differences: Mapping[str, tuple[str, str]]
    other_machines: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSuchJoules:
    """The joules that are asked to be compared (`net joules`; empty for plain ones) are not there."""

    verdict: ClassVar = Verdict.NOT_COMPARABLE
    basis: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotConfirmed:
    """A batch of rounds that shows no regression by itself, although all rounds together do."""

    batch: Batch
    round_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FewLargeRounds:
    """The plain mean is past what is allowed, or would be with one more large round; the usual round is not.

    Attributes:
        plain_ratio: Of the plain means.
        repeated_ratio: The same if the largest round came once more; `None` if that wasn't asked.
    """

    plain_ratio: float
    repeated_ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SameCalls:
    """More seconds, of sides whose calls are the same, and no more than hosts are known to take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMoved:
    """The machine may explain the rise: *load* of the yardstick is *ratio* of the baseline's or more."""

    load: str
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineBusy:
    """Other programs may explain it: they used up to *share* of the joules, *usual_share* in the baseline."""

    share: float
    usual_share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crept:
    """A rise over the first *entry_count* sessions of the level, the last of them made at *since*."""

    ratio: float
    ratio_ci: tuple[float, float]
    entry_count: int
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ByChance:
    """Among *test_count* tests such a rise is no surprise: at *alpha* no change at all isn't excluded."""

    test_count: int
    alpha: float


Doubt = NotConfirmed | ByChance | FewLargeRounds | MachineMoved | MachineBusy | SameCalls


@dataclass(frozen=True, slots=True, kw_only=True)
class CreepSince:
    """A level that has crept up to *ratio* of the first sessions', from the session *created* then on.

    The *commit* of the code at that time is empty where it isn't known.
    """

    ratio: float
    created: str
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Joules compared with the sessions of a baseline, or with those of another revision.

    Attributes:
        comparison: The figures; *note* and *creep* are still empty.
        alpha: Chance that the true ratio lies beyond a bound.
        spread: What the bounds rest on.
        channels: Mean joules of a round (then, now) by channel; empty if there is but one.
        is_interleaved: Whether the rounds of two revisions were taken in turns; `None` against a baseline.
        block_count: Blocks of fresh processes in which they were.
        planned_block_count: As many as there would have been; `None` if that is not known.
        chances: That the truth lies beyond each bound, where looks before this one, or that it is an early
            one itself, have made it less than *alpha*; else `None`.
        unused_count: Sessions of the baseline without usable joules.
        decisive: The part that the verdict is of; `None` if rounds were taken in turns.
        doubt: Why what the bounds say is not the verdict, or `None`.
        proves_rise: Whether a rise could be proved: single rounds against few single rounds prove none.
        crept: That the first sessions, which only a person moves, make it a regression; or `None`.
        odd_entries: When the sessions were made that are off by themselves and left out.
        odd_rounds: The round farthest from the others of each session that has one far from them.
        creep: A note that the level has crept up over the baseline's sessions, or `None`.
        judged_phases: Names of the phases that have findings of their own.
    """

    verdict: Verdict
    comparison: Comparison
    alpha: float
    spread: Spread
    channels: Mapping[str, tuple[float, float]]
    is_interleaved: bool | None = None
    block_count: int = 1
    planned_block_count: int | None = None
    chances: Chances | None = None
    unused_count: int = 0
    decisive: PartComparison | None = None
    doubt: Doubt | None = None
    proves_rise: bool = True
    crept: Crept | None = None
    odd_entries: tuple[str, ...] = ()
    odd_rounds: tuple[OddRound, ...] = ()
    creep: CreepSince | None = None
    judged_phases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstPhase:
    """One phase of the rounds compared with that of the sessions of a baseline.

    Attributes:
        mean_j: Level of its joules per round.
        alpha: Chance that the true ratio lies beyond a bound.
        doubt: Why what the bounds say is not the verdict, or `None`.
        crept: That the first sessions make it a regression; or `None`.
        is_judged: Whether the verdict of the test depends on it.
    """

    verdict: Verdict
    comparison: PhaseComparison
    mean_j: float
    alpha: float
    doubt: Doubt | None
    crept: Crept | None
    is_judged: bool

    @property
    def name(self) -> str:
        return self.comparison.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseUnknown:
    """A phase that can't be compared, with the reason; *is_judged* as above."""

    verdict: Verdict
    name: str
    because: str
    is_judged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstCounts:
    """Counts compared with those of a baseline, where the verdict hangs on them."""

    verdict: Verdict
    comparison: CountsComparison


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCounts:
    """Counts are to be compared, and nothing was counted."""

    verdict: ClassVar = Verdict.UNMEASURED
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCountsBaseline:
    """No baseline has counts of such a device as *key* names, or baselines are ignored."""

    verdict: ClassVar = Verdict.NO_BASELINE
    key: str
    is_ignored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherWork:
    """The counts of the baseline are those of other work: name of what differs to (then, now)."""

    verdict: ClassVar = Verdict.NOT_COMPARABLE
    differences: Mapping[str, tuple[str, str]]


Unusable = Void | Unmeasured | OnlyEstimated
OfCounts = AgainstCounts | NoCounts | NoCountsBaseline | OtherWork
OfLoad = Saturated | SloMissed
OfPhase = AgainstPhase | PhaseUnknown
OfBudget = AgainstBudget | BudgetUnknown | AgainstBest | BestUnknown
OfBaseline = NoBaseline | FactsDiffer | NoSuchJoules | Compared | OfPhase
Finding = Unusable | OfLoad | OfBudget | OfBaseline | OfCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """All findings on a record.

    Attributes:
        findings: At least one, the most severe first.
        summary: Mean joules of a round, where they may be shown.
        readings: Those that say something of it; none if it is held against nothing.
        terms: By what it was judged; `None` if no policy was.
        unchecked: What the record would have been held against, and was not.
        counts_comparison: Its counts against a baseline's, whether or not the verdict hangs on them; `None`
            where one of the two has none.
    """

    record: Record
    findings: tuple[Finding, ...]
    budget: Budget = field(default_factory=Budget)
    summary: Summary | None = None
    readings: tuple[Reading, ...] = ()
    terms: Terms | None = None
    unchecked: tuple[Limit, ...] = ()
    counts_comparison: CountsComparison | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the readings, one of each kind."""
        return merged(reading.quality for reading in self.readings)

    @property
    def verdict(self) -> Verdict:
        return self.findings[0].verdict

    @property
    def compared(self) -> Compared | None:
        """The finding that holds a comparison, if there is one."""
        return next((finding for finding in self.findings if isinstance(finding, Compared)), None)
