"""A slow creep over many sessions, which no comparison with the last one can see. Pure.

Rule 1: the reference is pinned: the first accepted sessions. A reference that moves creeps along.
Rule 2: only a rise alarms; energy that falls is welcome.
Rule 3: this warns; it never fails a test.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.compare import shrunk_variance

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
