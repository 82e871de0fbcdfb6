"""The channels of a window, by how they are read: worked out once for all windows over them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_energy.meter import quality
from pytest_energy.model import Channel
from pytest_energy.sensors.estimate import CHANNEL, is_of_cpu_time


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChannels:
    """The channels of a window.

    Attributes:
        every: All of them, in order.
        names: Their names.
        ticked: Those whose ticks are followed.
        sampled: Those whose joules are integrated from samples of power.
        edge_names: Names of those that are read at the edges.
        exact_names: Names of those that count the work alone.
        is_of_cpu_time: All are estimates from processor time.
        is_of_own_time: All joules are those of the processor time of this run's processes.
        may_be_off: Names of those of which 0 J are a reading.
        resolutions_j: Smallest step of each, by name.
        ages_s: How old a value may be that is read at an edge, by name, where it may.
        notes: A sentence for each whose joules aren't a counter's.
    """

    every: tuple[Channel, ...]
    names: tuple[str, ...]
    ticked: tuple[Channel, ...]
    sampled: tuple[Channel, ...]
    edge_names: tuple[str, ...]
    exact_names: frozenset[str]
    is_of_cpu_time: bool
    is_of_own_time: bool
    may_be_off: tuple[str, ...]
    resolutions_j: Mapping[str, float]
    ages_s: Mapping[str, float]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, channels: Iterable[Channel]) -> "WindowChannels":
        every = tuple(channels)
        return cls(
            every=every,
            names=tuple(channel.name for channel in every),
            ticked=tuple(channel for channel in every if channel.is_ticked),
            sampled=tuple(channel for channel in every if channel.sampled_s is not None),
            edge_names=tuple(channel.name for channel in every if not channel.is_ticked),
            exact_names=frozenset(channel.name for channel in every if channel.is_of_processes),
            is_of_cpu_time=is_of_cpu_time(channel.name for channel in every),
            is_of_own_time=[channel.name for channel in every] == [CHANNEL],
            may_be_off=tuple(channel.name for channel in every if channel.may_be_off),
            resolutions_j={channel.name: channel.resolution_j for channel in every},
            ages_s={c.name: c.age_s for c in every if c.age_s and not c.is_ticked},
            notes=quality.sampling_notes(every),
        )
