"""Power at rest: what the counters show over some seconds without work.

Before any work of ours no context of ours is open on a GPU. One with an open context draws more while it
waits (70 against 120 W on an H100): that is `ready`, not `idle`.

Rule 1: a channel that ticks gives its ticks; one that is read at the edges gives a read at either end.
Rule 2: a read that fails is missing, and the channel then has fewer than the two that power takes.
Rule 3: power that still falls or rises isn't at rest: it is waited for, for some seconds, and then unknown.
Rule 4: an estimate has no idle power: what its sensor takes for the idle share is an assumption, and
        subtracting it would only show that assumption again.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import fmean, median

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.meter.tick_times import fit_tick_times
from pytest_energy.model import Channel, Tick
from pytest_energy.units import to_text

IDLE_S = 3.0
"""Long enough for 30 ticks of NVML's 100 ms, or 3 of the slowest counter known."""

FIND_S = 5.0
"""Finding a period takes three ticks, of a second at most; what hasn't moved by then doesn't tick."""

_LOOK_S = 0.05  # half of NVML's period

_MOST_TIMES = 4
"""Power that isn't at rest yet is measured again, so often in all."""

# What is left of a decay is more than it loses in two of the three seconds, by up to ten times where it takes
# twenty seconds. Less than this share can't be told from drift: quiet ticks of an H100 agree within 0.2 %.
_TREND_SHARE = 0.01
_PROOF = 3.0  # standard errors
_STRETCHES, _FEWEST_STRETCHES = 6, 4


def at_rest(
    sampler: TickSource,
    channels: Iterable[Channel],
    clock: Clock,
    duration_s: float,
    *,
    find_s: float = FIND_S,
) -> dict[str, list[Tick]]:
    """Ticks of *channels* from now on, by name; their sampler is running.

    Args:
        sampler: Follows them.
        channels: All, or some.
        clock: The sampler's.
        duration_s: For how long, at least.
        find_s: For how long at most, while the period of a counter is still searched for.
    """
    channels = tuple(channels)
    edge_channels = [channel.name for channel in channels if not channel.is_ticked]
    ticked = [channel.name for channel in channels if channel.is_ticked]
    start_s = clock.now_s()
    before = {name: _read(sampler, name) for name in edge_channels}
    clock.sleep_s(duration_s)
    while clock.now_s() - start_s < find_s and _is_searching(sampler, ticked):
        clock.sleep_s(_LOOK_S)
    ticks = {name: [*before[name], *_read(sampler, name)] for name in edge_channels}
    return ticks | {name: [t.tick for t in sampler.ticks(name) if t.time_s >= start_s] for name in ticked}


def settled(
    sampler: TickSource, channels: Iterable[Channel], clock: Clock
) -> tuple[dict[str, list[Tick]], tuple[str, ...]]:
    """As `at_rest`, but only when the power of channels that tick no longer falls or rises.

    Returns:
        The ticks without those of channels that are still on their way, and a note on each of these.
    """
    channels = tuple(channels)
    for _ in range(_MOST_TIMES):
        ticks = at_rest(sampler, channels, clock, IDLE_S)
        notes = {name: note for name in ticks if (note := _why_unsettled(name, ticks[name])) is not None}
        if not notes:
            break
    return {name: ticks[name] for name in ticks if name not in notes}, tuple(notes.values())


def _why_unsettled(name: str, ticks: Sequence[Tick]) -> str | None:
    """Why power isn't at rest, or `None` if it is or there are too few ticks to see it change."""
    ticks = _best_known(ticks)
    last = len(ticks) - 1
    count = min(_STRETCHES, last)
    if count < _FEWEST_STRETCHES:
        return None
    ends = [ticks[number * last // count] for number in range(count + 1)]
    powers_w = [(b.joules - a.joules) / (b.time_s - a.time_s) for a, b in pairwise(ends)]
    beside = count // 3
    first_w, last_w = fmean(powers_w[:beside]), fmean(powers_w[-beside:])
    # Second differences have no part in a steady change: what they show is chance (its variance six times).
    bends_w = [abs(a - 2 * b + c) for a, b, c in zip(powers_w, powers_w[1:], powers_w[2:], strict=False)]
    error_w = 1.4826 * median(bends_w) / math.sqrt(6) * math.sqrt(2 / beside)
    if abs(last_w - first_w) <= max(_TREND_SHARE * last_w, _PROOF * error_w):
        return None
    verb = "fell" if last_w < first_w else "rose"
    return (
        f"{name}: power at rest is unknown: at the start of the run it still {verb}, "
        f"from {to_text(first_w, 'W', digits=3)} to {to_text(last_w, 'W', digits=3)} in "
        f"{to_text(ticks[-1].time_s - ticks[0].time_s, 's', digits=2)}. Start the run some seconds later"
    )


def _best_known(ticks: Sequence[Tick]) -> list[Tick]:
    """Those whose time is known about as well as most, at their best times."""
    spreads_s = [tick.spread_s for tick in ticks if tick.spread_s is not None]
    if len(spreads_s) < len(ticks) or not ticks:
        return list(ticks)
    times = fit_tick_times(0, [tick.time_s for tick in ticks], spreads_s).ticks
    limit_s = 2 * median(time.spread_s for time in times)
    best = [
        Tick(time.time_s, tick.joules)
        for time, tick in zip(times, ticks, strict=True)
        if time.spread_s <= limit_s
    ]
    return [best[0], *(b for a, b in pairwise(best) if a.time_s < b.time_s)]


def mean_power_w(ticks: Sequence[Tick]) -> float | None:
    """Mean power from first to last tick; `None` with fewer than two, or if the counter doesn't move.

    >>> mean_power_w([Tick(0.0, 0.0), Tick(1.0, 70.0), Tick(2.0, 140.0)])
    70.0
    """
    if len(ticks) < 2 or not ticks[-1].time_s > ticks[0].time_s:
        return None
    power_w = (ticks[-1].joules - ticks[0].joules) / (ticks[-1].time_s - ticks[0].time_s)
    return power_w if power_w > 0 else None


def _is_searching(sampler: TickSource, ticked: Sequence[str]) -> bool:
    """Whether the period of one of these channels may still be found."""
    return sampler.why_dead() is None and any(
        sampler.tick_s(name) is None and not sampler.is_silent(name) for name in ticked
    )


def _read(sampler: TickSource, name: str) -> list[Tick]:
    try:
        read = sampler.read(name)
    except SensorError:
        return []  # whoever needs this channel's joules will say so
    return [Tick(read.looked_s, read.joules)]
