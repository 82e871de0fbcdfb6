"""Waiting for ticks beside a window: what comes before its start and after its stop is then known."""

import math
from collections import deque
from collections.abc import Iterable, Sequence

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.quiet_power import Span
from pytest_energy.meter.sampler import Sampler
from pytest_energy.meter.tick_times import HEAD_TICKS
from pytest_energy.model import Channel

QUIET_TICKS = 2
"""Ticks to wait for beside a window: the first may lack the end of the work (measured on an H100)."""

# How long to wait for them: a tick that comes late by a whole period, and a held-up thread.
_WAIT_TICKS, _WAIT_S = 4.0, 1.0


def late_ticks(channel: Channel) -> int:
    """Ticks after the work that may lack its end; where power is integrated one more is late."""
    return QUIET_TICKS + (channel.sampled_s is not None)


def slowest_tick_s(sampler: Sampler, channels: Iterable[Channel]) -> float | None:
    """The longest period of those channels that tick; `None` where none is known."""
    ticks_s = [sampler.tick_s(channel.name) for channel in channels if channel.is_ticked]
    return max((tick_s for tick_s in ticks_s if tick_s is not None), default=None)


def why_not_followed(sampler: Sampler, ticked: Iterable[Channel]) -> str | None:
    """Why nobody sees the ticks of one of these channels, or `None`."""
    if sampler.failure is not None:
        return f"the sampling has ended: {sampler.failure!r}"
    for channel in ticked:
        name = channel.name
        if sampler.is_silent(name):
            still = f"{name}: its counter stands still; one that never moves measures nothing"
            ticks = sampler.ticks(name)
            return sampler.fault_since(name, ticks[-1].time_s if ticks else -math.inf) or still
        if sampler.tick_s(name) is None:
            return f"{name}: the period of its counter hasn't been found"
    return None


def wait_for_ticks(sampler: Sampler, clock: Clock, ticked: Sequence[Channel], since_s: float) -> str | None:
    """Wait until each channel has ticked often enough after *since_s*; if one doesn't, why."""
    tick_s = slowest_tick_s(sampler, ticked) or 0.0
    limit_s = since_s + _WAIT_TICKS * tick_s + _WAIT_S
    missing, names = list(ticked), [channel.name for channel in ticked]
    sampler.poll_eagerly(names)
    try:
        while missing and sampler.failure is None:
            now_s = clock.now_s()
            if now_s > limit_s:
                return f"{missing[0].name}: its counter didn't tick twice in {now_s - since_s:.3g} s"
            clock.sleep_s(min(max(tick_s / 50, 2e-4), 2e-3))
            missing = [c for c in missing if sampler.count_after(c.name, since_s) < late_ticks(c)]
    finally:
        sampler.poll_normally(names)
    return None


class QuietSpans:
    """Stretches of time in which nothing was at work, shared by the windows of one meter."""

    def __init__(self) -> None:
        self._spans: deque[Span] = deque(maxlen=HEAD_TICKS)
        self.names: frozenset[str] = frozenset()
        """The channels whose ticks were waited for in the last stretch."""
        self.first_power_w: dict[str, float] = {}
        """Quiet power before the first window over each channel."""

    def add(self, from_s: float, until_s: float, names: Iterable[str] | None = None) -> None:
        """Know of a stretch, *names* those of the last by default; one that continues it makes it longer."""
        if self._spans and self._spans[-1][1] == from_s:
            from_s = self._spans.pop()[0]
        self._spans.append((from_s, until_s))
        if names is not None:
            self.names = frozenset(names)

    @property
    def until_s(self) -> float:
        """Until when it is known to have been quiet."""
        return self._spans[-1][1] if self._spans else -math.inf

    def until(self, stop_s: float) -> tuple[Span, ...]:
        """The stretches that ended by *stop_s*, oldest first."""
        return tuple(span_s for span_s in self._spans if span_s[1] <= stop_s)
