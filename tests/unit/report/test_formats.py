import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.report import formats
from tests.builders import CREATED, TEST_ID, judgement


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_every_suffix_is_written(tmp_path: Path, suffix: str) -> None:
    """The suffix picks the format; folders on the way are made."""
    path = tmp_path / "new" / f"energy{suffix}"
    formats.write([judgement()], path, created=CREATED)
    assert TEST_ID in path.read_text() or suffix == ".md"


def test_json_holds_the_time_it_was_made(tmp_path: Path) -> None:
    """The time handed in is the document's."""
    formats.write([judgement()], tmp_path / "x.JSON", created=CREATED)
    assert json.loads((tmp_path / "x.JSON").read_text())["created"] == CREATED


@pytest.mark.parametrize("name", ["energy.xml", "energy", "energy.json.gz"])
def test_an_unknown_suffix_names_the_known(name: str) -> None:
    """A suffix that nobody renders is refused with the list of those that are."""
    with pytest.raises(SettingsError, match=r"energy.* ends in one of \.json, \.rounds\.csv, \.csv, \.md"):
        formats.renderer_of(Path(name))


def test_a_file_that_can_not_be_written_says_which(tmp_path: Path) -> None:
    """A folder in the file's place is named, not a traceback."""
    path = tmp_path / "x.json"
    path.mkdir()
    with pytest.raises(SettingsError, match=r"x\.json can't be written"):
        formats.write([judgement()], path, created=CREATED)


def test_names_that_no_file_can_hold_are_written_escaped(tmp_path: Path) -> None:
    """A test's name with half a character, as broken file names give, breaks no report."""
    for suffix in formats.SUFFIXES:
        formats.write([judgement(test_id="t.py::t\udc80")], tmp_path / f"x{suffix}", created=CREATED)
        assert "udc80" in (tmp_path / f"x{suffix}").read_text(encoding="utf-8")


def test_importing_the_reports_is_cheap() -> None:
    """No heavy library is loaded before something is rendered."""
    code = (
        "import sys, pytest_energy.report.formats, pytest_energy.report.to_terminal;"
        "print([m for m in ('numpy', 'scipy', 'pandas', 'tabulate', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"
