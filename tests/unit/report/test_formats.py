import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.report import formats, view
from pytest_energy.report.outputs import Output
from pytest_energy.report.view import View
from tests.builders import CREATED, TEST_ID, judgement


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_every_suffix_is_written(tmp_path: Path, suffix: str) -> None:
    """The suffix picks the format; folders on the way are made."""
    path = tmp_path / "new" / f"energy{suffix}"
    formats.write([judgement()], path, created=CREATED)
    assert TEST_ID in path.read_text() or suffix in {".md", ".badge.json", ".badge.svg"}


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
        text = (tmp_path / f"x{suffix}").read_text(encoding="utf-8")
        assert "udc80" in text or suffix.startswith(".badge")


@pytest.mark.parametrize("name", ["t.py::a", "t.py::c", "t.py::e"])
def test_a_renderer_that_fails_is_named_with_the_test_it_fails_on(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in one format is an error of that report; the older file stays."""

    def broken(run: View, _: str) -> str:
        return str([1 / (one.record.test_id != name) for one in run.judgements])

    monkeypatch.setitem(formats.RENDERERS, ".csv", broken)
    path = tmp_path / "x.csv"
    path.write_text("older")
    judgements = [judgement(test_id=f"t.py::{letter}") for letter in "abcde"]
    with pytest.raises(SettingsError) as error:
        formats.write(judgements, path, created=CREATED)
    assert str(error.value).startswith(
        f"the report {path} can't be made for {name}: ZeroDivisionError: division by zero (test_formats.py:"
    )
    assert path.read_text() == "older"


def test_what_only_many_tests_break_names_none_of_them() -> None:
    """Where no half fails by itself, the mistake is told without a test."""

    def broken(run: View) -> str:
        return str(1 / (5 - len(run.judgements)))

    with pytest.raises(SettingsError, match=r"^it can't be made: ZeroDivisionError: division by zero \("):
        formats.made("it", broken, view.of([judgement(test_id=f"t.py::{n}") for n in range(5)]))


def test_importing_the_reports_is_cheap() -> None:
    """No heavy library is loaded before something is rendered."""
    code = (
        "import sys, pytest_energy.report.formats, pytest_energy.report.to_terminal;"
        "print([m for m in ('numpy', 'scipy', 'pandas', 'tabulate', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


class TestEach:
    def test_json_is_first_and_a_failure_stops_nothing(self) -> None:
        """All failures are told at the end, when the others are there."""
        written: list[str] = []

        def write_one(output: Output) -> None:
            if str(output).startswith("bad"):
                raise SettingsError(f"no {output}")

        paths = [Path(name) for name in ("a.md", "bad.csv", "a.rounds.csv", "bad.json", "a.json")]
        with pytest.raises(SettingsError) as error:
            formats.write_each(paths, write_one, lambda path: written.append(str(path)))
        assert str(error.value) == "no bad.json\nno bad.csv"
        assert written == ["a.json", "a.md", "a.rounds.csv"]

    def test_all_are_looked_at_before_the_work(self, tmp_path: Path) -> None:
        """A place that no file can take is refused by its name."""
        (tmp_path / "x.csv").mkdir()
        with pytest.raises(SettingsError, match=r"x\.csv can't be written: it is a folder, not a file; fix"):
            formats.check_outputs([tmp_path / "x.json", tmp_path / "x.csv"])
