"""A Ray cluster whose nodes are lost when a test says so."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_energy.errors import EnergyError
from pytest_energy.model import Channel, Domain, Machine, Provenance, SensorStatus
from pytest_energy.nodes.ray_actor import NodePoll, Wanted
from pytest_energy.nodes.ray_nodes import RayNode
from pytest_energy.remote.protocol import AgentDescription, AgentLost, ChannelTicks, Cursor, HostReport, Poll


def channel(name: str, device: str) -> Channel:
    return Channel(
        name=name, domain=Domain(name.partition(":")[0]), device=device, is_ticked=True, resolution_j=1e-3
    )


def description(*channels: Channel, agent_id: str = "one", boot_id: str | None = None) -> AgentDescription:
    """What an agent says of itself that reads *channels*, all by one sensor."""
    names = tuple(one.name for one in channels)
    return AgentDescription(
        agent_id=agent_id,
        host="host",
        version="1",
        provenance=Provenance.MEASURED,
        channels=channels,
        statuses=(SensorStatus(name="fake", channels=names, provenance=Provenance.MEASURED),),
        machine=Machine(key="fake"),
        boot_id=boot_id,
    )


@dataclass
class FakeActor:
    """An actor that answers as it is told, and not at all once it is lost."""

    answer: AgentDescription
    lost_because: str | None = None
    is_ended: bool = False
    answers: Mapping[str, object] = field(default_factory=dict)

    def ask(self, method: str, *arguments: object, limit_s: float) -> Any:
        del arguments, limit_s
        if self.lost_because is not None:
            raise AgentLost(self.lost_because)
        return self.answers.get(method, self.answer)

    def end(self) -> None:
        self.is_ended = True


class FakeCluster:
    """Nodes by id, each a host of its own with one GPU's counter.

    Attributes:
        connected: The name of the connection, or `None`.
        alive: The nodes that Ray takes for alive.
        broken: Id of a node to the reason why no actor starts there.
        unnoticed: Nodes that are lost, which Ray notices when an actor is asked for there.
        actors: Those that were started, by node id.
        provenance: Of their joules.
    """

    def __init__(self, *names: str, gpu_counts: Mapping[str, float] | None = None) -> None:
        self.connected: str | None = "gcs job-1"
        gpus = gpu_counts or {}
        self.alive = {
            f"id-{index}": RayNode(node_id=f"id-{index}", name=name, gpu_count=gpus.get(name, 0.0))
            for index, name in enumerate(names)
        }
        self.broken: dict[str, str] = {}
        self.unnoticed: set[str] = set()
        self.groups: dict[object, tuple[str, ...]] = {}
        self.actors: dict[str, list[FakeActor]] = {}
        self.provenance = Provenance.MEASURED

    def connection(self) -> str | None:
        return self.connected

    def nodes(self) -> tuple[RayNode, ...]:
        return tuple(self.alive.values())

    def check_group(self, placement_group: object) -> None:
        if placement_group not in self.groups:
            raise EnergyError("no placement group")

    def nodes_of(self, placement_group: object) -> tuple[str, ...]:
        if not {*self.groups[placement_group]} <= self.alive.keys():
            raise EnergyError("the placement group is RESCHEDULING.")
        return self.groups[placement_group]

    def answers(self, agent_id: str) -> Mapping[str, object]:
        """What its actors answer, besides `description`: polls without a tick."""
        host = HostReport(cpu_busy_s=0.0, cpu_total_s=0.0)
        poll = Poll(
            agent_id=agent_id,
            asked_s=1.0,
            time_s=1.0,
            cursor=Cursor(),
            channels={"gpu:0": ChannelTicks()},
            host=host,
        )
        return {"poll": NodePoll(poll=poll, own_pids=frozenset()), "release": None}

    def start(self, node: RayNode, wanted: Wanted) -> FakeActor:
        del wanted
        number = len(self.actors.setdefault(node.node_id, []))
        answer = description(
            channel("gpu:0", f"GPU-{node.node_id}"),
            agent_id=f"{node.node_id}.{number}",
            boot_id=f"boot-{node.node_id}",
        )
        answer = replace(answer, provenance=self.provenance)
        actor = FakeActor(answer, self.broken.get(node.node_id), answers=self.answers(answer.agent_id))
        if node.node_id in self.unnoticed:
            actor.lost_because = "its node has died"
            del self.alive[node.node_id]
        self.actors[node.node_id].append(actor)
        return actor

    def lose(self, node_id: str) -> None:
        """Lose a node, of which Ray knows nothing yet."""
        self.unnoticed.add(node_id)
        for actor in self.actors.get(node_id, ()):
            actor.lost_because = "it can't be reached"
