"""Policies of serving under a load that changes: joules, latencies and accuracy, in pairs.

    python -m benchmarks.policies OUT [--device cuda|cpu] [--most-s 240]
    python -m benchmarks.policies --table OUT/policies.json

Two examples: batches of fixed size against none and against batches that follow the queue; a large network
against a small one, alone and handing on what it is not sure of. OUT gets `policies.json`, written after each
pair, and `run.json` and `run.html` in the end. A pair that has no time left says so in its row.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bounded_suite import run_and_show

SUITE = "benchmarks/policies/suite.py"
VARIABLE = "BENCH_POLICIES"
_HEADS = (
    "policies",
    "J/request",
    "ratio [95 %]",
    "verdict",
    "e2e p50",
    "e2e p99",
    "in limit",
    "accuracy",
    "batch",
)


def main() -> int:
    """Run the pairs, or print a table of earlier ones."""
    arguments = _arguments()
    if arguments.table:
        print(table(json.loads(Path(arguments.table).read_text())))  # noqa: T201
        return 0
    return run_and_show(
        arguments,
        SUITE,
        variable=VARIABLE,
        kept="policies.json",
        table=table,
        nothing="no pair was run",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", help="folder for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--most-s", type=float, default=240.0, help="seconds for everything")
    parser.add_argument("--table", metavar="POLICIES.json")
    arguments = parser.parse_args()
    if not (arguments.out or arguments.table):
        parser.error("OUT or --table is required")
    return arguments


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown; each cell of two values has the reference's first."""
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'--|' * len(_HEADS)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows if "candidate" in row]
    notes = [f"{', '.join(row['policies'])}: not run: {row['not_run']}" for row in rows if "not_run" in row]
    notes += [f"cascade: {json.dumps(row['cascade'])}" for row in rows if "cascade" in row]
    notes += [
        f"{row['candidate']['name']}: no ratio: {because}"
        for row in rows
        for because in row.get("absent", {}).values()
    ]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    sides = (row["reference"], row["candidate"])
    ratio, change = row["ratio"], row["accuracy_change"]

    def both(*path: str, scale: float = 1.0, digits: int = 3) -> str:
        return ", ".join(_figure(side, path, scale, digits) for side in sides)

    shown = "" if change is None else f" ({100 * change['lower']:+.1f} to {100 * change['upper']:+.1f})"
    return (
        ", ".join(side["name"] for side in sides),
        both("energy_per_request_j"),
        "-" if ratio is None else f"{ratio['value']:.3f} [{ratio['lower']:.3f}, {ratio['upper']:.3f}]",
        row["verdict"],
        f"{both('latency', 'p50_s', scale=1e3)} ms",
        f"{both('latency', 'p99_s', scale=1e3)} ms",
        f"{both('slo_share', scale=100, digits=4)} %",
        f"{both('accuracy', 'value', scale=100, digits=4)} %{shown}",
        both("mean_batch_size"),
    )


def _figure(side: Mapping[str, Any], path: Sequence[str], scale: float, digits: int) -> str:
    value: Any = side
    for name in path:
        value = None if value is None else value[name]
    return "-" if value is None else f"{value * scale:.{digits}g}"


if __name__ == "__main__":
    raise SystemExit(main())
