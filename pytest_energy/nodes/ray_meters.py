"""The meters of a Ray cluster's nodes: one agent a node, one meter for all that a test uses.

Rule 1: an agent that ends is not started again behind a window: the window is void. The next test gets a new
        one, if the node is alive, and otherwise the nodes that are left, unless it asks for the lost one.
Rule 2: the machine of the test is measured by an agent like any other node: one way for all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_energy.errors import EnergyError
from pytest_energy.nodes.own_counters import own_counters
from pytest_energy.nodes.ray_actor import Wanted
from pytest_energy.nodes.ray_cluster import START_LIMIT_S, RayCluster, RemoteActor
from pytest_energy.nodes.ray_nodes import NodeNames, RayNode, covered
from pytest_energy.nodes.ray_source import RaySource
from pytest_energy.remote.protocol import AgentDescription, AgentLost

_PING_LIMIT_S = 5.0  # an agent that serves answers in 1 ms


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAgentHandle:
    """An agent that runs on a node."""

    actor: RemoteActor
    description: AgentDescription


class RayMeters:
    """The meters of the nodes of the cluster that this process is connected to.

    Args:
        cluster: Ray.
        wanted: What to measure with on each node.
    """

    def __init__(self, cluster: RayCluster, wanted: Wanted) -> None:
        self._cluster, self._wanted = cluster, wanted
        self._connection: str | None = None
        self._names = NodeNames()
        self._agents: dict[str, NodeAgentHandle] = {}  # by node id

    @property
    def node_count(self) -> int:
        """Nodes that are alive; 0 without a cluster."""
        return 0 if self._cluster.connection() is None else len(self._cluster.nodes())

    def check_group(self, placement_group: object) -> None:
        """Refuse what is no placement group of this cluster.

        Raises:
            EnergyError: It is none, or Ray isn't connected.
        """
        self._notice_connection()
        self._cluster.check_group(placement_group)

    def sources(self, placement_group: object = None) -> dict[str, RaySource]:
        """An agent for each node that a test uses, by the node's name.

        Args:
            placement_group: Whose nodes the test uses; `None`: those of the cluster that count.

        Raises:
            EnergyError: Ray is not connected, a node that is asked for is lost, or an agent can't start.
        """
        self._notice_connection()
        asked = None if placement_group is None else self._nodes_of(placement_group)
        while True:
            nodes = self._covered(asked)
            lost = self._start_agents(nodes)
            if not lost:
                break
            alive = {node.node_id for node in self._cluster.nodes()}
            for node_id, because in lost.items():
                if node_id in alive:
                    raise EnergyError(f"Ray's node {self._names.of(node_id)} can't be measured: {because}")
        descriptions = {self._names.of(n.node_id): self._agents[n.node_id].description for n in nodes}
        actors = {self._names.of(n.node_id): self._agents[n.node_id].actor for n in nodes}
        return {name: RaySource(actors[name], one) for name, one in own_counters(descriptions).items()}

    def _notice_connection(self) -> None:
        """Forget the agents of another connection: they ended with it."""
        connection = self._cluster.connection()
        if connection is None:
            raise EnergyError("this process is not connected to Ray: call ray.init() before the window opens")
        if connection != self._connection:
            self._connection, self._agents, self._names = connection, {}, NodeNames()

    def _nodes_of(self, placement_group: object) -> tuple[str, ...]:
        try:
            return self._cluster.nodes_of(placement_group)
        except EnergyError as error:
            lost = self._names.besides(node.node_id for node in self._cluster.nodes())
            if not lost:
                raise
            raise EnergyError(f"{error} Lost since the first test: {', '.join(lost)}.") from error

    def _covered(self, asked: Sequence[str] | None) -> tuple[RayNode, ...]:
        nodes = self._cluster.nodes()
        self._names.add(nodes)
        return covered(nodes, asked, self._names)

    def _start_agents(self, nodes: Iterable[RayNode]) -> dict[str, str]:
        """Have an agent on each of *nodes*; why there is none, by node id."""
        fresh = {
            node.node_id: self._cluster.start(node, self._wanted)
            for node in nodes
            if not self._is_serving(node.node_id)
        }
        lost = {}
        for node_id, actor in fresh.items():
            try:
                description = actor.ask("description", limit_s=START_LIMIT_S)
            except AgentLost as error:
                lost[node_id] = str(error)
            else:
                self._agents[node_id] = NodeAgentHandle(actor=actor, description=description)
        return lost

    def _is_serving(self, node_id: str) -> bool:
        agent = self._agents.get(node_id)
        try:
            return agent is not None and bool(agent.actor.ask("description", limit_s=_PING_LIMIT_S))
        except AgentLost:
            del self._agents[node_id]
            return False

    def close(self) -> None:
        """End the agents."""
        for agent in self._agents.values():
            agent.actor.end()
        self._agents = {}
