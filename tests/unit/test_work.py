"""How a call of a function is counted."""

from dataclasses import replace

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.work import CallWork
from tests.builders import COUNTS
from tests.fakes.tracer import FakeTrace


def test_the_function_itself_is_counted() -> None:
    """Without a smaller piece the whole call is."""
    trace = FakeTrace(counts=COUNTS)
    assert CallWork(call=lambda: "whole").counts(trace) is COUNTS
    assert set(trace.results) == {"whole"}


def test_a_smaller_piece_stands_in_for_it() -> None:
    """An epoch is not run once more where one of its steps says the same."""
    trace, calls = FakeTrace(counts=COUNTS), []
    work = CallWork(call=lambda: calls.append("whole"), traced=lambda: calls.append("piece"))
    assert work.counts(trace) == replace(COUNTS, is_piece=True)
    assert set(calls) == {"piece"}
    assert trace.are_whole == (False,)


def test_a_piece_that_leaves_its_work_undone_is_refused() -> None:
    """A coroutine has done nothing: its counts would be those of no work."""

    async def piece() -> None: ...

    with pytest.raises(EnergyError, match="nothing ran: the call returned a coroutine"):
        CallWork(call=lambda: None, traced=piece).counts(FakeTrace(counts=COUNTS))
