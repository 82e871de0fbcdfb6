"""Training loops that wait, copy, loop or evaluate more than they need: 9, 11, 12 and 16."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.bugs.pair import Side, Size, Work
from benchmarks.bugs.transformer import stack

CLASS_COUNT = 10

# A perceptron on batches of 1,024.
LOGGED = {
    "cpu": Size(batch=64, width=256, depth=3, steps=4),
    "cuda": Size(batch=1024, width=2048, depth=6, steps=50),
}

# BERT's base: 12 blocks of 144 tensors in all, on a batch as small as fine-tuning has it.
OPTIMISED = {
    "cpu": Size(batch=2, tokens=32, width=128, depth=3, heads=2, steps=1),
    "cuda": Size(batch=8, tokens=128, width=768, depth=12, heads=12, steps=2),
}

# 256 images of 3 x 224 x 224 a step: what a loader of ImageNet gives.
COPIED = {
    "cpu": Size(batch=4, tokens=112, width=16, steps=2),
    "cuda": Size(batch=256, tokens=224, width=64, steps=3),
}

# 10,240 held-out samples, CIFAR-10's test set but for rounding, after each of 10 steps.
EVALUATED = {
    "cpu": Size(batch=64, width=256, depth=3, steps=4),
    "cuda": Size(batch=1024, width=2048, depth=6, steps=10),
}
HELD_OUT_BATCHES = 10


def _perceptron(size: Size) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(size.depth):
        layers += [nn.Linear(size.width, size.width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(size.width, CLASS_COUNT))


def _classified(size: Size, device: str, *, batch_count: int = 1) -> tuple[Tensor, Tensor]:
    """Samples of noise, and labels drawn by lot."""
    samples = torch.randn(batch_count * size.batch, size.width, device=device)
    return samples, torch.randint(CLASS_COUNT, (len(samples),), device=device)


def _step(network: nn.Module, optimiser: torch.optim.Optimizer, samples: Tensor, labels: Tensor) -> Tensor:
    optimiser.zero_grad()
    loss = functional.cross_entropy(network(samples), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.detach()


@contextmanager
def loss_read_each_step(side: Side, device: str) -> Iterator[Work]:
    """9: the loss is read with `.item()` after each step, for a log.

    Mended, it stays on the device, and is read once at the end.

    Source:
        Common; PyTorch's performance guide, on synchronisation that isn't needed.
    """
    size = LOGGED[device]
    torch.manual_seed(0)
    network = _perceptron(size).to(device)
    samples, labels = _classified(size, device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)

    def read() -> Tensor:
        losses = []
        for _ in range(size.steps):
            loss = _step(network, optimiser, samples, labels)
            losses.append(loss.item())
        return torch.tensor(losses)

    def kept() -> Tensor:
        return torch.stack([_step(network, optimiser, samples, labels) for _ in range(size.steps)])

    yield read if side is Side.BUG else kept


@contextmanager
def looping_optimiser(side: Side, device: str) -> Iterator[Work]:
    """11: AdamW that goes through the parameters one by one, where one kernel can do them all.

    Source:
        Common; `foreach=False` in place of `fused=True`.
    """
    size = OPTIMISED[device]
    torch.manual_seed(0)
    network = stack(size).to(device)
    states = torch.randn(size.batch, size.tokens, size.width, device=device)
    parameters, is_looping = network.parameters(), side is Side.BUG
    optimiser = torch.optim.AdamW(
        parameters, lr=1e-4, fused=not is_looping, foreach=False if is_looping else None
    )

    def work() -> Tensor:
        loss = torch.zeros(())
        for _ in range(size.steps):
            optimiser.zero_grad()
            with torch.autocast(device, dtype=torch.bfloat16):
                loss = network(states).float().square().mean()
            loss.backward()
            optimiser.step()
        return loss.detach()

    yield work


@contextmanager
def batches_copied_each_step(side: Side, device: str) -> Iterator[Work]:
    """12: batches that never change are copied each step, from memory that isn't pinned.

    Mended, they are copied once, before the training.

    Source:
        Common; PyTorch's guide to pinned memory.
    """
    size = COPIED[device]
    torch.manual_seed(0)
    network = _image_network(size.width).to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    batches = [torch.randn(size.batch, 3, size.tokens, size.tokens) for _ in range(size.steps)]
    labels = torch.randint(CLASS_COUNT, (size.batch,), device=device)
    is_copied = side is Side.BUG
    kept = batches if is_copied else [batch.to(device) for batch in batches]

    def work() -> Tensor:
        loss = torch.zeros(())
        for batch in kept:
            images = batch.to(device, copy=True) if is_copied else batch
            loss = _step(network, optimiser, images, labels)
        return loss

    yield work


def _image_network(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, width, kernel_size=7, stride=4),
        nn.ReLU(),
        nn.Conv2d(width, width, kernel_size=3, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, CLASS_COUNT),
    )


@contextmanager
def metric_each_step(side: Side, device: str) -> Iterator[Work]:
    """16: the accuracy on all held-out samples is taken after each step, and only the last is looked at.

    Source:
        Common.
    """
    size = EVALUATED[device]
    torch.manual_seed(0)
    network = _perceptron(size).to(device)
    samples, labels = _classified(size, device)
    held_out, held_out_labels = _classified(size, device, batch_count=HELD_OUT_BATCHES)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)

    def accuracy() -> Tensor:
        return _accuracy(network, held_out, held_out_labels)

    yield lambda: _trained(size.steps, lambda: _step(network, optimiser, samples, labels), accuracy, side)


def _trained(count: int, step: Work, accuracy: Callable[[], Tensor], side: Side) -> Tensor:
    known = torch.zeros(())
    for number in range(count):
        step()
        if side is Side.BUG or number + 1 == count:
            known = accuracy()
    return known


@torch.inference_mode()
def _accuracy(network: nn.Module, samples: Tensor, labels: Tensor) -> Tensor:
    scores: Tensor = network(samples)
    return (scores.argmax(dim=1) == labels).float().mean()
