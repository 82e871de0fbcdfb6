"""Energy of training steps, architecture by architecture."""

from collections.abc import Callable
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from benchmarks.cnn.cases import parametrize_models
from benchmarks.cnn.images import Labelled
from benchmarks.cnn.planting import Planted
from benchmarks.cnn.recipe import TRAINING
from benchmarks.cnn.subject import held_out_accuracy, subject
from benchmarks.cnn.training import finite_loss, fitting_memory, loss_of, optimiser, rounds_of_batches, train
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile
from pytest_energy.profiling.pytorch import trainable_parameters

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    profile = chosen(metafunc.config)
    parametrize_models(metafunc, profile, TRAINING, step_count=profile.cnn.train_steps_of)


@pytest.mark.energy(group="training")
def test_training(
    energy: "Energy",
    architecture: str,
    profile: Profile,
    labelled: Labelled,
    plant_into: Callable[[int], Planted],
) -> None:
    """Each round goes on from the last with new images; the accuracy is that after all of them."""
    size = profile.cnn
    network = subject(architecture, profile)
    planted = plant_into(size.train_steps_of(architecture))
    energy.model(network.bare, labelled.test[:1])
    optimiser_ = optimiser(network.module, learning_rate=size.learning_rate, recipe=size.recipe)
    loss_function = loss_of(size.recipe.loss)
    with fitting_memory(architecture, batch_size=size.batch_size):
        rounds = cycle(
            rounds_of_batches(
                labelled.train,
                labelled.train_labels,
                batch_size=size.batch_size,
                step_count=planted.step_count,
                round_count=size.warmup + size.rounds,
                seed=size.recipe.seed,
            )
        )
        loss = energy.measure(
            lambda: train(network.module, planted.over(next(rounds)), optimiser_, loss=loss_function)
        )
    energy.record(
        loss=finite_loss(loss, learning_rate=size.learning_rate),
        accuracy=held_out_accuracy(network.module, labelled, size),
        parameters=trainable_parameters(network.bare),
        **planted.facts,
    )
