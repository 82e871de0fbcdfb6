"""The example of the ledger: its combinations, its phases, and a run that is cut."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.pipeline import __main__ as bench
from benchmarks.pipeline import work
from tests.unit.ledger.test_ledger import cell

SMALL = work.Scale(
    device="cpu", train_images=64, test_images=40, epochs=3, train_batch=32, serve_batch=8, batches=2
)


def test_every_combination_comes_once() -> None:
    """On and off, and each has a name of its own."""
    combinations = work.combinations()
    assert len(set(combinations)) == 2 ** len(work.PRACTICES)
    assert len({work.name_of(one) for one in combinations}) == len(combinations)
    assert work.name_of([True, False, True]) == "amp-half"


def test_images_are_the_same_in_every_combination() -> None:
    """Noise from a seed, so that practices are compared on equal data."""
    first, second = work.made_images(SMALL), work.made_images(SMALL)
    assert torch.equal(first.train, second.train)
    assert first.train.shape == (64, 3, 32, 32)


def test_early_stopping_ends_when_accuracy_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first epoch that gains too little; without it all epochs are trained."""
    images = work.made_images(SMALL)
    monkeypatch.setattr(work, "accuracy", lambda *_: 0.5)
    assert work.trained(SMALL, images, is_amp=False, is_early=True)[1] == 2
    assert work.trained(SMALL, images, is_amp=False, is_early=False)[1] == SMALL.epochs


def test_a_halved_network_answers_in_16_bits() -> None:
    """And its accuracy is taken with its own inputs."""
    images = work.made_images(SMALL)
    network = work.halved(SMALL.network())
    assert work.served(SMALL, network, images.train) == 16
    assert 0 <= work.held_out_accuracy(network, images) <= 1


def test_a_run_that_fails_is_no_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is of the complete runs; with none there is none, and the status says so."""
    phases = {"train": 10.0, "serve": 50.0}
    seeds: list[int] = []

    def ran(path: Path, _device: str, seed: int, _most_s: float) -> int:
        from tests.unit.cli.conftest import written

        seeds.append(seed)
        written(path, *(cell(on, phases, practices=work.PRACTICES) for on in work.combinations()))
        return int(seed == 2)

    monkeypatch.setattr(bench, "_run", ran)
    monkeypatch.setattr("sys.argv", ["pipeline", str(tmp_path), "--device", "cpu"])
    assert bench.main() == 0
    assert seeds == [1, 2, 3]
    assert json.loads((tmp_path / "ledger.json").read_text(encoding="utf-8"))["block_count"] == 2
    monkeypatch.setattr(bench, "_run", lambda *_: 1)
    assert bench.main() == 1
