"""torch, imported when something of it is first used: that takes seconds, and not every machine has it."""

from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule

__all__ = ["torch"]

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")
