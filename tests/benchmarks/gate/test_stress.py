"""Writers at once, one of them killed: benchmarks/gate/stress.py, few times."""

from benchmarks.gate.stress import PLACES, SESSION_COUNT, TEST_IDS, WRITER_COUNT, outcomes


def test_a_killed_writer_loses_nothing_of_the_others() -> None:
    """Every session that a writer has said to be stored is there once, and every file is sound."""
    found = outcomes(2, seed=1)
    assert [one.place for one in found] == list(PLACES[1:3])
    for one in found:
        assert (one.lost, one.doubled, one.broken, one.leftovers) == ((), (), (), ())
        assert one.stored_count >= (WRITER_COUNT - 1) * SESSION_COUNT * len(TEST_IDS)
