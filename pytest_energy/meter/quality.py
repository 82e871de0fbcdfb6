"""What makes a reading void, and what a reader should know of one that isn't. Pure.

Rule 1: a reason is one sentence that names the channel and the value seen.
Rule 2: what can be told wrong is void; what is only worth knowing is a note.
"""

import math
from collections.abc import Mapping

from pytest_energy.meter.integrate import How, Integral
from pytest_energy.units import to_text

# Two reads of two clocks differ by microseconds; a machine that sleeps does so for seconds.
_SUSPENDED_S = 0.01

# Joules that are known to no better than this share say little of the work: with 2 standard uncertainties
# the window could have used nothing.
_WORST_SHARE = 0.5

# Quiet power that differs by more than this before and after the window was perhaps not quiet.
_QUIET_SHARE = 0.1


def why_clock_is_wrong(
    start_s: float, stop_s: float, suspended_before_s: float | None, suspended_after_s: float | None
) -> str | None:
    """Why the seconds of a window can't be used, or `None`."""
    if stop_s <= start_s:
        return f"the clock went from {start_s} s to {stop_s} s during the window: it went back or stood"
    if suspended_before_s is not None and suspended_after_s is not None:
        slept_s = suspended_after_s - suspended_before_s
        if abs(slept_s) > _SUSPENDED_S:
            return f"the machine slept for {to_text(slept_s, 's')} during the window"
    return None


def why_joules_are_wrong(integrals: Mapping[str, Integral]) -> str | None:
    """Why the joules of a window can't be used, or `None`.

    Args:
        integrals: By channel name; at least one.
    """
    for name, integral in integrals.items():
        if integral.energy_j <= 0:
            return (
                f"{name} reads {to_text(integral.energy_j, 'J')} "
                f"(+- {to_text(integral.uncertainty_j, 'J')}): "
                "its counter stands still, or the window is too short for it"
            )
    energy_j = sum(integral.energy_j for integral in integrals.values())
    uncertainty_j = total_uncertainty_j(integrals)
    if uncertainty_j > _WORST_SHARE * energy_j:
        return (
            f"{to_text(energy_j, 'J')} are known to +- {to_text(uncertainty_j, 'J')} only: "
            "the window is too short for these counters; do more work in a round"
        )
    return None


def total_uncertainty_j(integrals: Mapping[str, Integral]) -> float:
    """Standard uncertainty of the sum of the channels, whose errors are independent."""
    return math.hypot(*(integral.uncertainty_j for integral in integrals.values()))


def notes(integrals: Mapping[str, Integral]) -> tuple[str, ...]:
    """What a reader should know of a window's joules, one sentence each."""
    found = []
    for name, integral in integrals.items():
        head_w, tail_w = integral.head_power_w, integral.tail_power_w
        if integral.how is How.INTERPOLATED:
            found.append(
                f"{name}: no whole quiet tick beside the window; its edges are interpolated between ticks"
            )
        elif head_w is not None and tail_w is not None and abs(tail_w - head_w) > _QUIET_SHARE * head_w:
            found.append(
                f"{name}: {to_text(head_w, 'W', digits=3)} before the window, "
                f"{to_text(tail_w, 'W', digits=3)} after it: it wasn't equally quiet"
            )
    return tuple(found)


def phase_notes(integrals: Mapping[str, Integral]) -> tuple[str, ...]:
    """What a reader should know of a phase's joules."""
    names = ", ".join(name for name, integral in integrals.items() if integral.how is How.INTERPOLATED)
    return (f"{names}: interpolated between ticks, the power isn't quiet at its edges",) if names else ()
