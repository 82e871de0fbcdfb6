"""Rounds of two sides in turns, for one test in one block.

Rule 1: one side measures while the other waits for its turn; set-up and warm-up are taken in turns as well.
Rule 2: the width of the interval decides when there are enough pairs, or a cap; never the verdict.
Rule 3: a pair with a void round doesn't count and is taken again, in the same order, a few times.
Rule 4: every block gets its share of a test's pairs and of its time, and every second one has the sides the
    other way round. What fresh processes can't change, such as the rounds of a replay, is one block's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from pytest_energy.ab.parts import pairs_so_far
from pytest_energy.ab.protocol import FinishedTest, ReadyTest
from pytest_energy.ab.side import EndedEarly
from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.clock import Clock
from pytest_energy.model import Reading
from pytest_energy.stats.paired import (
    LEAST_BLOCK_PAIR_COUNT,
    is_turned,
    needs_more_pairs,
    precision_of_pairs,
    share_of,
)

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
    """How many pairs of a test are wanted, over all blocks.

    Attributes:
        least: Pairs that come first in any case.
        cap: Pairs after which no more are taken.
        tolerance: Accepted rise, a share: it says what width is good enough.
        max_time_s: Seconds after which no more pairs of a test are started, or `None` for the test's own time
            on each side.
        block_count: Blocks that there will be.
        precision: Half-width of the change's 95 % interval that is good enough; `None`: as *tolerance* asks.
        extension: Factor on pairs, seconds and blocks: 2 once the plan has been extended.
    """

    least: int
    cap: int
    tolerance: float
    max_time_s: float | None
    block_count: int = 1
    precision: float | None = None
    extension: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRounds:
    """What two sides have measured of one test in one block.

    Attributes:
        before: The first side's rounds, one a pair, none void.
        after: The other side's.
        ended: How the test ended on each side.
        is_interleaved: The rounds were taken in turns.
        void_because: Why there are not enough pairs, or `None`.
        is_complete: Another block would have nothing to add.
    """

    before: tuple[Reading, ...] = ()
    after: tuple[Reading, ...] = ()
    ended: tuple[FinishedTest, FinishedTest]
    is_interleaved: bool
    void_because: str | None = None
    is_complete: bool = False


def interleave(
    before: Side,
    after: Side,
    test_id: str,
    next_id: str | None,
    *,
    plan: PairPlan,
    clock: Clock,
    earlier: Sequence[PairedRounds] = (),
) -> PairedRounds:
    """Measure one block of *test_id* on both sides.

    Args:
        before: The side that is compared with.
        after: The side that is judged.
        test_id: The test.
        next_id: The test that comes after it.
        plan: How many pairs are wanted.
        clock: For the time.
        earlier: What the blocks before this one have measured of the test.
    """
    sides = (before, after)
    begun: dict[int, ReadyTest | FinishedTest] = {}
    for number in (1, 0) if is_turned(0, block=len(earlier)) else (0, 1):
        begun[number] = sides[number].begin(test_id, next_id)
    first, second = begun[0], begun[1]
    if isinstance(first, ReadyTest) and isinstance(second, ReadyTest):
        return _Pairs(sides, (first, second), plan, clock, earlier).take()
    one, other = (
        answer if isinstance(answer, FinishedTest) else side.finish()
        for side, answer in zip(sides, (first, second), strict=True)
    )
    return PairedRounds(ended=(one, other), is_interleaved=False, is_complete=True)


class _Pairs:
    """The pairs of one test in one block, and those of the *earlier* ones."""

    def __init__(
        self,
        sides: tuple[Side, Side],
        ready: tuple[ReadyTest, ReadyTest],
        plan: PairPlan,
        clock: Clock,
        earlier: Sequence[PairedRounds],
    ) -> None:
        self._sides, self._clock, self._earlier = sides, clock, earlier
        self._number = len(earlier)
        self._precision = precision_of_pairs(plan.tolerance) if plan.precision is None else plan.precision
        self._block = _BlockPlan.of(plan, ready, self._number)
        self._limit = _limit(ready)
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
            before=before,
            after=after,
            ended=(one, other),
            is_interleaved=True,
            void_because=void_because,
            is_complete=self._block.is_last or bool(early) or void_because is not None,
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
        for number in (1, 0) if is_turned(len(self._rounds[0]), block=self._number) else (0, 1):
            self._turn = number
            readings[number] = self._sides[number].take_round(self._call_counts[number])
        return readings[0], readings[1]

    def _is_out(self, void_count: int) -> bool:
        """Whether no more pairs can be had: the time is up, or a source of joules has no more."""
        pair_count = len(self._rounds[0]) + void_count
        is_late = self._clock.now_s() - self._started_s >= self._block.max_time_s
        return is_late or (self._limit is not None and pair_count >= self._limit)

    def _wants_more(self, void_count: int) -> bool:
        before, after = self._rounds
        if self._is_out(void_count):
            return False
        try:
            blocks = pairs_so_far([*self._earlier, _Rounds(tuple(before), tuple(after))])
        except NotMeasurable:  # no pair yet, or a round of 0 J: no width is known, a cap ends it
            return len(before) < self._block.cap
        return needs_more_pairs(
            blocks,
            precision=self._precision,
            least=self._block.least,
            cap=self._block.cap,
            block_count=self._block.count,
        )


class _Rounds(NamedTuple):
    """The rounds of a block so far."""

    before: tuple[Reading, ...]
    after: tuple[Reading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _BlockPlan:
    """What one block takes of a test.

    Attributes:
        least: Pairs that come first in any case.
        cap: Pairs after which no more are taken.
        max_time_s: Seconds after which no more are started.
        count: Blocks that this test has.
        is_last: Whether this is the last of them.
    """

    least: int
    cap: int
    max_time_s: float
    count: int
    is_last: bool

    @classmethod
    def of(cls, plan: PairPlan, ready: tuple[ReadyTest, ReadyTest], number: int) -> "_BlockPlan":
        """The share that block *number* has in *plan*.

        A test that asks for some rounds gets as many pairs at least, and one that asks for a single round, as
        its work can't be repeated, one a process. What can't be judged anyway is only shown, and a source
        that gives the same rounds to every process is asked once.
        """
        asked = [one.round_count for one in ready if one.round_count is not None]
        cap = plan.cap * plan.extension
        least = min(cap, plan.extension * max([plan.least, *asked]))
        planned = plan.block_count * plan.extension
        if 1 in asked:
            cap = least = min(cap, planned)
        if not all(one.is_judged for one in ready):
            cap = least = 1
        count = 1 if _limit(ready) is not None else min(planned, cap)
        own_time_s = sum(one.max_time_s for one in ready)
        max_time_s = own_time_s if plan.max_time_s is None else plan.max_time_s
        most = share_of(cap, block=number, block_count=count)
        share = max(LEAST_BLOCK_PAIR_COUNT, share_of(least, block=number, block_count=count))
        return cls(
            least=min(most, share),
            cap=most,
            max_time_s=max_time_s * plan.extension / count,
            count=count,
            is_last=number + 1 >= count,
        )


def _limit(ready: tuple[ReadyTest, ReadyTest]) -> int | None:
    """The rounds that the scarcer source of joules has; `None` if there is no end of them."""
    return min((one.limit for one in ready if one.limit is not None), default=None)


def _call_counts(ready: tuple[ReadyTest, ReadyTest]) -> tuple[int, int]:
    """Calls in a round of each side: the same, where the sides are alike."""
    one, other = (first.call_count for first in ready)
    longest = max(one, other)
    if all(first.may_repeat for first in ready) and longest <= _ALIKE_CALLS * min(one, other):
        return longest, longest
    return one, other
