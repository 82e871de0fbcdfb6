"""Small works whose counts are held against those of another version of torch.

    tests="--noconftest benchmarks/counts/versions.py --energy-baselines=DIR"
    OLD/bin/python -m pytest $tests --energy-baseline=add
    NEW/bin/python -m pytest $tests --energy-report

Where the code is the same, no test is red: what differs is the library's.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

pytestmark = pytest.mark.energy(basis="counts")


class Recurrent(nn.Module):
    """Two layers of an LSTM, and a layer on the last of its states."""

    def __init__(self) -> None:
        super().__init__()
        self.states, self.last = nn.LSTM(32, 64, 2, batch_first=True), nn.Linear(64, 5)

    def forward(self, sequences: Tensor) -> Tensor:
        result: Tensor = self.last(self.states(sequences)[0][:, -1])
        return result


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.LayerNorm(128), nn.Linear(128, 10))


def convolutional() -> nn.Module:
    head = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(head, nn.Flatten(), nn.Linear(16 * 16 * 16, 10))


def transformer() -> nn.Module:
    return nn.Sequential(*(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True) for _ in range(3)))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "perceptron": (perceptron, (32, 64)),
    "convolutional": (convolutional, (8, 3, 32, 32)),
    "transformer": (transformer, (4, 16, 64)),
    "recurrent": (Recurrent, (4, 12, 32)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_training(energy: "Energy", name: str, optimizer: str) -> None:
    """A step, with clipped gradients and a loss that is read."""
    make, shape = NETWORKS[name]
    network, inputs = make(), torch.randn(shape)
    stepper: torch.optim.Optimizer = getattr(torch.optim, optimizer)(network.parameters(), lr=0.01)

    def step() -> float:
        stepper.zero_grad()
        loss = network(inputs).float().square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        stepper.step()
        return float(loss.item())

    assert energy.measure(step) > 0


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_inference(energy: "Energy", name: str, dtype: str) -> None:
    """A pass in inference mode, in bfloat16 under autocast."""
    make, shape = NETWORKS[name]
    network, inputs = make().eval(), torch.randn(shape)

    def forward() -> Tensor:
        with (
            torch.inference_mode(),
            torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bfloat16"),
        ):
            result: Tensor = network(inputs)
            return result

    assert bool(energy.measure(forward).isfinite().all())
