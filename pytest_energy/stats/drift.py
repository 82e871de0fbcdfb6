"""A slow creep over many sessions, which no comparison with the last one can detect. Pure.

Rule 1: the reference is pinned: the first accepted sessions. A reference that moves creeps along.
Rule 2: only a rise counts; energy that falls is welcome.
Rule 3: this warns; it never fails a test.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.compare import shrunk_variance, towards_prior
from pytest_energy.stats.ratio import ratio_of

CUSUM_SLACK = 0.5
"""k: half of the shift to be found soonest, 1 sigma."""

EWMA_WEIGHT = 0.2
"""lambda: of the newest session in the level that `creep` takes."""

CREEP_LIMIT = 3.2
"""L of `creep`: of histories of 60 sessions that never change 3 % warn at some time where sessions differ by
1 %, 13 % where they differ by 2 %; of those that rise by 0.3 % a session (SD 1 %) 92 % warn by the 15th
(simulated, 10 sessions kept, 3 of them pinned)."""

_LEAST_LATER = 2


def cusum(values: Sequence[float]) -> tuple[float, ...]:
    """Sum of what *values* exceed the slack by, never below 0, after each of them.

    Args:
        values: Deviations from the pinned sessions, in standard deviations.

    Source:
        Page 1954, Biometrika 41, 100: S = max(0, S + z - k).
    """
    heights = accumulate(values, lambda height, value: max(0.0, height + value - CUSUM_SLACK), initial=0.0)
    return tuple(heights)[1:]


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

    The level is an exponentially weighted mean of what came after the pinned sessions; it is compared with
    the error of that mean and of the pinned ones' own. Sessions may be missing: a baseline keeps some.

    Args:
        energies_j: Mean joules of each session, oldest first, above 0.
        pinned_count: How many of the first are the reference.

    Raises:
        NotMeasurable: Fewer sessions than *pinned_count*, none pinned, or a session without joules.

    Source:
        Roberts 1959 (EWMA); sigma from successive differences: von Neumann 1941, Annals of Mathematical
        Statistics 12, 367, with two thirds of the degrees of freedom, shrunk as in `compare`. Where it began:
        `cusum`, standardised as for a control chart (Montgomery, Introduction to Statistical Quality Control,
        chapter 9), by the prediction variance s^2 (1 + 1/m) of one more value after m, s^2 as in `compare`.
    """
    if not 1 <= pinned_count <= len(energies_j):
        raise NotMeasurable(
            f"{pinned_count} sessions to pin of {len(energies_j)}; pin at least 1, and at most all"
        )
    if not all(math.isfinite(energy_j) and energy_j > 0 for energy_j in energies_j):
        raise NotMeasurable("a session without joules above 0 has no place in a history")
    logs = [math.log(energy_j) for energy_j in energies_j]
    pinned, later = logs[:pinned_count], logs[pinned_count:]
    if len(later) < _LEAST_LATER:
        return None
    reference = fmean(pinned)
    rises = [value - reference for value in later]
    weights = [EWMA_WEIGHT * (1 - EWMA_WEIGHT) ** age for age in reversed(range(len(later)))]
    total = math.fsum(weights)
    weights = [weight / total for weight in weights]
    rise = math.fsum(weight * value for weight, value in zip(weights, rises, strict=True))
    spread = math.sqrt(math.fsum(weight**2 for weight in weights) + 1 / pinned_count)
    if rise <= CREEP_LIMIT * math.sqrt(_successive_variance(logs)) * spread:
        return None
    sigma = math.sqrt(shrunk_variance(pinned) * (1 + 1 / pinned_count))
    heights = cusum([value / sigma for value in rises])
    began = max((place + 1 for place, height in enumerate(heights) if height == 0), default=0)
    return Creep(ratio=ratio_of(rise), began=min(began, len(later) - 1))


def _successive_variance(values: Sequence[float]) -> float:
    """Variance of *values*, a slow trend left out, drawn towards the prior of `compare`."""
    squares = [(after - before) ** 2 for before, after in pairwise(values)]
    return towards_prior(fmean(squares) / 2, 2 * len(squares) / 3)
