"""The nodes of a Ray cluster that a reading covers, and their names.

Rule 1: where a test names a placement group, its nodes are covered. Else those with GPUs, and where no node
        has one, all: a GPU cluster's head often has none, and does nothing that counts.
Rule 2: a node has the same name for the whole run: that which it was given at `ray start`, or its host's.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain, count

from pytest_energy.errors import EnergyError
from pytest_energy.nodes.joined import node_name


@dataclass(frozen=True, slots=True, kw_only=True)
class RayNode:
    """A node that Ray takes for alive.

    Attributes:
        node_id: Ray's own, in hexadecimal.
        name: Given at `ray start`, or the host's; several nodes of one host have the same.
        gpu_count: GPUs that Ray gives to tasks there.
    """

    node_id: str
    name: str
    gpu_count: float = 0.0


class NodeNames:
    """Names that no two nodes share."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def add(self, nodes: Iterable[RayNode]) -> None:
        """Name the new ones of *nodes*: `host`, and further ones of the same host `host-2`, `host-3`."""
        for node in nodes:
            if node.node_id not in self._names:
                self._names[node.node_id] = self._free_name(node_name(node.name))

    def _free_name(self, name: str) -> str:
        numbered = (f"{name}-{number}" for number in count(2))
        taken = {*self._names.values()}
        return next(free for free in chain((name,), numbered) if free not in taken)

    def besides(self, node_ids: Iterable[str]) -> list[str]:
        """Names of the nodes that are not among *node_ids*."""
        others = {*node_ids}
        return sorted(name for node_id, name in self._names.items() if node_id not in others)

    def of(self, node_id: str) -> str:
        """Name of the node *node_id*; of one that was never alive the start of its id."""
        return self._names.get(node_id, node_id[:8])


def covered(nodes: Iterable[RayNode], asked: Collection[str] | None, names: NodeNames) -> tuple[RayNode, ...]:
    """Those of *nodes* that a reading covers, by rule 1.

    Args:
        nodes: The nodes that are alive.
        asked: Ids of the nodes that the test asks for, or `None`.
        names: Of all nodes.

    Raises:
        EnergyError: A node that the test asks for is not alive.
    """
    alive = {node.node_id: node for node in nodes}
    if asked is not None:
        if lost := sorted(names.of(node_id) for node_id in asked if node_id not in alive):
            raise EnergyError(
                f"Ray's node {', '.join(lost)} is lost, and the test's placement group needs it"
            )
        return tuple(alive[node_id] for node_id in dict.fromkeys(asked))
    with_gpus = tuple(node for node in alive.values() if node.gpu_count)
    return with_gpus or tuple(alive.values())
