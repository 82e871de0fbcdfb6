"""`pytest-energy compare`: the tests of one run judged against those of another."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.judgement import Verdict
from pytest_energy.model import Provenance
from tests.unit.cli.conftest import Cli, at, written


@pytest.mark.parametrize(
    ("energy_j", "status", "verdict"),
    [(10.0, 0, "pass"), (13.0, 1, "regression"), (7.0, 0, "improvement"), (10.45, 0, "inconclusive")],
)
def test_a_run_is_judged_against_another(
    cli: Cli, tmp_path: Path, energy_j: float, status: int, verdict: str
) -> None:
    """The gate's own rule, one session for a baseline; only a regression is status 1."""
    old, new = written(tmp_path / "a.json", at(10.0)), written(tmp_path / "b.json", at(energy_j))
    found, out, err = cli("compare", old, new, "--json")
    assert (found, err) == (status, "")
    (test,) = json.loads(out)["tests"]
    assert test["verdict"] == verdict
    assert test["baseline"]["sessions"] == 1
    assert test["baseline"]["ratio"] == pytest.approx(energy_j / 10)


def test_strict_fails_what_can_not_be_told(cli: Cli, tmp_path: Path) -> None:
    """Under --strict a doubt is status 1."""
    old, new = written(tmp_path / "a.json", at(10.0)), written(tmp_path / "b.json", at(10.45))
    assert cli("compare", old, new, "--strict")[0] == 1


def test_tolerance_and_alpha_are_as_asked(cli: Cli, tmp_path: Path) -> None:
    """+30 % passes where half as much again is allowed, and a value that is none is refused."""
    old, new = written(tmp_path / "a.json", at(10.0)), written(tmp_path / "b.json", at(13.0))
    assert cli("compare", old, new, "--tolerance=0.5")[0] == 0
    for option in ("--tolerance=-1", "--tolerance=nan", "--alpha=0.7", "--tolerance=much"):
        status, _, err = cli("compare", old, new, option)
        assert status == 2
        assert option.partition("=")[2] in err


def test_the_screen_shows_the_report(cli: Cli, tmp_path: Path) -> None:
    """Without --json the report is the one of a run, in the width asked for."""
    old, new = written(tmp_path / "a.json", at(10.0)), written(tmp_path / "b.json", at(13.0))
    _, out, _ = cli("compare", old, new, "--width=80")
    assert out.startswith("energy of 1 test: 1 REGRESSION\n")
    assert "+30.0 %" in out
    assert max(map(len, out.splitlines())) <= 80


def test_tests_of_one_run_only_are_listed(cli: Cli, tmp_path: Path) -> None:
    """They are named with their side, are no failure, and under --strict are one."""
    old = written(tmp_path / "a.json", at(10.0), at(1.0, "t.py::gone"))
    new = written(tmp_path / "b.json", at(10.0), at(1.0, "t.py::new"))
    status, out, _ = cli("compare", old, new, "--json")
    assert status == 0
    document = json.loads(out)
    assert [test["id"] for test in document["tests"]] == ["t.py::test_work"]
    assert document["run_notes"] == [
        f"only in {old}, so not compared: t.py::gone",
        f"only in {new}, so not compared: t.py::new",
    ]
    assert cli("compare", old, new, "--strict")[0] == 1


def test_what_the_old_run_did_not_measure_is_said(cli: Cli, tmp_path: Path) -> None:
    """A test whose old joules are void is compared with nothing, and that is told with the verdict."""
    old = written(tmp_path / "a.json", at(10.0, verdict=Verdict.VOID))
    new = written(tmp_path / "b.json", at(13.0))
    status, out, _ = cli("compare", old, new, "--json")
    assert status == 0
    assert json.loads(out)["run_notes"] == [
        f"{old} has no usable joules of t.py::test_work (void), so it was not compared"
    ]


def test_what_the_new_run_did_not_measure_is_void(cli: Cli, tmp_path: Path) -> None:
    """Joules that must not be used are not compared."""
    old, new = (
        written(tmp_path / "a.json", at(10.0)),
        written(tmp_path / "b.json", at(13.0, verdict=Verdict.VOID)),
    )
    status, out, _ = cli("compare", old, new, "--json")
    assert (status, json.loads(out)["tests"][0]["verdict"]) == (0, "void")


def test_a_budget_plays_no_part(cli: Cli, tmp_path: Path) -> None:
    """What is compared are two runs; a budget was held when each ran."""
    over = replace(at(10.0, budget_j=5.0, verdict=Verdict.OVER_BUDGET), outcome="failed")
    old, new = written(tmp_path / "a.json", at(10.0)), written(tmp_path / "b.json", over)
    assert cli("compare", old, new)[0] == 0


def test_another_machine_is_not_compared(cli: Cli, tmp_path: Path) -> None:
    """Joules of another GPU, or of another provenance, have no ratio."""
    one = at(10.0)
    t4 = replace(one.record.machine, fixed={"gpu_model": "T4"})
    moved = replace(one, record=replace(one.record, machine=t4))
    for other in (moved, at(10.0, provenance=Provenance.REPLAYED)):
        old, new = written(tmp_path / "a.json", one), written(tmp_path / "b.json", other)
        _, out, _ = cli("compare", old, new, "--json")
        assert json.loads(out)["tests"][0]["verdict"] == "not-comparable"


def test_estimates_are_judged_where_asked(cli: Cli, tmp_path: Path) -> None:
    """An estimate fails nothing unless --estimates says so."""
    old = written(tmp_path / "a.json", at(10.0, provenance=Provenance.ESTIMATED))
    new = written(tmp_path / "b.json", at(20.0, provenance=Provenance.ESTIMATED))
    assert cli("compare", old, new)[0] == 0
    assert cli("compare", old, new, "--estimates=gate")[0] == 1


def test_the_report_is_written_where_asked(cli: Cli, tmp_path: Path) -> None:
    """--out writes each format beside the screen, says where, and refuses an unknown one before the work."""
    old, new = written(tmp_path / "a.json", at(10.0)), written(tmp_path / "b.json", at(13.0))
    paths = [tmp_path / "out" / name for name in ("c.json", "c.md", "c.csv")]
    options = [f"--out={path}" for path in paths]
    status, out, _ = cli("compare", old, new, *options)
    assert status == 1
    assert all(path.exists() and f"written to {path}\n" in out for path in paths)
    status, out, err = cli("compare", old, new, f"--out={tmp_path}/c.pdf")
    assert (status, out) == (2, "")
    assert ".csv" in err


def test_a_test_that_is_there_twice_is_refused(cli: Cli, tmp_path: Path) -> None:
    """Nobody can tell which of two records of one test is meant."""
    old = written(tmp_path / "a.json", at(10.0), at(11.0))
    status, _, err = cli("compare", old, old)
    assert status == 2
    assert f"{old} has t.py::test_work twice" in err
