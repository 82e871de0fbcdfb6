"""Kept sessions of real boards, judged against one another."""

import random
import re
from pathlib import Path

import pytest

from benchmarks.gate.field import (
    Session,
    all_planted_rows,
    choices,
    judged,
    main,
    planted_rows,
    read_session,
    unchanged_rows,
    verdict_within,
    with_more_work,
)
from pytest_energy.basis import Basis
from pytest_energy.judgement import Verdict

KEPT = Path(__file__).parents[3] / "docs" / "results" / "sessions" / "h100"
NAMES = ("board-a", "board-e-1", "board-e-plus10", "board-f-1", "board-h-active8", "board-i-sleep4")


@pytest.fixture(scope="module")
def sessions() -> list[Session]:
    """Six kept sessions of five boards, three of them planted."""
    return [read_session(KEPT / f"{name}.json") for name in NAMES]


def test_what_was_planted_is_read(sessions: list[Session]) -> None:
    """From the name or from the run's own note; steps by both spellings."""
    plants = {session.name: session.plant for session in sessions}
    assert plants == {
        "board-a": None,
        "board-e-1": None,
        "board-e-plus10": ("steps", 10.0),
        "board-f-1": None,
        "board-h-active8": ("active", 8.0),
        "board-i-sleep4": ("sleep", 4.0),
    }


def test_sessions_of_one_board_are_known_as_such(sessions: list[Session]) -> None:
    """The planted session of a board is of the same board as its unchanged one."""
    boards = {session.name: session.board for session in sessions}
    assert boards["board-e-1"] == boards["board-e-plus10"]
    assert len(set(boards.values())) == 5


def test_a_board_is_never_judged_against_itself(sessions: list[Session]) -> None:
    """Nor against a session in which something was planted."""
    fresh = sessions[1]
    rng = random.Random(1)  # noqa: S311
    for count in (1, 2):
        for baseline in choices(fresh, sessions, count, 50, rng):
            assert fresh.board not in {one.board for one in baseline}
            assert {one.plant for one in baseline} == {None}
    assert len(choices(fresh, sessions, 1, 1, rng)) == 1


def test_verdicts_are_the_gate_s(sessions: list[Session]) -> None:
    """Unchanged code on another board: no test fails, and work is told from waiting in each."""
    decision = judged(sessions[3].records, [sessions[0], sessions[1]])
    assert len(decision.decisions) == 20
    assert Verdict.REGRESSION not in {one.verdict for one in decision.decisions}
    assert all(
        one.compared is not None and len(one.compared.comparison.parts) == 2 for one in decision.decisions
    )
    assert decision.failure is None


def test_steps_in_all_tests_are_one_factor(sessions: list[Session]) -> None:
    """10 % more steps in every test are what all tests share, not a failure of each."""
    decision = judged(sessions[2].records, [sessions[0], sessions[3]])
    assert Verdict.REGRESSION not in {one.verdict for one in decision.decisions}
    (factor,) = decision.factors
    assert 1.05 < factor.ratio < 1.15


@pytest.mark.parametrize(
    ("ratio_ci", "verdict"),
    [
        ((1.06, 1.09), Verdict.REGRESSION),
        ((0.98, 1.04), Verdict.PASS),
        ((1.01, 1.06), Verdict.INCONCLUSIVE),
    ],
)
def test_bounds_by_themselves(ratio_ci: tuple[float, float], verdict: Verdict) -> None:
    """Past what is allowed, within it, or across."""
    assert verdict_within(ratio_ci, 0.05) is verdict


def test_rows_add_up(sessions: list[Session]) -> None:
    """Each row counts every test once; shares are of all."""
    rows = list(unchanged_rows(sessions[:2], 4))
    test_row = next(row for row in rows if row.startswith("| test | 1 |"))
    assert int(test_row.split("|")[3]) == 40
    shares = [float(share) for share in re.findall(r"([0-9.]+)%", test_row)]
    assert sum(shares) == pytest.approx(100.0, abs=0.2)


def test_planted_rows_name_the_kind(sessions: list[Session]) -> None:
    """A row for each planted session and number of sessions, only where its board has an unchanged one."""
    kinds = {row.split("|")[1].strip() for row in planted_rows(sessions, 4)}
    assert {"steps 10", "active 8", "sleep 4"} == kinds
    whole = list(all_planted_rows(sessions, 4))
    assert len(whole) == 9


def test_too_few_choices_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Below four baselines a session a table says nothing."""
    with pytest.raises(SystemExit):
        main(["--most=1", "x.json"])
    assert "give at least 4" in capsys.readouterr().err


def test_more_work_raises_active_joules_alone(sessions: list[Session]) -> None:
    """Seconds stay, and active joules are a tenth higher in every round."""
    test_id, record = next(iter(sessions[0].records.items()))
    more = with_more_work(record, 0.1)
    before, after = (Basis().parts(one) for one in (record, more))
    assert after.durations_s == before.durations_s
    ratios = [b / a for a, b in zip(before.active.energies_j, after.active.energies_j, strict=True)]
    assert ratios == pytest.approx([1.1] * len(ratios))
    assert more.test_id == test_id
