"""The loads of a processor do what their records say."""

import sys
from collections import Counter
from types import FrameType

import pytest

from pytest_energy.model import Domain
from pytest_energy.yardstick.cpu_loads import calling, copying, cpu_loads, hashing
from pytest_energy.yardstick.load import FixedLoad
from tests.fakes.hand_clock import HandClock

LOADS = cpu_loads(HandClock()).loads


def test_what_they_are() -> None:
    """Rest comes first; every load has an id of its own and moves processor and memory."""
    assert [load.test_id for load in LOADS] == [
        "yardstick::cpu-rest",
        "yardstick::cpu-compute",
        "yardstick::cpu-memory",
        "yardstick::cpu-launches",
    ]
    assert cpu_loads(HandClock()).domains == {Domain.CPU, Domain.DRAM}


def test_a_processor_is_always_ready() -> None:
    """There is nothing to open."""
    loads = cpu_loads(HandClock())
    assert loads.why_not_ready(False) is None  # noqa: FBT003  # the one thing that is asked with
    loads.release()


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_the_least_amount_runs(load: FixedLoad) -> None:
    """Each load can be made and run here, again and again."""
    repeat = load.make()
    assert repeat(load.unit_counts[-1]) is None
    assert repeat(load.unit_counts[-1]) is None


def test_a_copy_is_a_copy() -> None:
    """What stands in the one place stands in the other afterwards; nothing at 0 times."""
    content, place = bytes(range(256)), bytearray(256)
    copying(content, place)(0)
    assert place == bytes(256)
    copying(content, place)(1)
    assert place == content


def test_a_function_is_called_so_often() -> None:
    """The amount is the number of calls."""
    calls: list[None] = []
    calling(lambda: calls.append(None))(7)
    assert len(calls) == 7


def test_a_block_is_hashed_so_often() -> None:
    """The amount is the number of hashes that the interpreter sees."""
    names: Counter[str] = Counter()

    def look(_frame: FrameType, event: str, function: object) -> None:
        if event == "c_call":
            names[getattr(function, "__name__", "")] += 1

    hash_block = hashing(bytes(64))
    sys.setprofile(look)
    try:
        hash_block(5)
    finally:
        sys.setprofile(None)
    assert {count for name, count in names.items() if "sha256" in name} == {5}
