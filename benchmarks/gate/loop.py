"""The gate's loop over simulated rounds: a first batch, more that may tell, one that confirms, a verdict.

Every bound is `stats.compare`'s, what tests show together is `stats.suite`'s, and the sessions that judge are
those of `baselines.levels`; how a verdict comes of them is written here a second time, on levels in place of
records, because records of a thousand suites take hours. Tests hold both against each other.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from pytest_energy.baselines.levels import JUDGING_COUNT
from pytest_energy.baselines.schema import PINNED_COUNT
from pytest_energy.judgement import Part, Verdict
from pytest_energy.plugin.rounds import LEAST_CONFIRMING_COUNT, MOST_ROUND_COUNT
from pytest_energy.run_judgement import SessionFactor
from pytest_energy.stats.compare import Bounds, Noise, compare_levels, informed
from pytest_energy.stats.level import Level, level_of, mean_level
from pytest_energy.stats.suite import LevelsOfTest, SuiteNoise, alone
from pytest_energy.verdict.changes import CREPT_SHARE
from pytest_energy.verdict.history import Entry, History
from pytest_energy.verdict.suite import ALONE_SD, Case, Suite, session_factors, suite_of

ALPHA = 0.05
BY_ITSELF = alone(ALONE_SD[Part.JOULES])

_CHANNELS = frozenset({"gpu:0"})
_SECONDS = level_of([1.0])

Entries = Literal["judging", "pinned"]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One simulated test: what it would measure, and what is kept of it.

    Attributes:
        now: Joules of its rounds, in their order, as many as may be asked for.
        first_count: Of them, those of the first batch.
        later: Joules of the rounds that may confirm it.
        sessions: Levels of the baseline's entries, the oldest first.
        own_share: Relative standard uncertainty of each fresh round.
        attempts: Levels of earlier attempts at the same code, which are judged with it.
        may_extend: Rounds may be added to the first batch.
    """

    now: Sequence[float]
    first_count: int
    later: Sequence[float]
    sessions: tuple[Level, ...]
    own_share: float = 0.0
    attempts: tuple[Level, ...] = ()
    may_extend: bool = True
    _levels: dict[tuple[int, int], Level] = field(default_factory=dict, init=False, compare=False, repr=False)

    def level(self, count: int, confirming_count: int) -> Level:
        """Level of the first *count* rounds, *confirming_count* later ones and the attempts before."""
        key = count, confirming_count
        if key not in self._levels:
            values = (*self.now[:count], *self.later[:confirming_count])
            fresh = level_of(values, self.own_share, count or None)
            self._levels[key] = mean_level([*self.attempts, fresh])
        return self._levels[key]

    def entries(self, which: Entries) -> slice:
        """Places of the sessions that judge, or of the pinned ones; none where those say nothing else."""
        count = len(self.sessions)
        if which == "judging":
            return slice(max(0, count - JUDGING_COUNT), count)
        return slice(0, PINNED_COUNT if count > PINNED_COUNT else 0)

    def levels(self, place: slice, fresh: Level) -> LevelsOfTest:
        names = tuple(map(str, range(len(self.sessions))))
        return LevelsOfTest(fresh=fresh, sessions=self.sessions[place], names=names[place])

    @cached_property
    def history(self) -> History:
        """The baseline as a suite takes it."""
        entries = tuple(_entry(level, str(place)) for place, level in enumerate(self.sessions))
        judging, pinned = (entries[self.entries(which)] for which in ("judging", "pinned"))
        return History(entries=entries, judging=judging, pinned=pinned, newest=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A verdict, and the rounds that it is of."""

    verdict: Verdict
    count: int
    confirming_count: int = 0


class Trial:
    """The verdicts on one draw, had its fresh rounds used more or less.

    Energies are compared in logarithms, so a change multiplies the bounds: each draw serves all changes.

    Args:
        draw: What is judged.
        tolerance: Accepted rise, a share.
        noise: How sessions differ.
        test_count: Tests that are judged together.
    """

    def __init__(
        self, draw: Draw, *, tolerance: float = 0.05, noise: SuiteNoise = BY_ITSELF, test_count: int = 1
    ) -> None:
        self._draw, self._tolerance, self._noise, self._test_count = draw, tolerance, noise, test_count
        self._known: dict[tuple[int, int, Entries, int | None], Bounds] = {}

    def bounds(
        self,
        count: int,
        confirming_count: int = 0,
        *,
        which: Entries = "judging",
        round_count: int | None = None,
    ) -> Bounds:
        """Bounds of so many rounds, or as if they were *round_count*."""
        key = count, confirming_count, which, round_count
        if key not in self._known:
            fresh = self._draw.level(count, confirming_count)
            levels = self._draw.levels(self._draw.entries(which), fresh)
            self._known[key] = compare_levels(
                fresh,
                levels.sessions,
                tolerance=self._tolerance,
                alpha=ALPHA,
                noise=self._noise_of(levels, which),
                test_count=self._test_count,
                round_count=round_count,
            )
        return self._known[key]

    def _noise_of(self, levels: LevelsOfTest, which: Entries) -> Noise:
        noise = self._noise.of(levels)
        if which == "judging":
            return noise
        fresh, place = self._draw.level(self._draw.first_count, 0), self._draw.entries("judging")
        judging = self._draw.levels(place, fresh)
        spread = informed(self._noise.of(judging), judging.sessions)
        return replace(noise, between_sd=spread.between_sd, between_df=spread.between_df)

    def verdict(
        self, change: float, count: int, confirming_count: int = 0, *, round_count: int | None = None
    ) -> Verdict:
        """The verdict on so many rounds, had they used *change* more."""
        bounds = self.bounds(count, confirming_count, round_count=round_count)
        verdict = verdict_at(bounds, change, self._tolerance)
        if verdict is Verdict.REGRESSION:
            is_sure = self._is_sure(bounds, change, count, confirming_count, "judging")
            return verdict if is_sure else Verdict.INCONCLUSIVE
        if self._has_crept(bounds, change, count, confirming_count):
            return Verdict.REGRESSION
        is_dear = bounds.repeated_ratio * (1 + change) >= 1 + self._tolerance
        return Verdict.INCONCLUSIVE if verdict is Verdict.PASS and is_dear else verdict

    def _has_crept(self, newest: Bounds, change: float, count: int, confirming_count: int) -> bool:
        pinned = self._draw.entries("pinned")
        if pinned.stop == 0:
            return False
        bounds = self.bounds(count, confirming_count, which="pinned")
        is_red = verdict_at(bounds, change, self._tolerance) is Verdict.REGRESSION
        is_red = is_red and bounds.ratio / newest.ratio > 1 + CREPT_SHARE * self._tolerance
        return is_red and self._is_sure(bounds, change, count, confirming_count, "pinned")

    def _is_sure(
        self, bounds: Bounds, change: float, count: int, confirming_count: int, which: Entries
    ) -> bool:
        """Whether each batch says so, and chance over all tests is no explanation."""
        batches = ((count, 0), (0, confirming_count)) if confirming_count else ()
        least = 1 + self._tolerance
        return (
            all(self.bounds(*batch, which=which).lower * (1 + change) > least for batch in batches)
            and bounds.is_proof
            and bounds.chance_lower * (1 + change) > 1
        )

    def round_count(self, change: float) -> int:
        """Rounds before a confirming batch."""
        count = self._draw.first_count
        if not self._draw.may_extend or count >= MOST_ROUND_COUNT:
            return count
        if self.verdict(change, count) is not Verdict.INCONCLUSIVE:
            return count
        at_cap = self.verdict(change, count, round_count=MOST_ROUND_COUNT)
        return count if at_cap is Verdict.INCONCLUSIVE else MOST_ROUND_COUNT

    def outcome(self, change: float = 0.0) -> Outcome:
        """What the gate says in the end."""
        count = self.round_count(change)
        first = self.verdict(change, count)
        if first is not Verdict.REGRESSION or count < LEAST_CONFIRMING_COUNT:
            return Outcome(verdict=first, count=count)
        return Outcome(verdict=self.verdict(change, count, count), count=count, confirming_count=count)


def verdict_at(bounds: Bounds, change: float, tolerance: float) -> Verdict:
    """What *bounds* say by themselves, had the fresh record used *change* more than it did."""
    lower, upper = bounds.lower * (1 + change), bounds.upper * (1 + change)
    if lower > 1 + tolerance:
        return Verdict.REGRESSION
    if upper < 1 - tolerance:
        return Verdict.IMPROVEMENT
    return Verdict.PASS if upper < 1 + tolerance else Verdict.INCONCLUSIVE


# ---- a suite ----


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOutcome:
    """What the gate says of all tests of a session.

    Attributes:
        outcomes: Of each test, in their order.
        factor: What they share, or `None` where they are too few to tell.
        bounds: Of each test's ratio.
    """

    outcomes: tuple[Outcome, ...]
    bounds: tuple[Bounds, ...]
    factor: SessionFactor | None

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict is verdict for one in self.outcomes)

    def fails_unexplained(self, tolerance: float = 0.05) -> bool:
        """Whether it would without a yardstick."""
        return self.factor is not None and self.factor.ratio_ci[0] > 1 + tolerance

    def fails_once(self, tolerance: float = 0.05) -> bool:
        """Whether the run fails as a whole."""
        return self.factor is not None and self.factor.unexplained_ratio > 1 + tolerance


class SuiteTrial:
    """The verdicts on the tests of one session.

    What the tests show together is taken to be known before the first of them is asked for more rounds. In a
    run the later ones know it better than the first.
    """

    def __init__(self, draws: Sequence[Draw], *, tolerance: float = 0.05) -> None:
        self._draws, self._tolerance = draws, tolerance

    def outcome(
        self, changes: Mapping[int, float] | None = None, yardstick: Mapping[str, float] | None = None
    ) -> SuiteOutcome:
        """What the gate says in the end.

        Args:
            changes: Place of a test to the share by which it uses more.
            yardstick: By how much the fixed loads have moved, by name.
        """
        changes = changes or {}
        by = [changes.get(place, 0.0) for place in range(len(self._draws))]
        counts = self._first_counts()
        trials, cases, suite = self._trials(counts, changes)
        wanted = [(trial.round_count(one), 0) for trial, one in zip(trials, by, strict=True)]
        if wanted != counts:
            counts = wanted
            trials, cases, suite = self._trials(counts, changes)
        verdicts = _verdicts(trials, counts, by)
        confirmed = [_confirmed(*one) for one in zip(verdicts, counts, strict=True)]
        if confirmed != counts:
            counts = confirmed
            trials, cases, suite = self._trials(counts, changes)
            verdicts = _verdicts(trials, counts, by)
        factors = session_factors(cases, suite, ALPHA)
        return SuiteOutcome(
            outcomes=tuple(
                Outcome(verdict=verdict, count=count, confirming_count=confirming_count)
                for verdict, (count, confirming_count) in zip(verdicts, counts, strict=True)
            ),
            bounds=tuple(trial.bounds(*count) for trial, count in zip(trials, counts, strict=True)),
            factor=replace(factors[0], yardstick=yardstick or {}) if factors else None,
        )

    def outcome_of(self, place: int, change: float) -> Outcome:
        """What the gate says of the test in *place* if it alone uses *change* more.

        The others have their first batches: to ask for more rounds of each would take hours.
        """
        counts, changes = self._first_counts(), {place: change}
        trial = self._trial(place, counts, changes)
        counts[place] = trial.round_count(change), 0
        trial = self._trial(place, counts, changes)
        verdict = trial.verdict(change, *counts[place])
        confirmed = _confirmed(verdict, counts[place])
        if confirmed != counts[place]:
            counts[place] = confirmed
            verdict = self._trial(place, counts, changes).verdict(change, *confirmed)
        return Outcome(verdict=verdict, count=counts[place][0], confirming_count=counts[place][1])

    def _first_counts(self) -> list[tuple[int, int]]:
        return [(draw.first_count, 0) for draw in self._draws]

    def _cases(self, counts: Sequence[tuple[int, int]], changes: Mapping[int, float]) -> list[Case]:
        return [
            Case(
                test_id=str(place),
                fresh=_entry(moved(draw.level(*count), changes.get(place, 0.0)), "fresh"),
                history=draw.history,
            )
            for place, (draw, count) in enumerate(zip(self._draws, counts, strict=True))
        ]

    def _trials(
        self, counts: Sequence[tuple[int, int]], changes: Mapping[int, float]
    ) -> tuple[list[Trial], list[Case], Suite]:
        cases = self._cases(counts, changes)
        suite = suite_of(cases)
        return [self._trial_in(suite, draw) for draw in self._draws], cases, suite

    def _trial(self, place: int, counts: Sequence[tuple[int, int]], changes: Mapping[int, float]) -> Trial:
        return self._trial_in(suite_of(self._cases(counts, changes)), self._draws[place])

    def _trial_in(self, suite: Suite, draw: Draw) -> Trial:
        return Trial(
            draw,
            tolerance=self._tolerance,
            noise=suite.noise(_CHANNELS, Part.JOULES),
            test_count=suite.test_count,
        )


def _verdicts(
    trials: Sequence[Trial], counts: Sequence[tuple[int, int]], changes: Sequence[float]
) -> list[Verdict]:
    return [
        trial.verdict(change, *count) for trial, change, count in zip(trials, changes, counts, strict=True)
    ]


def _confirmed(verdict: Verdict, count: tuple[int, int]) -> tuple[int, int]:
    """Rounds of a first and a confirming batch, where there is to be one."""
    is_suspect = verdict is Verdict.REGRESSION and count[0] >= LEAST_CONFIRMING_COUNT
    return (count[0], count[0]) if is_suspect else count


def moved(level: Level, change: float) -> Level:
    """*level* of rounds that each used *change* more."""
    return shifted(level, math.log1p(change))


def shifted(level: Level, by: float) -> Level:
    """*level*, *by* so much more in ln."""
    if not by:
        return level
    centre, plain, repeated = (one + by for one in (level.centre, level.plain, level.repeated))
    return replace(level, centre=centre, plain=plain, repeated=repeated)


def _entry(level: Level, session: str) -> Entry:
    """*level* as what is kept of a record without parts."""
    return Entry(
        session=session,
        created="",
        commit="",
        energy=level,
        seconds=_SECONDS,
        activity="simulated",
        latency_s=None,
        channels_j=dict.fromkeys(_CHANNELS, level.value),
    )
