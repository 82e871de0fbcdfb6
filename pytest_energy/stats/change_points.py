"""Where the level of a series steps. Pure.

Rule 1: candidates are the places whose levels leave the smallest sum of weighted squares plus a penalty for
    each place: the exact minimum, so that a step up and a step down don't hide one another.
Rule 2: a candidate is a step where Student's t between the levels on its two sides is less likely than a
    given chance. The weakest is removed first, and its neighbours are then tested anew.
Rule 3: where a straight line fits the values of both sides as well as two levels do, the level drifts, and
    there is no step.
Rule 4: a level has three values or more, and five if it begins and ends inside the series. A side that
    scatters more than the series does is known less well. Two odd runs are no level, not even with a third
    that isn't odd.
Rule 5: what runs remember is no step: neighbours that are alike widen the bounds, and where levels wander
    only the nearest values of both sides are compared, as many as know the difference best.
Rule 6: one or two values far from those around them count as ones that are just far: what a busy machine
    does once hides no step. A running median leaves a step as it is.

Source:
    Rule 1: Jackson et al. 2005, IEEE Signal Processing Letters 12, 105 (optimal partitioning); the smallest
    penalty of a minimum that ends so is Killick et al. 2012, JASA 107, 1590. Rule 2: Fleming et al. 2023,
    Hunter: Using Change Point Detection to Hunt for Performance Regressions, ICPE '23, sections 3.2 and 3.3.
    Rule 5: variogram of noise and a random walk: Cressie, Statistics for Spatial Data, section 2.3.1, with
    the median of Cressie and Hawkins 1980, Mathematical Geology 12, 115. Rule 6: Tukey, Exploratory Data
    Analysis, chapter 7 (running medians of five).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule
from pytest_energy.stats.centre import z_quantile
from pytest_energy.stats.compare import towards_prior
from pytest_energy.stats.level import correlation_factor, level_of
from pytest_energy.stats.student import t_quantile, t_tail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
else:
    np = LazyModule("numpy")

LEAST_LEVEL_COUNT = 3
"""Rule 4. Of two values the chance that both are odd is not small on a shared machine."""

LEAST_INNER_COUNT = 5
"""Rule 4, of a level that is over: where one value in fifty is odd, ten thousand values have three odd ones
in a row somewhere, or nearly."""

CANDIDATE_CHANCE = 0.05
"""Chance that a series without steps has a candidate, over all its places: generous, as rule 2 decides."""

LEAST_POOLED_COUNT = 5
"""Series of which most have no step, so that a median over them knows how levels wander; of fewer, each one's
strongest step is removed first: it would be most of the variogram."""

FAR = 4.0
"""Standard deviations; of normal values one in 16,000 is beyond."""

LEAST_LAG = 8
"""Of the variogram: below 32 values nothing tells a walk from noise."""

_NORMAL_MEDIAN = 0.6744897501960817  # of |x|, x standard normal
_MEDIAN_EFFICIENCY = 0.37  # of a median deviation: Huber and Ronchetti, Robust Statistics, 2nd ed., chapter 5
_BOUND_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """A series, the oldest first.

    Attributes:
        levels: Logarithm of each value.
        own_sds: Relative standard uncertainty of each.
        may_step: Whether the level may change just before each: not between runs of one commit.
    """

    levels: tuple[float, ...]
    own_sds: tuple[float, ...]
    may_step: tuple[bool, ...]

    @property
    def place_count(self) -> int:
        """Places at which a step is looked for."""
        count = len(self.levels)
        return sum(self.may_step[LEAST_LEVEL_COUNT : count - LEAST_LEVEL_COUNT + 1])

    @property
    def weights(self) -> "Floats":
        """Of each value: one over the variance between values and that of its own."""
        own = np.square(self.own_sds)
        between = max(_semivariance(self.levels, 1) - float(np.median(own)), 0.0)
        return 1.0 / (towards_prior(between, _MEDIAN_EFFICIENCY * len(self.levels)) + own)


def without_spikes(levels: Sequence[float]) -> tuple[float, ...]:
    """*levels*, none further from the median of the five around it than `FAR`: rule 6."""
    most = FAR * math.sqrt(towards_prior(_semivariance(levels, 1), _MEDIAN_EFFICIENCY * len(levels)))
    middles = (median(levels[max(0, place - 2) : place + 3]) for place in range(len(levels)))
    return tuple(
        min(max(level, middle - most), middle + most) for level, middle in zip(levels, middles, strict=True)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of the level.

    Attributes:
        place: Of the first value of the new level.
        rise: In ln.
        rise_ci: 95 % interval of it.
        p_value: Chance of a t so large where nothing changed, two-sided, of this place alone.
    """

    place: int
    rise: float
    rise_ci: tuple[float, float]
    p_value: float


def candidates(values: Values) -> tuple[int, ...]:
    """Places of *values* at which the level may have changed: rule 1."""
    places, count = values.place_count, len(values.levels)
    if places < 1:
        return ()
    penalty = z_quantile(CANDIDATE_CHANCE / (2 * places)) ** 2
    weights, levels = values.weights, np.asarray(values.levels)
    sums = [
        np.concatenate(([0.0], np.cumsum(part))) for part in (weights, weights * levels, weights * levels**2)
    ]
    starts = np.asarray(values.may_step)
    best, last = np.full(count + 1, math.inf), np.zeros(count + 1, dtype=int)
    best[0], starts[0] = -penalty, True
    for end in range(LEAST_LEVEL_COUNT, count + 1):
        weight, first, second = (part[end] - part[: end - LEAST_LEVEL_COUNT + 1] for part in sums)
        costs = best[: len(weight)] + second - first**2 / weight + penalty
        costs[~starts[: len(weight)]] = math.inf
        if end < count:
            costs[max(1, end - LEAST_INNER_COUNT + 1) :] = math.inf
        last[end] = int(np.argmin(costs))
        best[end] = costs[last[end]]
    return tuple(_traced(last.tolist()))[::-1]


def _traced(last: Sequence[int]) -> Iterator[int]:
    """The places of the best partition, the newest first."""
    end = last[-1]
    while end > 0:
        yield end
        end = last[end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the values of a set of series remember of those before: rule 5.

    Attributes:
        widening: By how much neighbours that are alike widen the variance of a level; at least 1.
        wander: Variance of a level's own way from one value to the next; 0 if it stays.
    """

    widening: float = 1.0
    wander: float = 0.0

    def nearest(self, variance: float) -> int | None:
        """How many values of each side to compare where one value has *variance*; `None` for all of them.

        The means of two neighbouring stretches of m values differ by 2 m wander / 3 where a level walks, and
        by 2 variance / m from noise: the sum is smallest at m^2 = 3 variance / wander.
        """
        if self.wander <= 0:
            return None
        return max(LEAST_LEVEL_COUNT, round(math.sqrt(3 * variance / self.wander)))


NO_MEMORY = Memory()


def memory_of(series: Sequence[tuple[Values, Sequence[int]]]) -> Memory:
    """The memory of *series*, each with its candidates, pooled over all of them."""
    stretches = (
        level_of([math.exp(one) for one in values.levels[start:end]])
        for values, places in series
        for start, end in pairwise((0, *places, len(values.levels)))
        if end > start
    )
    is_pooled = len(series) >= LEAST_POOLED_COUNT
    flat = (values.levels if is_pooled else _without_strongest_step(values.levels) for values, _ in series)
    wanders = [wander for levels in flat if (wander := _wander(levels)) is not None]
    return Memory(
        widening=correlation_factor(stretches), wander=max(0.0, median(wanders)) if wanders else 0.0
    )


def _wander(levels: Sequence[float]) -> float | None:
    """Twice the slope of the variogram of *levels*; below 0 by chance; `None` if they are too few."""
    lag = len(levels) // 4
    if lag < LEAST_LAG:
        return None
    return 2 * (_semivariance(levels, lag) - _semivariance(levels, 1)) / (lag - 1)


def _without_strongest_step(values: Sequence[float]) -> list[float]:
    """*values* as if they had the same mean on both sides of the place where these differ most clearly."""
    levels, counts = np.asarray(values), np.arange(LEAST_LEVEL_COUNT, len(values) - LEAST_LEVEL_COUNT + 1)
    if not len(counts):
        return list(values)
    sums = np.cumsum(levels)
    before = sums[counts - 1] / counts
    after = (sums[-1] - sums[counts - 1]) / (len(levels) - counts)
    strongest = int(np.argmax((after - before) ** 2 * counts * (len(levels) - counts)))
    flat = levels.copy()
    flat[counts[strongest] :] -= after[strongest] - before[strongest]
    return [float(one) for one in flat]


def _semivariance(levels: Sequence[float], lag: int) -> float:
    """Half the variance of the difference of values that are *lag* apart, from its median."""
    differences = [abs(after - before) for before, after in zip(levels, levels[lag:], strict=False)]
    return (median(differences) / _NORMAL_MEDIAN) ** 2 / 2 if differences else 0.0


def steps(
    values: Values, places: Sequence[int], *, chance: float, memory: Memory = NO_MEMORY
) -> tuple[Step, ...]:
    """Those of the candidates *places* that are steps: rules 2 and 3.

    Args:
        values: The series.
        places: As `candidates` gave them.
        chance: Of a false step at one place, two-sided.
        memory: Of all series that are looked at together.
    """
    kept = list(places)
    while kept:
        tested = _tested(values, kept, memory)
        weakest = max(range(len(kept)), key=lambda number: tested[number].p_value)
        if tested[weakest].p_value <= chance:
            return tuple(tested)
        del kept[weakest]
    return ()


def _tested(values: Values, places: Sequence[int], memory: Memory) -> list[Step]:
    """Each of *places* as a step between its two levels."""
    weights, levels = values.weights, np.asarray(values.levels)
    stretches = list(pairwise((0, *places, len(levels))))
    squares = math.fsum(_squares(levels[start:end], weights[start:end]) for start, end in stretches)
    df = len(levels) - len(stretches)
    scale = squares / df
    most = memory.nearest(scale / float(np.mean(weights)))
    return [
        _between(values, (start, place, end), scale, df, most=most, memory=memory)
        for (start, place), (_, end) in pairwise(stretches)
    ]


def _between(
    values: Values,
    edges: tuple[int, int, int],
    scale: float,
    df: int,
    *,
    most: int | None,
    memory: Memory,
) -> Step:
    """The step at the middle one of *edges*, between the levels on its sides."""
    weights, levels = values.weights, np.asarray(values.levels)
    start, place, end = edges
    is_drift = _line_fits(levels[start:end], weights[start:end], place - start)
    first, last = (start, end) if most is None else (max(start, place - most), min(end, place + most))
    means, variance = [], memory.wander * (last - first) / 3
    for side in (slice(first, place), slice(place, last)):
        squares, weight = _squares(levels[side], weights[side]), float(np.sum(weights[side]))
        means.append(float(np.average(levels[side], weights=weights[side])))
        variance += memory.widening * max(scale, squares / (side.stop - side.start - 1)) / weight
    return _step(place, means[1] - means[0], variance, df / memory.widening, is_drift=is_drift)


def _step(place: int, rise: float, variance: float, df: float, *, is_drift: bool) -> Step:
    df, sd = max(df, 1.0), math.sqrt(variance)
    half = t_quantile(df, _BOUND_TAIL) * sd
    t = abs(rise) / sd if sd > 0 else math.inf
    return Step(
        place=place,
        rise=rise,
        rise_ci=(rise - half, rise + half),
        p_value=1.0 if is_drift else min(1.0, 2 * t_tail(df, t)) if math.isfinite(t) else 0.0,
    )


def _line_fits(levels: "Floats", weights: "Floats", place: int) -> bool:
    """Whether a straight line leaves no more squares than two levels, the second from *place* on: rule 3."""
    numbers = np.arange(len(levels), dtype=float)
    slope, start = np.polyfit(numbers, levels, 1, w=np.sqrt(weights))
    of_line = float(np.sum(weights * (levels - start - slope * numbers) ** 2))
    sides = slice(None, place), slice(place, None)
    return of_line <= math.fsum(_squares(levels[side], weights[side]) for side in sides)


def _squares(levels: "Floats", weights: "Floats") -> float:
    """Weighted squares around the weighted mean."""
    return float(np.sum(weights * (levels - np.average(levels, weights=weights)) ** 2))
