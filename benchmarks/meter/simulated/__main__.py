"""The meter over simulated counters whose truth is known: how wrong, and how wrong it says it is.

    python -m benchmarks.meter.simulated FILE [--cells REGEX] [--rows 2 5] [--windows 500] [--most-s S]

Each cell's figures are added to FILE (JSON) as they come; those of cells that are not run again remain. The
sensors, the sampler and the windows are the product's. Time is simulated, in one thread, so neither load nor
the machine's speed matters. What a counter does is in `cells.py`: `Response` has its low-pass, delay,
sampling and part-time, `Ticks` its updates, `Calls` what a read costs. To try another, add a `Cell`, or

    from benchmarks.meter.simulated.bench import Bench, Response, Setup
    bench = Bench(Setup(response=Response(low_pass_s=0.05, delay_s=0.02)), seed=1)
    reading = bench.bursts(0.2)  # 780 W for 0.2 s; bench.truth_j(reading) is what was used

The page is made by `python -m benchmarks.meter.simulated.page FILE docs/results/meter-simulated.md`.
"""

import argparse
import json
import re
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.meter.simulated.cells import CELLS
from benchmarks.meter.simulated.outcome import outcome
from benchmarks.meter.simulated.page import line
from benchmarks.meter.simulated.trials import Cell


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.meter.simulated", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("out", type=Path, metavar="FILE", help="JSON, to which figures are added")
    parser.add_argument("--cells", default="", metavar="REGEX", help="cells whose name matches")
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", help="cells of these rows (1 to 12, calibrated, void, sound)"
    )
    parser.add_argument("--windows", type=int, default=500, metavar="N", help="of each cell (500)")
    parser.add_argument(
        "--most-s", type=float, default=480.0, metavar="S", help="begin no cell after so long"
    )
    options = parser.parse_args(arguments)
    begun_s = time.monotonic()
    chosen = [cell for cell in CELLS if _is_chosen(cell, options.cells, options.rows)]
    document = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    figures = document.setdefault("cells", {})
    for cell in chosen:
        if time.monotonic() - begun_s > options.most_s:
            print(f"time is up before: {cell.name}")  # noqa: T201
            return 1
        result = outcome(cell.name, cell.row, cell.trials(options.windows, zlib.crc32(cell.name.encode())))
        figures[cell.name] = asdict(result)
        document["cells"] = {cell.name: figures[cell.name] for cell in CELLS if cell.name in figures}
        options.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(line(result), flush=True)  # noqa: T201
    return 0


def _is_chosen(cell: Cell, pattern: str, rows: Sequence[str] | None) -> bool:
    return re.search(pattern, cell.name) is not None and (rows is None or cell.row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
