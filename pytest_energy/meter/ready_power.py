"""Ready power of each channel: its device open, nothing at work. Pure.

Rule 1: data from a session's rounds is pooled: the quiet ticks before one round may be 10 W off, a line
    through those of all rounds is not.
Rule 2: the line is robust: a reading far off it (another context was opening, a neighbour) has no say.
Rule 3: where temperatures hardly differ the slope is 0: a line through a point would be made up.
Rule 4: a processor's counter that doesn't tick has no quiet of its own; its power at rest is used. That of
    a GPU never does: an open context adds two thirds to it.

Source:
    H100 boards at 33 to 68 degrees: 0.4 to 0.8 W/K, residuals of 1.2 to 1.8 W
    (docs/results/h100-sessions.md).
    Trimming at three scaled median deviations: Huber and Ronchetti, Robust Statistics, 2nd ed., chapter 7.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median

from pytest_energy.model import Channel, Domain, Reading
from pytest_energy.ready import ReadyPower

IDLE_UNCERTAINTY_SHARE = 0.02
"""Of power at rest that replaces ready power; one reading of some seconds gives no more."""

_LEAST_SPAN_K = 4.0
_LEAST_COUNT = 8
_PASS_COUNT = 5
_OFF_LIMIT = 3.0
_NORMAL_MAD = 1.4826
_LEAST_SCATTER_W = 0.3  # below it a reading is not off, it is rounded

_Point = tuple[float, float]
"""Temperature in degrees Celsius, power in watts."""


def ready_power_of(
    readings: Iterable[Reading], idle_power_w: Mapping[str, float] | None = None
) -> dict[str, ReadyPower]:
    """Ready power by channel, from the quiet before each of *readings*, which are of one session.

    Args:
        readings: Void ones have no say.
        idle_power_w: Power at rest, for channels whose readings hold no quiet power.
    """
    points: dict[str, list[tuple[float | None, float]]] = {}
    names: dict[str, None] = {}
    for reading in readings:
        if reading.void_because is not None:
            continue
        names |= dict.fromkeys(reading.channels)
        for name, power_w in reading.quiet_power_w.items():
            points.setdefault(name, []).append((reading.temperatures_c.get(name), power_w))
    result = {name: _line(points[name]) for name in names if name in points}
    for name, power_w in (idle_power_w or {}).items():
        if name in names and name not in result and Channel.domain_of(name) is not Domain.GPU:
            result[name] = ReadyPower(power_w=power_w, uncertainty_w=IDLE_UNCERTAINTY_SHARE * power_w)
    return result


def _line(points: Sequence[tuple[float | None, float]]) -> ReadyPower:
    placed = [(temperature_c, power_w) for temperature_c, power_w in points if temperature_c is not None]
    if len(placed) < len(points) or not _has_span([temperature_c for temperature_c, _ in placed]):
        return _level(placed, [power_w for _, power_w in points])
    kept = placed
    for _ in range(_PASS_COUNT):
        line = _least_squares(kept)
        offs_w = [power_w - line.at(temperature_c) for temperature_c, power_w in placed]
        limit_w = _OFF_LIMIT * max(_LEAST_SCATTER_W, _NORMAL_MAD * median(map(abs, offs_w)))
        near = [point for point, off_w in zip(placed, offs_w, strict=True) if abs(off_w) <= limit_w]
        if near == kept or not _has_span([temperature_c for temperature_c, _ in near]):
            break
        kept = near
    return _least_squares(kept)


def _has_span(temperatures_c: Sequence[float]) -> bool:
    is_many = len(temperatures_c) >= _LEAST_COUNT
    return is_many and max(temperatures_c) - min(temperatures_c) >= _LEAST_SPAN_K


def _level(placed: Sequence[_Point], powers_w: Sequence[float]) -> ReadyPower:
    """The median power, where no line can be drawn."""
    power_w = median(powers_w)
    scatter_w = _NORMAL_MAD * median(abs(one_w - power_w) for one_w in powers_w)
    has_temperatures = len(placed) == len(powers_w)
    return ReadyPower(
        power_w=power_w,
        temperature_c=fmean(temperature_c for temperature_c, _ in placed) if has_temperatures else None,
        uncertainty_w=max(_LEAST_SCATTER_W, scatter_w) / math.sqrt(len(powers_w)),
    )


def _least_squares(points: Sequence[_Point]) -> ReadyPower:
    middle_c = fmean(temperature_c for temperature_c, _ in points)
    power_w = fmean(one_w for _, one_w in points)
    square_c = math.fsum((temperature_c - middle_c) ** 2 for temperature_c, _ in points)
    slope = math.fsum((temperature_c - middle_c) * one_w for temperature_c, one_w in points) / square_c
    squares_w = math.fsum((one_w - power_w - slope * (place - middle_c)) ** 2 for place, one_w in points)
    variance_w = max(_LEAST_SCATTER_W**2, squares_w / (len(points) - 2))
    return ReadyPower(
        power_w=power_w,
        temperature_c=middle_c,
        slope_w_per_k=slope,
        uncertainty_w=math.sqrt(variance_w / len(points)),
    )
