"""How the devices are while a window measures them: asked before it, after it, and now and then in between.

Rule 1: nothing is asked between a window's edges but by the sampler, between ticks; and before the start and
        after the stop only where the joules are counted already or not yet.
Rule 2: a sensor that doesn't tell says nothing, and that is no reason for anything.
"""

from collections.abc import Iterable, Mapping, Sequence

from pytest_energy.errors import SensorError
from pytest_energy.meter.quality import Watched
from pytest_energy.meter.usage import System
from pytest_energy.sensors.protocol import Condition, Look, Observant, Sensor

# Often enough to see twice what slows a window of half a second down, and to have 20 powers of one of 5 s.
# Each time it costs two calls, and NVML's longest take 3 ms.
WATCH_S = 0.25


class Watch:
    """Asks the sensors that tell.

    Args:
        sensors: Open sensors, of which some are observant.
        system: Knows whose a process is.
    """

    def __init__(self, sensors: Iterable[Sensor], system: System) -> None:
        self._system = system
        self._observers: dict[str, Observant] = {
            channel.name: sensor
            for sensor in sensors
            if isinstance(sensor, Observant)
            for channel in sensor.channels
        }
        self._before: dict[str, Condition] = {}
        self._looks: dict[str, list[Look]] = {}
        self._is_kin: dict[int, bool | None] = {}

    @property
    def names(self) -> Sequence[str]:
        """The channels that can be watched."""
        return tuple(self._observers)

    def open(self, channels: Iterable[str]) -> None:
        """Begin a window over *channels*; call it shortly before its start."""
        self._before = {name: self._condition(name) for name in channels if name in self._observers}
        self._is_kin = self._kin(self._before.values())
        self._looks = {name: [] for name in self._before}

    def look(self, channel: str) -> None:
        """Look at *channel* if a window over it is open; called between ticks by the sampler."""
        looks = self._looks.get(channel)
        if looks is not None:
            looks.append(self._look(channel))

    def leave(self) -> None:
        """End the window without another look."""
        self._looks = {}

    def shut(self) -> Mapping[str, Watched]:
        """End the window; call it just after its stop.

        Returns:
            What was seen, by channel.
        """
        looks = self._looks
        self.leave()
        last = {
            name: Look(slowdowns=self._look(name).slowdowns) for name in looks
        }  # its power isn't the work's
        after = {name: self._condition(name) for name in looks}
        self._is_kin |= {pid: kin for pid, kin in self._kin(after.values()).items() if kin is not None}
        return {
            name: Watched(
                before=self._before[name],
                after=after[name],
                looks=(*looks[name], last[name]),
                is_kin={pid: self._is_kin.get(pid) for pid in (*before.processes, *after[name].processes)},
            )
            for name, before in self._before.items()
            if name in looks
        }

    def _kin(self, conditions: Iterable[Condition]) -> dict[int, bool | None]:
        return {pid: self._system.is_kin(pid) for condition in conditions for pid in condition.processes}

    def _look(self, channel: str) -> Look:
        try:
            return self._observers[channel].look(channel)
        except SensorError:
            return Look()

    def _condition(self, channel: str) -> Condition:
        try:
            return self._observers[channel].condition(channel)
        except SensorError:
            return Condition()
