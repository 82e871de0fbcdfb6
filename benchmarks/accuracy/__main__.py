"""Joules to 80 and 90 % accuracy, for five networks, with intervals over seeds.

    python -m benchmarks.accuracy OUT [--device cuda|cpu] [--most-s 230]
    python -m benchmarks.accuracy --table OUT/accuracy.json

OUT gets `accuracy.json`, written after each network, and `run.json` and `run.html` in the end. A network that
has no time left says so in its row; one that has less than it needs has fewer trainings.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bounded_suite import run_and_show

SUITE = "benchmarks/accuracy/suite.py"
VARIABLE = "BENCH_ACCURACY"


def main() -> int:
    """Run the networks, or print a table of an earlier run."""
    arguments = _arguments()
    if arguments.table:
        print(table(json.loads(Path(arguments.table).read_text())))  # noqa: T201
        return 0
    return run_and_show(
        arguments,
        SUITE,
        variable=VARIABLE,
        kept="accuracy.json",
        table=table,
        nothing="no network was trained",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", help="folder for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--most-s", type=float, default=230.0, help="seconds for everything")
    parser.add_argument("--table", metavar="ACCURACY.json")
    arguments = parser.parse_args()
    if not (arguments.out or arguments.table):
        parser.error("OUT or --table is required")
    return arguments


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: joules and epochs to each accuracy, and the reason where there are none."""
    trained = [row for row in rows if "targets" in row]
    targets = [f"{100 * target['target']:g} %" for target in trained[0]["targets"]] if trained else []
    heads = ["network", "trainings", "J an epoch", "accuracy in the end"]
    heads += [f"{what} to {target}" for target in targets for what in ("J [95 %]", "epochs")]
    lines = [f"| {' | '.join(heads)} |", f"|{'--|' * len(heads)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in trained]
    notes = [f"{row['network']}: not run: {row['not_run']}" for row in rows if "not_run" in row]
    notes += [
        f"{row['network']}, {100 * target['target']:g} %: {target['absent_because']}"
        for row in trained
        for target in row["targets"]
        if target["absent_because"]
    ]
    estimated = [row["network"] for row in trained if row["provenance"] == "estimated"]
    notes += [f"joules are estimated: {', '.join(estimated)}"] if estimated else []
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _cells(row: Mapping[str, Any]) -> list[str]:
    ends = [training[-1] for training in row["trainings"]]
    energies_j = [end["energy_j"] for end in ends]
    epoch_count = sum(len(training) for training in row["trainings"])
    epoch_j = "-" if None in energies_j else f"{sum(energies_j) / epoch_count:.4g}"
    accuracies = [end["accuracy"] for end in ends]
    cells = [
        row["network"],
        str(len(ends)),
        epoch_j,
        f"{min(accuracies):.3f} to {max(accuracies):.3f}",
    ]
    for target in row["targets"]:
        cells += [_joules(target), ", ".join("-" if one is None else str(one) for one in target["epochs"])]
    return cells


def _joules(target: Mapping[str, Any]) -> str:
    if target["energy_j"] is None:
        least_j = target["least_energy_j"]
        return "-" if least_j is None else f"at least {least_j:.4g}"
    interval_j = target["interval_j"]
    if interval_j is None:
        return f"{target['energy_j']:.4g} [one training]"
    return f"{target['energy_j']:.4g} [{interval_j[0]:.4g}, {interval_j[1]:.4g}]"


if __name__ == "__main__":
    raise SystemExit(main())
