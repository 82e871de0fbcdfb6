"""Runs that are read again: what is refused, and with which words."""

import os
from pathlib import Path

import pytest

from pytest_energy.cli import files
from pytest_energy.errors import SettingsError
from pytest_energy.report import to_json, view
from pytest_energy.yardstick import Yardstick
from tests.builders import CREATED, reading, record
from tests.unit.cli.conftest import Cli, at, written


def test_show_needs_a_file_that_is_there(cli: Cli, tmp_path: Path) -> None:
    """A missing file is named, with what to give instead; no traceback."""
    status, out, err = cli("show", tmp_path / "none.json")
    assert (status, out) == (2, "")
    assert err.startswith(f"pytest-energy: {tmp_path}/none.json can't be read: ")
    assert err.endswith("Give a file written by --energy-out.\n")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 99, "tests": []}', b'{"format": 1}', b"\xff\xfe"],
    ids=["empty", "cut", "a list", "a newer format", "no tests", "no text"],
)
def test_show_refuses_what_is_no_run(cli: Cli, tmp_path: Path, content: bytes) -> None:
    """A file that holds no run is named with what is wrong in it; no traceback."""
    path = tmp_path / "run.json"
    path.write_bytes(content)
    status, out, err = cli("show", path)
    assert (status, out) == (2, "")
    assert err.startswith("pytest-energy: ")
    assert str(path) in err


def test_a_run_of_100_mb_is_not_read(cli: Cli, tmp_path: Path) -> None:
    """A file above the stated size is refused before it is parsed."""
    path = tmp_path / "run.json"
    path.touch()
    os.truncate(path, 100_000_000)  # a hole: it takes no room
    for command in (("show", path), ("export", path, tmp_path / "x.csv"), ("compare", path, path)):
        status, out, err = cli(*command)
        assert (status, out) == (2, "")
        assert f"{path} can't be read: it has 100,000,000 bytes, but at most 64,000,000 are read" in err


def test_the_limit_is_one_of_size(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run as long as the limit is read."""
    path = written(tmp_path / "run.json", at(10.0))
    monkeypatch.setattr(files, "MOST_BYTES", path.stat().st_size)
    assert cli("show", path)[0] == 0
    monkeypatch.setattr(files, "MOST_BYTES", path.stat().st_size - 1)
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
    assert "Give a file written by --energy-out" in err


def test_a_load_with_joules_that_can_not_be_is_named(tmp_path: Path) -> None:
    """The yardstick is looked at as the tests are."""
    rounds = [reading(10.0, uncertainty_j=0.125)]
    yardstick = Yardstick(records=(record(test_id="yardstick::gpu-rest", rounds=rounds),))
    path = tmp_path / "run.json"
    text = to_json.render(view.of([at(10.0)], yardstick=yardstick), created=CREATED)
    path.write_text(text.replace('"uncertainty_j": 0.125', '"uncertainty_j": -0.125'), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"yardstick\[0\] \(yardstick::gpu-rest\): rounds\[0\]"):
        files.read_run(path)
