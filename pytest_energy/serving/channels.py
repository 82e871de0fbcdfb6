"""The part of a reading that belongs to an engine: its own channels."""

import math
from collections.abc import Collection, Mapping
from dataclasses import replace

from pytest_energy.model import Reading


def of_channels(reading: Reading, names: Collection[str]) -> Reading:
    """*reading* without the channels beside *names*, also in its phases; with the uncertainty of all."""
    if reading.void_because is not None:
        return reading
    phases = tuple(replace(phase, channels=_among(phase.channels, names)) for phase in reading.phases)
    counted = _among(reading.channels, names)
    because = None if counted else f"none of the engine's channels was read ({', '.join(names)})"
    return replace(
        reading,
        channels=counted,
        void_because=because,
        phases=tuple(
            replace(phase, energy_j=math.fsum(phase.channels.values())) if phase.channels else phase
            for phase in phases
        ),
    )


def _among(joules: Mapping[str, float], names: Collection[str]) -> dict[str, float]:
    return {name: energy_j for name, energy_j in joules.items() if name in names}
