"""What was meant by a wrong word, and words that have a new form."""

import re

import pytest

from pytest_energy.cli.words import FORMER, Former, current
from tests.unit.cli.conftest import Cli


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["accpt", "run.json"], "accept"),
        (["judge", "run.json", "--tolerence=5%"], "--tolerance"),
        (["judge", "run.json", "--energy-tolerance=5%"], "--tolerance"),
        (["judge", "run.json", "--energy-out=x.json"], "--out"),
        (["compare", "a.json", "b.json", "--basis=count"], "counts"),
        (["baselines", "prun"], "prune"),
        (["baselines", "prune", "--machne=x"], "--machine"),
        (["schema", "runs"], "run"),
        (["--versoin", "doctor"], "--version"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest(cli: Cli, words: list[str], meant: str) -> None:
    """A command, an option of any command, a value: status 2, and what was probably meant."""
    status, _, err = cli(*words)
    assert status == 2
    assert err.endswith(f"Did you mean {meant}?\n")


def test_where_nothing_is_near_nothing_is_asked(cli: Cli) -> None:
    """A guess that is far off would only mislead."""
    status, _, err = cli("doctor", "--xyzzy")
    assert status == 2
    assert "Did you mean" not in err


@pytest.mark.parametrize("words", [["accept", "--keep=x", "run.json"], ["ab", "--alpha=2", "main"], ["ab"]])
def test_an_error_ends_in_one_dot(cli: Cli, words: list[str]) -> None:
    """Whether the reason is our sentence or argparse's."""
    assert re.search(r"[^.]\.\n$", cli(*words).err)


@pytest.mark.parametrize("former", FORMER, ids=lambda one: f"{one.command} {one.old}")
def test_a_former_word_becomes_the_new_one(former: Former, capsys: pytest.CaptureFixture[str]) -> None:
    """In its place among the others, in one word or in two, with a line that names the new form."""
    assert current([former.command, former.old, "run.json"]) == [former.command, former.new, "run.json"]
    assert capsys.readouterr().err == f"pytest-energy: {former.old} is now {former.new}\n"
    name, equals, value = former.old.partition("=")
    if equals:
        assert current([former.command, name, value]) == [former.command, former.new]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["judge"],
        ["judge", "run.json", "--estimates=gate"],
        ["judge", "run.json", "--estimates", "report"],
        ["doctor", "--estimates"],
        ["ab", "session", "--basis", "counts"],
    ],
)
def test_other_words_are_left_as_they_are(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The new form, in one word or in two, and what is no former word of that command."""
    assert current(words) == words
    assert capsys.readouterr().err == ""
