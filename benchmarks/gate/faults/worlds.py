"""Noise whose truth is known: of a session, of a batch of rounds, of rounds."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.gate.loop import Draw
from pytest_energy.plugin.rounds import LEAST_ROUND_COUNT, MOST_ROUND_COUNT
from pytest_energy.stats.level import Level, level_of
from pytest_energy.stats.rounds import needs_more, precision_for

SessionNoise = Callable[[random.Random, bool], float]
"""ln J of one session, given whether it is the fresh one."""

BatchNoise = Callable[[random.Random], float]
"""ln J of one batch of rounds."""

RoundNoise = Callable[[random.Random, float, int], list[float]]
"""ln J of so many rounds in a row, given their standard deviation."""


def independent(rng: random.Random, cv: float, count: int) -> list[float]:
    return [rng.gauss(0.0, cv) for _ in range(count)]


def autoregressive(phi: float) -> RoundNoise:
    """Each round like the one before, by *phi*."""

    def rounds(rng: random.Random, cv: float, count: int) -> list[float]:
        values = [rng.gauss(0.0, cv)]
        for _ in range(count - 1):
            values.append(phi * values[-1] + rng.gauss(0.0, cv * math.sqrt(1 - phi**2)))
        return values

    return rounds


def spiky(share: float, size: float) -> RoundNoise:
    """A *share* of the rounds uses *size* more."""

    def rounds(rng: random.Random, cv: float, count: int) -> list[float]:
        return [
            rng.gauss(0.0, cv) + (math.log1p(size) if rng.random() < share else 0.0) for _ in range(count)
        ]

    return rounds


def normal(sd: float) -> SessionNoise:
    return lambda rng, _: rng.gauss(0.0, sd)


def two_states(gap: float, high_share: float) -> SessionNoise:
    """A session in one of two clock states, *gap* apart in ln J."""
    return lambda rng, _: gap if rng.random() < high_share else 0.0


def by_day(swing: float) -> SessionNoise:
    """A baseline measured by day, near the low of a daily swing, and fresh runs at any hour."""
    return lambda rng, is_fresh: swing * (math.sin(2 * math.pi * rng.random()) if is_fresh else -0.9)


def neighbour(size: float, share: float) -> BatchNoise:
    """Somebody beside us for a whole batch of rounds, in a *share* of them."""
    return lambda rng: math.log1p(size) if rng.random() < share else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The noise of one test.

    Attributes:
        between_sd: Standard deviation of ln J from session to session, of this test alone.
        cv: Of ln J from round to round.
        rounds: How rounds scatter.
        fresh_rounds: How those of the fresh record do, where that is another way.
        batch: What a batch of rounds has in common; the confirming one draws its own.
        common: What a session has in common over all tests.
        count: Rounds of each record; `None` for as many as the product takes.
        tolerance: That the number of rounds is chosen for.
    """

    between_sd: float = 0.01
    cv: float = 0.01
    rounds: RoundNoise = independent
    fresh_rounds: RoundNoise | None = None
    batch: BatchNoise | None = None
    common: SessionNoise | None = None
    count: int | None = None
    tolerance: float = 0.05

    def commons(self, rng: random.Random, session_count: int) -> list[float]:
        """What each session of the baseline, and the fresh one, has in common over all tests."""
        if self.common is None:
            return [0.0] * (session_count + 1)
        return [self.common(rng, place == session_count) for place in range(session_count + 1)]

    def draw(self, rng: random.Random, session_count: int, commons: Sequence[float] | None = None) -> Draw:
        """One test with a baseline of so many sessions."""
        offsets = self.commons(rng, session_count) if commons is None else commons
        return self.fresh(rng, self.baseline(rng, offsets[:-1]), offsets[-1])

    def baseline(self, rng: random.Random, offsets: Sequence[float]) -> tuple[Level, ...]:
        """Levels of a baseline whose sessions are off by *offsets*, besides the test's own noise."""
        return tuple(self._session(rng, offset) for offset in offsets)

    def _session(self, rng: random.Random, offset: float) -> Level:
        values = self._batch(rng, offset + rng.gauss(0.0, self.between_sd), self.rounds)
        return level_of(values[: self.rounds_of(values)])

    def fresh(self, rng: random.Random, sessions: tuple[Level, ...], offset: float = 0.0) -> Draw:
        """A fresh run against *sessions*."""
        level = offset + rng.gauss(0.0, self.between_sd)
        rounds = self.fresh_rounds or self.rounds
        now = self._batch(rng, level, rounds)
        return Draw(
            now=now,
            first_count=self.rounds_of(now),
            later=self._batch(rng, level, rounds),
            sessions=sessions,
            may_extend=self.count is None,
        )

    def _batch(self, rng: random.Random, level: float, rounds: RoundNoise) -> list[float]:
        level += 0.0 if self.batch is None else self.batch(rng)
        count = self.count or MOST_ROUND_COUNT
        return [100 * math.exp(level + one) for one in rounds(rng, self.cv, count)]

    def rounds_of(self, values: Sequence[float]) -> int:
        """How many of *values* the product takes for a first batch."""
        if self.count is not None:
            return self.count
        count = LEAST_ROUND_COUNT
        while needs_more(
            values[:count],
            [0.0] * count,
            precision=precision_for(self.tolerance),
            least=LEAST_ROUND_COUNT,
            cap=MOST_ROUND_COUNT,
        ):
            count += 1
        return count
