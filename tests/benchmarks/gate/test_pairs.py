"""The operating tables of rounds in turns: few repetitions, and what they must show."""

import pytest

from benchmarks.gate.pairs import BLOCK_CELLS, ORDER_CELLS, TABLES, Cell, main, operation

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
    cell = Cell(order="AABB", pair_count=15, block_count=1, is_level_blind=True)
    found = operation(cell, REPETITIONS, seed=SEED)
    assert found.shares[0.0] > 0.5


def test_the_rule_for_rounds_ends_it() -> None:
    """Quiet pairs need no more than the least, noisy ones take all."""
    quiet, noisy = (operation(Cell(cv=cv, tolerance=0.02, drift=0.0), 20, seed=SEED) for cv in (0.001, 0.1))
    assert quiet.pair_count == pytest.approx(10.0, abs=1.0)
    assert noisy.pair_count == 45


def test_the_level_of_a_process_is_no_regression() -> None:
    """Unchanged code of processes 1.4 % apart: at most 2 % false alarms, where pairs alone have many more."""
    blocks, blind = (
        operation(
            Cell(process_sd=0.014, pair_count=30, tolerance=0.02, is_level_blind=is_blind, block_count=count),
            REPETITIONS,
            seed=SEED,
        )
        for is_blind, count in ((False, 3), (True, 1))
    )
    assert blocks.shares[0.0] <= 0.02
    assert blind.shares[0.0] > 0.05


@pytest.mark.parametrize("process_sd", [0.003, 0.014])
def test_a_suite_knows_how_far_processes_differ(process_sd: float) -> None:
    """The bounds of ten tests together miss no more often than they say, whatever the processes do."""
    cell = Cell(process_sd=process_sd, pair_count=30, suite_count=10, drift=0.0)
    assert operation(cell, REPETITIONS, seed=SEED).misses <= 0.05 + CHANCE


def test_all_tables_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """One line a cell."""
    assert main(["--repetitions", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith(("| in turns", "| A")) for line in lines) == len(ORDER_CELLS)
    rows = [line for line in lines if line.startswith("| ")]
    assert len(rows) == len(TABLES) + sum(len(cells) for _, cells, _ in TABLES)
    assert sum(line.startswith("| 1.4% | ") for line in rows) == len(BLOCK_CELLS) / 5
