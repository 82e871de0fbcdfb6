"""The benchmark of layers by network: its suite on replayed joules, its table, and what a cut run says."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchvision")

from benchmarks.layers.__main__ import VARIABLE, main, table
from benchmarks.layers.networks import CARD, Choice, row_of
from pytest_energy import Cost, LayerEnergy, LayerPart
from pytest_energy.profiling.layer_types import LayerType
from pytest_energy.profiling.operator_calls import Stage
from tests.plugin.conftest import Project, project

__all__ = ["project"]

SUITE = "from benchmarks.layers.networks import test_networks\n"
TYPES = ("convolution", "linear", "activation", "pooling", "other")


def rows_of(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, spare_s: float = 600.0
) -> list[dict[str, Any]]:
    """Rows of the suite for a forward pass of LeNet, 10 J, whose convolutions use 6 J and all others 1 J."""
    path = project.path / "layers.json"
    plan = {"device": "cpu", "works": ["forward"], "rows": str(path), "deadline_s": time.time() + spare_s}
    monkeypatch.setenv(VARIABLE, json.dumps(plan))
    monkeypatch.delitem(sys.modules, "benchmarks.layers.networks", raising=False)  # it reads the plan
    project.write(SUITE)
    name = "test_networks[lenet-forward]"
    parts = {f"{name}#{kind}": [6.0 if kind == "convolution" else 1.0] * 2 for kind in TYPES}
    project.replay({name: [10.0, 10.0], **parts})
    run = project.run("--energy-baseline=off", "--energy-trace=off")
    outcomes = run.result.parseoutcomes()
    assert outcomes.get("passed", 0) + outcomes.get("skipped", 0) == 1, run.text
    found: list[dict[str, Any]] = json.loads(path.read_text())
    return found


def test_a_network_has_a_row(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Joules of the whole, and the share of each type in all parts."""
    (row,) = rows_of(project, monkeypatch)
    assert (row["network"], row["work"], row["energy_j"]) == ("lenet", "forward", 10.0)
    assert row["shares"]["convolution"] == pytest.approx(0.6)
    assert row["explained_share"] == pytest.approx(1.0)


def test_no_time_left_is_a_row(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that can't begin any more is named with the reason."""
    (row,) = rows_of(project, monkeypatch, spare_s=1.0)
    assert row == {"network": "lenet", "work": "forward", "not_run": "no time left"}


def cost(energy_j: float | None) -> Cost:
    return Cost(energy_j=energy_j, uncertainty_j=0.1, absent_because=None if energy_j else "no joules")


def step(*costs: float | None) -> LayerEnergy:
    kinds = (
        (LayerType.CONVOLUTION, Stage.FORWARD),
        (LayerType.CONVOLUTION, Stage.BACKWARD),
        (LayerType.BETWEEN, Stage.OPTIMISER),
    )
    return LayerEnergy(
        whole=cost(10.0),
        parts=tuple(
            LayerPart(layer_type=kind, stage=stage, call_count=1, cost=cost(energy_j), macs=None)
            for (kind, stage), energy_j in zip(kinds, costs, strict=True)
        ),
    )


def test_a_type_is_both_of_its_passes() -> None:
    """The optimiser is a part of its own."""
    row = row_of("a", "training", step(2.0, 4.0, 3.0))
    assert row["shares"] == {"convolution": pytest.approx(2 / 3), "optimiser": pytest.approx(1 / 3)}


def test_a_part_without_joules_leaves_no_shares() -> None:
    """They would be too large; the reason is kept."""
    row = row_of("a", "training", step(2.0, None, 3.0))
    assert (row["shares"], row["absent_because"]) == ({}, "convolution_backward: no joules")


def test_the_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shares in percent with their mean; what has none is named with the reason."""
    rows = [
        {**row_of("a", "training", step(2.0, 4.0, 3.0)), "device": "cuda"},
        row_of("b", "training", step(2.0, None, 3.0)),
        {"network": "c", "work": "training", "not_run": "no time left"},
    ]
    path = tmp_path / "layers.json"
    path.write_text(json.dumps(rows, default=vars))
    monkeypatch.setattr(sys, "argv", ["layers", "--table", str(path)])
    assert main() == 0
    text = capsys.readouterr().out
    assert "| network | J | convolution | optimiser | explained |" in text
    assert "| a | 10 | 66.7 | 33.3 | 90.0 +- " in text
    assert "b, training: no shares: convolution_backward: no joules" in text
    assert "c, training: not run: no time left" in text
    assert "estimates" not in text
    assert table([{**rows[0], "device": "cpu"}]).endswith("from the time of the processor.")


def test_networks_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together the parts are all networks, each once."""
    taken: list[str] = []
    for number in (1, 2):
        monkeypatch.setenv(VARIABLE, json.dumps({"device": "cuda", "part": [number, 2]}))
        taken += Choice().networks
    assert sorted(taken) == sorted(CARD.networks)


@pytest.mark.parametrize("arguments", [["out", "--part", "3/2"], ["out", "--works", "serving"], []])
def test_wrong_arguments(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Nothing is run."""
    monkeypatch.setattr(sys, "argv", ["layers", *arguments])
    with pytest.raises(SystemExit):
        main()
