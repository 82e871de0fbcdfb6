"""What was meant by a word that an option doesn't take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.spelling import choice, did_you_mean, listed, nearest, several

WORDS = ("check", "add", "replace", "off")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("rapI", ("nvml", "rapl", "estimate"), ["rapl"]),
        ("Tolerence", ("tolerance", "rounds"), ["tolerance"]),
        ("--energy_out", ("--energy-out", "--energy-off"), ["--energy-out"]),
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
