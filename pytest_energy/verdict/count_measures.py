"""What of the counts is judged: five sums, each by itself.

Rule 1: a measure rises where its least now is past the most of the baseline and the tolerance.
"""

import math
from collections.abc import Callable, Iterable, Sequence

from pytest_energy.counts import Kind
from pytest_energy.verdict.count_pairs import Amounts, Pair, Span
from pytest_energy.verdict.count_weights import is_region, is_weighed

WEIGHTED_WORK, COPIED_BYTES = "weighted work", "copied bytes"
MEASURES = (WEIGHTED_WORK, "waits", COPIED_BYTES, "graph breaks and compilations", "gradient nodes")


def _weights(pair: Pair, amounts: Amounts) -> Span:
    return amounts.weights_s if is_weighed(pair.kind) else (0.0, 0.0)


def _counts_of(kind: Kind) -> Callable[[Pair, Amounts], Span]:
    return lambda pair, amounts: amounts.counts if pair.kind is kind else (0, 0)


def _copied(pair: Pair, amounts: Amounts) -> Span:
    return amounts.sizes_bytes if pair.kind is Kind.COPY else (0.0, 0.0)


def _breaks(pair: Pair, amounts: Amounts) -> Span:
    """What was compiled before and falls into more regions now is broken; what is newly compiled is not."""
    is_new_region = is_region(pair.name) and not pair.before.counts[1]
    return amounts.counts if pair.kind is Kind.GRAPH and not is_new_region else (0, 0)


_PARTS: dict[str, Callable[[Pair, Amounts], Span]] = dict(
    zip(MEASURES, (_weights, _counts_of(Kind.WAIT), _copied, _breaks, _counts_of(Kind.GRADIENT)), strict=True)
)


def rises(pairs: Sequence[Pair], tolerance: float) -> dict[str, tuple[float, float]]:
    """Each measure that rose past the tolerance: the most then, the least now."""
    found = {}
    for name in MEASURES:
        before, after = _sums(name, pairs)
        if after[0] > before[1] * (1 + tolerance):
            found[name] = (before[1], after[0])
    return found


def is_fall(pairs: Sequence[Pair], tolerance: float) -> bool:
    """Whether the weighted work fell past the tolerance."""
    before, after = _sums(WEIGHTED_WORK, pairs)
    return after[1] < before[0] * (1 - tolerance)


def weight_ratio(pairs: Sequence[Pair]) -> float | None:
    """Weighted work, now over then, of the middles where they are intervals; `None` where there was none."""
    before, after = map(sum, _sums(WEIGHTED_WORK, pairs))
    return after / before if before > 0 and after > 0 else None


def _sums(name: str, pairs: Iterable[Pair]) -> tuple[Span, Span]:
    part = _PARTS[name]
    spans = [(part(pair, pair.before), part(pair, pair.after)) for pair in pairs]
    before, after = [before for before, _ in spans], [after for _, after in spans]
    return _sum(before), _sum(after)


def _sum(spans: Sequence[Span]) -> Span:
    """Ends that no order of the entries changes."""
    return math.fsum(least for least, _ in spans), math.fsum(most for _, most in spans)
