"""The exam: is each of the sixteen energy bugs red, and is the guilty operator or call named?

    python -m benchmarks.bugs.exam OUT.json --device cuda [--only 1,2] [--lane 0/4]
    python -m benchmarks.bugs.exam OUT.json --device cpu
    python -m benchmarks.bugs.exam --table OUT.json ... > table.md

On CUDA each pair is one `pytest-energy ab .`, whose sides differ in the variable `BENCH_BUGS` alone. On a CPU
the calls are counted: the mended side is stored as a baseline, and the side with the bug is held against it.
The file is written anew after each pair. A lane of four takes every fourth pair and the card of its own
number, if no `CUDA_VISIBLE_DEVICES` names another; pairs of two cards are left to a run without a lane:

    for k in 0 1 2 3; do python -m benchmarks.bugs.exam lane$k.json --device cuda --lane $k/4 & done; wait
    python -m benchmarks.bugs.exam two.json --device cuda --only 7
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bugs.answers import Answer, answered, load, machine_of, save
from benchmarks.bugs.catalogue import PAIRS
from benchmarks.bugs.pair import BUGS_VARIABLE, Pair, planted_numbers
from benchmarks.bugs.table import table

ROOT = Path(__file__).resolve().parents[2]

TOLERANCE = 0.02
MAX_TIME_S = 20.0  # of a pair's rounds, over all blocks: four pairs in five minutes, starts included
COMMAND_S = 400.0  # after which a command is given up

_TEST = "benchmarks/bugs/test_bugs.py"
_TAIL_LINES = 25
_FOREIGN = ("PYTEST_", "COV_", "COVERAGE_", BUGS_VARIABLE)  # what would reach the runs from around the exam
_PROFILES = {"cpu": "quick", "cuda": "gpu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    exit_status: int
    output: str

    @property
    def tail(self) -> tuple[str, ...]:
        return tuple(self.output.splitlines()[-_TAIL_LINES:])


Run = Callable[[Sequence[str], Mapping[str, str]], Done]
"""Runs this interpreter with some words and further variables of the environment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One of several exams at once, each on a card of its own."""

    number: int = 0
    count: int = 1

    @classmethod
    def of(cls, text: str) -> "Lane":
        """`0/4`.

        Raises:
            argparse.ArgumentTypeError: It is no such thing.
        """
        number, slash, count = text.partition("/")
        if not (slash and number.isdecimal() and count.isdecimal() and int(number) < int(count)):
            raise argparse.ArgumentTypeError(f"give NUMBER/COUNT, such as 0/4, not {text!r}")
        return cls(number=int(number), count=int(count))

    def share(self, pairs: Sequence[Pair], device: str) -> list[Pair]:
        """Of *pairs* those that this lane takes."""
        if self.count == 1:
            return list(pairs)
        fitting = [pair for pair in pairs if device == "cpu" or pair.device_count == 1]
        return fitting[self.number :: self.count]


def run_here(words: Sequence[str], variables: Mapping[str, str]) -> Done:
    """As `Run`, in the repository."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    import_path = os.pathsep.join(filter(None, (str(ROOT), environ.get("PYTHONPATH", ""))))
    try:
        done = subprocess.run(  # noqa: S603  # this very interpreter
            [sys.executable, *words],
            cwd=ROOT,
            env={**environ, "PYTHONPATH": import_path, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=COMMAND_S,
        )
    except subprocess.TimeoutExpired as error:
        output = error.output or b""
        return Done(
            exit_status=124, output=output.decode(errors="replace") if isinstance(output, bytes) else output
        )
    return Done(exit_status=done.returncode, output=done.stdout)


def examine(pair: Pair, device: str, run: Run) -> Answer:
    """Judge *pair*: by joules in turns on CUDA, by counts against a baseline on a CPU."""
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bugs-") as folder:
        out = Path(folder) / "run.json"
        judge = _in_turns if device == "cuda" else _by_counts
        done = judge(pair, out, Path(folder), run)
        document = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    tests = document.get("tests", [])
    answer = Answer(
        number=pair.number,
        name=pair.name,
        report=pair.report,
        device=device,
        method="ab" if device == "cuda" else "counts",
        exit_status=done.exit_status,
        seconds=time.monotonic() - started_s,
        machine=machine_of(document),
        output=done.tail,
    )
    return answered(answer, pair.guilty, tests[0]) if len(tests) == 1 else answer


def _in_turns(pair: Pair, out: Path, folder: Path, run: Run) -> Done:
    del folder
    words = ["ab", ".", f"--env={BUGS_VARIABLE}={pair.number}", f"--tolerance={TOLERANCE}"]
    words += [f"--max-time={MAX_TIME_S}", f"--out={out}", "--", *_chosen(pair, "cuda")]
    return run(["-m", "pytest_energy", *words], {})


def _by_counts(pair: Pair, out: Path, folder: Path, run: Run) -> Done:
    words = ["-m", "pytest", "-p", "no:cacheprovider", *_chosen(pair, "cpu"), "--energy-basis=counts"]
    words.append(f"--energy-baselines={folder / 'baselines'}")
    stored = run([*words, "--energy-baseline=add"], {})
    if stored.exit_status != 0:
        return Done(exit_status=stored.exit_status + 100, output=stored.output)  # never taken for a red bug
    return run([*words, f"--energy-out={out}"], {BUGS_VARIABLE: str(pair.number)})


def _chosen(pair: Pair, device: str) -> list[str]:
    """The words of pytest that choose the one test, whichever profile ends its name."""
    return [_TEST, "-k", pair.id, f"--bench-profile={_PROFILES[device]}"]


def main() -> int:
    options = _options()
    if options.table:
        known = [answer for path in options.out for answer in load(path)]
        sys.stdout.write(table(sorted(known, key=lambda answer: (answer.method, answer.number))))
        return 0
    lane, device = options.lane, options.device
    if device == "cuda" and lane.count > 1:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", str(lane.number))
    wanted = [pair for pair in PAIRS if not options.only or pair.number in options.only]
    answers: list[Answer] = []
    for pair in lane.share(wanted, device):
        answers.append(examine(pair, device, run_here))
        save(answers, options.out[0])
        sys.stdout.write(table(answers[-1:], with_head=False))
        sys.stdout.flush()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, nargs="+", metavar="OUT.json")
    parser.add_argument("--device", choices=tuple(_PROFILES), default="cpu")
    parser.add_argument("--only", type=planted_numbers, default=frozenset(), metavar="N,N,...")
    parser.add_argument("--lane", type=Lane.of, default=Lane(), metavar="K/N")
    parser.add_argument("--table", action="store_true", help="print these files as Markdown")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
