"""The loop that repeats the work under test until its energy is known well enough.

Rule 1: the loop stops on the width of the interval or on a cap, never on the verdict: that would be peeking.
    Whoever judges may then ask once for more rounds to tell more, and for a second batch to confirm.
Rule 2: warm-up rounds are measured like any, to see when they are flat and how long a round must be.
Rule 3: a round holds as many calls as its uncertainty needs; its joules are always those of one call.
Rule 4: a void round is repeated a few times; then the record is void, with the reason.
Rule 5: the devices are held while rounds are taken; a scheduler that takes turns with another process lets
    them go in between.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Generic, Protocol, TypeVar

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.quality import beside
from pytest_energy.model import Reading
from pytest_energy.stats.rounds import calls_for, is_flat, needs_more, relative_half_width
from pytest_energy.units import to_text
from pytest_energy.verdict.policy import RoundsWanted

T = TypeVar("T")
U = TypeVar("U")
T_co = TypeVar("T_co", covariant=True)

LEAST_ROUND_COUNT = 5  # below it the spread of the rounds is hardly known
MOST_ROUND_COUNT = 20  # past it the interval narrows by less than 3 % a round
MOST_WARMUP_COUNT = 5  # work that is not flat by then never will be in the time
WARMUP_TIME_SHARE = 0.25  # of the time cap
ROUND_TIME_SHARE = 0.05  # of the time cap: twenty rounds fit
ACTIVE_PRECISION_SHARE = 0.625  # of the precision of all joules: verdicts are of work, which repeats better
LEAST_CONFIRMING_COUNT = 2  # one round has no spread, and confirms little

Judge = Callable[[tuple[Reading, ...]], RoundsWanted | None]
"""Given the rounds so far: which more it takes before the verdict."""


ActiveJoules = Callable[[Sequence[Reading]], tuple[float, ...]]
"""Active joules of each of some rounds of one test; empty if they are unknown."""


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
        call_count: Calls of the work in a round, the least if it may repeat.
    """

    count: int | None
    limit: int | None
    precision: float
    warmup_count: int | None
    may_repeat: bool
    max_time_s: float
    void_retry_count: int
    call_count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRounds(Generic[T_co]):
    """The rounds that were measured, and what the last call returned.

    A void round that was repeated in vain is the last one; otherwise there is none.

    Attributes:
        confirming_count: How many of the last rounds are the second batch.
    """

    rounds: tuple[Reading, ...]
    result: T_co
    warmup_count: int
    confirming_count: int = 0

    @property
    def is_void(self) -> bool:
        return self.rounds[-1].void_because is not None


DeviceLock = Callable[[], AbstractContextManager[None]]
"""Owns the devices for as long as its block runs."""


class RoundScheduler(Protocol):
    """Decides when rounds run, and when there are enough."""

    def schedule(self, loop: "RoundLoop[T]", lock: DeviceLock) -> MeasuredRounds[T]:
        """Have *loop* take its rounds, each while the devices are held."""
        ...


@dataclass(frozen=True, slots=True)
class Sequential:
    """Runs all rounds one after another, and releases the devices at the end.

    Attributes:
        judge: Asked whether more are wanted once the plan is satisfied.
    """

    judge: Judge = lambda _: None

    def schedule(self, loop: "RoundLoop[T]", lock: DeviceLock) -> MeasuredRounds[T]:
        with lock():
            loop.warm_up()
            return loop.take(self.judge)


class RoundLoop(Generic[T]):
    """The work of one test and what has been measured of it so far.

    Args:
        work: The work under test; gets the number of its call, warm-up included, counted from 0.
        measured: Runs one round inside a window.
        clock: For the time caps.
        progress: Told of each round, outside the windows.
        announce: Told how many calls come next, before each round.
        active: Active joules of rounds, those above ready power; none if they are unknown. They are
            to be known as well as all joules are.

    Attributes:
        plan: How many rounds are wanted.
        call_count: Calls of the work in one round.
        rounds: Those that count so far, none of them void; who takes a round keeps it here.
    """

    def __init__(
        self,
        work: Callable[[int], T],
        *,
        measured: Callable[[Callable[[], T]], tuple[T, Reading]],
        plan: RoundPlan,
        clock: Clock,
        progress: Callable[[str], None],
        announce: Callable[[int], None] = lambda _: None,
        active: ActiveJoules = lambda _: (),
    ) -> None:
        self._announce, self._active = announce, active
        self._work, self._measured, self.plan, self._clock = work, measured, plan, clock
        self._progress = progress
        self._began_s = self._started_s = clock.now_s()  # of the loop, and of the batch
        self._target = plan.count
        self._call_index = itertools.count()
        self.call_count = plan.call_count
        self._warmup_count = 0
        self.rounds: list[Reading] = []
        self._void_count = 0

    def _elapsed_s(self) -> float:
        return self._clock.now_s() - self._started_s

    def take_one(self) -> tuple[T, Reading]:
        """Take one round, be it void or not; the caller keeps it in `rounds`."""
        self._announce(self.call_count)
        result, reading = self._measured(self._calls)
        return result, beside(reading, self.rounds).for_one_of(self.call_count)

    def _calls(self) -> T:
        for _ in range(self.call_count - 1):
            self._work(next(self._call_index))
        return self._work(next(self._call_index))

    # Warm-up

    def warm_up(self) -> None:
        """Run the rounds that don't count, until they are flat and long enough."""
        last_j: float | None = None
        while self._needs_warm_up():
            self._progress(f"warm-up {self._warmup_count + 1}")
            _, reading = self.take_one()
            self._warmup_count += 1
            has_grown = self._lengthen(reading)
            if not has_grown and self._is_warm(last_j, reading.energy_j):
                return
            last_j = reading.energy_j

    def _is_warm(self, before_j: float | None, after_j: float | None) -> bool:
        if self.plan.warmup_count is not None or before_j is None or after_j is None:
            return False
        return is_flat(before_j, after_j, precision=self.plan.precision)

    def _needs_warm_up(self) -> bool:
        plan = self.plan
        if plan.warmup_count is not None:
            return self._warmup_count < plan.warmup_count
        return self._warmup_count < 1 or (
            self._warmup_count < MOST_WARMUP_COUNT and self._elapsed_s() < WARMUP_TIME_SHARE * plan.max_time_s
        )

    def _lengthen(self, reading: Reading) -> bool:
        """Put more calls into a round if one is not known well enough; whether there are more now."""
        if not self.plan.may_repeat or reading.phases or reading.duration_s <= 0:
            return False
        if reading.energy_j:
            least_j = min(reading.energy_j, *self._active((reading,)), reading.energy_j)
            wanted = calls_for(
                reading.uncertainty_j * self.call_count / least_j, precision=self.plan.precision
            )
        else:  # too short to read anything
            wanted = 8 * self.call_count
        most = max(1, int(ROUND_TIME_SHARE * self.plan.max_time_s / reading.duration_s))
        before, self.call_count = self.call_count, max(self.call_count, min(wanted, most))
        return self.call_count > before

    # Rounds

    def take(self, judge: Judge) -> MeasuredRounds[T]:
        """Take rounds until the plan is satisfied, and those that *judge* asks for then."""
        measured = self._take_while(self._wants_more)
        may_extend = self.plan.count is None
        while not measured.is_void and (more := judge(measured.rounds)):
            if more.is_confirming:
                return self._confirm(more.count, measured)
            if not may_extend or self._is_out():
                break
            may_extend = False
            measured = self._take_to(len(self.rounds) + more.count)
        return measured

    def _confirm(self, count: int, first: MeasuredRounds[T]) -> MeasuredRounds[T]:
        first_count, limit = len(self.rounds), self.plan.limit
        if limit is not None:
            count = min(count, limit - first_count - self._void_count)
        if count < LEAST_CONFIRMING_COUNT:
            return first
        self._started_s = self._clock.now_s()  # a second batch has a time of its own
        both = self._take_to(first_count + count)
        return both if both.is_void else replace(both, confirming_count=len(both.rounds) - first_count)

    def _take_to(self, count: int) -> MeasuredRounds[T]:
        self._target = count
        return self._take_while(lambda: len(self.rounds) < count and not self._is_out())

    def _take_while(self, wants_more: Callable[[], bool]) -> MeasuredRounds[T]:
        """Take rounds until no more are wanted, at least one."""
        while True:
            self._progress(self._so_far())
            result, reading = self.take_one()
            if reading.void_because is None:
                self.rounds.append(reading)
            else:
                self._void_count += 1
                if self._void_count > self.plan.void_retry_count or self._is_out():
                    return self.to_measured([*self.rounds, reading], result)
            if not wants_more():
                return self.to_measured(self.rounds, result)

    def to_measured(self, rounds: Iterable[Reading], result: U) -> MeasuredRounds[U]:
        """*rounds* so far, the last of which returned *result*."""
        return MeasuredRounds(rounds=tuple(rounds), result=result, warmup_count=self._warmup_count)

    def _is_out(self) -> bool:
        """Whether no more rounds can be had: the time is up, or the source has no more."""
        plan, taken_count = self.plan, len(self.rounds) + self._void_count
        return self._elapsed_s() >= plan.max_time_s or (plan.limit is not None and taken_count >= plan.limit)

    def _wants_more(self) -> bool:
        rounds = self.rounds
        if not rounds:
            return True
        if self._is_out():
            return False
        if self.plan.count is not None:
            return len(rounds) < self.plan.count
        energies_j, uncertainties_j = _energies(rounds)
        return any(
            needs_more(
                values_j,
                uncertainties_j,
                precision=precision,
                least=LEAST_ROUND_COUNT,
                cap=MOST_ROUND_COUNT,
            )
            for values_j, precision in (
                (energies_j, self.plan.precision),
                (self._active(rounds), ACTIVE_PRECISION_SHARE * self.plan.precision),
            )
            if values_j
        )

    def _so_far(self) -> str:
        number = f"round {len(self.rounds) + 1}"
        if not self.rounds:
            return number
        energies_j, uncertainties_j = _energies(self.rounds)
        width = relative_half_width(energies_j, uncertainties_j)
        known = "" if width is None else f" +- {100 * width:.{width < 0.1:d}f} %"
        return f"{number}, {to_text(fmean(energies_j), 'J', digits=3)}{known}, {self._left()}"

    def _left(self) -> str:
        """How long the rounds will still take, if they take as long as those so far."""
        count = len(self.rounds)
        round_s = (self._clock.now_s() - self._began_s) / (count + self._warmup_count)
        wanted = (MOST_ROUND_COUNT if self._target is None else self._target) - count
        left_s = min(wanted * round_s, self.plan.max_time_s - self._elapsed_s())
        return f"{'<' if self._target is None else '~'}{max(1, math.ceil(left_s))} s left"


def _energies(rounds: list[Reading]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Joules and uncertainties of rounds none of which is void."""
    return (
        tuple(energy_j for reading in rounds if (energy_j := reading.energy_j) is not None),
        tuple(reading.uncertainty_j for reading in rounds),
    )
