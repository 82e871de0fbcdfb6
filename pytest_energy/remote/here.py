"""The agent of this machine: its sensors, and what it says of itself."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from uuid import uuid4

from pytest_energy.baselines.machine import fingerprint
from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.response import followed_response
from pytest_energy.meter.sampler import ThreadRunner
from pytest_energy.model import Channel, CounterResponse, Provenance
from pytest_energy.remote.agent import Agent
from pytest_energy.remote.protocol import AgentDescription
from pytest_energy.sensors import estimate
from pytest_energy.sensors.cpu_times import cpu_times_reader
from pytest_energy.sensors.detect import Opener, SensorSet, builtin_openers, close_all, detect

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

# Where no checkout is: an agent measures for others, so the code beside it is nobody's under test.
_NO_CHECKOUT = Path("/")


@dataclass(frozen=True, slots=True)
class AgentHere:
    """An agent of this machine that runs, and its sensors."""

    agent: Agent
    sensors: SensorSet


@contextmanager
def agent_here(
    names: tuple[str, ...] | None = None,
    *,
    cpu_tdp_w: float | None = None,
    extra: Mapping[str, Opener] | None = None,
) -> Iterator[AgentHere]:
    """An agent over the sensors *names* of this machine, or those that it has; ended with the block.

    Args:
        names: As for `sensors.detect`.
        cpu_tdp_w: TDP of all CPUs together in watts, for the estimate.
        extra: Sensors of other packages.

    Raises:
        SettingsError: As for `sensors.detect`.
    """
    # Beside a server the agent's own processes are not what is asked for.
    whole = {estimate.NAME: lambda: estimate.EstimateSensor(cpu_tdp_w=cpu_tdp_w, is_of_machine=True)}
    found = detect(names, openers=builtin_openers(cpu_tdp_w) | whole, extra=extra)
    try:
        clock = SystemClock()
        agent = Agent(
            found.sensors,
            description_of(found),
            clock=clock,
            runner=ThreadRunner(clock),
            cpu_times=cpu_times_reader(),
        )
        try:
            yield AgentHere(agent, found)
        finally:
            agent.close()
    finally:
        close_all(found.sensors)


def description_of(found: SensorSet) -> AgentDescription:
    """What a new agent over the sensors *found* says of itself."""
    sensors = found.sensors
    provenance = sensors[0].provenance if sensors else Provenance.MEASURED
    facts, names = [sensor.facts() for sensor in sensors], [sensor.name for sensor in sensors]
    channels = (channel for sensor in sensors for channel in sensor.channels)
    return AgentDescription(
        agent_id=uuid4().hex,
        host=socket.gethostname(),
        version=package_version(),
        provenance=provenance,
        channels=tuple(_followed(channel) for channel in channels),
        statuses=found.statuses,
        machine=fingerprint(facts, names, provenance, folder=_NO_CHECKOUT),
        boot_id=boot_id(),
    )


def _followed(channel: Channel) -> Channel:
    """*channel* as windows elsewhere see it: each of its ticks is read.

    What doesn't tick is read regularly, and shows what is now.
    """
    if channel.is_ticked:
        return replace(channel, response=followed_response(channel), followed_response=None)
    return replace(channel, is_ticked=True, response=CounterResponse(settle_s=0.0))


def package_version() -> str:
    """Version of this package here."""
    try:
        return version("pytest-energy")
    except PackageNotFoundError:  # a copy of the source that is on the path
        return "not installed"


def boot_id() -> str | None:
    """What the kernel names its start: see `AgentDescription`."""
    try:
        return _BOOT_ID.read_text(encoding="utf-8").strip() or None
    except (OSError, ValueError):
        return None
