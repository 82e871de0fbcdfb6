"""Epochs as the authors train them: every image once, in a new order, with what the recipe asks for."""

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.cnn.images import IMAGE_SIDE, Labelled
from benchmarks.cnn.subject import held_out_accuracy, subject
from benchmarks.cnn.training import Batch, finite_loss, loss_of, optimiser, train
from benchmarks.profile_sizes import Profile

CROP_PADDING = 4  # pixels on each side, as in the authors' code
STEP_COUNT, STEP_FACTOR = 3, 0.1  # the rate falls to a tenth twice: after each third of the epochs


class Training:
    """A training from its start.

    Args:
        architecture: Name of the network.
        labelled: Its images, on the device.
        profile: Recipe, batch size and learning rate.
        epoch_count: Epochs of the whole training: schedules depend on it.
        seed: Added to the recipe's.
    """

    def __init__(
        self, architecture: str, labelled: Labelled, profile: Profile, *, epoch_count: int, seed: int
    ) -> None:
        self._labelled, self._size, self._recipe = labelled, profile.cnn, profile.cnn.recipe
        self._generator = torch.Generator().manual_seed(self._recipe.seed + seed)
        self.module: nn.Module = subject(architecture, profile, seed=seed).module
        self._loss = loss_of(self._recipe.loss)
        self._optimiser = optimiser(self.module, learning_rate=self._size.learning_rate, recipe=self._recipe)
        self._schedule = schedule_of(self._recipe.schedule, self._optimiser, epoch_count)

    def epoch(self) -> None:
        """Every image once.

        Raises:
            UnfitModel: The loss of the last batch is not finite.
        """
        loss = train(self.module, self._batches(), self._optimiser, loss=self._loss)
        finite_loss(loss, learning_rate=self._size.learning_rate)
        if self._schedule is not None:
            self._schedule.step()

    def step(self) -> None:
        """One batch."""
        train(self.module, [next(self._batches())], self._optimiser, loss=self._loss)

    def accuracy(self) -> float:
        """On the held-out images; 0 to 1."""
        found = held_out_accuracy(self.module, self._labelled, self._size)
        assert found is not None  # the test asks for images that can be learnt
        return found

    def _batches(self) -> Iterator[Batch]:
        batches = self._loaded() if self._recipe.loader == "inside" else self._drawn()
        for images, labels in batches:
            yield (augmented(images, self._generator) if self._recipe.is_augmented else images), labels

    def _drawn(self) -> Iterator[Batch]:
        """From the device."""
        images, labels = self._labelled.train, self._labelled.train_labels
        order = torch.randperm(len(images), generator=self._generator).to(images.device)
        for part in torch.split(order, self._size.batch_size):
            yield images[part], labels[part]

    def _loaded(self) -> Iterator[Batch]:
        """From the host's memory, a batch at a time."""
        device = self._labelled.train.device
        for images, labels in self._loader:
            yield images.to(device), labels.to(device)

    @cached_property
    def _loader(self) -> "DataLoader[Batch]":
        on_host = TensorDataset(self._labelled.train.cpu(), self._labelled.train_labels.cpu())
        return DataLoader(
            on_host,  # type: ignore[arg-type]  # torch's types: a tuple of two tensors is a batch
            batch_size=self._size.batch_size,
            shuffle=True,
            generator=self._generator,
        )


def schedule_of(
    name: str, optimiser_: torch.optim.Optimizer, epoch_count: int
) -> lr_scheduler.LRScheduler | None:
    """The schedule *name* of the recipe, a step an epoch; `None` for a fixed rate."""
    if name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimiser_, T_max=epoch_count)
    if name == "step":
        third = max(1, epoch_count // STEP_COUNT)
        return lr_scheduler.StepLR(optimiser_, step_size=third, gamma=STEP_FACTOR)
    return None


def augmented(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each of *images* out of its frame of zeros, shifted by up to `CROP_PADDING`; half of them mirrored."""
    count, device = len(images), images.device
    shifts = torch.randint(2 * CROP_PADDING + 1, (2, count, 1), generator=generator).to(device)
    is_mirrored = torch.randint(2, (count, 1), generator=generator).bool().to(device)
    along = torch.arange(IMAGE_SIDE, device=device)
    rows = shifts[0] + along
    columns = shifts[1] + torch.where(is_mirrored, along.flip(0), along)
    padded = nn.functional.pad(images, (CROP_PADDING,) * 4)
    of_image = torch.arange(count, device=device)[:, None, None]
    cropped = padded[of_image, :, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2).contiguous()
