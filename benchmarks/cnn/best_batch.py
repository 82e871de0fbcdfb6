"""The best batch size of each model, out of the session JSON of a run of the sweep.

    pytest benchmarks/cnn/test_batch_size.py --bench-profile=gpu --energy-out=run.json
    python benchmarks/cnn/best_batch.py run.json [--plot DIR]

Prints joules a sample, samples a second and memory by batch size, of training and of inference. Best is the
fewest joules a sample; sizes whose 95 % interval overlaps its own are ties. Past saturation a larger batch
brings neither speed nor joules. Sizes that didn't fit into memory have a row without joules; larger ones of
that model have no record, and pytest names them as skipped. Void ones are listed at the end.

What is best, tied and saturated is judged in `pytest_energy.report.batch`, as for the figures.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from tabulate import tabulate

from pytest_energy.cli.files import read_run
from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.model import Provenance
from pytest_energy.report.batch import (
    LEAST_GAIN,
    LostSize,
    Size,
    Sweep,
    best,
    may_be_best,
    saturation,
    sweeps,
    ties,
)
from pytest_energy.report.catalogue import Plan, of_sweep, write
from pytest_energy.units import to_text as quantity


def measured_sweeps(path: Path) -> tuple[Sweep, ...]:
    """The sweeps in the run *path*.

    Raises:
        SettingsError: It is no run, or holds no size with joules.
    """
    found = sweeps(read_run(path))
    if not any(sweep.sizes for sweep in found):
        raise SettingsError(
            f"{path} holds no measured test of the batch sweep: run benchmarks/cnn/test_batch_size.py"
        )
    return found


def title_of(sweep: Sweep) -> str:
    """The model, and where its joules come from unless they were measured."""
    is_measured = sweep.provenance is Provenance.MEASURED
    return sweep.model if is_measured else f"{sweep.model} ({sweep.provenance})"


def to_text(title: str, sizes: Sequence[Size], lost: Sequence[LostSize] = (), *, form: str = "simple") -> str:
    """One model's table and what it says; *form* is tabulate's."""
    first, tied, saturated = best(sizes), ties(sizes), saturation(sizes)
    rows = [
        (
            size.batch_size,
            f"{size.energy_j:.4g}",
            f"{size.interval_j[0]:.4g} to {size.interval_j[1]:.4g}",
            f"{size.samples_per_s:.4g}",
            "-" if size.memory_bytes is None else quantity(size.memory_bytes, "B", digits=3),
            "best" if size is first else "tie" if size.batch_size in tied else "",
        )
        for size in sizes
    ]
    rows += [
        (size.batch_size, "-", "-", "-", "-", "out of memory")
        for size in lost
        if size.batch_size is not None and size.is_out_of_memory
    ]
    rows.sort(key=lambda row: row[0])
    headers = ("batch size", "J/sample", "95 % interval", "samples/s", "memory", "")
    table = tabulate(rows, headers=headers, tablefmt=form, disable_numparse=True, stralign="right")
    low_j, high_j = first.interval_j
    said = [
        f"best: {first.batch_size}, {first.energy_j:.4g} J/sample ({low_j:.4g} to {high_j:.4g})",
        "95 % interval of the best size: {} to {}".format(*may_be_best(sizes)),
    ]
    if tied:
        said.append(f"tied with it: {', '.join(map(str, tied))}; their intervals overlap")
    if saturated is not None:
        said.append(
            f"warning: past {saturated} the next size gains less than {LEAST_GAIN:.0%} in samples/s and no "
            "J/sample: saturated"
        )
    if first is sizes[-1]:
        said.append("warning: the best is the largest size measured; a larger one may be better")
    if form == "github":
        said = ["", *(f"- {sentence}" for sentence in said)]
    return "\n".join([title, table, *said])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each model's table; 2 and a sentence where that can't be done."""
    parser = argparse.ArgumentParser(description="The best batch size of each model in a run of the sweep.")
    parser.add_argument("run", type=Path, metavar="RUN.json", help="session JSON that --energy-out wrote")
    parser.add_argument(
        "--plot", type=Path, metavar="DIR", help="draw each model's figure into DIR, as pytest-energy plot"
    )
    options = parser.parse_args(arguments)
    try:
        found = measured_sweeps(options.run)
        plans = [plan for sweep in found if isinstance(plan := of_sweep(sweep), Plan)]
        written = [] if options.plot is None else [one.path for one in write(plans, options.plot)]
    except EnergyError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command prints
        return 2
    blocks = [to_text(title_of(sweep), sweep.sizes, sweep.lost) for sweep in found if sweep.sizes]
    if lost := [size.name for sweep in found for size in sweep.lost if not size.is_out_of_memory]:
        blocks.append(f"without a usable reading: {', '.join(lost)}")
    if written:
        blocks.append("\n".join(f"written to {path}" for path in written))
    print("\n\n".join(blocks))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
