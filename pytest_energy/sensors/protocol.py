"""The interface of a sensor."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from pytest_energy.codec import brief, number_of
from pytest_energy.errors import SensorError
from pytest_energy.model import Channel, Provenance
from pytest_energy.usage import Usage

COUNTER_AGE_S = 1e-3
"""RAPL is updated about every millisecond (Intel SDM, volume 3B, section 16.10): a value is up to so old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts about the hardware that a sensor reads.

    Attributes:
        fixed: Facts that must be equal for two records to be compared (GPU model, count, power limit).
        shown: Facts that may differ and are shown (UUID, driver).
        key_parts: Short readable names for the machine key, such as `NVIDIA H100 80GB HBM3`.
    """

    fixed: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    key_parts: tuple[str, ...] = ()


class Slowdown(StrEnum):
    """A reason why a device runs slower than its settings. A power cap at full load is not one."""

    HARDWARE = "hardware slowdown"
    """The cause is not reported; also appears for a moment when clocks change."""
    HARDWARE_THERMAL = "hardware thermal slowdown"
    POWER_BRAKE = "hardware power brake"
    SOFTWARE_THERMAL = "software thermal slowdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSnapshot:
    """The state of a device during its work, read with one or two calls.

    Attributes:
        slowdowns: What slows it down now; also empty if it doesn't report this.
        power_w: What it draws now, from another source than its joules; or `None`.
    """

    slowdowns: frozenset[Slowdown] = frozenset()
    power_w: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """State of a device that its joules depend on, besides its work.

    Attributes:
        processes: Id of each process that may compute on it to whether it has since the last time it was
            asked, `None` if unknown.
        settings: Such as its power limit, by name, as text; without unknown ones.
        temperature_c: Its temperature, or `None`.
        is_busy: Whether it computed for any process in the last moments, up to a second; or `None`.
    """

    processes: Mapping[int, bool | None] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    temperature_c: float | None = None
    is_busy: bool | None = None


class Sensor(Protocol):
    """A source of channels: cumulative joules that never go back.

    A sensor that can't be used raises `SensorUnavailable` when it is made, with the reason and the
    command that fixes it. A value that can't be had later raises `SensorError`; it is never 0.
    """

    @property
    def name(self) -> str: ...

    @property
    def provenance(self) -> Provenance: ...

    @property
    def channels(self) -> tuple[Channel, ...]: ...

    def read_j(self, channel: str) -> float:
        """Cumulative joules of the channel *channel*, from an arbitrary zero, never falling.

        A counter that wraps is unwrapped here, given a read at least every 30 s.

        Raises:
            SensorError: The counter can't be read, or went back for another reason than a wrap.
        """
        ...

    def usage(self) -> Usage:
        """How busy the hardware of this sensor is now; an unknown field is `None`."""
        ...

    def facts(self) -> Facts: ...

    def close(self) -> None: ...


MOST_J = 1e15
"""Joules of a counter: a megawatt for thirty years. Power worked out of two is then a number still."""


def checked_j(value: object, sensor: str, channel: str) -> float:
    """*value* of the sensor *sensor* for *channel*, checked to be joules.

    Raises:
        SensorError: It is no number, or none that a counter can have reached.
    """
    if type(value) is float and -MOST_J <= value <= MOST_J:  # what nearly every sensor gives
        return value
    joules = number_of(value)
    if joules is None or abs(joules) > MOST_J:
        raise SensorError(
            f"{channel}: the sensor {sensor} gave {brief(value)}, which is not a number of joules"
        )
    return joules


@runtime_checkable
class ReadsTogether(Protocol):
    """A sensor that reads several channels in one call, in less time than one by one, from any thread."""

    @property
    def name(self) -> str: ...

    def read_together_j(self, channels: Sequence[str]) -> Sequence[float]:
        """As `read_j` of each, in their order.

        Raises:
            SensorError: One of them can't be read.
        """
        ...


@runtime_checkable
class LeavesOut(Protocol):
    """A sensor that can't read all of its hardware, with a reason per channel."""

    @property
    def left_out(self) -> Mapping[str, str]: ...


@runtime_checkable
class CanLeaveOut(LeavesOut, Protocol):
    """A sensor that can do without single channels, which another sensor reads."""

    def leave_out(self, channel: str, because: str) -> None:
        """Read *channel* no longer."""
        ...


@runtime_checkable
class ReadByOthers(Protocol):
    """A sensor some of whose channels are in what another sensor reads, under other names."""

    @property
    def read_by(self) -> Mapping[str, str]:
        """Channel name to the name of that sensor; it may not be there."""
        ...


@runtime_checkable
class CountsProcesses(Protocol):
    """A sensor that counts what some processes do, and not all that its hardware does."""

    def adopt(self, pids: Iterable[int]) -> None:
        """Count these processes and what they start, too, from now on."""
        ...


@runtime_checkable
class MonitorsDevice(Protocol):
    """A sensor that also reports the state of its devices. Unknown values are left out; nothing is raised."""

    def snapshot(self, channel: str) -> DeviceSnapshot:
        """The device of *channel*, in a few milliseconds at most; called again and again during a window."""
        ...

    def state(self, channel: str) -> DeviceState:
        """The device of *channel*; called once before each window and once after it."""
        ...
