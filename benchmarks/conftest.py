"""Options and fixtures that every benchmark shares."""

from pathlib import Path

import pytest

from benchmarks.profiles import PROFILES, QUICK, Profile, chosen, grown


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption(
        "--bench-profile",
        choices=tuple(PROFILES),
        default=QUICK.name,
        help="Size of the benchmarks: quick for two CPU cores, gpu for one large GPU (quick).",
    )
    group.addoption(
        "--bench-extra-steps",
        type=int,
        default=0,
        metavar="PERCENT",
        help="Do this many percent more steps in the CNN tests than they declare: a planted regression (0).",
    )
    group.addoption(
        "--cifar10",
        type=Path,
        metavar="DIR",
        help="Folder that holds cifar-10-batches-py; without it the digits of scikit-learn are used.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Stop before anything runs if the options can't be followed."""
    profile, percent = chosen(config), config.getoption("--bench-extra-steps", default=0)
    for step_count in (profile.cnn.train_steps, profile.cnn.inference_steps):
        grown(step_count, percent)
    folder = config.getoption("--cifar10", default=None)
    if folder is not None:
        from benchmarks.cnn.images import check_cifar10

        check_cifar10(folder)
    if profile.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise pytest.UsageError(
                f"--bench-profile={profile.name} needs a CUDA device, and torch sees none"
            )


@pytest.fixture(scope="session")
def profile(pytestconfig: pytest.Config) -> Profile:
    """The size chosen with `--bench-profile`."""
    return chosen(pytestconfig)
