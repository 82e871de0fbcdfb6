"""An agent over simulated counters, and one that is served over HTTP on this machine's loopback."""

import asyncio
import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_energy.masking import Secret
from pytest_energy.model import Machine, Provenance, SensorStatus
from pytest_energy.remote import wire
from pytest_energy.remote.agent import Agent
from pytest_energy.remote.protocol import AgentDescription, Cursor, Poll, Who
from pytest_energy.remote.server import AgentServer, Place
from pytest_energy.sensors.cpu_times import CpuTimes
from pytest_energy.sensors.protocol import Sensor
from tests.fakes.meter import Device, SimulatedCounter, VirtualClock

TOKEN = "correct-horse-battery-staple"  # noqa: S105  # of tests


def who(run_id: str = "one") -> Who:
    return Who(run_id=run_id, host="client", user="ada", pid=7)


def description(*sensors: Sensor, agent_id: str = "agent-1") -> AgentDescription:
    channels = (replace(channel, is_ticked=True) for sensor in sensors for channel in sensor.channels)
    return AgentDescription(
        agent_id=agent_id,
        host="server",
        version="0.1.0",
        provenance=Provenance.MEASURED,
        channels=tuple(channels),
        statuses=(SensorStatus(name="dcgm", provenance=Provenance.MEASURED, absent_because="no driver"),),
        machine=Machine(key="fake"),
    )


class AgentBench:
    """An agent over a GPU's counter that ticks and a processor's that doesn't, of one device."""

    def __init__(self, agent_id: str = "agent-1") -> None:
        self.clock = VirtualClock()
        self.device = Device(self.clock, quiet_w=100.0)
        self.gpu = SimulatedCounter(self.device, self.clock)
        self.cpu = SimulatedCounter(
            self.device, self.clock, tick_s=1e-3, call_s=(1e-5, 3e-5), name="cpu:package-0", is_ticked=False
        )
        self.agent = Agent(
            [self.gpu, self.cpu],
            description(self.gpu, self.cpu, agent_id=agent_id),
            clock=self.clock,
            runner=self.clock,
            cpu_times=lambda: CpuTimes(self.clock.now_s(), 0.0, 0.0, self.clock.now_s()),
        )

    def poll(self, cursor: Cursor | None = None, run_id: str = "one") -> Poll:
        return self.agent.poll(cursor or Cursor(), who(run_id))


@dataclass(frozen=True, kw_only=True)
class Served:
    """An agent that is served; `told` are the sentences for people."""

    port: int
    told: list[str] = field(default_factory=list)

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        """Status and content of an answer, on a connection of its own."""
        connection = self.connection()
        authorization = {} if token is None else {"Authorization": f"Bearer {token}"}
        try:
            connection.request(method, path, body, authorization | (headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def poll(self, run_id: str = "one") -> Poll:
        status, content = self.ask("POST", wire.POLL_PATH, wire.ask_to_json(who(run_id), Cursor()))
        assert status == 200
        return wire.poll_of(content, "the fake agent")


@contextmanager
def served(
    agent: Agent,
    *,
    token: str | None = TOKEN,
    certificate: Path | None = None,
    key: Path | None = None,
) -> Iterator[Served]:
    """Serve *agent* in a thread on a free port, until the block ends."""
    place = Place(
        host="127.0.0.1",
        port=0,
        token=None if token is None else Secret(token),
        certificate=certificate,
        key=key,
    )
    context, listener = place.context(), place.listener()
    here = Served(port=listener.getsockname()[1])
    loop, ended = asyncio.new_event_loop(), asyncio.Event()
    server = AgentServer(agent, place, tell=here.told.append)

    def run() -> None:
        loop.run_until_complete(server.serve(listener, context, ended))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield here
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        assert not thread.is_alive()
