"""Our load generator against `vllm bench serve`: one server, the same requests, in turns.

    python -m benchmarks.llm.versus_bench_serve [--device cpu|cuda] [--arrivals same|own] [--pairs N]
        [--out FILE]

Run by a Python that has vLLM: `make test-vllm` makes one for the CPU, `pytest-energy[vllm]` brings it for a
GPU. A pair is one run of either client with the same seed; which goes first takes turns as in
`pytest-energy ab`. Ends with 0 if the 95 % interval of each ratio, ours to theirs, lies within 0.95 to 1.05,
with 1 if not, and with 2 if a run failed.

Rule 1: both send as many prompts of the same lengths and get answers of the same lengths, greedy, after two
requests for warming up. A run whose count of tokens differs from the other's ends the comparison.
Rule 2: arrivals `same`: our schedule and lengths are written as a trace, which the other client replays, so
that each request of ours has its like of theirs. Arrivals `own`: each draws its own by the same rate,
burstiness and seed; chance is then in the figures that depend on who meets whom.
Rule 3: the figures are each client's own: theirs as in their result file, ours as `LoadResult` has them. The
server's processor time is read here for both, from the first request to the last token.
Rule 4: a pair beside which other processes took more than `--most-foreign` of a core is set aside, whatever
it reads, and another taken in its place, until twice as many as asked for have run. All are in FILE.
Rule 5: both run on cores that the server doesn't work on, or which core a run happened to be put on would be
in its figures. On a CPU these are the ones that it binds none of its threads to. With a GPU it binds none,
and is kept on physical cores of its own, where there are enough.
Rule 6: nothing stays behind, whatever ends this: the server, its workers and its files go too.

Source:
    Definitions of theirs: `vllm/benchmarks/serve.py` and `vllm/benchmarks/lib/endpoint_request_func.py`.
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from benchmarks.llm.versus_bench_serve.clients import Bench
from benchmarks.llm.versus_bench_serve.devices import CPU, DEVICES
from benchmarks.llm.versus_bench_serve.figures import NAMES, Pair
from benchmarks.llm.versus_bench_serve.judging import compared, table
from benchmarks.llm.versus_bench_serve.outcome import outcome
from benchmarks.llm.versus_bench_serve.server import running_server, write_model
from benchmarks.llm.versus_bench_serve.work import Work
from pytest_energy.errors import EnergyError
from pytest_energy.stats.paired import LEAST_PAIR_COUNT

PROGRAM = "python -m benchmarks.llm.versus_bench_serve"


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", choices=DEVICES, default=CPU.name, help="what the server runs on")
    parser.add_argument("--arrivals", choices=("same", "own"), default="same")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--requests", type=int, default=40, help="of one run")
    parser.add_argument("--rate", type=float, default=2.5, help="requests a second")
    parser.add_argument("--burstiness", type=float, default=1.0)
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--output-tokens", type=int, default=24)
    parser.add_argument("--size", default="12M", help="of the model: benchmarks.llm.models.SIZES")
    parser.add_argument("--seed", type=int, default=1, help="of the first pair; the next has the next")
    parser.add_argument("--most-foreign", type=float, default=0.1, help="cores that others may be busy on")
    parser.add_argument("--out", type=Path, help="JSON file for all runs")
    parser.add_argument("--url", help="of a server that runs, its prefix cache off; needs --model")
    parser.add_argument("--model", type=Path, help="folder of that server's model")
    options = parser.parse_args(arguments)
    if (options.url is None) != (options.model is None):
        parser.error("--url and --model go together")
    if options.pairs < LEAST_PAIR_COUNT:
        parser.error(f"--pairs {options.pairs}: the spread of less than {LEAST_PAIR_COUNT} is hardly known")
    return options


@contextmanager
def _target(options: argparse.Namespace, folder: Path, work: Work) -> Iterator[tuple[str, Path]]:
    """URL of the server and folder of its model."""
    if options.url is not None:
        yield options.url, options.model
        return
    model = write_model(folder / "model", work.size, position_count=work.room)
    device = DEVICES[options.device]
    with running_server(model, folder, device, longest=work.room) as url:
        yield url, model


def _exit_on_terminate() -> None:
    def leave(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def _measure(options: argparse.Namespace, work: Work) -> tuple[list[Pair], list[Pair]]:
    """Pairs that count, and those set aside."""
    counted: list[Pair] = []
    aside: list[Pair] = []
    device = DEVICES[options.device]
    with tempfile.TemporaryDirectory() as name, _target(options, Path(name), work) as (url, model):
        vocabulary = json.loads((model / "config.json").read_text())["vocab_size"]
        bench = Bench(url=url, model=model, vocabulary=vocabulary, folder=Path(name), work=work)
        with device.kept_apart(bench.server_pids()):
            bench.ours(options.seed - 1)  # not counted: the server's first run reads up to a third high
            for number in range(2 * options.pairs):
                bench.await_quiet(options.most_foreign)
                # The turn is that of the pair whose place it takes.
                pair = bench.pair(len(counted), options.seed + number)
                (counted if pair.foreign_cores <= options.most_foreign else aside).append(pair)
                print(_line(pair), flush=True)  # noqa: T201
                if options.out is not None:  # now, so that a run that is broken off leaves what it has
                    told = outcome(work, device, counted, aside)
                    options.out.write_text(f"{json.dumps(told, indent=1)}\n")
                if len(counted) == options.pairs:
                    break
    return counted, aside


def _line(pair: Pair) -> str:
    theirs, ours = pair.theirs.figures, pair.ours.figures
    ratios = ", ".join(f"{name} {ours[name] / theirs[name]:.3f}" for name, _, _ in NAMES[:-1])
    return f"seed {pair.seed}, {pair.foreign_cores:.2f} cores of others: {ratios}"


def main(arguments: Sequence[str]) -> int:
    """Let both clients run in turns, print the table; the exit status."""
    options = _parsed(arguments)
    _exit_on_terminate()
    try:
        work = Work(
            size=options.size,
            prompt_tokens=options.prompt_tokens,
            output_tokens=options.output_tokens,
            count=options.requests,
            rate=options.rate,
            burstiness=options.burstiness,
            arrivals=options.arrivals,
        )
        pairs, aside = _measure(options, work)
    except (EnergyError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    rows = compared(pairs)
    if not rows:
        print(_too_few(options, pairs, aside), file=sys.stderr)  # noqa: T201
        return 2
    print(table(rows))  # noqa: T201
    print(f"{len(pairs)} pairs, {len(aside)} more set aside")  # noqa: T201
    return 0 if all(row.verdict == "agrees" for row in rows) else 1


def _too_few(options: argparse.Namespace, pairs: Sequence[Pair], aside: Sequence[Pair]) -> str:
    return (
        f"other processes were busy on more than {options.most_foreign:g} cores beside {len(aside)} of "
        f"{len(pairs) + len(aside)} pairs; end those processes, or allow more with --most-foreign"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
