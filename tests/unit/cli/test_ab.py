"""`pytest-energy ab`: how its words are understood."""

import pytest

from pytest_energy.cli import parsed
from tests.unit.cli.conftest import Cli


def test_options_may_stand_on_either_side_of_the_revision() -> None:
    """What stands after `--` is pytest's, whatever it looks like."""
    for words in (["--pairs", "7", "main"], ["main", "--pairs", "7"]):
        options = parsed(["ab", *words, "--", "-k", "one", "--pairs=3", "tests"])
        assert (options.ref, options.pairs) == ("main", 7)
        assert options.pytest_arguments == ["-k", "one", "--pairs=3", "tests"]
    assert parsed(["ab", "main"]).pytest_arguments == []


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("--tolerance=-0.1", "must be a share from 0 to 100 %"),
        ("--tolerance=nan", "must be a share from 0 to 100 %"),
        ("--alpha=0.5", "must be a chance above 0 and below 50 %"),
        ("--pairs=0", "must be a whole number of at least 1"),
        ("--pairs=x", "must be a whole number of at least 1"),
        ("--blocks=0", "must be a whole number of at least 1"),
        ("--env=BUGS", "must be NAME=VALUE"),
        ("--env-base==7", "must be NAME=VALUE"),
        ("--max-time=0", "must be a time above 0"),
        ("--nonsense", "unrecognized arguments: --nonsense"),
    ],
)
def test_a_wrong_value_is_an_error(cli: Cli, word: str, wanted: str) -> None:
    """Exit status 2 with the value and what to give instead."""
    status, _, err = cli("ab", "main", word)
    assert status == 2
    assert wanted in err


def test_each_side_has_variables_of_its_own() -> None:
    """A value may be empty or hold the sign; without the options there are none."""
    options = parsed(["ab", ".", "--env-base=BUGS=", "--env", "BUGS=7", "--env=FLAGS=-x=1"])
    assert (options.ref, options.env_base) == (".", [("BUGS", "")])
    assert options.env == [("BUGS", "7"), ("FLAGS", "-x=1")]
    assert parsed(["ab", "main"]).env == []
