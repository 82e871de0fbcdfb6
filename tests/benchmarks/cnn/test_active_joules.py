"""The table of active joules that `active:P` is a share of."""

import json
from pathlib import Path

import pytest

from benchmarks.cnn.active_joules import (
    FILE,
    Round,
    UnknownTest,
    active_j_of,
    active_joules,
    main,
    mean_of,
    ready_line,
    rounds_of,
)
from benchmarks.profiles import GPU

SESSIONS = Path(__file__).parents[3] / "docs" / "results" / "sessions" / "h100"
H100 = "NVIDIA H100 80GB HBM3"


def taken(*, energy_j: float, temperature_c: float, ready_power_w: float | None = None) -> Round:
    """Two seconds of a card whose ready power is 100 W and 0.5 W/K more."""
    return Round(
        test_id="t",
        energy_j=energy_j,
        duration_s=2.0,
        ready_power_w=100 + 0.5 * temperature_c if ready_power_w is None else ready_power_w,
        temperature_c=temperature_c,
    )


def test_waiting_is_taken_away_at_each_rounds_temperature() -> None:
    """300 J at 40 °C less 2 s at 120 W are 60 J, as are 310 J at 50 °C."""
    rounds = [taken(energy_j=300, temperature_c=40), taken(energy_j=310, temperature_c=50)]
    assert active_joules(rounds) == {"t": pytest.approx(60.0)}


def test_one_odd_stretch_moves_no_line() -> None:
    """A quiet stretch that still held work is left out of the line."""
    rounds = [taken(energy_j=300, temperature_c=30.0 + degree) for degree in range(12)]
    odd = taken(energy_j=300, temperature_c=35, ready_power_w=180)
    assert ready_line([*rounds, odd]) == pytest.approx((100.0, 0.5), abs=1e-6)


def test_a_test_is_the_mean_of_the_runs_that_hold_it() -> None:
    """A run without the test neither raises nor lowers it."""
    assert mean_of([{"a": 1.0, "b": 4.0}, {"a": 2.0}]) == {"a": 1.5, "b": 4.0}


def test_the_table_is_that_of_the_kept_runs(tmp_path: Path) -> None:
    """The command gives the committed table again from the runs that it names."""
    names = json.loads(FILE.read_text(encoding="utf-8"))["runs"]
    out = tmp_path / "table.json"
    assert main([*(str(SESSIONS / name) for name in names), "--out", str(out)]) == 0
    assert json.loads(out.read_text(encoding="utf-8")) == json.loads(FILE.read_text(encoding="utf-8"))


def test_every_test_of_the_profile_is_in_the_table() -> None:
    """Training and inference of each network of `gpu`, with joules above 0."""
    for kind in ("training", "inference"):
        for name in GPU.cnn.models:
            test_id = f"benchmarks/cnn/test_{kind}.py::test_{kind}[{GPU.case_id(name)}]"
            assert active_j_of(test_id, H100) > 0


def test_another_gpu_or_test_is_an_error() -> None:
    """Nothing is planted by another card's figures, or by none."""
    test_id = "benchmarks/cnn/test_training.py::test_training[lenet-gpu]"
    with pytest.raises(UnknownTest, match="has those of NVIDIA H100 80GB HBM3, not of Tesla T4"):
        active_j_of(test_id, "Tesla T4")
    with pytest.raises(UnknownTest, match="has none of elsewhere::test"):
        active_j_of("elsewhere::test", H100)


def test_runs_of_two_gpus_make_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are named, and nothing is written."""
    first = SESSIONS / "board-d-1.json"
    other = tmp_path / "other.json"
    other.write_text(first.read_text(encoding="utf-8").replace(H100, "Tesla T4"), encoding="utf-8")
    out = tmp_path / "table.json"
    assert main([str(first), str(other), "--out", str(out)]) == 2
    assert "NVIDIA H100 80GB HBM3, Tesla T4" in capsys.readouterr().err
    assert not out.exists()


def test_void_rounds_do_not_count(tmp_path: Path) -> None:
    """A round that is void has no joules to count."""
    document = json.loads((SESSIONS / "board-d-2.json").read_text(encoding="utf-8"))
    count = sum(len(test["rounds"]) for test in document["tests"])
    document["tests"][0]["rounds"][0]["void_because"] = "the counter was reset"
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert len(rounds_of(path)) == count - 1
