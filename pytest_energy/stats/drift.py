"""A slow creep over many sessions, which no comparison with the last one can see. Pure.

Rule 1: the reference is pinned: the first accepted sessions. A reference that moves creeps along.
Rule 2: only a rise alarms; energy that falls is welcome.
Rule 3: this warns; it never fails a test.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.compare import PRIOR_BETWEEN_DF, PRIOR_BETWEEN_SD, shrunk_variance

CUSUM_SLACK = 0.5
"""k: half of the shift to be found soonest, 1 sigma."""

CUSUM_LIMIT = 5.0
"""h: with k = 0.5 and a reference that is known, about 930 sessions between false alarms; 1 sigma is found
after about 10."""

EWMA_WEIGHT = 0.2
EWMA_LIMIT = 2.86
"""L: with a weight of 0.2 about as rare a false alarm of both sides as the usual 370 sessions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A control chart over the sessions after the pinned ones.

    Attributes:
        heights: The chart's statistic after each session.
        limits: What it must not pass, for each session.
    """

    heights: tuple[float, ...]
    limits: tuple[float, ...]

    @property
    def first_alarm(self) -> int | None:
        """Place of the first session that passes the limit, counted from 0, or `None`."""
        places = enumerate(zip(self.heights, self.limits, strict=True))
        return next((place for place, (height, limit) in places if height > limit), None)


def deviations(energies_j: Sequence[float], *, pinned_count: int) -> tuple[float, ...]:
    """How far each session after the pinned ones is from them, in standard deviations of ln J.

    The mean of few sessions is itself off by chance, and a chart takes that for a shift: of histories that
    never change (SD 1 %, 50 sessions, simulated) 23 % alarm with 3 or 5 pinned, 15 to 18 % with 10.

    Args:
        energies_j: Mean joules of each session, oldest first, above 0.
        pinned_count: How many of the first are the reference.

    Raises:
        NotMeasurable: Fewer sessions than *pinned_count*, none pinned, or a session without joules.

    Source:
        Standardised as for a control chart (Montgomery, Introduction to Statistical Quality Control, chapter
        9), by the prediction variance s^2 (1 + 1/m) of one more value after m, s^2 as in `compare`.
    """
    if not 1 <= pinned_count <= len(energies_j):
        raise NotMeasurable(
            f"{pinned_count} sessions to pin of {len(energies_j)}; at least 1, and no more than there are"
        )
    if not all(math.isfinite(energy_j) and energy_j > 0 for energy_j in energies_j):
        raise NotMeasurable("a session without joules above 0 has no place in a history")
    logs = [math.log(energy_j) for energy_j in energies_j]
    pinned = logs[:pinned_count]
    reference = math.fsum(pinned) / pinned_count
    sigma = math.sqrt(shrunk_variance(pinned) * (1 + 1 / pinned_count))
    return tuple((value - reference) / sigma for value in logs[pinned_count:])


def cusum(values: Sequence[float], *, slack: float = CUSUM_SLACK, limit: float = CUSUM_LIMIT) -> Drift:
    """Sum of what *values* exceed the slack by, never below 0.

    Args:
        values: Standardised deviations, as `deviations` gives them.
        slack: k, in sigma.
        limit: h, in sigma.

    Source:
        Page 1954, Biometrika 41, 100: S = max(0, S + z - k), alarm when S > h.
    """
    height, heights = 0.0, []
    for value in values:
        height = max(0.0, height + value - slack)
        heights.append(height)
    return Drift(heights=tuple(heights), limits=(limit,) * len(heights))


def ewma(values: Sequence[float], *, weight: float = EWMA_WEIGHT, limit: float = EWMA_LIMIT) -> Drift:
    """Mean of *values* that forgets, against limits that widen to their steady width.

    Args:
        values: Standardised deviations, as `deviations` gives them.
        weight: lambda, of the newest value, above 0 and at most 1.
        limit: L, in standard deviations of the mean.

    Source:
        Roberts 1959, Technometrics 1, 239. Limits of each step: Lucas and Saccucci 1990, Technometrics 32, 1.
    """
    height, heights, limits = 0.0, [], []
    for count, value in enumerate(values, start=1):
        height += weight * (value - height)
        heights.append(height)
        limits.append(limit * math.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * count))))
    return Drift(heights=tuple(heights), limits=tuple(limits))


CREEP_LIMIT = 3.2
"""L of `creep`: of histories of 60 sessions that never change 3 % warn at some time where sessions differ by
1 %, 13 % where they differ by 2 %; of those that rise by 0.3 % a session (SD 1 %) 92 % warn by the 15th
(simulated, 10 sessions kept, 3 of them pinned)."""

_LEAST_LATER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Creep:
    """A rise over the pinned sessions that chance doesn't explain.

    Attributes:
        ratio: Level of the newest sessions over that of the pinned ones.
        began: Place, among the sessions after the pinned ones, of the one from which on they lie higher.
    """

    ratio: float
    began: int


def creep(energies_j: Sequence[float], *, pinned_count: int) -> Creep | None:
    """Whether the newest sessions have crept up from the pinned ones, or `None`.

    The level is an exponentially weighted mean of what came after the pinned sessions; it is held against the
    error of that mean and of the pinned ones' own. Sessions between may be missing: a baseline keeps some.

    Args:
        energies_j: Mean joules of each session, oldest first, above 0.
        pinned_count: How many of the first are the reference.

    Raises:
        NotMeasurable: As for `deviations`.

    Source:
        Roberts 1959 (EWMA); sigma from successive differences: von Neumann 1941, Annals of Mathematical
        Statistics 12, 367, with two thirds of the degrees of freedom, shrunk as in `compare`.
    """
    later = deviations(energies_j, pinned_count=pinned_count)
    if len(later) < _LEAST_LATER:
        return None
    logs = [math.log(energy_j) for energy_j in energies_j]
    reference = math.fsum(logs[:pinned_count]) / pinned_count
    weights = [EWMA_WEIGHT * (1 - EWMA_WEIGHT) ** age for age in reversed(range(len(later)))]
    total = math.fsum(weights)
    weights = [weight / total for weight in weights]
    rises = [value - reference for value in logs[pinned_count:]]
    rise = math.fsum(weight * value for weight, value in zip(weights, rises, strict=True))
    spread = math.sqrt(math.fsum(weight**2 for weight in weights) + 1 / pinned_count)
    if rise <= CREEP_LIMIT * math.sqrt(_successive_variance(logs)) * spread:
        return None
    heights = cusum(later).heights
    began = max((place + 1 for place, height in enumerate(heights) if height == 0), default=0)
    return Creep(ratio=math.exp(rise), began=min(began, len(later) - 1))


def _successive_variance(values: Sequence[float]) -> float:
    """Variance of *values*, a slow trend left out, drawn towards the prior of `compare`."""
    squares = [(after - before) ** 2 for before, after in pairwise(values)]
    seen, df = math.fsum(squares) / len(squares) / 2, 2 * len(squares) / 3
    return (PRIOR_BETWEEN_DF * PRIOR_BETWEEN_SD**2 + df * seen) / (PRIOR_BETWEEN_DF + df)
