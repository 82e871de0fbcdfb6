"""Energy of forward passes, architecture by architecture."""

from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks.cnn.cases import parametrize_models
from benchmarks.cnn.images import Images
from benchmarks.cnn.models import ARCHITECTURES, CLASS_COUNT
from benchmarks.cnn.training import accuracy, classify, optimiser, rounds_of_batches, train
from benchmarks.profiles import Profile, chosen, grown

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    size = chosen(metafunc.config).cnn
    parametrize_models(metafunc, size, samples=size.batch_size * size.inference_steps)


@pytest.mark.energy(group="inference")
def test_inference(
    energy: "Energy", architecture: str, profile: Profile, images: Images, extra_percent: int
) -> None:
    """The accuracy is that of the network as measured: after `fit_steps`, untrained if there are none."""
    size = profile.cnn
    torch.manual_seed(0)
    module = ARCHITECTURES[architecture]().to(profile.device)
    energy.model(module, images.test[:1])
    (fit,) = rounds_of_batches(
        images.train,
        images.train_labels,
        batch_size=size.batch_size,
        step_count=size.fit_steps,
        round_count=1,
    )
    train(module, fit, optimiser(module))
    (steps,) = rounds_of_batches(
        images.train,
        images.train_labels,
        batch_size=size.batch_size,
        step_count=grown(size.inference_steps, extra_percent),
        round_count=1,
    )
    scores = energy.measure(classify, module, steps)
    energy.record(
        accuracy=accuracy(module, images.test[: size.test_images], images.test_labels[: size.test_images])
    )
    assert scores.shape == (size.batch_size, CLASS_COUNT)
    assert scores.isfinite().all()
