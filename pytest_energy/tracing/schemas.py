"""Facts from torch's own description of an operator: names of its arguments, and whether it moves numbers."""

from functools import cache
from typing import Any

from pytest_energy.tracing.lazy_torch import torch

_EMPTY = ("aten::empty", "aten::new_empty", "aten::_empty")  # memory is taken, nothing is written


@cache
def _schemas_of(name: str) -> tuple[Any, ...]:
    try:
        return tuple(torch._C._jit_get_schemas_for_operator(name))  # noqa: SLF001 - no public way to ask by name
    except RuntimeError:
        return ()


@cache
def argument_names(name: str, count: int) -> tuple[str, ...]:
    """Names of the arguments of the overload with *count* of them; none if it isn't known."""
    fitting = (schema for schema in _schemas_of(name) if len(schema.arguments) == count)
    return next((tuple(one.name for one in schema.arguments) for schema in fitting), ())


@cache
def is_view(name: str) -> bool:
    """Whether what it gives is what it was given, seen otherwise; or memory in which nothing stands yet.

    Such an operator moves nothing itself. `aten::reshape` is one, and copies by another that runs in it.
    """
    if name.startswith(_EMPTY):
        return True
    on_tensors = [schema for schema in _schemas_of(name) if _takes_a_tensor(schema)]
    return bool(on_tensors) and all(_gives_what_it_gets(schema) for schema in on_tensors)


def _takes_a_tensor(schema: Any) -> bool:
    """A view of a list or of a text has the same name as that of a tensor."""
    return bool(schema.arguments) and "Tensor" in str(schema.arguments[0].type)


def _gives_what_it_gets(schema: Any) -> bool:
    alias = schema.arguments[0].alias_info
    return alias is not None and not alias.is_write
