"""One agent a node, over a cluster whose nodes are lost when a test says so."""

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.nodes.ray_actor import Wanted
from pytest_energy.nodes.ray_meters import RayMeters
from tests.fakes.ray_cluster import FakeCluster


def meters_of(cluster: FakeCluster) -> RayMeters:
    return RayMeters(cluster, Wanted())


class TestSources:
    def test_each_node_has_an_agent_by_its_name(self) -> None:
        """Those that serve serve the next test too."""
        cluster = FakeCluster("alpha", "beta")
        meters = meters_of(cluster)
        first, second = meters.sources(), meters.sources()
        assert [*first] == ["alpha", "beta"]
        assert {name: one.description().agent_id for name, one in first.items()} == {
            name: one.description().agent_id for name, one in second.items()
        }
        assert {node_id: len(actors) for node_id, actors in cluster.actors.items()} == {"id-0": 1, "id-1": 1}

    def test_the_nodes_that_are_left_measure_the_next_test(self) -> None:
        """Ray takes a lost node for alive for a while: an agent that doesn't start there shows it."""
        cluster = FakeCluster("alpha", "beta", "gamma")
        meters = meters_of(cluster)
        meters.sources()
        cluster.lose("id-1")
        assert [*meters.sources()] == ["alpha", "gamma"]

    def test_a_test_that_asks_for_a_lost_node_is_refused(self) -> None:
        """Its placement group can't do its work without it."""
        cluster = FakeCluster("alpha", "beta")
        cluster.groups["group"] = ("id-0", "id-1")
        meters = meters_of(cluster)
        meters.sources("group")
        cluster.lose("id-1")
        with pytest.raises(EnergyError, match="node beta is lost"):
            meters.sources("group")
        with pytest.raises(EnergyError, match=r"RESCHEDULING\. Lost since the first test: beta\."):
            meters.sources("group")  # Ray has noticed by now

    def test_an_agent_that_died_alone_is_followed_by_another(self) -> None:
        """The node is alive; its new agent has another id, so that no window reaches over both."""
        cluster = FakeCluster("alpha")
        meters = meters_of(cluster)
        before = meters.sources()["alpha"].description().agent_id
        cluster.actors["id-0"][0].lost_because = "it was killed"
        assert meters.sources()["alpha"].description().agent_id != before

    def test_a_node_where_no_agent_starts_is_named(self) -> None:
        """It is alive and may work: without it the sum would be too small."""
        cluster = FakeCluster("alpha", "beta")
        cluster.broken["id-1"] = "ModuleNotFoundError: No module named 'pytest_energy'"
        with pytest.raises(EnergyError, match=r"node beta can't be measured: .*No module named"):
            meters_of(cluster).sources()

    def test_a_new_connection_has_new_agents(self) -> None:
        """Those of an earlier one ended with it."""
        cluster = FakeCluster("alpha")
        meters = meters_of(cluster)
        meters.sources()
        cluster.connected = "gcs job-2"
        meters.sources()
        assert len(cluster.actors["id-0"]) == 2

    def test_without_a_connection_there_is_no_node(self) -> None:
        """Nothing connects but the test itself."""
        cluster = FakeCluster("alpha")
        cluster.connected = None
        meters = meters_of(cluster)
        assert meters.node_count == 0
        with pytest.raises(EnergyError, match=r"call ray\.init\(\)"):
            meters.sources()

    def test_agents_end_with_the_run(self) -> None:
        """None is left on a cluster that lives on."""
        cluster = FakeCluster("alpha", "beta")
        meters = meters_of(cluster)
        meters.sources()
        meters.close()
        assert all(actor.is_ended for actors in cluster.actors.values() for actor in actors)
