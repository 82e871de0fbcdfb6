"""What a counter's response does to the joules of a window. Pure.

A counter that samples power through a filter counts what moments it sees: the joules of a window are

    counted = integral of P(t) w(t),   w(t) of mean 1 and with the period of the tick.

Work whose excess power P over quiet is even then counts as P (L + V(stop) - V(start)) in place of P L, with
V the integral of w - 1. V has no mean that matters, so a few harmonics of the tick describe it, whatever
makes it: a filter, samples, a share of the time in which nothing is seen.

Source:
    The power readings of A100 and H100 see a part of the time (Yang, Adamek, Armour, SC'24, arXiv
    2312.02741). The counter of an H100 is the sum of power samples, 20 ms apart and behind a filter of about
    13 ms, times their distance (docs/results/meter-response.md).
"""

import math

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import CounterResponse

# The waves belong to counters of the same period only.
_SAME_TICK_SHARE = 0.02

# A window that the counter sees less than this of can't be read from it.
_LEAST_GAIN = 0.3


def ahead_s(response: CounterResponse, phase: float) -> float:
    """Seconds of power by which the counter is ahead of an even count at *phase* of its tick (0 to 1)."""
    return math.fsum(
        sine_s * math.sin(2 * math.pi * number * phase) + cosine_s * math.cos(2 * math.pi * number * phase)
        for number, (sine_s, cosine_s) in enumerate(response.waves, 1)
    )


def gain(
    response: CounterResponse, start_s: float, stop_s: float, *, tick_at_s: float, tick_s: float
) -> float:
    """Share of even power between two moments that is counted; 1 if the response knows nothing of it.

    Args:
        response: Of the counter.
        start_s: When the power began.
        stop_s: When it ended.
        tick_at_s: When the counter changed, at any of its ticks.
        tick_s: The counter's period.

    Raises:
        NotMeasurable: The counter sees too little of so short a window at this phase.
    """
    if not response.waves or abs(tick_s - response.tick_s) > _SAME_TICK_SHARE * response.tick_s:
        return 1.0
    start, stop = ((time_s - tick_at_s) / tick_s for time_s in (start_s, stop_s))
    share = 1 + (ahead_s(response, stop % 1) - ahead_s(response, start % 1)) / (stop_s - start_s)
    if share < _LEAST_GAIN:
        raise NotMeasurable(
            f"the counter sees {100 * max(0.0, share):.0f} % of a window of "
            f"{1000 * (stop_s - start_s):.3g} ms at this moment of its tick: do more work per round"
        )
    return share


def edge_uncertainty_s(response: CounterResponse, duration_s: float) -> float:
    """Standard uncertainty of a window's joules over its step in power."""
    if not response.edge_length_s:
        return response.edge_s
    return response.edge_s * math.sqrt(-math.expm1(-duration_s / response.edge_length_s))
