"""What a count weighs: seconds on a reference device, the same for every machine.

Rule 1: a weight ranks and sums up counts. It predicts neither the seconds nor the joules of any machine.
Rule 2: it follows from exact counts alone, so that equal counts have equal weights.
Rule 3: only what the code itself calls has a place in its weighted work.
"""

import re
from collections.abc import Mapping

from pytest_energy.counts import OF_THE_LIBRARY, CountEntry, Kind
from pytest_energy.verdict.count_layouts import rearranged_share, sector_share

# NVIDIA H100 SXM5 data sheet: operations a second, dense. For 16 bits and fewer it gives them with sparsity,
# which is twice that.
_TENSOR_FLOPS_PER_S = {
    "float64": 67e12,
    "float32": 67e12,  # no tensor core takes float32 as it is
    "tf32": 494.7e12,
    "bfloat16": 989.4e12,
    "float16": 989.4e12,
    "float8": 1978.9e12,
    "int8": 1978.9e12,
}
_MEMORY_BYTES_PER_S = 3.35e12  # the same data sheet: HBM3
_HOST_BYTES_PER_S = 64e9  # the same: PCIe generation 5, one direction
_PAGEABLE_BYTES_PER_S = _HOST_BYTES_PER_S / 2  # the host copies it into pinned memory first: read and written

# Round figures for the host's part, by order of magnitude: what weighs more than what is all they decide.
CALL_S = 5e-6  # an operator: Python, dispatch and the launch; EfficientNet-B0's training step takes 5 to 6
_VIEW_S = CALL_S / 5  # an operator that moves nothing launches nothing
_HOST_S = {
    Kind.WAIT: 4 * CALL_S,  # the device stands still until new calls have come through the host
    Kind.GRADIENT: CALL_S / 5,
    Kind.FUNCTION: 1e-7,
}
_GRAPH_BREAK_S = 10 * CALL_S  # guards are checked, and the frame goes back to Python
_COMPILATION_S = 1.0

# What an engine counts, for a model of 8 billion parameters in bfloat16: an output token by itself reads them
# all, an input token takes two operations for each.
_OUTPUT_TOKEN_S = 8e9 * 2 / _MEMORY_BYTES_PER_S
_INPUT_TOKEN_S = 8e9 * 2 / _TENSOR_FLOPS_PER_S["bfloat16"]

PRECISION = "float32 matmul precision"
"""The setting by which float32 products run as TF32 (`high`, `medium`) or in full (`highest`)."""

CONVOLUTIONS = "TF32 in cuDNN"
"""The same of convolutions: `on` or `off`."""

_PRODUCT = re.compile(r"mm|mv|matmul|linear|conv|attention|einsum|dot|lstm|gru|rnn", re.IGNORECASE)
_FULL_PRECISION = frozenset({"float32", "float64"})


def weight_s(entry: CountEntry, settings: Mapping[str, str]) -> float:
    """Weight of all calls of *entry*, the least count of them.

    Args:
        entry: What was counted.
        settings: Of its trace: they say at which rate float32 products run.

    Source:
        Williams, Waterman, Patterson 2009, "Roofline": a call is bound by operations or by bytes; here the
        call itself is added.
    """
    return entry.count * _call_s(entry) + _amount_s(entry, settings)


def calls_weight_s(entry: CountEntry, _settings: Mapping[str, str]) -> float:
    """The same of the calls alone, whatever they work on."""
    return entry.count * _call_s(entry)


def full_precision_flops(entry: CountEntry, settings: Mapping[str, str]) -> float:
    """Operations of products that no tensor core takes as they are."""
    is_one = entry.kind is Kind.OPERATOR and is_product(entry.name) and entry.dtype in _FULL_PRECISION
    return entry.flops if is_one and not _is_in_tf32(entry, settings) else 0.0


def disordered_bytes(entry: CountEntry, _settings: Mapping[str, str]) -> float:
    """Bytes that are read with a stride or rearranged first, so far as that is known."""
    what = entry.name, entry.dtype, entry.example
    is_one = entry.kind is Kind.OPERATOR and (sector_share(*what) > 1 or rearranged_share(*what) > 0)
    return entry.size_bytes if is_one else 0.0


def is_weighed(kind: Kind) -> bool:
    """Whether it is part of the code's weighted work: rule 3."""
    return kind not in OF_THE_LIBRARY


def is_product(name: str) -> bool:
    """Whether an operator multiplies matrices, by its name."""
    return _PRODUCT.search(name) is not None


def _call_s(entry: CountEntry) -> float:
    """What one call costs the host, or an engine."""
    match entry.kind:
        case Kind.OPERATOR if not entry.flops and not entry.size_bytes:
            return _VIEW_S
        case Kind.GRAPH:
            return _graph_s(entry.name)
        case Kind.REQUEST:
            return _request_s(entry.name)
        case kind:
            return _HOST_S.get(kind, CALL_S)


def _amount_s(entry: CountEntry, settings: Mapping[str, str]) -> float:
    """What its operations and bytes cost the device."""
    if entry.kind is Kind.COPY:
        return entry.size_bytes / _copy_rate(entry.name)
    return _roofline_s(entry, settings) if entry.kind is Kind.OPERATOR else 0.0


def _roofline_s(entry: CountEntry, settings: Mapping[str, str]) -> float:
    """Operations or bytes, whichever takes longer, behind the bytes that are rearranged."""
    what = entry.name, entry.dtype, entry.example
    read_s = entry.size_bytes / _MEMORY_BYTES_PER_S
    longest_s = max(entry.flops / _flops_per_s(entry, settings), read_s * sector_share(*what))
    return longest_s + read_s * rearranged_share(*what)


def _flops_per_s(entry: CountEntry, settings: Mapping[str, str]) -> float:
    dtype = "tf32" if _is_in_tf32(entry, settings) else entry.dtype
    return _TENSOR_FLOPS_PER_S.get(dtype, _TENSOR_FLOPS_PER_S["float32"])


def _is_in_tf32(entry: CountEntry, settings: Mapping[str, str]) -> bool:
    return entry.dtype == "float32" and is_product(entry.name) and is_tf32(settings, entry.name)


def is_tf32(settings: Mapping[str, str], name: str = "") -> bool:
    """Whether float32 products (of the operator *name*) run as TF32; not where nobody tells."""
    if "conv" in name.lower():
        return settings.get(CONVOLUTIONS, "off") == "on"
    return settings.get(PRECISION, "highest") != "highest"


def _copy_rate(name: str) -> float:
    if "host" not in name:
        return _MEMORY_BYTES_PER_S
    return _PAGEABLE_BYTES_PER_S if "pageable" in name else _HOST_BYTES_PER_S


def _graph_s(name: str) -> float:
    if is_replay(name):
        return CALL_S
    return _COMPILATION_S if "compil" in name and not is_region(name) else _GRAPH_BREAK_S


def is_region(name: str) -> bool:
    """Whether it is a compiled region, which is no harm by itself."""
    return "region" in name.lower()


def is_replay(name: str) -> bool:
    """Whether it is a captured graph that runs again: one launch for all of its kernels."""
    return "replay" in name


def _request_s(name: str) -> float:
    return _INPUT_TOKEN_S if "input" in name or "prompt" in name else _OUTPUT_TOKEN_S
