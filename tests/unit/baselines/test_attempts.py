"""Earlier attempts at the same commit."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_energy.baselines.attempts import attempt_number, attempts_note, earlier_attempts, why_no_attempts
from pytest_energy.model import Machine, Record
from tests.builders import record

COMMIT = {"git_commit": "3f2c1ab", "git_dirty": "no"}
FRESH = record(created="2025-11-20T12:00:00Z", shown=COMMIT)


def attempt(hour: int, energy_j: float = 100.0, **more: object) -> Record:
    """A record of the same commit, made at *hour*."""
    words = {"created": f"2025-11-20T{hour:02}:00:00Z", "shown": COMMIT} | more
    return record(energy_j=energy_j, **words)  # type: ignore[arg-type]  # its own words


@pytest.mark.parametrize(
    ("environ", "number"),
    [
        ({}, None),
        ({"GITHUB_RUN_ATTEMPT": "1"}, 1),
        ({"GITHUB_RUN_ATTEMPT": "3"}, 3),
        ({"SYSTEM_JOBATTEMPT": "2"}, 2),
        ({"CI_JOB_RETRY_COUNT": "0"}, 1),
        ({"BUILDKITE_RETRY_COUNT": "1"}, 2),
        ({"GITHUB_RUN_ATTEMPT": ""}, None),
        ({"GITHUB_RUN_ATTEMPT": "some"}, None),
    ],
)
def test_which_try_this_is(environ: Mapping[str, str], number: int | None) -> None:
    """Some count from 1, some count what came before; what is no number counts nothing."""
    assert attempt_number(environ) == number


def test_attempts_are_the_oldest_first_and_each_once() -> None:
    """A folder may hold one run twice."""
    assert earlier_attempts(FRESH, [attempt(11), attempt(10), attempt(11)]) == (attempt(10), attempt(11))


def test_two_runs_of_one_second_are_two() -> None:
    """Sessions tell them apart; this run itself is not among those before it."""
    one, other = (replace(FRESH, session=name) for name in ("a", "b"))
    assert earlier_attempts(one, [other, one]) == (other,)


@pytest.mark.parametrize(
    "other",
    [
        attempt(10, shown={"git_commit": "0000000", "git_dirty": "no"}),
        attempt(10, shown=COMMIT | {"git_dirty": "yes"}),
        attempt(10, shown={}),
        attempt(10, test_id="t.py::test_other"),
        attempt(10, key="t4"),
        attempt(10, fixed={"gpu_model": "NVIDIA H200"}),
        attempt(10, samples=7),
        attempt(10, void_because="it was hot"),
        attempt(10, rounds=(), unmeasured_because="no sensor"),
        attempt(10, energy_j=0.0),
        replace(attempt(10), saturated_because="the queue grew"),
    ],
    ids=[
        *("another commit", "a changed tree", "no commit", "another test", "another machine", "other facts"),
        *("other work", "void", "unmeasured", "0 J", "saturated"),
    ],
)
def test_what_is_no_attempt(other: Record) -> None:
    """What isn't sure to be the same work at the same commit, or has no joules to judge with."""
    assert earlier_attempts(FRESH, [other, attempt(11)]) == (attempt(11),)


@pytest.mark.parametrize(
    ("shown", "because"),
    [
        ({}, "git reports no commit here"),
        ({"git_commit": "3f2c1ab", "git_dirty": "yes"}, "files differ from the commit 3f2c1ab"),
    ],
)
def test_a_commit_that_is_not_sure_has_no_attempts(shown: Mapping[str, str], because: str) -> None:
    """Code that may be another is not the same try, and why is told."""
    fresh = replace(FRESH, machine=Machine(key=FRESH.machine.key, varying=shown))
    assert why_no_attempts(fresh) == because
    assert earlier_attempts(fresh, [replace(attempt(10), machine=fresh.machine)]) == ()


def test_a_sure_commit_has_nothing_against_it() -> None:
    """Committed, and nothing changed since."""
    assert why_no_attempts(FRESH) is None


LOST = (
    "were not kept, so this verdict does not include them: keep them with --energy-attempts=DIR in a "
    "folder that outlasts an attempt"
)


@pytest.mark.parametrize(
    ("number", "kept_count", "text"),
    [
        (None, 1, "attempt 2 of this commit: judged with the one before it"),
        (2, 1, "attempt 2 of this commit: judged with the one before it"),
        (3, 2, "attempt 3 of this commit: judged with the 2 before it"),
        (1, 2, "attempt 3 of this commit: judged with the 2 before it"),
        (2, 0, f"attempt 2 of this commit: the joules of the first {LOST}"),
        (4, 0, f"attempt 4 of this commit: the joules of 3 before {LOST}"),
        (
            4,
            2,
            f"attempt 4 of this commit: judged with the 2 before it; the joules of one other {LOST}",
        ),
    ],
)
def test_what_is_said_of_the_tries_before(number: int | None, kept_count: int, text: str) -> None:
    """How many count, and how many are forgotten and what to do."""
    note = attempts_note(number, kept_count)
    assert note is not None
    assert note.removesuffix(" (docs/ci.md)") == text


@pytest.mark.parametrize("number", [None, 1])
def test_of_a_first_try_nothing_is_said(number: int | None) -> None:
    """Nothing came before it."""
    assert attempts_note(number, 0) is None


def test_why_there_can_be_none_is_said_in_place_of_advice() -> None:
    """A folder would not help where the commit isn't known."""
    note = attempts_note(2, 0, "git reports no commit here")
    assert note is not None
    assert note.endswith("so this verdict does not include them: git reports no commit here")
