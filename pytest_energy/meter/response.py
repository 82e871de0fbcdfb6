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
from dataclasses import dataclass, replace

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Channel, CounterResponse
from pytest_energy.units import to_text

# The waves belong to counters of the same period only.
_SAME_TICK_SHARE = 0.02

LEAST_GAIN = 0.3
"""A window that the counter sees less than this of can't be read from it."""

MOST_UNCERTAINTY = 0.25
"""A share that is known no better than to this of it tells too little: a window that was hardly seen would
seem to be known well, as the uncertainty of its joules is in proportion to them."""

# Lengths that are tried from the shortest on, each longer by this.
_SHORTEST_S, _LENGTH_STEP = 1e-6, 1.02

# Work that is read at fewer moments of the tick is not read at all.
_EVEN_SHARE = 0.5

_PHASES = tuple(number / 200 for number in range(200))


def ahead_s(response: CounterResponse, phase: float) -> float:
    """Seconds of power by which the counter is ahead of an even count at *phase* of its tick (0 to 1)."""
    return math.fsum(
        sine_s * math.sin(2 * math.pi * number * phase) + cosine_s * math.cos(2 * math.pi * number * phase)
        for number, (sine_s, cosine_s) in enumerate(response.waves, 1)
    )


def counted_share(response: CounterResponse, phase: float, length_s: float) -> float:
    """Share of even power that is counted, by the phase of the tick (0 to 1) in which it begins."""
    change = length_s / response.tick_s
    return 1 + (ahead_s(response, phase + change) - ahead_s(response, phase)) / length_s


def gain_range(response: CounterResponse, length_s: float) -> tuple[float, float]:
    """Least and largest share of work of one length that is counted, by its moment in the tick."""
    shares = [counted_share(response, phase, length_s) for phase in _PHASES] if response.tick_s else [1.0]
    return min(shares), max(shares)


def sampling_s(response: CounterResponse) -> float | None:
    """Seconds between samples of power, as the largest wave has it; `None` if none is known."""
    sizes_s = [math.hypot(*wave) for wave in response.waves]
    return response.tick_s / (1 + sizes_s.index(max(sizes_s))) if sizes_s else None


def seen_share(response: CounterResponse) -> float:
    """Share of the time in which the counter sees power at all, as a few waves show it."""
    if not response.tick_s:
        return 1.0
    weights = [counted_share(response, phase, response.tick_s / len(_PHASES)) for phase in _PHASES]
    return sum(weight >= LEAST_GAIN for weight in weights) / len(_PHASES)


@dataclass(frozen=True, slots=True)
class Gain:
    """Share of even power that is counted, and its standard uncertainty."""

    share: float
    uncertainty: float


def gain(
    response: CounterResponse,
    start_s: float,
    stop_s: float,
    *,
    tick_at_s: float,
    tick_s: float,
    spread_s: float = 0.0,
    unevenness: float = 1.0,
) -> Gain:
    """What is counted of even power between two moments; all if the response knows nothing of it.

    Args:
        response: Of the counter.
        start_s: When the power began.
        stop_s: When it ended.
        tick_at_s: When the counter changed, at any of its ticks.
        tick_s: The counter's period.
        spread_s: Standard uncertainty of *tick_at_s*.
        unevenness: How much larger than those of even power the steps in power were (see `unevenness`).

    Raises:
        NotMeasurable: The counter sees too little of so short a window, or is known too badly for it.
    """
    duration_s = stop_s - start_s
    edge = edge_uncertainty_s(response, duration_s) / duration_s
    if not response.waves or abs(tick_s - response.tick_s) > _SAME_TICK_SHARE * response.tick_s:
        share, of_tick = 1.0, 0.0
    else:
        early, share, late = (
            counted_share(response, (start_s - tick_at_s + off_s) / tick_s, duration_s)
            for off_s in (-spread_s, 0.0, spread_s)
        )
        of_tick = max(abs(early - share), abs(late - share))
    uncertainty = math.hypot(edge, of_tick)
    if share < LEAST_GAIN or uncertainty > MOST_UNCERTAINTY * share:
        raise NotMeasurable(
            f"the counter sees {100 * max(0.0, share):.0f} +- {100 * uncertainty:.0f} % of a window of "
            f"{to_text(duration_s, 's')} at this moment of its tick: do more work per round"
        )
    return Gain(share, math.hypot(unevenness * edge, of_tick))


def followed_response(channel: Channel) -> CounterResponse:
    """How the counter of *channel* responds while each of its ticks is read.

    Reads change what it samples. Where it isn't known by how much, all that it may be ahead is left open.
    """
    response = channel.response
    if channel.followed_response is not None or not response.waves:
        return channel.followed_response or response
    ahead_s = math.hypot(*(amplitude_s for wave in response.waves for amplitude_s in wave))
    return replace(response, waves=(), edge_s=math.hypot(response.edge_s, ahead_s))


def edge_uncertainty_s(response: CounterResponse, duration_s: float) -> float:
    """Standard uncertainty of a window's joules over its step in power."""
    if not response.edge_length_s:
        return response.edge_s
    return response.edge_s * math.sqrt(-math.expm1(-duration_s / response.edge_length_s))


def least_length_s(response: CounterResponse) -> float:
    """The shortest work that may be read, if the counter sees all of it."""
    length_s = max(response.shortest_s, _SHORTEST_S)
    while edge_uncertainty_s(response, length_s) > MOST_UNCERTAINTY * length_s:
        length_s *= _LENGTH_STEP
    return length_s


def least_even_length_s(response: CounterResponse) -> float:
    """The shortest work that may be read at half of the moments of a tick; at most a tick.

    Of shorter work only few windows would be left, and those are not like the rest.
    """
    length_s = least_length_s(response)
    while length_s < response.tick_s and _readable_share(response, length_s) < _EVEN_SHARE:
        length_s *= _LENGTH_STEP
    return length_s


def _readable_share(response: CounterResponse, length_s: float) -> float:
    uncertainty = edge_uncertainty_s(response, length_s) / length_s
    least = max(LEAST_GAIN, uncertainty / MOST_UNCERTAINTY)
    return sum(counted_share(response, phase, length_s) >= least for phase in _PHASES) / len(_PHASES)
