"""The search over histories without git: what is found, and in how many steps."""

import pytest

from pytest_energy.bisect.search import Answer, Frontier, most_steps, search
from tests.fakes.histories import Graph

DIAMONDS = Graph(
    {
        "0": (),
        "1": ("0",),
        "left": ("1",),
        "right 1": ("1",),
        "right 2": ("right 1",),
        "merge": ("left", "right 2"),
        "2": ("merge",),
    }
)


class Judge:
    """Calls a commit bad that contains *planted*, and skips those *broken*."""

    def __init__(self, graph: Graph, planted: str, *broken: str) -> None:
        self._graph, self._planted, self._broken = graph, planted, broken
        self.judged: list[str] = []
        self.most: list[int] = []

    def __call__(self, name: str, most: int) -> Answer:
        self.judged.append(name)
        self.most.append(most)
        if name in self._broken:
            return Answer.SKIP
        return Answer.BAD if self._planted in self._graph.ancestors(name) else Answer.GOOD


def searched(graph: Graph, bad: str, judge: Judge) -> tuple[str, ...]:
    """The suspects."""
    start = Frontier(good=("0",), bad=bad)
    return search(graph, start, judge, lambda _: None).suspects(graph)


@pytest.mark.parametrize("count", range(1, 18))
def test_every_commit_of_a_line_is_found_in_as_many_steps_as_halving_takes(count: int) -> None:
    """One suspect is left, and the steps are at most the logarithm of the commits."""
    graph = Graph.line(count)
    for planted in range(1, count + 1):
        judge = Judge(graph, str(planted))
        assert searched(graph, str(count), judge) == (str(planted),)
        assert len(judge.judged) <= most_steps(count - 1) == (count - 1).bit_length()
        assert all(most >= len(judge.judged) - done for done, most in enumerate(judge.most))


def test_twelve_commits_take_four_steps_after_that_of_the_bad_one() -> None:
    assert most_steps(11) == 4


@pytest.mark.parametrize("planted", [name for name in DIAMONDS.parents if name != "0"])
def test_a_commit_on_a_side_branch_is_found(planted: str) -> None:
    """What a good commit contains is good, on either side of a merge."""
    assert searched(DIAMONDS, "2", Judge(DIAMONDS, planted)) == (planted,)


def test_a_skipped_commit_costs_a_step_and_hides_nothing() -> None:
    """Its neighbours decide: where it can't be the first bad one, it is no suspect."""
    graph = Graph.line(8)
    judge = Judge(graph, "7", "4")
    assert searched(graph, "8", judge) == ("7",)
    assert "4" in judge.judged


def test_a_skipped_commit_that_may_be_the_first_bad_one_is_a_suspect() -> None:
    """It is listed with the bad one, and is judged once."""
    graph = Graph.line(8)
    judge = Judge(graph, "5", "4", "5")
    suspects = searched(graph, "8", judge)
    assert (suspects[0], set(suspects)) == ("6", {"4", "5", "6"})
    assert len(judge.judged) == len(set(judge.judged))


def test_where_all_are_skipped_all_are_suspects() -> None:
    graph = Graph.line(5)
    assert set(searched(graph, "5", Judge(graph, "3", *"1234"))) == set("12345")


def test_what_is_known_is_kept_after_each_step() -> None:
    """So that a search that is ended can be continued."""
    graph, kept = Graph.line(4), list[Frontier]()
    judge = Judge(graph, "3")
    last = search(graph, Frontier(good=("0",), bad="4"), judge, kept.append)
    assert len(kept) == len(judge.judged)
    assert kept[-1] == last
    assert (last.bad, last.good[-1]) == ("3", "2")
