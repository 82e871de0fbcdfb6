"""Energy of training and of inference over batch sizes: each machine has a best one.

`benchmarks/cnn/best_batch.py` reads it out of the JSON of a run.

Source:
    Sanchez-Mompo et al. 2025, section 6.1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from benchmarks.cnn.attention import CLASS_COUNT
from benchmarks.cnn.images import Labelled
from benchmarks.cnn.memory import peak_memory, start_peak
from benchmarks.cnn.recipe import INFERENCE_SWEEP, SWEEP
from benchmarks.cnn.subject import subject
from benchmarks.cnn.training import (
    classify,
    finite_loss,
    fitting_memory,
    loss_of,
    optimiser,
    rounds_of_batches,
    train,
)
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile, SweptModel
from pytest_energy.profiling.pytorch import trainable_parameters

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCase:
    """One model at one batch size.

    Attributes:
        step_count: Steps in one round.
    """

    swept: SweptModel
    batch_size: int
    step_count: int


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each model and size, sizes ascending: what doesn't fit ends the sweep of its model."""
    profile = chosen(metafunc.config)
    sweep = profile.cnn.sweep
    is_inference = metafunc.function is test_inference_batch_size
    kind = INFERENCE_SWEEP if is_inference else SWEEP
    steps_of = sweep.inference_step_count if is_inference else sweep.step_count
    cases = [
        SweepCase(swept=swept, batch_size=batch_size, step_count=steps_of(swept, batch_size))
        for swept in sweep.models
        for batch_size in sweep.batch_sizes
    ]
    metafunc.parametrize(
        "case",
        [
            pytest.param(
                case,
                id=profile.case_id(f"{case.swept.model}-{case.batch_size}", kind),
                marks=pytest.mark.energy(
                    model=f"{case.swept.model}@{case.batch_size}",
                    samples=case.batch_size * case.step_count,
                    rounds=sweep.rounds,
                    warmup=sweep.warmup,
                    max_time=sweep.max_time_s,
                ),
            )
            for case in cases
        ],
    )


@pytest.fixture(scope="module")
def too_large() -> dict[str, int]:
    """Smallest batch size found not to fit, by what was tried."""
    return {}


@pytest.mark.energy(group="batch")
def test_batch_size(
    energy: "Energy",
    case: SweepCase,
    profile: Profile,
    load: Callable[[str], Labelled],
    too_large: dict[str, int],
) -> None:
    """The same network and optimiser at each size; the images lie on the device."""
    name, batch_size, size = case.swept.model, case.batch_size, profile.cnn
    skip_beyond(too_large, name, batch_size)
    labelled, network = load(name), subject(name, profile)
    energy.model(network.bare, labelled.test[:1])
    with fitting_memory(name, batch_size=batch_size, too_large=too_large):
        optimiser_ = optimiser(network.module, learning_rate=size.learning_rate, recipe=size.recipe)
        loss_function = loss_of(size.recipe.loss)
        start_peak(profile.device)
        rounds = cycle(
            rounds_of_batches(
                labelled.train,
                labelled.train_labels,
                batch_size=batch_size,
                step_count=case.step_count,
                round_count=size.sweep.warmup + size.sweep.rounds,
                seed=size.recipe.seed,
            )
        )
        loss = energy.measure(lambda: train(network.module, next(rounds), optimiser_, loss=loss_function))
    energy.record(
        batch_size=batch_size,
        loss=finite_loss(loss, learning_rate=size.learning_rate),
        parameters=trainable_parameters(network.bare),
        **peak_memory(profile.device),
    )


@pytest.mark.energy(group="batch inference")
def test_inference_batch_size(
    energy: "Energy",
    case: SweepCase,
    profile: Profile,
    load: Callable[[str], Labelled],
    too_large: dict[str, int],
) -> None:
    """Forward passes of an untrained network: its joules don't depend on what it has learnt."""
    name, batch_size = case.swept.model, case.batch_size
    skip_beyond(too_large, f"{name} inference", batch_size)
    labelled, network = load(name), subject(name, profile)
    energy.model(network.bare, labelled.test[:1])
    with fitting_memory(f"{name} inference", batch_size=batch_size, too_large=too_large):
        start_peak(profile.device)
        (steps,) = rounds_of_batches(
            labelled.train,
            labelled.train_labels,
            batch_size=batch_size,
            step_count=case.step_count,
            round_count=1,
        )
        scores = energy.measure(lambda: classify(network.module, steps))
    energy.record(
        batch_size=batch_size,
        parameters=trainable_parameters(network.bare),
        **peak_memory(profile.device),
    )
    assert scores.shape == (batch_size, CLASS_COUNT)
    assert scores.isfinite().all()


def skip_beyond(too_large: dict[str, int], name: str, batch_size: int) -> None:
    """Skip what can't fit, as a smaller size did not."""
    if batch_size > too_large.get(name, batch_size):
        pytest.skip(f"{name} at batch size {batch_size}: {too_large[name]} was out of memory already")
