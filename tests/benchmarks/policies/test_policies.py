"""The benchmark of serving policies: its networks, its suite on simulated joules, and its table."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from benchmarks.policies.__main__ import VARIABLE, main, table  # noqa: E402
from benchmarks.policies.networks import CONFIDENCES, Pair, confidence, noisy  # noqa: E402
from tests.plugin.conftest import Project, project  # noqa: E402

__all__ = ["project"]

SUITE = """
from dataclasses import replace
import torch
from benchmarks.policies import suite
from benchmarks.policies.networks import Pair, TINY
from benchmarks.policies.suite import test_batch_size, test_model_choice

suite.CHOICE = suite.Choice()
# Requests enough for a sharp accuracy, two in a batch so that none waits, and a limit that no host misses.
suite.CHOICE.scale = replace(TINY, stage_s=0.03, one_burst=10_000.0, burst=10_000.0, most=2, limit_s=30.0)

class Bright(torch.nn.Module):
    '''Class 1 for a pixel above 0, else class 0; it is sure if the pixel is far from 0.'''
    def forward(self, images):
        return torch.stack([-images.flatten(1).sum(1), images.flatten(1).sum(1)], 1)

@pytest.fixture(scope="module")
def pair():
    items = [torch.full((1, 1, 1), pixel) for pixel in (-3.0, 3.0, -0.1, 0.1)] * 100
    return Pair(
        small=Bright(), large=Bright(), device="cpu", items=items, labels=[0, 1] * 200,
        least_confidence=0.9, calibrated=(1.0, 1.0),
    )
"""


def run_suite(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, spare_s: float = 600.0
) -> list[dict[str, Any]]:
    """Rows of the suite with two networks that always answer right: references 10 J, all others 8 J."""
    rows = project.path / "policies.json"
    plan = {"device": "cpu", "rows": str(rows), "deadline_s": time.time() + spare_s}
    monkeypatch.setenv(VARIABLE, json.dumps(plan))
    project.write(SUITE)
    pairs = {"test_batch_size": ("one-by-one", "adaptive"), "test_model_choice": ("small", "cascade")}
    ids = [f"{test}[{name}]" for test, names in pairs.items() for name in names]
    project.replay(
        {name: [8.0, 8.1, 7.9] for name in ids}
        | {f"{name}#{'fixed-8' if 'batch' in name else 'large'}": [10.0, 10.1, 9.9] for name in ids}
    )
    run = project.run("--energy-baseline=off")
    outcomes = run.result.parseoutcomes()
    assert sum(outcomes.get(name, 0) for name in ("passed", "skipped")) == 4, run.text
    found: list[dict[str, Any]] = json.loads(rows.read_text())
    return found


def test_each_pair_gives_a_row_with_its_ratio(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pairs in their order, each with the ratio of the joules that its sides read."""
    found = run_suite(project, monkeypatch)
    rows = [row for row in found if "candidate" in row]
    names = [(row["reference"]["name"], row["candidate"]["name"]) for row in rows]
    assert names == [
        ("fixed-8", "one-by-one"),
        ("fixed-8", "adaptive"),
        ("large", "small"),
        ("large", "cascade"),
    ]
    for row in rows:
        assert row["absent"] == {}
        assert row["ratio"]["value"] == pytest.approx(0.8, rel=0.01)
        assert row["verdict"] == "cheaper"
    assert rows[2]["candidate"]["accuracy"]["value"] == 1.0
    (cascade,) = [row["cascade"] for row in found if "cascade" in row]
    assert cascade["handed_share"] == pytest.approx(0.5, abs=0.01)  # half of the pixels are near 0


def test_a_pair_without_time_is_named_not_measured(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the deadline no pair begins: each has a row without joules."""
    rows = run_suite(project, monkeypatch, spare_s=-1.0)
    assert [row["not_run"] for row in rows] == ["no time left"] * 4
    assert "fixed-8, adaptive: not run: no time left" in table(rows)


def test_a_run_that_is_cut_ends_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time for no pair at all: the suite is stopped, nothing is printed as measured, the status is 1."""
    words = ["policies", str(tmp_path / "out"), "--device", "cpu", "--most-s", "0.01"]
    monkeypatch.setattr(sys, "argv", words)
    assert main() == 1
    assert "no pair was run" in capsys.readouterr().out
    assert not (tmp_path / "out" / "policies.json").exists()


def side(name: str, energy_j: float, **members: object) -> dict[str, object]:
    return {
        "name": name,
        "energy_per_request_j": energy_j,
        "latency": {"p50_s": 0.01, "p99_s": 0.02},
        "slo_share": 1.0,
        "accuracy": None,
        "mean_batch_size": 8.0,
        **members,
    }


ROW: dict[str, Any] = {
    "reference": side("fixed-8", 0.5),
    "candidate": side("adaptive", 0.25, latency=None),
    "ratio": {"value": 0.5, "lower": 0.45, "upper": 0.55},
    "verdict": "cheaper",
    "accuracy_change": None,
}


def test_a_table_shows_both_sides_and_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reference's value comes first; a missing value is a dash, not 0."""
    path = tmp_path / "policies.json"
    path.write_text(json.dumps([ROW]), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["policies", "--table", str(path)])
    assert main() == 0
    assert (
        "| fixed-8, adaptive | 0.5, 0.25 | 0.500 [0.450, 0.550] | cheaper | 10, - ms | 20, - ms "
        "| 100, 100 % | -, - % | 8, 8 |"
    ) in capsys.readouterr().out


def test_a_table_says_why_there_is_no_ratio() -> None:
    """The reason has the name of the side that is not compared."""
    because = "adaptive did not keep the latency limit: 40 %"
    shown = table([{**ROW, "ratio": None, "verdict": "not compared", "absent": {"ratio": because}}])
    assert "| - | not compared |" in shown
    assert f"adaptive: no ratio: {because}" in shown


SMALL, LARGE, LABELS = (torch.tensor(classes) for classes in ([0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]))


@pytest.mark.parametrize(
    ("sure", "least", "reached"),
    [
        ([0.99, 0.99, 0.55, 0.99], 0.6, 1.0),  # 0.6 hands on the image that the small one gets wrong
        ([0.40, 0.40, 0.40, 0.40], CONFIDENCES[0], 1.0),
        ([0.40, 0.40, 1.00, 0.40], CONFIDENCES[-1], 0.75),  # sure of what is wrong: none is enough
    ],
)
def test_the_lowest_confidence_that_loses_nothing_is_chosen(
    sure: list[float], least: float, reached: float
) -> None:
    """The highest one where none is as accurate as the large network, with what it reaches."""
    found, (wanted, got) = confidence(torch.tensor(sure), SMALL, LARGE, LABELS)
    assert (found, wanted, got) == (least, 1.0, reached)


def test_a_network_is_asked_for_a_batch_in_its_order() -> None:
    """Classes of each image, and the small network's with their probability."""
    flat = torch.nn.Flatten()
    pair = Pair(
        small=flat,
        large=flat,
        device="cpu",
        items=(),
        labels=(),
        least_confidence=0.5,
        calibrated=(1.0, 1.0),
    )
    items = [torch.tensor([0.0, 9.0]), torch.tensor([9.0, 0.0])]
    assert pair.answer_large(items) == pair.classes_small(items) == [1, 0]
    assert [probability for _, probability in pair.answer_small(items)] == pytest.approx([1.0, 1.0], abs=1e-3)


def test_images_are_the_same_in_every_run() -> None:
    """Noise and order are from a seed, so that the pairs of two hosts are asked the same."""
    from benchmarks.cnn.images import digits

    (_, first), (_, again) = (noisy(digits()) for _ in range(2))
    assert torch.equal(first[0], again[0])
    assert len(first[1]) == 1440
