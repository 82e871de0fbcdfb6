"""Memory of `pytest-energy agent` over very many polls: `python -m benchmarks.remote.endurance OUT`.

An agent is started as a process of its own, and several runs poll it at once over connections that stay
open. Between the polls come scrapes, polls of runs that are never seen again, clients that send garbage, and
clients that go in the middle of an answer. Memory, processor time and open files are read from outside.
"""

import argparse
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pytest_energy.remote import wire
from pytest_energy.remote.private_file import write_new_token
from pytest_energy.remote.protocol import Cursor, Poll, Who

RUNS = 4
PIPELINED = 25
"""Polls that are sent at once on a connection: the client's processor time would be most of it otherwise."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """The agent's process after so many polls."""

    poll_count: int
    seconds: float
    resident_bytes: int
    cpu_s: float
    file_count: int


class Process:
    """The agent's process, seen from outside."""

    def __init__(self, pid: int) -> None:
        self._folder, self._began_s = Path(f"/proc/{pid}"), time.monotonic()

    def look(self, poll_count: int) -> Look:
        status = (self._folder / "status").read_text()
        resident = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert resident is not None
        times = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return Look(
            poll_count=poll_count,
            seconds=time.monotonic() - self._began_s,
            resident_bytes=int(resident[1]) * 1024,
            cpu_s=(int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK"),
            file_count=len(list((self._folder / "fd").iterdir())),
        )


@contextmanager
def agent(folder: Path, *words: str) -> Iterator[tuple[int, int, str]]:
    """An agent that runs: its process, port and token."""
    token = folder / "token"
    write_new_token(token)
    place = ("--bind=127.0.0.1:0", f"--token-file={token}")
    command = [sys.executable, "-m", "pytest_energy", "agent", *place, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.match(r"http://127\.0\.0\.1:(\d+) ", line)
            assert found is not None, line
            yield process.pid, int(found[1]), token.read_text().strip()
        finally:
            process.terminate()


class Client:
    """One run on one connection."""

    def __init__(self, port: int, token: str, run_id: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._file = self._socket.makefile("rb")
        self._token = token
        self._who = Who(run_id=run_id, host="endurance", user="test", pid=os.getpid())
        self._cursor = Cursor()

    def poll(self, count: int) -> Poll:
        """Poll so often with one cursor, and go on from the last answer."""
        body = wire.ask_to_json(self._who, self._cursor)
        self._socket.sendall(self._request("POST", wire.POLL_PATH, body) * count)
        for _ in range(count):
            content = self._answer()
        last = wire.poll_of(content, "the agent")
        self._cursor = last.cursor
        return last

    def scrape(self) -> None:
        self._socket.sendall(self._request("GET", wire.METRICS_PATH))
        assert b"pytest_energy_agent_energy_joules_total" in self._answer()

    def leave(self) -> None:
        """Go in the middle of an answer."""
        self._socket.sendall(self._request("GET", wire.METRICS_PATH) * 5)
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self._token}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def _answer(self) -> bytes:
        status = self._file.readline()
        assert status.startswith(b"HTTP/1.1 200"), status
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return self._file.read(length)


def disturb(port: int, token: str, number: int) -> None:
    """What else comes to a server: garbage, a wrong token, and who leaves too early."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as stranger, suppress(OSError):
        stranger.sendall((b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", secrets.token_bytes(5000))[number % 2])
        stranger.recv(1000)
    Client(port, token, f"leaving-{number}").leave()
    passing = Client(port, token, f"passing-{number}")
    passing.poll(1)
    passing.close()


def endure(poll_count: int, most_s: float) -> Iterator[Look]:
    """Looks at an agent's process, before and while it is polled *poll_count* times."""
    with tempfile.TemporaryDirectory() as folder, agent(Path(folder)) as (pid, port, token):
        process, stop_s = Process(pid), time.monotonic() + most_s
        clients = [Client(port, token, f"run-{number}") for number in range(RUNS)]
        done, step = 0, max(1, poll_count // 20)
        yield process.look(0)
        for client in clients:  # once round: what is made at the first use is there
            client.poll(PIPELINED)
            client.scrape()
        next_look = 0
        while done < poll_count and time.monotonic() < stop_s:
            for client in clients:
                client.poll(PIPELINED)
                done += PIPELINED
            if done % 5000 < RUNS * PIPELINED:
                clients[0].scrape()
                disturb(port, token, done // 5000)
            if done >= next_look:
                yield process.look(done)
                next_look += step
        yield process.look(done)
        for client in clients:
            client.close()


def table(looks: list[Look]) -> str:
    lines = ["    polls  seconds  resident MB  CPU s  files"]
    lines += [
        f"{look.poll_count:9,} {look.seconds:8.1f} {look.resident_bytes / 1e6:12.2f} {look.cpu_s:6.1f} "
        f"{look.file_count:6}"
        for look in looks
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for endurance.json")
    parser.add_argument("--polls", type=int, default=1_000_000)
    parser.add_argument("--most-s", type=float, default=3000.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    looks: list[Look] = []
    for look in endure(options.polls, options.most_s):
        looks.append(look)
        text = json.dumps([asdict(one) for one in looks], indent=1)
        (options.out / "endurance.json").write_text(text + "\n")
        sys.stdout.write(f"{table(looks[-1:]).splitlines()[-1]}\n")
        sys.stdout.flush()
    after_first = looks[1:]
    grown = (after_first[-1].resident_bytes - after_first[0].resident_bytes) / 1e6
    sys.stdout.write(f"{table(looks)}\ngrown by {grown:.2f} MB since the first polls\n")


if __name__ == "__main__":
    main()
