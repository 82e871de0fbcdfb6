"""The histories that show what the gate does over the life of a baseline."""

import math
import random

import pytest

from benchmarks.gate.lifecycle import (
    STEP_AT,
    History,
    creeping,
    first_failures,
    found_shares,
    main,
    played,
    step,
)
from pytest_energy.judgement import Verdict

SEED = 7


def test_a_lost_saving_is_found_two_merges_later() -> None:
    """After -20 % that the pipeline accepted, losing it again is +25 % of what is true now."""
    history = History(truths=step(-0.20, STEP_AT + 3), between_sd=0.01)
    (share,) = found_shares(history, [STEP_AT + 2], 0.25, 10, seed=SEED)
    assert share >= 0.8


def test_creep_fails() -> None:
    """1 % a merge is red before it has come to 15 %, whatever the noise."""
    firsts = first_failures(History(truths=creeping(0.01, 40), between_sd=0.01), 5, seed=SEED)
    assert math.expm1(firsts[-1] * math.log1p(0.01)) < 0.15


def test_unchanged_code_stays_green() -> None:
    """Sessions that differ by SD 1 % turn nothing red."""
    history = History(truths=(0.0,) * 20, between_sd=0.01)
    assert first_failures(history, 5, seed=SEED) == [math.inf] * 5


def test_what_is_lost_joins_no_history() -> None:
    """A probe leaves the history as it was."""
    history = History(truths=step(-0.20, STEP_AT + 3), between_sd=0.01)
    plain, probed = (
        [merge.verdict for merge in played(history, random.Random(SEED), change=0.25, probed=places)]  # noqa: S311
        for places in ((), range(15))
    )
    assert plain == probed
    assert plain[0] is Verdict.NO_BASELINE
    assert plain[STEP_AT] is Verdict.IMPROVEMENT


def test_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its title and a row for every case."""
    assert main(["--repetitions=1"]) == 0
    out = capsys.readouterr().out
    assert out.count("| accepted | ") == out.count("| added | ") == 2
    assert "| 0.3 % | " in out
    assert "red at some of 60 merges" in out
