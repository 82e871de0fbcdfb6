"""The reading of a window from its ticks. Pure."""

from collections.abc import Mapping

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter import quality
from pytest_energy.meter.integrate import Integral, integrate
from pytest_energy.model import Provenance, Reading, Trace
from pytest_energy.model.values import UNKNOWN_RESPONSE


def to_reading(
    trace: Trace, provenance: Provenance, *, resolutions_j: Mapping[str, float] | None = None
) -> Reading:
    """The reading of a window from its ticks; void, with the reason, if they don't suffice.

    *resolutions_j* is the smallest step of each counter, where it is known.
    """
    duration_s = max(0.0, trace.stop_s - trace.start_s)
    try:
        integrals = integrals_of(trace, resolutions_j or {})
    except NotMeasurable as error:
        return void_reading(str(error), duration_s, provenance)
    because = quality.why_joules_are_wrong(integrals, trace.may_be_off)
    if because is not None:
        return void_reading(because, duration_s, provenance)
    return Reading(
        channels=energies_j(integrals),
        duration_s=duration_s,
        uncertainty_j=quality.total_uncertainty_j(integrals, trace.clock_error),
        provenance=provenance,
        quality=quality.notes(integrals),
        quiet_power_w=quiet_powers_w(integrals),
        trace=trace,
    )


def energies_j(integrals: Mapping[str, Integral]) -> dict[str, float]:
    """Joules by channel, none below 0."""
    return {name: max(0.0, integral.energy_j) for name, integral in integrals.items()}


def quiet_powers_w(integrals: Mapping[str, Integral]) -> dict[str, float]:
    """Power just before the window by channel, of those whose ticks suffice."""
    powers_w = ((name, integral.head_power_w) for name, integral in integrals.items())
    return {name: power_w for name, power_w in powers_w if power_w is not None}


def integrals_of(
    trace: Trace, resolutions_j: Mapping[str, float], known: Mapping[str, Integral] | None = None
) -> dict[str, Integral]:
    """Joules by channel, where they are not *known*; `NotMeasurable` names the first without enough ticks."""
    integrals = dict(known or {})
    for name in trace.ticks:
        if name in integrals:
            continue
        try:
            integrals[name] = integrate(
                trace.ticks[name],
                trace.start_s,
                trace.stop_s,
                quiet_s=trace.quiet_s,
                worked_until_s=trace.worked_until_s,
                resolution_j=resolutions_j.get(name, 0.0),
                response=trace.responses.get(name, UNKNOWN_RESPONSE),
            )
        except NotMeasurable as error:
            raise NotMeasurable(f"{name}: {error}") from error
    return integrals


def void_reading(because: str, duration_s: float, provenance: Provenance) -> Reading:
    return Reading(
        channels={}, duration_s=duration_s, uncertainty_j=0.0, provenance=provenance, void_because=because
    )
