"""Which loads the pooled table holds: sizes x rates, with shared prefixes and lengths of answers set by both.

Rule 1: prefix and length must not go with size or rate, or their rho would be that of size or rate. Both are
a function of the two positions: four shares in turn, and reasoning on and off in pairs. For four sizes and
five rates no two of the four columns have a rank correlation above 0.04. Each rate has reasoning on in two of
its four rows.
Rule 2: lengths are the quantiles of their distribution, in an order that the row draws. So every row of one
kind has the same mean length, whatever its number of requests.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.profile_sizes import PooledProfile

SHARES = (0.0, 0.25, 0.5, 0.75)  # of each prompt, common to all requests of the row
MOST_SCALES = 2.0  # an answer is cut at twice the scale, as by a server's `max_tokens`: 1 of 7 is


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table: a load for a model of one size.

    Attributes:
        size: One of `benchmarks.llm.models.SIZES`.
        rate: Requests a second.
        count: Requests of one round.
        shared_share: Share of each prompt that all have in common.
        has_reasoning: Answers have the lengths of a model that writes down its reasoning.
    """

    size: str
    rate: float
    count: int
    shared_share: float
    has_reasoning: bool


def rows(pooled: PooledProfile) -> tuple[Row, ...]:
    """The rows, by size and then by rate."""
    return tuple(
        Row(
            size=size,
            rate=rate,
            count=pooled.request_count(rate),
            shared_share=SHARES[(size_place + 2 * rate_place + 2) % len(SHARES)],
            has_reasoning=(size_place + rate_place + 3) // 2 % 2 == 1,
        )
        for size_place, size in enumerate(pooled.model_sizes)
        for rate_place, rate in enumerate(pooled.rates)
    )


def answer_lengths(count: int, *, scale: float, seed: str) -> Sequence[int]:
    """Lengths of *count* answers: quantiles of an exponential distribution, cut at twice its scale.

    Args:
        count: Answers.
        scale: Mean of the distribution before the cut, in tokens; 0.86 of it is left.
        seed: Of their order.

    Source:
        Xiang et al.: ServeGen, arXiv 2505.09999: output lengths of production servers are exponential.

    >>> sorted(answer_lengths(4, scale=10, seed="1"))
    [2, 5, 10, 20]
    """
    shares = ((place + 0.5) / count for place in range(count))
    lengths = [
        math.ceil(min(MOST_SCALES * scale, max(1.0, -scale * math.log(1 - share)))) for share in shares
    ]
    random.Random(f"{seed}/lengths").shuffle(lengths)  # noqa: S311 (a reproducible load, no secret)
    return lengths
