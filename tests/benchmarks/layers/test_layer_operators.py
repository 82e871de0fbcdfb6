"""The script that asks how much of four works their operators explain."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.layers.operators import KEPT, WORK_COUNT, Kept, main
from pytest_energy.profiling.costs import Cost
from pytest_energy.profiling.operator_calls import Stage
from pytest_energy.profiling.operators import OperatorEnergy, OperatorPart


def energy(active_energy_j: float | None) -> OperatorEnergy:
    """A work of 10 J with one operator."""
    whole = Cost(
        energy_j=20.0, uncertainty_j=0.1, duration_s=0.1, active_energy_j=10.0, active_uncertainty_j=0.1
    )
    cost = Cost(active_energy_j=active_energy_j, active_uncertainty_j=0.1, duration_s=0.1)
    part = OperatorPart(stage=Stage.FORWARD, name="aten::mm", names=("aten::mm",), call_count=3, cost=cost)
    return OperatorEnergy(whole=whole, parts=(part,), notes=("a note",))


def document(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_each_result_is_in_the_file_at_once(tmp_path: Path) -> None:
    """Whoever loses the machine halfway has what was known."""
    path = tmp_path / "operators.json"
    kept = Kept(path)
    assert document(path)["works"] == {}
    kept.add("a", energy(9.5))
    assert document(path)["works"]["a"]["explained_share"] == pytest.approx(0.95)
    kept.add("b", energy(9.5))
    works = document(path)["works"]
    assert works.keys() == {"a", "b"}
    assert works["b"]["parts"][0]["stage"] == "forward"
    assert works["b"]["whole"]["active_energy_j"] == 10.0


def test_what_misses_is_named(tmp_path: Path) -> None:
    """Below 90 %, above 110 %, and without a share."""
    kept = Kept(tmp_path / "operators.json")
    for name, active_energy_j in (("good", 10.9), ("low", 8.9), ("high", 11.1), ("absent", None)):
        kept.add(name, energy(active_energy_j))
    assert kept.misses.keys() == {"low", "high", "absent"}
    assert kept.misses["absent"] is None


def test_it_is_complete_with_all_works(tmp_path: Path) -> None:
    """Not before."""
    kept = Kept(tmp_path / "operators.json")
    for number in range(WORK_COUNT):
        assert not kept.is_complete
        kept.add(str(number), energy(10.0))
    assert kept.is_complete


def test_a_run_that_measures_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All four works are run and are in the file with the reason, and the status says no."""
    asked: list[list[str]] = []

    def run(words: list[str], plugins: list[Kept]) -> int:
        asked.append(words)
        (kept,) = plugins
        assert kept.__name__ == KEPT
        kept.add("resnet18-forward", energy(None))
        return 0

    monkeypatch.setattr(pytest, "main", run)
    path = tmp_path / "operators.json"
    assert main(["--out", str(path), "--energy-sensors=nvml"]) == 1
    assert asked[0][-1] == "--energy-sensors=nvml"
    assert "resnet18-forward: no share" in capsys.readouterr().out
    assert document(path)["works"].keys() == {"resnet18-forward"}
