"""How the numbers lie that an operator reads, by its largest call, and what that costs beside reading them.

Rule 1: only what is known of an operator by its name is weighed; any other layout is shown, not weighed.
"""

import re

from pytest_energy.verdict.count_names import stem

SECTOR_BYTES = 32
"""What a GPU reads at least: of numbers that lie far apart a sector each.

Source: CUDA C++ Best Practices Guide, "Strided Accesses"."""

_NUMBER_BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "bfloat16": 2, "float16": 2}

# Each goes through one dimension number by number, so that the numbers of that dimension should lie together.
_ALONG = frozenset(
    {"softmax", "log_softmax", "logsumexp", "cumsum", "cumprod", "logcumsumexp", "sort", "argsort", "topk"}
)
# Of these the classes are dimension 1.
_OF_CLASSES = frozenset({"cross_entropy_loss", "nll_loss", "nll_loss_nd", "nll_loss2d"})
# Each copies what does not lie one behind the other before it begins.
_PACKED_FIRST = frozenset({"layer_norm", "rms_norm", "group_norm"})
_16_BITS = frozenset({"bfloat16", "float16"})

_TENSOR = re.compile(r"\[(?P<shape>[\d, ]*)\](?P<layout>(?: channels last| strided)?)")
_DIM = re.compile(r"\bdim (-?\d+)")


def sector_share(name: str, dtype: str, example: str) -> float:
    """How many times its bytes an operator reads: 1, or a sector for each number.

    >>> sector_share("aten::softmax", "float32", "[64, 512, 768], dim 1")
    8.0
    >>> sector_share("aten::softmax", "float32", "[64, 512, 768], dim 2")
    1.0
    """
    return SECTOR_BYTES / _NUMBER_BYTES.get(dtype, 4) if is_along_other_than_last(name, example) else 1.0


def is_along_other_than_last(name: str, example: str) -> bool:
    """Whether an operator goes through a dimension whose numbers don't lie together."""
    tensor, plain = _TENSOR.search(example), stem(name)
    if tensor is None:
        return False
    dimension_count = len(tensor["shape"].split(",")) if tensor["shape"] else 0
    if plain in _OF_CLASSES:
        return dimension_count > 2
    dim = _DIM.search(example)
    if plain not in _ALONG or dim is None:
        return False
    return int(dim[1]) not in {-1, dimension_count - 1}


def rearranged_share(name: str, dtype: str, example: str) -> float:
    """How many times its bytes are moved before it begins: 0, or 2, as they are read and written anew.

    Source:
        NVIDIA, Convolutional Layers User's Guide, "Tensor Layouts": tensor cores take channels last, other
        layouts are transposed. torch, `layer_norm`: its input is made contiguous.

    >>> rearranged_share("aten::conv2d", "bfloat16", "[64, 64, 56, 56], [64, 64, 3, 3]")
    2.0
    >>> rearranged_share("aten::conv2d", "bfloat16", "[64, 64, 56, 56] channels last, [64, 64, 3, 3]")
    0.0
    """
    tensor, plain = _TENSOR.search(example), stem(name)
    if tensor is None:
        return 0.0
    layout = tensor["layout"].strip()
    is_convolution = plain.startswith("conv") and dtype in _16_BITS
    is_moved = layout != "channels last" if is_convolution else layout == "strided" and plain in _PACKED_FIRST
    return 2.0 if is_moved else 0.0
