"""Where a test is measured: on the machine that it runs on, as a rule, or on others."""

from dataclasses import dataclass

from pytest_energy.meter.protocol import Meter
from pytest_energy.model import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A meter, and the machine whose joules it reads.

    Attributes:
        meter: Of one provenance; it has been started.
        machine: As a record has it; baselines are those of its key.
        is_here: Runs on this machine take turns at its devices.
    """

    meter: Meter
    machine: Machine
    is_here: bool = True


def channels_of(meter: Meter) -> frozenset[str]:
    """The channels whose joules count, of those that *meter* reads."""
    counted = (status for status in meter.statuses() if status.provenance is meter.provenance)
    return frozenset(name for status in counted for name in status.channels)
