"""Energy of training over batch sizes: each machine has a best one (Sanchez-Mompo et al. 2025, section 6.1).

`benchmarks/cnn/best_batch.py` reads it out of the JSON of a run.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from benchmarks.cnn.images import Labelled
from benchmarks.cnn.subject import subject
from benchmarks.cnn.training import finite_loss, fitting_memory, optimiser, rounds_of_batches, train
from benchmarks.profiles import Profile, SweptModel, chosen
from pytest_energy.profiling.pytorch import trainable_parameters

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepCase:
    """One model at one batch size."""

    swept: SweptModel
    batch_size: int


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each model and size, sizes ascending: what doesn't fit ends the sweep of its model."""
    profile = chosen(metafunc.config)
    sweep = profile.cnn.sweep
    cases = [
        pytest.param(
            SweepCase(swept=swept, batch_size=batch_size),
            id=profile.case_id(f"{swept.model}-{batch_size}"),
            marks=pytest.mark.energy(
                model=f"{swept.model}@{batch_size}",
                samples=batch_size * sweep.step_count(swept, batch_size),
                rounds=sweep.rounds,
                warmup=sweep.warmup,
                max_time=sweep.max_time_s,
            ),
        )
        for swept in sweep.models
        for batch_size in sweep.batch_sizes
    ]
    metafunc.parametrize("case", cases)


@pytest.fixture(scope="module")
def too_large() -> dict[str, int]:
    """Smallest batch size found not to fit, by model."""
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
    if batch_size > too_large.get(name, batch_size):
        pytest.skip(f"{name} at batch size {batch_size}: {too_large[name]} was out of memory already")
    labelled, network = load(name), subject(name, profile)
    energy.model(network.bare, labelled.test[:1])
    optimiser_ = optimiser(network.module, learning_rate=size.learning_rate)
    with fitting_memory(name, batch_size=batch_size, too_large=too_large):
        rounds = cycle(
            rounds_of_batches(
                labelled.train,
                labelled.train_labels,
                batch_size=batch_size,
                step_count=size.sweep.step_count(case.swept, batch_size),
                round_count=size.sweep.warmup + size.sweep.rounds,
            )
        )
        loss = energy.measure(lambda: train(network.module, next(rounds), optimiser_))
    energy.record(
        batch_size=batch_size,
        loss=finite_loss(loss, learning_rate=size.learning_rate),
        parameters=trainable_parameters(network.bare),
    )
