"""Every combination of three practices, in an order from a seed; `benchmarks.pipeline` runs this."""

import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from benchmarks.pipeline import work

if TYPE_CHECKING:
    from benchmarks.cnn.images import Labelled
    from pytest_energy.plugin.fixture import Energy

VARIABLE = "BENCH_PIPELINE"
PLAN = json.loads(os.environ.get(VARIABLE, '{"device": "cpu", "seed": 0}'))
SCALE = work.CARD if PLAN["device"] == "cuda" else work.TINY
ORDER = random.Random(PLAN["seed"]).sample(work.combinations(), 2 ** len(work.PRACTICES))  # noqa: S311


@pytest.fixture(scope="module")
def warm() -> None:
    work.warm_up(SCALE, work.made_images(SCALE))


@pytest.mark.energy(group="pipeline", max_time="120 s")
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize(work.PRACTICES, ORDER, ids=map(work.name_of, ORDER))
def test_pipeline(energy: "Energy", amp: bool, early: bool, half: bool) -> None:  # noqa: FBT001
    """One pass through all phases."""
    with energy.window("data"):
        images: Labelled = work.made_images(SCALE)
        work.wait(SCALE)
    with energy.window("train"):
        network, epochs = work.trained(SCALE, images, is_amp=amp, is_early=early)
    with energy.window("evaluate"):
        accuracy = work.held_out_accuracy(network, images)
    if half:
        with energy.window("quantise"):
            network = work.halved(network)
            accuracy = work.held_out_accuracy(network, images)
    with energy.window("serve", samples=SCALE.batches * SCALE.serve_batch):
        work.served(SCALE, network, images.train)
    energy.record(accuracy=accuracy, epochs=epochs)
    energy.record(practice_amp=amp, practice_early=early, practice_half=half)
