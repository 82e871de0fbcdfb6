"""The machine of an agent, as a meter here asks for it: its devices, its processor, its processes."""

from collections.abc import Callable, Iterable

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.model import Provenance
from pytest_energy.remote.protocol import AgentDescription, DeviceProcess
from pytest_energy.remote.sampler import RemoteSampler
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Facts
from pytest_energy.usage import Usage

# The states of all devices are asked for one after the other; those of one poll serve them all.
_SAME_QUESTION_S = 0.005


class RemoteSensor:
    """The channels of an agent, and the state of their devices."""

    name = "remote"

    def __init__(self, description: AgentDescription, sampler: RemoteSampler, clock: Clock) -> None:
        self.provenance: Provenance = description.provenance
        self.channels = description.channels
        self._sampler, self._clock = sampler, clock
        self._answered: set[str] = set()  # channels whose state the newest question has answered
        self._answered_s = clock.now_s()
        self._looked_s: dict[str, float] = {}  # the agent's time of the state that was told before

    def read_j(self, channel: str) -> float:
        raise SensorError(f"{channel}: an agent sends ticks only")

    def usage(self) -> Usage:
        host = self._sampler.host
        if host is None:
            return Usage()
        return Usage(
            gpu_utilisation_share=host.gpu_utilisation_share,
            gpu_memory_used_bytes=host.gpu_memory_used_bytes,
        )

    def facts(self) -> Facts:
        return Facts()

    def close(self) -> None:
        """Nothing is open here."""

    def snapshot(self, channel: str) -> DeviceSnapshot:
        newest = self._sampler.snapshot(channel)
        if newest is None:
            return DeviceSnapshot()
        return DeviceSnapshot(slowdowns=newest.slowdowns, power_w=newest.power_w)

    def state(self, channel: str) -> DeviceState:
        """The device now; its processes computed if they did since the state before this one."""
        now_s = self._clock.now_s()
        if channel in self._answered or now_s - self._answered_s > _SAME_QUESTION_S:
            self._answered.clear()
            self._sampler.poll(state_since_s=now_s)
        self._answered.add(channel)
        self._answered_s = self._clock.now_s()
        report = self._sampler.devices.get(channel)
        if report is None:
            return DeviceState()
        before_s = self._looked_s.get(channel, report.time_s)
        self._looked_s[channel] = report.time_s
        return DeviceState(
            processes={process.pid: _has_computed(process, before_s) for process in report.processes},
            settings=report.settings,
            temperature_c=report.temperature_c,
            is_busy=report.is_busy,
        )


def _has_computed(process: DeviceProcess, since_s: float) -> bool | None:
    if not process.is_reported:
        return None
    return process.computed_s is not None and process.computed_s > since_s


class RemoteSystem:
    """What an agent tells of its machine's processor, and which processes there are the server's."""

    def __init__(self, sampler: RemoteSampler, is_kin: Callable[[int], bool] | None = None) -> None:
        self._sampler, self._is_kin = sampler, is_kin
        self._servers: set[int] = set()

    def cpu_times_s(self) -> tuple[float, float]:
        host = self._sampler.host
        return (0.0, 0.0) if host is None else (host.cpu_busy_s, host.cpu_total_s)

    def own_cpu_s(self) -> float | None:
        """Unknown: none of the work is in this process."""
        return None

    def ram_used_bytes(self) -> float | None:
        return None

    def is_kin(self, pid: int) -> bool | None:
        return pid in self._servers or (self._is_kin is not None and self._is_kin(pid))

    def adopt(self, pids: Iterable[int]) -> None:
        self._servers.update(pids)
