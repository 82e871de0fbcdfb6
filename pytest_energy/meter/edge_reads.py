"""Reads, now, of the channels of a window that don't tick; those of one sensor together where it can."""

from collections.abc import Collection, Iterable

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.ticks import Read
from pytest_energy.sensors.protocol import ReadsTogether, Sensor, checked_j


class EdgeReads:
    """What reads them; one for all windows over the same channels.

    Args:
        names: The channels.
        sensors: All there are.
        source: Reads the channels of sensors that read one at a time.
        clock: Of the reads.
    """

    def __init__(
        self, names: Collection[str], sensors: Iterable[Sensor], source: TickSource, clock: Clock
    ) -> None:
        self._source, self._clock = source, clock
        self._together: list[tuple[ReadsTogether, tuple[str, ...]]] = []
        for sensor in sensors:
            own = tuple(channel.name for channel in sensor.channels if channel.name in names)
            if own and isinstance(sensor, ReadsTogether):
                self._together.append((sensor, own))
        together = {name for _, own in self._together for name in own}
        self._singly = tuple(name for name in names if name not in together)

    def __call__(self) -> dict[str, Read]:
        """Reads by channel.

        Raises:
            SensorError: One of them can't be read.
        """
        reads: dict[str, Read] = {}
        for sensor, names in self._together:
            started_s = self._clock.now_s()
            values_j = sensor.read_together_j(names)
            ended_s = self._clock.now_s()
            for name, joules in zip(names, values_j, strict=True):
                reads[name] = Read(started_s, ended_s, checked_j(joules, sensor.name, name))
        for name in self._singly:
            reads[name] = self._source.read(name)
        return reads
