"""What is kept of a baseline to compare with."""

import pytest

from pytest_energy.baselines.machine import check_comparable
from pytest_energy.basis import Basis
from pytest_energy.errors import NotComparable
from pytest_energy.model import Record
from pytest_energy.verdict.history import entries_of, history_of
from tests.builders import baseline, record


def _facts(fresh: Record) -> Record:
    newest = history_of(baseline(fresh), Basis()).newest
    assert newest is not None
    return newest


def test_what_two_records_are_compared_by_is_kept() -> None:
    """Samples, machine, channels and the share of prompts that was in a cache; else a unit may be lost."""
    old = _facts(record(samples=4, metrics={"cache_hit_rate": 0.5, "accuracy": 0.9}))
    check_comparable(old, record(samples=4, metrics={"cache_hit_rate": 0.5}))
    for other in (
        record(samples=5, metrics={"cache_hit_rate": 0.5}),
        record(samples=4, metrics={"cache_hit_rate": 0.9}),
        record(samples=4, fixed={"gpu_model": "T4"}),
    ):
        with pytest.raises(NotComparable):
            check_comparable(old, other)
    assert "accuracy" not in old.metrics


def test_records_without_such_joules_are_left_out() -> None:
    """Void joules, and those of a sample where nobody counted samples, are no entries."""
    records = [record(samples=2), record(), record(void_because="thermal slowdown")]
    assert len(entries_of(records, Basis())) == 2
    assert len(entries_of(records, Basis(is_per_sample=True))) == 1
