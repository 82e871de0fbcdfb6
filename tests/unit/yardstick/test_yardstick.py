"""Ids of the loads, and one yardstick of several processes."""

from pathlib import Path

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.model import Record
from pytest_energy.yardstick import Yardstick, is_yardstick, load_id
from tests.builders import KEY, TEST_ID, record

COMPUTE = load_id("gpu", "compute")


def void(test_id: str = COMPUTE) -> Record:
    return record(test_id=test_id, rounds=(), unmeasured_because="torch is not imported")


def test_a_baseline_has_a_place_that_reads_well(tmp_path: Path) -> None:
    """The loads lie beside the tests, in a folder of their own."""
    place = Store(tmp_path).path(KEY, COMPUTE)
    assert place.relative_to(tmp_path / KEY) == Path("yardstick", "gpu-compute.json")


def test_the_id_of_a_test_is_none_of_a_load() -> None:
    """A file of tests may be called yardstick, too."""
    assert is_yardstick(COMPUTE)
    assert not is_yardstick(TEST_ID)
    assert not is_yardstick("yardstick/test_a.py::test_gpu")
    assert not is_yardstick("yardstick.py::test_gpu")


def test_of_two_processes_the_first_record_counts() -> None:
    """Each load once: two sessions of one run would count its card twice."""
    first, second = record(energy_j=100.0, test_id=COMPUTE), record(energy_j=101.0, test_id=COMPUTE)
    merged = Yardstick.of([Yardstick(records=(first,)), Yardstick(records=(second,))])
    assert merged.records == (first,)


@pytest.mark.parametrize("turn", [1, -1], ids=["first", "second"])
def test_a_record_with_joules_counts_before_one_without(turn: int) -> None:
    """Where one process could not measure a load and another could, there are joules."""
    measured = record(test_id=COMPUTE)
    processes = [Yardstick(records=(void(),)), Yardstick(records=(measured,))]
    assert Yardstick.of(processes[::turn]).records == (measured,)


def test_the_reason_is_that_of_a_run_without_any_record() -> None:
    """Absent is not zero: no record has a reason, and a record needs none."""
    absent = Yardstick(absent_because="--energy-yardstick=off")
    assert Yardstick.of([absent, absent]) == absent
    assert Yardstick.of([absent, Yardstick(records=(void(),))]).absent_because is None
    assert Yardstick.of([]) == Yardstick()
