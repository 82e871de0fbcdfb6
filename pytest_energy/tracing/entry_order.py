"""In which order entries are kept: where they don't all fit, the last are left out."""

from collections.abc import Iterable

from pytest_energy.counts import CountEntry, Kind

# Bytes that a card reads while it makes as many operations, rounded: 3.35 TB/s and 67 TFLOPS in float32 on an
# H100 (NVIDIA H100 data sheet). Only an order hangs on it.
_FLOPS_PER_BYTE = 20.0
_FEW = frozenset({Kind.WAIT, Kind.COPY, Kind.GRADIENT, Kind.GRAPH, Kind.REQUEST})
_RANKS = {Kind.OPERATOR: 1, Kind.FUNCTION: 1, Kind.KERNEL: 2, Kind.LAUNCH: 2}


def heaviest_first(entries: Iterable[CountEntry]) -> tuple[CountEntry, ...]:
    """The code's before the library's, each by what doesn't vary from run to run where it can be had."""
    return tuple(sorted(entries, key=_order))


def _order(entry: CountEntry) -> tuple[float | str, ...]:
    rank = 0 if entry.kind in _FEW else _RANKS.get(entry.kind, 3)
    weight = max(entry.size_bytes, entry.flops / _FLOPS_PER_BYTE)
    if entry.kind is Kind.KERNEL:
        weight = entry.duration_s
    return (rank, -weight, -entry.count, entry.kind, entry.name, entry.dtype)
