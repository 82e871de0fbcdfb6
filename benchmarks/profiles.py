"""How large the benchmarks are: `quick` for two slow cores, `gpu` for one large GPU.

A profile fixes the whole work of a test, so records are comparable within one profile only.
"""

from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnProfile:
    """Size of the training and inference tests.

    Attributes:
        models: Names out of `benchmarks.cnn.models.ARCHITECTURES`; a test each.
        batch_size: Images in one step.
        train_steps: Optimiser steps in one round.
        inference_steps: Forward batches in one round.
        fit_steps: Optimiser steps before the inference test, outside every window, for its accuracy.
        test_images: Held-out images that the accuracy is taken from.
        threads: CPU threads of torch, or `None` for torch's own choice.
        rounds: Measured rounds of a test.
        warmup: Rounds run first and dropped.
        max_time_s: Longest time for all rounds of one test.
    """

    models: tuple[str, ...]
    batch_size: int
    train_steps: int
    inference_steps: int
    fit_steps: int
    test_images: int
    threads: int | None
    rounds: int
    warmup: int
    max_time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmProfile:
    """Size of the serving tests.

    Attributes:
        model_sizes: Names out of `benchmarks.llm.models.SIZES`, smallest first.
        rates: Requests a second, ascending; a test for each size and rate.
        arrival_s: Seconds over which the requests of one round arrive.
        least_requests: In one round, also where the rate would bring fewer in that time.
        prompt_tokens: Length of each prompt.
        output_tokens: Length of each answer.
        max_batch: Requests decoded together.
        rounds: Measured rounds of a test.
        warmup: Rounds run first and dropped.
        max_time_s: Longest time for all rounds of one test.
    """

    model_sizes: tuple[str, ...]
    rates: tuple[float, ...]
    arrival_s: float
    least_requests: int
    prompt_tokens: int
    output_tokens: int
    max_batch: int
    rounds: int
    warmup: int
    max_time_s: float

    def request_count(self, rate: float) -> int:
        """Requests in one round at *rate* requests a second."""
        return max(self.least_requests, round(rate * self.arrival_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One size of all benchmarks.

    Attributes:
        name: What `--bench-profile` takes.
        device: The torch device that the work runs on.
    """

    name: str
    device: str
    cnn: CnnProfile
    llm: LlmProfile


QUICK = Profile(
    name="quick",
    device="cpu",
    cnn=CnnProfile(
        models=(
            "squeezenet",
            "shufflenet_v2",
            "efficientnet_b0",
            "regnet_x_400mf",
            "vgg16",
            "resnet18",
        ),
        batch_size=6,
        train_steps=10,
        inference_steps=10,
        fit_steps=0,
        test_images=128,
        threads=1,  # two that wait for each other take up to ten times as long where something else runs
        rounds=5,
        warmup=1,
        max_time_s=30.0,
    ),
    llm=LlmProfile(
        model_sizes=("1M", "4M", "12M"),
        rates=(8.0, 32.0),
        arrival_s=1.0,
        least_requests=10,
        prompt_tokens=32,
        output_tokens=16,
        max_batch=32,
        rounds=4,
        warmup=1,
        max_time_s=20.0,
    ),
)

GPU = Profile(
    name="gpu",
    device="cuda",
    cnn=CnnProfile(
        models=(
            "lenet",
            "squeezenet",
            "shufflenet_v2",
            "mobilenet_v2",
            "efficientnet_b0",
            "regnet_x_400mf",
            "vgg16",
            "resnet18",
            "densenet121",
            "googlenet",
        ),
        batch_size=128,
        train_steps=100,
        inference_steps=200,
        fit_steps=100,
        test_images=360,
        threads=None,
        rounds=5,
        warmup=1,
        max_time_s=60.0,
    ),
    llm=LlmProfile(
        model_sizes=("0.1B", "0.5B", "1B"),
        rates=(4.0, 16.0, 64.0),
        arrival_s=2.5,
        least_requests=12,
        prompt_tokens=128,
        output_tokens=64,
        max_batch=256,
        rounds=4,
        warmup=1,
        max_time_s=30.0,
    ),
)

PROFILES = {profile.name: profile for profile in (QUICK, GPU)}


def chosen(config: pytest.Config) -> Profile:
    """The profile that `--bench-profile` names, `quick` without it."""
    return PROFILES[str(config.getoption("--bench-profile", default=QUICK.name))]


def grown(step_count: int, percent: int) -> int:
    """*step_count* and *percent* percent more, exactly.

    Raises:
        pytest.UsageError: The result is no whole number of at least 1.
    """
    hundredths = step_count * (100 + percent)
    if hundredths % 100 or hundredths < 100:
        raise pytest.UsageError(
            f"--bench-extra-steps={percent}: {step_count} steps can't grow by {percent} % to a whole number; "
            "multiples of 10 always can, from -90 on"
        )
    return hundredths // 100
