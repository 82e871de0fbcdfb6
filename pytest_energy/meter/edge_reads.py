"""Reads, now, of the channels of a window that don't tick; those of one sensor together where it can."""

from collections.abc import Collection, Iterable

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.edges import Reads
from pytest_energy.meter.tick_source import TickSource
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

    def __call__(self) -> list[Reads]:
        """One for each call that was made.

        Raises:
            SensorError: One of them can't be read.
        """
        reads = []
        for sensor, names in self._together:
            started_s = self._clock.now_s()
            values_j = sensor.read_together_j(names)
            ended_s = self._clock.now_s()
            joules = {
                name: checked_j(value, sensor.name, name) for name, value in zip(names, values_j, strict=True)
            }
            reads.append(Reads(started_s, ended_s, joules))
        for name in self._singly:
            read = self._source.read(name)
            reads.append(Reads(read.started_s, read.ended_s, {name: read.joules}))
        return reads
