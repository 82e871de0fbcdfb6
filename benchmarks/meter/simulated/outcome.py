"""What the windows of a cell come to, and whether that is as it should be."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, stdev

from benchmarks.meter.simulated.cells import VOID
from benchmarks.meter.simulated.trials import Trial

LEAST_HELD_SHARE, MOST_HELD_SHARE = 0.90, 0.99
MOST_BIAS_SHARE = 0.01
MOST_VOID_SHARE = 0.05
"""Of the cells whose windows need not be void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A cell's windows; shares are of the mean truth, `None` where all windows are void.

    Attributes:
        bias_error: One standard error of *bias*.
        stated: Root of the mean square of the stated standard uncertainties.
        held_share: Of the truths, within twice the stated uncertainty.
        void_reason: The most frequent, without its numbers.
    """

    name: str
    row: str
    window_count: int
    void_share: float
    void_reason: str | None
    bias: float | None = None
    bias_error: float | None = None
    rmse: float | None = None
    stated: float | None = None
    held_share: float | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not as it should be, in a word or two each."""
        faults = []
        if self.row == VOID and self.void_share > MOST_VOID_SHARE:
            faults.append("void")
        if self.bias is None or self.bias_error is None or self.held_share is None:
            return tuple(faults)
        # 1 % more than the truth's chance, at three standard errors: a hundred cells give no false one.
        if abs(self.bias) > MOST_BIAS_SHARE + 3 * self.bias_error:
            faults.append("bias")
        count = self.window_count * (1 - self.void_share)
        chance = 2 * math.sqrt(LEAST_HELD_SHARE * (1 - LEAST_HELD_SHARE) / count)
        if self.held_share < LEAST_HELD_SHARE - chance:
            faults.append("2u")
        return tuple(faults)

    @property
    def is_upper_bound(self) -> bool:
        """Whether the stated uncertainty is more than the scatter: nearly all truths are within twice it."""
        return self.held_share is not None and self.held_share > MOST_HELD_SHARE


def outcome(name: str, row: str, trials: Iterable[Trial]) -> Outcome:
    trials = tuple(trials)
    reasons = Counter(re.sub(r"[-+]?\d[\d.e+-]*", "#", t.void_because) for t in trials if t.void_because)
    kept = [
        (trial.energy_j - trial.truth_j, trial.uncertainty_j, trial.truth_j)
        for trial in trials
        if trial.energy_j is not None and trial.uncertainty_j is not None
    ]
    void = Outcome(
        name=name,
        row=row,
        window_count=len(trials),
        void_share=1 - len(kept) / len(trials),
        void_reason=reasons.most_common(1)[0][0] if reasons else None,
    )
    if not kept:
        return void
    truth_j = fmean(truth for _, _, truth in kept)
    errors_j = [error for error, _, _ in kept]
    scatter_j = stdev(errors_j) if len(kept) > 1 else 0.0
    return Outcome(
        name=void.name,
        row=void.row,
        window_count=void.window_count,
        void_share=void.void_share,
        void_reason=void.void_reason,
        bias=fmean(errors_j) / truth_j,
        bias_error=scatter_j / math.sqrt(len(kept)) / truth_j,
        rmse=math.sqrt(fmean(error**2 for error in errors_j)) / truth_j,
        stated=math.sqrt(fmean(uncertainty**2 for _, uncertainty, _ in kept)) / truth_j,
        held_share=fmean(abs(error) <= 2 * uncertainty for error, uncertainty, _ in kept),
    )
