"""How large the benchmarks are: `quick` for two slow cores, `gpu` for one large GPU.

A profile fixes the whole work of a test, so records are comparable within one profile only. Options that
change that work change the test's name too: a baseline is never compared with other work.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.cnn.recipe import EPOCHS, IMAGES, INFERENCE, LEARNING, SERVING, TRAINING, Change, Recipe
from benchmarks.cnn.steps import MODEL_STEPS, ModelSteps
from pytest_energy.spelling import several

PAPERS_RECIPE = Recipe()
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptModel:
    """A model of the batch sweep, with what its steps are expected to cost; this only sizes the rounds.

    Attributes:
        model: Name out of `benchmarks.cnn.models.ARCHITECTURES`.
        step_s: Shortest training step, however small the batch: the time to launch it.
        image_s: Time of each image in a large batch.
    """

    model: str
    step_s: float
    image_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProfile:
    """Size of the batch sweep.

    Attributes:
        models: A test for each and each batch size.
        batch_sizes: Ascending.
        round_s: Length that a round is sized for.
        rounds: Measured rounds of a test.
        warmup: Rounds run first and dropped.
        max_time_s: Longest time for all rounds of one test.
    """

    models: tuple[SweptModel, ...]
    batch_sizes: tuple[int, ...]
    round_s: float
    rounds: int
    warmup: int
    max_time_s: float

    def step_count(self, swept: SweptModel, batch_size: int) -> int:
        """Training steps in one round: fixed by the profile, whatever a step really takes."""
        return max(1, round(self.round_s / max(swept.step_s, swept.image_s * batch_size)))

    def inference_step_count(self, swept: SweptModel, batch_size: int) -> int:
        """Forward batches in one round: three in the time of a training step, which does them thrice."""
        return 3 * self.step_count(swept, batch_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnProfile:
    """Size of the training and inference tests.

    Attributes:
        models: Names out of `benchmarks.cnn.models.ARCHITECTURES`; a test each.
        batch_size: Samples in one step.
        train_steps: Optimiser steps in one round, but for the models in *model_steps*.
        inference_steps: Forward batches in one round, but for the models in *model_steps*.
        model_steps: Steps of models that have their own.
        fit_steps: Optimiser steps before the inference test, outside every window, for its accuracy.
        test_images: Held-out samples that the accuracy is taken from.
        threads: CPU threads of torch, or `None` for torch's own choice.
        rounds: Measured rounds of a test.
        warmup: Rounds run first and dropped.
        max_time_s: Longest time for all rounds of one test.
        sweep: Size of the batch sweep.
        learning_rate: Of the optimiser.
        recipe: How networks are trained.
        dataset: Name out of `DATASETS`; token models have their own.
        is_amp: Forward passes under autocast to bfloat16.
        is_channels_last: Images and weights with the channels of a pixel beside each other.
        epoch_samples: Samples of the epoch whose duration is in `work_done`, where rounds of the models
            differ; `None` where they are equal and a round may stand for it.
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
    sweep: SweepProfile
    model_steps: tuple[ModelSteps, ...] = ()
    learning_rate: float = 0.001  # the paper's
    recipe: Recipe = PAPERS_RECIPE
    dataset: str = "digits"
    is_amp: bool = False
    is_channels_last: bool = False
    epoch_samples: int | None = None

    def train_steps_of(self, model: str) -> int:
        """Optimiser steps in one round of *model*."""
        return next((own.train_steps for own in self.model_steps if own.model == model), self.train_steps)

    def inference_steps_of(self, model: str) -> int:
        """Forward batches in one round of *model*."""
        own_steps = (own.inference_steps for own in self.model_steps if own.model == model)
        return next(own_steps, self.inference_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmSweep:
    """One model at one rate, with answers of other lengths, or with random prompts that begin alike.

    Attributes:
        model_size: Name out of `benchmarks.llm.models.SIZES`.
        rate: Requests a second.
        output_tokens: Lengths of the answers; a test each.
        shared_shares: Shares of the prompts that are common to all; a test each.
    """

    model_size: str
    rate: float
    output_tokens: tuple[int, ...]
    shared_shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmClosedLoop:
    """A load as fast as the engine can, so that its speed shows in the joules of a GPU that is never idle.

    Attributes:
        model_size: Name out of `benchmarks.llm.models.SIZES`.
        concurrency: Requests under way.
        requests: Of one round.
    """

    model_size: str
    concurrency: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledProfile:
    """The rows of the pooled table: every size at every rate; `benchmarks.llm.design` says with which load.

    Attributes:
        model_sizes: Names out of `benchmarks.llm.models.SIZES`, smallest first.
        rates: Requests a second, ascending.
        arrival_s: Seconds over which the requests of one round arrive.
        least_requests: In one round, also where the rate would bring fewer in that time.
        prompt_tokens: Length of each prompt.
        plain_tokens: Scale of the lengths of answers without reasoning.
        reasoning_tokens: The same with reasoning.
        rounds: Measured rounds of a row.
        max_time_s: Longest time for all rounds of one row.
    """

    model_sizes: tuple[str, ...]
    rates: tuple[float, ...]
    arrival_s: float
    least_requests: int
    prompt_tokens: int
    plain_tokens: int
    reasoning_tokens: int
    rounds: int
    max_time_s: float

    def request_count(self, rate: float) -> int:
        """Requests in one round at *rate* requests a second."""
        return max(self.least_requests, round(rate * self.arrival_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmProfile:
    """Size of the serving tests.

    Attributes:
        engine: `transformers`, in this process, or `vllm`.
        quantization: As the engine names it, or `None`.
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
        sweep: Further tests.
        closed_loop: One more.
        pooled: The rows of `test_pooled`.
        gpu_count: GPUs that share each layer.
        process_cores: Physical cores that each process of the engine has for itself; 0 binds none, as where
            the engine computes on these cores.
        is_eager: The engine replays no CUDA graphs and compiles nothing: the same work, done slower.
    """

    engine: str
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
    sweep: LlmSweep
    closed_loop: LlmClosedLoop
    pooled: PooledProfile
    gpu_count: int = 1
    quantization: str | None = None
    process_cores: int = 0
    is_eager: bool = False

    def request_count(self, rate: float) -> int:
        """Requests in one round at *rate* requests a second."""
        return max(self.least_requests, round(rate * self.arrival_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One size of all benchmarks.

    Attributes:
        name: What `--bench-profile` takes.
        device: The torch device that the work runs on.
        changes: What options changed of the tests' work.
    """

    name: str
    device: str
    cnn: CnnProfile
    llm: LlmProfile
    changes: tuple[Change, ...] = ()

    def case_id(self, name: str, kind: str | None = None) -> str:
        """*name* as part of a test's id: other work has another, so that no baseline is of two works.

        Args:
            name: Of the case.
            kind: Of the test, out of `benchmarks.cnn.recipe`: what doesn't change its work is not in its id.
        """
        profile = "" if self.name == DEFAULT_PROFILE else self.name
        return "-".join(
            filter(None, (name, profile, *(one.word for one in self.changes if kind in one.kinds)))
        )


DEFAULT_PROFILE = "quick"
SETS = ("paper", "all")  # of networks
DATASETS = ("digits", "synthetic", "shapes", "cifar10")

# What training steps cost on an H100 in docs/results/h100-first.json: at batch 128 ResNet-18 8.5 ms,
# MobileNetV2 20 ms, VGG-16 6.4 ms. Networks bound by launches there take 0.12 ms a layer; that gives step_s.
# image_s is the step at 128 images less what launches hide of it, by judgement.
GPU_SWEEP = SweepProfile(
    models=(
        SweptModel(model="resnet18", step_s=0.006, image_s=55e-6),
        SweptModel(model="mobilenet_v2", step_s=0.018, image_s=110e-6),
        SweptModel(model="vgg16", step_s=0.0055, image_s=40e-6),
    ),
    batch_sizes=(4, 16, 32, 64, 128, 256, 1024, 4096),
    round_s=0.4,
    rounds=5,
    warmup=1,
    max_time_s=30.0,
)

QUICK = Profile(
    name=DEFAULT_PROFILE,
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
        sweep=SweepProfile(
            models=(SweptModel(model="mobilenet_v2", step_s=0.03, image_s=0.03),),
            batch_sizes=(2, 4),
            round_s=0.15,
            rounds=3,
            warmup=1,
            max_time_s=15.0,
        ),
    ),
    llm=LlmProfile(
        engine="transformers",
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
        sweep=LlmSweep(model_size="1M", rate=32.0, output_tokens=(4, 32), shared_shares=(0.0, 0.75)),
        closed_loop=LlmClosedLoop(model_size="1M", concurrency=8, requests=32),
        pooled=PooledProfile(
            model_sizes=("1M", "4M"),
            rates=(4.0, 8.0, 16.0),
            arrival_s=2.0,
            least_requests=12,
            prompt_tokens=32,
            plain_tokens=4,
            reasoning_tokens=12,
            rounds=2,
            max_time_s=20.0,
        ),
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
        test_images=10_000,
        threads=None,
        rounds=5,
        warmup=1,
        max_time_s=60.0,
        sweep=GPU_SWEEP,
    ),
    llm=LlmProfile(
        engine="vllm",
        quantization="fp8",
        model_sizes=("0.5B", "1B", "3B", "8B"),
        rates=(1.0, 4.0, 16.0, 64.0, 128.0),
        arrival_s=10.0,  # at 64/s 8B settles in 4 s: as much again and more must be left to count
        least_requests=20,
        prompt_tokens=128,
        output_tokens=128,
        max_batch=512,
        rounds=5,
        warmup=1,
        max_time_s=120.0,
        sweep=LlmSweep(
            model_size="1B",
            rate=16.0,
            output_tokens=(16, 32, 64, 256),
            shared_shares=(0.0, 0.5, 0.75),
        ),
        closed_loop=LlmClosedLoop(model_size="1B", concurrency=64, requests=512),
        # Reasoning multiplies the length of answers by ten (6,988 tokens after 717: ML.ENERGY leaderboard
        # 3.0). Loads of 8 s have no steady part with such answers, so both are shorter and their ratio is 4.
        pooled=PooledProfile(
            model_sizes=("0.5B", "1B", "3B", "8B"),
            rates=(1.0, 4.0, 16.0, 64.0, 256.0),
            arrival_s=8.0,
            least_requests=13,
            prompt_tokens=128,
            plain_tokens=32,
            reasoning_tokens=128,
            rounds=2,
            max_time_s=60.0,
        ),
        process_cores=1,
    ),
)

# The authors' forms of these are in the profile.
_OTHER_FORMS = ("mobilenet_v2", "efficientnet_b0", "vgg16", "googlenet")

PAPER = Profile(
    name="paper",
    device="cuda",
    cnn=CnnProfile(
        models=tuple(own.model for own in MODEL_STEPS if own.model not in _OTHER_FORMS),
        batch_size=128,
        train_steps=100,
        inference_steps=200,
        model_steps=MODEL_STEPS,
        fit_steps=60,
        test_images=10_000,
        threads=None,
        rounds=5,
        warmup=1,
        max_time_s=60.0,
        sweep=GPU_SWEEP,
        epoch_samples=50_000,  # CIFAR-10's training images
    ),
    llm=GPU.llm,
)

PROFILES = {profile.name: profile for profile in (QUICK, GPU, PAPER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line changes of the tests' work; `None` and `False` leave the profile's."""

    batch_size: int | None = None
    learning_rate: float | None = None
    steps: int | None = None
    dataset: str | None = None
    is_amp: bool = False
    is_channels_last: bool = False
    recipe: Recipe = PAPERS_RECIPE
    models: tuple[str, ...] | None = None
    fit_steps: int | None = None
    batch_sizes: tuple[int, ...] | None = None
    llm_engine: str | None = None
    gpu_count: int = 1
    is_eager: bool = False

    def of(self, profile: Profile) -> Profile:
        """*profile* with these changes."""
        before, engine_before = profile.cnn, profile.llm
        cnn = replace(
            before,
            batch_size=self.batch_size or before.batch_size,
            learning_rate=self.learning_rate or before.learning_rate,
            dataset=self.dataset or before.dataset,
            recipe=self.recipe,
            is_amp=self.is_amp,
            is_channels_last=self.is_channels_last,
            models=self.models or before.models,
            fit_steps=self.fit_steps or before.fit_steps,
            sweep=replace(before.sweep, batch_sizes=self.batch_sizes or before.sweep.batch_sizes),
        )
        if self.steps is not None:
            cnn = replace(cnn, train_steps=self.steps, inference_steps=self.steps, model_steps=())
        llm = replace(engine_before, is_eager=self.is_eager, gpu_count=self.gpu_count)
        if self.llm_engine is not None and self.llm_engine != llm.engine:
            llm = replace(llm, engine=self.llm_engine, quantization=None)
        steps = frozenset({TRAINING, INFERENCE})
        serving = frozenset({SERVING})
        changes = (
            (cnn.batch_size != before.batch_size, f"batch{cnn.batch_size}", steps | {EPOCHS}),
            (cnn.learning_rate != before.learning_rate, f"lr{cnn.learning_rate:g}", LEARNING),
            (self.steps is not None, f"steps{self.steps}", steps),
            (cnn.dataset != before.dataset, cnn.dataset, IMAGES),
            (cnn.is_amp, "amp", IMAGES),
            (cnn.is_channels_last, "channels_last", IMAGES),
            (llm.gpu_count != engine_before.gpu_count, f"{llm.gpu_count}gpus", serving),
            (llm.engine != engine_before.engine, llm.engine, serving),
        )
        said = [Change(word=word, kinds=kinds) for is_other, word, kinds in changes if is_other]
        said += self.recipe.changes_from(before.recipe)
        return replace(profile, cnn=cnn, llm=llm, changes=tuple(said))


AUTO = "auto"


def fitting() -> Profile:
    """The profile for this machine's hardware: `gpu` where torch sees a CUDA device, else `quick`."""
    try:
        import torch
    except ImportError:
        return QUICK
    return GPU if torch.cuda.is_available() else QUICK


def chosen(config: pytest.Config) -> Profile:
    """The profile that `--bench-profile` names or leaves to the hardware, as other options change it."""
    name = str(config.getoption("--bench-profile", default=QUICK.name))
    profile = fitting() if name == AUTO else PROFILES[name]
    return Overrides(
        batch_size=config.getoption("--batch-size", default=None),
        learning_rate=config.getoption("--lr", default=None),
        steps=config.getoption("--steps", default=None),
        dataset=chosen_dataset(
            config.getoption("--dataset", default=None), config.getoption("--cifar10", default=None)
        ),
        is_amp=bool(config.getoption("--amp", default=False)),
        is_channels_last=bool(config.getoption("--channels-last", default=False)),
        fit_steps=config.getoption("--fit-steps", default=None),
        recipe=chosen_recipe(config),
        models=chosen_models(config.getoption("--models", default=None)),
        batch_sizes=config.getoption("--batch-sizes", default=None),
        llm_engine=config.getoption("--llm-engine", default=None),
        gpu_count=int(config.getoption("--tensor-parallel", default=1)),
        is_eager=bool(config.getoption("--eager", default=False)),
    ).of(profile)


def chosen_recipe(config: pytest.Config) -> Recipe:
    """How networks are trained, as the options name it.

    Raises:
        pytest.UsageError: An option of whole epochs without `--epochs`.
    """

    def given(option: str, default: T) -> T:
        value: T | None = config.getoption(option, default=None)
        return default if value is None else value

    recipe = Recipe(
        optimiser=given("--optimiser", PAPERS_RECIPE.optimiser),
        weight_decay=given("--weight-decay", PAPERS_RECIPE.weight_decay),
        loss=given("--loss", PAPERS_RECIPE.loss),
        seed=given("--seed", PAPERS_RECIPE.seed),
        is_normalised=given("--normalise", PAPERS_RECIPE.is_normalised),
        schedule=given("--schedule", PAPERS_RECIPE.schedule),
        is_augmented=given("--augment", PAPERS_RECIPE.is_augmented),
        loader=given("--loader", PAPERS_RECIPE.loader),
    )
    ignored = [one.word for one in recipe.changes_from(PAPERS_RECIPE) if one.kinds == {EPOCHS}]
    if ignored and config.getoption("--epochs", default=None) is None:
        raise pytest.UsageError(
            "--schedule, --augment and --loader change whole epochs only: add --epochs=N, such as --epochs=10"
        )
    return recipe


def chosen_models(text: str | None) -> tuple[str, ...] | None:
    """The networks that `--models` names: `paper`, `all`, or names with commas between.

    Raises:
        pytest.UsageError: A name is of no network.
    """
    if text is None:
        return None
    from benchmarks.cnn.models import ARCHITECTURES, PAPER_ARCHITECTURES

    if text in SETS:
        return PAPER_ARCHITECTURES if text == "paper" else tuple(ARCHITECTURES)
    try:
        return several(dict.fromkeys(text.split(",")), (*ARCHITECTURES, *SETS))
    except ValueError as error:
        raise pytest.UsageError(f"--models {error}") from error


def chosen_dataset(dataset: str | None, cifar10_folder: Path | None) -> str | None:
    """The data that `--dataset` names; a folder of CIFAR-10 says so by itself.

    Raises:
        pytest.UsageError: CIFAR-10 without a folder, or a folder for other data.
    """
    if dataset == "cifar10" and cifar10_folder is None:
        raise pytest.UsageError(
            "--dataset=cifar10 needs --cifar10 DIR, the folder that holds cifar-10-batches-py; "
            "nothing is downloaded"
        )
    if dataset not in {None, "cifar10"} and cifar10_folder is not None:
        raise pytest.UsageError(f"--dataset={dataset} and --cifar10 {cifar10_folder}: give one of them")
    return "cifar10" if cifar10_folder is not None else dataset


def lengthened(output_tokens: int, percent: int) -> int:
    """*output_tokens* and *percent* percent more, rounded up.

    Raises:
        pytest.UsageError: Nothing is left of them.
    """
    tokens = -(-output_tokens * (100 + percent) // 100)
    if tokens < 1:
        raise pytest.UsageError(
            f"--bench-extra-tokens={percent}: answers of {tokens} tokens; give -90 or more"
        )
    return tokens


def grown(step_count: int, percent: int) -> int:
    """*step_count* and *percent* percent more, exactly.

    Raises:
        pytest.UsageError: The result is no whole number of at least 1.
    """
    hundredths = step_count * (100 + percent)
    if hundredths % 100 or hundredths < 100:
        raise pytest.UsageError(
            f"--bench-plant=steps:{percent}: {step_count} steps can't grow by {percent} % to a whole number; "
            "multiples of 10 always can, from -90 on"
        )
    return hundredths // 100
