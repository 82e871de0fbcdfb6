"""Joules of one sample, and the tests of a group by model."""

import pytest

from pytest_energy.judgement import Verdict
from pytest_energy.report import view
from pytest_energy.report.per_sample import PerSample, by_model, case_of, per_sample
from tests.builders import LAPTOP, judgement


def test_a_sample_has_its_share_of_everything() -> None:
    """Mean, interval, uncertainty and net joules are divided by the samples of a round."""
    spent = per_sample(judgement(energy_j=32.0, uncertainty_j=0.16, samples=16, idle_power_w=16.0))
    assert isinstance(spent, PerSample)
    assert (spent.samples, spent.energy_j, spent.net_j) == (16, 2.0, 1.0)
    assert spent.uncertainty_j == pytest.approx(0.01)
    assert spent.interval_j[0] < 2.0 < spent.interval_j[1]


def test_net_joules_take_idle_power() -> None:
    """Without it they are absent, never gross."""
    spent = per_sample(judgement(idle_power_w=None))
    assert isinstance(spent, PerSample)
    assert spent.net_j is None


def test_what_is_not_there_has_its_reason() -> None:
    """No joules, joules that must not be used, and samples that nobody gave."""
    unmeasured = judgement(energy_j=None, verdict=Verdict.UNMEASURED, absent={"energy_j": "no sensor"})
    assert per_sample(unmeasured) == "no sensor"
    assert per_sample(judgement(verdict=Verdict.VOID, reason="it throttled")) == "it throttled"
    assert per_sample(judgement(samples=None), samples="requests") == "the test gives no number of requests"
    absent = judgement(samples=None, absent={"energy_per_sample_j": "a window has no samples"})
    assert per_sample(absent) == "a window has no samples"


def test_models_of_two_machines_are_two_entries() -> None:
    """Other groups are left out; what is in the brackets names the case."""
    tests = [
        judgement(test_id="t.py::t[a-1]", group="g", model="a"),
        judgement(test_id="t.py::t[a-2]", group="g", model="a"),
        judgement(test_id="t.py::t[a-1]", group="g", model="a", machine=LAPTOP),
        judgement(test_id="t.py::t[b]", group="other", model="b"),
    ]
    entries = by_model(view.of(tests), "g", case_of)
    assert [(case, len(members)) for case, members in entries] == [("a-1", 1), ("a-2", 1), ("a-1", 1)]
    assert [
        len(members) for _, members in by_model(view.of(tests), "g", lambda record: record.model or "")
    ] == [
        2,
        1,
    ]
    assert case_of(judgement(test_id="t.py::plain").record) == "t.py::plain"
