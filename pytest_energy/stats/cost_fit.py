"""Joules of each unit of several amounts, none below 0, fitted to short spans of time. Pure.

Rule 1: neighbouring spans are alike, so intervals are from resampled blocks of spans, not from single
    ones.
Rule 2: power at rest is known from outside the spans, up to an error that all of them share.
Rule 3: what two costs share is told apart no better than the spans tell; a sum of costs may be known well
    where none of them is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from pytest_energy.errors import NotMeasurable
from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    _Moments = tuple[Floats, Floats, Floats]
else:
    np = LazyModule("numpy")

REPLICATE_COUNT = 400
"""Their standard deviation is known to 4 % (1 / sqrt(2 x 400)), and the 2.5 % tail holds ten of them."""

LEAST_SPAN_COUNT = 20
"""Fewer make two or three blocks, whose resampling shows no spread."""

_SEED = 20250416  # equal spans give equal intervals
_RIDGE = 1e-9  # of scaled columns: keeps equal columns solvable, and moves no cost that can be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Spans of one load, one after another.

    Attributes:
        amounts: A row for each span: how much of each amount it holds.
        energies_j: Joules of each.
        durations_s: Seconds of each.
        rest_w: Power in which nothing is at work.
    """

    amounts: tuple[tuple[float, ...], ...]
    energies_j: tuple[float, ...]
    durations_s: tuple[float, ...]
    rest_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value, its standard uncertainty and its 95 % interval."""

    value: float
    uncertainty: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostFit:
    """Fitted costs.

    Attributes:
        costs: Joules of a unit of each amount.
        span_count: Spans that they are fitted to.
        replicates: The same of resampled spans, a row each.
        rest_errors_w: By how much power at rest was changed in each of them.
    """

    costs: tuple[float, ...]
    span_count: int
    replicates: "Floats" = field(repr=False)
    rest_errors_w: "Floats" = field(repr=False)

    def energy(self, amounts: Sequence[float], *, resting_s: float = 0.0, known_j: float = 0.0) -> Estimate:
        """Joules of *amounts*; with the error of power at rest over *resting_s*, and *known_j* added."""
        weights = np.asarray(amounts, dtype=float)
        value = known_j + float(weights @ np.asarray(self.costs))
        drawn = known_j + self.replicates @ weights + self.rest_errors_w * resting_s
        low, high = np.quantile(drawn, (0.025, 0.975))
        return Estimate(value=value, uncertainty=float(drawn.std(ddof=1)), interval=(float(low), float(high)))

    def covariances(self) -> tuple[tuple[float, ...], ...]:
        """Of the power at rest and of the costs, in this order: a row for each."""
        drawn = np.column_stack([self.rest_errors_w, self.replicates])
        return tuple(tuple(map(float, row)) for row in np.cov(drawn, rowvar=False))


def fit_costs(loads: Sequence[Spans], *, rest_uncertainty_w: float = 0.0) -> CostFit:
    """The costs that explain the joules of *loads* above rest best, by least squares.

    Args:
        loads: At least one; every row has as many amounts.
        rest_uncertainty_w: Standard uncertainty of power at rest, common to all loads.

    Raises:
        NotMeasurable: There are too few spans.

    Source:
        Least squares without negative costs: Lawson and Hanson 1974, Solving Least Squares Problems, chapter
        23; with so few amounts each set of positive costs is tried. Intervals: moving blocks, Kuensch 1989,
        Annals of Statistics 17, 1217, of n^(1/3) spans: Hall, Horowitz and Jing 1995, Biometrika 82, 561.
    """
    count = sum(len(load.energies_j) for load in loads)
    if count < LEAST_SPAN_COUNT:
        raise NotMeasurable(f"{count} spans of the power trace; {LEAST_SPAN_COUNT} are needed")
    length = max(1, round(count ** (1 / 3)))
    blocks = [block for load in loads for block in _blocks(load, length)]
    whole = [_moments(*_columns(load)) for load in loads]
    drawn = _drawn(blocks, max(1, round(count / length)))
    generator = np.random.default_rng(_SEED + 1)
    errors_w = rest_uncertainty_w * generator.standard_normal(REPLICATE_COUNT)
    gram, moment, _ = (sum(parts[1:], parts[0]) for parts in zip(*whole, strict=True))
    grams, moments, seconds = drawn
    return CostFit(
        costs=tuple(map(float, non_negative(gram[None], moment[None])[0])),
        span_count=count,
        replicates=non_negative(grams, moments - errors_w[:, None] * seconds),
        rest_errors_w=errors_w,
    )


def _columns(load: Spans) -> "_Moments":
    """Rows of amounts, joules above rest, seconds."""
    durations_s = np.asarray(load.durations_s)
    rows = np.asarray(load.amounts, dtype=float).reshape(len(durations_s), -1)
    return rows, np.asarray(load.energies_j) - load.rest_w * durations_s, durations_s


def _moments(rows: "Floats", active_j: "Floats", durations_s: "Floats") -> "_Moments":
    """What least squares knows of the rows: their products with themselves, the joules and the seconds."""
    return rows.T @ rows, rows.T @ active_j, rows.T @ durations_s


def _blocks(load: Spans, length: int) -> list["_Moments"]:
    rows, active_j, durations_s = _columns(load)
    starts = range(max(1, len(rows) - length + 1)) if len(rows) else ()
    return [
        _moments(rows[at : at + length], active_j[at : at + length], durations_s[at : at + length])
        for at in starts
    ]


def _drawn(blocks: Sequence["_Moments"], block_count: int) -> "_Moments":
    """Moments of as many resampled sets of blocks as there are replicates."""
    generator = np.random.default_rng(_SEED)
    shares = np.full(len(blocks), 1 / len(blocks))
    counts = generator.multinomial(block_count, shares, size=REPLICATE_COUNT).astype(float)
    grams, moments, seconds = (np.stack(parts) for parts in zip(*blocks, strict=True))
    return np.tensordot(counts, grams, 1), counts @ moments, counts @ seconds


def non_negative(grams: "Floats", moments: "Floats") -> "Floats":
    """For each of several problems the costs, none below 0, with the least squared error.

    Args:
        grams: For each, the products of the columns of amounts with one another.
        moments: For each, those of the columns with the joules.
    """
    count = grams.shape[1]
    scales = np.sqrt(np.maximum(np.diagonal(grams, axis1=1, axis2=2), 0.0))
    scales = np.where(scales > 0, scales, np.inf)
    scaled = grams / (scales[:, :, None] * scales[:, None, :]) + _RIDGE * np.eye(count)
    wanted = moments / scales
    best, gains = np.zeros_like(moments), np.zeros(len(moments))
    for size in range(1, count + 1):
        for columns in combinations(range(count), size):
            chosen = list(columns)
            costs = np.linalg.solve(scaled[:, chosen][:, :, chosen], wanted[:, chosen, None])[:, :, 0]
            gain = np.einsum("ij,ij->i", costs, wanted[:, chosen])
            is_better = (costs >= 0).all(axis=1) & (gain > gains)
            gains = np.where(is_better, gain, gains)
            fresh = np.zeros_like(best)
            fresh[:, chosen] = costs
            best = np.where(is_better[:, None], fresh, best)
    return best / scales
