"""What was counted, by the name that the user's code has for it."""

import re
from collections.abc import Sequence

from pytest_energy.units import to_text

_BACKWARD = re.compile(r"(?:.*[: ])?(\w+?)Backward\d*")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# What libraries put before the name of an operator that a layer of the same name calls.
_PREFIXES = re.compile(r"^(?:_+|native_|cudnn_|miopen_|mkldnn_|thnn_|fused_|foreach_)+")

_WAITS = {
    "item": "item()",
    "_local_scalar_dense": "item()",
    "is_nonzero": "a tensor taken for true or false",
    "nonzero": "nonzero()",
    "equal": "equal()",
    "masked_select": "a mask as an index",
    "to()": "a copy by to() or cpu()",
    "copy_": "a copy by copy_()",
    "cudaDeviceSynchronize": "synchronize()",
    "cudaStreamSynchronize": "a stream's synchronize()",
    "cudaEventSynchronize": "an event's synchronize()",
}
# Operators whose names are words of a sentence.
_ENGLISH = frozenset({"to", "all", "any", "where"})
_ENDS = {
    "host": "the host",
    "device": "the GPU",
    "peer": "another GPU",
}
NOTHING = "none"

_MOST_NAMES = 3


def plain_name(name: str) -> str:
    """Without what says where it is registered; a node of the backward pass by what it is of.

    >>> plain_name("aten::layer_norm"), plain_name("autograd::engine::evaluate_function: AddmmBackward0")
    ('layer_norm', 'the backward of addmm')
    """
    if is_backward(name):
        return f"the backward of {stem(name)}"
    if name.endswith("AccumulateGrad"):
        return "the accumulation of gradients"
    plain = name.rpartition("::")[2]
    return f"{plain}()" if plain in _ENGLISH else plain


def is_backward(name: str) -> bool:
    return _BACKWARD.fullmatch(name) is not None


def stem(name: str) -> str:
    """What a layer, its operators and the nodes of their backward passes have in common.

    >>> stem("aten::native_layer_norm"), stem("NativeLayerNormBackward0"), stem("aten::add_")
    ('layer_norm', 'layer_norm', 'add')
    """
    match = _BACKWARD.fullmatch(name)
    snake = name.rpartition("::")[2] if match is None else _HUMP.sub("_", match[1]).lower()
    return _PREFIXES.sub("", snake).rstrip("_") or snake


def wait_name(name: str) -> str:
    """What of the user's code waits."""
    plain = plain_name(name)
    return _WAITS.get(plain, plain)


def copy_name(name: str) -> str:
    """Between what: `host to device, pageable` is `from pageable memory to the GPU`."""
    direction, _, memory = name.partition(", ")
    source, to, target = direction.partition(" to ")
    if not to:
        return name
    if source == target:
        return f"within {_ENDS.get(source, source)}"
    ends = {**_ENDS, "host": f"{memory} memory"} if memory else _ENDS
    return f"from {ends.get(source, source)} to {ends.get(target, target)}"


def size_text(size_bytes: float) -> str:
    """Such as `205 MB`; `none` for none."""
    return to_text(size_bytes, "B", digits=3) if size_bytes else NOTHING


def times_text(counts: tuple[int, int]) -> str:
    """Such as `once`, `12 times`, `12 to 14 times`."""
    return "once" if counts == (1, 1) else f"{number_text(counts)} times"


def more_times_text(rise: int) -> str:
    """Such as `once more`, `24 more times`, `12 fewer times`."""
    if abs(rise) == 1:
        return "once more" if rise > 0 else "once less"
    return f"{abs(rise)} {'more' if rise >= 0 else 'fewer'} times"


def number_text(counts: tuple[int, int]) -> str:
    """Such as `12`, `12 to 14`, `none`."""
    least, most = counts
    if least != most:
        return f"{least} to {most}"
    return f"{least}" if least else NOTHING


def names_text(names: Sequence[str]) -> str:
    """All of a few names, or the first and how many more; each once.

    >>> names_text(["mul"]), names_text(["mul", "add"]), names_text(["mul", "add", "pow", "tanh"])
    ('mul', 'mul and add', 'mul, add, pow and 1 more')
    """
    once = list(dict.fromkeys(names))
    if not once:
        return ""
    if len(once) > _MOST_NAMES:
        once = [*once[:_MOST_NAMES], f"{len(once) - _MOST_NAMES} more"]
    return " and ".join(filter(None, (", ".join(once[:-1]), once[-1])))
