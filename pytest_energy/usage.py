"""How busy hardware was during a window, and which processes used a device."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How busy the machine was during a window. Shares are 0 to 1; memory is in bytes.

    `None` means that it is not known.

    Attributes:
        other_cpu_share: Share of all processor time of the window that other programs had.
    """

    cpu_utilisation_share: float | None = None
    gpu_utilisation_share: float | None = None
    ram_used_bytes: float | None = None
    gpu_memory_used_bytes: float | None = None
    other_cpu_share: float | None = None


UNKNOWN_USAGE = Usage()
"""Nothing is known."""


class DeviceUse(StrEnum):
    """Use of a device by this run's processes during a window."""

    OPEN = "open"
    """A context of theirs is on it."""
    UNNAMED = "unnamed"
    """It computed, but for which process is unknown: in a container NVML lists other process numbers."""
    BUSY = "busy"
    """A process of theirs computed on it."""
