"""Looks at the devices of an agent's machine, shared by all runs that measure there."""

from collections.abc import Iterable, Mapping
from threading import Lock

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.remote.numbered import Numbered, Stretch
from pytest_energy.remote.protocol import DeviceProcess, DeviceReport, Snapshot
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, MonitorsDevice, Sensor

# Four a second for each device: of eight devices those of half a minute.
_KEPT = 1024


class DeviceLooks:
    """Snapshots, which are numbered, and the last state of each device that reports one."""

    def __init__(self, sensors: Iterable[Sensor], clock: Clock) -> None:
        self._clock = clock
        self._sensors: dict[str, MonitorsDevice] = {
            channel.name: sensor
            for sensor in sensors
            if isinstance(sensor, MonitorsDevice)
            for channel in sensor.channels
        }
        self.names = tuple(self._sensors)
        """The channels whose device can be monitored."""
        self._lock = Lock()
        self._snapshots: Numbered[Snapshot] = Numbered(_KEPT)
        self._reports: dict[str, DeviceReport] = {}

    def look(self, channel: str) -> None:
        """Take a snapshot of the device of *channel*."""
        try:
            seen = self._sensors[channel].snapshot(channel)
        except SensorError:
            seen = DeviceSnapshot()
        self._snapshots.append(
            Snapshot(
                time_s=self._clock.now_s(), channel=channel, slowdowns=seen.slowdowns, power_w=seen.power_w
            )
        )

    def snapshots(self, number: int | None) -> Stretch[Snapshot]:
        return self._snapshots.after(number)

    def reports(self, since_s: float | None) -> Mapping[str, DeviceReport]:
        """The state of each device, read at or after *since_s*; with `None` the last, if there is one."""
        with self._lock:
            for name in self.names if since_s is not None else ():
                last = self._reports.get(name)
                if last is None or last.time_s < min(since_s or 0.0, self._clock.now_s()):
                    self._reports[name] = self._read(name, last)
            return dict(self._reports)

    def _read(self, channel: str, last: DeviceReport | None) -> DeviceReport:
        time_s = self._clock.now_s()
        try:
            state = self._sensors[channel].state(channel)
        except SensorError:
            state = DeviceState()
        computed_s = {} if last is None else {one.pid: one.computed_s for one in last.processes}
        return DeviceReport(
            time_s=time_s,
            processes=tuple(
                DeviceProcess(
                    pid=pid,
                    is_reported=has_computed is not None,
                    computed_s=time_s if has_computed else computed_s.get(pid),
                )
                for pid, has_computed in state.processes.items()
            ),
            settings=state.settings,
            temperature_c=state.temperature_c,
            is_busy=state.is_busy,
        )
