"""What was meant by a word that an option doesn't take."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.spelling import (
    choice,
    did_you_mean,
    listed,
    matching,
    near_file,
    nearest,
    several,
)

WORDS = ("check", "add", "replace", "off")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("rapI", ("nvml", "rapl", "estimate"), ["rapl"]),
        ("Tolerence", ("tolerance", "rounds"), ["tolerance"]),
        ("--energy_out", ("--energy-out", "--energy-off"), ["--energy-out"]),
        ("--energy-budget", ("--energy-out", "--energy-off", "--energy-parts"), []),
        ("--energy-par", ("--energy-out", "--energy-off", "--energy-parts"), ["--energy-parts"]),
        ("replay", ("rapl", "nvml", "replay:FILE"), ["replay:FILE"]),
        ("work", ("work",), ["work"]),
        ("work", (), []),
        ("xyzzy", ("tolerance", "rounds"), []),
        ("", ("tolerance",), []),
    ],
)
def test_the_nearest_name_is_found(name: str, known: tuple[str, ...], meant: list[str]) -> None:
    """A letter more or less, another case, a hyphen for an underscore."""
    assert nearest(name, known) == meant


def test_a_question_names_it() -> None:
    """It follows a sentence; where nothing is near, nothing is asked."""
    assert did_you_mean("replce", WORDS) == " Did you mean replace?"
    assert did_you_mean("nothing like it", WORDS) == ""
    assert did_you_mean(7, WORDS) == ""


@given(st.text())
def test_a_word_is_one_of_them_or_refused(word: str) -> None:
    """A refusal lists all of them."""
    try:
        assert choice(word, WORDS) in WORDS
    except ValueError as error:
        assert str(error).startswith("must be check, add, replace or off. Got ")  # noqa: PT017


def test_each_of_several_words_is_checked() -> None:
    """The one that is wrong is named, and none at all is refused."""
    assert several(["off", "add"], WORDS) == ("off", "add")
    with pytest.raises(ValueError, match=r"one or more of check, add, .*Got 'ad'\. Did you mean add\?"):
        several(["off", "ad"], WORDS)
    with pytest.raises(ValueError, match=r"Got none\."):
        several([], WORDS)
    with pytest.raises(ValueError, match=r"Got 7\."):
        several([7], WORDS)


def test_a_list_reads_as_a_sentence() -> None:
    """One word stands alone."""
    assert (listed(["a"]), listed(["a", "b", "c"])) == ("a", "a, b or c")


IDS = (
    "a.py::test_sort",
    "a.py::test_sort[1]",
    "a.py::TestB::test_sort",
    "b.py::test_sort_fast",
    "b.py::test_x[a]",
)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("a.py::test_sort", ["a.py::test_sort"]),
        ("test_sort", ["a.py::TestB::test_sort", "a.py::test_sort", "a.py::test_sort[1]"]),
        ("TestB::test_sort", ["a.py::TestB::test_sort"]),
        ("b.py::test_x", ["b.py::test_x[a]"]),
        ("fast", ["b.py::test_sort_fast"]),
        ("b.py::*", ["b.py::test_sort_fast", "b.py::test_x[a]"]),
        ("*[?]", ["a.py::test_sort[1]", "b.py::test_x[a]"]),
        ("nothing", []),
    ],
)
def test_a_name_means_the_nearest_kind_of_match(name: str, found: list[str]) -> None:
    """An id, before a test's name, before a part of an id, before a pattern."""
    assert matching(name, IDS) == found


def test_the_file_beside_is_named(tmp_path: Path) -> None:
    """The one that is spelt most alike; in a folder that isn't there is none."""
    (tmp_path / "run.json").touch()
    assert near_file(tmp_path / "rnu.json") == " Did you mean run.json?"
    assert near_file(tmp_path / "nowhere" / "run.json") == ""
