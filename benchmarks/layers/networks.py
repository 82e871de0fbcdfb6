"""Joules by type of layer of the paper's networks; `benchmarks.layers` runs this and says what."""

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn import functional

from benchmarks.bounded_suite import keep_row
from benchmarks.cnn.models import ARCHITECTURES, PAPER_ARCHITECTURES
from benchmarks.cnn.training import LEARNING_RATE, optimiser

if TYPE_CHECKING:
    from pytest_energy import LayerEnergy
    from pytest_energy.plugin.fixture import Energy

VARIABLE = "BENCH_LAYERS"
LEAST_S = 6.0  # a network is not begun with less


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured: networks, images in a step, and rounds of each window."""

    networks: tuple[str, ...]
    batch_size: int
    rounds: int


CARD = Size(networks=PAPER_ARCHITECTURES, batch_size=128, rounds=2)
TINY = Size(networks=("lenet",), batch_size=8, rounds=2)


class Choice:
    """What is run: the device, and until when a further network may begin."""

    def __init__(self) -> None:
        plan = json.loads(os.environ.get(VARIABLE, '{"device": "cpu"}'))
        self.device: str = plan["device"]
        self.size = CARD if self.device == "cuda" else TINY
        number, count = plan.get("part", (1, 1))
        self.networks = self.size.networks[number - 1 :: count]
        self.works: list[str] = plan.get("works", ["training", "forward"])
        self.rows: str | None = plan.get("rows")
        self.deadline_s: float = plan.get("deadline_s", float("inf"))
        self.share_s: float = plan.get("most_s", 120.0) / max(1, len(self.networks) * len(self.works))


CHOICE = Choice()


def row_of(name: str, work: str, found: "LayerEnergy") -> dict[str, Any]:
    """What is kept: joules of the whole, of each part, and of each type as a share of all parts."""
    joules: dict[str, float] = {}
    for part in found.parts:
        if part.cost.energy_j is not None:
            kind = "optimiser" if str(part.stage) == "optimiser" else str(part.layer_type)
            joules[kind] = joules.get(kind, 0.0) + part.cost.energy_j
    total_j = sum(joules.values()) if found.absent_because is None else 0.0
    return {
        "network": name,
        "work": work,
        "energy_j": found.whole.energy_j,
        "whole": asdict(found.whole),
        "shares": {kind: energy_j / total_j for kind, energy_j in joules.items()} if total_j > 0 else {},
        "parts": {part.key: asdict(part.cost) for part in found.parts},
        "explained_share": found.explained_share,
        "explained_share_uncertainty": found.explained_share_uncertainty,
        "explained_active_share": found.explained_active_share,
        "absent_because": found.absent_because,
        "notes": found.notes,
    }


@pytest.mark.parametrize(
    ("name", "work"),
    [
        pytest.param(
            name,
            work,
            id=f"{name}-{work}",
            marks=pytest.mark.energy(
                group=f"layers, {work}",
                model=name,
                samples=CHOICE.size.batch_size,
                rounds=CHOICE.size.rounds,
                warmup=1,
                max_time=CHOICE.share_s,
            ),
        )
        for work in CHOICE.works
        for name in CHOICE.networks
    ],
)
def test_networks(energy: "Energy", name: str, work: str) -> None:
    """Untrained, on noise: neither changes what the layers do."""
    if CHOICE.deadline_s - time.time() < LEAST_S:
        keep_row(CHOICE.rows, {"network": name, "work": work, "not_run": "no time left"})
        pytest.skip("no time left")
    torch.manual_seed(0)
    module = ARCHITECTURES[name]().to(CHOICE.device)
    images = torch.randn(CHOICE.size.batch_size, 3, 32, 32, device=CHOICE.device)
    labels = torch.arange(len(images), device=CHOICE.device) % 10
    began_s = time.time()
    if work == "forward":
        found = energy.layers(module, images)
    else:
        module.train()
        found = energy.layers(
            module,
            images,
            loss=lambda output: functional.cross_entropy(output, labels),
            optimizer=optimiser(module, learning_rate=LEARNING_RATE),
        )
    row = row_of(name, work, found)
    row |= {"device": CHOICE.device, "batch_size": len(images), "test_s": time.time() - began_s}
    keep_row(CHOICE.rows, row)
