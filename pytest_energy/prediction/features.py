"""The features of a call's counts that decide its seconds and joules. Pure.

Rule 1: only what the work itself calls is used, so that the counts of a machine without the card will do.
Rule 2: every feature grows in proportion with the work: twice the steps are twice of each.
"""

import math
from collections.abc import Iterator, Mapping

from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.errors import Absent

Features = Mapping[str, float]

OPERATORS = "operators"
NODES = "backward nodes"
CALLS = "calls"
WAITS = "waits"
BYTES = "bytes"
BACKWARD_BYTES = "backward bytes"
"""Of a node of a backward pass a trace shows the gradients that come in, and not what was saved for it."""

COPIED = "copied bytes"
_FLOPS = "flops"

# Where a library may run float32 products with TF32 inputs: ten bits of mantissa, eight times the speed.
_TF32 = "tf32"
_MATMUL_SETTING = "float32 matmul precision"
_CONVOLUTION_SETTING = "TF32 in cuDNN"


def features_of(counts: Counts) -> Features | Absent:
    """The features of a call with *counts*, those that are not 0."""
    amounts: dict[str, float] = {}
    for entry in counts.entries:
        for name, amount in _of_entry(entry, counts.settings):
            amounts[name] = amounts.get(name, 0.0) + amount
    if not amounts.get(CALLS):
        return Absent(f"{counts.source} counted no operators, which a prediction needs")
    return {name: amount for name, amount in sorted(amounts.items()) if amount > 0 and math.isfinite(amount)}


def flops_name(dtype: str) -> str:
    """Name of the operations on numbers of *dtype*.

    >>> flops_name("bfloat16")
    'bfloat16 flops'
    """
    return f"{dtype or 'other'} {_FLOPS}"


def is_flops(name: str) -> bool:
    return name.endswith(f" {_FLOPS}")


def _of_entry(entry: CountEntry, settings: Mapping[str, str]) -> Iterator[tuple[str, float]]:
    match entry.kind:
        case Kind.OPERATOR:
            yield CALLS, entry.count
            yield (NODES if _is_node(entry.name) else OPERATORS), entry.count
            yield (BACKWARD_BYTES if _is_node(entry.name) else BYTES), entry.size_bytes
            yield flops_name(_rate(entry, settings)), entry.flops
        case Kind.WAIT:
            yield WAITS, entry.count
        case Kind.COPY:
            yield COPIED, entry.size_bytes
        case _:
            return


def _is_node(name: str) -> bool:
    """Whether *name* is of a backward pass: `ConvolutionBackward0`, `torch::autograd::AccumulateGrad`."""
    return name.startswith("torch::autograd::") or ("::" not in name and "Backward" in name)


def _rate(entry: CountEntry, settings: Mapping[str, str]) -> str:
    """Type of the numbers as the card multiplies them."""
    if entry.dtype != "float32":
        return entry.dtype
    if "conv" in entry.name.lower():
        return entry.dtype if settings.get(_CONVOLUTION_SETTING) == "off" else _TF32
    is_full = settings.get(_MATMUL_SETTING, "highest") == "highest"
    return entry.dtype if is_full else _TF32
