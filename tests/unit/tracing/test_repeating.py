"""Training steps of real networks and loaders, traced twice: the same, and nothing is left behind."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.cnn import models
from pytest_energy.counts import Counts
from pytest_energy.tracing.tracer import traced

HERE = Path(__file__).parents[3]


def counted(work: Callable[[], object]) -> Counts:
    counts = traced(work, folder=HERE, most_s=60.0)
    assert isinstance(counts, Counts), counts
    return counts


def training_step(network: nn.Module) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(network.parameters())
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([1, 2])

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("resnet18", "mobilenet_v2", "vit_tiny")]


@pytest.mark.parametrize("name", ["lenet", *SLOW])
def test_network(name: str) -> None:
    """A training step of a network has the same counts each time, and its operators have places."""
    step = training_step(getattr(models, name)())
    step()  # the optimiser makes its state in the first one
    one, other = counted(step), counted(step)
    assert (one.trace_count, one.is_repeating) == (2, True)
    assert one.digest == other.digest
    assert all(entry.places for entry in one.entries if entry.kind == "gradient")


def test_loader_in_other_processes() -> None:
    """A loader that forks while its parent is traced gives its batches, and ends."""
    dataset = TensorDataset(torch.arange(8.0))

    def work() -> float:
        loader = DataLoader(dataset, batch_size=4, num_workers=1, multiprocessing_context="fork")
        return sum(float(batch.sum()) for (batch,) in loader)

    counts = counted(work)
    reads = [entry.count for entry in counts.entries if entry.name == "aten::item"]
    assert reads == [3]  # two sums, and the seed that the loader draws for its processes
    assert sys.getprofile() is None
