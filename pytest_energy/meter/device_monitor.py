"""Monitors devices while a window measures them: before it, after it, and at times in between.

Rule 1: nothing is asked between a window's edges but by the sampler, between ticks, and after half a second;
        and before the start and after the stop only where the joules are counted already or not yet.
Rule 2: a sensor that doesn't report a value is no reason for anything.
"""

from collections.abc import Callable, Iterable, Mapping

from pytest_energy.errors import SensorError
from pytest_energy.meter.host_usage import System
from pytest_energy.meter.quality import DeviceHistory
from pytest_energy.meter.synchronize import gpus_in_use
from pytest_energy.model import Domain
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, MonitorsDevice, Sensor
from pytest_energy.usage import DeviceUse

# On average. Often enough to see twice what slows a window of half a second down, and to have 20 powers of
# one of 5 s. Each time it costs two calls, and NVML's longest take 3 ms. Looks come at random times: at fixed
# ones they would always see the same part of a load that comes in waves. While a counter is left alone, half
# a second at most, there are none.
DEVICE_LOOK_S = 0.25


class DeviceMonitor:
    """Monitors throttling, processes, settings and temperature of devices."""

    def __init__(
        self,
        sensors: Iterable[Sensor],
        system: System,
        gpus_in_use: Callable[[], tuple[int, ...]] = gpus_in_use,
    ) -> None:
        self._system, self._gpus_in_use = system, gpus_in_use
        self._sensors: dict[str, MonitorsDevice] = {
            channel.name: sensor
            for sensor in sensors
            if isinstance(sensor, MonitorsDevice)
            for channel in sensor.channels
        }
        self.names = tuple(self._sensors)
        """The channels whose device can be monitored."""
        self._before: dict[str, DeviceState] = {}
        self._snapshots: dict[str, list[DeviceSnapshot]] = {}
        self._is_kin: dict[int, bool | None] = {}

    def open(self, channels: Iterable[str]) -> None:
        """Begin a window over *channels*; call it shortly before its start."""
        if not self._sensors:
            return
        self._before = {name: self._state(name) for name in channels if name in self._sensors}
        self._is_kin = self._kin(self._before.values())
        self._snapshots = {name: [] for name in self._before}

    def processes_on(self, channels: Iterable[str]) -> set[int]:
        """Processes that have the devices of *channels* open, as far as known."""
        return {pid for name in channels if name in self._sensors for pid in self._state(name).processes}

    def look(self, channel: str) -> None:
        """Look at *channel* if a window over it is open; called between ticks by the sampler."""
        snapshots = self._snapshots.get(channel)
        if snapshots is not None:
            snapshots.append(self._snapshot(channel))

    def close(self) -> Mapping[str, DeviceHistory]:
        """End the window, just after its stop; how the device of each channel was."""
        if not self._snapshots:
            return {}
        snapshots, before = self._snapshots, self._before
        self.abandon()
        for name, looks in snapshots.items():  # the last one's power isn't the work's
            looks.append(DeviceSnapshot(slowdowns=self._snapshot(name).slowdowns))
        after = {name: self._state(name) for name in snapshots}
        self._is_kin |= {pid: kin for pid, kin in self._kin(after.values()).items() if kin is not None}
        histories = {}
        for name, looks in snapshots.items():
            pids = (*before[name].processes, *after[name].processes)
            is_kin = {pid: self._is_kin.get(pid) for pid in pids}
            histories[name] = DeviceHistory(
                before=before[name], after=after[name], snapshots=tuple(looks), is_kin=is_kin
            )
        return histories

    def uses(self, histories: Mapping[str, DeviceHistory]) -> dict[str, DeviceUse]:
        """Use of each device by channel, from *histories* and from torch in this process."""
        uses = {f"{Domain.GPU}:{index}": DeviceUse.OPEN for index in self._gpus_in_use()}
        return uses | {name: use for name, one in histories.items() if (use := one.use) is not None}

    def abandon(self) -> None:
        """End the window without another look."""
        self._snapshots = {}

    def _kin(self, states: Iterable[DeviceState]) -> dict[int, bool | None]:
        return {pid: self._system.is_kin(pid) for state in states for pid in state.processes}

    def _snapshot(self, channel: str) -> DeviceSnapshot:
        try:
            return self._sensors[channel].snapshot(channel)
        except SensorError:
            return DeviceSnapshot()

    def _state(self, channel: str) -> DeviceState:
        try:
            return self._sensors[channel].state(channel)
        except SensorError:
            return DeviceState()
