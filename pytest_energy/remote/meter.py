"""A meter whose counters are on another machine."""

import getpass
import os
import random
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

from pytest_energy.errors import NotMeasurable, printable
from pytest_energy.meter.clock import Clock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.sampler import Runner, ThreadRunner
from pytest_energy.meter.synchronize import wait_for_nothing
from pytest_energy.remote.machine import RemoteSensor, RemoteSystem
from pytest_energy.remote.protocol import AgentDescription, AgentSource, Who
from pytest_energy.remote.sampler import RemoteSampler


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMeter:
    """A live meter over an agent, and what the agent says of its machine."""

    name: str
    description: AgentDescription
    meter: LiveMeter
    sampler: RemoteSampler
    source: AgentSource

    def close(self) -> None:
        self.meter.close()
        self.source.close()


def _none_of_them() -> tuple[int, ...]:
    """GPUs of the agent that torch uses in this process."""
    return ()


def remote_meter(
    source: AgentSource,
    *,
    name: str,
    who: Who,
    clock: Clock,
    runner: Runner | None = None,
    rng: random.Random | None = None,
    synchronize: Callable[[], None] = wait_for_nothing,
    is_kin: Callable[[int], bool] | None = None,
) -> RemoteMeter:
    """A meter over the agent that *source* reaches, which is asked for what it is.

    Args:
        source: Closed with the meter.
        name: Of the agent, in messages: its address.
        who: This run, as the agent shows it to others.
        clock: Of this machine.
        runner: What polls; a thread by default.
        rng: For the delays before windows.
        synchronize: Waits for work that this process has started, if some of it is the agent's machine's.
        is_kin: Which processes of the agent's machine are this run's, besides those that are adopted.

    Raises:
        AgentLost: The agent can't be reached.
        NotMeasurable: It has no channel.
    """
    description = source.description()
    if not description.channels:
        reasons = "; ".join(f"{s.name}: {s.absent_because}" for s in description.statuses if s.absent_because)
        raise NotMeasurable(
            printable(f"the agent at {name} has no sensor ({reasons or 'it gives no reason'})")
        )
    sampler = RemoteSampler(
        source, description, name=name, who=who, clock=clock, runner=runner or ThreadRunner(clock)
    )
    meter = LiveMeter(
        [RemoteSensor(description, sampler, clock)],
        description.statuses,
        clock=clock,
        synchronize=synchronize,
        rng=rng or random.Random(),  # noqa: S311  # a delay that breaks lockstep, not a secret
        system=RemoteSystem(sampler, is_kin),
        source=sampler,
        gpus_in_use=_none_of_them,
    )
    return RemoteMeter(name=name, description=description, meter=meter, sampler=sampler, source=source)


def this_run(session: str = "") -> Who:
    """This process, as an agent shows it to other runs."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return Who(
        run_id=secrets.token_hex(8), host=socket.gethostname(), user=user, pid=os.getpid(), session=session
    )
