"""A machine for the doctor to look at."""

import random
from typing import TYPE_CHECKING, Any

import pytest

from pytest_energy.doctor import Report, diagnose
from pytest_energy.errors import NotMeasurable, Reason, SensorUnavailable
from pytest_energy.model import Domain
from pytest_energy.sensors.protocol import Sensor
from tests.fakes.meter import Device, SimulatedCounter, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_W, BUSY_W = 70.0, 600.0


class FakeLoad:
    """Makes devices draw `BUSY_W` from start to stop."""

    what = "hard work"

    def __init__(
        self,
        clock: VirtualClock,
        *devices: Device,
        domain: Domain = Domain.GPU,
        no_start: str | None = None,
        no_end: str | None = None,
    ) -> None:
        self._clock, self._devices = clock, devices
        self.domains = frozenset({domain})
        self._no_start, self._no_end = no_start, no_end
        self.is_working = False
        self.start_count = 0

    def start(self) -> None:
        self.start_count += 1
        if self._no_start is not None:
            raise NotMeasurable(self._no_start)
        self.is_working = True
        for device in self._devices:
            device.plan(self._clock.now_s(), BUSY_W)

    def stop(self) -> None:
        self.is_working = False
        for device in self._devices:
            device.plan(self._clock.now_s(), IDLE_W)
        if self._no_end is not None:
            raise NotMeasurable(self._no_end)


class Bench:
    """A machine whose sensors are simulated."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.devices: list[Device] = []
        self.openers: dict[str, Callable[[], Sensor]] = {}

    def add(self, name: str, channel: str, **counter: Any) -> SimulatedCounter:
        """A sensor with one channel."""
        device = Device(self.clock, IDLE_W)
        self.devices.append(device)
        sensor = SimulatedCounter(device, self.clock, name=channel, rng=random.Random(3), **counter)  # noqa: S311  # seeded
        sensor.name = name
        self.openers[name] = lambda: sensor
        return sensor

    def add_absent(self, name: str, *reasons: Reason | str) -> None:
        def refuse() -> Sensor:
            raise SensorUnavailable(name, *reasons)

        self.openers[name] = refuse

    def load(self, **options: Any) -> FakeLoad:
        return FakeLoad(self.clock, *self.devices, **options)

    def report(self, *loads: FakeLoad) -> Report:
        return diagnose(self.openers, loads=loads or [self.load()], clock=self.clock, runner=self.clock)


@pytest.fixture
def bench() -> Bench:
    return Bench()
