"""How late a counter is, from what it counts after bursts of even power. Pure.

A filter or a delay lets the last joules of work come after its end, and so does a device whose power falls
late. One thing tells them apart: late joules are the work's, so the joules of bursts grow from nothing in
proportion to their length, while what a device uses after each burst is in all of them alike.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING

from pytest_energy.errors import NotMeasurable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.meter.calibration import Burst, burst_weights
from pytest_energy.meter.integrate import Aligned, align
from pytest_energy.meter.quiet_power import Span
from pytest_energy.model import CounterResponse, Tick
from pytest_energy.units import to_text

if TYPE_CHECKING:
    import numpy as np
else:
    np = LazyModule("numpy")

LEAST_LAG_BURSTS = 16
"""With ten ticks after each of them the first 0.1 s after work are seen at sixteen moments."""

# Power at rest beside bursts differs by less, where ticks were seen well.
_SAME_QUIET_SHARE = 0.05

# A counter has settled where less than this of the power is still to come: 1 % of a burst of 10 ms. That is
# the median of points beside one another: of so many at least, and of a part of the whole hold.
_SETTLED_S = 1e-4
_LEAST_POINTS, _STRETCHES = 9, 40

# What is to come half of the hold later is only noise, of neighbours alike. Few medians are so many times it.
_NOISE = 4.0

# Quiet power beside a window is from so few ticks, where they agree: one before it and one after.
_QUIET_TICKS = 2

# Later than this of the hold it isn't known that the counter had settled by its end.
_LATEST_SHARE = 0.8

# Times of ticks are known to a millisecond or two.
_MARGIN_S = 2e-3

# How fast the rest falls is seen from so many times what counts as settled on.
_MANY = 10.0

# Of what comes after a burst so much may be the device's own. On H100s it is 0.1 to 0.6 ms, of 26 ms that are
# late (bursts of 10 to 50 ms, docs/results/meter-response.md).
_LEAST_AFTER_S, _AFTER_SHARE = 1e-3, 0.1

# Bursts have to add at least this share of power at rest: less is no load of this counter's device.
_LEAST_STEP_SHARE = 0.5

# Standard errors that chance hardly reaches.
_PROOF = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenBurst:
    """A burst of even power among the ticks of its counter.

    Attributes:
        ticks: From many before its start to some after its stop, when the counter had settled.
        quiet_s: Stretches before its start in which nothing was at work, and the counter had settled.
    """

    start_s: float
    stop_s: float
    ticks: Sequence[Tick]
    quiet_s: tuple[Span, ...]

    @property
    def length_s(self) -> float:
        return self.stop_s - self.start_s

    def aligned(self, settle_s: float) -> Aligned:
        """The burst between two ticks, the second of them *settle_s* after its stop."""
        return align(
            self.ticks,
            self.start_s,
            self.stop_s,
            quiet_s=self.quiet_s,
            resolution_j=0.0,
            response=CounterResponse(settle_s=settle_s),
        )


@dataclass(frozen=True, slots=True)
class _Counted:
    """A burst between whole quiet ticks, and power beside it."""

    seen: SeenBurst
    aligned: Aligned
    quiet_w: float

    @property
    def burst(self) -> Burst:
        aligned, length_s = self.aligned, self.seen.length_s
        tick_s = aligned.ticks.period_s(aligned.before) or 1.0
        phase = (self.seen.start_s - aligned.ticks.best(aligned.before).time_s) / tick_s % 1
        excess_j = aligned.integral().energy_j - self.quiet_w * length_s
        return Burst(excess_j=excess_j, start_phase=phase, length_s=length_s)


def counted(bursts: Sequence[SeenBurst], settle_s: float) -> list[Burst]:
    """What was counted of each burst that has quiet ticks beside it, of a power that most of them have.

    Args:
        bursts: In any order.
        settle_s: Seconds after work until its joules are in the counter.
    """
    return [one.burst for one in _counted(bursts, settle_s)]


def _counted(bursts: Sequence[SeenBurst], settle_s: float) -> list[_Counted]:
    found = []
    for burst in bursts:
        aligned = burst.aligned(settle_s)
        quiet = aligned.quiet
        if quiet is not None and aligned.ticks.period_s(aligned.before) is not None:
            found.append(_Counted(burst, aligned, (quiet.head.power_w + quiet.tail.power_w) / 2))
    usual_w = median(one.quiet_w for one in found) if found else 0.0
    return [one for one in found if abs(one.quiet_w - usual_w) <= _SAME_QUIET_SHARE * usual_w]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """How late a counter is.

    Attributes:
        settle_s: Seconds after work until its joules are in the counter.
        left_s: Seconds of power that may come later still.
    """

    settle_s: float
    left_s: float


def lag(bursts: Sequence[SeenBurst], *, hold_s: float) -> Lag:
    """How late the counter is, from what it counts after bursts of several lengths.

    Joules that come late are in a burst's sum, whatever its length: the sums grow from nothing, in proportion
    to the length. Joules that the device uses after each burst are in all sums alike.

    Args:
        bursts: Short ones of several lengths, followed for longer than *hold_s* after their stop.
        hold_s: By when the counter has surely settled.

    Raises:
        NotMeasurable: Too few bursts were seen well, or they hardly add power; power falls late, or the
            counter doesn't settle.
    """
    found = _counted(bursts, hold_s)
    if len(found) < LEAST_LAG_BURSTS:
        raise NotMeasurable(
            f"{len(found)} bursts between quiet ticks are too few to see how late the counter is; "
            f"{LEAST_LAG_BURSTS} are enough"
        )
    power_w, after_s, after_error_s = _line([one.burst for one in found])
    quiet_w = median(one.quiet_w for one in found)
    if power_w < _LEAST_STEP_SHARE * quiet_w:
        raise NotMeasurable(
            f"bursts add {to_text(power_w, 'W', digits=2)} to the {to_text(quiet_w, 'W', digits=3)} at rest, "
            "which is too little: the load is not on this counter's device, or too small for it"
        )
    points = sorted(point for one in found for point in _left_after(one, power_w, hold_s / 2))
    late_s = fmean(left_s for _, left_s in points[:_LEAST_POINTS])
    if abs(after_s) > _LEAST_AFTER_S + _PROOF * after_error_s + _AFTER_SHARE * abs(late_s):
        raise NotMeasurable(
            f"each burst has {to_text(after_s * power_w, 'J')} more than its length explains "
            f"({to_text(after_s, 's')} of its power): power falls late after work, or work at first draws "
            "more, and which part is the counter's own lag is unknown"
        )
    count = max(_LEAST_POINTS, len(points) // _STRETCHES)
    usual = [  # by the point after the middle: where most are late it is the first that isn't
        (points[place + count // 2 + 1][0], median(left_s for _, left_s in points[place:][:count]))
        for place in range(len(points) - count + 1)
    ]
    noise_s = _scatter(left_s for since_s, left_s in usual if since_s > hold_s / 2)
    most_s = max(_SETTLED_S, _NOISE * noise_s)
    settle_s = _last_above_s(usual, most_s)
    if settle_s > _LATEST_SHARE * hold_s:
        raise NotMeasurable(f"the counter still changes {to_text(settle_s, 's')} after work")
    level_s = min(_MANY * most_s, late_s / 2)
    # What comes later still is also taken for quiet power, and that for all the time until then.
    tick_s = fmean(one.aligned.ticks.period_s(one.aligned.before) or 0.0 for one in found)
    most_lost_s = most_s * (1 + settle_s / (_QUIET_TICKS * tick_s))
    longer = 1.0  # is what is left of longer work, in what is left of these bursts
    if settle_s and level_s > most_s:
        # An exponential fall, by how long it took from one level to the other: on to what counts as settled.
        fall_s = (settle_s - _last_above_s(usual, level_s)) / math.log(level_s / most_s)
        length_s = fmean(one.seen.length_s for one in found)
        longer = max(1.0, fall_s / length_s)
        settle_s += fall_s * math.log(most_lost_s / _SETTLED_S)
    settle_s = math.ceil(1e3 * (settle_s + _MARGIN_S)) / 1e3
    return Lag(settle_s=settle_s, left_s=longer * most_lost_s)


def _last_above_s(points: Iterable[tuple[float, float]], level_s: float) -> float:
    """When a point was last further than this from zero; 0 s if none is."""
    return max((since_s for since_s, left_s in points if abs(left_s) > level_s), default=0.0)


def _left_after(one: _Counted, power_w: float, settled_s: float) -> list[tuple[float, float]]:
    """Seconds after the stop of each tick, and seconds of power that were not counted by then.

    Power at rest is that of the ticks from *settled_s* on: it differs a little from burst to burst.
    """
    ticks, stop_s = one.aligned.ticks, one.seen.stop_s
    first = next(number for number, tick in enumerate(ticks.ticks) if tick.time_s > stop_s)
    since_s = np.array([ticks.best(number).time_s - stop_s for number in range(first, len(ticks.ticks))])
    joules = np.array([tick.joules - ticks.ticks[first].joules for tick in ticks.ticks[first:]])
    is_late = since_s >= settled_s
    line = np.polynomial.Polynomial.fit(since_s[is_late], joules[is_late], 1)
    left_s = (line(since_s) - joules) / power_w
    return list(zip(since_s.tolist(), left_s.tolist(), strict=True))


def _scatter(values: Iterable[float]) -> float:
    """Median distance from zero, as a standard deviation."""
    sizes = [abs(value) for value in values]
    return 1.48 * median(sizes) if sizes else 0.0


def _line(bursts: Sequence[Burst]) -> tuple[float, float, float]:
    """Power of bursts over their length; seconds of it that each has more, and their standard error."""
    lengths_s = np.array([burst.length_s for burst in bursts])
    counted_j = np.array([burst.excess_j for burst in bursts])
    weights = burst_weights(bursts)
    columns = np.column_stack([lengths_s, np.ones_like(lengths_s)]) * weights[:, None]
    inverse = np.linalg.inv(columns.T @ columns)
    power_w, more_j = inverse @ columns.T @ (counted_j * weights)
    rest = counted_j * weights - columns @ np.array([power_w, more_j])
    error_j = math.sqrt(inverse[1, 1] * float(rest @ rest) / (len(bursts) - 2))
    return float(power_w), float(more_j / power_w), float(error_j / power_w)
