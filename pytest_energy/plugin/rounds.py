"""The loop that repeats the work under test until its energy is known well enough.

Rule 1: the loop stops on the width of the interval or on a cap, never on the verdict: that would be peeking.
Rule 2: warm-up rounds are measured like any, to see when they are flat and how long a round must be.
Rule 3: a round holds as many calls as its uncertainty needs; its joules are always those of one call.
Rule 4: a void round is repeated a few times; then the record is void, with the reason.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.quality import beside
from pytest_energy.model import Reading
from pytest_energy.stats.rounds import calls_for, is_flat, needs_more, relative_half_width

T = TypeVar("T")

LEAST_ROUND_COUNT = 5  # below it the spread of the rounds is hardly known
MOST_ROUND_COUNT = 20  # past it the interval narrows by less than 3 % a round
MOST_WARMUP_COUNT = 5  # work that is not flat by then never will be in the time
WARMUP_TIME_SHARE = 0.25  # of the time cap
ROUND_TIME_SHARE = 0.05  # of the time cap: twenty rounds fit


Progress = Callable[[str], None]
"""Told how far the rounds are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundPlan:
    """How many rounds are wanted, and of what kind.

    Attributes:
        count: Exactly so many, or `None` for as many as the precision takes.
        limit: No more than the source of joules has (a replay's rounds), or `None`.
        precision: Relative half-width of the mean's 95 % interval that is good enough.
        warmup_count: Rounds run first and dropped, or `None` for as many as it takes to be flat.
        may_repeat: A round may hold several calls of the work.
        max_time_s: Seconds after which no more rounds are started.
        void_retry_count: How often a void round is repeated, over all rounds.
    """

    count: int | None
    limit: int | None
    precision: float
    warmup_count: int | None
    may_repeat: bool
    max_time_s: float
    void_retry_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsTaken(Generic[T]):
    """The rounds that were measured, and what the last call returned.

    A void round that was repeated in vain is the last one; otherwise there is none.
    """

    rounds: tuple[Reading, ...]
    result: T
    warmup_count: int


def take_rounds(
    work: Callable[[int], T],
    *,
    measured: Callable[[Callable[[], T]], tuple[T, Reading]],
    plan: RoundPlan,
    clock: Clock,
    progress: Progress,
) -> RoundsTaken[T]:
    """Run *work* until *plan* is satisfied, each round in a window of its own.

    Args:
        work: The work under test; gets the number of its call, warm-up included, counted from 0.
        measured: Runs one round inside a window.
        plan: How many rounds.
        clock: For the time caps.
        progress: Told of each round, outside the windows.
    """
    loop = _Loop(work, measured, plan, clock, progress)
    loop.warm_up()
    return loop.take()


class _Loop(Generic[T]):
    def __init__(
        self,
        work: Callable[[int], T],
        measured: Callable[[Callable[[], T]], tuple[T, Reading]],
        plan: RoundPlan,
        clock: Clock,
        progress: Progress,
    ) -> None:
        self._work, self._measured, self._plan, self._clock = work, measured, plan, clock
        self._progress = progress
        self._started_s = clock.now_s()
        self._calls_so_far = 0
        self._call_count = 1
        self._warmup_count = 0
        self._rounds: list[Reading] = []

    def _elapsed_s(self) -> float:
        return self._clock.now_s() - self._started_s

    def _round(self) -> tuple[T, Reading]:
        result, reading = self._measured(self._calls)
        return result, beside(reading, self._rounds).for_one_of(self._call_count)

    def _calls(self) -> T:
        for _ in range(self._call_count - 1):
            self._call()
        return self._call()

    def _call(self) -> T:
        self._calls_so_far += 1
        return self._work(self._calls_so_far - 1)

    # Warm-up

    def warm_up(self) -> None:
        last_j: float | None = None
        while self._needs_warm_up():
            self._progress(f"warm-up {self._warmup_count + 1}")
            _, reading = self._round()
            self._warmup_count += 1
            has_grown = self._lengthen(reading)
            if not has_grown and self._is_warm(last_j, reading.energy_j):
                return
            last_j = reading.energy_j

    def _is_warm(self, before_j: float | None, after_j: float | None) -> bool:
        if self._plan.warmup_count is not None or before_j is None or after_j is None:
            return False
        return is_flat(before_j, after_j, precision=self._plan.precision)

    def _needs_warm_up(self) -> bool:
        plan = self._plan
        if plan.warmup_count is not None:
            return self._warmup_count < plan.warmup_count
        return self._warmup_count < 1 or (
            self._warmup_count < MOST_WARMUP_COUNT and self._elapsed_s() < WARMUP_TIME_SHARE * plan.max_time_s
        )

    def _lengthen(self, reading: Reading) -> bool:
        """Put more calls into a round if one is not known well enough; whether there are more now."""
        if not self._plan.may_repeat or reading.phases or reading.duration_s <= 0:
            return False
        if reading.energy_j:
            wanted = calls_for(
                reading.uncertainty_j * self._call_count / reading.energy_j, precision=self._plan.precision
            )
        else:  # too short to read anything
            wanted = 8 * self._call_count
        most = max(1, int(ROUND_TIME_SHARE * self._plan.max_time_s / reading.duration_s))
        before, self._call_count = self._call_count, max(self._call_count, min(wanted, most))
        return self._call_count > before

    # Rounds

    def take(self) -> RoundsTaken[T]:
        rounds = self._rounds
        void_count = 0
        while True:
            self._progress(self._so_far(rounds))
            result, reading = self._round()
            if reading.void_because is None:
                rounds.append(reading)
            else:
                void_count += 1
                if void_count > self._plan.void_retry_count or self._is_out(len(rounds) + void_count):
                    return self._taken([*rounds, reading], result)
            if not self._wants_more(rounds, void_count):
                return self._taken(rounds, result)

    def _taken(self, rounds: list[Reading], result: T) -> RoundsTaken[T]:
        return RoundsTaken(rounds=tuple(rounds), result=result, warmup_count=self._warmup_count)

    def _is_out(self, taken_count: int) -> bool:
        """Whether no more rounds can be had: the time is up, or the source has no more."""
        plan = self._plan
        return self._elapsed_s() >= plan.max_time_s or (plan.limit is not None and taken_count >= plan.limit)

    def _wants_more(self, rounds: list[Reading], void_count: int) -> bool:
        if not rounds:
            return True
        if self._is_out(len(rounds) + void_count):
            return False
        if self._plan.count is not None:
            return len(rounds) < self._plan.count
        return needs_more(
            *_energies(rounds), precision=self._plan.precision, least=LEAST_ROUND_COUNT, cap=MOST_ROUND_COUNT
        )

    def _so_far(self, rounds: list[Reading]) -> str:
        number = f"round {len(rounds) + 1}"
        if not rounds:
            return number
        energies_j, uncertainties_j = _energies(rounds)
        width = relative_half_width(energies_j, uncertainties_j)
        known = "" if width is None else f" +- {width:.1%}"
        return f"{number}, {sum(energies_j) / len(energies_j):.4g} J{known}"


def _energies(rounds: list[Reading]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Joules and uncertainties of rounds none of which is void."""
    return (
        tuple(energy_j for reading in rounds if (energy_j := reading.energy_j) is not None),
        tuple(reading.uncertainty_j for reading in rounds),
    )
