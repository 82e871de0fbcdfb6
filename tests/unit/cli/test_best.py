"""`pytest-energy best`: the best batch size and request rate of a run, and a default beside it."""

import json
from pathlib import Path

import pytest

from pytest_energy.judgement import Judgement, Verdict
from tests.builders import judgement
from tests.unit.cli.conftest import Cli, written


def size(batch_size: int, energy_j: float | None, *, duration_s: float = 1.0) -> Judgement:
    """10 steps in a round."""
    return judgement(
        test_id=f"b.py::test_batch_size[net-{batch_size}]",
        group="batch",
        model=f"net@{batch_size}",
        samples=10 * batch_size,
        energy_j=energy_j,
        duration_s=duration_s,
        uncertainty_j=0.01,
        verdict=Verdict.PASS if energy_j is not None else Verdict.UNMEASURED,
        metrics={"batch_size": float(batch_size)},
        absent={} if energy_j is not None else {"energy_j": "out of memory: 8 GiB"},
    )


def rate(requests_per_s: float, energy_j: float, *, p99_s: float) -> Judgement:
    return judgement(
        test_id=f"r.py::test_requests[1B@{requests_per_s:g}]",
        group="requests",
        model=f"1B@{requests_per_s:g}/s",
        samples=10,
        energy_j=energy_j,
        metrics={"request_rate": requests_per_s, "e2e_p99_s": p99_s},
    )


@pytest.fixture
def run_json(tmp_path: Path) -> Path:
    """2, 1 and 0.9 J per sample at 4, 8 and 16, whose steps take 0.1, 0.1 and 0.3 s; 64 does not fit."""
    sizes = (size(4, 80.0), size(8, 80.0), size(16, 144.0, duration_s=3.0), size(64, None))
    return written(tmp_path / "run.json", *sizes, rate(1, 100.0, p99_s=0.5), rate(8, 40.0, p99_s=2.0))


def test_the_best_of_each_sweep(cli: Cli, run_json: Path) -> None:
    """Fewest joules per sample; what did not fit has its reason in its row."""
    done = cli("best", run_json)
    assert done.status == 0
    lines = done.out.splitlines()
    assert lines[0] == "net"
    assert "best batch size: 16; 95 % interval 16 to 16" in lines
    assert "best request rate: 8; 95 % interval 8 to 8" in lines
    assert next(line for line in lines if line.split()[:1] == ["64"]).endswith("out of memory: 8 GiB")


def test_a_limit_of_latency(cli: Cli, run_json: Path) -> None:
    """A step, or the slowest hundredth of requests, must be within it."""
    done = cli("best", run_json, "--most-latency", "200 ms")
    assert "best batch size: 8; 95 % interval 8 to 8" in done.out
    assert "above the latency limit" in done.out
    assert "no best request rate: none keeps the latency limit of 200 ms" in done.out


def test_a_default_far_from_the_best_is_status_1(cli: Cli, run_json: Path) -> None:
    """Only if it is clearly above what is accepted; a default that one sweep lacks is not compared in it."""
    far = cli("best", run_json, "--default", "4", "--most-excess", "10%")
    assert far.status == 1
    assert "default 4: +122.2 % [" in far.out
    assert "default 4: not compared: 4 is not in the sweep" in far.out
    assert cli("best", run_json, "--default", "4", "--most-excess", "100%").status == 1
    assert cli("best", run_json, "--default", "16", "--most-excess", "10%").status == 0


def test_json_and_markdown(cli: Cli, run_json: Path) -> None:
    """The same for programs and for pages; what is missing is null, with its reason."""
    sizes, rates = json.loads(cli("best", run_json, "--json", "--default", "8").out)
    assert (sizes["best"], sizes["may_be_best"], sizes["what"]) == ("16", ["16"], "batch size")
    assert sizes["excess"][0] == pytest.approx(1.0 / 0.9)
    assert sizes["settings"][3]["energy_per_sample_j"] is None
    assert sizes["settings"][3]["absent_because"] == "out of memory: 8 GiB"
    assert sizes["settings"][0]["latency_s"] == pytest.approx(0.1)
    assert (rates["best"], rates["excess"][0]) == ("8", 1.0)
    text = cli("best", run_json, "--markdown").out
    assert "**net**" in text
    assert "| 64 | - | - | - | out of memory: 8 GiB |" in text
    assert "- best batch size: 16; 95 % interval 16 to 16" in text


def test_what_can_not_be_used_is_status_2(cli: Cli, tmp_path: Path, run_json: Path) -> None:
    """A run without a sweep; a limit without a default."""
    none = cli("best", written(tmp_path / "other.json", judgement()))
    assert (none.status, "has no sweep" in none.err) == (2, True)
    lone = cli("best", run_json, "--most-excess", "10%")
    assert (lone.status, "give --default as well" in lone.err) == (2, True)
