"""The inputs of an operator: bytes, type of the numbers, a digest of all calls, and one call in words."""

import hashlib
import math
from collections.abc import Iterable

from pytest_energy.tracing.events import Event, Tensor, tensors_of

_SIZES = {"float64": 8, "int64": 8, "complex64": 8, "complex128": 16, "float32": 4, "int32": 4, "uint32": 4}
_SIZES |= {"float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "qint32": 4, "uint64": 8, "complex32": 4}
_FLOATING = ("float", "bfloat", "complex")
_MOST_SHOWN = 4  # arguments; what follows are options that are seldom set


def size_bytes(tensor: Tensor) -> int:
    """Bytes that hold it; a dimension that is only expanded holds none."""
    numbers = math.prod(
        length for length, stride in zip(tensor.shape, tensor.strides, strict=False) if stride or length == 0
    )
    return numbers * _SIZES.get(tensor.dtype, 1)


def input_bytes(event: Event) -> int:
    return sum(map(size_bytes, tensors_of(event)))


def dtype_of(event: Event) -> str:
    """Type of the largest tensor of floating point, else of the largest; empty without tensors."""
    tensors = tensors_of(event)
    floating = [tensor for tensor in tensors if tensor.dtype.startswith(_FLOATING)]
    largest = max(floating or tensors, key=size_bytes, default=None)
    return "" if largest is None else largest.dtype


def layout_of(tensor: Tensor) -> str:
    """Empty where its numbers lie one behind the other, else how they lie."""
    dense = [
        (length, stride) for length, stride in zip(tensor.shape, tensor.strides, strict=False) if length > 1
    ]
    if dense == _packed(dense):
        return ""
    if len(tensor.shape) in (4, 5):
        order = [0, *range(2, len(tensor.shape)), 1]
        last = [(tensor.shape[axis], tensor.strides[axis]) for axis in order if tensor.shape[axis] > 1]
        if last == _packed(last):
            return "channels last"
    return "strided"


def _packed(dense: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same lengths with the strides of numbers that lie one behind the other."""
    packed: list[tuple[int, int]] = []
    stride = 1
    for length, _ in reversed(dense):
        packed.append((length, stride))
        stride *= length
    return packed[::-1]


def signature(event: Event) -> str:
    """Shapes, types and whole numbers of one call.

    A number with a fraction is left out: a learning rate changes from call to call.
    """
    return ";".join(map(_argument, event.arguments))


def _argument(argument: object) -> str:
    if isinstance(argument, Tensor):
        return f"{argument.dtype}{list(argument.shape)}{layout_of(argument)}"
    if isinstance(argument, tuple):
        return ",".join(map(_argument, argument))
    return str(argument) if isinstance(argument, int) else ""


def example_of(event: Event, names: tuple[str, ...] = ()) -> str:
    """The call in words: `[64, 512, 768], dim 1`.

    *names* are those of its arguments, in their order; without them numbers are left out.
    """
    words: list[str] = []
    for index, argument in enumerate(event.arguments):
        name = names[index] if index < len(names) else ""
        words.extend(_in_words(argument, name))
    return ", ".join(words[:_MOST_SHOWN])


def _in_words(argument: object, name: str) -> list[str]:
    if isinstance(argument, Tensor):
        return [f"{list(argument.shape)} {layout_of(argument)}".rstrip()]
    if isinstance(argument, tuple) and argument and isinstance(argument[0], Tensor):
        first = _in_words(argument[0], "")[0]
        return [first if len(argument) == 1 else f"{len(argument)} x {first}"]
    if not name.startswith("dim"):
        return []
    if isinstance(argument, tuple) and argument:
        return [f"{name} {', '.join(map(str, argument))}"]
    return [f"{name} {argument}"] if isinstance(argument, int) and not isinstance(argument, bool) else []


def digest(lines: Iterable[str]) -> str:
    """Of the same lines in any order the same."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
