"""How far CPU time of equal work differs from process to process, idle and beside busy loops.

Each run is a fresh pytest of four tests whose estimates are read from its JSON:

    python -m benchmarks.meter.estimate_swing --runs 10 --out swing.json
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

TESTS = """
import random

import numpy as np
import pytest

pytestmark = pytest.mark.energy(max_time_s=2)
RNG = random.Random(1)
SCORES = [RNG.random() for _ in range(100_000)]
SQUARE = np.random.default_rng(1).random((300, 300))
LARGE = np.zeros(4_000_000)


def test_sort(energy):
    energy.measure(sorted, SCORES)


def test_loop(energy):
    energy.measure(sum, range(1_000_000))


def test_product(energy):
    energy.measure(SQUARE.dot, SQUARE)


def test_copy(energy):
    energy.measure(LARGE.copy)
"""
BUSY = (sys.executable, "-c", "while True: pass")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def joules_of(folder: Path) -> dict[str, float]:
    """Mean joules of a round by test, of one run in *folder*."""
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--energy-trace=off")
    out = folder / "run.json"
    subprocess.run(  # noqa: S603  # our own interpreter
        (*command, "--energy-sensors=estimate", f"--energy-out={out}"),
        cwd=folder,
        check=True,
        capture_output=True,
    )
    tests = json.loads(out.read_text())["tests"]
    return {test["id"].partition("::")[2]: _mean_j(test["rounds"]) for test in tests}


def _mean_j(rounds: Sequence[Mapping[str, Any]]) -> float:
    for one in rounds:
        if one["void_because"] is not None:
            sys.stderr.write(f"{one['void_because']}\n")
    return fmean(one["energy_j"] for one in rounds if one["energy_j"] is not None)


def runs(count: int, loop_counts: Sequence[int]) -> Iterator[tuple[int, dict[str, float]]]:
    """*count* runs beside each number of busy loops, in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "test_swing.py").write_text(TESTS)
        for _ in range(count):
            for loop_count in loop_counts:
                with ExitStack() as stack:
                    for _ in range(loop_count):
                        process = stack.enter_context(subprocess.Popen(BUSY))  # noqa: S603  # our own
                        stack.callback(process.kill)
                    yield loop_count, joules_of(folder)


def summary(found: Sequence[tuple[int, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """By test: how far runs differ, in ln, beside each number of loops, and how far the loops move them."""
    result: dict[str, dict[str, float]] = {}
    loop_counts = sorted({count for count, _ in found})
    for test in found[0][1]:
        logs = {c: [math.log(joules[test]) for count, joules in found if count == c] for c in loop_counts}
        result[test] = {f"sd_beside_{c}": stdev(logs[c]) for c in loop_counts}
        result[test] |= {
            f"shift_beside_{c}": fmean(logs[c]) - fmean(logs[loop_counts[0]]) for c in loop_counts[1:]
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--loops", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    found = list(runs(options.runs, options.loops))
    document = {"summary": summary(found), "runs": [{"busy_loops": c, "energy_j": j} for c, j in found]}
    options.out.write_text(json.dumps(document, indent=1) + "\n")
    sys.stdout.write(f"{json.dumps(document['summary'], indent=1)}\n")


if __name__ == "__main__":
    main()
