"""What a history keeps of a test in a run."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pytest_energy.errors import BaselineError
from pytest_energy.history.points import once, point_of
from pytest_energy.judgement import Terms, Verdict
from tests.builders import judgement, record, uncounted
from tests.fakes.run_histories import point


def test_a_judged_run_is_a_point_with_its_verdict() -> None:
    """Joules, uncertainty, verdict and reason are those of the file."""
    found = judgement(energy_j=12.0, uncertainty_j=0.2, verdict=Verdict.REGRESSION, reason="+20 % energy")
    kept = point_of(found.record, "run.json", found)
    assert (kept.energy_j, kept.uncertainty_j) == (12.0, 0.2)
    assert (kept.verdict, kept.reason, kept.outcome) == (Verdict.REGRESSION, "+20 % energy", "passed")
    assert kept.created == datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
    assert dict(kept.facts)["channels"] == "gpu:0"
    assert kept.why_unused == ""


def test_a_session_of_a_baseline_has_no_verdict() -> None:
    """It was accepted; its uncertainty is worked out of its rounds."""
    kept = point_of(record(99.0, 100.0, 101.0), "baseline.json")
    assert kept.verdict is None
    assert kept.energy_j == 100.0
    assert 0 < kept.uncertainty_j < 3


def test_commit_and_changed_files_are_those_of_the_machine() -> None:
    """The commit is known by its whole name, and that files differed from it."""
    kept = point_of(record(shown={"git_commit": "ab12" * 10, "git_dirty": "yes"}), "baseline.json")
    assert (kept.commit, kept.is_dirty) == ("ab12" * 10, True)
    assert point_of(record(), "baseline.json").commit == ""


def test_why_a_point_has_no_level() -> None:
    """No joules, joules of 0 and a load that was too much are no levels; a test that failed is one."""
    nothing = uncounted()
    assert point_of(nothing, "run.json").why_unused == "no sensor"
    assert "0" in point_of(record(energy_j=0.0), "run.json").why_unused
    assert replace(point(), outcome="failed").why_unused == ""
    late = replace(record(), saturated_because="the queue grew")
    assert "server" in point_of(late, "run.json").why_unused


def test_per_sample_is_what_judged_it() -> None:
    """The marker's basis goes with the point."""
    terms = Terms(
        tolerance=0.05, alpha=0.05, gates_estimates=False, is_net=False, is_per_sample=True, parts=frozenset()
    )
    found = replace(judgement(), terms=terms)
    assert point_of(found.record, "run.json", found).is_per_sample


def test_tests_of_one_session_ran_together() -> None:
    """The session's name joins tests of one process; without one, tests of one file, and no two entries."""
    named = replace(record(), session="abc")
    assert point_of(named, "baseline.json").run == "abc"
    found = judgement()
    assert point_of(found.record, "run.json", found).run == "run.json"
    times = ("2025-11-20T10:00:00Z", "2025-11-21T10:00:00Z")
    assert len({point_of(record(created=created), "baseline.json").run for created in times}) == 2


def test_long_reasons_are_cut() -> None:
    """A page of ten thousand points holds no essay of each."""
    found = judgement(reason="because " * 1000)
    assert len(point_of(found.record, "run.json", found).reason) == 600


def test_a_time_that_is_none_is_refused() -> None:
    """A record whose time can't be read has no place in an order."""
    with pytest.raises(BaselineError, match="created"):
        point_of(record(created="yesterday"), "run.json")


def test_a_run_and_its_baseline_are_one_point() -> None:
    """The same record is there once, with its verdict, whichever comes first."""
    judged, accepted = point(verdict=Verdict.PASS), point(verdict=None)
    assert once([judged, accepted]) == once([accepted, judged]) == [judged]
    other = replace(accepted, machine=replace(accepted.machine, key="another"))
    assert len(once([judged, other])) == 2


@pytest.mark.parametrize(("workload", "length"), [({"stop": "end of sequence"}, 12.5), ({}, None)])
def test_a_length_is_kept_where_the_load_left_it_open(workload: dict[str, str], length: float | None) -> None:
    """That of a fixed one is in the facts."""
    free = replace(record(samples=4), output_tokens=50, workload=workload)
    assert point_of(free, "run.json").free_length == length
