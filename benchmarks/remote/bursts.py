"""Remote readings beside a local one of the same windows: `python -m benchmarks.remote.bursts OUT`.

An agent runs as a process of its own on this machine. It is read over loopback, and through proxies that
hold up polls, answers or both; a meter in this process reads the same counters. All their windows have the
same edges, so that their joules must agree within their uncertainties. With `--sensors estimate` it is tried
out without a card: processor time is counted then, of a busy process.
"""

import argparse
import json
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from tabulate import tabulate

from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.synchronize import synchronize
from pytest_energy.model import Reading
from pytest_energy.remote.address import MeterAddress
from pytest_energy.remote.http_source import HttpSource
from pytest_energy.remote.meter import remote_meter, this_run
from pytest_energy.remote.private_file import write_new_token
from pytest_energy.sensors.detect import detect
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.protocol import Sensor

LOCAL = "here"

PATHS: Mapping[str, tuple[float, float] | None] = {
    "loopback": None,
    "200 ms, 100 each way": (0.1, 0.1),
    "200 ms on the way there": (0.2, 0.0),
    "200 ms on the way back": (0.0, 0.2),
}
"""Seconds on the way there and back, by name."""

BURSTS = ((0.5, 10), (2.0, 8), (10.0, 3))
"""Seconds of work, and how many windows of it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One window as one meter has it."""

    path: str
    seconds: float
    energy_j: float | None
    uncertainty_j: float
    duration_s: float
    void_because: str | None
    notes: tuple[str, ...]


Work = Callable[[float], None]


def matmuls() -> Work:
    """Products on the card for so many seconds."""
    from benchmarks.meter.loads import Matmuls  # torch, where there is a card

    products = Matmuls()

    def work(seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            products.start(10)
            products.synchronize()

    return work


def busy_process(seconds: float) -> None:
    """A processor at work for so many seconds."""
    code = f"import time; end = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"
    subprocess.run([sys.executable, "-S", "-c", code], check=True)  # noqa: S603  # our own words


def sensors(name: str) -> tuple[Sensor, ...]:
    if name == "estimate":
        return (EstimateSensor(cpu_tdp_w=100.0, is_of_machine=True),)
    return detect((name,)).sensors


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(  # noqa: S603  # our own words
        [sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True
    ) as one:
        try:
            yield one
        finally:
            one.terminate()


def _is_this(pid: int) -> bool:
    """Whether a process of the agent's machine, which is this one, is this program."""
    return pid == os.getpid()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def meters(name: str, folder: Path) -> Iterator[dict[str, LiveMeter]]:
    """The local meter, and one for each path to the agent, all started."""
    clock, token_file, port = SystemClock(), folder / "token", free_port()
    write_new_token(token_file)
    words = ["--bind", f"127.0.0.1:{port}", "--token-file", str(token_file), "--sensors", name]
    if name == "estimate":
        words += ["--cpu-tdp", "100"]
    with ExitStack() as stack:
        agent = stack.enter_context(process("pytest_energy", "agent", *words))
        assert agent.stdout is not None
        sys.stdout.write(agent.stdout.readline())
        own = sensors(name)
        local = LiveMeter(
            own,
            (),
            clock=clock,
            synchronize=synchronize,
            rng=random.Random(0),  # noqa: S311  # a delay
        )
        local.start()
        stack.callback(local.close)
        all_of_them = {LOCAL: local}
        for path, delays_s in PATHS.items():
            at = port
            if delays_s is not None:
                at = free_port()
                proxy = (
                    "benchmarks.remote.delaying_proxy",
                    str(at),
                    f"127.0.0.1:{port}",
                    *map(str, delays_s),
                )
                started = stack.enter_context(process(*proxy))
                assert started.stdout is not None
                started.stdout.readline()  # it listens
            url = f"http://127.0.0.1:{at}"
            source = HttpSource(MeterAddress.parse(url, token_file=token_file, environ={}))
            remote = remote_meter(source, name=url, who=this_run(path), clock=clock, is_kin=_is_this)
            stack.callback(remote.close)
            remote.meter.start()
            all_of_them[path] = remote.meter
        yield all_of_them


def measured(all_of_them: Mapping[str, LiveMeter], work: Work, seconds: float) -> dict[str, Reading]:
    """One piece of work in windows of all meters, which begin and end together."""
    windows = {path: meter.stage("burst") for path, meter in all_of_them.items()}
    for window in windows.values():
        window.get_ready()
    for window in windows.values():
        window.start()
    work(seconds)
    for window in windows.values():
        window.stop()
    for window in windows.values():
        window.end_watch()
    return {path: window.close() for path, window in windows.items()}


def table(rows: list[Row]) -> str:
    """By path and length of the work: how far the remote joules are from the local ones."""
    lines = []
    for seconds in sorted({row.seconds for row in rows}):
        of_length = [row for row in rows if row.seconds == seconds]
        local = [row for row in of_length if row.path == LOCAL]
        for path in PATHS:
            pairs = list(zip(local, [row for row in of_length if row.path == path], strict=False))
            known = [(a, b) for a, b in pairs if a.energy_j is not None and b.energy_j is not None]
            off = [(b.energy_j or 0.0) - (a.energy_j or 0.0) for a, b in known]
            doubts_j = [math.hypot(a.uncertainty_j, b.uncertainty_j) for a, b in known]
            mean_j = fmean([a.energy_j or 0.0 for a, _ in known] or [math.nan])
            doubt_j = fmean([b.uncertainty_j for _, b in known] or [math.nan])
            right_count = sum(abs(one) <= 2 * doubt for one, doubt in zip(off, doubts_j, strict=True))
            lines.append(
                (
                    f"{seconds:g} s",
                    path,
                    f"{len(pairs) - len(known)} of {len(pairs)}",
                    f"{mean_j:.1f}",
                    f"{100 * fmean(off or [math.nan]) / mean_j:+.2f} %",
                    f"{100 * max(map(abs, off), default=math.nan) / mean_j:.2f} %",
                    f"{100 * doubt_j / mean_j:.2f} %",
                    f"{right_count} of {len(off)}",
                )
            )
    headers = ("work", "path", "void", "J here", "mean off", "most off", "uncertainty", "within 2 u")
    return tabulate(lines, headers=headers, disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="JSON, written after each piece of work")
    parser.add_argument("--sensors", default="nvml", choices=("nvml", "estimate"))
    parser.add_argument("--most-s", type=float, default=240.0, help="no piece of work begins later")
    parser.add_argument("--scale", type=float, default=1.0, help="of the lengths and counts of the work")
    options = parser.parse_args()
    began_s, rows = time.monotonic(), list[Row]()
    work = busy_process if options.sensors == "estimate" else matmuls()
    with tempfile.TemporaryDirectory() as folder, meters(options.sensors, Path(folder)) as all_of_them:
        measured(all_of_them, work, 0.5)  # a warm-up
        for seconds, count in BURSTS:
            for _ in range(max(1, round(options.scale * count))):
                if time.monotonic() - began_s > options.most_s:
                    break
                for path, reading in measured(all_of_them, work, options.scale * seconds).items():
                    rows.append(
                        Row(
                            path=path,
                            seconds=seconds,
                            energy_j=reading.energy_j,
                            uncertainty_j=reading.uncertainty_j,
                            duration_s=reading.duration_s,
                            void_because=reading.void_because,
                            notes=reading.quality,
                        )
                    )
                document = {"sensors": options.sensors, "windows": [asdict(row) for row in rows]}
                text = json.dumps(document, indent=1)
                options.out.write_text(text)
    sys.stdout.write(f"{table(rows)}\n")
    for because in sorted({row.void_because for row in rows if row.void_because is not None}):
        sys.stdout.write(f"void: {because}\n")


if __name__ == "__main__":
    main()
