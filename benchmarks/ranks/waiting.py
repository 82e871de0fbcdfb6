"""Who waits and what it costs: from seconds and joules of each rank. Pure.

Rule 1: of a step the collective itself takes as long as on the rank that came last: the shortest of all. What
        another rank is longer in it, it has waited.
Rule 2: watts of a rank that waits are measured in windows of their own, in which it does nothing else.
Rule 3: joules of waiting are those watts for those seconds; their interval has the spread of both.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

_Z = 1.96  # of a 95 % interval; windows are few, so it is a little too narrow: their number stands beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A mean and its standard uncertainty."""

    mean: float
    uncertainty: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Amount":
        spread = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf
        return cls(mean=fmean(values), uncertainty=spread)

    @property
    def interval(self) -> tuple[float, float]:
        return self.mean - _Z * self.uncertainty, self.mean + _Z * self.uncertainty

    def times(self, other: "Amount") -> "Amount":
        """Their product; the two are independent.

        >>> Amount(mean=2.0, uncertainty=0.2).times(Amount(mean=10.0, uncertainty=0.0))
        Amount(mean=20.0, uncertainty=2.0)
        """
        spread = math.hypot(self.uncertainty * other.mean, other.uncertainty * self.mean)
        return Amount(mean=self.mean * other.mean, uncertainty=spread)


def waiting_s(collective_s: Sequence[Sequence[float]]) -> list[float]:
    """Seconds that each rank has waited for the last one, over all steps.

    Args:
        collective_s: By rank, the seconds of each step's collective.

    >>> waiting_s([[1.0, 3.0], [1.5, 1.0]])
    [2.0, 0.5]
    """
    itself_s = [min(step) for step in zip(*collective_s, strict=True)]
    return [
        math.fsum(one_s - least_s for one_s, least_s in zip(rank, itself_s, strict=True))
        for rank in collective_s
    ]


def waiting_j(power_w: Sequence[Sequence[float]], seconds: Sequence[Sequence[float]], rank: int) -> Amount:
    """Joules of a round that *rank* has waited away.

    Args:
        power_w: By window, the watts of each rank while it waits; `nan` for one that didn't.
        seconds: By round, the seconds that each rank has waited.
        rank: Whose.
    """
    watts = [window[rank] for window in power_w if not math.isnan(window[rank])]
    return Amount.of(watts).times(Amount.of([one[rank] for one in seconds]))


def check_sum(by_rank_j: Mapping[int, float], channels_j: Mapping[str, float]) -> float:
    """How far the sum by rank is from the channels' sum, as a share of it.

    Raises:
        AssertionError: By more than rounding.
    """
    whole_j = math.fsum(channels_j.values())
    share = abs(math.fsum(by_rank_j.values()) - whole_j) / whole_j
    assert share < 1e-9, f"the ranks' joules are off by {share:.2g} of the channels'"
    return share
