"""Times of the ticks around a window, estimated better than each single one. Pure.

When a tick happened is known only to be between two reads. Where the ticks keep to a beat, the beat says
more: each seen time is beat + the tick's own jitter + an error of seeing. The jitter's variance is what the
distances from the beat have more than the errors of seeing would give; each time is taken back to the beat as
far as its own uncertainty is larger than the beat's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from pytest_energy.model import Tick

HEAD_TICKS = 64
"""Ticks before the start that are looked at: enough to know the beat (to 1/sqrt(64) of a seen time's spread)
and to hold some quiet gaps between earlier rounds; few enough to be written down with each round."""

INNER_TICKS = 32
"""Ticks inside the window, beside each edge, that help to know the beat."""

# Fewer ticks make no beat: two are the line, two more say how well they keep to it.
_BEAT_TICKS = 4

# A tick's time is known to about 2 % of a tick where nobody tells: 3 ms of 100 ms, uniform.
_UNKNOWN_TIME_SHARE = 0.02

# No time is known better than a clock is read; it also keeps weights finite.
_LEAST_SPREAD_S = 1e-9

# A time that is known to a tenth of a beat miscounts one in 2000 (3.5 sigma of the difference of two).
_COUNT_SHARE = 0.1

# Standard deviations off the beat that chance doesn't reach, within the 64 ticks or so that are looked at.
_WILD = 3.5

# More such ticks than this share, and there is no beat.
_WILD_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class _NumberedTick:
    """A seen time, and the beats up to it; 0 and not counted where the time isn't known well enough."""

    time_s: float
    variance: float
    number: float
    is_counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beat:
    """A weighted line through the times of numbered ticks, and the sums that its own variance takes."""

    origin_s: float
    mean_s: float
    centre: float
    period_s: float
    weight: float
    square: float

    def distance_s(self, tick: _NumberedTick) -> float:
        return tick.time_s - self.origin_s - self.mean_s - self.period_s * (tick.number - self.centre)


@dataclass(frozen=True, slots=True)
class BestTime:
    """When a tick happened.

    Attributes:
        spread_s: Uncertainty that no other tick shares.
        number: Beats up to it.
        shrink: How far it was taken back to the beat, from 0 to 1.
    """

    time_s: float
    spread_s: float
    number: float = 0.0
    shrink: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TickTimes:
    """Times of neighbouring ticks, the first of which has the index *first*, and the beat they keep to."""

    first: int
    ticks: tuple[BestTime, ...]
    beat: _Beat | None = None

    def variance(self, weights: Mapping[int, float]) -> float:
        """Variance of the sum of weight x time over these ticks."""
        places = [(index - self.first, weight) for index, weight in weights.items()]
        inside = [(self.ticks[place], w) for place, w in places if 0 <= place < len(self.ticks)]
        own = math.fsum((w * tick.spread_s) ** 2 for tick, w in inside)
        if self.beat is None or not any(tick.shrink for tick in self.ticks):
            return own
        offset = math.fsum(w * tick.shrink for tick, w in inside)
        slope = math.fsum(w * tick.shrink * (tick.number - self.beat.centre) for tick, w in inside)
        return own + offset**2 / self.beat.weight + slope**2 / self.beat.square


def fit_tick_times(first: int, times_s: Sequence[float], spreads_s: Sequence[float] = ()) -> TickTimes:
    """Times of ticks, taken back to their beat as far as they keep to one.

    Without *spreads_s*, the uncertainty of each, the times stay as they are, and how badly they keep to a
    beat is the uncertainty of all. *first* is the index of the first of these ticks.
    """
    gaps_s = [after - before for before, after in pairwise(times_s)]
    period_s = median(gaps_s) if gaps_s else 0.0
    known_s = tuple(spreads_s) or (_UNKNOWN_TIME_SHARE * period_s,) * len(times_s)
    as_seen = TickTimes(first=first, ticks=tuple(map(BestTime, times_s, known_s)))
    ticks = _numbered(times_s, known_s, gaps_s)
    if sum(tick.is_counted for tick in ticks) < _BEAT_TICKS:
        return as_seen
    if spreads_s:
        return _kept_to_beat(first, ticks) or as_seen
    beat = _fit(ticks, [1.0] * len(ticks))
    strays_s = [b - a for a, b in pairwise(map(beat.distance_s, ticks))]
    # Standard deviation as the median tells it, so that some wild ones don't matter.
    usual_s = 1.4826 * median(map(abs, strays_s)) / math.sqrt(2)
    return TickTimes(first=first, ticks=tuple(BestTime(time_s, usual_s) for time_s in times_s))


def _numbered(
    times_s: Sequence[float], spreads_s: Sequence[float], gaps_s: Sequence[float]
) -> list[_NumberedTick]:
    """Count the beats up to each tick, as far as the times are known well enough to count."""
    # Some ticks were passed over, so a gap may be many beats; the short ones are single beats.
    shortest_s = sorted(gaps_s)[len(gaps_s) // 10] if gaps_s else 0.0
    beat_s = median([gap_s for gap_s in gaps_s if gap_s <= 1.5 * shortest_s] or [0.0])
    ticks: list[_NumberedTick] = []
    last: _NumberedTick | None = None
    for time_s, spread_s in zip(times_s, spreads_s, strict=True):
        is_counted = spread_s <= _COUNT_SHARE * beat_s and bool(gaps_s)
        number = 0.0
        if is_counted and last is not None:
            number = last.number + max(1, round((time_s - last.time_s) / beat_s))
        ticks.append(_NumberedTick(time_s, max(spread_s, _LEAST_SPREAD_S) ** 2, number, is_counted))
        last = ticks[-1] if is_counted else last
    return ticks


def _kept_to_beat(first: int, ticks: Sequence[_NumberedTick]) -> TickTimes | None:
    """The ticks' times, each with its share of the beat; `None` if there is no beat."""
    beat, jitter = _fit_with_jitter(ticks)
    best: list[BestTime] = []
    kept_count = 0
    for index, tick in enumerate(ticks):
        distance_s = beat.distance_s(tick)
        if tick.is_counted and distance_s * distance_s <= _WILD**2 * (tick.variance + jitter):
            kept_count += 1
            shrink = tick.variance / (tick.variance + jitter)
            spread_s = math.sqrt(jitter * shrink)
        elif any(_are_together(beat, tick, other) for other in ticks[max(0, index - 1) : index + 2]):
            shrink, spread_s = 0.0, math.sqrt(tick.variance)  # the beat has moved: work may do that
        else:
            # The beat contradicts it: it may err by its distance from the beat.
            off_s = abs(distance_s) % beat.period_s
            shrink, spread_s = 0.0, max(math.sqrt(tick.variance), min(off_s, beat.period_s - off_s))
        best.append(BestTime(tick.time_s - shrink * distance_s, spread_s, tick.number, shrink))
    if kept_count < (1 - _WILD_SHARE) * sum(tick.is_counted for tick in ticks):
        return None  # the beats were miscounted, or there is none
    return TickTimes(first=first, ticks=tuple(best), beat=beat)


def _are_together(beat: _Beat, tick: _NumberedTick, other: _NumberedTick) -> bool:
    """Whether two ticks are as far off the beat, both known well enough to be counted."""
    if tick is other or not (tick.is_counted and other.is_counted):
        return False
    apart_s = abs(beat.distance_s(tick) - beat.distance_s(other)) % beat.period_s
    apart_s = min(apart_s, beat.period_s - apart_s)
    return apart_s * apart_s <= _WILD**2 * (tick.variance + other.variance)


def _fit_with_jitter(ticks: Sequence[_NumberedTick]) -> tuple[_Beat, float]:
    """The beat, and the variance of the ticks' own jitter around it."""
    jitter = 0.0
    # Jitter and fit hang on one another; from no jitter on they settle in a few turns.
    for _ in range(4):
        beat = _fit(ticks, [1.0 / (t.variance + jitter) if t.is_counted else 0.0 for t in ticks])
        jitter = _excess([(beat.distance_s(tick), tick.variance) for tick in ticks if tick.is_counted])
    return beat, jitter


def _fit(ticks: Sequence[_NumberedTick], weights: Sequence[float]) -> _Beat:
    origin_s, weight = ticks[0].time_s, math.fsum(weights)
    centre = math.fsum(w * tick.number for tick, w in zip(ticks, weights, strict=True)) / weight
    parts = [(w, t.number - centre, t.time_s - origin_s) for t, w in zip(ticks, weights, strict=True)]
    square = math.fsum(w * offset * offset for w, offset, _ in parts)
    return _Beat(
        origin_s=origin_s,
        mean_s=math.fsum(w * length_s for w, _, length_s in parts) / weight,
        centre=centre,
        period_s=math.fsum(w * offset * length_s for w, offset, length_s in parts) / square,
        weight=weight,
        square=square,
    )


def _excess(counted: Sequence[tuple[float, float]]) -> float:
    """Variance that distances have over that of seeing them, pairs of the two; 0 if chance could make it."""
    ratios = [d * d / variance for d, variance in counted]
    # Chance: the mean of n squared standard distances is 1 +- sqrt(2/n); 2 are lost to the line.
    count = len(ratios)
    if math.fsum(ratios) / (count - 2) <= 1 + 1.5 * math.sqrt(2 / count):
        return 0.0
    spread = math.fsum(d * d for d, _ in counted) / (count - 2)
    return max(0.0, spread - fmean(variance for _, variance in counted))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedTicks:
    """The ticks around a window with their best times.

    Attributes:
        head_stop: Index of the first tick after the start.
        tail_start: Index of the first tick at or after the stop.
        spans: Times of those that matter; a long window has two beats, as over so many ticks the two clocks
            drift apart.
        is_sure: The uncertainty of each seen time is known.
    """

    ticks: Sequence[Tick]
    head_stop: int
    tail_start: int
    spans: tuple[TickTimes, ...]
    is_sure: bool

    def best(self, index: int) -> BestTime:
        """When the tick *index* happened."""
        span = self._span(index)
        return span.ticks[index - span.first]

    def period_s(self, index: int) -> float | None:
        """The beat around the tick *index*, or `None` if the ticks keep to none."""
        beat = self._span(index).beat
        return None if beat is None else beat.period_s

    def _span(self, index: int) -> TickTimes:
        return next(span for span in reversed(self.spans) if span.first <= index)

    def variance(self, weights: Mapping[int, float]) -> float:
        """Variance of the sum of weight x time."""
        return math.fsum(span.variance(weights) for span in self.spans)


def timed(ticks: Sequence[Tick], head_stop: int, tail_start: int) -> TimedTicks:
    """Find the best times of the ticks around a window; see `TimedTicks`."""
    times_s = [tick.time_s for tick in ticks]
    spreads_s = [tick.spread_s for tick in ticks if tick.spread_s is not None]
    is_sure = len(spreads_s) == len(ticks)
    low, end = max(0, head_stop - HEAD_TICKS), len(ticks)
    inner_start, inner_stop = head_stop + INNER_TICKS, tail_start - INNER_TICKS
    places = [(low, end)] if inner_start >= inner_stop else [(low, inner_start), (inner_stop, end)]
    spans = tuple(
        fit_tick_times(first, times_s[first:stop], spreads_s[first:stop] if is_sure else ())
        for first, stop in places
    )
    return TimedTicks(ticks=ticks, head_stop=head_stop, tail_start=tail_start, spans=spans, is_sure=is_sure)
