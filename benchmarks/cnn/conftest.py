"""What the training, inference and batch-size tests share."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks.cnn.active_joules import active_j_of
from benchmarks.cnn.epoch import epoch_metrics
from benchmarks.cnn.images import Labelled, cifar10, digits, synthetic
from benchmarks.cnn.memory import limit_memory
from benchmarks.cnn.models import TOKEN_ARCHITECTURES
from benchmarks.cnn.planting import Planted, Planter
from benchmarks.cnn.products import CudaProducts
from benchmarks.cnn.shapes import shapes
from benchmarks.cnn.tokens import tokens
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile

if TYPE_CHECKING:
    from pytest_energy.model import Record


def pytest_energy_metrics(config: pytest.Config) -> "Mapping[str, Callable[[Record], float | None]] | None":
    """Where the rounds of the models differ, work done is told for an epoch."""
    epoch_samples = chosen(config).cnn.epoch_samples
    return None if epoch_samples is None else epoch_metrics(epoch_samples)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whole epochs run only if `--epochs` says how many."""
    is_unasked = config.getoption("--epochs", default=None) is None
    return True if collection_path.name == "test_epochs.py" and is_unasked else None


@pytest.fixture(scope="session")
def load(pytestconfig: pytest.Config, profile: Profile) -> Callable[[str], Labelled]:
    """What an architecture works on, on the profile's device before any window opens."""
    folder = pytestconfig.getoption("--cifar10", default=None)
    makers: dict[str, Callable[[], Labelled]] = {
        "digits": digits,
        "synthetic": synthetic,
        "shapes": shapes,
        "cifar10": lambda: cifar10(folder),
        "tokens": tokens,
    }

    @cache
    def loaded(name: str) -> Labelled:
        on_device = makers[name]().to(profile.device)
        if profile.cnn.recipe.is_normalised:
            on_device = on_device.normalised()
        return on_device.channels_last() if profile.cnn.is_channels_last else on_device

    return lambda architecture: loaded(
        "tokens" if architecture in TOKEN_ARCHITECTURES else profile.cnn.dataset
    )


@pytest.fixture
def labelled(load: Callable[[str], Labelled], architecture: str) -> Labelled:
    """Images, or token ids for the networks that read them."""
    return load(architecture)


@pytest.fixture(scope="session")
def planter(pytestconfig: pytest.Config) -> Planter:
    """Plants what `--bench-plant` says."""
    return Planter(
        plant=pytestconfig.getoption("--bench-plant", default=None),
        active_j=lambda test_id: active_j_of(test_id, torch.cuda.get_device_name()),
        products=cache(CudaProducts),
        synchronize=torch.cuda.synchronize,
    )


@pytest.fixture
def plant_into(request: pytest.FixtureRequest, planter: Planter) -> Callable[[int], Planted]:
    """From the steps that the test declares to those that it really does."""
    return lambda step_count: planter.into(request.node.nodeid, step_count)


@pytest.fixture(autouse=True, scope="module")
def threads(profile: Profile) -> Iterator[None]:
    """The profile's number of CPU threads, so that a round takes the same time again."""
    before = torch.get_num_threads()
    torch.set_num_threads(profile.cnn.threads or before)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def memory_limit(pytestconfig: pytest.Config, profile: Profile) -> None:
    """No more of the GPU's memory than `--memory-share` allows."""
    limit_memory(profile.device, pytestconfig.getoption("--memory-share", default=None))
