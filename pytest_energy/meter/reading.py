"""The reading of a window from its ticks. Pure."""

import math
from collections.abc import Mapping
from dataclasses import replace

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter import quality
from pytest_energy.meter.integrate import Integral, integrate
from pytest_energy.model import Provenance, Reading, Trace


def to_reading(
    trace: Trace, provenance: Provenance, *, resolutions_j: Mapping[str, float] | None = None
) -> Reading:
    """The reading of a window from its ticks; void, with the reason, where they don't tell.

    Args:
        trace: Ticks of each channel, and the window's edges.
        provenance: Where the ticks come from.
        resolutions_j: Smallest step of each counter, where it is known.
    """
    duration_s = max(0.0, trace.stop_s - trace.start_s)
    integrals: dict[str, Integral] = {}
    because: str | None = None
    for name, ticks in trace.ticks.items():
        resolution_j = 0.0 if resolutions_j is None else resolutions_j.get(name, 0.0)
        try:
            integral = integrate(
                ticks,
                trace.start_s,
                trace.stop_s,
                quiet_s=trace.quiet_s,
                resolution_j=resolution_j,
            )
        except NotMeasurable as error:
            because = f"{name}: {error}"
            break
        integrals[name] = _with_edges(integral, duration_s, trace.edges_s.get(name, 0.0))
    if because is None:
        because = quality.why_joules_are_wrong(integrals)
    if because is not None:
        return void_reading(because, duration_s, provenance)
    return Reading(
        channels={name: integral.energy_j for name, integral in integrals.items()},
        duration_s=duration_s,
        uncertainty_j=quality.total_uncertainty_j(integrals),
        provenance=provenance,
        quality=quality.notes(integrals),
        quiet_power_w={
            name: integral.head_power_w
            for name, integral in integrals.items()
            if integral.head_power_w is not None
        },
        trace=trace,
    )


def _with_edges(integral: Integral, duration_s: float, edge_s: float) -> Integral:
    """*integral* with what a counter that samples power leaves open at the window's edges."""
    if edge_s == 0 or duration_s <= 0:
        return integral
    step_w = abs(integral.energy_j / duration_s - (integral.head_power_w or 0.0))
    return replace(integral, uncertainty_j=math.hypot(integral.uncertainty_j, step_w * edge_s))


def void_reading(because: str, duration_s: float, provenance: Provenance) -> Reading:
    return Reading(
        channels={}, duration_s=duration_s, uncertainty_j=0.0, provenance=provenance, void_because=because
    )
