"""What the fixed loads of the yardstick use on this machine, and how much they scatter.

    python benchmarks/gate/yardstick.py [--runs N] [--sensors NAMES] [--out DIR]

Each run is a process of pytest with one short energy test, whose file imports torch where that is installed,
and with `--energy-yardstick=on`. Printed is a line for each load and run: joules and seconds of a round,
watts, the scatter of its rounds (CV) and their standard uncertainty as shares of the joules; then, of several
runs, the scatter of their means. A load that could not be measured is a line with its reason. With `--out`
the runs' documents are kept. About 30 s a run on an H100.

Exit status: 0 every load was measured, 1 one was not, 2 there is no yardstick here.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, stdev

from tabulate import tabulate

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from pytest_energy.cli.files import read_run
from pytest_energy.errors import EnergyError
from pytest_energy.model import Record
from pytest_energy.yardstick import Yardstick

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "pytest_energy.plugin"
TEST = """{imports}
import time
import pytest

@pytest.mark.energy(rounds=1, warmup=0)
def test_short(energy):
    energy.measure(lambda: time.sleep(0.2))
"""
HEADERS = ("run", "load", "amount", "J", "s", "W", "CV of rounds", "uncertainty", "deg C")

Runner = Callable[[Sequence[str], Path], int]
"""Runs a command line in a folder, and gives its exit status."""


def run_there(words: Sequence[str], folder: Path) -> int:
    return subprocess.run(words, cwd=folder, check=False, stdout=subprocess.DEVNULL).returncode  # noqa: S603  # our own words


def command(out: Path, sensors: str) -> list[str]:
    """The command line that measures a yardstick and writes its document to *out*."""
    is_installed = any(point.value == PLUGIN for point in entry_points(group="pytest11"))
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=."),
        *(() if is_installed else ("-p", PLUGIN)),
        *("--energy-yardstick=on", "--energy-baseline=off"),
        *(f"--energy-sensors={sensors}", f"--energy-out={out}"),
    ]


def measured(folder: Path, number: int, sensors: str, run: Runner) -> Yardstick:
    """The yardstick of one process, whose document goes to *folder*.

    Raises:
        EnergyError: pytest wrote no document.
    """
    out = (folder / f"yardstick-{number}.json").resolve()
    with tempfile.TemporaryDirectory(prefix="pytest-energy-yardstick-") as name:
        imports = "import torch" if find_spec("torch") is not None else ""
        Path(name, "test_short.py").write_text(TEST.format(imports=imports), encoding="utf-8")
        run(command(out, sensors), Path(name))
    return read_run(out).yardstick


def rows(number: int, yardstick: Yardstick) -> list[tuple[str, ...]]:
    """A line for each load of the run *number*."""
    return [_row(number, record) for record in yardstick.records]


def _row(number: int, record: Record) -> tuple[str, ...]:
    name = record.test_id.rpartition("::")[2]
    energies_j, energy_j, duration_s = record.round_energies_j, record.energy_j, record.duration_s
    if energy_j is None or not duration_s:
        because = record.void_because or record.unmeasured_because or "every round is void"
        return (str(number), name, because)
    uncertainty_j = fmean(reading.uncertainty_j for reading in record.usable_rounds)
    temperatures_c = [c for reading in record.usable_rounds for c in reading.temperatures_c.values()]
    return (
        str(number),
        name,
        record.workload["yardstick_amount"],
        f"{energy_j:.4g}",
        f"{duration_s:.3f}",
        f"{energy_j / duration_s:.1f}",
        f"{100 * stdev(energies_j) / energy_j:.2f} %" if len(energies_j) > 1 else "",
        f"{100 * uncertainty_j / energy_j:.2f} %",
        f"{fmean(temperatures_c):.0f}" if temperatures_c else "",
    )


def between_runs(yardsticks: Iterable[Yardstick]) -> list[str]:
    """Of each load that several runs have: the scatter of their joules, seconds and watts."""
    by_load: dict[str, list[Record]] = {}
    for yardstick in yardsticks:
        for record in yardstick.records:
            if record.energy_j:
                by_load.setdefault(record.test_id, []).append(record)
    return [
        f"{test_id.rpartition('::')[2]}, {len(records)} runs: CV of J {_cv(r.energy_j for r in records)}, "
        f"of s {_cv(r.duration_s for r in records)}, of W {_cv(r.power_w for r in records)}"
        for test_id, records in by_load.items()
        if len(records) > 1
    ]


def _cv(values: Iterable[float | None]) -> str:
    present = [value for value in values if value is not None]
    return f"{100 * stdev(present) / fmean(present):.2f} %"


def took_s(yardstick: Yardstick) -> float | None:
    """Seconds from the first load, its own included, to the end of the last; `None` without two."""
    records = [record for record in yardstick.records if record.rounds]
    if len(records) < 2:
        return None
    first, last = (datetime.fromisoformat(one.created) for one in (records[0], records[-1]))
    return (last - first).total_seconds() + sum(reading.duration_s for reading in records[0].rounds)


def main(arguments: Sequence[str] | None = None, run: Runner = run_there) -> int:
    """Measure and print; 2 and a sentence where there is no yardstick."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="processes, one after another (1)")
    parser.add_argument("--sensors", default="auto", metavar="NAMES", help="as --energy-sensors (auto)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the runs' documents there")
    options = parser.parse_args(arguments)
    folder = options.out or Path(tempfile.mkdtemp(prefix="pytest-energy-yardstick-runs-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yardsticks = [measured(folder, number + 1, options.sensors, run) for number in range(options.runs)]
    except EnergyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for yardstick in yardsticks:
        if not yardstick.records:
            sys.stderr.write(f"no yardstick: {yardstick.absent_because}\n")
            return 2
    table = [row for number, yardstick in enumerate(yardsticks) for row in rows(number + 1, yardstick)]
    sys.stdout.write(tabulate(table, HEADERS, tablefmt="plain", disable_numparse=True) + "\n")
    times_s = [f"{s:.1f}" for yardstick in yardsticks if (s := took_s(yardstick)) is not None]
    took = [f"seconds that a yardstick took: {', '.join(times_s)}"] if times_s else []
    sys.stdout.write("".join(f"{line}\n" for line in [*between_runs(yardsticks), *took]))
    is_whole = all(record.energy_j for yardstick in yardsticks for record in yardstick.records)
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
