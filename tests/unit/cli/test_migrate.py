"""`pytest-energy baselines migrate`, and the other commands with a URL."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pytest_energy.baselines.object_store import ObjectStore
from pytest_energy.baselines.store import Store
from pytest_energy.model import JoinedAs
from pytest_energy.prediction import calibration_file
from pytest_energy.prediction.calibration import calibrated
from tests.builders import KEY, record, sessions
from tests.fakes.file_systems import empty_memory
from tests.fakes.networks import observations
from tests.unit.cli.conftest import Cli

URL = "memory://bucket/baselines"
A, B = "tests/test_a.py::test_a[1]", "tests/test_a.py::test_b"


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    with empty_memory():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven sessions of one test, the third the start of a level; two of another, one of a second machine."""
    store = Store(tmp_path / "baselines")
    first = sessions(7, test_id=A)
    for number, one in enumerate(first):
        store.write(KEY, A, [replace(one, joined_as=JoinedAs.LEVEL if number == 2 else None)], "add")
    store.write(KEY, B, sessions(2, test_id=B), "add")
    store.write("t4", A, [record(test_id=A, key="t4")], "add")
    calibration = calibrated(observations(9, scatter=0.1), machine_key=KEY, created="2025-11-20T10:00:00Z")
    calibration_file.write(store, calibration)
    return store.folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*.json")}


def test_there_and_back(cli: Cli, folder: Path, tmp_path: Path) -> None:
    """The folder that comes back from a URL is the same, byte by byte."""
    status, out, _ = cli("baselines", "migrate", folder, URL)
    assert (status, out.splitlines()) == (
        0,
        [
            f"3 baselines copied from {folder} to {URL}: 8 sessions added, 0 already there",
            "1 calibration copied",
        ],
    )
    assert cli("baselines", "migrate", URL, tmp_path / "back")[0] == 0
    assert len(files(folder)) == 4
    assert files(tmp_path / "back") == files(folder)
    assert cli("baselines", "diff", folder, URL)[1] == "0 added, 0 removed, 0 changed, 3 the same\n"


def test_again(cli: Cli, folder: Path) -> None:
    """To copy twice adds nothing."""
    cli("baselines", "migrate", folder, URL)
    assert "0 sessions added, 8 already there" in cli("baselines", "migrate", folder, URL)[1]


def test_what_is_broken_is_named(cli: Cli, folder: Path) -> None:
    """And the others are copied."""
    Store(folder).path(KEY, B).write_text("{")
    status, out, error = cli("baselines", "migrate", folder, URL)
    assert (status, out.splitlines()[0]) == (
        2,
        f"2 baselines copied from {folder} to {URL}: 6 sessions added, 0 already there",
    )
    assert "test_b.json is not JSON" in error


def test_a_folder_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    """A misspelt folder has no baselines to copy."""
    status, _, error = cli("baselines", "migrate", tmp_path / "none", URL)
    assert status == 2
    assert "none is not a folder" in error


def test_the_other_commands(cli: Cli, folder: Path) -> None:
    """They list, check and show what is behind a URL as they do a folder."""
    cli("baselines", "migrate", folder, URL)
    for command in (("baselines", "list"), ("show", A), ("show", "test_b")):
        assert cli(*command, f"--baselines={URL}") == cli(*command, f"--baselines={folder}")
    assert cli("baselines", "validate", f"--energy-baselines={URL}")[1] == f"4 files in {URL}: all valid\n"


def test_prune(cli: Cli, folder: Path) -> None:
    """What is beyond the sessions that are kept goes, with --yes alone."""
    cli("baselines", "migrate", folder, URL)
    place = ObjectStore(URL).path(KEY, A)
    arguments = ("baselines", "prune", f"--baselines={URL}", "--keep=4")
    status, out, _ = cli(*arguments)
    assert (status, out.splitlines()[0]) == (0, f"would be removed: {A}: 1 of 5 sessions: {URL}/{place}")
    assert len(ObjectStore(URL).read_whole(place).entries) == 5
    cli(*arguments, "--yes")
    assert len(ObjectStore(URL).read_whole(place).entries) == 4


def test_history(cli: Cli, folder: Path) -> None:
    """It reads every session behind a URL, and names a baseline that it can't use."""
    cli("baselines", "migrate", folder, URL)
    status, out, _ = cli("history", URL)
    assert status == 0
    assert out.splitlines()[0].startswith("8 runs of 2 tests on 2 machines")
    MemoryFileSystem().pipe_file(f"/bucket/baselines/{ObjectStore(URL).path('t4', A)}/x.json", b"")
    status, out, _ = cli("history", URL)
    assert status == 0
    assert "x.json: its name is none that this pytest-energy writes" in out


def test_index(cli: Cli, folder: Path) -> None:
    """The history is the same with the copies; a folder has no index."""
    cli("baselines", "migrate", folder, URL)
    before = cli("history", URL)
    assert cli("baselines", "index", URL)[:2] == (0, "8 sessions of 3 baselines indexed\n")
    assert cli("history", URL) == before
    status, _, error = cli("baselines", "index", folder)
    assert status == 2
    assert "must be a URL" in error
