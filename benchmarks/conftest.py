"""Options and fixtures that every benchmark shares."""

import argparse
import math
from pathlib import Path

import pytest

from benchmarks.cnn.planting import extra_percent, plant_from, refuse_unfit
from benchmarks.cnn.recipe import LOADERS, LOSSES, OPTIMISERS, SCHEDULES
from benchmarks.profile_options import DATASETS, chosen, grown
from benchmarks.profile_sizes import Profile
from benchmarks.profiles import AUTO, PROFILES


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"give a whole number of at least 1, not {text!r}")
    return count


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not (math.isfinite(rate) and rate > 0):
        raise argparse.ArgumentTypeError(f"give a finite number above 0, such as 0.001, not {text!r}")
    return rate


def _share(text: str) -> float:
    share = _rate(text)
    if share > 1:
        raise argparse.ArgumentTypeError(f"give a share above 0 and at most 1, such as 0.05, not {text!r}")
    return share


def _decay(text: str) -> float:
    return 0.0 if text == "0" else _rate(text)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({_count(part) for part in text.split(",")}))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption(
        "--bench-profile",
        choices=(AUTO, *PROFILES),
        default=AUTO,
        help="Size of the benchmarks: quick for two CPU cores, gpu for one large GPU, paper for the paper's "
        "networks on one, auto for gpu if torch finds a CUDA device, else quick (default: auto).",
    )
    group.addoption(
        "--bench-plant",
        type=plant_from,
        metavar="KIND:AMOUNT",
        help="Do more in the training and inference tests than they declare: steps:PERCENT more steps, "
        "active:PERCENT more active joules and no more steps, sleep:MS after each step, sync:COUNT waits for "
        "the device after each step.",
    )
    group.addoption(
        "--cifar10",
        type=Path,
        metavar="DIR",
        help="Folder that holds cifar-10-batches-py; without it the digits of scikit-learn are used.",
    )

    group.addoption(
        "--dataset",
        choices=DATASETS,
        help="What the CNN tests train on: digits, synthetic (noise in CIFAR-10's shape, no accuracy), "
        "shapes (made from a seed, accuracy 0.97 at most), or cifar10 with --cifar10 (the profile's).",
    )
    group.addoption(
        "--models",
        metavar="NAME,NAME|paper|all",
        help="Networks of the training and inference tests: names of docs/models.md, the paper's fourteen in "
        "the authors' form, or all (the profile's).",
    )
    group.addoption(
        "--batch-size", type=_count, metavar="N", help="Samples in a step of the CNN tests (the profile's)."
    )
    group.addoption(
        "--batch-sizes",
        type=_counts,
        metavar="N,N,...",
        help="Batch sizes that the sweep tries (the profile's).",
    )
    group.addoption(
        "--memory-share",
        type=_share,
        metavar="SHARE",
        help="Share of the GPU's memory that the CNN tests may use, as on a smaller GPU (all).",
    )
    group.addoption(
        "--steps", type=_count, metavar="N", help="Steps in a round of the CNN tests (the profile's)."
    )
    group.addoption(
        "--fit-steps",
        type=_count,
        metavar="N",
        help="Training steps before an inference test, in no window, for its accuracy (the profile's).",
    )
    group.addoption(
        "--lr", type=_rate, metavar="RATE", help="Learning rate of the CNN tests (the profile's, 0.001)."
    )
    _add_recipe(group)
    group.addoption(
        "--amp", action="store_true", help="Forward passes of the CNN tests under autocast to bfloat16."
    )
    group.addoption(
        "--channels-last",
        action="store_true",
        help="Images and weights of the CNN tests in the channels-last layout.",
    )

    group.addoption(
        "--llm-engine",
        choices=("transformers", "vllm"),
        help="What serves the LLM tests: transformers in this process, or vllm (the profile's).",
    )
    group.addoption(
        "--tensor-parallel",
        type=_count,
        default=1,
        metavar="N",
        help="GPUs that share each layer of vLLM's models in the LLM tests (default: 1).",
    )
    group.addoption(
        "--eager",
        action="store_true",
        help="The LLM tests' engine compiles nothing and replays no CUDA graphs: a planted regression.",
    )
    group.addoption(
        "--bench-extra-tokens",
        type=int,
        default=0,
        metavar="PERCENT",
        help="Ask for answers that are this many percent longer in the LLM tests: planted other work (0).",
    )


def _add_recipe(group: pytest.OptionGroup) -> None:
    group.addoption(
        "--optimiser",
        choices=OPTIMISERS,
        help="Of the CNN tests; momentum is SGD with it, sgd without (default: momentum).",
    )
    group.addoption("--weight-decay", type=_decay, metavar="RATE", help="Of the optimiser (default: 5e-4).")
    group.addoption("--loss", choices=LOSSES, help="Of the CNN tests (default: cross-entropy).")
    group.addoption(
        "--seed", type=int, metavar="N", help="Of weights and order of images in the CNN tests (default: 0)."
    )
    group.addoption(
        "--normalise", action="store_true", help="Images less CIFAR-10's mean, over its standard deviation."
    )
    group.addoption(
        "--epochs",
        type=_count,
        metavar="N",
        help="Run test_epochs: N whole epochs of each network, with the accuracy after each.",
    )
    group.addoption(
        "--schedule", choices=SCHEDULES, help="Learning rate over the epochs of --epochs (default: none)."
    )
    group.addoption(
        "--augment",
        action="store_true",
        help="Shift images by up to 4 pixels and mirror half of them, with --epochs.",
    )
    group.addoption(
        "--loader",
        choices=LOADERS,
        help="inside: a DataLoader brings each batch from the host, in the window; outside: the images are "
        "on the device (default: outside). With --epochs.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Stop before anything runs if the options can't be followed."""
    profile, plant = chosen(config), config.getoption("--bench-plant", default=None)
    refuse_unfit(plant, profile.device)
    percent = extra_percent(plant)
    for name in profile.cnn.models:
        grown(profile.cnn.train_steps_of(name), percent)
        grown(profile.cnn.inference_steps_of(name), percent)
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


def pytest_report_header(config: pytest.Config) -> str:
    """Which profile is run, as nobody may have named it."""
    profile = chosen(config)
    return f"benchmarks: profile {profile.name}, on {profile.device} (--bench-profile)"


@pytest.fixture(scope="session")
def profile(pytestconfig: pytest.Config) -> Profile:
    """The size chosen with `--bench-profile`."""
    return chosen(pytestconfig)
