"""A server on another network, with an agent beside it and without.

`python -m benchmarks.remote.namespace OUT`: the network is a namespace of this machine behind a pair of
virtual interfaces, with clocks that are 5,000 s ahead of ours (time_namespaces(7)). It takes root, `ip`
and `unshare`. An agent reads a simulated counter of the server's processor time there, and a run of pytest
here measures the server by it. The far side writes down its counter itself, and by how much its clock is
ahead is known, so the joules of each window are known without the agent. Then: the same server without a
meter, 200 ms of delay on the way to the agent, an agent that is killed in a window, and none.
"""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from tabulate import tabulate

from pytest_energy.meter.reading import to_reading
from pytest_energy.model import SAME_CLOCK, Provenance, Reading, Tick, Trace
from pytest_energy.remote.agent import READ_EVERY_S
from pytest_energy.remote.private_file import write_new_token
from pytest_energy.sensors.replay import load_replay

AHEAD_S = 5000
PROXY_PORT = 18365

_BESIDE_S = 0.1  # of quiet before a window that are looked at
_SPREAD_S = 2e-5  # of a moment that the far side has written down

SPACE, HERE, FAR = "pytest-energy-far", "10.97.0.1", "10.97.0.2"

TEST = """
import pytest
from pytest_energy.serving import random_tokens
from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint

@pytest.mark.energy(rounds=5, warmup=0, max_time="60 s")
def test_server(energy):
    with OpenAiEndpoint("http://{far}:8000"{meter}) as engine:
        energy.requests(engine, random_tokens(24, 8, vocabulary=100), rate=6, output_tokens=8)
"""


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)  # noqa: S603  # our own words


@contextmanager
def network() -> Iterator[None]:
    """A namespace that is reached at `FAR`."""
    run("ip", "netns", "add", SPACE)
    try:
        run("ip", "link", "add", "pe-here", "type", "veth", "peer", "name", "pe-far", "netns", SPACE)
        run("ip", "addr", "add", f"{HERE}/24", "dev", "pe-here")
        run("ip", "link", "set", "pe-here", "up")
        inside = ("ip", "netns", "exec", SPACE, "ip")
        run(*inside, "addr", "add", f"{FAR}/24", "dev", "pe-far")
        run(*inside, "link", "set", "pe-far", "up")
        run(*inside, "link", "set", "lo", "up")
        yield
    finally:
        run("ip", "netns", "delete", SPACE)


@contextmanager
def far_side(folder: Path) -> Iterator[int]:
    """The server and its agent; the process id of the agent."""
    pids = folder / "pids"
    pids.unlink(missing_ok=True)
    words = ["ip", "netns", "exec", SPACE]
    words += ["unshare", "--time", "--fork", "--monotonic", str(AHEAD_S), "--boottime", str(AHEAD_S)]
    words += [sys.executable, "-m", "benchmarks.remote.far_side", FAR, str(folder)]
    with subprocess.Popen(words):  # noqa: S603  # our own words
        while not pids.exists():
            time.sleep(0.1)
        time.sleep(1.0)
        agent_pid, server_pid = map(int, pids.read_text().split())
        try:
            yield agent_pid
        finally:
            for pid in (agent_pid, server_pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)


@contextmanager
def delayed() -> Iterator[str]:
    """The address of the agent behind a proxy that holds up polls and answers by 100 ms each."""
    words = ["benchmarks.remote.delaying_proxy", str(PROXY_PORT), f"{FAR}:8365", "0.1", "0.1"]
    with subprocess.Popen(  # noqa: S603  # our own words
        [sys.executable, "-m", *words], stdout=subprocess.PIPE
    ) as proxy:
        assert proxy.stdout is not None
        proxy.stdout.readline()  # it listens
        try:
            yield f"http://127.0.0.1:{PROXY_PORT}"
        finally:
            proxy.terminate()


class Truth:
    """The joules of the far side's counter at any moment, as it wrote them down itself."""

    def __init__(self, path: Path) -> None:
        lines = [line.split() for line in path.read_text().splitlines()]
        self._points = [(float(line[0]) - AHEAD_S, float(line[1])) for line in lines if len(line) == 2]

    def at(self, time_s: float) -> float:
        place = bisect_left(self._points, (time_s,))
        (before_s, before_j), (after_s, after_j) = self._points[place - 1 : place + 1]
        return before_j + (after_j - before_j) * (time_s - before_s) / (after_s - before_s)

    def reading(self, trace: Trace) -> Reading:
        """What a meter beside the counter reads in the window of *trace*: ticks of one clock, no network."""
        first_s, last_s = trace.start_s - _BESIDE_S, trace.stop_s + 2.5 * READ_EVERY_S
        times_s = [first_s]
        while times_s[-1] + READ_EVERY_S < last_s:
            times_s.append(times_s[-1] + READ_EVERY_S)
        ticks = tuple(Tick(time_s, self.at(time_s), _SPREAD_S) for time_s in times_s)
        local = replace(trace, ticks={"cpu:server": ticks}, clock_error=SAME_CLOCK)
        return to_reading(local, Provenance.MEASURED)


def pytest_run(folder: Path, meter: str, *arguments: str) -> subprocess.Popen[str]:
    (folder / "test_far.py").write_text(TEST.format(far=FAR, meter=meter))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_far.py"]
    words += [f"--energy-out={folder / 'out.json'}", "--energy-sensors=estimate", *arguments]
    return subprocess.Popen(  # noqa: S603  # our own words
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def outcome(folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    """What the run has of its test."""
    text, _ = process.communicate(timeout=240)
    path = folder / "out.json"
    if not path.exists():
        raise SystemExit(text)
    document = json.loads(path.read_text())
    (test,) = document["tests"]
    path.unlink()
    machine = test.get("machine", document["machine"])
    return {
        "verdict": test["verdict"],
        "reason": test["reason"],
        "machine": machine["key"],
        "channels": sorted({name for one in test["rounds"] for name in one["channels"]}),
        "notes": sorted({note for one in test["rounds"] for note in one["quality"] or ()}),
    }


def windows(folder: Path, replay: Path) -> list[dict[str, float]]:
    """Each window's joules by the agent, beside those that the far side's counter had then."""
    truth, rows = Truth(folder / "truth"), []
    for one in next(iter(load_replay(replay).values())):
        assert one.trace is not None
        reading, local = to_reading(one.trace, Provenance.MEASURED), truth.reading(one.trace)
        there_j = truth.at(one.trace.stop_s) - truth.at(one.trace.start_s)
        rows.append(
            {
                "seconds": one.duration_s,
                "counter_j": there_j,
                "local_j": local.energy_j or 0.0,
                "local_uncertainty_j": local.uncertainty_j,
                "energy_j": reading.energy_j or 0.0,
                "uncertainty_j": reading.uncertainty_j,
                "clock_s": one.trace.clock_error.alike_s,
            }
        )
    replay.unlink()
    return rows


def measured(folder: Path, meter: str) -> dict[str, Any]:
    replay = folder / "replay.json"
    case = outcome(folder, pytest_run(folder, meter, f"--energy-record={replay}"))
    return case | {"windows": windows(folder, replay)}


def killed(folder: Path, meter: str, agent_pid: int) -> dict[str, Any]:
    """The agent is killed while the third window or so is open."""
    process = pytest_run(folder, meter, "--energy-void-retries=0")
    time.sleep(14.0)
    os.kill(agent_pid, signal.SIGKILL)
    return outcome(folder, process)


def cases(folder: Path, meter: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with far_side(folder) as agent_pid:
        yield "agent beside the server", measured(folder, meter)
        yield "no meter", outcome(folder, pytest_run(folder, ""))
        with delayed() as url:
            yield "200 ms of delay", measured(folder, meter.replace(f"http://{FAR}:8365", url))
        yield "agent killed in a window", killed(folder, meter, agent_pid)
        yield "no agent", outcome(folder, pytest_run(folder, meter))


def table(results: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, case in results.items():
        found: Sequence[dict[str, float]] = case.get("windows", ())
        off = [one["energy_j"] - one["local_j"] for one in found]
        of_counter = [one["energy_j"] - one["counter_j"] for one in found]
        doubts_j = [math.hypot(one["uncertainty_j"], one["local_uncertainty_j"]) for one in found]
        held = sum(abs(o) <= 2 * doubt for o, doubt in zip(off, doubts_j, strict=True))
        rows.append(
            (
                name,
                case["verdict"],
                ", ".join(case["channels"]) or "-",
                f"{fmean(one['local_j'] for one in found):.2f}" if found else "-",
                f"{max(abs(o) for o in off):.2f}" if found else "-",
                f"{fmean(one['uncertainty_j'] for one in found):.2f}" if found else "-",
                f"{held} of {len(found)}" if found else "-",
                f"{max(abs(o) for o in of_counter):.2f}" if found else "-",
            )
        )
    headers = (
        "case",
        "verdict",
        "channels",
        "J local",
        "most off",
        "uncertainty",
        "within 2 u",
        "off counter",
    )
    return tabulate(rows, headers=headers, disable_numparse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="JSON, written after each case")
    options = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name, network():
        folder = Path(name)
        write_new_token(folder / "token")
        meter = f', meter="http://{FAR}:8365", meter_token_file="{folder / "token"}"'
        for case, result in cases(folder, meter):
            results[case] = result
            options.out.write_text(json.dumps(results, indent=1))
    sys.stdout.write(f"{table(results)}\n")
    for case, result in results.items():
        sys.stdout.write(f"{case}: {result['reason']}\n")


if __name__ == "__main__":
    main()
