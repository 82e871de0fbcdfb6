"""What the counters show over some seconds in which nothing is started or stopped.

Rule 1: a channel that ticks gives its ticks; one that is read at the edges gives a read at either end.
Rule 2: a read that fails is missing, and the channel then has fewer than the two that power takes.
"""

from collections.abc import Iterable, Sequence

from pytest_energy.errors import SensorError
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.sampler import Sampler
from pytest_energy.model import Channel, Tick

FIND_S = 5.0
"""Finding a period takes three ticks, of a second at most; what hasn't moved by then stands still."""

_LOOK_S = 0.05  # half of NVML's period


def at_rest(
    sampler: Sampler, channels: Iterable[Channel], clock: Clock, duration_s: float, *, find_s: float = FIND_S
) -> dict[str, list[Tick]]:
    """Ticks of *channels* from now on, by name.

    Args:
        sampler: Follows them, and is running.
        channels: Of that sampler.
        clock: Of that sampler.
        duration_s: For how long, at least.
        find_s: For how long at most, while the period of a counter is still searched for.
    """
    channels = tuple(channels)
    edge_channels = [channel.name for channel in channels if not channel.is_ticked]
    ticked = [channel.name for channel in channels if channel.is_ticked]
    start_s = clock.now_s()
    before = {name: _read(sampler, name, clock) for name in edge_channels}
    clock.sleep_s(duration_s)
    while clock.now_s() - start_s < find_s and _is_searching(sampler, ticked):
        clock.sleep_s(_LOOK_S)
    ticks = {name: [*before[name], *_read(sampler, name, clock)] for name in edge_channels}
    return ticks | {name: [t.tick for t in sampler.ticks(name) if t.time_s >= start_s] for name in ticked}


def _is_searching(sampler: Sampler, ticked: Sequence[str]) -> bool:
    """Whether the period of one of these channels may still be found."""
    return sampler.failure is None and any(
        sampler.tick_s(name) is None and not sampler.is_silent(name) for name in ticked
    )


def _read(sampler: Sampler, name: str, clock: Clock) -> list[Tick]:
    try:
        joules = sampler.read_j(name)
    except SensorError:
        return []  # whoever needs this channel's joules will say so
    return [Tick(clock.now_s(), joules)]
