"""Joules of a window from the ticks of one counter. Pure: ticks and edges in, joules and uncertainty out.

A counter that is updated every 100 ms knows nothing of a window's edges. But outside an outermost window the
device is quiet, so between two ticks around the window

    E = C(after) - C(before) - P (start - t_before) - P (t_after - stop)

Rule 1: *before* is a tick that is surely before the start; *after* is the first tick by which the counter
        has settled: before that it may lack the work's end (measured on an H100). Where nothing is known
        of the counter it is the second tick past the stop.
Rule 2: quiet power P comes from whole quiet ticks, before the window and after the counter has settled.
Rule 3: when a tick happened is known only to be between two reads; `tick_times` makes the best of that.
Rule 4: the uncertainty is that of the ticks' times, each with its weight in the result, and that of quiet
        power that isn't constant. Nothing is added to be on the safe side.
Rule 5: what the counter is known to count too much or too little of the window is taken out (`response`);
        what is left open of that is in the uncertainty.
Rule 6: where nobody knows whether joules came late or power fell late, half of them count, and the
        uncertainty reaches both; where that is more than a percent of the window, it is not measurable.
Rule 7: an unknown value is `NotMeasurable`, never 0.
"""

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from statistics import median

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.counter_step import step_j as found_step_j
from pytest_energy.meter.quiet_power import Interval, QuietPower, Span, quiet_intervals, quiet_power
from pytest_energy.meter.response import Gain, edge_uncertainty_s, gain
from pytest_energy.meter.settling import late_j
from pytest_energy.meter.tick_check import check_ticks
from pytest_energy.meter.tick_times import TimedTicks, timed
from pytest_energy.meter.unevenness import Moment, edges_off_j, scatter_j, unevenness
from pytest_energy.model import CounterResponse, Tick
from pytest_energy.model.values import UNKNOWN_RESPONSE
from pytest_energy.sensors.protocol import COUNTER_AGE_S
from pytest_energy.units import to_text

_ROOT_TWO_THIRDS, _ROOT_SIX = math.sqrt(2 / 3), math.sqrt(6)

# Quiet ticks before the start that are compared for the one whose time is known best.
_CANDIDATE_TICKS = 3

# A window may be wrong by so much of its joules for want of knowing whether they came late.
_MOST_LATE_SHARE = 0.01

# Standard error of a period over that of one tick, from twenty in a row: sqrt(12) / 20^1.5.
_BEAT_ERROR = 0.04

# Ticks known worse than this share of their period come from reads that are too slow for the counter. Which
# of them are used then depends on when they were read, and joules err to one side: of simulated windows with
# calls of 50 ms, or of 6 to 12 ms for eight GPUs, by about the quiet joules of that time.
_VAGUE_SHARE = 0.08

# Ticks before the start that show how well ticks are usually seen.
_USUAL_TICKS = 16

# What a counter of unknown response is off by at the edges of even work is shown by a whole tick inside. So
# much is left of what it may be off by, as power need not be even there.
_SHOWN_EDGE_SHARE = 0.6

# Windows of so many ticks have a whole one inside, wherever they begin; and in shorter ones than this a
# counter that lags has not come to the work's power.
_WHOLE_TICKS, _SHOWN_S = 2.0, 0.1

# Of two powers; past it one of them is none, and a square is past all numbers.
_LARGEST_RATIO = 1e100


class How(StrEnum):
    """The method by which joules were found."""

    ALIGNED = "aligned"
    """Between ticks outside the window, less the quiet share."""
    EDGES = "edges"
    """The counter was read at the edges themselves."""
    INTERPOLATED = "interpolated"
    """Between ticks inside the window, or around it without a quiet tick for the quiet share."""


@dataclass(slots=True, kw_only=True)  # frozen, it would take three times as long to make
class Integral:
    """Joules between two moments, and quiet power beside them where there was any.

    Attributes:
        energy_j: May be negative where the truth is near 0 and the uncertainty is not.
        edge_powers_w: At the two moments, as well as known: what they cost if they are off. Where nothing
            is known of them one has the mean power and the other none, which is the worst.
        one_sided_j: What they may be off always to one side, as ticks were seen too badly; 0 if they weren't.
    """

    energy_j: float
    uncertainty_j: float
    how: How
    head_power_w: float | None = None
    tail_power_w: float | None = None
    edge_powers_w: tuple[float, float] = (0.0, 0.0)
    one_sided_j: float = 0.0


def integrate(
    ticks: Sequence[Tick],
    start_s: float,
    stop_s: float,
    *,
    quiet_s: Sequence[Span] = (),
    worked_until_s: float | None = None,
    resolution_j: float = 0.0,
    response: CounterResponse = UNKNOWN_RESPONSE,
) -> Integral:
    """Joules of one outermost window, quiet around it.

    Args:
        ticks: Ticks of one counter in the order of time, from before the start to after the stop. A counter
            that was read at the edges has what it showed at exactly *start_s* and *stop_s*. Where the
            uncertainty of a tick's time isn't known, the times are taken as they are, and how badly they
            keep to a beat is the uncertainty of all.
        start_s: When the window opened, on the clock of the ticks.
        stop_s: When the window closed, with the work really over.
        quiet_s: Stretches before the window that are known to be quiet. Without them the ticks right before
            the window count as quiet as far back as their power stays the same.
        worked_until_s: When earlier work ended, if that is known.
        resolution_j: Smallest step of the counter.
        response: How the counter responds to power.

    Raises:
        NotMeasurable: The ticks don't reach around the window, fall, or aren't finite; none was seen between
            earlier work and the window; or the counter sees too little of so short a window.

    >>> times_s = [0.1 * number for number in range(8)]  # a tick each 100 ms
    >>> ticks = [Tick(time_s, 120 * time_s + 33 * (time_s > 0.35)) for time_s in times_s]
    >>> round(integrate(ticks, 0.32, 0.37).energy_j, 6)
    39.0
    """
    check_ticks(ticks, start_s, stop_s)
    edges = _reads_at(ticks, start_s, stop_s)
    if edges is not None:
        return _between_edges(*edges, resolution_j)
    return align(
        ticks,
        start_s,
        stop_s,
        quiet_s=quiet_s,
        worked_until_s=worked_until_s,
        resolution_j=resolution_j,
        response=response,
    ).integral()


def _reads_at(ticks: Sequence[Tick], start_s: float, stop_s: float) -> tuple[Tick, Tick] | None:
    """The ticks at exactly these moments, if there are both."""
    first, last = (
        ticks[bisect_left(ticks, time_s, key=lambda tick: tick.time_s)] for time_s in (start_s, stop_s)
    )
    return (first, last) if (first.time_s, last.time_s) == (start_s, stop_s) else None


def _between_edges(start: Tick, stop: Tick, resolution_j: float) -> Integral:
    spread_s = math.hypot(start.spread_s or 0.0, stop.spread_s or 0.0)
    duration_s = stop.time_s - start.time_s
    off_s = edges_off_s(duration_s, spread_s)
    return edge_integral(stop.joules - start.joules, duration_s, off_s, resolution_j)


def edges_off_s(duration_s: float, spread_s: float) -> float:
    """How far off both edges are, where counters were read *spread_s* off them."""
    # Each read is 0 to COUNTER_AGE_S old: a uniform error whose root mean square is the age over sqrt(3).
    return math.hypot(min(COUNTER_AGE_S, duration_s) * _ROOT_TWO_THIRDS, spread_s)


def edge_integral(energy_j: float, duration_s: float, off_s: float, resolution_j: float) -> Integral:
    """Joules by what a counter showed at exactly the edges; *off_s* is how far off these are."""
    power_w = energy_j / duration_s
    uncertainty_j = math.hypot(power_w * off_s, resolution_j / _ROOT_SIX)
    return Integral(
        energy_j=energy_j, uncertainty_j=uncertainty_j, how=How.EDGES, edge_powers_w=(0.0, power_w)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Aligned:
    """One outermost window between two ticks outside it.

    Attributes:
        before: Index of the tick before the start that is counted from.
        after: Index of the tick after the stop that is counted to.
        prompt: Index of the tick after the stop that would be counted to if no joules came late; `None` if
            that is known.
        head_s: Quiet time between the tick before the start and the start.
        tail_s: Quiet time between the stop and the tick after it.
        span_j: Joules between these ticks.
        quiet: Quiet power of both sides, or `None` if no whole tick is quiet.
        step_j: The step in which the counter counts, if its ticks show one.
    """

    ticks: TimedTicks
    start_s: float
    stop_s: float
    before: int
    after: int
    prompt: int | None
    head_s: float
    tail_s: float
    span_j: float
    quiet: QuietPower | None
    resolution_j: float
    step_j: float
    response: CounterResponse

    @property
    def head_j(self) -> float:
        """Joules between the tick before the start and the start."""
        if self.quiet is not None:
            return self.quiet.head.power_w * self.head_s
        duration_s = self.head_s + self.stop_s - self.start_s + self.tail_s
        return self.span_j * self.head_s / duration_s

    def integral(self) -> Integral:
        self._check_length()
        if self.quiet is None:
            return self._without_quiet()
        head_w, tail_w, span_j = self.quiet.head.power_w, self.quiet.tail.power_w, self.span_j
        variance = self._tick_variance(self.quiet) + self.quiet.variance(self.head_s + self.tail_s)
        variance += (1e-9 * span_j) ** 2  # rounding
        quiet_w, duration_s = (head_w + tail_w) / 2, self.stop_s - self.start_s
        quiet_j = quiet_w * duration_s
        variance += (self._beat_error_share() * quiet_w * (self.head_s + self.tail_s)) ** 2
        parts = self._parts(self.quiet)
        response = self.response
        if self.prompt is not None and self._has_whole_tick(parts):
            step_j = max(self.step_j, self.resolution_j)
            variance += scatter_j(parts, step_j) ** 2 + edges_off_j(parts, step_j) ** 2
            response = replace(response, edge_s=_SHOWN_EDGE_SHARE * response.edge_s)
        gain = self._gain(response, self._unevenness(parts, quiet_w, response.edge_s))
        share = gain.share
        excess_j = (span_j - head_w * self.head_s - tail_w * self.tail_s - quiet_j) / share
        gain_j = excess_j * gain.uncertainty / share
        open_j = self._late_j(min(head_w, tail_w), excess_j / duration_s) / share
        self._check_late(open_j, quiet_j + excess_j)
        return Integral(
            energy_j=quiet_j + excess_j - open_j / 2,
            uncertainty_j=math.hypot(math.sqrt(variance) / share, gain_j, open_j / 2),
            how=How.ALIGNED,
            head_power_w=head_w,
            tail_power_w=tail_w,
            edge_powers_w=(head_w, head_w + self.quiet.step_w),
            one_sided_j=self._one_sided_j(self.quiet),
        )

    def _beat_error_share(self) -> float:
        """How well the beat itself is known, where ticks are where it says."""
        tick_s, spread_s = self.ticks.period_s(self.before), self.ticks.ticks[self.before].spread_s
        return _BEAT_ERROR * spread_s / tick_s if tick_s and spread_s else 0.0

    def _check_length(self) -> None:
        duration_s, shortest_s = self.stop_s - self.start_s, self.response.shortest_s
        if duration_s < shortest_s:
            advice = "" if self.prompt is None else ", or measure it with `pytest-energy doctor --calibrate`"
            raise NotMeasurable(
                f"the window lasts {to_text(duration_s, 's')}, and how this counter responds to work of "
                f"less than {to_text(shortest_s, 's')} is not known: do more work per round{advice}"
            )

    def _late_j(self, quiet_w: float, step_w: float) -> float:
        """Joules above quiet that came late, or were used after the stop."""
        if self.prompt is None:
            return 0.0
        late = self.ticks.ticks[self.prompt : self.after + 1]
        return late_j(late, self.stop_s, quiet_w=quiet_w, step_w=step_w)

    def _check_late(self, open_j: float, energy_j: float) -> None:
        if open_j > 0 and open_j / 2 > _MOST_LATE_SHARE * energy_j:
            late_s = self.ticks.ticks[self.after].time_s - self.stop_s
            raise NotMeasurable(
                f"the counter showed up to {to_text(open_j, 'J')} above quiet after the window, for "
                f"{to_text(late_s, 's')}, and how it responds is not known: these joules may be the "
                f"window's, of {to_text(energy_j, 'J')}, or not: do more work per round, or measure the "
                "response with `pytest-energy doctor --calibrate`"
            )

    def _one_sided_j(self, quiet: QuietPower) -> float:
        """What windows err to one side if their ticks were seen too badly.

        One whose own ticks were seen well by luck is no better than the others: it is one of the few.
        """
        first = max(self.ticks.spans[0].first, self.ticks.head_stop - _USUAL_TICKS)
        usual_s = median(self.ticks.best(index).spread_s for index in range(first, self.ticks.head_stop))
        before_s, after_s = (
            max(usual_s, self.ticks.best(index).spread_s) for index in (self.before, self.after)
        )
        tick_s = self.ticks.ticks[-1].time_s - self.ticks.ticks[-2].time_s
        if max(before_s, after_s) <= _VAGUE_SHARE * tick_s:
            return 0.0
        return math.hypot(quiet.head.power_w * before_s, quiet.tail.power_w * after_s)

    def _has_whole_tick(self, parts: Sequence[Sequence[Moment]]) -> bool:
        """Whether power inside is known beside both edges, as it is in each window of this length."""
        tick_s = self.ticks.period_s(self.before) or 0.0
        is_long = self.stop_s - self.start_s >= max(_WHOLE_TICKS * tick_s, _SHOWN_S)
        return is_long and min(len(parts[0]), len(parts[-1])) >= 3

    def _parts(self, quiet: QuietPower) -> list[list[Moment]]:
        """The start, the ticks inside the window, and the stop; in two parts if ticks between are missing."""
        start = Moment(self.start_s, self.ticks.ticks[self.before].joules + quiet.head.power_w * self.head_s)
        stop = Moment(self.stop_s, self.ticks.ticks[self.after].joules - quiet.tail.power_w * self.tail_s)
        inside = [
            [
                Moment(tick.time_s, tick.joules, tick.spread_s or 0.0)
                for tick in self.ticks.ticks[span.first : span.first + len(span.ticks)]
                if self.start_s < tick.time_s < self.stop_s
            ]
            for span in self.ticks.spans
        ]
        first, *others = inside
        return [[start, *first], [*others[0], stop]] if others else [[start, *first, stop]]

    def _unevenness(self, parts: Sequence[Sequence[Moment]], quiet_w: float, edge_s: float) -> float:
        """How uneven power was, by the ticks inside the window."""
        tick_s = self.ticks.period_s(self.before) or math.inf
        return unevenness(parts, quiet_w=quiet_w, edge_s=edge_s, tick_s=tick_s)

    def _gain(self, response: CounterResponse, unevenness: float) -> Gain:
        """Share of the work's power above quiet that the counter has seen."""
        tick, tick_s = self.ticks.best(self.before), self.ticks.period_s(self.before)
        return gain(
            response,
            self.start_s,
            self.stop_s,
            tick_at_s=tick.time_s,
            tick_s=tick_s or math.inf,
            spread_s=self.ticks.ticks[self.before].spread_s or 0.0,  # the beat's too, which all ticks share
            unevenness=unevenness,
        )

    def _tick_variance(self, quiet: QuietPower) -> float:
        """What the ticks' times and the counter's steps leave open, each with its weight in the result."""
        # Of the times, in W; those of the joules are the same over -power.
        weights: dict[int, float] = defaultdict(float)
        weights[self.before] += quiet.head.power_w
        weights[self.after] -= quiet.tail.power_w
        for level, quiet_s in ((quiet.head, self.head_s), (quiet.tail, self.tail_s)):
            rate_w = level.power_w * quiet_s / level.duration_s
            for interval in level.intervals:
                weights[interval.index + 1] += rate_w
                weights[interval.index] -= rate_w
        least_w = min(quiet.head.power_w, quiet.tail.power_w)
        ratios = (
            [min(abs(w) / least_w, _LARGEST_RATIO) for w in weights.values()] if least_w > 0 else [1.0, 1.0]
        )
        square = math.fsum(ratio**2 for ratio in ratios)
        # Even work keeps pace with an even counter: all windows may be off by the same, up to a step.
        return self.ticks.variance(weights) + square * max(self.resolution_j**2 / 12, self.step_j**2 / 8)

    def _without_quiet(self) -> Integral:
        """No whole quiet tick: the power outside is anything from 0 to the mean."""
        duration_s, outside_s = self.stop_s - self.start_s, self.head_s + self.tail_s
        power_w = self.span_j / (duration_s + outside_s)
        # Evenly spread power, with the spread of a uniform share between none and all of it.
        uncertainty_j = power_w * outside_s / math.sqrt(3)
        spreads_s = [self.ticks.best(index).spread_s for index in (self.before, self.after)]
        edge_j = power_w * edge_uncertainty_s(self.response, duration_s)
        times_j = power_w * math.hypot(*spreads_s)
        return Integral(
            energy_j=power_w * duration_s,
            uncertainty_j=math.hypot(uncertainty_j, times_j, edge_j, self.resolution_j),
            how=How.INTERPOLATED,
            edge_powers_w=(0.0, power_w),
        )


def align(
    ticks: Sequence[Tick],
    start_s: float,
    stop_s: float,
    *,
    quiet_s: Sequence[Span],
    resolution_j: float,
    worked_until_s: float | None = None,
    response: CounterResponse = UNKNOWN_RESPONSE,
) -> Aligned:
    """Find the ticks to count from and to, and quiet power; arguments as for `integrate`."""
    settled_s = stop_s + (response.settle_s or 0.0)
    around = timed(
        ticks,
        head_stop=bisect_right(ticks, start_s, key=lambda tick: tick.time_s),
        tail_start=min(bisect_left(ticks, settled_s, key=lambda tick: tick.time_s), len(ticks) - 1),
    )
    step_j = found_step_j(ticks)
    head, tail = quiet_intervals(around, quiet_s, step_j)
    before = _tick_before(around, start_s, head)
    _check_seen_since(ticks[before], start_s, worked_until_s)
    after = min(around.tail_start + (response.settle_s is None), len(ticks) - 1)
    prompt = None
    if response.prompt_s is not None:
        prompt = bisect_left(ticks, stop_s + response.prompt_s, key=lambda tick: tick.time_s)
    return Aligned(
        ticks=around,
        start_s=start_s,
        stop_s=stop_s,
        before=before,
        after=after,
        prompt=prompt,
        head_s=max(0.0, start_s - around.best(before).time_s),
        tail_s=max(0.0, around.best(after).time_s - stop_s),
        span_j=ticks[after].joules - ticks[before].joules,
        quiet=quiet_power(head, tail, resolution_j, is_settled=prompt is not None),
        resolution_j=resolution_j,
        step_j=step_j,
        response=response,
    )


def _check_seen_since(before: Tick, start_s: float, worked_until_s: float | None) -> None:
    """Raise `NotMeasurable` where earlier work may lie between the tick *before* and the start."""
    if worked_until_s is not None and before.time_s - 4 * (before.spread_s or 0.0) < worked_until_s:
        raise NotMeasurable(
            f"its counter was not read for {to_text(start_s - before.time_s, 's')} before the window, "
            "in which there was other work: reads were held up"
        )


def _tick_before(ticks: TimedTicks, start_s: float, head: Sequence[Interval]) -> int:
    """The tick to count from: the last before the start, unless another quiet one is known better."""
    last = ticks.head_stop - 1
    if not ticks.is_sure:
        # A tick that was seen just before the start may have happened after it and hold some work.
        guard_s = 4 * ticks.best(last).spread_s
        return max(0, bisect_right(ticks.ticks, start_s - guard_s, key=lambda tick: tick.time_s) - 1)
    quiet = {interval.index for interval in head}
    candidates = [last]
    while len(candidates) < _CANDIDATE_TICKS and candidates[-1] - 1 in quiet:
        candidates.append(candidates[-1] - 1)
    best_s = min(ticks.best(index).spread_s for index in candidates)
    return next(index for index in candidates if ticks.best(index).spread_s <= 2 * best_s)
