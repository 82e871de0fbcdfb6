"""What the training and the inference tests share."""

from collections.abc import Iterator

import pytest
import torch

from benchmarks.cnn.images import Images, cifar10, digits
from benchmarks.profiles import Profile


@pytest.fixture(scope="session")
def images(pytestconfig: pytest.Config, profile: Profile) -> Images:
    """Digits, or CIFAR-10 with `--cifar10`, on the profile's device before any window opens."""
    folder = pytestconfig.getoption("--cifar10", default=None)
    chosen = digits() if folder is None else cifar10(folder)
    return chosen.to(profile.device)


@pytest.fixture(scope="session")
def extra_percent(pytestconfig: pytest.Config) -> int:
    """Percent of undeclared work: 0, or the regression planted with `--bench-extra-steps`."""
    return int(pytestconfig.getoption("--bench-extra-steps", default=0))


@pytest.fixture(autouse=True, scope="module")
def threads(profile: Profile) -> Iterator[None]:
    """The profile's number of CPU threads, so that a round takes the same time again."""
    before = torch.get_num_threads()
    torch.set_num_threads(profile.cnn.threads or before)
    yield
    torch.set_num_threads(before)
