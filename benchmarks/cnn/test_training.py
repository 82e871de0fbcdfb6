"""Energy of training steps, architecture by architecture."""

from itertools import cycle
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks.cnn.cases import parametrize_models
from benchmarks.cnn.images import Images
from benchmarks.cnn.models import ARCHITECTURES
from benchmarks.cnn.training import accuracy, optimiser, rounds_of_batches, train
from benchmarks.profiles import Profile, chosen, grown

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    size = chosen(metafunc.config).cnn
    parametrize_models(metafunc, size, samples=size.batch_size * size.train_steps)


@pytest.mark.energy(group="training")
def test_training(
    energy: "Energy", architecture: str, profile: Profile, images: Images, extra_percent: int
) -> None:
    """Each round goes on from the last with new images; the accuracy is that after all of them."""
    size = profile.cnn
    torch.manual_seed(0)
    module = ARCHITECTURES[architecture]().to(profile.device)
    energy.model(module, images.test[:1])
    optimiser_ = optimiser(module)
    rounds = cycle(
        rounds_of_batches(
            images.train,
            images.train_labels,
            batch_size=size.batch_size,
            step_count=grown(size.train_steps, extra_percent),
            round_count=size.warmup + size.rounds,
        )
    )
    loss = energy.measure(lambda: train(module, next(rounds), optimiser_))
    energy.record(
        accuracy=accuracy(module, images.test[: size.test_images], images.test_labels[: size.test_images]),
        loss=loss.item(),
    )
    assert loss.isfinite()
