"""`pytest-energy show TEST` and `compare`: histories and runs read again."""

import json
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.cli import documents
from pytest_energy.model import Judgement, Provenance, Verdict
from tests.builders import KEY, TEST_ID, judgement, record, sessions
from tests.unit.cli.conftest import Cli, written


def at(energy_j: float | None, test_id: str = "t.py::test_work", **more: object) -> Judgement:
    return judgement(test_id=test_id, energy_j=energy_j, uncertainty_j=0.02, **more)  # type: ignore[arg-type]  # its own words


# show TEST

OTHER_ID = "tests/test_other.py::test_other[x-1]"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Baselines of two tests, one of them on two machines."""
    store = Store(tmp_path / "baselines")
    store.write(KEY, TEST_ID, sessions(3), "add")
    store.write("t4", TEST_ID, [record(key="t4")], "add")
    store.write(KEY, OTHER_ID, [record(test_id=OTHER_ID)], "add")
    return store.folder


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (TEST_ID, [(TEST_ID, KEY), (TEST_ID, "t4")]),
        ("resnet18", [(TEST_ID, KEY), (TEST_ID, "t4")]),
        ("test_other[x", [(OTHER_ID, KEY)]),
        ("tests/*[x-?]", [(OTHER_ID, KEY)]),
        ("test_", [(TEST_ID, KEY), (TEST_ID, "t4"), (OTHER_ID, KEY)]),
    ],
)
def test_a_history_by_name(cli: Cli, folder: Path, name: str, shown: list[tuple[str, str]]) -> None:
    """An id, a part of one, or a pattern names one test or several; each machine has its own history."""
    status, out, err = cli("show", name, "--baselines", folder)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    heads = [(above, line) for above, line in pairwise(lines) if line.startswith("on ")]
    assert [(above, line.removeprefix("on ").partition(":")[0]) for above, line in heads] == shown


def test_a_trend_in_plain_characters(cli: Cli, folder: Path) -> None:
    """--ascii draws what any screen has; without, a screen of UTF-8 has blocks."""
    _, plain, _ = cli("show", TEST_ID, "--baselines", folder, "--ascii")
    _, blocks, _ = cli("show", TEST_ID, "--baselines", folder)
    assert plain.isascii()
    assert "trend  _=#" in plain
    assert "trend  ▁▅█" in blocks


def test_a_name_that_no_test_has(cli: Cli, folder: Path) -> None:
    """The name, the folder and what there is instead are told."""
    status, out, err = cli("show", "test_outher[x-1]", "--baselines", folder)
    assert (status, out) == (2, "")
    assert f"no baseline in {folder} is of 'test_outher[x-1]'; there are 2 tests, such as " in err
    assert OTHER_ID in err


def test_a_folder_without_baselines(cli: Cli, tmp_path: Path) -> None:
    """Where nothing is stored, the way to name another folder and to make baselines is told."""
    status, _, err = cli("show", "test_a", "--baselines", tmp_path / "none")
    assert status == 2
    assert (
        f"{tmp_path}/none holds no baselines, so none of 'test_a'; name their folder with --baselines" in err
    )


def test_a_broken_file_hides_no_other_test(cli: Cli, folder: Path) -> None:
    """A test is shown whatever is wrong with another's file, and refused if its own is broken."""
    path = Store(folder).path(KEY, OTHER_ID)
    path.write_text(path.read_text()[:-100])
    assert cli("show", TEST_ID, "--baselines", folder)[0] == 0
    assert cli("show", "resnet18", "--baselines", folder)[0] == 0
    status, _, err = cli("show", OTHER_ID, "--baselines", folder)
    assert status == 2
    assert f"{path} is not JSON" in err


# What no run is


def test_a_run_of_100_mb_is_not_read(cli: Cli, tmp_path: Path) -> None:
    """A file above the stated size is refused before it is parsed."""
    path = tmp_path / "run.json"
    path.touch()
    os.truncate(path, 100_000_000)  # a hole: it takes no room
    for command in (("show", path), ("export", path, tmp_path / "x.csv"), ("compare", path, path)):
        status, out, err = cli(*command)
        assert (status, out) == (2, "")
        assert (
            f"{path} has 100,000,000 bytes, and a run's JSON has at most 64,000,000: it was not read" in err
        )


def test_the_limit_is_one_of_size(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run as long as the limit is read."""
    path = written(tmp_path / "run.json", at(10.0))
    monkeypatch.setattr(documents, "MOST_BYTES", path.stat().st_size)
    assert cli("show", path)[0] == 0
    monkeypatch.setattr(documents, "MOST_BYTES", path.stat().st_size - 1)
    assert cli("show", path)[0] == 2


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"gpu:0": 10.0', '"gpu:0": -10.0', "channel gpu:0 reads -10.0 J"),
        ('"gpu:0": 10.0', '"gpu:0": NaN', "gpu:0 is nan, not a finite number"),
        (
            '"duration_s": 1.0, "uncertainty_j": 0.02',
            '"duration_s": 1.0, "uncertainty_j": -0.02',
            "is -0.02; it is 0",
        ),
        ('"energy_j": 10.0, "energy_ci_j"', '"energy_j": -10.0, "energy_ci_j"', "joules are not negative"),
        ('"provenance": "measured", "group"', '"provenance": "guessed", "group"', "not one of measured"),
        ('"format": 1', '"format": 2', "upgrade this one"),
        ('"format": 1', "<<<<<<< HEAD", "is not JSON"),
    ],
    ids=["negative", "NaN", "uncertainty", "mean", "provenance", "newer", "merge"],
)
def test_a_run_that_was_tampered_with(cli: Cli, tmp_path: Path, old: str, new: str, what: str) -> None:
    """The file, the place, the value and what to do are told."""
    path = written(tmp_path / "run.json", at(10.0))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    status, out, err = cli("show", path)
    assert (status, out) == (2, "")
    assert err.startswith(f"pytest-energy: {path}")
    assert what in err
    assert "give a file written by --energy-out" in err


# compare


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
    assert cli("compare", old, new, "--estimates")[0] == 1


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
