"""Places on a cluster whose nodes are lost when a test says so."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.meter.clock import SystemClock
from pytest_energy.model import Provenance
from pytest_energy.nodes.ray_actor import Wanted
from pytest_energy.nodes.ray_meters import RayMeters
from pytest_energy.plugin.ray_places import RayPlaces
from tests.fakes.ray_cluster import FakeCluster


class Rig:
    """Places of a cluster, what was said meanwhile, and the devices that were owned."""

    def __init__(self, *nodes: str) -> None:
        self.cluster = FakeCluster(*nodes)
        self.cluster.provenance = Provenance.ESTIMATED  # of which no power at rest is measured
        self.said: list[str] = []
        self.owned: list[tuple[str, ...]] = []
        self.places = RayPlaces(
            RayMeters(self.cluster, Wanted()),
            clock=SystemClock(),
            synchronize=lambda: None,
            here={"git_commit": "abc"},
            status=self._status,
            owned=self._owned,
        )

    @contextmanager
    def _status(self, text: str) -> Iterator[None]:
        self.said.append(text)
        yield

    @contextmanager
    def _owned(self, devices: Iterable[str]) -> Iterator[None]:
        self.owned.append(tuple(devices))
        yield


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig("alpha", "beta")
    yield rig
    rig.places.close()


def test_a_place_is_all_nodes_as_one_machine(rig: Rig) -> None:
    """Its key has their number; the code under test is that of this machine."""
    place = rig.places.of()
    assert place.machine.key == "2-nodes_fake"
    assert place.machine.varying == {"git_commit": "abc"}
    assert [name for status in place.meter.statuses() for name in status.channels] == [
        "gpu:0@alpha",
        "gpu:0@beta",
    ]
    assert place.meter.provenance is Provenance.ESTIMATED


def test_the_next_test_has_the_same_meter(rig: Rig) -> None:
    """Power at rest is measured once, while no other run of this machine has the devices."""
    assert rig.places.of() is rig.places.of()
    assert rig.owned == [("GPU-id-0", "GPU-id-1")]
    assert "measuring the power at rest of the nodes of Ray" in rig.said


def test_without_a_lost_node_it_is_another_place(rig: Rig) -> None:
    """Its baseline is that of the nodes that are left."""
    before = rig.places.of()
    rig.places.pause()
    rig.cluster.lose("id-1")
    after = rig.places.of()
    assert (before.machine.key, after.machine.key) == ("2-nodes_fake", "fake")
    assert after.meter.devices(None) == ("GPU-id-0",)


def test_a_cluster_of_one_node_has_not_several(rig: Rig) -> None:
    """Then this machine is measured as without Ray, if nothing else is asked."""
    assert rig.places.has_several_nodes
    del rig.cluster.alive["id-1"]
    assert not rig.places.has_several_nodes


def test_only_a_placement_group_is_a_choice(rig: Rig) -> None:
    """What is given is checked at once, and its nodes are looked at later."""
    with pytest.raises(EnergyError, match="no placement group"):
        rig.places.check_group("beta")
    rig.cluster.groups["group"] = ("id-1",)
    rig.places.check_group("group")
    assert rig.places.of("group").meter.devices(None) == ("GPU-id-1",)


def test_agents_end_with_the_run(rig: Rig) -> None:
    """Each actor is stopped, and no thread is left."""
    rig.places.of()
    rig.places.close()
    assert all(actor.is_ended for actors in rig.cluster.actors.values() for actor in actors)
