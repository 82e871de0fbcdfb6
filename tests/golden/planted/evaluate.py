"""Classes of images; without `no_grad` where that is planted."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor, nn


def evaluation(model: nn.Module, images: Tensor, *, has_no_grad: bool) -> Callable[[], Tensor]:
    """Classes of *images*, as a function; without *has_no_grad* the planted bug is in it."""

    def evaluate() -> Tensor:
        with torch.no_grad() if has_no_grad else nullcontext():
            return classes_of(model, images)

    return evaluate


def classes_of(model: nn.Module, images: Tensor) -> Tensor:
    classes: Tensor = model(images).argmax(dim=1)
    return classes
