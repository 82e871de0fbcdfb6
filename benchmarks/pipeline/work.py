"""A small pipeline in five phases: images, training, evaluation, quantisation, serving."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.cnn.images import Labelled, digits
from benchmarks.cnn.models import lenet, resnet18
from benchmarks.cnn.training import accuracy

PRACTICES = ("amp", "early", "half")
"""Training under autocast to bfloat16; training that ends when accuracy stalls; serving in bfloat16."""

LEAST_GAIN = 0.003  # of accuracy in an epoch: with less, training ends early
NOISE_SD = 0.7  # pixels are in -1 to 1: clean digits are learnt in one epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is done.

    Attributes:
        train_images: Drawn from the training digits, each with noise of its own.
        test_images: The same of the held-out digits.
        epochs: Of training, at most.
        batches: Batches of requests that are served.
    """

    device: str
    train_images: int
    test_images: int
    epochs: int
    train_batch: int
    serve_batch: int
    batches: int

    def network(self) -> nn.Module:
        """An untrained network on the device, the same at each call."""
        torch.manual_seed(0)
        return (resnet18 if self.device == "cuda" else lenet)().to(self.device)


CARD = Scale(
    device="cuda",
    train_images=11_520,
    test_images=14_400,
    epochs=6,
    train_batch=128,
    serve_batch=512,
    batches=200,
)
TINY = Scale(
    device="cpu", train_images=256, test_images=360, epochs=2, train_batch=64, serve_batch=64, batches=10
)


def made_images(scale: Scale) -> Labelled:
    """Digits under noise from a seed, on the device."""
    clean = digits()
    generator = torch.Generator().manual_seed(0)

    def noisy(images: Tensor) -> Tensor:
        return images + NOISE_SD * torch.randn(images.shape, generator=generator)

    rows = torch.arange(scale.train_images) % len(clean.train)
    test_rows = torch.arange(scale.test_images) % len(clean.test)
    return Labelled(
        name="noisy digits",
        train=noisy(clean.train[rows]),
        train_labels=clean.train_labels[rows],
        test=noisy(clean.test[test_rows]),
        test_labels=clean.test_labels[test_rows],
    ).to(scale.device)


def trained(scale: Scale, images: Labelled, *, is_amp: bool, is_early: bool) -> tuple[nn.Module, int]:
    """A trained network and its epochs; *is_early* evaluates after each, and ends when accuracy stalls."""
    network, best = scale.network(), 0.0
    optimiser = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    order = torch.Generator().manual_seed(1)
    for epoch in range(1, scale.epochs + 1):
        network.train()
        drawn = torch.randperm(len(images.train), generator=order).to(scale.device)
        for rows in torch.split(drawn, scale.train_batch):
            optimiser.zero_grad()
            with torch.autocast(scale.device, dtype=torch.bfloat16, enabled=is_amp):
                loss = functional.cross_entropy(network(images.train[rows]), images.train_labels[rows])
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimiser.step()
        if is_early:
            reached = accuracy(network, images.test, images.test_labels)
            if reached < best + LEAST_GAIN:
                return network, epoch
            best = reached
    wait(scale)
    return network, scale.epochs


def halved(network: nn.Module) -> nn.Module:
    """*network* with weights and inputs of 16 bits."""
    return network.to(torch.bfloat16)


@torch.inference_mode()
def served(scale: Scale, network: nn.Module, images: Tensor) -> int:
    """Answer batches of requests, images that are on the device; returns how many requests."""
    network.eval()
    kind = next(network.parameters()).dtype
    rows = torch.arange(scale.serve_batch, device=scale.device) % len(images)
    batch = images[rows].to(kind)
    for _ in range(scale.batches):
        network(batch)
    wait(scale)
    return scale.batches * scale.serve_batch


def held_out_accuracy(network: nn.Module, images: Labelled) -> float:
    """Share of held-out images that *network* gets right."""
    kind = next(network.parameters()).dtype
    return accuracy(network, images.test.to(kind), images.test_labels)


def wait(scale: Scale) -> None:
    """Until the device has done all."""
    if scale.device == "cuda":
        torch.cuda.synchronize()


def warm_up(scale: Scale, images: Labelled) -> None:
    """Let libraries choose their kernels for each kind of work, before anything is measured."""
    short, count = replace(scale, epochs=1, batches=3), 4 * scale.train_batch
    few = replace(images, train=images.train[:count], train_labels=images.train_labels[:count])
    for is_amp in (False, True):
        network, _ = trained(short, few, is_amp=is_amp, is_early=False)
        held_out_accuracy(network, few)
        served(short, network, few.train)
    held_out_accuracy(halved(network), few)
    served(short, network, few.train)


def combinations() -> Sequence[tuple[bool, ...]]:
    """Of the practices, on or off."""
    count = len(PRACTICES)
    return [tuple(bool(number >> place & 1) for place in range(count)) for number in range(2**count)]


def name_of(combination: Sequence[bool]) -> str:
    """The practices that are on."""
    return "-".join(name for name, is_on in zip(PRACTICES, combination, strict=True) if is_on) or "none"
