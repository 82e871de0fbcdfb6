"""What of the counts is judged: a few sums, each by itself.

Rule 1: a measure rises by what its entries surely rose: an entry whose intervals meet adds nothing, and hides
    no other one.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from pytest_energy.counts import Kind
from pytest_energy.verdict.count_pairs import Amounts, Pair, Span, gap
from pytest_energy.verdict.count_weights import is_region, is_replay, is_weighed
from pytest_energy.verdict.figures import DUST

WEIGHTED_WORK, COPIED_BYTES = "weighted work", "copied bytes"
DISORDERED_BYTES = "bytes out of order"

Part = Callable[[Pair, Amounts], Span]


def _weights(pair: Pair, amounts: Amounts) -> Span:
    return amounts.weights_s if is_weighed(pair.kind) else (0.0, 0.0)


def _counts_of(kind: Kind) -> Part:
    return lambda pair, amounts: amounts.counts if pair.kind is kind else (0, 0)


def _copied(pair: Pair, amounts: Amounts) -> Span:
    return amounts.sizes_bytes if pair.kind is Kind.COPY else (0.0, 0.0)


def _breaks(pair: Pair, amounts: Amounts) -> Span:
    """What was compiled before and falls into more regions now is broken; what is newly compiled is not."""
    is_harmless = is_replay(pair.name) or (is_region(pair.name) and not pair.before.counts[1])
    return amounts.counts if pair.kind is Kind.GRAPH and not is_harmless else (0, 0)


_PARTS: Mapping[str, Part] = {
    WEIGHTED_WORK: _weights,
    # The weight of small work is that of its calls. These hold for the same work on more, too.
    "operations": lambda _, amounts: amounts.flops,
    "operations at full precision": lambda _, amounts: amounts.full_precision_flops,
    DISORDERED_BYTES: lambda _, amounts: amounts.disordered_bytes,
    COPIED_BYTES: _copied,
    "waits": _counts_of(Kind.WAIT),
    "gradient nodes": _counts_of(Kind.GRADIENT),
    "graph breaks and compilations": _breaks,
}
MEASURES = (*_PARTS,)


def rises(pairs: Sequence[Pair], tolerance: float) -> dict[str, tuple[float, float]]:
    """Each measure that rose past the tolerance: then, and now. Where they are intervals, the most then."""
    found = {}
    for name in MEASURES:
        before, rise = _sums(name, pairs)
        if rise > before[1] * (tolerance + DUST):
            found[name] = (before[1], before[1] + rise)
    return found


def share_of_rises(pair: Pair, found: Mapping[str, tuple[float, float]]) -> float:
    """By how much of a measure *pair* rose, of the measure *found* to rise of which that is most; or 0."""
    shares = (
        gap(part(pair, pair.before), part(pair, pair.after)) / (found[name][0] or found[name][1])
        for name, part in _PARTS.items()
        if name in found
    )
    return max(shares, default=0.0)


def is_fall(pairs: Sequence[Pair], tolerance: float) -> bool:
    """Whether the weighted work fell past the tolerance."""
    before, rise = _sums(WEIGHTED_WORK, pairs)
    return rise < -before[0] * (tolerance + DUST)


def weight_ratio(pairs: Sequence[Pair]) -> float | None:
    """Weighted work, now over then (its middle where it is an interval); `None` if one of them is none."""
    before, rise = _sums(WEIGHTED_WORK, pairs)
    middle = sum(before) / 2
    return (middle + rise) / middle if middle > 0 and middle + rise > 0 else None


def _sums(name: str, pairs: Iterable[Pair]) -> tuple[Span, float]:
    """Least and most before, and the rise; no order of the entries changes them."""
    part = _PARTS[name]
    spans = [(part(pair, pair.before), part(pair, pair.after)) for pair in pairs]
    before = math.fsum(span[0] for span, _ in spans), math.fsum(span[1] for span, _ in spans)
    return before, math.fsum(gap(*both) for both in spans)
