"""A real Ray cluster of three nodes on this machine, of which one is killed."""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("ray")

from benchmarks.ray import local


@pytest.mark.slow
def test_a_reading_is_of_all_nodes_or_void(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums are the truth, the killed node is named, and the run goes on with those that are left."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    local.main([str(tmp_path), "--quick"])
    found = json.loads((tmp_path / "ray-local.json").read_text(encoding="utf-8"))
    assert {name: test["verdict"] for name, test in found["tests"].items()} == {
        "test_all_nodes": "no-baseline",
        "test_node_is_killed": "void",
        "test_nodes_that_are_left": "no-baseline",
    }
    # A node left out would be a quarter of the sum. A busy machine sees ticks late, by some joules.
    assert [round_["energy_j"] for round_ in found["rounds"]] == [
        pytest.approx(round_["truth_j"], rel=0.02) for round_ in found["rounds"]
    ]
    assert len(found["rounds"]) == 4
