"""The ticks from which one window's joules are calculated; and its power over time.

Rule 1: a step of power is the mean between two ticks: joules over seconds. What lies between a window's
        edge and the tick beside it is left out: nobody knows how many of that interval's joules fell inside.
Rule 2: long windows are thinned by merging neighbours, so joules stay what they are.
Rule 3: times are those at which ticks were seen. A step of one tick is known as well as its length is: of a
        GPU's 100 ms that is a percent or two.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from pytest_energy.meter import quality
from pytest_energy.meter.interpolate import Cumulative, interpolate
from pytest_energy.meter.quiet_power import Span
from pytest_energy.meter.response import followed_response
from pytest_energy.meter.settling import STRETCH_S
from pytest_energy.meter.settling_wait import Settled
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.tick_times import HEAD_TICKS, INNER_TICKS
from pytest_energy.meter.ticks import SeenTick
from pytest_energy.meter.waiting import QUIET_TICKS, settle_s
from pytest_energy.meter.window_channels import WindowChannels
from pytest_energy.model import Channel, CounterResponse, Tick, Trace

MOST_POINTS = 60
"""Pairs that are kept of one channel: more than the width of a small chart tells apart."""

_MOST_OF_ALL = 120  # pairs of all channels: 20 rounds then take about 40 kB of JSON, eight GPUs or one
_FEWEST = 4  # pairs of a channel, however many there are
_DIGITS = 4  # of a power
_DECIMALS = 3  # of a time in seconds


class Surroundings(NamedTuple):
    """A closed window among the ticks of its channels, with the quiet stretches before it.

    The sampler has seen the ticks, up to the last that the window waited for.

    Attributes:
        worked_until_s: When earlier work ended, before the start; `None` if nothing ticks.
        settled: When each channel that ticks had settled after the stop.
        is_followed: Whether each tick in the window was read.
    """

    sampler: TickSource
    channels: WindowChannels
    start_s: float
    stop_s: float
    quiet_s: tuple[Span, ...]
    worked_until_s: float | None
    settled: Settled
    is_followed: bool = False

    def trace(self, edge_reads: Mapping[str, tuple[Tick, ...]]) -> Trace:
        """The data to integrate the window, with *edge_reads* at start and stop of what doesn't tick."""
        if not self.channels.ticked:
            return Trace(
                ticks=edge_reads,
                start_s=self.start_s,
                stop_s=self.stop_s,
                may_be_off=self.channels.may_be_off,
                clock_error=self.sampler.clock_error(self.start_s, self.stop_s),
            )
        ticked = self.channels.ticked
        ticks = {channel.name: self._ticks_around(channel, is_whole=False) for channel in ticked}
        first_s = min((around[0].time_s for around in ticks.values() if around), default=self.stop_s)
        return Trace(
            ticks={**edge_reads, **ticks},
            start_s=self.start_s,
            stop_s=self.stop_s,
            quiet_s=self._quiet_since(first_s),
            worked_until_s=self.worked_until_s,
            may_be_off=self.channels.may_be_off,
            responses={channel.name: self._response(channel) for channel in ticked},
            clock_error=self.sampler.clock_error(self.start_s, self.stop_s),
        )

    def cumulative(self) -> dict[str, Cumulative]:
        """Joules at any moment inside the window, of each channel that ticks."""
        cumulative = {}
        for channel in self.channels.ticked:
            ticks = self._ticks_around(channel, is_whole=True)
            quiet_s = self._quiet_since(ticks[0].time_s) if ticks else ()
            cumulative[channel.name] = interpolate(
                ticks,
                self.start_s,
                self.stop_s,
                quiet_s=quiet_s,
                worked_until_s=self.worked_until_s,
                resolution_j=channel.resolution_j,
                response=self._response(channel),
            )
        return cumulative

    def _response(self, channel: Channel) -> CounterResponse:
        """How the counter responded to this window; where it isn't known, its joules may have been prompt."""
        known = followed_response(channel) if self.is_followed else channel.response
        tick_s = self.sampler.tick_s(channel.name) or 0.0
        return replace(
            known,
            settle_s=self.settled.settles_s[channel.name],
            prompt_s=self._prompt_s(channel) if known.settle_s is None else None,
            shortest_s=max(known.shortest_s, known.shortest_ticks * tick_s),
            edge_s=max(known.edge_s, known.edge_ticks * tick_s),
        )

    def _prompt_s(self, channel: Channel) -> float:
        """Seconds after the stop until its joules are in the counter, if they don't come late."""
        known_s = self.settled.prompts_s.get(channel.name)
        if known_s is not None:
            return known_s
        return min(settle_s(channel, self.sampler.tick_s(channel.name)), self.settled.settles_s[channel.name])

    def sampling_uncertainty_j(self) -> float:
        """Uncertainty of joules that are integrated from power samples, of all such channels."""
        uncertainties_j = []
        for channel in self.channels.sampled:
            ticks = self._ticks_around(channel, is_whole=True)
            first = bisect_right(ticks, self.start_s, key=lambda tick: tick.time_s)
            beside = ticks[max(0, first - QUIET_TICKS) :]
            uncertainties_j.append(quality.sampling_uncertainty_j(beside))
        return math.hypot(*uncertainties_j)

    def power_trace(self) -> dict[str, tuple[tuple[float, float], ...]]:
        """Power between the ticks that were surely inside the window, by channel; without those of no two."""
        if not self.channels.ticked:
            return {}
        share = _MOST_OF_ALL // max(1, len(self.channels.ticked))
        most = min(MOST_POINTS, max(_FEWEST, share)) - 1  # steps; the last pair ends the last one
        steps = {
            channel.name: power_steps(self._ticks_inside(channel.name), self.start_s, most=most)
            for channel in self.channels.ticked
        }
        return {name: pairs for name, pairs in steps.items() if pairs}

    def _places(self, name: str) -> tuple[Sequence[SeenTick], int, int]:
        """All ticks of a channel, and the index of the first after the start and after the stop."""
        ticks = self.sampler.ticks(name)
        first, last = (
            bisect_right(ticks, edge_s, key=lambda tick: tick.time_s)
            for edge_s in (self.start_s, self.stop_s)
        )
        return ticks, first, last

    def _ticks_inside(self, name: str) -> tuple[Tick, ...]:
        ticks, first, last = self._places(name)
        while first < last and ticks[first].straddles(self.start_s):
            first += 1
        while first < last and ticks[last - 1].straddles(self.stop_s):
            last -= 1
        return _ticks(ticks[first:last])

    def _ticks_around(self, channel: Channel, *, is_whole: bool) -> tuple[Tick, ...]:
        """Ticks before, beside and after the window, with every tick inside if it *is_whole*.

        Left out are ticks that may have been on either side of an edge of this window or an earlier one:
        an interval is then all work or all quiet.
        """
        ticks, first, last = self._places(channel.name)
        low, sure = max(0, first - HEAD_TICKS - 1), last
        while sure < len(ticks) and ticks[sure].after_s < self.stop_s:
            sure += 1  # where reads are slow, or another clock timed them, this one may be from before
        settled = self._first_after(ticks, self.stop_s + self.settled.settles_s[channel.name])
        stretch_s = self.stop_s + self.settled.settles_s[channel.name] + STRETCH_S
        end = max(settled + QUIET_TICKS, bisect_left(ticks, stretch_s, key=lambda tick: tick.time_s) + 1)
        around = ticks[low:end]
        if not is_whole and last - first > 2 * INNER_TICKS + 1:
            around = [*ticks[low : first + INNER_TICKS + 1], *ticks[last - INNER_TICKS : end]]
        quiet_s = self._quiet_since(ticks[low].time_s) if ticks else ()
        edges_s = {self.start_s, self.stop_s}.union(*quiet_s)
        prompt = self._first_after(ticks, self.stop_s + self._prompt_s(channel))
        late = [*ticks[sure:prompt], *ticks[prompt + 2 : settled]]
        return _ticks(
            tick
            for tick in around
            if tick not in late and not any(tick.straddles(edge_s) for edge_s in edges_s)
        )

    @staticmethod
    def _first_after(ticks: Sequence[SeenTick], time_s: float) -> int:
        """Index of the first tick that was surely after *time_s*."""
        index = bisect_left(ticks, time_s, key=lambda tick: tick.time_s)
        while index < len(ticks) and ticks[index].after_s < time_s:
            index += 1
        return index

    def _quiet_since(self, since_s: float) -> tuple[Span, ...]:
        """Quiet stretches that reach past *since_s*."""
        return tuple(span_s for span_s in self.quiet_s if since_s < span_s[1])


def _ticks(ticks: Iterable[SeenTick]) -> tuple[Tick, ...]:
    return tuple(tick.tick for tick in ticks)


def power_steps(
    ticks: Sequence[Tick], start_s: float, *, most: int = MOST_POINTS - 1
) -> tuple[tuple[float, float], ...]:
    """Pairs of seconds since *start_s* and the watts from then until the next pair.

    The last pair ends the last step, of at *most* so many, and repeats its watts. Times are rounded to 1 ms,
    watts to 4 significant digits. Nothing where no two ticks are a millisecond apart.
    """
    if len(ticks) < 2:
        return ()
    last = len(ticks) - 1
    count = min(most, last)
    ends: dict[float, Tick] = {}
    for tick in (ticks[number * last // count] for number in range(count + 1)):
        ends.setdefault(round(tick.time_s - start_s, _DECIMALS), tick)
    if len(ends) < 2:
        return ()
    powers_w = [
        float(f"{(after.joules - before.joules) / (after.time_s - before.time_s):.{_DIGITS}g}")
        for before, after in pairwise(ends.values())
    ]
    return tuple(zip(ends, (*powers_w, powers_w[-1]), strict=True))
