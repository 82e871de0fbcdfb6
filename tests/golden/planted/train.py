"""A training step, and a loader that copies its images again in each step where that is planted."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def training_step(model: nn.Module, images: Tensor, classes: Tensor) -> Callable[[], Tensor]:
    """One step of SGD, as a function."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def step() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), classes)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return loss.detach()

    return step


def epoch(model: nn.Module, images: Tensor, device: str, *, copies_each_step: bool) -> Callable[[], Tensor]:
    """Four steps of inference on images that don't change.

    Args:
        copies_each_step: The planted bug: they come from the host's memory in each step, not once.
    """
    kept = on_device(images, device)

    def steps() -> Tensor:
        with torch.no_grad():
            for _ in range(4):
                answers: Tensor = model(on_device(images, device) if copies_each_step else kept)
        return answers

    return steps


def on_device(images: Tensor, device: str) -> Tensor:
    return images.to(device, copy=True)
