"""Runs and baselines that somebody has made up: what the commands print of them."""

import json
import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.cli import main
from tests.builders import KEY, TEST_ID, judgement, sessions
from tests.unit.cli.conftest import Cli, at, written

HOSTILE = "x\n::error title=a::b\r\x1b]0;title\x07\x1b[31mred\x9b31m\u202e\u2028##[error]"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]|(?m:^ *::)|##\\[")

Place = tuple[str | int, ...]


def _texts(node: Any, place: Place = ()) -> Iterator[tuple[Place, bool]]:
    """The place of every text in *node*, and whether the text is its key."""
    if isinstance(node, str):
        yield place, False
    items = node.items() if isinstance(node, dict) else enumerate(node[:2]) if isinstance(node, list) else ()
    for key, value in items:
        if isinstance(key, str):
            yield (*place, key), True
        yield from _texts(value, (*place, key))


def _with_hostile(document: Any, place: Place, *, is_key: bool) -> str:
    changed = deepcopy(document)
    parent = changed
    for step in place[:-1]:
        parent = parent[step]
    parent[HOSTILE if is_key else place[-1]] = parent.pop(place[-1]) if is_key else HOSTILE
    return json.dumps(changed)


def test_no_text_of_a_run_is_raw_on_the_screen(cli: Cli, tmp_path: Path) -> None:
    """Whatever text of a run holds commands, each command shows it or refuses it, inert."""
    first, folder = at(12.0, group="g", model="m", metrics={"accuracy": 0.9}), tmp_path / "baselines"
    good = written(tmp_path / "good.json", first, at(13.0, "t.py::test_other", group="g", model="n"))
    document, run = json.loads(good.read_text()), tmp_path / "run.json"
    texts = list(_texts(document))
    assert len(texts) > 150
    for number, (place, is_key) in enumerate(texts):
        run.write_text(_with_hostile(document, place, is_key=is_key))
        commands = (
            ("show", run),
            ("compare", good, run, "--json"),
            ("compare", run, good),
            ("judge", run, "--baselines", folder),
            ("accept", run, "--test", "none", "--baselines", folder),
            ("calibrate", run, "--baselines", folder),
            ("history", good, run),
        )
        status, out, err = cli(*commands[number % 6])
        assert status in {0, 1, 2}
        assert not RAW.search(out + err), (place, is_key)


def test_no_text_of_a_baseline_is_raw_on_the_screen(cli: Cli, tmp_path: Path) -> None:
    """As of a run: a baseline may come from a fork."""
    store = Store(tmp_path / "baselines")
    store.write(KEY, TEST_ID, sessions(5), "add")
    (path,) = store.paths()
    document = json.loads(path.read_text())
    run = written(tmp_path / "run.json", judgement(test_id=TEST_ID))
    for number, (place, is_key) in enumerate(_texts(document)):
        path.write_text(_with_hostile(document, place, is_key=is_key))
        commands = (
            ("baselines", "validate"),
            ("baselines", "list"),
            ("baselines", "prune", "--keep=4"),
            ("show", "test_training"),
            ("judge", run),
        )
        status, out, err = cli(*commands[number % 5], "--baselines", store.folder)
        assert status in {0, 1, 2}
        assert not RAW.search(out + err), (place, is_key)


def test_a_name_that_a_terminal_can_not_show_is_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen of ASCII is no error."""
    run = written(tmp_path / "run.json", at(12.0, "t.py::test_é"))
    for words in (["show", run], ["compare", run, run]):
        monkeypatch.setattr(sys, "stdout", screen := TextIOWrapper(written_to := BytesIO(), encoding="ascii"))
        assert main(list(map(str, words))) == 0
        screen.flush()
        assert b"test_\\xe9" in written_to.getvalue()


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("[" * 100_000, "is nested too deep"),
        (f'{{"format": {"9" * 5000}}}', "is not JSON: Exceeds the limit"),
        (f'{{"format": {10**400}}}', "must be at most 9,007,199,254,740,992"),
        ('{"format": 1, "tests": [], "sensors": [], "format": 1}', "has the key 'format' twice"),
        (f"[{'[],' * 4_100_000}[]]", "holds 8,200,002 values; at most 8,000,000 are read"),
        ('{"format": NaN}', "format is nan, not a whole number"),
    ],
)
def test_an_absurd_file_is_refused_with_its_place(cli: Cli, tmp_path: Path, text: str, because: str) -> None:
    """What is too deep, too large or too much is an error that names the file."""
    (tmp_path / "run.json").write_text(text)
    status, out, err = cli("show", tmp_path / "run.json")
    assert (status, out) == (2, "")
    assert err.startswith(f"pytest-energy: {tmp_path / 'run.json'}")
    assert because in err
