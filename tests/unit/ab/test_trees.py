"""What is compared: revisions, or one tree whose environment differs."""

from pathlib import Path

import pytest

from pytest_energy.ab.trees import Sides, trees_of
from pytest_energy.errors import SettingsError
from tests.unit.ab.test_worktree import git, trees


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository of one commit."""
    root = tmp_path / "project"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "work.py").write_text("1\n")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "one")
    return root


def test_one_tree_is_both_sides(root: Path) -> None:
    """`.` makes no worktree: both are the working tree, told apart by their variables alone."""
    sides = Sides.of(".", root / "sub", {"BUGS": ""}, {"BUGS": "7", "MODE": "x"})
    with trees_of(sides) as (before, after):
        assert trees(root) == 1
        assert (before.root, after.root, after.folder) == (root, root, Path("sub"))
        assert (before.variables, after.variables) == ({"BUGS": ""}, {"BUGS": "7", "MODE": "x"})
    commit = git(root, "rev-parse", "--short=7", "HEAD")
    assert before.name == f"the working tree ({commit}) under BUGS="
    assert after.name == f"the working tree ({commit}) under BUGS=7 MODE=x"


def test_a_revision_has_variables_too(root: Path) -> None:
    """They are the other side's, in its worktree; a side without any is named as before."""
    with trees_of(Sides.of("main", root, {"BUGS": "fixed"}, {})) as (before, after):
        assert before.root != root
        assert before.variables == {"BUGS": "fixed"}
        assert before.name.endswith(") under BUGS=fixed")
        assert after.name.endswith(")")
    assert trees(root) == 1


def test_a_secret_stands_in_no_name(root: Path) -> None:
    """The value of a variable that is a secret by its name is covered, and control text is inert."""
    variables = {"API_TOKEN": "sesame-open", "NOTE": "a\nb"}
    with trees_of(Sides.of(".", root, {}, variables)) as (_, after):
        assert after.name.endswith(" under API_TOKEN=*** NOTE=a\\nb")
        assert after.variables == variables


def test_a_folder_that_is_not_committed_is_refused(root: Path) -> None:
    """The command can't start where the revision has nothing; the working tree itself has it."""
    (root / "new").mkdir()
    with (
        pytest.raises(SettingsError, match="has no folder new"),
        trees_of(Sides.of("main", root / "new", {}, {})),
    ):
        pass
    with trees_of(Sides.of(".", root / "new", {}, {})) as (before, _):
        assert before.working_folder == root / "new"
