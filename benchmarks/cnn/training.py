"""Training and inference as the paper runs them; everything here but `accuracy` is made to be measured.

What can't be trained on or told apart stops with a sentence that names the network and what was seen.

Source:
    Sanchez-Mompo et al. 2025, table 2 (batch 128, learning rate 0.001, SGD, categorical cross-entropy);
    weight decay and momentum as in the authors' earlier code.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import partial
from itertools import islice

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.cnn.recipe import Recipe

PAPERS_RECIPE = Recipe()
LEARNING_RATE = 0.001
MOMENTUM = 0.9
LABEL_SMOOTHING = 0.1  # Szegedy et al. 2016, arXiv 1512.00567, section 7
TEST_BATCH_SIZE = 256  # of `accuracy`, outside every window; small enough for any device
MOST_IMAGES = 131_072  # laid out for all rounds of a test: 1.6 GB of 3x32x32

Batch = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]

_MAKERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "momentum": partial(torch.optim.SGD, momentum=MOMENTUM),
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adamw-fused": partial(torch.optim.AdamW, fused=True),
}


class UnfitModel(ValueError):
    """A network that can't do the work, and why."""


def optimiser(
    module: nn.Module, *, learning_rate: float = LEARNING_RATE, recipe: Recipe = PAPERS_RECIPE
) -> torch.optim.Optimizer:
    """The recipe's; by default the paper's.

    Raises:
        UnfitModel: No parameter of *module* is trainable.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trainable:
        raise UnfitModel(
            f"{type(module).__name__} has no trainable parameter: it is frozen, or has none; "
            "leave requires_grad on for training"
        )
    return _MAKERS[recipe.optimiser](trainable, lr=learning_rate, weight_decay=recipe.weight_decay)


def loss_of(name: str) -> Loss:
    """The loss *name* of the recipe."""
    smoothing = LABEL_SMOOTHING if name == "label-smoothing" else 0.0
    return partial(functional.cross_entropy, label_smoothing=smoothing)


def rounds_of_batches(
    images: Tensor, labels: Tensor, *, batch_size: int, step_count: int, round_count: int, seed: int = 0
) -> tuple[tuple[Batch, ...], ...]:
    """*round_count* rounds of *step_count* batches of *batch_size* images, on the images' device.

    Each image comes once before any comes again, in an order that *seed* fixes. Past `MOST_IMAGES` the
    batches start over, so that long rounds fit into memory.
    """
    generator = torch.Generator().manual_seed(seed)
    batch_count = step_count * round_count
    own_count = min(batch_count, max(1, MOST_IMAGES // batch_size))
    passes = math.ceil(batch_size * own_count / len(images))
    orders = [torch.randperm(len(images), generator=generator) for _ in range(passes)]
    order = torch.cat([torch.empty(0, dtype=torch.int64), *orders])[: batch_size * own_count]
    parts = torch.split(order.to(images.device), batch_size)
    batches = [(images[part], labels[part]) for part in parts]
    drawn = (batches[index % own_count] for index in range(batch_count))
    return tuple(tuple(islice(drawn, step_count)) for _ in range(round_count))


def train(
    module: nn.Module,
    steps: Iterable[Batch],
    optimiser_: torch.optim.Optimizer,
    *,
    loss: Loss = functional.cross_entropy,
) -> Tensor:
    """One optimiser step a batch, in training mode.

    Returns:
        Loss of the last batch, a scalar on the batch's device: reading it waits for the device.

    Raises:
        UnfitModel: *module* doesn't take the batches, or gives something else than class scores.
    """
    module.train()
    last = torch.zeros(())
    for images, labels in steps:
        optimiser_.zero_grad()
        last = loss(_scores(module, images), labels)
        last.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimiser_.step()
    return last.detach()


@torch.inference_mode()
def classify(module: nn.Module, steps: Iterable[Batch]) -> Tensor:
    """Class scores `[N, 10]` of the last batch, after a forward pass of each, in eval mode.

    Raises:
        UnfitModel: As in `train`.
    """
    module.eval()
    scores = torch.empty(0)
    for images, _ in steps:
        scores = _scores(module, images)
    return scores


@torch.inference_mode()
def accuracy(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of *images* that *module* gets right, 0 to 1, in eval mode."""
    module.eval()
    parts = zip(torch.split(images, TEST_BATCH_SIZE), torch.split(labels, TEST_BATCH_SIZE), strict=True)
    right = sum(int(module(part).argmax(dim=1).eq(expected).sum()) for part, expected in parts)
    return right / len(images)


def finite_loss(loss: Tensor, *, learning_rate: float) -> float:
    """The last batch's loss as a number.

    Raises:
        UnfitModel: It is not finite: the joules are those of a training that went astray.
    """
    value = float(loss)
    if not math.isfinite(value):
        raise UnfitModel(
            f"the loss of the last batch is {value}: training diverged at learning rate "
            f"{learning_rate:g}; try a smaller --lr, or without --amp"
        )
    return value


@contextmanager
def fitting_memory(
    model: str, *, batch_size: int, too_large: MutableMapping[str, int] | None = None
) -> Iterator[None]:
    """Skip the test where the device's memory doesn't hold *model* with *batch_size* samples a step.

    Args:
        model: What the message calls it.
        batch_size: Samples in a step.
        too_large: Keeps the batch size that didn't fit, by model.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        if too_large is not None:
            too_large[model] = batch_size
        first_line = (str(error).splitlines() or ["no details are known"])[0]
        pytest.skip(f"out of memory: {model} at batch size {batch_size}: {first_line}")


def _scores(module: nn.Module, batch: Tensor) -> Tensor:
    try:
        scores: object = module(batch)
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:  # what torch's layers raise for shapes and types
        first_line = (str(error).strip().splitlines() or ["no message"])[0]
        raise UnfitModel(
            f"{type(module).__name__} failed on a batch of shape {tuple(batch.shape)}, {batch.dtype}: "
            f"{first_line}"
        ) from error
    if isinstance(scores, Tensor):
        return scores
    raise UnfitModel(
        f"{type(module).__name__} returned a {type(scores).__name__}, not a tensor of class scores [N, K]; "
        "wrap it in a module that returns the scores alone"
    )
