"""torch, imported when something of it is first used: that takes seconds, and not every machine has it."""

import importlib
from typing import TYPE_CHECKING

__all__ = ["torch"]


class _Torch:
    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module("torch"), name)


if TYPE_CHECKING:
    import torch
else:
    torch = _Torch()
