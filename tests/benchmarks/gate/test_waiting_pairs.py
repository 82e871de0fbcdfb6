"""The operating table of rounds that wait: few suites, and what they must show."""

import pytest

from benchmarks.gate.waiting_pairs import CHANGES, HOSTS, Change, Host, main, verdicts
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


def test_the_table_has_a_line_for_each_host_and_way(capsys: pytest.CaptureFixture[str]) -> None:
    """Each host is judged by all joules and by part."""
    assert main(["--suites", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("| by part |" in line for line in lines) == len(HOSTS)
    assert sum("| all joules |" in line for line in lines) == len(HOSTS)
