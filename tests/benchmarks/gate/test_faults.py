"""The faults that are simulated: few repetitions, and what must be so in each of them."""

import random
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import pytest

from benchmarks.gate.faults.__main__ import TABLES, main
from benchmarks.gate.faults.alone import (
    figures,
    large_rounds,
    large_rounds_in_a_budget,
    net_figures,
    still_red,
)
from benchmarks.gate.faults.suites import suite_figures
from benchmarks.gate.faults.worlds import World, autoregressive, by_day, neighbour, spiky, two_states
from pytest_energy.judgement import Verdict

SEED = 5


def correlation(values: Sequence[float]) -> float:
    centre = fmean(values)
    off = [value - centre for value in values]
    return fmean(a * b for a, b in pairwise(off)) / fmean(one**2 for one in off)


def test_rounds_are_alike() -> None:
    """A first-order process has the correlation that it is made for, and the spread."""
    rounds = autoregressive(0.6)(random.Random(SEED), 0.05, 5000)  # noqa: S311  # noise that repeats
    assert correlation(rounds) == pytest.approx(0.6, abs=0.05)
    assert fmean(one**2 for one in rounds) == pytest.approx(0.05**2, rel=0.1)


def test_sessions_share_what_they_share() -> None:
    """States, the hour and a neighbour are as often and as large as said."""
    rng = random.Random(SEED)  # noqa: S311  # noise that repeats
    states = [two_states(0.077, 0.15)(rng, False) for _ in range(4000)]  # noqa: FBT003
    assert set(states) == {0.0, 0.077}
    assert fmean(states) == pytest.approx(0.15 * 0.077, rel=0.15)
    assert by_day(0.04)(rng, False) == pytest.approx(-0.036)  # noqa: FBT003
    assert max(by_day(0.04)(rng, True) for _ in range(1000)) == pytest.approx(0.04, rel=0.01)  # noqa: FBT003
    met = [neighbour(0.12, 0.05)(rng) > 0 for _ in range(4000)]
    assert fmean(met) == pytest.approx(0.05, abs=0.01)


def test_an_odd_session_hides_nothing() -> None:
    """One of five sessions that is off by 30 % leaves +10 % detected, and unchanged code green."""
    found = figures(World(between_sd=0.005), 5, 40, seed=SEED, odd=0.30)
    assert found.share(Verdict.REGRESSION, 0.10) >= 0.9
    assert found.share(Verdict.REGRESSION) == 0.0


def test_a_large_round_is_no_pass() -> None:
    """Where a round of twice the work was among those taken, nothing passes."""
    counts = large_rounds(World(fresh_rounds=spiky(0.1, 1.0)), 3, 60, seed=SEED)
    assert counts[True][Verdict.PASS] == 0
    assert sum(counts[True].values()) > 10
    assert counts[False][Verdict.PASS] > 10


def test_a_budget_holds_large_rounds() -> None:
    """Work that is 5 % over its budget by rare rounds passes only where none of them was taken."""
    world = World(between_sd=0.0, fresh_rounds=spiky(0.1, 1.0))
    counts = large_rounds_in_a_budget(world, 1.05 / 1.1, 60, seed=SEED)
    assert counts[True][Verdict.PASS] == 0
    assert counts[True][Verdict.INCONCLUSIVE] > 0


@pytest.mark.parametrize("count", [1, 3, 4])
def test_single_rounds_fail_nothing(count: int) -> None:
    """Below five sessions of one round there is no regression, whatever the noise."""
    assert figures(World(cv=0.2, count=1), count, 60, seed=SEED).share(Verdict.REGRESSION) == 0.0


def test_idle_power_is_not_known_for_nothing() -> None:
    """Net joules whose idle power is read 5 % wrong are no false alarm; a large rise is one."""
    red = net_figures(0.7, 0.05, 1, 60, seed=SEED)
    assert red[0.0] <= 0.02


def test_tries_are_pooled() -> None:
    """With all tries kept, more of them stay red than where each is judged alone."""
    world = World(between_sd=0.02)
    alone, pooled = (
        still_red(world, 1, 0.10, 60, are_pooled=are_pooled, seed=SEED) for are_pooled in (False, True)
    )
    assert alone[0] == pooled[0]
    assert alone[2] < pooled[2] <= pooled[0]


def test_what_all_tests_share_fails_no_test() -> None:
    """Twenty tests that are all 8 % up: the run fails, no test does, and a yardstick explains it."""
    found = suite_figures(World(between_sd=0.005), 3, 20, 2, seed=SEED, common_rise=0.08, planted_count=1)
    assert (found.red_tests, found.failing_runs, found.explained_runs) == (0.0, 1.0, 0.0)


def test_a_suite_knows_how_its_sessions_differ() -> None:
    """Tests whose sessions differ by 5 % fail nothing together; what is detectable is larger than +10 %."""
    found = suite_figures(World(between_sd=0.05), 1, 30, 2, seed=SEED, probed_count=2)
    assert found.red_suites == 0.0
    assert found.detectable > 0.10


def test_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its title; one can be had by itself."""
    assert main(["--repetitions=1", "--table=odd", "--table=tries"]) == 0
    out = capsys.readouterr().out
    assert out.count("###") == 2
    assert f"### {TABLES['odd'][0]}" in out
    assert "| all tries kept |" in out


@pytest.mark.parametrize("name", ["large", "budget", "net", "single"])
def test_a_table_has_a_row_for_every_case(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No cell is left out, and none is empty of a figure."""
    assert main(["--repetitions=1", f"--table={name}"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + {"large": 8, "budget": 9, "net": 8, "single": 15}[name]


def test_no_repetitions_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Fewer than one repetition is an error that says so."""
    with pytest.raises(SystemExit):
        main(["--repetitions=0"])
    assert "give at least 1" in capsys.readouterr().err
