"""The order in which changes are reported. Nothing is judged by it.

Rule 1: what rose past the tolerance comes first, by its share of the measure that rose; then what is heavy.
Rule 2: where a device was traced, work is ranked by the seconds that it took there. They differ a little from
    trace to trace, and say best what is heavy.
"""

import math
from collections.abc import Mapping, Sequence

from pytest_energy.counts import Kind
from pytest_energy.verdict.count_measures import WEIGHTED_WORK, share_of_rises
from pytest_energy.verdict.count_pairs import Pair
from pytest_energy.verdict.count_weights import is_weighed

# What takes seconds of the device itself; a wait's seconds are those of the work that it waits for.
_TIMED = frozenset({Kind.OPERATOR, Kind.COPY, Kind.KERNEL})


def ranks(
    pairs: Sequence[Pair], rises: Mapping[str, tuple[float, float]], *, has_device: bool
) -> list[float]:
    """Of each pair its share of what rose; negative where it fell."""
    others = {name: values for name, values in rises.items() if name != WEIGHTED_WORK}
    shares = [share_of_rises(pair, others) for pair in pairs]
    work = _work_shares(pairs, has_device=has_device)
    return [
        max(share, of_work) if share > 0 else of_work for share, of_work in zip(shares, work, strict=True)
    ]


def _work_shares(pairs: Sequence[Pair], *, has_device: bool) -> list[float]:
    """Of the weighted work before, or of the device's seconds."""
    operators = [pair for pair in pairs if pair.kind is Kind.OPERATOR and has_device]
    device_s = math.fsum(pair.before.duration_s for pair in operators)
    if device_s > 0 and any(pair.after.duration_s for pair in operators):
        return [_device_rise_s(pair) / device_s for pair in pairs]
    weight_s = math.fsum(pair.before.weights_s[0] for pair in pairs if is_weighed(pair.kind))
    return [_weight_rise_s(pair) / (weight_s or 1.0) for pair in pairs]


def _device_rise_s(pair: Pair) -> float:
    if pair.kind in _TIMED:
        return pair.after.duration_s - pair.before.duration_s
    return _weight_rise_s(pair)


def _weight_rise_s(pair: Pair) -> float:
    return pair.weight_rise_s if is_weighed(pair.kind) else 0.0
