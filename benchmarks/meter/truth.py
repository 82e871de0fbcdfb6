"""What a series of bursts truly used, from the counter alone. Pure: reads in, joules and uncertainty out.

No single burst has a truth of its own: a counter that changes every 100 ms doesn't hold it. A series of them
has. From a tick before its first burst to one after its last the counter knows the joules exactly. Between
the bursts the device is quiet, so with T the time between those two ticks

    truth = (counter after - counter before - quiet power x (T - time in bursts)) / bursts

Nothing here knows how the meter under test finds joules: only the sensor's reads and the bursts' edges.

Rule 1: quiet power comes from whole quiet ticks of the same series, in the gaps between its bursts. The first
        tick after a burst may lack the burst's end, so a gap is quiet from the tick after it on, once the
        device is at rest; what it drew until then counts as the burst's.
Rule 2: when a tick happened is seen only as lying between two reads. The ticks keep to a beat, which all of
        the series' ticks together tell far better than two reads tell one: a tick happened at its beat. Where
        they keep none, those ticks that were seen well are taken at the times they were seen.
Rule 3: quiet power drifts, as a device that has worked cools for a minute: it is a straight line of time. Its
        uncertainty is how far the gaps are from that line, divided by the root of their number.
Rule 4: what can't be told is `NotMeasurable`, never 0.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, linear_regression, median

import numpy as np

from pytest_energy.errors import NotMeasurable

Stretch = tuple[float, float]
"""From when to when, in seconds."""

# Fewer gaps tell nothing of how far they are from a line, which takes two.
_LEAST_GAPS, _LINE_FREEDOM = 3, 2

# Ticks after a burst before the gap is surely quiet: the first may lack its end. And seconds until the device
# is at rest: ticks of four H100s that begin later after bursts of 10 ms are as all later ones, to 0.1 W, and
# those that begin sooner are up to 1.8 W above them (docs/results/meter-response.md).
_TICKS_TO_QUIET, _REST_S = 1, 0.16

# A tick that was seen to this share of a period helps to find the beat; the read before another was longer
# ago, and it only says what the counter was.
_SHARP_SHARE = 0.35

# Ticks this share of a period away from the beat (root mean square) keep none. It is more than seeing them
# to the share above makes of a perfect beat.
_BEAT_SHARE = 0.12

# Fewer ticks make no beat.
_LEAST_TICKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One call of a sensor.

    Attributes:
        started_s: When it was called.
        ended_s: When it returned.
        joules: What it returned.
    """

    started_s: float
    ended_s: float
    joules: float

    @property
    def middle_s(self) -> float:
        return (self.started_s + self.ended_s) / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A counter that has moved between two reads.

    Attributes:
        last: The read before it.
        read: The read after it, the first with the new value.
    """

    last: Read
    read: Read

    @property
    def after_s(self) -> float:
        """It moved after this moment, surely."""
        return self.last.started_s

    @property
    def before_s(self) -> float:
        """It moved before this moment, surely."""
        return self.read.ended_s

    @property
    def time_s(self) -> float:
        return (self.last.middle_s + self.read.middle_s) / 2

    @property
    def width_s(self) -> float:
        return self.before_s - self.after_s


def changes_in(reads: Sequence[Read]) -> tuple[Change, ...]:
    """Every move of the counter that *reads*, in the order of time, show."""
    return tuple(Change(last=last, read=read) for last, read in pairwise(reads) if read.joules != last.joules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """An update of the counter, at its best time.

    Attributes:
        time_s: When it happened.
        spread_s: Standard uncertainty of that.
        joules: The counter from then on.
    """

    time_s: float
    spread_s: float
    joules: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticks:
    """The ticks of a series.

    Attributes:
        ticks: In the order of time.
        period_s: Mean time from one tick of the counter to its next.
        off_beat_share: Root mean square distance from the beat of the ticks that were seen well, as a share
            of the period.
    """

    ticks: tuple[Tick, ...]
    period_s: float
    off_beat_share: float

    @property
    def is_regular(self) -> bool:
        return self.off_beat_share <= _BEAT_SHARE


def ticks_of(changes: Sequence[Change], tick_s: float | None = None) -> Ticks:
    """The ticks behind *changes*.

    Args:
        changes: In the order of time.
        tick_s: About the counter's period, where many ticks may have passed between two that were seen well;
            the typical time between two changes otherwise.

    Raises:
        NotMeasurable: Too few of them.
    """
    if len(changes) < _LEAST_TICKS:
        raise NotMeasurable(f"{len(changes)} changes of the counter; a beat takes {_LEAST_TICKS}")
    typical_s = tick_s or median(after.time_s - before.time_s for before, after in pairwise(changes))
    sharp = [change for change in changes if change.width_s <= _SHARP_SHARE * typical_s]
    if len(sharp) < _LEAST_TICKS:
        raise NotMeasurable(
            f"{len(sharp)} of {len(changes)} changes were timed well; it takes {_LEAST_TICKS}"
        )
    numbers = [0]
    for before, after in pairwise(sharp):
        numbers.append(numbers[-1] + max(1, round((after.time_s - before.time_s) / typical_s)))
    period_s, origin_s = linear_regression(numbers, [change.time_s for change in sharp])
    off_s = [c.time_s - origin_s - n * period_s for n, c in zip(numbers, sharp, strict=True)]
    spread_s = math.sqrt(fmean(distance_s * distance_s for distance_s in off_s))
    found = Ticks(ticks=(), period_s=period_s, off_beat_share=spread_s / period_s)
    if found.is_regular:
        placed = (_on_beat(change, origin_s, period_s, spread_s) for change in changes)
        return replace(found, ticks=tuple(tick for tick in placed if tick is not None))
    seen = (
        Tick(time_s=change.time_s, spread_s=change.width_s / math.sqrt(12), joules=change.read.joules)
        for change in sharp
    )
    return replace(found, ticks=tuple(seen))


def _on_beat(change: Change, origin_s: float, period_s: float, spread_s: float) -> Tick | None:
    """The last tick before the read that shows it; `None` where one happened too near that read to tell."""
    if change.width_s <= _SHARP_SHARE * period_s:
        number = round((change.time_s - origin_s) / period_s)
    else:
        near_s = (change.read.ended_s - change.read.started_s) / 2 + 3 * spread_s
        beats = (change.read.middle_s - origin_s) / period_s
        if abs(beats - round(beats)) * period_s <= near_s:
            return None
        number = math.floor(beats)
    return Tick(time_s=origin_s + number * period_s, spread_s=spread_s, joules=change.read.joules)


def counter_at(reads: Sequence[Read], time_s: float) -> float:
    """What the counter showed at *time_s*, as well as the reads tell: the value of its last change before.

    Raises:
        NotMeasurable: No read is that early.
    """
    if not reads or reads[0].started_s > time_s:
        raise NotMeasurable(f"no read of the counter before {time_s} s")
    changes = changes_in(reads)
    index = bisect_right(changes, time_s, key=lambda change: change.time_s)
    return changes[index - 1].read.joules if index else reads[0].joules


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Quiet power of a series.

    Attributes:
        power_w: Mean over the whole quiet ticks.
        uncertainty_w: Its standard uncertainty.
        slope_w: What it grows by in a second.
        middle_s: When it is the mean.
        duration_s: Of those ticks together.
        gap_count: Gaps that held some.
    """

    power_w: float
    uncertainty_w: float
    slope_w: float
    middle_s: float
    duration_s: float
    gap_count: int

    def at(self, time_s: float) -> float:
        """Watts at one moment of the series."""
        return self.power_w + self.slope_w * (time_s - self.middle_s)


def _at_rest(ticks: Ticks, since_s: float) -> list[Tick]:
    """Ticks after work until *since_s*, from when all of it is in the counter and the device is at rest."""
    after = [tick for tick in ticks.ticks if tick.time_s - 3 * tick.spread_s >= since_s]
    return [tick for tick in after[_TICKS_TO_QUIET:] if tick.time_s >= since_s + _REST_S]


def quiet_power(ticks: Ticks, gaps: Iterable[Stretch]) -> Quiet:
    """Quiet power from the whole quiet ticks in *gaps*.

    Args:
        ticks: Of the series.
        gaps: From the end of each burst to the start of the next, and the rests at both ends of the series.

    Raises:
        NotMeasurable: Too few gaps hold a whole quiet tick.
    """
    parts: list[tuple[Tick, Tick]] = []  # first and last tick of each gap's quiet part
    for from_s, until_s in gaps:
        inside = [t for t in _at_rest(ticks, from_s) if t.time_s + 3 * t.spread_s <= until_s]
        if len(inside) >= 2:
            parts.append((inside[0], inside[-1]))
    count = len(parts)
    if count < _LEAST_GAPS:
        raise NotMeasurable(f"{count} gap(s) hold a whole quiet tick; quiet power takes {_LEAST_GAPS}")
    lengths_s = np.array([last.time_s - first.time_s for first, last in parts])
    joules = np.array([last.joules - first.joules for first, last in parts])
    middles_s = np.array([(first.time_s + last.time_s) / 2 for first, last in parts])
    duration_s = float(lengths_s.sum())
    middle_s = float(np.average(middles_s, weights=lengths_s))
    away_s = middles_s - middle_s
    slope_w, power_w = map(float, np.polyfit(away_s, joules / lengths_s, 1, w=np.sqrt(lengths_s)))
    off_j = joules - (power_w + slope_w * away_s) * lengths_s
    spread_w = math.sqrt((off_j @ off_j) * count / (count - _LINE_FREEDOM)) / duration_s
    # The period, which all lengths share, is known from the ticks at both ends of the series.
    length_s = ticks.ticks[-1].time_s - ticks.ticks[0].time_s
    of_period_w = power_w * math.hypot(ticks.ticks[0].spread_s, ticks.ticks[-1].spread_s) / length_s
    return Quiet(
        power_w=power_w,
        uncertainty_w=math.hypot(spread_w, of_period_w),
        slope_w=slope_w,
        middle_s=middle_s,
        duration_s=duration_s,
        gap_count=count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What one burst of a series used, on the mean over all of them.

    Attributes:
        energy_j: Joules of one, quiet power included for as long as it lasted.
        uncertainty_j: Standard uncertainty of that mean.
        duration_s: Mean length of one.
        count: Bursts in the series, those without a reading included.
    """

    energy_j: float
    uncertainty_j: float
    duration_s: float
    count: int

    @property
    def uncertainty_share(self) -> float:
        return self.uncertainty_j / self.energy_j


def series_truth(ticks: Ticks, stretches: Sequence[Stretch], quiet: Quiet) -> Truth:
    """Mean joules of *stretches*: bursts, or bursts with something quiet around each.

    Args:
        ticks: From before the first of them until at least two ticks after the last.
        stretches: In the order of time. Everything that isn't quiet lies inside one of them.
        quiet: Quiet power of the same series.

    Raises:
        NotMeasurable: The ticks don't reach around the stretches, or the joules are not above 0.
    """
    before = [t for t in ticks.ticks if t.time_s + 3 * t.spread_s <= stretches[0][0]]
    after = _at_rest(ticks, stretches[-1][1])
    if not before or not after:
        raise NotMeasurable("the counter wasn't followed from before the first burst to after the last")
    first, last = before[-1], after[0]
    busy_s = math.fsum(stop_s - start_s for start_s, stop_s in stretches)
    quiet_s = last.time_s - first.time_s - busy_s
    # The middle of what is quiet: that of all, less what is busy.
    moment_s = (last.time_s**2 - first.time_s**2) / 2
    moment_s -= math.fsum((stop_s**2 - start_s**2) / 2 for start_s, stop_s in stretches)
    quiet_j = quiet.at(moment_s / quiet_s) * quiet_s
    count = len(stretches)
    energy_j = (last.joules - first.joules - quiet_j) / count
    if not energy_j > 0:
        raise NotMeasurable(f"the bursts used {energy_j} J each: nothing was at work, or not on this device")
    edges_j = quiet.power_w * math.hypot(first.spread_s, last.spread_s)
    return Truth(
        energy_j=energy_j,
        uncertainty_j=math.hypot(edges_j, quiet.uncertainty_w * quiet_s) / count,
        duration_s=busy_s / count,
        count=count,
    )
