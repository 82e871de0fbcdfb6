"""Data parallel on several GPUs: joules by rank, and what it costs that a rank waits.

    python -m benchmarks.ranks OUT [--ranks 4] [--rounds 4] [--round-s 4] [--most-s 170] [--tiny]
    python -m benchmarks.ranks OUT --show

Three loads in turns, so that what drifts is shared: `equal` (every rank has the whole batch), `uneven` (the
last rank has half of it), `half` (every rank has half). In between, windows in which rank 0 enters an
all-reduce some seconds late: the others wait in it, and do nothing else.

The parent measures and opens no GPU; the ranks are its children. The JSON is written after each window: a run
that is cut leaves what it had. `--tiny` runs on a CPU with gloo; its joules are estimates of CPU time, and
have none of the waiting, which uses no CPU there.
"""

import argparse
import json
import math
import random
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from benchmarks.ranks.rank import Collective, Done, Place, Size, Steps, follow
from benchmarks.ranks.rank_cpus import RankCpus
from benchmarks.ranks.waiting import Amount, check_sum, waiting_j, waiting_s
from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import Domain, Reading
from pytest_energy.sensors.detect import detect

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

LOADS = {"equal": (1.0, 1.0), "uneven": (1.0, 0.5), "half": (0.5, 0.5)}
"""Share of the batch that all ranks but the last have, and that the last one has."""

LATE_S = 3.0  # thirty ticks of an H100's counter
_TINY = Size(width=256, depth=4, batch=64)
_WHOLE = Size(width=8192, depth=6, batch=8192)  # about 15 ms of matrix products, and 0.8 GB of gradients
_LONGEST_ANSWER_S = 60.0


class Ranks:
    """The processes of all ranks."""

    def __init__(self, count: int, size: Size, *, is_cuda: bool) -> None:
        context, port = get_context("spawn"), _free_port()
        self._links: list[Connection] = []
        self._processes = []
        for rank in range(count):
            here, there = context.Pipe()
            place = Place(rank=rank, world_size=count, port=port, is_cuda=is_cuda)
            process = context.Process(target=follow, args=(place, size, there), daemon=True)
            process.start()
            there.close()
            self._links.append(here)
            self._processes.append(process)
        self.pids = {rank: self._answer(rank, limit_s=180.0) for rank in range(count)}

    def order(self, orders: Sequence[Steps | Collective]) -> list[Done]:
        """Give each rank its order, and wait for all."""
        for link, order in zip(self._links, orders, strict=True):
            link.send(order)
        return [self._answer(rank, limit_s=_LONGEST_ANSWER_S) for rank in range(len(orders))]

    def _answer(self, rank: int, *, limit_s: float) -> Any:
        if not self._links[rank].poll(limit_s):
            raise SystemExit(f"rank {rank} has not answered within {limit_s:.0f} s")
        try:
            return self._links[rank].recv()
        except EOFError:
            raise SystemExit(f"rank {rank} has ended; its error stands above") from None

    def close(self) -> None:
        for link in self._links:
            link.close()
        for process in self._processes:
            process.join(10.0)
            process.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def _meter(ranks: Ranks, *, is_cuda: bool) -> Iterator[LiveMeter]:
    found = detect(("nvml",)) if is_cuda else None
    sensors = (RankCpus(ranks.pids),) if found is None else found.sensors
    meter = LiveMeter(
        sensors,
        () if found is None else found.statuses,
        clock=SystemClock(),
        synchronize=lambda: None,  # the ranks answer when their devices have done everything
        rng=random.Random(0),  # noqa: S311  # a delay
    )
    meter.start()
    try:
        yield meter
    finally:
        meter.close()
        for sensor in sensors:
            sensor.close()


def _rank_of(channel: str) -> int:
    """Of `gpu:3` or `cpu:rank-3`: 3."""
    return int(channel.partition(":")[2].removeprefix("rank-"))


class Run:
    """Windows so far, written after each.

    Attributes:
        path: Of the JSON.
        windows: One a window: its kind, joules by channel, seconds by rank.
    """

    def __init__(self, path: Path, meter: LiveMeter, ranks: Ranks, rank_count: int) -> None:
        self.path, self._meter, self._ranks, self._count = path, meter, ranks, rank_count
        self.windows: list[dict[str, Any]] = []
        self.facts: dict[str, Any] = {}

    def measure(self, kind: str, orders: Sequence[Steps | Collective]) -> None:
        """One window around *orders*."""
        window = self._meter.open(kind, domains=frozenset({Domain.GPU, Domain.CPU}))
        answers = self._ranks.order(orders)
        self._keep(kind, window.close(), answers)

    def _keep(self, kind: str, reading: Reading, answers: Sequence[Done]) -> None:
        channels = {name: value for name, value in reading.channels.items() if _rank_of(name) < self._count}
        by_rank = {_rank_of(name): energy_j for name, energy_j in channels.items()}
        self.windows.append(
            {
                "kind": kind,
                "void_because": reading.void_because,
                "duration_s": reading.duration_s,
                "uncertainty_j": reading.uncertainty_j,
                "channels": channels,
                "by_rank_j": by_rank,
                "sum_off_share": None if reading.void_because else check_sum(by_rank, channels),
                "step_count": len(answers[0].collective_s),
                "waiting_s": waiting_s([answer.collective_s for answer in answers]),
                "shortest_collective_s": [
                    min(s) for s in zip(*(a.collective_s for a in answers), strict=True)
                ],
                "quality": reading.quality,
            }
        )
        self.path.write_text(json.dumps({"facts": self.facts, "windows": self.windows}, indent=1))


def _orders(load: str, count: int, rank_count: int) -> list[Steps]:
    share, last_share = LOADS[load]
    shares = [share] * (rank_count - 1) + [last_share]
    return [Steps(count=count, batch_share=one) for one in shares]


def _late(rank_count: int, late_s: float) -> list[Collective]:
    return [Collective(late_s=late_s if rank == 0 else 0.0) for rank in range(rank_count)]


def run(options: argparse.Namespace) -> None:
    """Take the windows, as many rounds as fit in the time."""
    began_s = time.monotonic()
    count, size = options.ranks, _TINY if options.tiny else _WHOLE
    round_s, late_s = (0.5, 0.5) if options.tiny else (options.round_s, LATE_S)
    ranks = Ranks(count, size, is_cuda=not options.tiny)
    try:
        with _meter(ranks, is_cuda=not options.tiny) as meter:
            taken = Run(options.out, meter, ranks, count)
            taken.facts = {"ranks": count, "size": asdict(size), "provenance": meter.provenance.value}
            taken.facts["idle_power_w"] = dict(meter.idle_power_w() or {})
            counts = {load: _step_count(ranks, load, count, round_s) for load in LOADS}
            taken.facts["step_counts"] = counts
            rounds_s: list[float] = []
            for number in range(options.rounds):
                round_began_s = time.monotonic()
                if rounds_s and round_began_s - began_s + max(rounds_s) > options.most_s:
                    sys.stdout.write(f"the time is up after {number} rounds\n")
                    break
                for load in _turned([*LOADS], number):
                    taken.measure(load, _orders(load, counts[load], count))
                taken.measure("waiting", _late(count, late_s))
                rounds_s.append(time.monotonic() - round_began_s)
    finally:
        ranks.close()


def _turned(loads: list[str], number: int) -> list[str]:
    """Each round begins with another load."""
    start = number % len(loads)
    return loads[start:] + loads[:start]


def _step_count(ranks: Ranks, load: str, rank_count: int, round_s: float) -> int:
    """Steps that take about *round_s*, warm."""
    ranks.order(_orders(load, 5, rank_count))
    step_s = max(done.duration_s for done in ranks.order(_orders(load, 10, rank_count))) / 10
    return max(2, round(round_s / step_s))


# ---- what comes of it ----


def tables(document: Mapping[str, Any]) -> str:
    """Joules by rank and load, and of waiting, as text."""
    good = [window for window in document["windows"] if window["void_because"] is None]
    lines = [f"{document['facts']['ranks']} ranks, joules {document['facts']['provenance']}"]
    lines += [f"void: {w['kind']}: {w['void_because']}" for w in document["windows"] if w["void_because"]]
    watts = [_waiting_w(window) for window in good if window["kind"] == "waiting"]
    for load in LOADS:
        rounds = [window for window in good if window["kind"] == load]
        if rounds:
            lines += ["", f"{load}: {len(rounds)} rounds, per step", _table_of(rounds, watts)]
    lines += ["", *_waiting_lines(watts), *_light_lines(good, watts)]
    worst = max((window["sum_off_share"] for window in good), default=math.nan)
    return "\n".join([*lines, "", f"sum by rank against the channels' sum: off by {worst:.1g} of it at most"])


def _waiting_w(window: Mapping[str, Any]) -> list[float]:
    """Watts of each rank in a window in which rank 0 came late; `nan` for rank 0."""
    by_rank = {int(rank): value / window["duration_s"] for rank, value in window["by_rank_j"].items()}
    return [math.nan if rank == 0 else by_rank[rank] for rank in sorted(by_rank)]


def _table_of(rounds: Sequence[Mapping[str, Any]], watts: Sequence[Sequence[float]]) -> str:
    steps = rounds[0]["step_count"]
    whole_j = Amount.of([math.fsum(one["by_rank_j"].values()) / steps for one in rounds])
    rows = []
    for rank in range(len(rounds[0]["by_rank_j"])):
        energy_j = Amount.of([_by_rank(one)[rank] / steps for one in rounds])
        power_w = Amount.of([_by_rank(one)[rank] / one["duration_s"] for one in rounds])
        waits_ms = Amount.of([1e3 * one["waiting_s"][rank] / steps for one in rounds])
        row = [f"rank {rank}", _text(energy_j), _text(power_w), _text(waits_ms)]
        rows.append([*row, *_waiting_cells(rounds, watts, rank, whole_j.mean * steps)])
    step_ms = Amount.of([1e3 * one["duration_s"] / steps for one in rounds])
    itself_ms = Amount.of([1e3 * math.fsum(one["shortest_collective_s"]) / steps for one in rounds])
    rows.append(["all", _text(whole_j), "", "", "", ""])
    heads = ["", "J/step", "W", "waits ms/step", "J waiting/step", "share of all"]
    foot = f"a step takes {_text(step_ms)} ms, of which its collective {_text(itself_ms)} ms on the last rank"
    return f"{tabulate(rows, headers=heads, disable_numparse=True)}\n{foot}"


def _waiting_cells(
    rounds: Sequence[Mapping[str, Any]], watts: Sequence[Sequence[float]], rank: int, whole_j: float
) -> list[str]:
    """Joules of waiting with their interval, and their share; rank 0's watts are those of the others."""
    if not watts:
        return ["not measured", ""]
    known = watts if rank else [[math.fsum(one[1:]) / (len(one) - 1), *one[1:]] for one in watts]
    steps = rounds[0]["step_count"]
    amount = waiting_j(known, [one["waiting_s"] for one in rounds], rank)
    low, high = (end / steps for end in amount.interval)
    interval = "interval unknown" if math.isinf(amount.uncertainty) else f"[{low:.3g}, {high:.3g}]"
    return [f"{amount.mean / steps:.3g} {interval}", f"{100 * amount.mean / whole_j:.2g} %"]


def _waiting_lines(watts: Sequence[Sequence[float]]) -> list[str]:
    if not watts:
        return ["power of a rank that waits: not measured"]
    ranks = range(1, len(watts[0]))
    by_rank = (f"rank {rank} {_text(Amount.of([one[rank] for one in watts]))} W" for rank in ranks)
    return [f"power of a rank that waits in an all-reduce ({len(watts)} windows): {', '.join(by_rank)}"]


def _light_lines(good: Sequence[Mapping[str, Any]], watts: Sequence[Sequence[float]]) -> list[str]:
    """Another way to the same: what the rank with half of its work used more than where all have half."""
    uneven, half = ([one for one in good if one["kind"] == kind] for kind in ("uneven", "half"))
    if not (uneven and half and watts):
        return []
    last = len(uneven[0]["by_rank_j"]) - 1
    there, here = ([_by_rank(one)[last] / one["step_count"] for one in rounds] for rounds in (uneven, half))
    more_j = math.fsum(there) / len(there) - math.fsum(here) / len(here)
    waits = waiting_j(watts, [one["waiting_s"] for one in uneven], last).mean / uneven[0]["step_count"]
    text = (
        f"rank {last} with half of the work uses {more_j:.3g} J/step more among ranks with all of it than "
        f"among ranks with half; waiting explains {waits:.3g} J of that"
    )
    return [text]


def _by_rank(window: Mapping[str, Any]) -> dict[int, float]:
    return {int(rank): energy_j for rank, energy_j in window["by_rank_j"].items()}


def _text(amount: Amount) -> str:
    if math.isinf(amount.uncertainty):
        return f"{amount.mean:.4g} (once)"
    return f"{amount.mean:.4g} +- {amount.uncertainty:.2g}"


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks")
    parser.add_argument("out", type=Path, help="JSON file")
    parser.add_argument("--ranks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--round-s", type=float, default=4.0)
    parser.add_argument("--most-s", type=float, default=170.0, help="begin no round after so many seconds")
    parser.add_argument("--tiny", action="store_true", help="on a CPU, to try it")
    parser.add_argument("--show", action="store_true", help="print the tables of OUT, measure nothing")
    return parser.parse_args(words)


def main(words: Sequence[str]) -> None:
    options = _arguments(words)
    if not options.show:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        run(options)
    sys.stdout.write(tables(json.loads(options.out.read_text())) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
