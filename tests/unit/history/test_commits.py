"""The order of runs, and addresses of commits."""

import pytest

from pytest_energy.history.commits import NO_COMMITS, Commits, web_of
from tests.fakes.run_histories import commit_name, commits, point

A, B = commit_name(1), commit_name(2)


def test_runs_are_in_the_order_of_their_commits() -> None:
    """An older commit that is measured again today is at its own place."""
    again = point(number=9, commit=commit_name(0))
    listed = [point(number=2), again, point(number=0), point(number=1)]
    ordered = commits(3).ordered(listed)
    assert [one.commit for one in ordered] == [commit_name(n) for n in (0, 0, 1, 2)]
    assert ordered[1] is again


def test_a_commit_that_is_not_known_leaves_the_order_to_times() -> None:
    """Half an order of commits is none."""
    listed = [point(number=2), point(number=9, commit=commit_name(0)), point(number=5)]
    assert [one.created.day for one in commits(3).ordered(listed)] == [3, 6, 10]
    assert [one.created.day for one in NO_COMMITS.ordered(listed)] == [3, 6, 10]


def test_a_commit_of_a_branch_that_was_never_merged_is_aside() -> None:
    """What HEAD descends from is its line; what the repository doesn't know is not judged."""
    known = commits(3, aside=[1])
    assert [known.is_aside(point(number=number)) for number in (0, 1, 7)] == [False, True, False]


@pytest.mark.parametrize(
    ("remote", "web"),
    [
        ("https://github.com/someone/thing.git", "https://github.com/someone/thing"),
        ("https://github.com/someone/thing/", "https://github.com/someone/thing"),
        ("git@gitlab.com:group/sub/thing.git", "https://gitlab.com/group/sub/thing"),
        ("ssh://git@gitlab.example.org:2222/group/thing.git", "https://gitlab.example.org/group/thing"),
        ("https://user:secret@github.com/someone/thing.git", "https://github.com/someone/thing"),
        ("https://example.org/someone/thing.git", ""),
        ("/srv/git/thing.git", ""),
        ("https://github.com/some one/<script>.git", ""),
        ("https://github.com/../../x", ""),
        ("javascript:alert(1)", ""),
        ("", ""),
    ],
)
def test_the_web_address_of_a_remote(remote: str, web: str) -> None:
    """GitHub and GitLab have pages for commits; a remote's credentials are never in the address."""
    assert web_of(remote) == web


def test_addresses_are_of_commits_alone() -> None:
    """A name that is not forty hexadecimal digits has no page, whatever a file calls its commit."""
    known = Commits(web="https://github.com/someone/thing")
    assert known.commit_link(A) == f"https://github.com/someone/thing/commit/{A}"
    assert known.compare_link(A, B) == f"https://github.com/someone/thing/compare/{A}...{B}"
    assert known.compare_link(A, A) == known.commit_link('" onclick="x') == known.commit_link("main") == ""
    assert NO_COMMITS.commit_link(A) == ""
    gitlab = Commits(web="https://gitlab.com/group/thing")
    assert gitlab.compare_link(A, B) == f"https://gitlab.com/group/thing/-/compare/{A}...{B}"
