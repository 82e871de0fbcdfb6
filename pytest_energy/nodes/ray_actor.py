"""What runs on a node of a Ray cluster: an agent over the node's sensors, in an actor.

Rule 1: the actor takes no GPU of Ray's. Ray hides all GPUs from such a process; here they are unhidden.
"""

import os
import pickle
from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil

from pytest_energy.errors import EnergyError, described
from pytest_energy.meter.host_usage import LinuxSystem
from pytest_energy.remote.here import agent_here, boot_id, package_version
from pytest_energy.remote.protocol import AgentDescription, Cursor, Poll, Who
from pytest_energy.sensors.detect import Opener

_HIDING = "CUDA_VISIBLE_DEVICES"
"""What Ray sets in each of its workers; a node may have been started with a value of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The process of the test: no stranger on a node of its own machine.

    Attributes:
        boot_id: Of its machine, or `None`.
    """

    pid: int
    boot_id: str | None

    @classmethod
    def this_process(cls) -> "Driver":
        return cls(pid=os.getpid(), boot_id=boot_id())

    def is_on(self, boot_id: str | None) -> bool:
        """Whether its machine is known to be the one of *boot_id*."""
        return boot_id is not None and boot_id == self.boot_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePoll:
    """An agent's answer, and which of the processes that it names are the cluster's or the test's."""

    poll: Poll
    own_pids: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to measure with on each node, as the run's settings have it.

    Attributes:
        names: Names of sensors, or `None` for all that are there.
        cpu_tdp_w: For the estimate.
        openers: Sensors of other plugins by name.
        driver: The process of the test.
    """

    names: tuple[str, ...] | None = None
    cpu_tdp_w: float | None = None
    openers: Mapping[str, Opener] = field(default_factory=dict)
    driver: Driver | None = None


class NodeAgent:
    """An agent of the node that it is made on: in a worker of Ray, a child of the node's raylet."""

    def __init__(self, wanted: Wanted) -> None:
        unhide_gpus(os.environ, psutil.Process().environ())
        self._stack = ExitStack()
        here = agent_here(wanted.names, cpu_tdp_w=wanted.cpu_tdp_w, extra=wanted.openers)
        self._agent = self._stack.enter_context(here).agent
        self._system = LinuxSystem(kin_pid=os.getppid())
        driver = wanted.driver
        if driver is not None and driver.is_on(self.description().boot_id):
            self._system.adopt([driver.pid])

    def description(self) -> AgentDescription:
        return self._agent.description()

    def poll(self, cursor: Cursor, who: Who) -> NodePoll:
        poll = self._agent.poll(cursor, who)
        pids = {process.pid for report in poll.devices.values() for process in report.processes}
        return NodePoll(poll=poll, own_pids=frozenset(pid for pid in pids if self._system.is_kin(pid)))

    def release(self, who: Who) -> None:
        self._agent.release(who)

    def close(self) -> None:
        self._stack.close()


def check_version(theirs: str) -> None:
    """Refuse to serve a run of another version: what crosses is this version's.

    Raises:
        EnergyError: *theirs*, of the test process, is not the version of this process.
    """
    if theirs != package_version():
        raise EnergyError(
            f"pytest-energy {package_version()} is installed on the node, {theirs} where the test runs. "
            "Install the same version."
        )


def unhide_gpus(environ: MutableMapping[str, str], at_start: Mapping[str, str]) -> None:
    """Let this process see the GPUs that its node has: those in the environment that it began with."""
    if _HIDING in at_start:
        environ[_HIDING] = at_start[_HIDING]
    else:
        environ.pop(_HIDING, None)


def loaded(wanted: bytes) -> Wanted:
    """What to measure with, as it came.

    Raises:
        EnergyError: It has a sensor of a plugin that is not installed on the node.
    """
    try:
        value: Wanted = pickle.loads(wanted)  # noqa: S301  # of our own run: Ray gives it code to run anyway
    except Exception as error:
        raise EnergyError(f"a plugin's sensor can't be loaded on the node: {described(error)}") from error
    return value
