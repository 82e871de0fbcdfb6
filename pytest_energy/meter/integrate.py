"""Joules of a window from the ticks of one counter. Pure: ticks and edges in, joules and uncertainty out.

A counter that is updated every 100 ms knows nothing of a window's edges. But outside an outermost window the
device is quiet, so between two ticks around the window

    E = C(after) - C(before) - P_head (start - t_before) - P_tail (t_after - stop)

Rule 1: *before* is a tick that is surely before the start; *after* is the second tick past the stop, because
        the first may lack the work's end (measured on an H100).
Rule 2: quiet power comes from whole quiet ticks, before the window and after it.
Rule 3: when a tick happened is known only from reads around it. How far these times are to be believed is
        told by the ticks themselves: where the power is quiet, the counter is a clock.
Rule 4: inside a window the power is not quiet. There the counter is interpolated between its ticks, with the
        uncertainty that the power's own swings give.
Rule 5: what can't be told is `NotMeasurable`, never 0.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

from pytest_energy.errors import NotMeasurable

Tick = tuple[float, float]
"""When an update of the counter was seen, in seconds; and the counter then, in joules."""

# Ticks before the start that are looked at: enough to know the tick's beat (1/sqrt(64) of its jitter) and to
# hold some quiet gaps between earlier rounds; few enough to be written down with each round.
HEAD_TICKS = 64

# Ticks inside the window, beside each edge, that help to know the beat.
INNER_TICKS = 32

# RAPL updates its counters about once a millisecond (Intel SDM vol. 3B, "RAPL interfaces"), so a read at an
# edge is up to this much older than the edge.
_EDGE_AGE_S = 1e-3

# Quiet ticks of H100 and H200 agree within 0.2 % (1 sigma), and drift by 1.5 % after a load. More than this
# is no longer the same quiet.
_SAME_QUIET_SHARE = 0.05

# Right after a load one quiet tick of an H100 was 18 % short: about this much is a passing fit of the
# counter, much more is another power state.
_PASSING_SHARE = 0.2

# A tick's time is known to about 2 % of a tick where nothing better is known: 3 ms of 100 ms, uniform.
_UNKNOWN_TIME_SHARE = 0.02


class How(StrEnum):
    """The way in which joules were found."""

    ALIGNED = "aligned"
    """Between ticks outside the window, less the quiet share."""
    EDGES = "edges"
    """The counter was read at the edges themselves."""
    INTERPOLATED = "interpolated"
    """Between ticks inside the window, or around it without a quiet tick to tell the quiet share from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Integral:
    """Joules between two moments.

    Attributes:
        energy_j: The joules; may be negative where the truth is near 0 and the uncertainty is not.
        uncertainty_j: Their standard uncertainty.
        how: The way in which they were found.
        head_power_w: Quiet power before the window, where there was any.
        tail_power_w: Quiet power after it.
    """

    energy_j: float
    uncertainty_j: float
    how: How
    head_power_w: float | None = None
    tail_power_w: float | None = None


def integrate(ticks: Sequence[Tick], start_s: float, stop_s: float, *, resolution_j: float = 0.0) -> Integral:
    """Joules of one outermost window, quiet around it.

    Args:
        ticks: Ticks of one counter in the order of time, from before the start to after the stop. A counter
            that was read at the edges has its reads at exactly *start_s* and *stop_s*.
        start_s: When the window opened, on the clock of the ticks.
        stop_s: When the window closed, with the work really over.
        resolution_j: Smallest step of the counter.

    Raises:
        NotMeasurable: The ticks don't reach around the window, fall, or aren't finite.

    >>> quiet = [(0.1 * k, 12.0 * k) for k in range(8)]  # 120 W, a tick each 100 ms
    >>> burst = [(t, j + 33.0 * (t > 0.35)) for t, j in quiet]  # 50 ms at 780 W
    >>> round(integrate(burst, 0.32, 0.37).energy_j, 6)
    39.0
    """
    _check(ticks, start_s, stop_s)
    times = [tick[0] for tick in ticks]
    first, last = bisect_left(times, start_s), bisect_left(times, stop_s)
    if last < len(times) and times[first] == start_s and times[last] == stop_s:
        return _between_edges(ticks[first], ticks[last], resolution_j)
    return _Aligned(ticks, start_s, stop_s, resolution_j).integral()


def _check(ticks: Sequence[Tick], start_s: float, stop_s: float) -> None:
    if not (math.isfinite(start_s) and math.isfinite(stop_s) and start_s < stop_s):
        raise NotMeasurable(f"the window goes from {start_s} s to {stop_s} s: the clock went back or stood")
    for (before_s, before_j), (after_s, after_j) in pairwise(ticks):
        if not before_s < after_s:
            raise NotMeasurable(f"a tick at {after_s} s follows one at {before_s} s: the clock went back")
        if not before_j <= after_j:
            raise NotMeasurable(f"the counter fell from {before_j} J to {after_j} J at {after_s} s")
    if not all(math.isfinite(number) for tick in ticks for number in tick):
        raise NotMeasurable("a tick is not finite")
    if not ticks or ticks[0][0] > start_s:
        raise NotMeasurable("the counter has no tick before the window's start")
    if ticks[-1][0] < stop_s:
        raise NotMeasurable("the counter has no tick after the window's stop")


def _between_edges(start: Tick, stop: Tick, resolution_j: float) -> Integral:
    energy_j = stop[1] - start[1]
    power_w = energy_j / (stop[0] - start[0])
    # Each read is 0 to _EDGE_AGE_S old: a uniform error whose root mean square is the age over sqrt(3).
    age_j = power_w * min(_EDGE_AGE_S, stop[0] - start[0]) * math.sqrt(2 / 3)
    return Integral(
        energy_j=energy_j, uncertainty_j=math.hypot(age_j, resolution_j / math.sqrt(6)), how=How.EDGES
    )


class _Beat:
    """The beat of some neighbouring ticks: equidistant times, and how far the seen ones are from it.

    Attributes:
        first: Index of the first of these ticks.
        residual_s: Seen time minus beat, for each.
    """

    def __init__(self, first: int, times: Sequence[float]) -> None:
        self.first = first
        gaps_s = [after - before for before, after in pairwise(times)]
        self.period_s = median(gaps_s) if gaps_s else 0.0
        self._numbers = [0.0]
        for gap_s in gaps_s:
            self._numbers.append(self._numbers[-1] + max(1, round(gap_s / self.period_s)))
        self.residual_s = [0.0] * len(times)
        if len(times) < 4:
            return
        self._fit(times, range(len(times)))
        # A read that was held up (24 ms were seen) must not bend the line: once more without such ticks.
        spread_s = 1.4826 * median(abs(r) for r in self.residual_s)
        kept = [i for i, r in enumerate(self.residual_s) if abs(r) <= 4 * spread_s]
        if len(kept) >= max(4, len(times) // 2):
            self._fit(times, kept)

    def _fit(self, times: Sequence[float], kept: Sequence[int]) -> None:
        numbers = [self._numbers[i] for i in kept]
        self._count = len(kept)
        self._centre = math.fsum(numbers) / self._count
        self._square_sum = math.fsum((n - self._centre) ** 2 for n in numbers)
        origin_s = times[0]
        mean_s = math.fsum(times[i] - origin_s for i in kept) / self._count
        slope_s = (
            math.fsum((n - self._centre) * (times[i] - origin_s) for n, i in zip(numbers, kept, strict=True))
            / self._square_sum
        )
        self.residual_s = [
            time - origin_s - mean_s - slope_s * (number - self._centre)
            for time, number in zip(times, self._numbers, strict=True)
        ]

    @property
    def is_known(self) -> bool:
        return len(self.residual_s) >= 4

    def variance_share(self, weights: dict[int, float]) -> float:
        """Variance of sum(weight x beat) over the variance of one residual, weights by the tick's index."""
        inside = [
            (i - self.first, w) for i, w in weights.items() if 0 <= i - self.first < len(self.residual_s)
        ]
        if not inside or not self.is_known:
            return 0.0
        offset = math.fsum(w for _, w in inside)
        slope = math.fsum(w * (self._numbers[i] - self._centre) for i, w in inside)
        return offset**2 / self._count + slope**2 / self._square_sum


@dataclass(frozen=True, slots=True)
class _Interval:
    """A stretch between two neighbouring ticks, by the first one's index."""

    index: int
    duration_s: float
    energy_j: float


@dataclass(frozen=True, slots=True)
class _Quiet:
    """Quiet power of one side of the window, and how it hangs on the ticks' times."""

    power_w: float
    intervals: tuple[_Interval, ...]
    duration_s: float


class _Aligned:
    """One outermost window between two ticks outside it."""

    def __init__(self, ticks: Sequence[Tick], start_s: float, stop_s: float, resolution_j: float) -> None:
        self.ticks, self.start_s, self.stop_s, self.resolution_j = ticks, start_s, stop_s, resolution_j
        self._seen_s = [tick[0] for tick in ticks]
        head_end = bisect_right(self._seen_s, start_s)
        self._tail_start = bisect_left(self._seen_s, stop_s)
        self._set_beats(head_end)
        self._set_edges(head_end)
        self._set_trust()
        self._set_quiet()

    # Times of ticks

    def _set_beats(self, head_end: int) -> None:
        low = max(0, head_end - HEAD_TICKS)
        inner_start, inner_stop = head_end + INNER_TICKS, self._tail_start - INNER_TICKS
        # A long window has two beats: over so many ticks the two clocks drift apart.
        spans = (
            [(low, len(self._seen_s))]
            if inner_start >= inner_stop
            else [(low, inner_start), (inner_stop, len(self._seen_s))]
        )
        self.beats = [_Beat(first, self._seen_s[first:stop]) for first, stop in spans]
        self.residual_s: dict[int, float] = {
            beat.first + i: r for beat in self.beats for i, r in enumerate(beat.residual_s)
        }
        self.period_s = self.beats[0].period_s
        self.jitter_s = self._jitter_s()

    def _jitter_s(self) -> float:
        """Spread of the seen times around the beat."""
        residuals = [r for beat in self.beats if beat.is_known for r in beat.residual_s]
        degrees = len(residuals) - 2 * sum(beat.is_known for beat in self.beats)
        if degrees < 2:
            return _UNKNOWN_TIME_SHARE * self.period_s
        return math.sqrt(math.fsum(r * r for r in residuals) / degrees)

    def _is_steady(self) -> bool:
        """Whether the ticks keep to the beat, rather than wander away from it.

        Source:
            von Neumann's ratio of successive differences: 2 for independent distances, near 0 for a walk.
        """
        square = math.fsum(r * r for beat in self.beats for r in beat.residual_s)
        steps = math.fsum((b - a) ** 2 for beat in self.beats for a, b in pairwise(beat.residual_s))
        return steps >= square

    def _set_edges(self, head_end: int) -> None:
        # A tick that was seen just before the start may have happened after it and hold some of the work.
        guard_s = max(4 * self.jitter_s, 0.05 * self.period_s)
        before = bisect_right(self._seen_s, self.start_s - guard_s) - 1
        self.before = before if before >= 0 else head_end - 1
        self.after = min(self._tail_start + 1, len(self._seen_s) - 1)
        self._guard_s = guard_s

    def _interval(self, index: int) -> _Interval:
        (before_s, before_j), (after_s, after_j) = self.ticks[index], self.ticks[index + 1]
        return _Interval(index, after_s - before_s, after_j - before_j)

    # Which ticks are quiet

    def _is_quiet(self, interval: _Interval, power_w: float) -> bool:
        slack_s = _SAME_QUIET_SHARE * interval.duration_s + 4 * math.sqrt(2) * self.jitter_s
        return abs(interval.energy_j - power_w * interval.duration_s) <= power_w * slack_s

    def _set_trust(self) -> None:
        """How much of a seen time's distance from the beat is an error of seeing (rule 3).

        Over a quiet interval the counter says how long it really was. So the error of its seen length is
        known, and regressing it on the distance from the beat tells what share of such a distance to take
        back, and what spread stays.
        """
        head = [self._interval(i) for i in range(max(0, self.before - HEAD_TICKS), self.before)]
        tail = [self._interval(i) for i in range(self._tail_start, len(self.ticks) - 1)]
        level_w = None
        if head:
            level_w = head[-1].energy_j / head[-1].duration_s
        elif tail:
            level_w = tail[0].energy_j / tail[0].duration_s
        self.head = [i for i in head if level_w is not None and self._is_quiet(i, level_w)]
        self.tail = tail
        self.is_one_quiet = level_w is not None and all(self._is_quiet(i, level_w) for i in tail)
        quiet = [*self.head, *(tail if self.is_one_quiet else [])]
        self.shrink, self.spread_s = 0.0, self.jitter_s
        if len(quiet) < 3 or level_w is None:
            return
        power_w = math.fsum(i.energy_j for i in quiet) / math.fsum(i.duration_s for i in quiet)
        errors = [i.duration_s - i.energy_j / power_w for i in quiet]
        swings = [self.residual_s.get(i.index + 1, 0.0) - self.residual_s.get(i.index, 0.0) for i in quiet]
        self.shrink, self.spread_s = _trust(errors, swings if self._is_steady() else [0.0] * len(swings))

    def time_s(self, index: int) -> float:
        """The best time of the tick *index*."""
        return self._seen_s[index] - self.shrink * self.residual_s.get(index, 0.0)

    # Quiet power

    def _set_quiet(self) -> None:
        """Quiet power of the head and the tail; `None` where no whole tick is quiet."""
        self.quiet: tuple[_Quiet, _Quiet] | None = None
        self.level_difference_w = 0.0
        head, tail = self._quiet(self.head), self._quiet(self.tail)
        if head is None or tail is None or self.is_one_quiet:
            both = self._quiet([*self.head, *self.tail])
            if both is not None:
                self.quiet = both, both
            if head is not None and tail is not None:
                self.level_difference_w = tail.power_w - head.power_w
            return
        difference_w = tail.power_w - head.power_w
        weight = difference_w**2 / (difference_w**2 + (_PASSING_SHARE * head.power_w) ** 2)
        tail = _Quiet(head.power_w + weight * difference_w, tail.intervals, tail.duration_s)
        self.quiet = head, tail
        self.level_difference_w = 2 * math.sqrt(weight * (1 - weight)) * difference_w

    def _quiet(self, intervals: Sequence[_Interval]) -> _Quiet | None:
        duration_s = math.fsum(self.time_s(i.index + 1) - self.time_s(i.index) for i in intervals)
        if not intervals or duration_s <= 0:
            return None
        return _Quiet(math.fsum(i.energy_j for i in intervals) / duration_s, tuple(intervals), duration_s)

    # The result

    @property
    def head_s(self) -> float:
        """Quiet time between the tick before the start and the start."""
        return max(0.0, self.start_s - self.time_s(self.before))

    @property
    def tail_s(self) -> float:
        """Quiet time between the stop and the tick after it."""
        return max(0.0, self.time_s(self.after) - self.stop_s)

    @property
    def head_j(self) -> float:
        """Joules between the tick before the start and the start."""
        if self.quiet is not None:
            return self.quiet[0].power_w * self.head_s
        duration_s = self.head_s + self.stop_s - self.start_s + self.tail_s
        return self._span_j * self.head_s / duration_s

    @property
    def _span_j(self) -> float:
        return self.ticks[self.after][1] - self.ticks[self.before][1]

    def integral(self) -> Integral:
        if self.quiet is None:
            return self._without_quiet()
        head, tail = self.quiet
        head_w, tail_w, span_j = head.power_w, tail.power_w, self._span_j
        energy_j = span_j - head_w * self.head_s - tail_w * self.tail_s
        variance = self._time_variance(head, tail) + self._quiet_variance(head, tail)
        variance += self.resolution_j**2 / 6 + (1e-9 * span_j) ** 2
        return Integral(
            energy_j=energy_j,
            uncertainty_j=math.sqrt(variance),
            how=How.ALIGNED,
            head_power_w=head_w,
            tail_power_w=tail_w,
        )

    def _time_variance(self, head: "_Quiet", tail: "_Quiet") -> float:
        """What the ticks' times leave open, each weighted by its share in the result."""
        weights: dict[int, float] = {}
        _add(weights, self.before, head.power_w)
        _add(weights, self.after, -tail.power_w)
        for quiet, quiet_s in ((head, self.head_s), (tail, self.tail_s)):
            rate = quiet.power_w * quiet_s / quiet.duration_s
            for interval in quiet.intervals:
                _add(weights, interval.index + 1, rate)
                _add(weights, interval.index, -rate)
        own = self.spread_s**2 * math.fsum(w * w for w in weights.values())
        beat = math.fsum(beat.variance_share(weights) for beat in self.beats)
        return own + beat * (self.shrink * self.jitter_s) ** 2

    def _quiet_variance(self, head: "_Quiet", tail: "_Quiet") -> float:
        """What quiet power that isn't quite constant leaves open."""
        intervals = {i.index: i for i in (*head.intervals, *tail.intervals)}
        count, duration_s = len(intervals), math.fsum(i.duration_s for i in intervals.values())
        wander = 0.0
        if count >= 3 and head is tail:
            errors = [
                i.energy_j - head.power_w * (self.time_s(i.index + 1) - self.time_s(i.index))
                for i in intervals.values()
            ]
            seen = math.fsum(e * e for e in errors) / (count - 1)
            wander = max(0.0, seen - 2 * (self.spread_s * head.power_w) ** 2) * count / duration_s
        quiet_s = self.head_s + self.tail_s
        difference = self.level_difference_w**2
        if head is tail:  # what the times alone would make of it is counted already
            expected = 2 * (self.spread_s * head.power_w) ** 2 * (1 / self.period_s**2) * 2
            difference = max(0.0, difference - 4 * expected)
        return wander * (quiet_s + quiet_s**2 / duration_s) + difference * (quiet_s / 2) ** 2

    def _without_quiet(self) -> Integral:
        """No whole quiet tick: the power outside is anything from 0 to the mean."""
        duration_s, outside_s = self.stop_s - self.start_s, self.head_s + self.tail_s
        power_w = self._span_j / (duration_s + outside_s)
        # Evenly spread power, with the spread of a uniform share between none and all of it.
        uncertainty_j = power_w * outside_s / math.sqrt(3)
        return Integral(
            energy_j=power_w * duration_s,
            uncertainty_j=math.hypot(uncertainty_j, power_w * self.jitter_s, self.resolution_j),
            how=How.INTERPOLATED,
        )


def _add(weights: dict[int, float], index: int, weight: float) -> None:
    weights[index] = weights.get(index, 0.0) + weight


def _trust(errors: Sequence[float], swings: Sequence[float]) -> tuple[float, float]:
    """Share of a distance from the beat to take back, and the spread that a time then has.

    Args:
        errors: Seen minus real length of quiet intervals, in seconds.
        swings: Difference of the distances from the beat at each interval's ends.
    """
    cross = math.fsum(e * s for e, s in zip(errors, swings, strict=True))
    square = math.fsum(s * s for s in swings)
    share = cross / square if square > 0 else 0.0
    left = math.fsum((e - share * s) ** 2 for e, s in zip(errors, swings, strict=True))
    degrees = max(1, len(errors) - 2)
    variance = left / degrees  # of an interval: twice that of a tick
    if square > 0 and variance > 0:
        # The prior, a half with a spread of a half, counts where few ticks say little.
        share = (cross / variance + 0.5 / 0.25) / (square / variance + 1 / 0.25)
        left = math.fsum((e - share * s) ** 2 for e, s in zip(errors, swings, strict=True))
        variance = left / degrees
    # Few ticks know their own spread badly: Student's t has this much more variance than the normal.
    return min(1.0, max(0.0, share)), math.sqrt(variance * (1 + 3 / degrees) / 2)


class Cumulative:
    """Joules since the start of an outermost window, at any moment inside it.

    The power there isn't quiet, so the counter is interpolated between the ticks inside the window and the
    window's own edges: stretches that adjoin add up to the window exactly. The uncertainty is that of a
    random walk pinned at both ticks, with the step that neighbouring ticks show: at most about a tick times
    the power's swing.

    Args:
        ticks: As for `integrate`; every tick inside the window makes it more certain.
        start_s: When the window opened.
        stop_s: When the window closed.
        resolution_j: Smallest step of the counter.

    Raises:
        NotMeasurable: As for `integrate`.
    """

    def __init__(
        self, ticks: Sequence[Tick], start_s: float, stop_s: float, *, resolution_j: float = 0.0
    ) -> None:
        _check(ticks, start_s, stop_s)
        self._window = window = _Aligned(ticks, start_s, stop_s, resolution_j)
        self._whole = whole = window.integral()
        offset_j = window.ticks[window.before][1] + window.head_j
        margin_s = min(window.jitter_s, 0.25 * window.period_s)
        self._times, self._joules = [start_s], [0.0]
        for time_s, joules in ticks[window.before : window.after]:
            if start_s + margin_s < time_s < stop_s - margin_s:
                self._times.append(time_s)
                self._joules.append(min(max(joules - offset_j, self._joules[-1]), max(0.0, whole.energy_j)))
        self._times.append(stop_s)
        self._joules.append(max(whole.energy_j, 0.0))
        self._lengths = [after - before for before, after in pairwise(self._times)]
        self._powers = [
            (after - before) / length
            for (before, after), length in zip(pairwise(self._joules), self._lengths, strict=True)
        ]

    def between(self, start_s: float, stop_s: float) -> Integral:
        """Joules from *start_s* to *stop_s*.

        Raises:
            NotMeasurable: The stretch leaves the window.
        """
        if not self._times[0] <= start_s <= stop_s <= self._times[-1]:
            raise NotMeasurable(
                f"the stretch from {start_s} s to {stop_s} s leaves its window, "
                f"{self._times[0]} s to {self._times[-1]} s"
            )
        if (start_s, stop_s) == (self._times[0], self._times[-1]):
            return self._whole
        variance = self._open_between(start_s, stop_s)
        variance += self._seen_variance(start_s) + self._seen_variance(stop_s)
        share = (stop_s - start_s) / (self._times[-1] - self._times[0])
        variance += share * self._whole.uncertainty_j**2
        return Integral(
            energy_j=self._joules_at(stop_s) - self._joules_at(start_s),
            uncertainty_j=math.sqrt(variance),
            how=How.INTERPOLATED,
        )

    def _place(self, time_s: float) -> tuple[int, float]:
        """Interval that holds *time_s*, and the share of it that has gone by then."""
        index = min(max(0, bisect_right(self._times, time_s) - 1), len(self._lengths) - 1)
        return index, (time_s - self._times[index]) / self._lengths[index]

    def _joules_at(self, time_s: float) -> float:
        index, share = self._place(time_s)
        return self._joules[index] + share * (self._joules[index + 1] - self._joules[index])

    def _open_between(self, start_s: float, stop_s: float) -> float:
        (first, start_share), (last, stop_share) = self._place(start_s), self._place(stop_s)
        if first == last:
            share = stop_share - start_share
            return self._walk(first) * self._lengths[first] * share * (1 - share)
        return math.fsum(
            self._walk(index) * self._lengths[index] * share * (1 - share)
            for index, share in ((first, start_share), (last, stop_share))
        )

    def _walk(self, index: int) -> float:
        """Variance that the joules gain a second, in J^2/s, from the power of the ticks around *index*."""
        low, high = max(0, index - 2), min(len(self._powers), index + 3)
        steps = [
            (self._powers[i + 1] - self._powers[i]) ** 2 / (1 / self._lengths[i] + 1 / self._lengths[i + 1])
            for i in range(low, high - 1)
        ]
        # Where few ticks tell, the power may have swung from quiet to as far above its mean.
        quiet = self._window.quiet
        mean_w = self._joules[-1] / (self._times[-1] - self._times[0])
        swing_w = max(0.0, mean_w - (0.0 if quiet is None else quiet[0].power_w))
        prior = swing_w**2 / 12 * self._lengths[index]
        return (math.fsum(steps) + prior) / (len(steps) + 1)

    def _seen_variance(self, time_s: float) -> float:
        """What the ticks' times leave open at an edge: the power there times the time's spread."""
        index, share = self._place(time_s)
        if time_s in (self._times[0], self._times[-1]):
            return 0.0
        window = self._window
        spread_s = max(window.jitter_s, window.spread_s)
        return (self._powers[index] * spread_s) ** 2 * (share**2 + (1 - share) ** 2)
