"""torch, imported when something of it is first used; a work is only traced by it where it is loaded."""

from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule

__all__ = ["torch"]

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")
