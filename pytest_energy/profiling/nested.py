"""Tensors inside tuples, lists and dicts, as operators and layers are given them."""

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

from pytest_energy.profiling.lazy_torch import torch

T = TypeVar("T")


def mapped(value: T, change: Callable[["torch.Tensor"], "torch.Tensor"]) -> T:
    """*value* with every tensor in it changed; what is in no tuple, list or dict stays as it is."""
    if isinstance(value, torch.Tensor):
        return cast("T", change(value))
    if isinstance(value, tuple) and type(value) is tuple:  # a named tuple takes its parts one by one
        return cast("T", tuple(mapped(part, change) for part in value))
    if isinstance(value, list) and type(value) is list:
        return cast("T", [mapped(part, change) for part in value])
    if isinstance(value, dict) and type(value) is dict:
        return cast("T", {name: mapped(part, change) for name, part in value.items()})
    return value


def tensors_in(value: object) -> "list[torch.Tensor]":
    """Every tensor that `mapped` would change."""
    if isinstance(value, torch.Tensor):
        return [value]
    if type(value) not in {tuple, list, dict}:
        return []
    parts: Iterable[object] = value.values() if isinstance(value, dict) else cast("list[object]", value)
    return [tensor for part in parts for tensor in tensors_in(part)]
