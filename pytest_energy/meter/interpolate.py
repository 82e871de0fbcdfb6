"""Joules at any moment inside an outermost window. Pure."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.integrate import How, Integral, align
from pytest_energy.meter.quiet_power import Span
from pytest_energy.meter.tick_check import check_ticks
from pytest_energy.model import CounterResponse, Tick
from pytest_energy.model.values import UNKNOWN_RESPONSE

# Power at a moment is the mean over so long at least: a hundredth of the shortest tick.
_LEAST_REACH_S = 1e-5


@dataclass(frozen=True, slots=True)
class _Point:
    """Joules since the start, and the uncertainty of the time at which they were reached."""

    time_s: float
    joules: float
    spread_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cumulative:
    """Joules since the start of an outermost window, at any moment inside it.

    The power there isn't quiet, so the counter is interpolated between the ticks inside the window and the
    window's own edges: stretches that adjoin add up to the window exactly. The uncertainty is that of a
    random walk pinned at both ticks, with the step that neighbouring ticks show: at most about a tick times
    the power's swing.

    Attributes:
        points: The window's edges and the ticks between them.
        whole: Joules of the window.
    """

    points: tuple[_Point, ...]
    whole: Integral

    def between(self, start_s: float, stop_s: float, *, reach_s: float = 0.0) -> Integral:
        """Joules from *start_s* to *stop_s*, with the power at both if they are off by *reach_s*.

        Raises:
            NotMeasurable: The stretch leaves the window.
        """
        first_s, last_s = self.points[0].time_s, self.points[-1].time_s
        if not first_s <= start_s <= stop_s <= last_s:
            raise NotMeasurable(
                f"the stretch from {start_s} s to {stop_s} s leaves its window, {first_s} s to {last_s} s"
            )
        if (start_s, stop_s) == (first_s, last_s):
            return self.whole
        share = (stop_s - start_s) / (last_s - first_s)
        (start_j, start_variance), (stop_j, stop_variance) = self._at(start_s), self._at(stop_s)
        variance = share * self.whole.uncertainty_j**2 + self._walked_variance(start_s, stop_s)
        variance += start_variance + stop_variance
        return Integral(
            energy_j=stop_j - start_j,
            uncertainty_j=math.sqrt(variance),
            how=How.INTERPOLATED,
            edge_powers_w=self._edge_powers_w(start_s, stop_s, max(reach_s, _LEAST_REACH_S)),
        )

    def _edge_powers_w(self, start_s: float, stop_s: float, reach_s: float) -> tuple[float, float]:
        """Mean powers just after both moments, or just before both: those that differ more."""
        later = self._mean_w(start_s, reach_s), self._mean_w(stop_s, reach_s)
        earlier = self._mean_w(start_s - reach_s, reach_s), self._mean_w(stop_s - reach_s, reach_s)
        return max(later, earlier, key=lambda powers_w: abs(powers_w[1] - powers_w[0]))

    def _mean_w(self, from_s: float, duration_s: float) -> float:
        """Mean power over so many seconds, as near to *from_s* as the window allows."""
        first_s, last_s = self.points[0].time_s, self.points[-1].time_s
        from_s = max(first_s, min(from_s, last_s - duration_s))
        until_s = min(last_s, from_s + duration_s)
        return (self._at(until_s)[0] - self._at(from_s)[0]) / (until_s - from_s)

    def _length_s(self, index: int) -> float:
        return self.points[index + 1].time_s - self.points[index].time_s

    def _power_w(self, index: int) -> float:
        return (self.points[index + 1].joules - self.points[index].joules) / self._length_s(index)

    def _place(self, time_s: float) -> tuple[int, float]:
        """Interval that holds *time_s*, and the share of it that has gone by then."""
        after = bisect_right(self.points, time_s, key=lambda point: point.time_s)
        index = min(max(0, after - 1), len(self.points) - 2)
        return index, (time_s - self.points[index].time_s) / self._length_s(index)

    def _at(self, time_s: float) -> tuple[float, float]:
        """Joules at a moment, and what the ticks' times leave open of them: power times spread, squared."""
        index, share = self._place(time_s)
        before, after = self.points[index : index + 2]
        spread = (before.spread_s * (1 - share)) ** 2 + (after.spread_s * share) ** 2
        return before.joules + share * (after.joules - before.joules), self._power_w(index) ** 2 * spread

    def _walked_variance(self, start_s: float, stop_s: float) -> float:
        """Variance of a pinned random walk between the two moments."""
        (first, start_share), (last, stop_share) = self._place(start_s), self._place(stop_s)
        shares = [(first, start_share), (last, stop_share)]
        if first == last:
            shares = [(first, stop_share - start_share)]
        return math.fsum(
            self._walk(index) * self._length_s(index) * share * (1 - share) for index, share in shares
        )

    def _walk(self, index: int) -> float:
        """Variance that the joules gain a second, in J^2/s, from the power of the ticks around *index*."""
        low, high = max(0, index - 2), min(len(self.points) - 1, index + 3)
        steps = [
            (self._power_w(i + 1) - self._power_w(i)) ** 2
            / (1 / self._length_s(i) + 1 / self._length_s(i + 1))
            for i in range(low, high - 1)
        ]
        # Where few ticks tell, the power may swing by as much as the window's mean is above quiet. Counted
        # like half a tick of such swings (uniform: a twelfth of their square), 98 % of 10,000 simulated
        # stretches hold the truth within twice the uncertainty.
        mean_w = self.points[-1].joules / (self.points[-1].time_s - self.points[0].time_s)
        prior = max(0.0, mean_w - (self.whole.head_power_w or 0.0)) ** 2 / 24 * self._length_s(index)
        return (math.fsum(steps) + prior) / (len(steps) + 1)


def interpolate(
    ticks: Sequence[Tick],
    start_s: float,
    stop_s: float,
    *,
    quiet_s: Sequence[Span] = (),
    worked_until_s: float | None = None,
    resolution_j: float = 0.0,
    response: CounterResponse = UNKNOWN_RESPONSE,
) -> Cumulative:
    """Joules at any moment of a window; arguments and errors as for `integrate`.

    Every tick inside the window makes it more certain.
    """
    check_ticks(ticks, start_s, stop_s)
    window = align(
        ticks,
        start_s,
        stop_s,
        quiet_s=quiet_s,
        worked_until_s=worked_until_s,
        resolution_j=resolution_j,
        response=response,
    )
    whole = window.integral()
    offset_j, whole_j = ticks[window.before].joules + window.head_j, max(0.0, whole.energy_j)
    points = [_Point(start_s, 0.0, 0.0)]
    for tick in ticks[window.before : window.after]:
        spread_s = window.ticks.best(window.before).spread_s if tick.spread_s is None else tick.spread_s
        if start_s + spread_s < tick.time_s < stop_s - spread_s:
            joules = min(max(tick.joules - offset_j, points[-1].joules), whole_j)
            points.append(_Point(tick.time_s, joules, spread_s))
    points.append(_Point(stop_s, whole_j, 0.0))
    return Cumulative(points=tuple(points), whole=whole)
