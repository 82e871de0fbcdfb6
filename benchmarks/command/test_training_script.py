"""Energy of a training script from start to end: interpreter, imports and all."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.profile_sizes import Profile

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

SCRIPT = Path(__file__).parent / "train.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The script's numbers on one kind of device."""

    steps: int
    width: int
    batch_size: int


SIZES = {
    "cpu": Size(steps=500, width=128, batch_size=64),
    "cuda": Size(steps=2000, width=8192, batch_size=4096),
}


@pytest.mark.energy(group="command", rounds=3, warmup=1)
def test_training_script(energy: "Energy", profile: Profile) -> None:
    """The script is run as it is; the loss that it prints says that it has learned."""
    size = SIZES[profile.device]
    words = [sys.executable, str(SCRIPT), f"--device={profile.device}", f"--steps={size.steps}"]
    words += [f"--width={size.width}", f"--batch-size={size.batch_size}"]
    result = energy.command(words, samples=size.steps * size.batch_size, timeout_s=120)
    loss = json.loads(result.stdout)["loss"]
    energy.record(loss=loss)
    assert loss < 1.0  # guessing among ten classes is 2.3
