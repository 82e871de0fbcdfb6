"""How busy hardware was during a window, and who had a device at work."""

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


class DeviceUse(StrEnum):
    """What was seen of a device's use by this run's processes in a window, beside its joules."""

    OPEN = "open"
    """A context of theirs is on it."""
    UNNAMED = "unnamed"
    """It computed, and nobody can tell for whom: in a container NVML lists no process by its number here."""
    BUSY = "busy"
    """A process of theirs computed on it."""
