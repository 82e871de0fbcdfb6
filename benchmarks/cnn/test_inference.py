"""Energy of forward passes, architecture by architecture."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from benchmarks.cnn.attention import CLASS_COUNT
from benchmarks.cnn.cases import parametrize_models
from benchmarks.cnn.images import Labelled
from benchmarks.cnn.planting import Planted
from benchmarks.cnn.recipe import INFERENCE
from benchmarks.cnn.subject import held_out_accuracy, subject
from benchmarks.cnn.training import (
    classify,
    fitting_memory,
    loss_of,
    optimiser,
    rounds_of_batches,
    train,
)
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile
from pytest_energy.profiling.pytorch import trainable_parameters

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    profile = chosen(metafunc.config)
    parametrize_models(metafunc, profile, INFERENCE, step_count=profile.cnn.inference_steps_of)


@pytest.mark.energy(group="inference")
def test_inference(
    energy: "Energy",
    architecture: str,
    profile: Profile,
    labelled: Labelled,
    plant_into: Callable[[int], Planted],
) -> None:
    """The accuracy is that of the network as measured: after `fit_steps`, untrained if there are none."""
    size = profile.cnn
    network = subject(architecture, profile)
    planted = plant_into(size.inference_steps_of(architecture))
    energy.model(network.bare, labelled.test[:1])
    with fitting_memory(architecture, batch_size=size.batch_size):
        (fit,) = rounds_of_batches(
            labelled.train,
            labelled.train_labels,
            batch_size=size.batch_size,
            step_count=size.fit_steps,
            round_count=1,
            seed=size.recipe.seed,
        )
        if fit:
            fitting = optimiser(network.module, learning_rate=size.learning_rate, recipe=size.recipe)
            train(network.module, fit, fitting, loss=loss_of(size.recipe.loss))
        (steps,) = rounds_of_batches(
            labelled.train,
            labelled.train_labels,
            batch_size=size.batch_size,
            step_count=planted.step_count,
            round_count=1,
        )
        scores = energy.measure(lambda: classify(network.module, planted.over(steps)))
    energy.record(
        accuracy=held_out_accuracy(network.module, labelled, size),
        parameters=trainable_parameters(network.bare),
        **planted.facts,
    )
    assert scores.shape == (size.batch_size, CLASS_COUNT)
    assert scores.isfinite().all()
