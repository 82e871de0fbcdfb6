"""The operating table of comparisons that may end early: few suites, and what they must show."""

import pytest

from benchmarks.gate.early import CELLS, WAYS, Operation, drawn, lines, operation
from benchmarks.gate.pairs import Cell
from pytest_energy.ab.calls import Calls

TESTS = 40
QUIET = Cell(cv=0.003, process_sd=0.003, tolerance=0.02, drift=0.0)
SHAKY = Cell(cv=0.01, process_sd=0.01, tolerance=0.02, drift=0.0)


def of(cell: Cell, calls: Calls, change: float) -> Operation:
    return operation(drawn(cell, TESTS), cell.tolerance, calls, change)


def test_unchanged_code_of_equal_calls_passes_sooner() -> None:
    """As often as with all blocks, and after two of three."""
    plain, looked = (of(QUIET, calls, 0.0) for calls in (Calls.UNKNOWN, Calls.SAME))
    assert (plain.passes, plain.block_count) == (1.0, 3.0)
    assert looked.passes == 1.0
    assert looked.block_count <= 2.2


@pytest.mark.parametrize("cell", [QUIET, SHAKY])
@pytest.mark.parametrize("change", [0.03, 0.05])
def test_a_planted_rise_is_found_as_before(cell: Cell, change: float) -> None:
    """Looks for a pass take nothing from what proves a rise, and hide none."""
    plain, looked = (of(cell, calls, change) for calls in (Calls.UNKNOWN, Calls.SAME))
    assert looked.regressions == plain.regressions
    assert looked.passes <= plain.passes + 0.05


def test_a_rise_that_counts_explain_is_found_sooner() -> None:
    """Five times the tolerance is found in the first block, and unchanged joules are no regression."""
    found = of(QUIET, Calls.MORE, 0.1)
    assert (found.regressions, found.block_count) == (1.0, 1.0)
    assert of(SHAKY, Calls.MORE, 0.0).regressions <= 0.05


def test_the_table_has_a_line_for_each_noise_and_way() -> None:
    """Every way to look is shown beside that without looks."""
    table = list(lines(1, CELLS[:2]))
    for name in WAYS.values():
        assert sum(f"| {name} |" in line for line in table) == 2
