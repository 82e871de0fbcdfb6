"""How much of a load makes a round, and what its record says of it."""

import pytest

from pytest_energy.yardstick.load import FixedLoad, LoadWork, Repeat, ladder, rest
from tests.fakes.hand_clock import HandClock


class Device:
    """Does a unit of work in *unit_s*; the first one takes *loading_s* longer."""

    def __init__(self, unit_s: float, loading_s: float = 0.0) -> None:
        self.clock = HandClock()
        self._unit_s, self._loading_s = unit_s, loading_s
        self.counts: list[int] = []

    def make(self) -> Repeat:
        return self._repeat

    def _repeat(self, count: int) -> None:
        self.counts.append(count)
        self.clock.sleep_s(self._loading_s + count * self._unit_s)
        self._loading_s = 0.0

    def load(self) -> FixedLoad:
        return FixedLoad(
            device="gpu",
            name="compute",
            unit="product",
            unit_counts=ladder(320),
            longest_s=1.0,
            make=self.make,
        )


def round_count(device: Device, known_count: int | None = None) -> int:
    """Units of a round on *device*."""
    work = LoadWork(device.load(), device.clock, known_count)
    work.prepare()
    device.counts.clear()
    work.run(0, None)
    (count,) = device.counts
    return count


@pytest.mark.parametrize(
    ("unit_s", "count"),
    [(0.0001, 320), (0.0016, 320), (0.0031, 320), (0.0032, 80), (0.02, 20), (0.1, 5), (10.0, 5)],
)
def test_a_slow_device_takes_a_part(unit_s: float, count: int) -> None:
    """The most that fits into a second, in steps of four; the least in any case."""
    assert round_count(Device(unit_s)) == count


def test_what_is_loaded_once_is_not_timed() -> None:
    """The first call of a library takes seconds, and says nothing of the others."""
    assert round_count(Device(0.0016, loading_s=20.0)) == 320


def test_the_amount_of_the_stored_records_is_kept() -> None:
    """A device at the edge of two amounts would change between them from run to run."""
    assert round_count(Device(0.0031), known_count=80) == 80
    assert round_count(Device(0.0033), known_count=320) == 320


def test_an_amount_that_there_is_no_more_is_not_kept() -> None:
    """Records of an older ladder don't hold the load to an amount that nobody has."""
    assert round_count(Device(0.0016), known_count=300) == 320


def test_nothing_is_made_before_it_is_needed() -> None:
    """The device is held while a load is made: another process may be measuring on it."""
    device = Device(0.0016)
    LoadWork(device.load(), device.clock)
    assert device.counts == []


def test_the_record_says_what_the_work_was() -> None:
    """Load and amount forbid to compare records of other work; units are the samples."""
    device = Device(0.02)
    work = LoadWork(device.load(), device.clock)
    work.prepare()
    description = work.description(3)
    assert description.samples == 20
    assert description.workload == {"yardstick": "product", "yardstick_amount": "20"}


def test_a_load_that_was_never_made_has_no_amount() -> None:
    """Without a round nobody knows how much one would have been."""
    device = Device(0.02)
    description = LoadWork(device.load(), device.clock).description(0)
    assert description.samples is None
    assert description.workload == {"yardstick": "product"}
    assert device.counts == []


def test_a_rest_is_a_second_of_nothing() -> None:
    """The device is opened first; the round is the wait alone."""
    clock, opened = HandClock(), []
    load = rest("gpu", clock, lambda: opened.append("gpu"))
    work = LoadWork(load, clock)
    work.prepare()
    began_s = clock.now_s()
    work.run(0, None)
    assert clock.now_s() - began_s == 1.0
    assert opened == ["gpu"]
    assert (load.test_id, load.round_count) == ("yardstick::gpu-rest", 1)
