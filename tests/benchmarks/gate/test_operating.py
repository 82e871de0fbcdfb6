"""The gate's operating tables: few repetitions, and the same verdicts as the product's."""

import random

import pytest

from benchmarks.gate.operating import (
    BUDGET_SHARES,
    TABLES,
    Cell,
    Rounds,
    budget_shares,
    energies_of,
    main,
    main_cells,
    operations,
    sample_of,
)
from pytest_energy.judgement import Verdict
from pytest_energy.plugin.rounds import LEAST_ROUND_COUNT, MOST_ROUND_COUNT
from tests.builders import judged, record

SEED = 3


@pytest.mark.parametrize("share", BUDGET_SHARES)
def test_the_budgets_verdicts_are_the_products(share: float) -> None:
    """A simulated budget says of one record what `judge` says of it."""
    rounds = Rounds(cv=0.03)
    rng = random.Random(f"{SEED} budget {rounds}")  # noqa: S311  # the draw that is simulated
    fresh = sample_of(energies_of(rounds, rng, tolerance=0.05), rounds)
    judgement = judged(record(*fresh.energies_j), budget_j=100 / share)
    (simulated,) = budget_shares(rounds, 1, seed=SEED)[share]
    assert simulated is judgement.verdict


def test_rounds_are_taken_as_the_product_takes_them() -> None:
    """Steady work takes one more than the least, wild work the cap, a fixed number itself."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    steady, wild, fixed = (
        len(energies_of(rounds, rng, tolerance=0.05))
        for rounds in (Rounds(cv=0.001), Rounds(cv=0.5), Rounds(cv=0.5, count=3))
    )
    assert (steady, wild, fixed) == (LEAST_ROUND_COUNT + 1, MOST_ROUND_COUNT, 3)


def test_a_large_rise_is_found_and_no_rise_is_none() -> None:
    """Sessions that differ by 1 %: +15 % always fails, no change never does, and shares add up to 1."""
    (found,) = operations(
        [Cell(rounds=Rounds(cv=0.01), between_sd=0.01, session_count=3)], repetitions=40, seed=SEED
    )
    assert found.share(0.15, Verdict.REGRESSION) == 1.0
    assert found.share(0.0, Verdict.REGRESSION) == 0.0
    assert all(sum(shares.values()) == pytest.approx(1.0) for shares in found.shares.values())


def test_cells_see_the_same_draws_alone_and_together() -> None:
    """A cell's figures don't depend on which other cells are simulated with it."""
    cells = main_cells()[:8]
    together = operations(cells, repetitions=10, seed=SEED)
    assert together[5] == operations([cells[5]], repetitions=10, seed=SEED)[0]


def test_it_prints_every_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints each table, with the repetitions and the seed that made it."""
    assert main(["--repetitions", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("2 repetitions a cell, seed 20261121")
    assert all(f"\n{title}\n" in shown for title in TABLES)
    lines = [line for line in shown.splitlines() if line.startswith("|")]
    assert len(lines) == sum(2 + count for count in (60, 24, 12, 3, 5))


@pytest.mark.parametrize("count", ["0", "-1"])
def test_no_repetitions_are_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer than one repetition is an error that says so."""
    with pytest.raises(SystemExit):
        main(["--repetitions", count])
    assert "give at least 1" in capsys.readouterr().err
