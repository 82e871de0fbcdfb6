"""What Ray raises, in one line; skipped where Ray isn't installed."""

import sys
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.nodes.ray_actor import Wanted
from pytest_energy.nodes.ray_cluster import LiveActor, LiveCluster, _node, _pickled, lost_because
from pytest_energy.remote.protocol import AgentLost

exceptions: Any = pytest.importorskip("ray.exceptions")


def in_creation(last: str) -> str:
    return (
        f"The actor died because of an error in its creation task, \x1b[36mray::A\x1b[39m\n  File x\n{last}"
    )


@pytest.mark.parametrize(
    ("error", "because"),
    [
        (
            RuntimeError(in_creation("ModuleNotFoundError: No module named 'pytest_energy'")),
            "ModuleNotFoundError: No module named 'pytest_energy'",
        ),
        (exceptions.ActorDiedError(), "its process has died, or its node"),
        (exceptions.ActorUnavailableError("reset by peer", None), "its process or its node can't be reached"),
        (RuntimeError("Failed to submit task\nto an actor"), "RuntimeError: Failed to submit task"),
        (RuntimeError(), "RuntimeError: "),
        (RuntimeError("x" * 500), f"RuntimeError: {'x' * 186}..."),
    ],
    ids=["creation", "died", "unavailable", "other", "empty", "long"],
)
def test_a_loss_has_one_line(error: Exception, because: str) -> None:
    """Ray's own texts are pages long; what an actor's code raised is at their end."""
    assert lost_because(error) == because


class TestWithoutAConnection:
    """Ray's own calls would start a cluster."""

    def test_no_cluster_is_found(self) -> None:
        """This process has imported Ray, and called nothing of it."""
        assert LiveCluster().connection() is None

    def test_an_actor_of_an_earlier_connection_is_lost(self) -> None:
        """Its call isn't sent."""
        actor = LiveActor(None)
        with pytest.raises(AgentLost, match=r"ray\.shutdown\(\) was called"):
            actor.ask("poll", limit_s=1.0)
        actor.end()


def test_ray_client_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is on a cluster; this machine's joules would be none of it."""
    client = SimpleNamespace(ray=SimpleNamespace(is_connected=lambda: True))
    monkeypatch.setitem(sys.modules, "ray.util.client", client)
    with pytest.raises(EnergyError, match="Run pytest on a node of the cluster"):
        LiveCluster().connection()


def test_a_sensor_that_cannot_travel_is_an_error() -> None:
    """It is named as a plugin's, before any actor is started."""
    lock: Any = Lock()
    with pytest.raises(EnergyError, match="sensors can't be sent to Ray's nodes"):
        _pickled(Wanted(openers={"odd": lambda: lock}))


@pytest.mark.parametrize(
    ("given", "name"),
    [("beta", "beta"), ("10.0.0.7", "gpu-7"), ("", "gpu-7")],
    ids=["given", "address", "none"],
)
def test_a_node_has_its_given_name_or_its_hosts(given: str, name: str) -> None:
    """Without a name Ray calls it by its address."""
    row = {
        "NodeID": "ab",
        "NodeName": given,
        "NodeManagerHostname": "gpu-7",
        "NodeManagerAddress": "10.0.0.7",
        "Resources": {"GPU": 4.0},
    }
    assert (_node(row).name, _node(row).gpu_count) == (name, 4.0)
    assert _node({**row, "Resources": {}}).gpu_count == 0.0


def test_only_a_placement_group_names_nodes() -> None:
    """Whatever else is given is refused with what it is."""
    with pytest.raises(EnergyError, match=r"takes a placement group of Ray\. Got 'beta'"):
        LiveCluster().check_group("beta")
