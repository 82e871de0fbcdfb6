"""The loop that repeats the work under test until its energy is known well enough.

Rule 1: the loop stops on the width of the interval or on a cap, never on the verdict: that would be peeking.
Rule 2: a void round is repeated a few times; then the record is void, with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Generic, TypeVar

from pytest_energy.meter.clock import Clock
from pytest_energy.model import Reading
from pytest_energy.stats.rounds import needs_more

T = TypeVar("T")

LEAST_ROUND_COUNT = 5  # below it the spread of the rounds is hardly known
MOST_ROUND_COUNT = 20  # past it the interval narrows by less than 3 % a round


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """How many rounds are wanted.

    Attributes:
        count: Exactly so many, or `None` for as many as the precision takes.
        limit: No more than the source of joules has (a replay's rounds), or `None`.
        precision: Relative half-width of the mean's 95 % interval that is good enough.
        warmup_count: Rounds run first and dropped.
        max_time_s: Seconds after which no more rounds are started.
        void_retry_count: How often a void round is repeated, over all rounds.
    """

    count: int | None
    limit: int | None
    precision: float
    warmup_count: int
    max_time_s: float
    void_retry_count: int

    def wants_more(self, rounds: list[Reading], elapsed_s: float) -> bool:
        if not rounds:
            return True
        if elapsed_s >= self.max_time_s or (self.limit is not None and len(rounds) >= self.limit):
            return False
        if self.count is not None:
            return len(rounds) < self.count
        return needs_more(
            tuple(energy_j for reading in rounds if (energy_j := reading.energy_j) is not None),
            tuple(reading.uncertainty_j for reading in rounds),
            precision=self.precision,
            least=LEAST_ROUND_COUNT,
            cap=MOST_ROUND_COUNT,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsTaken(Generic[T]):
    """The rounds that were measured, and what the last of them returned.

    A void round that was repeated in vain is the last one; otherwise there is none.
    """

    rounds: tuple[Reading, ...]
    result: T


def take_rounds(
    work: Callable[[int], T],
    *,
    measured: Callable[[Callable[[], T]], tuple[T, Reading]],
    plan: RoundPlan,
    clock: Clock,
) -> RoundsTaken[T]:
    """Run *work* until *plan* is satisfied, each round in a window of its own.

    Args:
        work: The work under test; gets the number of its run, warm-up included, counted from 0.
        measured: Runs one round inside a window.
        plan: How many rounds.
        clock: For the time cap.
    """
    started_s = clock.now_s()
    for index in range(plan.warmup_count):
        work(index)
    rounds: list[Reading] = []
    for index in count(plan.warmup_count):
        result, reading = measured(partial(work, index))
        if reading.void_because is None:
            rounds.append(reading)
        elif index - plan.warmup_count - len(rounds) >= plan.void_retry_count:
            return RoundsTaken(rounds=(*rounds, reading), result=result)
        if not plan.wants_more(rounds, clock.now_s() - started_s):
            return RoundsTaken(rounds=tuple(rounds), result=result)
    raise AssertionError("the loop above has no end of its own")
