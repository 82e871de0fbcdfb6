"""Costs that are not below 0, fitted so that each row's error is a share of it. Pure."""

from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
else:
    np = LazyModule("numpy")

HUBER_SHARE = 0.1
"""Errors beyond 10 % count in proportion, not squared: some networks use kernels that counts don't tell."""

STEP_COUNT = 60
"""A fit of the benchmarks' networks stands still after 20; one that goes to and fro ends here."""

STILL_SHARE = 1e-6
"""Costs that move by less are there: nobody measures joules so well."""

_MOST_LOG = 2.0  # of one step: a row that is wrong by more than e^2 is pulled as if it were by that
_DUST = 1e-10  # of a gradient whose columns are scaled to 1


def non_negative(rows: "Floats", targets: "Floats") -> "Floats":
    """The *costs*, none below 0, for which `rows @ costs` comes nearest to *targets*.

    Source:
        Lawson and Hanson 1974, Solving Least Squares Problems, chapter 23: algorithm NNLS.
    """
    scales = np.linalg.norm(rows, axis=0)
    scaled = rows / np.where(scales > 0, scales, 1.0)
    costs = np.zeros(rows.shape[1])
    free = np.zeros(rows.shape[1], dtype=bool)
    for _ in range(3 * rows.shape[1]):  # Lawson and Hanson's own bound
        gradient = np.where(free | (scales == 0), -np.inf, scaled.T @ (targets - scaled @ costs))
        if gradient.max() <= _DUST * np.linalg.norm(targets):
            break
        free[gradient.argmax()] = True
        costs = _freed(scaled, targets, costs, free)
    return costs / np.where(scales > 0, scales, 1.0)


def _freed(rows: "Floats", targets: "Floats", costs: "Floats", free: "NDArray[np.bool_]") -> "Floats":
    """Least squares over the *free* costs; those that would fall below 0 on the way are 0, and not free."""
    while True:
        best = np.zeros_like(costs)
        best[free] = np.linalg.lstsq(rows[:, free], targets, rcond=None)[0]
        if (best[free] > 0).all():
            return best
        falling = free & (best <= 0)
        share = float(np.min(costs[falling] / (costs[falling] - best[falling]), initial=1.0))
        costs = costs + share * (best - costs)
        free &= costs > _DUST * max(costs.max(), _DUST)
        costs[~free] = 0.0


def fitted(rows_at: "Callable[[Floats], Floats]", targets: "Floats", start: "Floats") -> "Floats":
    """The costs, none below 0, with the smallest Huber loss of the logarithm of target over prediction.

    Gauss-Newton steps of half length with reweighting; the best of them is given.

    Args:
        rows_at: The rows at given costs: `rows_at(costs) @ costs` predicts the targets.
        targets: Above 0.
        start: Costs to begin with.

    Source:
        Huber 1964, Annals of Mathematical Statistics 35: the loss. Holland and Welsch 1977, Communications in
        Statistics A6: iteratively reweighted least squares.
    """
    costs, best = start, (np.inf, start)
    for _ in range(STEP_COUNT):
        rows = rows_at(costs)
        predicted = np.maximum(rows @ costs, targets * np.exp(-_MOST_LOG))
        errors = np.log(targets / predicted)
        best = min(best, (_loss(errors), costs), key=lambda pair: pair[0])
        weights = np.sqrt(np.minimum(1.0, HUBER_SHARE / np.maximum(np.abs(errors), HUBER_SHARE))) / predicted
        wanted = predicted * (1 + np.clip(errors, -_MOST_LOG, _MOST_LOG))
        new = (costs + non_negative(rows * weights[:, None], wanted * weights)) / 2
        if np.allclose(new, costs, rtol=STILL_SHARE, atol=0.0):
            break
        costs = new
    return best[1]


def _loss(errors: "Floats") -> float:
    sizes = np.abs(errors)
    inside = np.minimum(sizes, HUBER_SHARE)
    return float((inside * (sizes - inside / 2)).sum())
