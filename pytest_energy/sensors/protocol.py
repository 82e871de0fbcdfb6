"""What every sensor promises."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_energy.model import Channel, Provenance, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a sensor knows of the hardware it reads.

    Attributes:
        fixed: Facts that must be equal for two records to be compared (GPU model, count, power limit).
        shown: Facts that may differ and are shown (UUID, driver).
        key_parts: Short readable names for the machine key, such as `NVIDIA H100 80GB HBM3`.
    """

    fixed: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str] = field(default_factory=dict)
    key_parts: tuple[str, ...] = ()


class Sensor(Protocol):
    """A source of channels: cumulative joules that never go back.

    A sensor that can't be used raises `SensorUnavailable` when it is made, with the reason and the
    command that mends it. A value that can't be had later raises `SensorError`; it is never 0.
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
        """How busy the hardware of this sensor is now; a field that it can't tell is `None`."""
        ...

    def facts(self) -> Facts: ...

    def close(self) -> None: ...
