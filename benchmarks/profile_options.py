"""The profile that the command line chooses, as its options change it.

Options that change the work of a test change its name too: a baseline is never compared with other work.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.cnn.recipe import EPOCHS, IMAGES, INFERENCE, LEARNING, SERVING, TRAINING, Change, Recipe
from benchmarks.profile_sizes import PAPERS_RECIPE, Profile
from benchmarks.profiles import AUTO, PROFILES, QUICK, fitting
from pytest_energy.spelling import several

T = TypeVar("T")

SETS = ("paper", "all")  # of networks
DATASETS = ("digits", "synthetic", "shapes", "cifar10")


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
