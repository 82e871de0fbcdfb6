"""Energy bugs that people had: the same work, with the bug or mended."""

from typing import TYPE_CHECKING

import pytest

from benchmarks.bugs.pair import Pair, Side

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


# torch itself warns of some of these bugs, and its compiler imports what it has deprecated.
@pytest.mark.filterwarnings("default")
@pytest.mark.energy(group="bugs", max_time=30.0)
def test_bug(energy: "Energy", pair: Pair, side: Side, device: str) -> None:
    """One test for both sides, so that its baseline is of the other side."""
    with pair.open(side, device) as work:
        result = energy.measure(work)
        assert bool(result.isfinite().all())
