"""The response of a counter, from bursts of even power at known moments. Pure.

A burst of excess power P that lasts L is counted as P (L + V(stop) - V(start)), see `response`. V is a sum of
harmonics of the tick, so the counted joules are linear in them once P is known; P of bursts of one length is
their mean, and both are found in turns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_energy.errors import NotMeasurable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.meter.response import LEAST_GAIN, ahead_s
from pytest_energy.model import CounterResponse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = LazyModule("numpy")

HARMONICS = 10
"""An H100 samples five times a tick, so its response has the fifth and the tenth; more fit noise."""

LEAST_BURSTS = 60
"""Twenty amplitudes of some percent, from bursts that are known to a few percent each."""

# To which a burst's joules are known beside their phase.
_KNOWN_J, _KNOWN_SHARE = 0.4, 0.03

# Bursts of longer than this hold too many samples each to say when they are taken.
_LONGEST_TICKS = 0.8

# Bursts are of one length where they differ by less.
_SAME_LENGTH_SHARE = 0.2

# Of so many bursts of one length the scatter beside a line is known.
_LEAST_GROUP = 5

_TURNS = 4
_RIDGE = 1e-2  # of the mean weight: amplitudes that nothing tells are small


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Work of even power as it was counted.

    Attributes:
        excess_j: Joules counted above quiet, up to when the counter had settled.
        start_phase: Of the tick, 0 to 1, 0 where the counter changes.
        length_s: How long the work lasted.
    """

    excess_j: float
    start_phase: float
    length_s: float


def burst_weights(bursts: Sequence[Burst]) -> "NDArray[np.float64]":
    """Weight of each burst's joules, one over the uncertainty of those of its length, in 1/J.

    By its own joules a burst that was hardly seen would weigh more than one that was seen twice.
    """
    counted_j = np.array([burst.excess_j for burst in bursts])
    mean_j = _group_means(counted_j, _groups(np.array([burst.length_s for burst in bursts])))
    weights: NDArray[np.float64] = 1 / np.hypot(_KNOWN_J, _KNOWN_SHARE * mean_j)
    return weights


def calibrated(bursts: Sequence[Burst], *, tick_s: float, known: CounterResponse) -> CounterResponse:
    """*known* with the waves that *bursts* show, and with what they leave open.

    Args:
        bursts: Of several lengths, at many phases.
        tick_s: The counter's period.
        known: Its `settle_s` was long enough for the bursts.

    Raises:
        NotMeasurable: There are too few bursts, or too few of them are seen.
    """
    short = [burst for burst in bursts if burst.length_s < _LONGEST_TICKS * tick_s]
    if len(short) < LEAST_BURSTS:
        raise NotMeasurable(
            f"{len(short)} bursts shorter than {_LONGEST_TICKS * tick_s:.3g} s are too few to find how the "
            f"counter responds; {LEAST_BURSTS} are enough"
        )
    waves = _waves(short, tick_s)
    pairs = tuple(zip(waves[:HARMONICS].tolist(), waves[HARMONICS:].tolist(), strict=True))
    response = replace(known, tick_s=tick_s, waves=pairs)
    edge_s, edge_length_s = edge_of(*scatter(bursts, response))
    # The bursts that the waves were fitted to scatter less beside them than others will: a fit of p values to
    # n leaves (n - p) / n of the variance, and is itself as wrong as p / n of it.
    values = 2 * HARMONICS
    edge_s *= math.sqrt((len(short) + values) / (len(short) - values))
    return replace(response, edge_s=edge_s, edge_length_s=edge_length_s)


def _waves(bursts: Sequence[Burst], tick_s: float) -> "NDArray[np.float64]":
    counted_j = np.array([burst.excess_j for burst in bursts])
    lengths_s = np.array([burst.length_s for burst in bursts])
    starts = np.array([burst.start_phase for burst in bursts])
    change = _harmonics(starts + lengths_s / tick_s) - _harmonics(starts)
    groups = _groups(lengths_s)
    weights = burst_weights(bursts)
    # A device that works faster draws more: what goes with the length of the same work is not the counter's.
    longer_s = (lengths_s - _group_means(lengths_s, groups))[:, None] * (groups[:, None] == np.unique(groups))
    seen_s, waves = lengths_s.copy(), np.zeros(2 * HARMONICS)
    for _ in range(_TURNS):
        powers_w = _group_means(counted_j, groups) / _group_means(seen_s, groups)
        columns = np.hstack([change, longer_s]) * (powers_w * weights)[:, None]
        ridge = np.eye(2 * HARMONICS, columns.shape[1])
        ridge *= math.sqrt(_RIDGE * np.mean((powers_w * weights) ** 2))
        rest = (counted_j - powers_w * lengths_s) * weights
        found, *_ = np.linalg.lstsq(np.vstack([columns, ridge]), np.append(rest, np.zeros(2 * HARMONICS)))
        waves = found[: 2 * HARMONICS]
        seen_s = lengths_s + change @ waves
    return waves


def _harmonics(phases: "NDArray[np.float64]") -> "NDArray[np.float64]":
    angles = 2 * np.pi * phases[:, None] * np.arange(1, HARMONICS + 1)
    return np.hstack([np.sin(angles), np.cos(angles)])


def _groups(lengths_s: "NDArray[np.float64]") -> "NDArray[np.int64]":
    """Number of the group of about equal lengths that each belongs to."""
    return np.round(np.log(lengths_s) / math.log1p(_SAME_LENGTH_SHARE)).astype(np.int64)


def _group_means(values: "NDArray[np.float64]", groups: "NDArray[np.int64]") -> "NDArray[np.float64]":
    _, place = np.unique(groups, return_inverse=True)
    means: NDArray[np.float64] = np.bincount(place, values) / np.bincount(place)
    return means[place]


def scatter(
    bursts: Sequence[Burst], response: CounterResponse
) -> tuple["NDArray[np.float64]", "NDArray[np.float64]"]:
    """Lengths of bursts, and how far each is off if *response* is taken out, in seconds of its power.

    What goes with the length of the same work is not the counter's: a device that works faster draws more.

    Args:
        bursts: Of one board.
        response: Of any board.

    Raises:
        NotMeasurable: Hardly any are seen, or there are too few of about the same length.
    """
    bursts = [burst for burst in bursts if _seen_s(burst, response) >= LEAST_GAIN * burst.length_s]
    if not bursts:  # a window of the others is void
        raise NotMeasurable("the counter sees too little of each of the bursts")
    lengths_s = np.array([burst.length_s for burst in bursts])
    seen_s = np.array([_seen_s(burst, response) for burst in bursts])
    read_j = np.array([burst.excess_j for burst in bursts]) * lengths_s / seen_s
    groups = _groups(lengths_s)
    powers_w = _group_means(read_j, groups) / _group_means(lengths_s, groups)
    off_s = _beside_line(lengths_s, read_j, groups) / powers_w
    is_known = np.isfinite(off_s)
    if not is_known.any():
        raise NotMeasurable(f"no {_LEAST_GROUP} bursts that are seen are of about the same length")
    return lengths_s[is_known], off_s[is_known]


def edge_of(lengths_s: "NDArray[np.float64]", off_s: "NDArray[np.float64]") -> tuple[float, float]:
    """What scatter remains, over the step in power: of a long burst, and the length that halves its square.

    Scatter of a burst of length L is s sqrt(1 - exp(-L / l)): both edges of a short one share samples.

    Args:
        lengths_s: Of bursts.
        off_s: How far each is off, in seconds of its power.

    Returns:
        s and l, in seconds.
    """
    best = None
    for length_s in np.geomspace(0.01, 1.0, 41):
        shape = -np.expm1(-lengths_s / length_s)
        square = float(np.mean(off_s**2 / shape))
        # Log likelihood of normal scatter with this shape.
        loss = float(np.sum(np.log(square * shape) + off_s**2 / (square * shape)))
        if best is None or loss < best[0]:
            best = loss, math.sqrt(square), float(length_s)
    assert best is not None  # noqa: S101  # there are lengths
    return best[1], best[2]


def _beside_line(
    lengths_s: "NDArray[np.float64]", read_j: "NDArray[np.float64]", groups: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Distance from the line of joules over length in each group, as scattered as what it comes from.

    It is not a number in groups that are too small for a line.
    """
    off_j = np.full_like(read_j, np.nan)
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        if len(places) < _LEAST_GROUP:
            continue
        columns = np.column_stack([np.ones(len(places)), lengths_s[places] - np.mean(lengths_s[places])])
        line, *_ = np.linalg.lstsq(columns, read_j[places], rcond=None)
        off_j[places] = (read_j[places] - columns @ line) * math.sqrt(len(places) / (len(places) - 2))
    return off_j


def _seen_s(burst: Burst, response: CounterResponse) -> float:
    stop_phase = burst.start_phase + burst.length_s / response.tick_s
    return burst.length_s + ahead_s(response, stop_phase) - ahead_s(response, burst.start_phase)
