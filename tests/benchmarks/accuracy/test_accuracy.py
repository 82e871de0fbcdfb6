"""The benchmark of joules to an accuracy: its suite on replayed joules, and its table."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from benchmarks.accuracy.__main__ import VARIABLE, main, table  # noqa: E402
from benchmarks.accuracy.suite import TINY, Trainer  # noqa: E402
from benchmarks.cnn.images import Labelled  # noqa: E402
from tests.plugin.conftest import TEST_FILE, Project, project  # noqa: E402

__all__ = ["project"]

SUITE = """
from dataclasses import replace
from benchmarks.accuracy import suite
from benchmarks.accuracy.suite import images, test_until

suite.CHOICE = suite.Choice()
suite.CHOICE.size = replace(suite.TINY, most_epochs=1, epoch_images=64)
"""


def rows_of(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, spare_s: float = 600.0
) -> list[dict[str, Any]]:
    """Rows of the suite, whose two trainings of one short epoch use 10 J each."""
    path = project.path / "accuracy.json"
    plan = {"device": "cpu", "rows": str(path), "deadline_s": time.time() + spare_s, "most_s": 60.0}
    monkeypatch.setenv(VARIABLE, json.dumps(plan))
    project.write(SUITE)
    epoch = {"name": "epoch", "energy_j": 10.0, "uncertainty_j": 0.1, "duration_s": 1.0}
    one = {"energy_j": 10.0, "duration_s": 1.0, "channels": {"gpu:0": 10.0}, "phases": [epoch]}
    tests = {f"{TEST_FILE}::test_until[lenet]": {"rounds": [one, one]}}
    (project.path / "replay.json").write_text(json.dumps({"format": 1, "tests": tests}))
    run = project.run("--energy-baseline=off", "--energy-trace=off")
    outcomes = run.result.parseoutcomes()
    assert outcomes.get("passed", 0) + outcomes.get("skipped", 0) == 1, run.text
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def test_a_network_has_a_row(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its trainings, and that 64 images don't suffice for 80 %."""
    (row,) = rows_of(project, monkeypatch)
    assert (row["network"], row["images"], row["provenance"]) == ("lenet", "digits", "replayed")
    assert [[epoch["energy_j"] for epoch in training] for training in row["trainings"]] == [[10.0], [10.0]]
    assert row["targets"][0]["absent_because"].startswith("2 of 2 trainings ended below 0.8")


def test_no_time_left_is_a_row(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that can't begin any more is named with the reason."""
    assert rows_of(project, monkeypatch, spare_s=1.0) == [{"network": "lenet", "not_run": "no time left"}]


@pytest.fixture(scope="module")
def few_images() -> Labelled:
    images, labels = torch.randn(10, 3, 32, 32), torch.arange(10)
    return Labelled(name="few", train=images, train_labels=labels, test=images, test_labels=labels)


def test_epochs_take_other_images_until_all_were_seen(
    few_images: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image once before any comes again; a seed fixes the order and the weights."""
    taken: list[list[int]] = []
    monkeypatch.setattr(
        "benchmarks.accuracy.suite.train",
        lambda _, steps, __: taken.extend(labels.tolist() for _, labels in steps),
    )
    trainers = [Trainer("lenet", few_images, 3) for _ in range(2)]
    for trainer in trainers:
        trainer.size = TINY.__class__(
            networks=(), batch_size=2, epoch_images=5, test_images=10, most_epochs=1, repeats=1
        )
        trainer.epoch()
        trainer.epoch()
    labels = [label for batch in taken for label in batch]
    assert sorted(labels[:10]) == [*range(10)]
    assert labels[:10] == labels[10:]
    first, second = (next(trainer.module.parameters()) for trainer in trainers)
    assert torch.equal(first, second)


ROW: dict[str, Any] = {
    "network": "lenet",
    "provenance": "measured",
    "trainings": [[{"accuracy": 0.85, "energy_j": 10.0}, {"accuracy": 0.88, "energy_j": 20.0}]] * 2,
    "targets": [
        {
            "target": 0.8,
            "epochs": [1, 1],
            "energy_j": 10.0,
            "interval_j": [9.0, 11.0],
            "least_energy_j": None,
            "absent_because": "",
        },
        {
            "target": 0.9,
            "epochs": [None, None],
            "energy_j": None,
            "interval_j": None,
            "least_energy_j": 20.0,
            "absent_because": "2 of 2 trainings ended below 0.9",
        },
    ],
}


def test_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Joules with their interval, the least where an accuracy was missed, and why."""
    path = tmp_path / "accuracy.json"
    path.write_text(json.dumps([ROW, {"network": "vgg16", "not_run": "no time left"}]))
    monkeypatch.setattr(sys, "argv", ["accuracy", "--table", str(path)])
    assert main() == 0
    text = capsys.readouterr().out
    assert "| lenet | 2 | 10 | 0.880 to 0.880 | 10 [9, 11] | 1, 1 | at least 20 | -, - |" in text
    assert "lenet, 90 %: 2 of 2 trainings ended below 0.9" in text
    assert "vgg16: not run: no time left" in text


def test_estimates_and_missing_joules_are_called_so() -> None:
    """A dash where nothing was measured, one training without an interval, estimates by their name."""
    lost = {**ROW["targets"][0], "energy_j": None, "interval_j": None}
    alone = {**ROW["targets"][0], "interval_j": None}
    epochs = [[{"accuracy": 0.9, "energy_j": None}]]
    text = table([{**ROW, "provenance": "estimated", "trainings": epochs, "targets": [lost, alone]}])
    assert "| lenet | 1 | - | 0.900 to 0.900 | - | 1, 1 | 10 [one training] | 1, 1 |" in text
    assert text.endswith("joules are estimated: lenet")
