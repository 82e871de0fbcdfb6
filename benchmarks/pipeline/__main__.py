"""Three practices of a small pipeline, each on and off: joules once and per request, accuracy, break-even.

    python -m benchmarks.pipeline OUT [--device cuda|cpu] [--runs 3] [--most-s 300]

A run has all eight combinations, in an order of its own. OUT gets `run-1.json`, `run-2.json` and so on as
they end, and the ledger of those that are complete as `ledger.md`, `ledger.json` and `ledger.png`.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.bounded_suite import bounded
from pytest_energy.cli import main as command

SUITE = "benchmarks/pipeline/suite.py"
VARIABLE = "BENCH_PIPELINE"


def main() -> int:
    """Run, and write the ledger after each run."""
    arguments = _arguments()
    began_s, out = time.time(), Path(arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    done: list[Path] = []
    took_s = 0.0
    for number in range(1, arguments.runs + 1):
        left_s = arguments.most_s - (time.time() - began_s)
        if took_s > left_s:
            print(f"run {number} is not begun: {left_s:.0f} s are left, a run takes {took_s:.0f} s")  # noqa: T201
            break
        run_began_s, path = time.time(), out / f"run-{number}.json"
        if _run(path, arguments.device, number, left_s) == 0:
            done.append(path)
            _write(done, out)
        took_s = time.time() - run_began_s
    print(f"{len(done)} runs, {time.time() - began_s:.0f} s; {out}")  # noqa: T201
    return 0 if done else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", help="folder for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--runs", type=int, default=3, help="each is a block of the ledger")
    parser.add_argument("--most-s", type=float, default=300.0, help="seconds for everything")
    return parser.parse_args()


def _run(path: Path, device: str, seed: int, most_s: float) -> int:
    words = [
        *(sys.executable, "-m", "pytest", SUITE, "-q", "-p", "no:cacheprovider"),
        *(f"--energy-out={path}", "--energy-baseline=off"),
        *(["--energy-estimates=gate"] if device == "cpu" else []),
    ]
    return bounded(words, {VARIABLE: json.dumps({"device": device, "seed": seed})}, most_s)


def _write(runs: list[Path], out: Path) -> None:
    outs = [f"--out={out / f'ledger.{suffix}'}" for suffix in ("md", "json", "png")]
    command(["ledger", *map(str, runs), *outs])


if __name__ == "__main__":
    sys.exit(main())
