"""Writers at once, one of them killed: benchmarks/gate/stress.py, few times."""

import pytest

from benchmarks.gate.stress import PLACES, SESSION_COUNT, TEST_IDS, WRITER_COUNT, outcomes


@pytest.mark.parametrize("count", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_killed_writer_loses_nothing_of_the_others(count: int) -> None:
    """Every session that a writer has said to be stored is there once, and every file is sound."""
    found = outcomes(count, seed=1)
    assert [one.place for one in found] == [*PLACES[1:], PLACES[0]][:count]
    for one in found:
        assert (one.lost, one.doubled, one.broken, one.leftovers) == ((), (), (), ())
        assert one.stored_count >= (WRITER_COUNT - 1) * SESSION_COUNT * len(TEST_IDS)
