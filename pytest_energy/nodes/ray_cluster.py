"""The calls of Ray that are needed to measure its nodes; no other module here knows Ray.

Rule 1: nothing imports `ray`, or connects to a cluster, but what the run itself has imported and connected.
        Ray's own calls would connect at their first use; so each of ours looks first.
Rule 2: each call ends in a fixed time, also while another thread disconnects.
Rule 3: what Ray raises becomes an `AgentLost` in one line.
"""

import sys
from concurrent.futures import TimeoutError as TookTooLong
from typing import Any, Protocol

from pytest_energy.codec import brief
from pytest_energy.errors import EnergyError, described
from pytest_energy.lazy_module import LazyModule
from pytest_energy.nodes.ray_actor import Wanted
from pytest_energy.nodes.ray_nodes import RayNode
from pytest_energy.remote.here import package_version
from pytest_energy.remote.protocol import AgentLost

ray: Any = LazyModule("ray")  # much of Ray has no types
placement_groups: Any = LazyModule("ray.util.placement_group")
scheduling_strategies: Any = LazyModule("ray.util.scheduling_strategies")
exceptions: Any = LazyModule("ray.exceptions")

START_LIMIT_S = 120.0
"""For an actor to start. A process takes 2 s, on a busy machine 30 s; a lost node is noticed in 15 s."""


_LINE_LENGTH = 200
_CLIENT = "ray.util.client"


class RemoteActor(Protocol):
    """An actor of a cluster."""

    def ask(self, method: str, *arguments: object, limit_s: float) -> Any:
        """What *method* of the actor returns.

        Raises:
            AgentLost: The actor, its node or the cluster is gone, or it took longer than *limit_s*.
        """
        ...

    def end(self) -> None:
        """Stop the actor's process, if it can be reached."""
        ...


class RayCluster(Protocol):
    """A Ray cluster that this process is connected to, or was."""

    def connection(self) -> str | None:
        """Names the connection to a cluster; another name is another one. `None` without one.

        Raises:
            EnergyError: It is one of Ray Client, which can't be used.
        """
        ...

    def nodes(self) -> tuple[RayNode, ...]:
        """The nodes that are alive, so far as the cluster knows: a lost one is noticed after about 15 s."""
        ...

    def check_group(self, placement_group: object) -> None:
        """Refuse what is no placement group.

        Raises:
            EnergyError: It is none.
        """
        ...

    def nodes_of(self, placement_group: object) -> tuple[str, ...]:
        """Ids of the nodes of a placement group's bundles.

        Raises:
            EnergyError: Not each bundle has a node.
        """
        ...

    def start(self, node: RayNode, wanted: Wanted) -> RemoteActor:
        """Start an agent on *node*. It ends with this process, and never starts again."""
        ...


class LiveCluster:
    """The cluster that this process has connected to by `ray.init`."""

    def connection(self) -> str | None:
        if _CLIENT in sys.modules and sys.modules[_CLIENT].ray.is_connected():
            raise EnergyError(
                "nodes can't be measured through Ray Client (ray://). Run pytest on a node of the cluster."
            )
        if "ray" not in sys.modules or not ray.is_initialized():
            return None
        context = ray.get_runtime_context()
        return f"{context.gcs_address} {context.get_job_id()}"

    def nodes(self) -> tuple[RayNode, ...]:
        return tuple(_node(row) for row in ray.nodes() if row["Alive"])

    def check_group(self, placement_group: object) -> None:
        if not isinstance(placement_group, placement_groups.PlacementGroup):
            raise EnergyError(f"energy.ray takes a placement group of Ray. Got {brief(placement_group)}.")

    def nodes_of(self, placement_group: object) -> tuple[str, ...]:
        table = placement_groups.placement_group_table(placement_group)
        if (state := table.get("state", "REMOVED")) != "CREATED":
            raise EnergyError(
                f"the placement group is {state}: it has no node for some of its bundles. Wait for them: "
                "ray.get(placement_group.ready())."
            )
        return tuple(dict.fromkeys(table["bundles_to_node_id"].values()))

    def start(self, node: RayNode, wanted: Wanted) -> "LiveActor":
        there = scheduling_strategies.NodeAffinitySchedulingStrategy(node.node_id, soft=False)
        remote = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(actor_class())
        handle = remote.options(scheduling_strategy=there).remote(package_version(), _pickled(wanted))
        return LiveActor(handle)


def actor_class() -> type:
    """The class of the actor.

    It is made here and travels by value: where the package isn't installed it arrives, and says so.
    """

    class EnergyAgent:
        def __init__(self, our_version: str, wanted: bytes) -> None:
            try:
                from pytest_energy.nodes import ray_actor
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(
                    f"{error}. Install pytest-energy on every node, or for this run: "
                    "ray.init(runtime_env={'pip': ['pytest-energy']})"
                ) from error
            ray_actor.check_version(our_version)
            self._agent: Any = ray_actor.NodeAgent(ray_actor.loaded(wanted))

        def description(self) -> object:
            return self._agent.description()

        def poll(self, cursor: object, who: object) -> object:
            return self._agent.poll(cursor, who)

        def release(self, who: object) -> None:
            self._agent.release(who)

    return EnergyAgent


class LiveActor:
    """An actor by its handle."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def ask(self, method: str, *arguments: object, limit_s: float) -> Any:
        if not ray.is_initialized():
            raise AgentLost("this process is not connected to Ray any more: ray.shutdown() was called")
        try:
            # Not `ray.get`: it doesn't come back where another thread disconnects meanwhile.
            return getattr(self._handle, method).remote(*arguments).future().result(limit_s)
        except TookTooLong as error:
            raise AgentLost(f"no answer within {limit_s:g} s") from error
        except Exception as error:  # a call that can't be sent is a plain `Exception` of Ray's
            raise AgentLost(lost_because(error)) from error

    def end(self) -> None:
        if ray.is_initialized():
            ray.kill(self._handle)


def _pickled(wanted: Wanted) -> bytes:
    """*wanted* for another process; what a plugin has defined in a `conftest.py` can't travel.

    Raises:
        EnergyError: An opener of a plugin's sensor can't be pickled.
    """
    try:
        pickled: bytes = ray.cloudpickle.dumps(wanted)
    except Exception as error:
        raise EnergyError(f"a plugin's sensors can't be sent to Ray's nodes: {described(error)}") from error
    return pickled


def _node(row: dict[str, Any]) -> RayNode:
    """A node of Ray's list; its name is its address where none was given, and then the host's says more."""
    name, host, address = row["NodeName"], row["NodeManagerHostname"], row["NodeManagerAddress"]
    return RayNode(
        node_id=row["NodeID"],
        name=(name if name and name != address else host) or address,
        gpu_count=row["Resources"].get("GPU", 0.0),
    )


def lost_because(error: BaseException) -> str:
    """Why an actor can't be used, of what Ray raised, in one line.

    Ray's texts are long. What an actor's own code raised is in the last line.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    if "ray::" in lines[0]:
        return _short(lines[-1])
    if isinstance(error, exceptions.ActorDiedError):
        return "its process has died, or its node"
    if isinstance(error, exceptions.ActorUnavailableError):
        return "its process or its node can't be reached"
    return _short(f"{type(error).__name__}: {lines[0]}")


def _short(line: str) -> str:
    return line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]}..."
