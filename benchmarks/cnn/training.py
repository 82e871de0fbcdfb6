"""Training and inference as the paper runs them; everything here but `accuracy` is made to be measured.

Source:
    Sanchez-Mompo et al. 2025, table 2 (batch 128, learning rate 0.001, SGD, categorical cross-entropy);
    weight decay and momentum as in the authors' earlier code.
"""

import math
from collections.abc import Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

LEARNING_RATE = 0.001
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
TEST_BATCH_SIZE = 256  # of `accuracy`, outside every window; small enough for any device

Batch = tuple[Tensor, Tensor]


def optimiser(module: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(
        module.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
    )


def rounds_of_batches(
    images: Tensor, labels: Tensor, *, batch_size: int, step_count: int, round_count: int, seed: int = 0
) -> tuple[tuple[Batch, ...], ...]:
    """*round_count* rounds of *step_count* batches of *batch_size* images, on the images' device.

    Each image comes once before any comes again, in an order that *seed* fixes.
    """
    generator = torch.Generator().manual_seed(seed)
    image_count = batch_size * step_count * round_count
    passes = math.ceil(image_count / len(images))
    orders = [torch.randperm(len(images), generator=generator) for _ in range(passes)]
    order = torch.cat([torch.empty(0, dtype=torch.int64), *orders])[:image_count].to(images.device)
    chosen = iter(torch.split(order, batch_size))
    return tuple(
        tuple((images[part], labels[part]) for part in islice(chosen, step_count)) for _ in range(round_count)
    )


def train(module: nn.Module, steps: Sequence[Batch], optimiser_: torch.optim.Optimizer) -> Tensor:
    """One optimiser step a batch, in training mode.

    Returns:
        Loss of the last batch, a scalar on the batch's device: reading it waits for the device.
    """
    module.train()
    loss = torch.zeros(())
    for images, labels in steps:
        optimiser_.zero_grad()
        loss = functional.cross_entropy(module(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser_.step()
    return loss.detach()


@torch.inference_mode()
def classify(module: nn.Module, steps: Sequence[Batch]) -> Tensor:
    """Class scores `[N, 10]` of the last batch, after a forward pass of each, in eval mode."""
    module.eval()
    scores = torch.empty(0)
    for images, _ in steps:
        scores = module(images)
    return scores


@torch.inference_mode()
def accuracy(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of *images* that *module* gets right, 0 to 1, in eval mode."""
    module.eval()
    parts = zip(torch.split(images, TEST_BATCH_SIZE), torch.split(labels, TEST_BATCH_SIZE), strict=True)
    right = sum(int(module(part).argmax(dim=1).eq(expected).sum()) for part, expected in parts)
    return right / len(images)
