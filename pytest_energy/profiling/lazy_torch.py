"""torch, imported when something of it is first used: that takes seconds, and not every machine has it."""

from typing import TYPE_CHECKING

from pytest_energy.codec import kind_of
from pytest_energy.errors import NotMeasurable
from pytest_energy.lazy_module import LazyModule

__all__ = ["check_module", "torch"]

if TYPE_CHECKING:
    import torch
else:
    torch = LazyModule("torch")


def check_module(module: object, method: str) -> "torch.nn.Module":
    """*module*, as *method* of the fixture takes it.

    Raises:
        NotMeasurable: It is no `torch.nn.Module`, or torch is not installed.
    """
    try:
        if isinstance(module, torch.nn.Module):
            return module
    except ImportError as error:
        raise NotMeasurable(f"energy.{method} needs torch: {error}.\nInstall it: pip install torch") from None
    raise NotMeasurable(f"energy.{method} takes a torch.nn.Module. Got {kind_of(module)}.")
