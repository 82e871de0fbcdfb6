"""Waiting until counters have settled: before a window, and after its work."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.counter_step import step_j
from pytest_energy.meter.settling import STRETCH_S, Settling, scatter, ticks_after
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.tick_times import HEAD_TICKS
from pytest_energy.meter.waiting import (
    QuietSpans,
    settle_s,
    slowest_tick_s,
    wait_for_ticks,
    why_not_followed,
)
from pytest_energy.model import Channel

# For how long a counter may settle after it is expected to have: a filter of 0.1 s takes half a second.
_LONGEST_SETTLING_S, _MOST_SETTLING_TICKS = 1.2, 12


class Settled(NamedTuple):
    """When counters had settled.

    Attributes:
        settles_s: Channel name to seconds after the work.
        prompts_s: The same of fast counters whose joules didn't seem to come late.
        void_because: Why what they show can't be used.
    """

    settles_s: Mapping[str, float]
    prompts_s: Mapping[str, float]
    void_because: str | None


NOTHING_SETTLED = Settled({}, {}, None)
"""Of a window without a counter that ticks."""


class SettlingWait:
    """Waits for the counters of one window.

    Args:
        sampler: Follows them.
        clock: The sampler's.
        quiet: Whose power at rest is known, and becomes known.
        ticked: The window's channels that tick.
        why_faulty: Asked again and again: why not to wait any longer.
    """

    def __init__(
        self,
        sampler: TickSource,
        clock: Clock,
        quiet: QuietSpans,
        ticked: Sequence[Channel],
        why_faulty: Callable[[], str | None],
    ) -> None:
        self._sampler, self._clock, self._quiet = sampler, clock, quiet
        self._ticked, self._why_faulty = ticked, why_faulty

    def expected_s(self, work_s: float) -> dict[str, float]:
        """Seconds after so much work until each counter has settled, as far as is known before."""
        return {c.name: settle_s(c, self._sampler.tick_s(c.name), work_s) for c in self._ticked}

    def before_work(self, since_s: float) -> Settled:
        """Wait after other work until *since_s*.

        Where power still falls by the end, it is what power after the window's work is compared with.
        """
        settled, settling = self._wait(since_s, self._ticked, 0.0)
        self._quiet.power_w |= {name: one.level_w for name, one in settling.items() if one.level_w}
        for channel in self._ticked:
            ticks = self._sampler.ticks(channel.name)[-HEAD_TICKS:]
            known = scatter(ticks, self._sampler.tick_s(channel.name))
            if known is not None:
                self._quiet.scatters[channel.name] = known
        return settled

    def after_work(self, since_s: float, work_s: float) -> Settled:
        """Wait after *work_s* of work until *since_s*; counters of unknown response may show it late."""
        unknown = [channel for channel in self._ticked if channel.response.settle_s is None]
        return self._wait(since_s, unknown, work_s)[0]

    def _wait(
        self, since_s: float, watched: Sequence[Channel], work_s: float
    ) -> tuple[Settled, dict[str, Settling]]:
        """Wait until each counter has settled, and ticked twice then.

        Power of *watched* is then what it was at rest before, or stays the same. A fast counter that was so
        from the first look on has settled by the end of that one: some joules may still have come in it.

        Returns:
            When each had, and those that haven't.
        """
        settles_s = self.expected_s(work_s)
        prompts_s: dict[str, float] = {}
        moments_s = {channel: since_s + settles_s[channel.name] for channel in self._ticked}
        why_not_ticked = wait_for_ticks(self._sampler, self._clock, moments_s, self._why_faulty)
        because = self._why_faulty() or why_not_ticked or why_not_followed(self._sampler, self._ticked)
        tick_s = slowest_tick_s(self._sampler, self._ticked) or 0.0
        latest_s = self._clock.now_s() + max(_LONGEST_SETTLING_S, _MOST_SETTLING_TICKS * tick_s)
        settling = {
            c.name: Settling(
                self._quiet.power_w.get(c.name),
                self._step_j(c),
                None if c.response.settle_s is not None else self._quiet.scatters.get(c.name),
                self._sampler.tick_s(c.name),
            )
            for c in watched
        }
        seen_s = {channel.name: moments_s[channel] for channel in watched}
        while settling and because is None and self._clock.now_s() < latest_s:
            is_new = False
            for name in tuple(settling):
                pair = ticks_after(self._sampler.ticks(name), seen_s[name])
                if pair is None:
                    continue
                is_new, seen_s[name] = True, pair[1].time_s
                one = settling[name]
                one.see(*pair)
                if one.settled_s is not None:
                    settles_s[name] = one.settled_s - since_s
                if one.is_over and one.quiet_w is not None:
                    self._quiet.power_w[name] = one.quiet_w
                    is_fast = (self._sampler.tick_s(name) or math.inf) < STRETCH_S and not one.step_j
                    if is_fast and one.settled_s is None:
                        prompts_s[name] = settles_s[name] = one.first_look_s - since_s
                    del settling[name]
            if settling and not is_new:
                because = self._wait_for_one_more(settling)
        quiet_s = {c: since_s + settles_s[c.name] + STRETCH_S for c in watched if c.name in prompts_s}
        if quiet_s and because is None:
            because = wait_for_ticks(self._sampler, self._clock, quiet_s, self._why_faulty)
        return Settled(settles_s, prompts_s, because), settling

    def _step_j(self, channel: Channel) -> float:
        return step_j([seen.tick for seen in self._sampler.ticks(channel.name)[-HEAD_TICKS:]])

    def _wait_for_one_more(self, names: Collection[str]) -> str | None:
        """Wait for another tick of each of these channels; if one doesn't tick, why."""
        channels = [channel for channel in self._ticked if channel.name in names]
        last_s = {channel: self._sampler.ticks(channel.name)[-1].after_s for channel in channels}
        return wait_for_ticks(self._sampler, self._clock, last_s, self._why_faulty)
