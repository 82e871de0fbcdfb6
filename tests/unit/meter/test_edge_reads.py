"""Reads at the edges of windows: each channel once, together where its sensor can."""

from collections.abc import Sequence

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.meter.edge_reads import EdgeReads
from pytest_energy.meter.sampler import Sampler
from tests.fakes.meter import Bench, SimulatedCounter


class Packages(SimulatedCounter):
    """Two channels that are read together, in a millisecond.

    Attributes:
        joules: What is read.
        calls: The channels of each call.
    """

    def __init__(self, bench: Bench, names: Sequence[str] = ("cpu:package-0", "cpu:package-1")) -> None:
        super().__init__(bench.device, bench.clock, name=names[0], is_ticked=False)
        others = (SimulatedCounter(bench.device, bench.clock, name=n, is_ticked=False) for n in names[1:])
        self.channels += tuple(channel for other in others for channel in other.channels)
        self.clock, self.joules, self.calls = bench.clock, [1.0, 2.0], list[tuple[str, ...]]()

    def read_together_j(self, channels: Sequence[str]) -> Sequence[float]:
        self.calls.append(tuple(channels))
        self.clock.take(1e-3)
        return self.joules[: len(channels)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_channels_of_a_sensor_are_read_in_one_call(bench: Bench) -> None:
    """Their reads share the time of the call; channels of a sensor that can't are read one by one."""
    packages, lone = Packages(bench), SimulatedCounter(bench.device, bench.clock, is_ticked=False)
    sensors = [packages, lone]
    sampler = Sampler(sensors, bench.clock, bench.clock)
    reads = EdgeReads(["cpu:package-0", "gpu:0", "cpu:package-1"], sensors, sampler, bench.clock)()
    assert packages.calls == [("cpu:package-0", "cpu:package-1")]
    assert lone.read_count == 1
    together, alone = reads
    assert together.joules == {"cpu:package-0": 1.0, "cpu:package-1": 2.0}
    assert together.ended_s - together.started_s == pytest.approx(1e-3)
    assert [*alone.joules] == ["gpu:0"]


def test_only_channels_of_the_window_are_read(bench: Bench) -> None:
    """A test that measures one package reads one."""
    packages = Packages(bench)
    sampler = Sampler([packages], bench.clock, bench.clock)
    reads = EdgeReads(["cpu:package-1"], [packages], sampler, bench.clock)()
    assert packages.calls == [("cpu:package-1",)]
    assert [[*read.joules] for read in reads] == [["cpu:package-1"]]


def test_a_value_that_is_no_number_of_joules_is_a_fault(bench: Bench) -> None:
    """Also where channels are read together."""
    packages = Packages(bench)
    packages.joules = [1.0, float("nan")]
    sampler = Sampler([packages], bench.clock, bench.clock)
    with pytest.raises(SensorError, match="cpu:package-1"):
        EdgeReads(["cpu:package-0", "cpu:package-1"], [packages], sampler, bench.clock)()
