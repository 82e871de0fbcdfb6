"""A side that was counted before answers without a process."""

import pytest

from pytest_energy.ab.interleave import PairPlan, interleave
from pytest_energy.ab.known_side import KnownSide
from pytest_energy.ab.protocol import CollectedTests
from pytest_energy.errors import NotMeasurable
from tests.fakes.hand_clock import HandClock
from tests.unit.ab.test_interleave import DONE, FakeSide

TESTS = CollectedTests(tolerances={"t.py::test_a": None}, other_count=0, sources={})
KNOWN = KnownSide(tests=TESTS, ended={"t.py::test_a": DONE}, sources={"calc": "calc.py"})


def test_a_known_test_ends_as_it_did() -> None:
    """Beside a side that counts now, with no rounds on either."""
    clock, plan = HandClock(), PairPlan(least=5, cap=30, tolerance=0.02, max_time_s=None)
    other = FakeSide("B", [], clock, ready=DONE)
    rounds = interleave(KNOWN, other, "t.py::test_a", None, plan=plan, clock=clock)
    assert (rounds.ended, rounds.before, rounds.is_complete) == ((DONE, DONE), (), True)
    assert KNOWN.collected() == TESTS


def test_what_was_not_counted_is_an_error() -> None:
    """A test that is new, a round, an end: there is no process for them."""
    with pytest.raises(NotMeasurable, match="test_b was not counted before"):
        KNOWN.begin("t.py::test_b", None)
    with pytest.raises(NotMeasurable, match="a round of 3 calls"):
        KNOWN.take_round(3)
    with pytest.raises(NotMeasurable, match="runs no test"):
        KNOWN.finish()
