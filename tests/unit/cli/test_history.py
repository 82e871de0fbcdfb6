"""`pytest-energy history`: files, repositories, and what is left out of them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.schema import Baseline, to_json_text
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Machine, Record
from pytest_energy.report import to_json, view
from tests.builders import CREATED, counted, counts_baseline, counts_of, judgement
from tests.fakes.git_repository import imported
from tests.fakes.run_histories import KEY, TEST, commit_name, noisy
from tests.unit.cli.conftest import Cli, written

RUN_COUNT = 24


def measured(number: int, energy_j: float | None, commit: str, *, test_id: str = TEST) -> Judgement:
    """Run *number* of a test, at *commit*."""
    machine = Machine(key=KEY, varying={"git_commit": commit, "git_dirty": "no"})
    verdict = Verdict.UNMEASURED if energy_j is None else Verdict.PASS
    return judgement(
        test_id=test_id,
        energy_j=energy_j,
        uncertainty_j=0.2,
        created=f"2026-02-{number + 1:02}T10:00:00Z",
        machine=machine,
        verdict=verdict,
    )


def text_of(*judgements: Judgement) -> bytes:
    return to_json.render(view.of(judgements), created=CREATED).encode()


def rows_of(table: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def energies_j() -> list[float]:
    return noisy(RUN_COUNT, steps={16: 1.2})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a test that takes 20 % more from the seventeenth on, in a folder that is no repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    runs = tmp_path / "runs"
    runs.mkdir()
    for number, energy_j in enumerate(energies_j()):
        written(runs / f"run-{number:02}.json", measured(number, energy_j, commit_name(number)))
    return runs


def test_a_step_is_listed_with_its_commits(cli: Cli, folder: Path) -> None:
    """Runs, tests and machines, then each step: number first, test, commits, date."""
    status, out, err = cli("history", folder)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "24 runs of 1 test on 1 machine, 2026-02-01 to 2026-02-24",
        "1 step:",
    ]
    assert lines[2].startswith("  +1") or lines[2].startswith("  +2")
    assert lines[2].endswith(f"]  {TEST}")
    assert lines[3].strip() == "0000010, 8 runs since, 2026-02-17, after 000000f"
    assert max(map(len, lines)) <= 80


def test_a_page_and_a_table_are_written(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """The suffix picks the format; both hold every run."""
    page, table = tmp_path / "out" / "history.html", tmp_path / "history.csv"
    status, out, _ = cli("history", folder, "--out", page, "--out", table)
    assert status == 0
    assert out.endswith(f"written to {page}\nwritten to {table}\n")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    rows = rows_of(table)
    assert [float(row["value"]) for row in rows] == pytest.approx(energies_j())
    assert [row["commit"] for row in rows if row["step_ratio"]] == [commit_name(16)]


def test_files_that_cant_be_used_are_named(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """One broken run of many takes nothing away; it is named with its reason."""
    (folder / "run-03.json").write_text('{"format": 1, "tests": [{"id"')
    (folder / "run-04.json").write_text('{"format": 7, "tests": []}')
    (folder / "package.json").write_text('{"name": "something else"}')
    other = tmp_path / "other.json"
    other.write_text('{"name": "named"}')
    status, out, _ = cli("history", folder, other)
    assert status == 0
    assert out.startswith("22 runs of 1 test")
    left_out = [line for line in out.splitlines() if line.startswith("left out")]
    assert len(left_out) == 3
    assert "run-03.json: it is not JSON" in left_out[0]
    assert left_out[1].count("run-04.json") == 1
    assert "format is 7" in left_out[1]
    assert "neither a run" in left_out[2]


def test_baselines_and_runs_are_one_history(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """A session that a baseline took is its run again; older sessions come before."""
    older = replace(measured(0, 100.0, commit_name(99)).record, created="2026-01-15T10:00:00Z")
    kept = measured(0, energies_j()[0], commit_name(0)).record
    baseline = tmp_path / "baselines" / "test.json"
    baseline.parent.mkdir()
    baseline.write_text(
        to_json_text(Baseline(test_id=TEST, machine_key=KEY, entries=(older, kept))), encoding="utf-8"
    )
    status, out, _ = cli("history", folder, baseline.parent)
    assert (status, out.splitlines()[0]) == (0, "25 runs of 1 test on 1 machine, 2026-01-15 to 2026-02-24")


def test_counts_alone_are_no_history_of_joules(cli: Cli, tmp_path: Path) -> None:
    """A folder of nothing but counts has no joules, which is said."""
    path = tmp_path / "counts.json"
    path.write_text(to_json_text(counts_baseline(counted(counts_of(3)))), encoding="utf-8")
    status, out, err = cli("history", path)
    assert (status, out) == (2, "")
    assert "these files have no joules" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give files written by --energy-out"),
        (["nothing.json"], "nothing.json doesn't exist"),
        (["--git"], "git repository of the working folder"),
        (["runs", "--out=history.txt"], "a history ends in one of .html, .csv"),
        (["runs", "--alpha=2"], "must be a chance"),
    ],
)
def test_mistakes_are_status_2(cli: Cli, folder: Path, arguments: list[str], words: str) -> None:
    """What can't be understood is refused before anything is written."""
    assert folder.is_dir()
    status, out, err = cli("history", *arguments)
    assert (status, out) == (2, "")
    assert words in err


# ---- repositories ----


def baseline_of(*records: Record) -> bytes:
    return to_json_text(Baseline(test_id=TEST, machine_key=KEY, entries=records)).encode()


def test_committed_runs_are_in_the_order_of_commits(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Subjects and commits between come from git; a file that was overwritten is read in all its versions."""
    changes = [{"src.py": str(number).encode(), "run.json": b"{}"} for number in range(3)]
    names = imported(tmp_path / "first", changes)
    runs = [
        {"run.json": text_of(measured(number, energy_j, names[0] if number < 16 else names[2]))}
        for number, energy_j in enumerate(energies_j())
    ]
    again = imported(tmp_path / "repository", [*changes, *runs])
    assert again[:3] == names
    monkeypatch.chdir(tmp_path / "repository")
    page = tmp_path / "history.html"
    status, out, _ = cli("history", "--git", "--out", page)
    assert status == 0
    assert out.splitlines()[0].startswith("24 runs of 1 test")
    assert f"{names[2][:7]}, 8 runs since" in out
    assert f"after {names[0][:7]}" in out
    data = json.loads(
        page.read_text(encoding="utf-8").partition('id="history">')[2].partition("</script>")[0]
    )
    assert [commit[2] for commit in data["tracks"][0]["steps"][0]["commits"]] == ["Change 2", "Change 1"]


def test_versions_of_a_baseline_give_every_session_it_ever_kept(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A baseline keeps ten sessions; its versions have the ones that it dropped."""
    records = [measured(number, 100.0 + number, commit_name(number)).record for number in range(RUN_COUNT)]
    versions = [
        baseline_of(
            *(records[: number + 1] if number < 10 else (*records[:3], *records[number - 6 : number + 1]))
        )
        for number in range(RUN_COUNT)
    ]
    imported(tmp_path, [{"baselines/key/test.json": version} for version in versions])
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "history.csv"
    assert cli("history", "--git", "--out", table).status == 0
    rows = rows_of(table)
    assert [float(row["value"]) for row in rows] == [100.0 + number for number in range(RUN_COUNT)]
    sources = {row["source"] for row in rows}
    assert len(sources) < RUN_COUNT / 2


def test_a_branch_that_was_never_merged_moves_no_level(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run at a commit that HEAD doesn't descend from is shown as one that is not used."""
    names = imported(tmp_path, [{"a.py": b"1"}, {"a.py": b"2"}], aside={"a.py": b"3"})
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(names):
        written(tmp_path / f"{number}.json", measured(number, 100.0 + number, name))
    table = tmp_path / "history.csv"
    assert cli("history", *sorted(tmp_path.glob("*.json")), "--out", table).status == 0
    rows = {row["commit"]: row["why_unused"] for row in rows_of(table)}
    assert rows[names[0]] == rows[names[1]] == ""
    assert "HEAD" in rows[names[2]]


def test_what_git_can_not_read_is_left_out(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that a merge has broken is named; the others are read."""
    good = [measured(number, 100.0, commit_name(number)) for number in range(2)]
    broken = b'{"format": 1, "tests": [{}]}'
    imported(tmp_path, [{"run.json": text_of(good[0])}, {"run.json": broken}, {"run.json": text_of(good[1])}])
    monkeypatch.chdir(tmp_path)
    status, out, _ = cli("history", "--git")
    assert status == 0
    assert out.startswith("2 runs of 1 test")
    assert "left out: run.json (" in out


def test_help_says_what_it_reads(cli: Cli) -> None:
    """Files, folders, git, and where it is written."""
    status, out, _ = cli("history", "--help")
    assert status == 0
    for word in ("RUN.json", "--git", "--out PATH", ".html", ".csv", "Exit status"):
        assert word in out
