"""`pytest-energy study`: what it writes, what it refuses, and the figures of the kept runs."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pytest_energy.analysis import load
from pytest_energy.cli.study_files import runs_at
from pytest_energy.conversion import judgement_to_json
from pytest_energy.errors import SettingsError
from pytest_energy.study.ranking import WITHIN
from pytest_energy.study.study import study_of
from tests.builders import LAPTOP, judgement
from tests.unit.cli.conftest import Cli, written
from tests.unit.study.conftest import SMALL_AND_LARGE, nets, requests

RESULTS = Path(__file__).parents[3] / "docs" / "results"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Runs of two machines."""
    return (
        written(tmp_path / "a.json", *nets([1, 2, 3, 4, 5, 6]), *requests(SMALL_AND_LARGE)),
        written(tmp_path / "b.json", *nets([6, 5, 4, 3, 2, 1], machine=LAPTOP)),
    )


def test_tables_are_printed_and_files_written(cli: Cli, files: tuple[Path, Path], tmp_path: Path) -> None:
    """0, a table on the screen, and each format that is asked for."""
    outs = [tmp_path / f"study.{suffix}" for suffix in ("md", "html", "csv", "json")]
    folder = tmp_path / "figures"
    status, out, err = cli("study", *files, *(f"--out={one}" for one in outs), f"--figures={folder}")
    assert (status, err) == (0, "")
    assert "2 runs on 2 machines: 22 tests in 2 groups" in out
    assert "No transfer of the ranking from HC-1 to HC-2 is shown" in out
    assert all(f"written to {one}" in out for one in outs)
    assert len(json.loads(outs[3].read_text(encoding="utf-8"))["columns"]) == 2
    assert len(pd.read_csv(outs[2])) == 22
    assert sorted(one.name for one in folder.iterdir()) == [
        "study-request-rate.png",
        "study-rho-inference.png",
        "study-rho-requests.png",
        "study-transfer-inference.png",
    ]


def test_a_line_of_jsonl_is_a_test(cli: Cli, tmp_path: Path) -> None:
    """As benchmarks keep rows of a run that may be cut; empty lines are no test."""
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps(judgement_to_json(one)) for one in nets([1.0, 2.0])]
    path.write_text("\n\n".join(lines), encoding="utf-8")
    status, out, _ = cli("study", path)
    assert status == 0
    assert "1 run on 1 machine: 2 tests in 1 group" in out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ('{"format": 1}', "has no 'sensors'"),
        ("[]", "not an object"),
        ('{"format": 9, "tests": []}', "format is 9"),
    ],
)
def test_what_is_no_run_is_named(cli: Cli, tmp_path: Path, content: str, message: str) -> None:
    """2; the file, what is wrong, and what to give."""
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    status, _, err = cli("study", path)
    assert status == 2
    assert str(path) in err
    assert "--energy-out" in err
    assert message in err


def test_a_broken_line_is_named(cli: Cli, tmp_path: Path) -> None:
    """File and number of the line."""
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(judgement_to_json(nets([1.0])[0])) + "\n{", encoding="utf-8")
    status, _, err = cli("study", path)
    assert status == 2
    assert "rows.jsonl:2 is no test" in err


def test_a_file_twice_is_refused(cli: Cli, files: tuple[Path, Path]) -> None:
    """2, and both names."""
    status, _, err = cli("study", files[0], files[0])
    assert status == 2
    assert "a.json repeats a.json" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out=x.txt"], "a study ends in one of .md, .html, .csv or .json"),
        (["--as=pooled"], "must be OLD=NEW"),
        (["--as=pooled=requests"], "no run has a group 'pooled'"),
        (["--group=inferance"], "Did you mean inference?"),
        (["--by=planet"], "invalid choice"),
    ],
)
def test_arguments_are_checked(
    cli: Cli, files: tuple[Path, Path], arguments: list[str], message: str
) -> None:
    """2, and what to give."""
    status, _, err = cli("study", *files, *arguments)
    assert status == 2
    assert message in err


def test_a_missing_file_is_named(cli: Cli, files: tuple[Path, Path]) -> None:
    """With the file that is spelt like it."""
    status, _, err = cli("study", files[0].with_suffix(".jsn"))
    assert status == 2
    assert "Did you mean a.json?" in err


def test_two_files_of_one_name_keep_their_folders(tmp_path: Path) -> None:
    """So that a reader can separate them."""
    places = [tmp_path / folder / "run.json" for folder in "ab"]
    for number, place in enumerate(places):
        place.parent.mkdir()
        written(place, *nets([1.0], created=f"2026-11-2{number}T10:00:00Z"))
    assert [run.name for run in runs_at(places)] == [str(place) for place in places]


def test_load_gives_many_runs_as_one_frame(files: tuple[Path, Path]) -> None:
    """The rows of the study's CSV: a test each, with its column; joules of a sample are numbers."""
    frame = load(*files)
    assert list(frame["hardware"].unique()) == ["HC-1", "HC-2"]
    assert frame.groupby("run").size().to_dict() == {"a.json": 16, "b.json": 6}
    assert frame["net_energy_per_sample_j"].dtype == float
    with pytest.raises(SettingsError, match="test by test"):
        load(*files, each="round")


def test_load_of_many_runs_keeps_tests_without_a_group(tmp_path: Path) -> None:
    """They have no column, and their own values."""
    first = written(tmp_path / "a.json", *nets([1.0]), judgement(test_id="t.py::alone", energy_j=7.0))
    frame = load(first, written(tmp_path / "b.json", *nets([2.0], machine=LAPTOP)))
    alone = frame[frame["id"] == "t.py::alone"].iloc[0]
    assert alone["energy_j"] == 7.0
    assert pd.isna(alone["hardware"])


# ---- the kept runs ----


def test_the_first_serving_runs_are_pooled() -> None:
    """One model in each of two files of 2026-11-21: the paper pools models and rates, and has -0.95."""
    study = study_of(runs_at([RESULTS / "h100-llm-8b.json", RESULTS / "h100-llm-1b.json"]))
    rhos = {(one.metric, one.place, one.energy): one.correlation for one in study.rhos}
    pooled = rhos["request_rate", "HC-1", "gross"]
    assert pooled.rho == pytest.approx(-0.96, abs=0.02)
    assert pooled.n == 10
    assert pooled.p_exact == pytest.approx(2 / 120**2)
    assert rhos["request_rate", WITHIN, "gross"] == pooled
    assert rhos["parameters", "HC-1", "gross"].rho == pytest.approx(0.24, abs=0.01)


def test_the_ranking_transfers_from_h100_to_h200() -> None:
    """Eight loads that both ran; at equal rates the 8B uses more than the 1B on both."""
    paths = [RESULTS / "h100-llm-8b.json", RESULTS / "h100-llm-1b.json"]
    paths += [RESULTS / "h200-pooled" / f"{size}.jsonl" for size in ("0.5B", "1B", "3B", "8B")]
    study = study_of(runs_at(paths), renamed={"pooled": "requests"})
    found = next(one for one in study.transfers if one.energy == "gross")
    assert (found.rho.n, found.rho.rho, found.equal_setting) == (8, 1.0, (4, 4))
    assert found.rho.ci is not None
    assert "detokenisation" in found.differing
