"""Joules of five networks to two accuracies; `benchmarks.accuracy` runs this and says what."""

import json
import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from benchmarks.bounded_suite import keep_row
from benchmarks.cnn.images import Labelled, digits
from benchmarks.cnn.models import ARCHITECTURES
from benchmarks.cnn.shapes import shapes
from benchmarks.cnn.training import accuracy, train

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

VARIABLE = "BENCH_ACCURACY"
TARGETS = (0.8, 0.9)
NETWORKS = ("lenet", "vgg16", "resnet18", "mobilenet", "simple_dla")
LEARNING_RATE = 0.001  # of AdamW, for all networks
LEAST_S = 10.0  # a network is not begun with less


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is trained.

    Attributes:
        epoch_images: Images of an epoch, a part of the set: the shorter, the tighter the joules to a target.
        test_images: The accuracy's.
        repeats: Trainings of a network.
    """

    networks: tuple[str, ...]
    batch_size: int
    epoch_images: int
    test_images: int
    most_epochs: int
    repeats: int


CARD = Size(
    networks=NETWORKS, batch_size=128, epoch_images=10_000, test_images=5_000, most_epochs=20, repeats=3
)
TINY = Size(
    networks=("lenet",), batch_size=64, epoch_images=1_400, test_images=360, most_epochs=12, repeats=2
)


class Choice:
    """What is run: device, images, and until when a network may begin."""

    def __init__(self) -> None:
        plan = json.loads(os.environ.get(VARIABLE, '{"device": "cpu"}'))
        self.device: str = plan["device"]
        self.size = CARD if self.device == "cuda" else TINY
        self.rows: str | None = plan.get("rows")
        self.deadline_s: float = plan.get("deadline_s", float("inf"))
        self.share_s: float = plan.get("most_s", 300.0) / len(self.size.networks)

    def spare_s(self) -> float:
        return self.deadline_s - time.time()


CHOICE = Choice()


@pytest.fixture(scope="module")
def images() -> Labelled:
    """The set with a known ceiling on a card; on a processor digits, which are learnt in seconds."""
    return (shapes() if CHOICE.device == "cuda" else digits()).to(CHOICE.device)


class Trainer:
    """A network that is trained on another part of the images in each epoch.

    Args:
        name: Of the network.
        images: All of them, on the device.
        seed: Of its weights and of the order of the images.
    """

    def __init__(self, name: str, images: Labelled, seed: int) -> None:
        torch.manual_seed(seed)
        self.images, self.size = images, CHOICE.size
        self.module: nn.Module = ARCHITECTURES[name]().to(images.train.device)
        self.optimiser = torch.optim.AdamW(self.module.parameters(), lr=LEARNING_RATE)
        self._generator = torch.Generator().manual_seed(seed)
        self._left = torch.empty(0, dtype=torch.int64)

    def epoch(self) -> None:
        self._train(self.size.epoch_images)

    def step(self) -> None:
        self._train(self.size.batch_size)

    def _train(self, count: int) -> None:
        if len(self._left) < count:
            self._left = torch.randperm(len(self.images.train), generator=self._generator)
        part, self._left = self._left[:count], self._left[count:]
        batches = torch.split(part.to(self.images.train.device), self.size.batch_size)
        steps = ((self.images.train[batch], self.images.train_labels[batch]) for batch in batches)
        train(self.module, steps, self.optimiser)

    def accuracy(self) -> float:
        count = self.size.test_images
        return accuracy(self.module, self.images.test[:count], self.images.test_labels[:count])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=pytest.mark.energy(group="accuracy", model=name, max_time=CHOICE.share_s), id=name
        )
        for name in CHOICE.size.networks
    ],
)
def test_until(energy: "Energy", images: Labelled, name: str) -> None:
    """Trainings of one network, in its share of the time that is left."""
    size, spare_s = CHOICE.size, CHOICE.spare_s()
    if spare_s < LEAST_S:
        keep_row(CHOICE.rows, {"network": name, "not_run": "no time left"})
        pytest.skip("no time left")
    energy.model(ARCHITECTURES[name]().to(CHOICE.device), images.train[:1], name=name)
    began_s = time.time()
    result = energy.until(
        accuracy=TARGETS,
        start=partial(Trainer, name, images),
        train=Trainer.epoch,
        evaluate=Trainer.accuracy,
        most_epochs=size.most_epochs,
        repeats=size.repeats,
        traced=Trainer.step,
    )
    row = {
        "network": name,
        "images": images.name,
        "epoch_images": min(size.epoch_images, len(images.train)),
        "batch_size": size.batch_size,
        "repeats": size.repeats,
        "provenance": result.provenance,
        "evaluation_energy_j": result.evaluation_energy_j,
        "targets": [asdict(target) for target in result.targets],
        "trainings": [[asdict(epoch) for epoch in training] for training in result.trainings],
        "test_s": time.time() - began_s,
    }
    keep_row(CHOICE.rows, row)
