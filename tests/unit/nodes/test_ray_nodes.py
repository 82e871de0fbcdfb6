"""The nodes of a Ray cluster that a reading covers, and their names."""

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.nodes.ray_nodes import NodeNames, RayNode, covered


def node(node_id: str, name: str = "", gpu_count: float = 0.0) -> RayNode:
    return RayNode(node_id=node_id, name=name or f"host-of-{node_id}", gpu_count=gpu_count)


def names_of(*nodes: RayNode) -> NodeNames:
    names = NodeNames()
    names.add(nodes)
    return names


class TestNames:
    def test_nodes_of_one_host_are_numbered(self) -> None:
        """No two nodes have one name, and each keeps its own when others are lost or come."""
        first, second, third = node("a", "host"), node("b", "host"), node("c", "host")
        names = names_of(first, second)
        names.add([second, third])
        assert [names.of(node_id) for node_id in "abc"] == ["host", "host-2", "host-3"]

    def test_a_number_that_is_a_name_is_not_given_twice(self) -> None:
        """A host may be called what a second node of another host would be."""
        names = names_of(node("a", "host"), node("b", "host-2"), node("c", "host"))
        assert [names.of(node_id) for node_id in "abc"] == ["host", "host-2", "host-3"]

    def test_names_are_plain(self) -> None:
        """They stand behind an @ in the names of channels."""
        assert names_of(node("a", "gpu@7 (rack 3)")).of("a") == "gpu-7-rack-3"

    def test_a_node_that_was_never_alive_has_the_start_of_its_id(self) -> None:
        """There is no other name for it."""
        assert NodeNames().of("0123456789abcdef") == "01234567"


class TestCovered:
    def test_nodes_with_gpus_come_before_those_without(self) -> None:
        """A head without a GPU is no part of what a GPU cluster does."""
        head, worker = node("a"), node("b", gpu_count=4)
        assert covered([head, worker], None, names_of(head, worker)) == (worker,)

    def test_without_gpus_all_nodes_are_covered(self) -> None:
        """Then processors do the work."""
        nodes = (node("a"), node("b"))
        assert covered(nodes, None, names_of(*nodes)) == nodes

    def test_a_placement_groups_nodes_are_covered_each_once(self) -> None:
        """Two bundles on one node are one node, whether it has GPUs or not."""
        nodes = (node("a", gpu_count=1), node("b"), node("c"))
        assert covered(nodes, ["b", "a", "b"], names_of(*nodes)) == (nodes[1], nodes[0])

    def test_a_lost_node_that_is_asked_for_is_named(self) -> None:
        """What is left would be a smaller sum."""
        lost, left = node("a", "beta"), node("b", "alpha")
        with pytest.raises(EnergyError, match="node beta is lost"):
            covered([left], ["a", "b"], names_of(lost, left))
