"""How uneven power was in a window, as the ticks inside it show. Pure.

A counter that samples power is off by some seconds of each step in power. Even work has two steps, at its
edges. Other work has more of them, or larger ones: they come at any moment between samples, so it is the sum
of their squares that counts.

Rule 1: power is the mean between neighbouring ticks, or between a tick and an edge. Of less time than twice
        what the counter is off by it isn't known: what lies there belongs to the next.
Rule 2: where power at an edge isn't the next tick's, it changed at any moment between: at 900 W for 20 ms
        rather than at 300 W for a tick. The root mean square of what that comes to is taken.
Rule 3: what the ticks' times leave open of a step is no step.
Rule 4: where the ticks of the middle are missing, it was as uneven as what is beside it.
Rule 5: nothing is more even than even work: a slow rise may be steps between the ticks.
Rule 6: beside an edge even work has the power of the next whole tick. What the counter has too much or too
        little of that, it may be off by, or the work was uneven there.
Rule 7: power that is up in one tick and down in the next may be a peak within a tick, which was sampled once
        or not at all. So what ticks differ by to and fro is taken for chance. What samples put into the next
        tick comes back there: of longer stretches that is less, and the less of both counts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

# What power does to and fro is known from so many stretches at least; long ones are taken that leave so many.
_FEWEST_STRETCHES, _LONG_COUNT = 3, 8

# Less power than this is none: nothing is compared with it.
_LEAST_W = 1e-9


@dataclass(frozen=True, slots=True)
class Moment:
    """Joules up to an edge of the window, or to a tick inside it, from any zero on."""

    time_s: float
    joules: float
    spread_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Fall:
    """Power before a tick less power after it, and what the ticks' times leave open of that."""

    power_w: float
    blur_w: float

    @property
    def square(self) -> float:
        return self.power_w**2 - self.blur_w**2

    @property
    def sure_w(self) -> float:
        return math.copysign(math.sqrt(max(0.0, self.square)), self.power_w)


def unevenness(
    parts: Sequence[Sequence[Moment]], *, quiet_w: float, edge_s: float, tick_s: float = math.inf
) -> float:
    """Root of the sum of the squares of all steps in power, over that of even work of the same joules.

    Args:
        parts: The start, the ticks inside the window, and the stop; in two parts where ticks between the
            two are missing.
        quiet_w: Power at rest, on both sides.
        edge_s: What the counter is off by, as in `CounterResponse`.
        tick_s: The counter's period, if it has one.
    """
    known = [list(part) for part in parts]
    first, last = known[0], known[-1]
    while len(first) > 2 and first[1].time_s - first[0].time_s < 2 * edge_s:
        del first[1]
    while len(last) > 2 and last[-1].time_s - last[-2].time_s < 2 * edge_s:
        del last[-2]
    mean_w = _power_w(first[0], last[-1]) - quiet_w
    falls = [fall for part in known for fall in _falls(part)]
    if mean_w <= _LEAST_W or edge_s <= 0 or min(len(first), len(last)) < 3:
        return 1.0
    start_w, stop_w = _power_w(first[0], first[1]) - quiet_w, _power_w(last[-2], last[-1]) - quiet_w
    start_ratio, stop_ratio = (
        max(1.0, min(tick_s, after.time_s - before.time_s) / (2 * edge_s))
        for before, after in (first[:2], last[-2:])
    )
    edges = _edge_square(start_w, falls[0].sure_w, start_ratio)
    edges += _edge_square(stop_w, -falls[-1].sure_w, stop_ratio)
    known_s = math.fsum(part[-1].time_s - part[0].time_s for part in known)
    inner = math.fsum(fall.square for fall in falls[1:-1]) * (last[-1].time_s - first[0].time_s) / known_s
    return math.sqrt(max(1.0, (edges + max(0.0, inner)) / (2 * mean_w**2)))


def edges_off_j(parts: Sequence[Sequence[Moment]], step_j: float = 0.0) -> float:
    """Joules at both edges that even work would not have had, beyond what times and steps leave open.

    Args:
        parts: As for `unevenness`, with a whole tick beside each edge.
        step_j: The counter's.
    """
    first, last = parts[0], parts[-1]
    start_j, start_blur_j = _edge_off_j(first[0], first[1], first[2], step_j)
    stop_j, stop_blur_j = _edge_off_j(last[-1], last[-2], last[-3], step_j)
    return math.sqrt(max(0.0, (start_j + stop_j) ** 2 - start_blur_j**2 - stop_blur_j**2))


def _edge_off_j(edge: Moment, near: Moment, far: Moment, step_j: float) -> tuple[float, float]:
    """Joules beside an edge that its next tick's power doesn't explain, and what is open of that."""
    power_w, ratio = _power_w(near, far), abs((edge.time_s - near.time_s) / (near.time_s - far.time_s))
    off_j = abs(near.joules - edge.joules) - power_w * abs(near.time_s - edge.time_s)
    of_times_j = power_w * math.hypot((1 + ratio) * near.spread_s, ratio * far.spread_s)
    return off_j, math.hypot(of_times_j, (1 + ratio) * step_j)


def scatter_j(parts: Sequence[Sequence[Moment]], step_j: float = 0.0) -> float:
    """Standard deviation of all joules, if what ticks differ by to and fro is chance.

    Args:
        parts: As for `unevenness`.
        step_j: The counter's.
    """
    inner = [[*part] for part in parts]
    del inner[0][:1], inner[-1][-1:]
    count = sum(len(part) - 1 for part in inner)
    known_s = math.fsum(part[-1].time_s - part[0].time_s for part in inner if part)
    if count < _FEWEST_STRETCHES or known_s <= 0:
        return 0.0
    rate = min(_scatter_rate(inner, every, step_j) for every in {1, max(1, count // _LONG_COUNT)})
    return math.sqrt(rate * (parts[-1][-1].time_s - parts[0][0].time_s))


def _scatter_rate(parts: Sequence[Sequence[Moment]], every: int, step_j: float) -> float:
    """Variance of joules in J^2/s, by the stretches between each so many ticks."""
    products, blurs, durations_s = [], [], []
    for part in parts:
        moments = part[::every]
        durations_s += [after.time_s - before.time_s for before, after in pairwise(moments)]
        falls = list(_falls(moments))
        products += [a.power_w * b.power_w for a, b in pairwise(falls)]
        blurs += [fall.blur_w**2 for fall in falls]
    if not products:
        return 0.0
    duration_s = fmean(durations_s)
    # A value that is up to a step too low, with its weights of 1, 2 and 1 in a fall.
    of_steps = step_j**2 / 2 / duration_s**2
    return max(0.0, -fmean(products) - fmean(blurs) - of_steps) * duration_s


def _power_w(before: Moment, after: Moment) -> float:
    return (after.joules - before.joules) / (after.time_s - before.time_s)


def _falls(moments: Sequence[Moment]) -> Iterator[_Fall]:
    for (a, b), (_, c) in pairwise(pairwise(moments)):
        before_w, after_w = _power_w(a, b), _power_w(b, c)
        before, after = before_w / (b.time_s - a.time_s), after_w / (c.time_s - b.time_s)
        blur_w = math.hypot(before * a.spread_s, (before + after) * b.spread_s, after * c.spread_s)
        yield _Fall(before_w - after_w, blur_w)


def _edge_square(power_w: float, fall_w: float, ratio: float) -> float:
    """Squares of the steps at an edge, and in the stretch beside it.

    Args:
        power_w: Of the stretch, above quiet.
        fall_w: From there to the next stretch.
        ratio: How many times as long it is as the shortest in which power is known.
    """
    # A change after a share x of the stretch is fall_w / x; over all x its mean square is ratio * fall_w^2.
    change_w = fall_w * math.sqrt(ratio)
    return (power_w - fall_w + change_w) ** 2 + change_w**2
