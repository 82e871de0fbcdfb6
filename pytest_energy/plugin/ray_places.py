"""Places on the Ray cluster that a test is connected to: all of its nodes, or those of a placement group.

Rule 1: nothing here imports Ray or connects to it: the test does, or isn't measured there.
Rule 2: nodes that can't all be measured are no place: a sum of the others would be too small.
Rule 3: runs on this machine take turns at the nodes, as they do at devices of their own.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace

from pytest_energy.baselines.topology import joined_machine
from pytest_energy.meter.clock import Clock
from pytest_energy.nodes.joined import JoinedMeter
from pytest_energy.nodes.ray_meters import RayMeters
from pytest_energy.nodes.ray_source import RaySource
from pytest_energy.plugin.place import Place
from pytest_energy.remote.meter import RemoteMeter, remote_meter, this_run


class RayPlaces:
    """The nodes of a cluster as places.

    Args:
        meters: Has an agent on each node that is asked for.
        clock: Of this machine.
        synchronize: Waits until work of this process has ended.
        here: Facts of the code under test, which is on this machine: its commit.
        status: Shows what takes its time.
        owned: Holds devices against other runs of this machine.
    """

    def __init__(
        self,
        meters: RayMeters,
        *,
        clock: Clock,
        synchronize: Callable[[], None],
        here: Mapping[str, str],
        status: Callable[[str], AbstractContextManager[None]],
        owned: Callable[[Iterable[str]], AbstractContextManager[None]],
    ) -> None:
        self._ray_meters, self._clock, self._synchronize = meters, clock, synchronize
        self._here, self._status, self._owned = here, status, owned
        self._who = this_run()
        self._nodes: dict[tuple[str, ...], RemoteMeter] = {}
        self._places: dict[tuple[tuple[str, ...], ...], Place] = {}

    @property
    def has_several_nodes(self) -> bool:
        """Whether this process is connected to a cluster of more than one node."""
        return self._ray_meters.node_count > 1

    def check_group(self, placement_group: object) -> None:
        """Refuse what is no placement group of this cluster.

        Raises:
            EnergyError: It is none, or Ray isn't connected.
        """
        self._ray_meters.check_group(placement_group)

    def of(self, placement_group: object = None) -> Place:
        """The place of the nodes of a placement group, or of all that count, with its meter started.

        Raises:
            EnergyError: One of them can't be measured.
        """
        with self._status("starting meters on the nodes of Ray"):
            sources = self._ray_meters.sources(placement_group)
        keys = {name: _key(name, source) for name, source in sources.items()}
        key = tuple(keys.values())
        if key not in self._places:
            self._places[key] = place = self._joined(sources, keys)
            status = self._status("measuring the power at rest of the nodes of Ray")
            with status, self._owned(place.meter.devices(None)):
                place.meter.start()
        return self._places[key]

    def _joined(self, sources: Mapping[str, RaySource], keys: Mapping[str, tuple[str, ...]]) -> Place:
        for name, source in sources.items():
            if keys[name] not in self._nodes:
                self._nodes[keys[name]] = self._node(name, source)
        machine = joined_machine([source.description().machine for source in sources.values()])
        return Place(
            meter=JoinedMeter({name: self._nodes[key].meter for name, key in keys.items()}),
            machine=replace(machine, varying={**machine.varying, **self._here}),
        )

    def _node(self, name: str, source: RaySource) -> RemoteMeter:
        return remote_meter(
            source,
            name=name,
            who=self._who,
            clock=self._clock,
            synchronize=self._synchronize,
            is_kin=source.is_kin,
        )

    def pause(self) -> None:
        """Leave the process without a thread or a window, until the next test."""
        for node in self._nodes.values():
            node.meter.pause()

    def close(self) -> None:
        """End the agents too."""
        for node in self._nodes.values():
            node.close()
        self._ray_meters.close()


def _key(name: str, source: RaySource) -> tuple[str, ...]:
    """What a node's meter is of: an agent, and those of its channels that are read."""
    description = source.description()
    return (name, description.agent_id, *(channel.name for channel in description.channels))
