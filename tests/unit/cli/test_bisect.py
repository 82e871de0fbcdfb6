"""`pytest-energy bisect`: how its words are understood, and what is refused before any work."""

from pathlib import Path

import pytest

from pytest_energy.cli import parsed
from tests.unit.ab.test_worktree import git, trees
from tests.unit.cli.conftest import Cli


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two commits, in which the command is started."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    for subject in ("one", "two"):
        git(root, "commit", "-qm", subject, "--allow-empty")
    monkeypatch.chdir(root)
    return root


def test_the_bad_revision_is_the_newest_unless_it_is_named() -> None:
    """Options stand on either side; what stands after `--` is pytest's."""
    options = parsed(["bisect", "v1", "--pairs=7", "--", "-k", "one", "tests"])
    assert (options.good, options.bad, options.pairs) == ("v1", "HEAD", 7)
    assert options.pytest_arguments == ["-k", "one", "tests"]
    assert parsed(["bisect", "v1", "v2"]).bad == "v2"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["main~1", "--tolerance=-1"], "must be a share from 0 to 100 %"),
        (["main~1", "--alpha=0.5"], "must be a chance above 0 and below 50 %"),
        (["main~1", "--pairs=1"], "must be a whole number of at least 2"),
        (["main~1", "--blocks=0"], "must be a whole number of at least 1"),
        (["main~1", "--max-time=0"], "must be a time above 0"),
        (["main~1", "--out=b.html"], "--out b.html must end in one of .json, .md"),
        (["main~1", "--copy=absent.py"], "--copy absent.py: name a file or a folder in the working tree"),
        (["main~1", "--copy=/etc"], "--copy /etc: name a file or a folder in the working tree"),
        (["main~1", "main~1"], "are the same commit"),
        (["main", "main~1"], "Swap them"),
        (["mian"], "Did you mean main?"),
        (["main~1", "--nonsense"], "unrecognized arguments: --nonsense"),
        ([], "the following arguments are required: GOOD"),
    ],
)
def test_a_wrong_value_is_refused(cli: Cli, root: Path, words: list[str], wanted: str) -> None:
    """Exit status 2 with the value and what to give instead, and no worktree."""
    status, _, err = cli("bisect", *words)
    assert status == 2
    assert wanted in err
    assert trees(root) == 1


def test_a_folder_without_a_repository_is_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = cli("bisect", "main")
    assert status == 2
    assert "is not in a git working tree" in err
