"""What git says of the commits between two revisions, and what is refused."""

from pathlib import Path

import pytest

from pytest_energy.bisect.history import History
from pytest_energy.errors import SettingsError
from tests.unit.ab.test_worktree import git
from tests.unit.bisect.conftest import Project


def test_the_best_commit_to_judge_comes_first(project: Project) -> None:
    """Of a line it is the middle one; good commits and the bad one are no candidates."""
    names = project.commits("zero", "one", "two", "three", "four")
    history = History.of(project.root, "HEAD~4", "HEAD")
    candidates = history.candidates([names[0]], names[4])
    assert candidates[0] == names[2]
    assert set(candidates) == set(names[1:4])
    assert set(history.candidates([names[2]], names[4])) == {names[3]}
    assert history.is_linear


def test_both_sides_of_a_merge_are_candidates(project: Project) -> None:
    """A good commit on one side leaves the other; of first parents the side branch is none."""
    start = project.commit("start")
    git(project.root, "switch", "-qc", "side")
    side = project.commits("side one", "side two")
    git(project.root, "switch", "-q", "main")
    own = project.commit("own")
    merged = project.merge("side")
    history = History.of(project.root, start, "HEAD")
    assert set(history.candidates([start], merged)) == {*side, own}
    assert set(history.candidates([start, own], merged)) == {*side}
    assert not history.is_linear
    assert set(history.parents(merged)) == {own, side[1]}
    first = History.of(project.root, start, "HEAD", is_first_parent=True)
    assert first.candidates([start], merged) == (own,)
    assert first.is_linear


def test_a_commit_has_its_date_and_subject(project: Project) -> None:
    """The subject is the message's first line, whatever it holds."""
    _, name = project.commits("one", "Tune %H $(x) `y`\n\nA body.")
    commit = History.of(project.root, "HEAD~1", "HEAD").commit(name)
    assert (commit.name, commit.subject, commit.short) == (name, "Tune %H $(x) `y`", name[:7])
    assert commit.author_date.startswith("20")


def test_the_diff_stat_is_that_of_two_commits(project: Project) -> None:
    """Files and their sum, without the user's colours."""
    one, other = project.commits("one", "two")
    git(project.root, "config", "color.ui", "always")
    lines = History.of(project.root, one, other).diff_stat(one, other)
    assert lines == ("work.py | 2 +-", "1 file changed, 1 insertion(+), 1 deletion(-)")


def refusal(project: Project, good: str, bad: str) -> str:
    with pytest.raises(SettingsError) as refused:
        History.of(project.root, good, bad)
    return str(refused.value)


def test_equal_revisions_are_refused(project: Project) -> None:
    """By whatever names."""
    project.commits("one", "two")
    text = refusal(project, "main", "HEAD")
    assert "are the same commit" in text
    assert "Name an older commit as GOOD" in text


def test_swapped_revisions_are_refused(project: Project) -> None:
    """With what to do."""
    project.commits("one", "two")
    assert "comes after BAD" in refusal(project, "HEAD", "HEAD~1")
    assert refusal(project, "HEAD", "HEAD~1").endswith("Swap them")


def test_a_good_one_on_another_branch_is_refused(project: Project) -> None:
    """The last common commit is named."""
    base = project.commit("base")
    git(project.root, "switch", "-qc", "side")
    project.commit("side")
    git(project.root, "switch", "-q", "main")
    project.commit("own")
    text = refusal(project, "side", "main")
    assert "is not an ancestor of BAD" in text
    assert f"Name their last common commit as GOOD: {base[:7]}" in text


def test_unrelated_histories_are_refused(project: Project) -> None:
    project.commit("one")
    git(project.root, "switch", "-q", "--orphan", "other")
    project.commit("other")
    assert refusal(project, "main", "other").endswith("they have no commit in common")


def test_an_unknown_revision_is_refused_with_names_near_it(project: Project) -> None:
    """Of branches and tags; a known one with too few commits has no other name."""
    project.commit("one")
    git(project.root, "tag", "v1.0.0")
    assert "Did you mean main?" in refusal(project, "mian", "HEAD")
    assert "Did you mean v1.0.0?" in refusal(project, "v1.0.1~3", "HEAD")
    assert "Did you mean" not in refusal(project, "main~9", "HEAD")
    assert "Did you mean" not in refusal(project, "--all", "HEAD")


def test_a_shallow_clone_is_told_to_fetch_the_rest(project: Project, tmp_path: Path) -> None:
    """Where the good commit is not connected with the bad one in it."""
    names = project.commits("one", "two", "three")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", project.root.as_uri(), str(clone))
    git(clone, "fetch", "-q", "--depth=1", "origin", names[0])
    with pytest.raises(SettingsError, match=r"This clone is shallow.*git fetch --unshallow"):
        History.of(clone, names[0], "HEAD")
