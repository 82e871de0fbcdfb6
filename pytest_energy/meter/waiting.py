"""Waiting for ticks beside a window: what comes before its start and after its stop is then known."""

import math
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.quiet_power import Span
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.tick_times import HEAD_TICKS
from pytest_energy.model import Channel

QUIET_TICKS = 2
"""Ticks to wait for once a counter has settled: the first holds all of the work, and between the two it is
quiet."""

# A counter is as prompt as this, where nothing else is known of it.
_PROMPT_S = 0.1

LEFT_S = 0.5
"""Counters are left alone for so long after work began, and then until they have settled after it: a read
that comes right after short work changes what is counted of it (docs/results/meter-response.md)."""

# How long to wait for them: a tick that comes late by a whole period, and a held-up thread.
_WAIT_TICKS, _WAIT_S = 4.0, 1.0


# What a device draws more than at rest after work, for a while, is 0.2 J on an H100: nearly 3 % of the joules
# of 10 ms of work, and half a percent of those of so long work.
_SHORT_S = 0.05

# A read takes a millisecond of processor time (docs/decisions/0004-every-tick.md): so often, 2 % of a core.
_READ_EACH_S = 0.05


def settle_s(channel: Channel, tick_s: float | None, work_s: float = 0.0) -> float:
    """Seconds after work until its joules are in the counter of *channel*, of the period *tick_s*.

    After short work, or if *work_s* is unknown, the device is at rest by then, too. Where nothing is known it
    is a tick: the first after the work may lack its end (measured on an H100). What a device draws within a
    tenth of a second of its work counts as the work's.
    """
    known_s, rest_s = channel.response.settle_s, channel.response.rest_s
    if known_s is None:
        return max(tick_s or 0.0, _PROMPT_S)
    return max(known_s, rest_s) if work_s < _SHORT_S else known_s


def slowest_tick_s(sampler: TickSource, channels: Iterable[Channel]) -> float | None:
    """The longest period of those channels that tick; `None` if none is known."""
    ticks_s = [sampler.tick_s(channel.name) for channel in channels if channel.is_ticked]
    return max((tick_s for tick_s in ticks_s if tick_s is not None), default=None)


def to_follow(sampler: TickSource, ticked: Collection[Channel]) -> list[Channel]:
    """Those whose ticks are to show how even the work of a window is, as they may be off by its steps.

    None of them where to read each tick would cost more than 2 % of a core.
    """
    if (slowest_tick_s(sampler, ticked) or 0.0) < _READ_EACH_S * len(ticked):
        return []
    return [c for c in ticked if c.response.settle_s is None and c.response.edge_s > 0]


def until_share_s(sampler: TickSource, channels: Iterable[Channel], share: float, now_s: float) -> float:
    """Seconds from *now_s* until so much of a tick of the slowest channel has passed; 0 where none ticks."""
    ticking = [(sampler.tick_s(channel.name) or 0.0, channel.name) for channel in channels]
    tick_s, name = max(ticking, default=(0.0, ""))
    ticks = sampler.ticks(name) if tick_s else ()
    passed_ticks = (now_s - ticks[-1].time_s) / tick_s if ticks else 0.0
    return (share - passed_ticks) % 1.0 * tick_s


def why_not_followed(sampler: TickSource, ticked: Iterable[Channel]) -> str | None:
    """Why the ticks of one of these channels were not found, or `None`."""
    for channel in ticked:
        if sampler.tick_s(channel.name) is None:
            return _why_silent(sampler, channel.name) or (
                f"{channel.name}: the period of its counter hasn't been found"
            )
    return None


def _why_silent(sampler: TickSource, name: str) -> str | None:
    if sampler.is_silent(name):
        return f"{name}: its counter does not move, so it measures nothing"
    return None


def wait_for_ticks(
    sampler: TickSource,
    clock: Clock,
    since_s: Mapping[Channel, float],
    why_stop: Callable[[], str | None],
) -> str | None:
    """Wait until each channel has ticked twice after its moment; if one doesn't, why.

    What counts is how long others could run. Where this thread or the interpreter was held up, by the work
    itself perhaps, no read was made meanwhile and nobody knows what the counters did.

    Args:
        sampler: Follows the channels.
        clock: The sampler's.
        since_s: The moment of each channel, now or before or soon; all channels tick.
        why_stop: Asked again and again: why not to wait any longer.
    """
    begun_s = clock.now_s()
    tick_s = slowest_tick_s(sampler, since_s) or 0.0
    nap_s = min(max(tick_s / 50, 2e-4), 2e-3)
    left_s = _WAIT_TICKS * tick_s + _WAIT_S + sampler.lag_s + max(0.0, max(since_s.values()) - begun_s)
    missing, names = list(since_s), [channel.name for channel in since_s]
    sampler.poll_eagerly(names)
    try:
        while missing:
            because = why_stop() or _why_in_vain(sampler, missing, begun_s)
            if because is not None:
                return because
            if left_s <= 0:
                waited_s = clock.now_s() - begun_s
                return f"{missing[0].name}: its counter didn't tick twice in {waited_s:.3g} s"
            clock.sleep_s(nap_s)
            left_s -= nap_s
            missing = [c for c in missing if sampler.count_after(c.name, since_s[c]) < QUIET_TICKS]
    finally:
        sampler.poll_normally(names)
    return None


def _why_in_vain(sampler: TickSource, missing: Iterable[Channel], since_s: float) -> str | None:
    """Why to wait for one of these is in vain, by a read that was begun after *since_s*."""
    fresh = (channel.name for channel in missing if sampler.is_read_since(channel.name, since_s))
    return next((because for name in fresh if (because := _why_silent(sampler, name))), None)


class QuietSpans:
    """Stretches of time in which nothing was at work, shared by the windows of one meter."""

    def __init__(self) -> None:
        self._spans: deque[Span] = deque(maxlen=HEAD_TICKS)
        self.names: frozenset[str] = frozenset()
        """The channels whose ticks were waited for in the last stretch."""
        self.worked_until_s: float | None = None
        """When the work before the last stretch ended; power may have fallen for a while after it."""
        self.power_w: dict[str, float] = {}
        """Power at rest of each channel, as the last window found it."""
        self.scatters: dict[str, float] = {}
        """By how much it differs from stretch to stretch, as a share, where that is known."""
        self.first_power_w: dict[str, float] = {}
        """Quiet power before the first window over each channel."""

    def forget(self) -> None:
        """Know of no stretch: what was quiet then is long past."""
        self._spans.clear()
        self.power_w.clear()
        self.names, self.worked_until_s = frozenset(), None

    def add(self, from_s: float, until_s: float, names: Iterable[str] | None = None) -> None:
        """Know of a stretch, *names* those of the last by default; one that continues it makes it longer."""
        if self._spans and self._spans[-1][1] == from_s:
            from_s = self._spans.pop()[0]
        self._spans.append((from_s, until_s))
        if names is not None:
            self.names = frozenset(names)

    def go_on(self, until_s: float) -> None:
        """Know that the last stretch goes on until then."""
        self._spans[-1] = (self._spans[-1][0], until_s)

    @property
    def until_s(self) -> float:
        """Until when it is known to have been quiet."""
        return self._spans[-1][1] if self._spans else -math.inf

    def until(self, stop_s: float) -> tuple[Span, ...]:
        """The stretches that ended by *stop_s*, oldest first."""
        return tuple([span_s for span_s in self._spans if span_s[1] <= stop_s])
