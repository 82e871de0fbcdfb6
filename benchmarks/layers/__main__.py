"""Joules of the paper's networks by type of layer: a training step, and a forward pass.

    python -m benchmarks.layers OUT [--device cuda|cpu] [--works training,forward] [--part 1/2] [--most-s 175]
    python -m benchmarks.layers --table OUT/layers.json OTHER/layers.json

OUT gets `layers.json`, written after each network, and `run.json` and `run.html` in the end. A network that
has no time left says so in its row.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bounded_suite import run_and_show

SUITE = "benchmarks/layers/networks.py"
VARIABLE = "BENCH_LAYERS"
WORKS = ("training", "forward")


def main() -> int:
    """Run the networks, or print a table of an earlier run."""
    arguments = _arguments()
    if arguments.table:
        print(table([row for path in arguments.table for row in json.loads(path.read_text())]))  # noqa: T201
        return 0
    return run_and_show(
        arguments,
        SUITE,
        variable=VARIABLE,
        kept="layers.json",
        table=table,
        nothing="no network was measured",
        plan={"works": arguments.works, "part": arguments.part},
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", help="folder for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--works", type=_works, default=WORKS, help="training, forward, or both")
    parser.add_argument("--part", type=_part, default=(1, 1), help="which of so many parts of the networks")
    parser.add_argument("--most-s", type=float, default=175.0, help="seconds for everything")
    parser.add_argument("--table", metavar="LAYERS.json", type=Path, nargs="+")
    arguments = parser.parse_args()
    if not (arguments.out or arguments.table):
        parser.error("OUT or --table is required")
    return arguments


def _works(text: str) -> tuple[str, ...]:
    works = tuple(text.split(","))
    if not set(works) <= set(WORKS):
        raise argparse.ArgumentTypeError(f"must be of {', '.join(WORKS)}. Got {text}.")
    return works


def _part(text: str) -> tuple[int, int]:
    """Such as `1/2`: the first of two parts."""
    match = re.fullmatch(r"([1-9])/([1-9])", text)
    if match is None or int(match[1]) > int(match[2]):
        raise argparse.ArgumentTypeError(f"must be like 1/2. Got {text}.")
    return int(match[1]), int(match[2])


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: for each work the share of each type in all parts, in percent, and what they explain."""
    texts = [text for work in WORKS if (text := _of_work(work, rows))]
    notes = [f"{_name(row)}: not run: {row['not_run']}" for row in rows if "not_run" in row]
    lost = [row for row in rows if row.get("absent_because")]
    notes += [f"{_name(row)}: no shares: {row['absent_because']}" for row in lost]
    notes += ["The joules are estimates, from the time of the processor."] if _is_estimated(rows) else []
    return "\n\n".join([*texts, *(["\n".join(notes)] if notes else [])])


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['network']}, {row['work']}"


def _is_estimated(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any(row.get("device") == "cpu" for row in rows)


def _of_work(work: str, rows: Sequence[Mapping[str, Any]]) -> str:
    known = [row for row in rows if row["work"] == work and row.get("shares")]
    if not known:
        return ""
    names = sorted({name for row in known for name in row["shares"]}, key=lambda name: -_mean(name, known))
    heads = ["network", "J", *names, "explained"]
    lines = [work, "", f"| {' | '.join(heads)} |", f"|{'--|' * len(heads)}"]
    for row in known:
        shares = [f"{100 * row['shares'][name]:.1f}" if name in row["shares"] else "-" for name in names]
        cells = [row["network"], f"{row['energy_j']:.4g}", *shares, _explained(row)]
        lines.append(f"| {' | '.join(cells)} |")
    means = " | ".join(f"{100 * _mean(name, known):.1f}" for name in names)
    return "\n".join([*lines, f"| mean | | {means} | |"])


def _mean(name: str, rows: Sequence[Mapping[str, Any]]) -> float:
    shares: list[float] = [row["shares"].get(name, 0.0) for row in rows]
    return sum(shares) / len(shares)


def _explained(row: Mapping[str, Any]) -> str:
    share, error = row["explained_share"], row["explained_share_uncertainty"]
    return "-" if share is None else f"{100 * share:.1f} +- {100 * (error or 0.0):.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
