"""An agent for one node of a job, in a process of its own: a busy rank would hold up its reads.

    python -m pytest_energy.nodes.node_agent

Rule 1: what it needs to know comes as the first line of its input, as JSON; its address, or why it can't
        start, is its only line of output.
Rule 2: it ends with its input, and so with the process that has started it.
"""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from threading import Thread
from typing import IO, cast

from pytest_energy.codec import Document, decode, encode, parse
from pytest_energy.errors import EnergyError
from pytest_energy.masking import Secret
from pytest_energy.remote import server
from pytest_energy.remote.here import agent_here

_END_S = 5.0


class WantedAgent(Document, frozen=True, kw_only=True):
    """What to read, and where to listen."""

    host: str
    token: str
    sensors: tuple[str, ...] | None = None
    cpu_tdp_w: float | None = None


class AgentAddress(Document, frozen=True, kw_only=True):
    """Where the agent of a node is; or why there is none."""

    host_name: str
    url: str = ""
    token: str = ""
    because: str | None = None


class AgentProcess:
    """A node's agent, as the process that has started it sees it.

    Args:
        towards: Host and port that shall reach it: it listens on the address that leads there.
        sensors: As for `sensors.detect`.
        cpu_tdp_w: For the estimate.
    """

    def __init__(
        self, towards: tuple[str, int], *, sensors: tuple[str, ...] | None, cpu_tdp_w: float | None
    ) -> None:
        token = secrets.token_urlsafe(32)
        wanted = WantedAgent(host=_own_address(towards), token=token, sensors=sensors, cpu_tdp_w=cpu_tdp_w)
        environ = {name: value for name, value in os.environ.items() if name != "TORCHELASTIC_RUN_ID"}
        self._process = subprocess.Popen(  # noqa: S603  # fixed words
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )
        self._input = cast("IO[str]", self._process.stdin)  # both are pipes
        self._output = cast("IO[str]", self._process.stdout)
        self.address = self._answer(wanted)

    def _answer(self, wanted: WantedAgent) -> AgentAddress:
        name = socket.gethostname()
        with suppress(BrokenPipeError):
            self._input.write(json.dumps(encode(wanted)) + "\n")
            self._input.flush()
        line = self._output.readline()
        if not line:
            return AgentAddress(host_name=name, because="its agent ended before it has begun")
        return decode(parse(line, "a node's agent"), AgentAddress, "a node's agent")

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._input.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


def _own_address(towards: tuple[str, int]) -> str:
    """The address of this machine from which *towards* is reached; nothing is sent."""
    family, kind, *_, address = socket.getaddrinfo(*towards, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])


def main() -> None:
    """Serve until the input ends."""
    wanted = decode(parse(sys.stdin.readline(), "the order"), WantedAgent, "the order")
    name = socket.gethostname()
    try:
        server.check_installed()
        place = server.Place(host=wanted.host, port=0, token=Secret(wanted.token))
        with place.listener() as listener, agent_here(wanted.sensors, cpu_tdp_w=wanted.cpu_tdp_w) as here:
            _say(AgentAddress(host_name=name, url=place.url(listener), token=wanted.token))
            Thread(target=_end_with_input, daemon=True).start()
            asyncio.run(server.AgentServer(here.agent, place, tell=_tell_nobody).run(listener, None))
    except EnergyError as error:
        _say(AgentAddress(host_name=name, because=str(error)))


def _say(address: AgentAddress) -> None:
    sys.stdout.write(json.dumps(encode(address)) + "\n")
    sys.stdout.flush()


def _tell_nobody(text: str) -> None:
    """What fails in a request makes a window void there; here nobody reads it."""
    del text


def _end_with_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
