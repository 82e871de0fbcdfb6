"""Rounds of two sides in turns, for one test.

Rule 1: one side measures while the other waits for its turn; set-up and warm-up are taken in turns as well.
Rule 2: the width of the interval decides when there are enough pairs, or a cap; never the verdict.
Rule 3: a pair with a void round doesn't count and is taken again, in the same order, a few times.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from pytest_energy.ab.protocol import FinishedTest, ReadyTest
from pytest_energy.ab.side import EndedEarly
from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.clock import Clock
from pytest_energy.model import Reading
from pytest_energy.stats.compare import RoundEnergies
from pytest_energy.stats.paired import is_turned, needs_more_pairs
from pytest_energy.stats.rounds import precision_for

# Rounds of code that is alike are of one length, so that what their edges hide is the same share of both.
# Sides that differ by more than this are not alike, and the longer length would be long for one of them.
_ALIKE_CALLS = 2


class Side(Protocol):
    """One side of the comparison."""

    def begin(self, test_id: str, next_id: str | None) -> ReadyTest | FinishedTest:
        """Set up and warm up a test, or run it whole where it takes no rounds; what *next_id* needs stays."""
        ...

    def take_round(self, call_count: int) -> Reading:
        """Take one round.

        Raises:
            EndedEarly: The test has ended instead.
        """
        ...

    def finish(self) -> FinishedTest:
        """End the test."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """How many pairs are wanted.

    Attributes:
        least: Pairs that come first in any case.
        cap: Pairs after which no more are taken.
        tolerance: Accepted rise, a share: it says what width is good enough.
        max_time_s: Seconds after which no more pairs of a test are started, or `None` for the test's own time
            on each side.
    """

    least: int
    cap: int
    tolerance: float
    max_time_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRounds:
    """What two sides have measured of one test.

    Attributes:
        before: The first side's rounds, one a pair, none void.
        after: The other side's.
        ended: How the test ended on each side.
        is_interleaved: The rounds were taken in turns.
        void_because: Why there are not enough pairs, or `None`.
    """

    before: tuple[Reading, ...] = ()
    after: tuple[Reading, ...] = ()
    ended: tuple[FinishedTest, FinishedTest]
    is_interleaved: bool
    void_because: str | None = None


def interleave(
    before: Side, after: Side, test_id: str, next_id: str | None, *, plan: PairPlan, clock: Clock
) -> PairedRounds:
    """Measure *test_id* on both sides; *next_id* is the test that comes after it."""
    sides = (before, after)
    begun = tuple(side.begin(test_id, next_id) for side in sides)
    waiting = [first for first in begun if isinstance(first, ReadyTest)]
    if len(waiting) < len(sides):
        one, other = (
            first if isinstance(first, FinishedTest) else side.finish()
            for side, first in zip(sides, begun, strict=True)
        )
        return PairedRounds(ended=(one, other), is_interleaved=False)
    return _Pairs(sides, (waiting[0], waiting[1]), plan, clock).take()


class _Pairs:
    """The pairs of one test."""

    def __init__(
        self, sides: tuple[Side, Side], ready: tuple[ReadyTest, ReadyTest], plan: PairPlan, clock: Clock
    ) -> None:
        self._sides, self._clock = sides, clock
        self._plan = _narrowed(plan, ready)
        self._max_time_s = (
            sum(one.max_time_s for one in ready) if plan.max_time_s is None else plan.max_time_s
        )
        self._limit = min((one.limit for one in ready if one.limit is not None), default=None)
        self._retry_count = max(one.void_retry_count for one in ready)
        self._call_counts = _call_counts(ready)
        self._started_s = clock.now_s()
        self._rounds: tuple[list[Reading], list[Reading]] = ([], [])

    def take(self) -> PairedRounds:
        early: dict[int, FinishedTest] = {}
        void_because = None
        try:
            void_because = self._take_pairs()
        except EndedEarly as ended:  # in the middle: the other side's test is ended too
            early[self._turn] = ended.done
        one, other = (early.get(number) or side.finish() for number, side in enumerate(self._sides))
        before, after = map(tuple, self._rounds)
        return PairedRounds(
            before=before, after=after, ended=(one, other), is_interleaved=True, void_because=void_because
        )

    def _take_pairs(self) -> str | None:
        """Take pairs until there are enough; why there won't be, or `None`."""
        void_count = 0
        while True:
            pair = self._pair()
            because = next((one.void_because for one in pair if one.void_because is not None), None)
            if because is None:
                for rounds, reading in zip(self._rounds, pair, strict=True):
                    rounds.append(reading)
            else:
                void_count += 1
            if void_count > self._retry_count or (because and self._is_out(void_count)):
                return because
            if not self._wants_more(void_count):
                return None

    def _pair(self) -> tuple[Reading, Reading]:
        """One round of each side, in the order of this pair."""
        readings = {}
        for number in (1, 0) if is_turned(len(self._rounds[0])) else (0, 1):
            self._turn = number
            readings[number] = self._sides[number].take_round(self._call_counts[number])
        return readings[0], readings[1]

    def _is_out(self, void_count: int) -> bool:
        """Whether no more pairs can be had: the time is up, or a source of joules has no more."""
        pair_count = len(self._rounds[0]) + void_count
        is_late = self._clock.now_s() - self._started_s >= self._max_time_s
        return is_late or (self._limit is not None and pair_count >= self._limit)

    def _wants_more(self, void_count: int) -> bool:
        before, after = self._rounds
        if self._is_out(void_count):
            return False
        try:
            energies = _energies(before), _energies(after)
        except NotMeasurable:  # no pair yet, or a round of 0 J: no width is known, a cap ends it
            return len(before) < self._plan.cap
        precision = precision_for(self._plan.tolerance)
        return needs_more_pairs(*energies, precision=precision, least=self._plan.least, cap=self._plan.cap)


def _energies(rounds: list[Reading]) -> RoundEnergies:
    return RoundEnergies(
        energies_j=tuple(energy_j for reading in rounds if (energy_j := reading.energy_j) is not None),
        uncertainties_j=tuple(reading.uncertainty_j for reading in rounds),
    )


def _narrowed(plan: PairPlan, ready: tuple[ReadyTest, ReadyTest]) -> PairPlan:
    """*plan* for a test whose author or user asked for a number of rounds, or that can't be judged anyway."""
    if not all(one.is_judged for one in ready):
        return replace(plan, least=1, cap=1)
    asked = [one.round_count for one in ready if one.round_count is not None]
    if not asked:
        return plan
    count = min(plan.cap, *asked)
    return replace(plan, least=count, cap=count)


def _call_counts(ready: tuple[ReadyTest, ReadyTest]) -> tuple[int, int]:
    """Calls in a round of each side: the same, where the sides are alike."""
    one, other = (first.call_count for first in ready)
    longest = max(one, other)
    if all(first.may_repeat for first in ready) and longest <= _ALIKE_CALLS * min(one, other):
        return longest, longest
    return one, other
