"""Two runs of a test are one record."""

from dataclasses import replace

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.plugin.batches import joined
from tests.builders import counts_of, record


def test_the_rounds_of_the_second_run_confirm_those_of_the_first() -> None:
    """They are the last of the record, and their number is said."""
    first, second = record(10.0, 10.1), record(11.0, 11.1, 11.2)
    both = joined(first, second)
    assert both.rounds == (*first.rounds, *second.rounds)
    assert both.confirming_count == 3
    assert both.warmup_count == first.warmup_count + second.warmup_count


def test_a_metric_is_the_mean_of_both_weighted_by_rounds() -> None:
    """Two rounds at 3 and one at 6 are 4."""
    first = replace(record(1.0, 1.0), metrics={"energy_per_token": 3.0})
    second = replace(record(1.0), metrics={"energy_per_token": 6.0})
    assert joined(first, second).metrics == {"energy_per_token": 4.0}


def test_a_metric_of_one_run_alone_is_that_one() -> None:
    """Absent is not zero: it takes no part in a mean, and its reason goes where there is a value."""
    first = replace(record(1.0), metrics={"a": 3.0, "b": None}, absent={"b": "not known"})
    second = replace(record(1.0), metrics={"a": None, "b": None}, absent={"a": "no", "b": "unknown"})
    both = joined(first, second)
    assert both.metrics == {"a": 3.0, "b": None}
    assert both.absent == {"b": "unknown"}


def test_a_void_second_run_makes_the_record_void() -> None:
    """Rounds that must not be used confirm nothing, as within one run."""
    void = replace(record(1.0), void_because="thermal slowdown")
    assert joined(record(1.0), void).void_because == "thermal slowdown"


def test_a_second_run_that_measured_nothing_confirms_nothing() -> None:
    """It is an error with the reason, and not a record of one batch."""
    nothing = replace(record(1.0), rounds=(), unmeasured_because="no rounds left")
    with pytest.raises(NotMeasurable, match="measured nothing: no rounds left"):
        joined(record(1.0), nothing)


@pytest.mark.parametrize("other", [{"samples": 7}, {"workload": {"measured": "another thing"}}])
def test_other_work_confirms_nothing(other: dict[str, object]) -> None:
    """Joules of other work can't be put beside the first ones."""
    first = replace(record(1.0), samples=3)
    with pytest.raises(NotMeasurable, match="its second run measured other work"):
        joined(first, replace(first, **other))  # type: ignore[arg-type]  # fields of a record


def test_the_counts_are_those_of_the_first_run() -> None:
    """The run that confirms is not counted, and its silence takes nothing away."""
    both = joined(record(1.0, counts=counts_of(12)), record(1.0))
    assert both.counts == counts_of(12)
    uncounted = joined(record(1.0, absent={"counts": "a command"}), record(1.0))
    assert (uncounted.counts, uncounted.absent) == (None, {"counts": "a command"})
