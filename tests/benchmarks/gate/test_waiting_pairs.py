"""The operating table of rounds that wait: few suites, and what they must show."""

import pytest

from benchmarks.gate.waiting_pairs import CHANGES, HOSTS, WAYS, Change, Host, table, verdicts
from pytest_energy.ab.calls import Calls
from pytest_energy.judgement import Part, Verdict

SHAKY = Host(seconds_cv=0.15, seconds_process_sd=0.03, active_j=200.0)
STEADY = Host(seconds_cv=0.002, seconds_process_sd=0.002, active_j=200.0)
SUITES = 3


def test_seconds_that_shake_hide_nothing_of_the_work() -> None:
    """Seconds 15 % apart: unchanged code passes by part, and is left open by all joules."""
    none = CHANGES[0]
    by_part = verdicts(SHAKY, none, SUITES, has_parts=True)
    by_joules = verdicts(SHAKY, none, SUITES, has_parts=False)
    assert by_part[Verdict.PASS] >= 0.9 * by_part.total()
    assert by_joules[Verdict.PASS] < 0.5 * by_joules.total()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (Change(name="work", work=1.06), Part.WORK),
        (Change(name="seconds", seconds=1.2), Part.WAITING),
    ],
)
def test_what_has_moved_is_named(change: Change, part: Part) -> None:
    """Where seconds are steady, three times the tolerance of work is work, and of waiting is waiting."""
    counts = verdicts(STEADY, change, SUITES, has_parts=True)
    assert counts[part] >= 0.95 * counts.total()


def test_the_table_has_a_line_for_each_host_and_way() -> None:
    """Each host is judged by all joules, by part, and by part with what the counts say."""
    lines = table(1, HOSTS[:2]).splitlines()
    for name, *_ in WAYS:
        assert sum(f"| {name} |" in line for line in lines) == 2


def test_a_side_with_worse_cores_is_not_the_code() -> None:
    """Seconds up by 6 % in each block, work as it was: a wait, and left open where the calls are the same."""
    host = Host(seconds_cv=0.002, seconds_process_sd=0.002, active_j=50.0)
    change = Change(name="seconds", seconds=1.06)
    known, same = (
        verdicts(host, change, SUITES, has_parts=True, calls=calls) for calls in (Calls.UNKNOWN, Calls.SAME)
    )
    assert known[Part.WAITING] == known.total()
    assert same[Verdict.INCONCLUSIVE] == same.total()


def test_a_long_wait_of_the_same_calls_is_found() -> None:
    """A sleep makes no call: seconds up by a quarter are past what any host does."""
    change = Change(name="seconds", seconds=1.25)
    counts = verdicts(STEADY, change, SUITES, has_parts=True, calls=Calls.SAME)
    assert counts[Part.WAITING] >= 0.95 * counts.total()
