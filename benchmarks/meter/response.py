"""The response of a counter, found again from kept bursts, and what it is worth on another board.

    python -m benchmarks.meter.response docs/results/meter-response/bursts.json
    python -m benchmarks.meter.response docs/results/meter-response/bursts-hopper.json

Each board's bursts are corrected by the response that the other boards' bursts give. Prints, for each length,
the coefficient of variation of joules above quiet as counted and as corrected.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from tabulate import tabulate

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.meter.calibration import Burst, calibrated, edge_of, scatter
from pytest_energy.meter.response import counted_share
from pytest_energy.model import CounterResponse

SHORTEST_S = 0.005
"""Bursts of one kernel say little of the response beside their noise."""

# Lengths are shown in groups with these upper bounds, in seconds.
_BOUNDS_S = (0.005, 0.008, 0.014, 0.025, 0.04, 0.08, 0.15, 0.35, 0.8, 2.0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="BURSTS.json", help="bursts of several boards")
    document = json.loads(parser.parse_args(arguments).file.read_text(encoding="utf-8"))
    sys.stdout.write(to_text(document) + "\n")
    return 0


def bursts_of(board: dict[str, Any]) -> list[Burst]:
    return [
        Burst(start_phase=phase, length_s=length_s, excess_j=excess_j)
        for phase, length_s, excess_j in board["bursts"]
    ]


def boards_alike(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Boards whose counters were read in the way that the response is of; read otherwise, it is another."""
    return [board for board in document["boards"] if board["counter"] == document["response_from"]]


def response_of(boards: Sequence[dict[str, Any]], *, settle_s: float) -> CounterResponse:
    """The response that all bursts of *boards* give that are longer than one kernel.

    What it leaves open is what each board's bursts scatter by if the response of the others is taken out.
    """
    known = CounterResponse(settle_s=settle_s)
    response = _waves_of(boards, known)
    if len(boards) < 2:
        return response
    scattered = [
        scatter(_long_bursts(board), _waves_of([other for other in boards if other is not board], known))
        for board in boards
    ]
    edge_s, edge_length_s = edge_of(*(np.concatenate(values) for values in zip(*scattered, strict=True)))
    return replace(response, edge_s=edge_s, edge_length_s=edge_length_s)


def _waves_of(boards: Sequence[dict[str, Any]], known: CounterResponse) -> CounterResponse:
    bursts = [burst for board in boards for burst in _long_bursts(board)]
    return calibrated(bursts, tick_s=fmean(board["tick_s"] for board in boards), known=known)


def _long_bursts(board: dict[str, Any]) -> list[Burst]:
    return [burst for burst in bursts_of(board) if burst.length_s >= SHORTEST_S]


def variations(bursts: Sequence[Burst], response: CounterResponse) -> list[tuple[float, ...]]:
    """For each group of lengths: seconds, bursts, variation as counted and as corrected in percent."""
    rows = []
    for low_s, high_s in zip((0.0, *_BOUNDS_S), _BOUNDS_S, strict=False):
        group = [burst for burst in bursts if low_s <= burst.length_s < high_s]
        if len(group) < 3:
            continue
        counted_j = [burst.excess_j for burst in group]
        read_j = [
            burst.excess_j / counted_share(response, burst.start_phase, burst.length_s) for burst in group
        ]
        length_s = fmean(burst.length_s for burst in group)
        rows.append((length_s, len(group), *(100 * stdev(j) / fmean(j) for j in (counted_j, read_j))))
    return rows


def to_text(document: dict[str, Any]) -> str:
    settle_s = document["settle_s"]
    alike = boards_alike(document)
    parts = []
    for board in document["boards"]:
        others = [other for other in alike if other is not board]
        rows = variations(bursts_of(board), response_of(others, settle_s=settle_s))
        table = [[f"{1e3 * s:.1f} ms", n, f"{raw:.2f} %", f"{cor:.2f} %"] for s, n, raw, cor in rows]
        headers = ("length", "bursts", "as counted", "corrected")
        title = f"{board['uuid']}, {board['counter']}; corrected by {len(others)} others"
        parts += [title, "", tabulate(table, headers, tablefmt="github"), ""]
    response = response_of(alike, settle_s=settle_s)
    parts.append(f"From all that were {document['response_from']}: {response}")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
