"""Power at rest: what the counters show over some seconds without work.

Before any work of ours no context of ours is open on a GPU. One with an open context draws more while it
waits (70 against 120 W on an H100): that is `ready`, not `idle`.

Rule 1: a channel that ticks gives its ticks; one that is read at the edges gives a read at either end.
Rule 2: a read that fails is missing, and the channel then has fewer than the two that power takes.
Rule 3: an estimate has no idle power: what its sensor takes for the idle share is an assumption, and
        subtracting it would only show that assumption again.
"""

from collections.abc import Iterable, Sequence

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.tick_source import TickSource
from pytest_energy.model import Channel, Tick

IDLE_S = 3.0
"""Long enough for 30 ticks of NVML's 100 ms, or 3 of the slowest counter known."""

FIND_S = 5.0
"""Finding a period takes three ticks, of a second at most; what hasn't moved by then doesn't tick."""

_LOOK_S = 0.05  # half of NVML's period


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
    return [Tick(read.middle_s, read.joules)]
