"""Facts from torch on operators, and on the memory of tensors."""

from typing import TYPE_CHECKING

from pytest_energy.profiling.lazy_torch import torch
from pytest_energy.profiling.nested import tensors_in

if TYPE_CHECKING:
    from torch import Argument
    from torch._ops import OpOverload

# Batch norms write to these without saying so in their schema (native_functions.yaml).
_WRITTEN_UNSAID = frozenset({"running_mean", "running_var"})

_REPEATABLE = frozenset({"copy_", "fill_", "zero_", "masked_fill_", "_foreach_copy_", "_foreach_zero_"})
"""Operators that write the same however often they are called; out of place they would copy first."""


def name_of(operator: "OpOverload") -> str:
    schema = getattr(operator, "_schema", None)  # an operator that is given functions has none
    return f"{operator.namespace}::{operator}" if schema is None else str(schema.name)


def arguments_of(operator: "OpOverload") -> "tuple[Argument, ...]":
    schema = getattr(operator, "_schema", None)
    return () if schema is None else tuple(schema.arguments)


def argument_names(operator: "OpOverload") -> list[str]:
    return [argument.name for argument in arguments_of(operator)]


def written_names(operator: "OpOverload") -> tuple[str, ...]:
    """Arguments that the operator writes to."""
    return tuple(
        argument.name
        for argument in arguments_of(operator)
        if argument.name in _WRITTEN_UNSAID
        or (argument.alias_info is not None and argument.alias_info.is_write)
    )


def out_of_place(operator: "OpOverload") -> "OpOverload | None":
    """The operator that reads and writes as much, to another place, and so may be repeated; if there is one.

    One that copies its input first would read and write more. One that is told where to write needs no new
    memory, as the original doesn't: that is taken where there is one.
    """
    namespace, _, name = name_of(operator).partition("::")
    packet = getattr(getattr(torch.ops, namespace), name.removesuffix("_"), None)
    if packet is None or name in _REPEATABLE or not name.endswith("_"):
        return None
    twins: list[OpOverload] = [getattr(packet, overload) for overload in packet.overloads()]
    fitting = [twin for twin in twins if _takes(twin) == _takes(operator) and not _copies_first(twin)]
    is_elementwise = name.startswith("_foreach_") or any(
        torch.Tag.pointwise in one.tags for one in (operator, *fitting)
    )
    return max(fitting, key=has_out, default=None) if is_elementwise else None


def _takes(operator: "OpOverload") -> list[tuple[str, str]]:
    """What an operator is given, besides where to write."""
    return [(argument.name, str(argument.type)) for argument in arguments_of(operator) if not argument.is_out]


def _copies_first(operator: "OpOverload") -> bool:
    """Whether torch has made it out of the one in place, by copying before or after."""
    return torch.Tag.generated in operator.tags


def has_out(operator: "OpOverload") -> bool:
    return any(argument.is_out for argument in arguments_of(operator))


def is_work(result: object, given: object) -> bool:
    """Whether a device had something to compute for *result*: it is new, and no view of what was given."""
    keys = {storage_key(tensor) for tensor in tensors_in(given)} - {None}
    return any(storage_key(tensor) not in keys for tensor in tensors_in(result) if tensor.numel())


def is_plain(tensor: "torch.Tensor") -> bool:
    return (
        type(tensor) in {torch.Tensor, torch.nn.Parameter}
        and tensor.layout is torch.strided
        and not (tensor.is_conj() or tensor.is_neg() or tensor.is_quantized)
    )


def extent_of(tensor: "torch.Tensor") -> int:
    """Elements from the first to the last of a tensor that has some, gaps included."""
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return 1 + sum(int(size - 1) * int(stride) for size, stride in steps)


def storage_key(tensor: "torch.Tensor") -> int | None:
    """Names the memory of a tensor, which its views share; `None` if there is none of its own."""
    return int(tensor.untyped_storage()._cdata) if is_plain(tensor) else None  # noqa: SLF001


def moved(tensor: "torch.Tensor", key: int | None, storage: "torch.UntypedStorage") -> "torch.Tensor":
    """*tensor* over *storage*, if it lies in the memory *key*."""
    if storage_key(tensor) != key:
        return tensor
    moved = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return moved.set_(storage, tensor.storage_offset(), tensor.shape, tensor.stride())
