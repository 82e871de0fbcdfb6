"""The gate's operating tables: few repetitions, and the same verdicts as the product's."""

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.gate.operating import (
    ALPHA,
    BUDGET_SHARES,
    CHANGES,
    TABLES,
    Cell,
    Gate,
    Rounds,
    budget_shares,
    energies_of,
    main,
    main_cells,
    operations,
    sample_of,
    verdict_at,
)
from pytest_energy.baselines.schema import Baseline
from pytest_energy.basis import Basis
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.plugin.rounds import LEAST_ROUND_COUNT, MOST_ROUND_COUNT
from pytest_energy.stats.compare import compare
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import more_rounds
from tests.builders import baseline, judged, record

SEED = 3


def drawn(rng: random.Random, *, cv: float = 0.03, own_share: float = 0.005) -> RoundEnergies:
    rounds = Rounds(cv=cv, own_share=own_share)
    return sample_of(energies_of(rounds, rng, tolerance=0.05), rounds, offset=rng.gauss(0.0, 0.02))


def grown(sample: RoundEnergies, ratio: float) -> RoundEnergies:
    return RoundEnergies(
        energies_j=tuple(ratio * energy_j for energy_j in sample.energies_j),
        uncertainties_j=tuple(ratio * uncertainty_j for uncertainty_j in sample.uncertainties_j),
    )


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_multiplies_the_bounds(change: float) -> None:
    """The bounds of a record that uses more are those of the record, times the change, to 1e-12."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    for session_count in (1, 3, 10):
        fresh, sessions = drawn(rng), [drawn(rng) for _ in range(session_count)]
        plain, changed = (
            compare(sample, sessions, tolerance=0.05, alpha=ALPHA)
            for sample in (fresh, grown(fresh, 1 + change))
        )
        assert changed.lower == pytest.approx(plain.lower * (1 + change), rel=1e-12)
        assert changed.upper == pytest.approx(plain.upper * (1 + change), rel=1e-12)
        assert changed.detectable_ratio == pytest.approx(plain.detectable_ratio, rel=1e-12)


def gated(rounds: Sequence[float], change: float, against: Baseline) -> Judgement:
    """What the product says of work that would give *rounds*, as many of them as it asks for."""
    energies_j = [energy_j * (1 + change) for energy_j in rounds]
    count, confirming_count = 6, 0
    while more := more_rounds(
        replace(record(*energies_j[:count]), confirming_count=confirming_count),
        history=history_of(against, Basis()),
        policy=Policy(),
        cap=MOST_ROUND_COUNT,
    ):
        count, confirming_count = count + more.count, more.count * more.is_confirming
    return judged(replace(record(*energies_j[:count]), confirming_count=confirming_count), against)


def test_the_gates_verdicts_are_the_products() -> None:
    """Extended, confirmed or neither: each simulated verdict is the product's on the same rounds."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    seen = set()
    for _ in range(30):
        fresh, *sessions = (
            sample_of(energies_of(rounds, rng, tolerance=0.05), rounds, offset=rng.gauss(0.0, 0.02))
            for rounds in (Rounds(cv=0.03, count=60), Rounds(cv=0.03), Rounds(cv=0.03))
        )
        gate = Gate(fresh, 6, sessions, 0.05)
        against = baseline(*(record(*session.energies_j) for session in sessions))
        for change in CHANGES:
            judgement = gated(fresh.energies_j, change, against)
            seen.add((judgement.verdict, len(judgement.record.rounds)))
            assert gate.verdict(change) is judgement.verdict
    assert {verdict for verdict, _ in seen} == {
        Verdict.PASS,
        Verdict.REGRESSION,
        Verdict.IMPROVEMENT,
        Verdict.INCONCLUSIVE,
    }
    assert {count for _, count in seen} == {6, 12, 20, 40}


def test_the_verdicts_are_the_products() -> None:
    """Each simulated verdict of one batch is the one that `judge` gives to the same rounds."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    seen = set()
    for _ in range(30):
        fresh, *sessions = (drawn(rng, cv=0.02, own_share=0.0) for _ in range(3))
        bounds = compare(fresh, sessions, tolerance=0.05, alpha=ALPHA)
        against = baseline(*(record(*session.energies_j) for session in sessions))
        for change in CHANGES:
            judgement = judged(record(*grown(fresh, 1 + change).energies_j), against)
            seen.add(judgement.verdict)
            assert verdict_at(bounds, change, 0.05) is judgement.verdict
    assert seen == {Verdict.PASS, Verdict.REGRESSION, Verdict.IMPROVEMENT, Verdict.INCONCLUSIVE}


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
