"""What a hostile client costs an honest one: `python -m benchmarks.remote.hostile OUT`.

An agent runs as a process of its own. An honest client polls it ten times a second, first alone, then beside
each attack, which is another process. What counts: that every poll is answered, how long that takes, and how
well the times of the agent's reads are known meanwhile.
"""

import argparse
import json
import multiprocessing
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

from benchmarks.remote.endurance import Client, Process, agent
from pytest_energy.meter.ticks import SeenTick

_PAUSE_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Row:
    """An honest client beside one attack.

    Attributes:
        poll_count: Polls that were answered.
        failed_count: Polls that were not.
        trip_ms: Median time from a poll to its answer.
        slow_trip_ms: The same, of the slowest hundredth.
        reads_per_s: Reads of the counter that doesn't tick.
        longest_gap_ms: Between two of them.
        spread_ms: Median standard uncertainty of their times.
        slow_spread_ms: The same, of the worst hundredth.
    """

    attack: str
    poll_count: int
    failed_count: int
    trip_ms: float
    slow_trip_ms: float
    reads_per_s: float
    longest_gap_ms: float
    spread_ms: float
    slow_spread_ms: float
    resident_bytes: int


def garbage(port: int) -> None:
    """Connections that send noise, one after another."""
    while True:
        with suppress(OSError), _connected(port) as client:
            client.sendall(secrets.token_bytes(20_000))
            client.recv(1000)


def wrong_token(port: int) -> None:
    """Requests with another token, a connection each."""
    while True:
        with suppress(OSError), _connected(port) as client:
            client.sendall(b"POST /v1/poll HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer wrong\r\n\r\n")
            client.recv(1000)


def large_content(port: int) -> None:
    """Megabytes that are announced, and sent."""
    while True:
        with suppress(OSError), _connected(port) as client:
            client.sendall(b"POST /v1/poll HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000000\r\n\r\n")
            for _ in range(1000):
                client.sendall(b" " * 1_000_000)


def crowd(port: int) -> None:
    """Hundreds of connections that say nothing, renewed when they are closed."""
    held: list[socket.socket] = []
    while True:
        with suppress(OSError):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        while len(held) > 600:
            held.pop(0).close()
        time.sleep(0.002)


def drips(port: int) -> None:
    """Headers that come a byte at a time, on many connections."""
    held: list[socket.socket] = []
    while True:
        while len(held) < 200:
            held.append(socket.create_connection(("127.0.0.1", port), timeout=5))
            with suppress(OSError):
                held[-1].sendall(b"GET / HTTP/1.1\r\nX: ")
        for client in [*held]:
            try:
                client.sendall(b"y")
            except OSError:
                held.remove(client)
        time.sleep(0.1)


ATTACKS: dict[str, Callable[[int], None] | None] = {
    "nothing": None,
    "garbage": garbage,
    "wrong token": wrong_token,
    "large content": large_content,
    "silent crowd": crowd,
    "dripping headers": drips,
}


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def beside(attack: str, port: int, token: str, process: Process, duration_s: float) -> Row:
    """An honest client for so long, beside *attack*."""
    start = ATTACKS[attack]
    attacker = None if start is None else multiprocessing.Process(target=start, args=(port,), daemon=True)
    if attacker is not None:
        attacker.start()
        time.sleep(1.0)
    try:
        return _watch(attack, port, token, process, duration_s)
    finally:
        if attacker is not None:
            attacker.kill()
            attacker.join()


def _watch(attack: str, port: int, token: str, process: Process, duration_s: float) -> Row:
    client = Client(port, token, f"honest-{attack.replace(' ', '-')}")
    trips_s: list[float] = []
    ticks: list[SeenTick] = []
    failed, began_s = 0, time.monotonic()
    client.poll(1)
    while time.monotonic() - began_s < duration_s:
        sent_s = time.monotonic()
        try:
            ticks += client.poll(1).channels["cpu:machine"].ticks
            trips_s.append(time.monotonic() - sent_s)
        except (OSError, AssertionError):
            failed += 1
            client.close()
            client = Client(port, token, "honest-again")
        time.sleep(_PAUSE_S)
    client.close()
    gaps_s = [after.time_s - before.time_s for before, after in pairwise(ticks)]
    spreads_s = [tick.spread_s for tick in ticks]
    return Row(
        attack=attack,
        poll_count=len(trips_s),
        failed_count=failed,
        trip_ms=1e3 * median(trips_s),
        slow_trip_ms=1e3 * quantiles(trips_s, n=100)[-1],
        reads_per_s=len(gaps_s) / sum(gaps_s),
        longest_gap_ms=1e3 * max(gaps_s),
        spread_ms=1e3 * median(spreads_s),
        slow_spread_ms=1e3 * quantiles(spreads_s, n=100)[-1],
        resident_bytes=process.look(0).resident_bytes,
    )


def table(rows: list[Row]) -> str:
    names = ["beside", "polls", "failed", "answer ms", "slowest 1 %", "reads/s", "longest gap ms"]
    names += ["time +- ms", "worst 1 %", "MB"]
    figures = [
        (
            row.attack,
            f"{row.poll_count}",
            f"{row.failed_count}",
            f"{row.trip_ms:.1f}",
            f"{row.slow_trip_ms:.1f}",
            f"{row.reads_per_s:.1f}",
            f"{row.longest_gap_ms:.0f}",
            f"{row.spread_ms:.2f}",
            f"{row.slow_spread_ms:.2f}",
            f"{row.resident_bytes / 1e6:.1f}",
        )
        for row in rows
    ]
    lines = [names, ["---", *["--:"] * (len(names) - 1)], *figures]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for hostile.json")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each attack")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        agent(Path(folder), "--sensors=estimate") as (pid, port, token),
    ):
        process = Process(pid)
        for attack in ATTACKS:
            rows.append(beside(attack, port, token, process, options.seconds))
            text = json.dumps([asdict(row) for row in rows], indent=1)
            (options.out / "hostile.json").write_text(text + "\n")
    sys.stdout.write(f"{table(rows)}\n")


if __name__ == "__main__":
    main()
