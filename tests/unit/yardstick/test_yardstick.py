"""Ids of the loads, and one yardstick of several processes."""

from dataclasses import replace
from pathlib import Path

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


def test_two_processes_have_two_cards() -> None:
    """Each keeps its records, told apart by their session."""
    first, second = (replace(record(test_id=COMPUTE), session=name) for name in ("a", "b"))
    merged = Yardstick.of([Yardstick(records=(first, void())), Yardstick(records=(second,))])
    assert merged.records == (first, void(), second)


def test_how_many_processes_there_were() -> None:
    """A baseline of a load gets a session of each; without a record it is as if there were one."""
    one, other = (replace(record(test_id=COMPUTE), session=name) for name in ("a", "b"))
    assert Yardstick(records=(one, other, other)).process_count == 2
    assert Yardstick().process_count == 1


def test_the_reason_is_that_of_a_run_without_any_record() -> None:
    """Absent is not zero: no record has a reason, and a record needs none."""
    absent = Yardstick(absent_because="--energy-yardstick=off")
    assert Yardstick.of([absent, absent]) == absent
    assert Yardstick.of([absent, Yardstick(records=(void(),))]).absent_because is None
    assert Yardstick.of([]) == Yardstick()
