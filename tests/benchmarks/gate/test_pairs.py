"""The operating tables of rounds in turns: few repetitions, and what they must show."""

import pytest

from benchmarks.gate.pairs import ORDER_CELLS, Cell, main, operation

REPETITIONS = 400
SEED = 3
# Three standard deviations of a share of 5 % in so many repetitions.
CHANCE = 3 * (0.05 * 0.95 / REPETITIONS) ** 0.5


def test_a_warm_up_drift_raises_no_false_alarm() -> None:
    """15 pairs under a drift of 4 %: 5 % false alarms up to chance, and +2 % is found."""
    found = operation(Cell(pair_count=15), REPETITIONS, seed=SEED)
    assert found.shares[0.0] <= 0.05 + CHANCE
    assert found.shares[0.02] >= 0.95


def test_one_side_after_the_other_would() -> None:
    """The drift is one that the order must cancel: not in turns it is a false alarm most of the time."""
    found = operation(Cell(order="AABB", pair_count=15), REPETITIONS, seed=SEED)
    assert found.shares[0.0] > 0.5


def test_the_rule_for_rounds_ends_it() -> None:
    """Quiet pairs need no more than the least, noisy ones take all."""
    quiet, noisy = (operation(Cell(cv=cv, tolerance=0.02), 20, seed=SEED) for cv in (0.001, 0.1))
    assert quiet.pair_count == pytest.approx(6.0, abs=0.5)
    assert noisy.pair_count == 30


def test_both_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a cell."""
    assert main(["--repetitions", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("| in turns", "| A")) for line in lines) == len(ORDER_CELLS)
