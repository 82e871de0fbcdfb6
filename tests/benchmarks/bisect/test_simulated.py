"""Simulated bisections: what they come to where the noise is known."""

import random

import pytest

from benchmarks.bisect.simulated import NONE, RIGHT, SUSPECT, WRONG, Line, Machine, outcome
from pytest_energy.bisect.search import most_steps

QUIET, LOUD = (0.001, 0.0), (0.03, 0.03)


def machine(planted: int, rise: float, noise: tuple[float, float]) -> Machine:
    return Machine(planted, rise, noise, 0.005, random.Random(f"{planted} {rise} {noise}"))  # noqa: S311


@pytest.mark.parametrize("planted", range(1, 13))
def test_without_noise_every_commit_is_found(planted: int) -> None:
    """In at most five steps."""
    quiet = machine(planted, 0.1, QUIET)
    assert outcome(quiet) == RIGHT
    assert quiet.step_count <= 5


def test_no_rise_is_detected_where_there_is_none() -> None:
    assert outcome(machine(5, 0.0, QUIET)) == NONE


def test_much_noise_leaves_suspects_or_nothing_more_often_than_a_wrong_commit() -> None:
    """Of small rises on a machine whose processes differ much."""
    found = [outcome(machine(1 + number % 12, 0.05, LOUD)) for number in range(12)]
    assert found.count(WRONG) < found.count(NONE) + found.count(SUSPECT)


def test_a_line_is_halved_as_git_halves_it() -> None:
    """The middle first, and none that is known."""
    candidates = Line().candidates(["0", "4"], "12")
    assert candidates[0] == "8"
    assert set(candidates) == set(map(str, range(5, 12)))
    assert most_steps(len(candidates)) == 3
