"""Energy and accuracy of whole epochs, architecture by architecture; runs with `--epochs=N`."""

from typing import TYPE_CHECKING

import pytest

from benchmarks.cnn.epochs import Training
from benchmarks.cnn.images import Labelled
from benchmarks.cnn.recipe import EPOCHS
from benchmarks.cnn.subject import subject
from benchmarks.cnn.training import fitting_memory
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

TARGETS = (0.8, 0.9, 1.0)  # a network that gets everything right ends before its last epoch
REPEATS = 3  # trainings, each from another seed
MOST_EPOCH_S = 120.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    profile = chosen(metafunc.config)
    epoch_count = metafunc.config.getoption("--epochs")
    metafunc.parametrize(
        "architecture",
        [
            pytest.param(
                name,
                id=f"{profile.case_id(name, EPOCHS)}-epochs{epoch_count}",
                marks=pytest.mark.energy(model=name, max_time=MOST_EPOCH_S * epoch_count),
            )
            for name in profile.cnn.models
        ],
    )


@pytest.mark.energy(group="epochs")
def test_epochs(
    energy: "Energy",
    architecture: str,
    profile: Profile,
    labelled: Labelled,
    pytestconfig: pytest.Config,
) -> None:
    """A training is a round, an epoch a window of it; the accuracy of each is on images held out."""
    if not labelled.can_be_learnt:
        pytest.skip(f"--dataset={labelled.name}: its labels are drawn by lot, so no accuracy rises")
    size, epoch_count = profile.cnn, pytestconfig.getoption("--epochs")
    energy.model(subject(architecture, profile).bare, labelled.test[:1])
    with fitting_memory(architecture, batch_size=size.batch_size):
        energy.until(
            accuracy=TARGETS,
            start=lambda seed: Training(architecture, labelled, profile, epoch_count=epoch_count, seed=seed),
            train=Training.epoch,
            evaluate=Training.accuracy,
            most_epochs=epoch_count,
            repeats=REPEATS,
            traced=Training.step,
        )
