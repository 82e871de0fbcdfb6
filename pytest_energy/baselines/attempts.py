"""Earlier attempts at the same commit, which are judged together. Pure.

Rule 1: an attempt is the same test at the same commit, no tracked file changed, on the same kind of machine.
What can't be identified as one isn't.
Rule 2: each attempt is a session of its own: what counts is the mean of their levels, not one pool of rounds.
Rule 3: attempts that were not kept are named: a verdict that forgets them is one of several tries.

Source:
    The counters: GitHub, "Variables reference" (GITHUB_RUN_ATTEMPT, from 1); Azure Pipelines, "Predefined
    variables" (System.JobAttempt, from 1); GitLab, "Predefined CI/CD variables" (CI_JOB_RETRY_COUNT, from 0,
    GitLab 19.3); Buildkite, "Environment variables" (BUILDKITE_RETRY_COUNT, from 0).
"""

from collections.abc import Iterable, Mapping

from pytest_energy.baselines.machine import check_comparable
from pytest_energy.errors import NotComparable
from pytest_energy.model import Record

# What CI systems count the tries of a job in, with the number of the first. CircleCI and Jenkins count none.
COUNTERS = {
    "GITHUB_RUN_ATTEMPT": 1,
    "SYSTEM_JOBATTEMPT": 1,
    "CI_JOB_RETRY_COUNT": 0,
    "BUILDKITE_RETRY_COUNT": 0,
}

_KEEP = "keep them with --energy-attempts=DIR in a folder that outlasts an attempt (docs/ci.md)"


def attempt_number(environ: Mapping[str, str]) -> int | None:
    """Number of this attempt of its job, at least 1, or `None` if nothing counts them.

    >>> attempt_number({"CI_JOB_RETRY_COUNT": "2"})
    3
    """
    for name, first in COUNTERS.items():
        if environ.get(name, "").isdecimal():
            return int(environ[name]) - first + 1
    return None


def why_no_attempts(fresh: Record) -> str | None:
    """Why no earlier attempt at what *fresh* measured can be identified, or `None`."""
    facts = fresh.machine.varying
    if "git_commit" not in facts:
        return "git reports no commit here"
    if facts.get("git_dirty") != "no":
        return f"files differ from the commit {facts['git_commit']}"
    return None


def earlier_attempts(fresh: Record, records: Iterable[Record]) -> tuple[Record, ...]:
    """The earlier attempts at what *fresh* measured, among *records*; the oldest first, each once.

    Args:
        fresh: The record of this run.
        records: Of any tests, of runs that may have been attempts.
    """
    if why_no_attempts(fresh) is not None:
        return ()
    attempts = {_moment(one): one for one in records if _is_attempt(fresh, one)}
    attempts.pop(_moment(fresh), None)
    return tuple(attempts[moment] for moment in sorted(attempts))


def _moment(record: Record) -> tuple[str, str]:
    """Which run of its test a record is of; two may fall into one second."""
    return record.created, record.session or ""


def _is_attempt(fresh: Record, earlier: Record) -> bool:
    mine, its = fresh.machine, earlier.machine
    is_same = (earlier.test_id, its.key) == (fresh.test_id, mine.key)
    if not is_same or why_no_attempts(earlier) is not None or not earlier.round_energies_j:
        return False
    if its.varying["git_commit"] != mine.varying["git_commit"] or earlier.saturated_because is not None:
        return False
    try:
        check_comparable(earlier, fresh)
    except NotComparable:
        return False
    return min(earlier.round_energies_j) > 0


def attempts_note(number: int | None, kept_count: int, why_none: str | None = None) -> str | None:
    """Note on the attempts before this one, or `None` for the first.

    Args:
        number: Which try this is, as CI counts it; `None` if it doesn't.
        kept_count: How many earlier ones have joules that are judged with this one's.
        why_none: Why there can be none, where that is so.

    >>> attempts_note(3, 2)
    'attempt 3 of this commit: judged with the 2 before it'
    """
    this = max(number or 1, kept_count + 1)
    lost_count = this - 1 - kept_count
    if this == 1:
        return None
    parts = []
    if kept_count:
        parts.append(f"judged with the {'one' if kept_count == 1 else kept_count} before it")
    if lost_count:
        others = f"{lost_count} {'others' if kept_count else 'before'}" if lost_count > 1 else "one other"
        lost = "the first" if this == 2 else others
        parts.append(
            f"the joules of {lost} were not kept, so this verdict does not include them: {why_none or _KEEP}"
        )
    return f"attempt {this} of this commit: {'; '.join(parts)}"
