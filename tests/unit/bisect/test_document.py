"""A bisection as a file: JSON for programs, Markdown for people."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.bisect.bisection import Found
from pytest_energy.bisect.document import BisectDocument, check_outputs, document_of, write
from pytest_energy.bisect.history import History
from pytest_energy.codec import decode
from pytest_energy.errors import SettingsError
from tests.builders import CREATED
from tests.unit.bisect.test_words import BAD, BY_JOULES, CULPRIT, FOUND, STEPS, history

__all__ = ["history"]


def found(history: History) -> Found:
    return Found(
        history=history,
        alpha=0.05,
        step_alpha=0.01,
        target=BY_JOULES,
        steps=STEPS,
        suspects=(CULPRIT,),
        culprit=FOUND,
        notes=("a note",),
    )


def test_the_json_has_all_that_was_found(history: History, tmp_path: Path) -> None:
    """Read again it is the same document."""
    document = document_of(found(history), CREATED)
    path = tmp_path / "out" / "bisect.JSON"
    write(path, document, ())
    value = json.loads(path.read_text())
    assert decode(value, BisectDocument, "bisect.json") == document
    assert value["format"] == 1
    assert (value["good"], value["bad"]) == ("a" * 40, BAD.name)
    assert value["culprit"]["commit"]["commit"] == CULPRIT.name
    assert value["culprit"]["energies_j"] == [12.0, 15.0]
    assert [one["answer"] for one in value["steps"]] == ["bad", "good", "bad"]
    assert value["target"]["halfway"] == pytest.approx(1.25**0.5)
    assert value["culprit"]["count_changes"][0]["name"] == "aten::layer_norm"


def test_what_was_not_found_is_null(history: History, tmp_path: Path) -> None:
    """Neither 0 nor left out."""
    nothing = Found(history=history, alpha=0.05, step_alpha=0.01)
    write(tmp_path / "b.json", document_of(nothing, CREATED), ())
    value = json.loads((tmp_path / "b.json").read_text())
    assert (value["target"], value["culprit"], value["steps"]) == (None, None, [])
    counted = replace(FOUND, energies_j=None, counts=None)
    document = document_of(replace(found(history), culprit=counted), CREATED)
    assert document.culprit is not None
    assert (document.culprit.energies_j, document.culprit.count_lines) == (None, None)


def test_foreign_text_is_inert_in_markdown(history: History, tmp_path: Path) -> None:
    """A subject opens no tag, ends no block, and moves no cursor."""
    lines = ("abc is the first", "</pre><script>x</script> & `y` \x1b[2J")
    write(tmp_path / "b.md", document_of(found(history), CREATED), lines)
    text = (tmp_path / "b.md").read_text()
    assert text.count("<") == 2
    assert "&lt;/pre&gt;&lt;script&gt;x" in text
    assert "\x1b" not in text


def test_an_output_is_refused_before_the_work(tmp_path: Path) -> None:
    """One of another kind, and one that can't be written."""
    with pytest.raises(SettingsError, match=r"--out b\.html must end in one of \.json, \.md"):
        check_outputs([Path("b.html")])
    (tmp_path / "b.json").mkdir()
    with pytest.raises(SettingsError, match="a folder"):
        check_outputs([tmp_path / "b.json"])
    check_outputs([tmp_path / "new.json", tmp_path / "new.md"])
