"""What runs on a node, without Ray around it."""

import os
import pickle

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.model import Provenance
from pytest_energy.nodes.ray_actor import (
    Driver,
    NodeAgent,
    Wanted,
    check_version,
    loaded,
    unhide_gpus,
)
from pytest_energy.nodes.ray_cluster import actor_class
from pytest_energy.remote.here import package_version
from pytest_energy.remote.protocol import Cursor, Who
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState
from tests.fakes.meter import Device, SimulatedCounter, VirtualClock

WHO = Who(run_id="one", host="client", user="ada", pid=7)


class Busy(SimulatedCounter):
    """A GPU on which this process computes, and process 1, which is nobody's here."""

    def __init__(self) -> None:
        clock = VirtualClock()
        super().__init__(Device(clock), clock)

    def snapshot(self, channel: str) -> DeviceSnapshot:
        del channel
        return DeviceSnapshot()

    def state(self, channel: str) -> DeviceState:
        del channel
        return DeviceState(processes={os.getpid(): True, 1: True})


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> NodeAgent:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return NodeAgent(Wanted(names=("busy",), openers={"busy": Busy}))


class TestGpus:
    def test_what_ray_hides_is_unhidden(self) -> None:
        """An actor without GPUs may use none; to read the counters of all takes none."""
        environ = {"CUDA_VISIBLE_DEVICES": "", "HOME": "/root"}
        unhide_gpus(environ, {"HOME": "/root"})
        assert environ == {"HOME": "/root"}

    def test_a_node_keeps_to_the_gpus_that_it_was_started_with(self) -> None:
        """Two nodes may share a machine, each with half of its GPUs."""
        environ = {"CUDA_VISIBLE_DEVICES": ""}
        unhide_gpus(environ, {"CUDA_VISIBLE_DEVICES": "2,3"})
        assert environ == {"CUDA_VISIBLE_DEVICES": "2,3"}

    def test_an_agent_unhides_them_before_it_looks(self, agent: NodeAgent) -> None:
        """Its sensors see what its process was started with."""
        agent.close()
        assert os.environ.get("CUDA_VISIBLE_DEVICES") != ""


class TestAgent:
    def test_it_reads_the_sensors_that_the_run_names(self, agent: NodeAgent) -> None:
        """Sensors of other plugins are among them."""
        agent.close()
        described = agent.description()
        assert [channel.name for channel in described.channels] == ["gpu:0"]
        assert described.provenance is Provenance.MEASURED

    def test_the_clusters_processes_are_the_tests_own(self, agent: NodeAgent) -> None:
        """Workers are children of the node's first process; any other process is a stranger."""
        answer = agent.poll(Cursor(state_since_s=0.0), WHO)
        agent.release(WHO)
        agent.close()
        named = {process.pid for process in answer.poll.devices["gpu:0"].processes}
        assert named == {os.getpid(), 1}
        assert answer.own_pids == {os.getpid()}

    @pytest.mark.parametrize("boot_id", ["other", None])
    def test_the_test_is_at_home_on_its_own_machine(self, boot_id: str | None) -> None:
        """On another machine its process id is somebody else's; what isn't known is no home."""
        driver = Driver(pid=5, boot_id="this")
        assert driver.is_on("this")
        assert not driver.is_on(boot_id)

    def test_a_machine_without_a_name_is_not_another_one(self) -> None:
        """Two unknown machines aren't the same."""
        assert not Driver(pid=5, boot_id=None).is_on(None)


class TestArrival:
    def test_another_version_is_refused(self) -> None:
        """What crosses is understood by its own version alone."""
        check_version(package_version())
        with pytest.raises(EnergyError, match=r"0\.0\.1 where the test runs"):
            check_version("0.0.1")

    def test_a_plugin_that_the_node_lacks_is_an_error(self) -> None:
        """A sensor that can't be loaded is never left out."""
        pickled = pickle.dumps(Wanted()).replace(
            b"pytest_energy.nodes.ray_actor", b"pytest_energy.nodes.ray_absent"
        )
        with pytest.raises(EnergyError, match="a plugin's sensor can't be loaded on the node"):
            loaded(pickled)

    def test_the_actor_passes_calls_on(self) -> None:
        """Its class imports the package only where it is made."""
        wanted = pickle.dumps(Wanted(names=("estimate",)))
        actor = actor_class()(package_version(), wanted)
        assert actor.poll(Cursor(), WHO).poll.agent_id == actor.description().agent_id
        actor.release(WHO)
        actor._agent.close()
