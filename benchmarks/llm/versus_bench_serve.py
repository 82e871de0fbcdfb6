"""Our load generator against `vllm bench serve`: one server, the same requests, in turns.

    python -m benchmarks.llm.versus_bench_serve [--arrivals same|own] [--pairs N] [--out FILE]

Run by a Python that has vLLM; `make test-vllm` makes one for the CPU. A pair is one run of either client with
the same seed; which goes first takes turns as in `pytest-energy ab`. Ends with 0 if the 95 % interval of each
ratio, ours to theirs, lies within 0.95 to 1.05, with 1 if not, and with 2 if a run failed.

Rule 1: both send as many prompts of the same lengths and get answers of the same lengths, greedy, after two
requests for warming up. A run whose count of tokens differs from the other's ends the comparison.
Rule 2: arrivals `same`: our schedule and lengths are written as a trace, which the other client replays, so
that each request of ours has its like of theirs. Arrivals `own`: each draws its own by the same rate,
burstiness and seed; chance is then in the figures that depend on who meets whom.
Rule 3: the figures are each client's own: theirs as in their result file, ours as `LoadResult` has them.
Rule 4: a pair beside which other processes took more than `--most-foreign` of a core is set aside, whatever
it reads, and another taken in its place, until twice as many as asked for have run. All are in FILE.
Rule 5: nothing stays behind, whatever ends this: the server, its workers and its files go too.

Source:
    Definitions of theirs: `vllm/benchmarks/serve.py` and `vllm/benchmarks/lib/endpoint_request_func.py`.
"""

import argparse
import json
import math
import os
import platform
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal, NoReturn

from pytest_energy.baselines.machine import cpu_model
from pytest_energy.errors import EnergyError, NotMeasurable, SettingsError
from pytest_energy.serving.arrivals import schedule
from pytest_energy.serving.engines.endpoint_processes import server_pids
from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint
from pytest_energy.serving.load import serve
from pytest_energy.serving.prompts import random_tokens
from pytest_energy.serving.served import LoadResult, percentile
from pytest_energy.stats.compare import Bounds, Sample
from pytest_energy.stats.paired import LEAST_PAIR_COUNT, compare_pairs, is_turned

LIMITS = (0.95, 1.05)
TAIL = 0.025  # of each bound, so that both make a 95 % interval
WARM_UP_COUNT = 2
MAX_BATCH = 16
SERVER_START_S = 300.0  # 20 s on two free cores
SERVER_END_S = 30.0
RUN_S = 600.0  # of either client: a run takes half a minute
QUIET_S = 30.0  # longest wait for other processes to end their work
QUIET_LOOK_S = 2.0
LOG_LENGTH = 4000  # characters of a log that an error repeats

SERVER_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "1",  # a core for the client, that the model's threads don't wait for
}

# The command `vllm bench` asks for a package named vllm, and the one for the CPU has another name.
BENCH = (
    "from vllm.benchmarks.serve import add_cli_args, main; "
    "from vllm.utils.argparse_utils import FlexibleArgumentParser as Parser; "
    "parser = Parser(); add_cli_args(parser); main(parser.parse_args())"
)

Arrivals = Literal["same", "own"]
Figures = Mapping[str, float]

# Name here, name in their result file, and how many of theirs make one of ours.
NAMES: tuple[tuple[str, str, float], ...] = (
    ("ttft_mean_s", "mean_ttft_ms", 1e-3),
    ("ttft_p50_s", "median_ttft_ms", 1e-3),
    ("ttft_p99_s", "p99_ttft_ms", 1e-3),
    ("tpot_mean_s", "mean_tpot_ms", 1e-3),
    ("tpot_p50_s", "median_tpot_ms", 1e-3),
    ("tpot_p99_s", "p99_tpot_ms", 1e-3),
    ("achieved_rate", "request_throughput", 1.0),
    ("output_token_rate", "output_throughput", 1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What each run is asked to do.

    Attributes:
        size: Of the model, one of `benchmarks.llm.models.SIZES`.
        prompt_tokens: Length of each prompt.
        output_tokens: Length of each answer, at least 2, or there is no time per token.
        count: Requests.
        rate: Requests a second.
        burstiness: Of the arrivals.
        arrivals: Who makes them, see Rule 2.
    """

    size: str
    prompt_tokens: int
    output_tokens: int
    count: int
    rate: float
    burstiness: float
    arrivals: Arrivals

    def __post_init__(self) -> None:
        if self.output_tokens < 2:
            raise SettingsError(f"answers of {self.output_tokens} tokens have no TPOT; ask for at least 2")
        if not 0 < self.rate < math.inf:
            raise SettingsError(f"a rate of {self.rate} requests a second; it must be above 0 and finite")

    @property
    def longest(self) -> int:
        """Tokens of a request, answer included."""
        return self.prompt_tokens + self.output_tokens

    def due_s(self, seed: int) -> tuple[float, ...]:
        """When our load generator sends each request."""
        return schedule(self.count, self.rate, burstiness=self.burstiness, seed=seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one client saw in one run.

    Attributes:
        figures: By the names of `NAMES`.
        prompt_tokens: Of all requests together, as the server counted.
        output_tokens: Likewise.
        late_p99_s: See `lateness_p99_s`; `None` where the client drew its own arrivals.
        foreign_cores: Cores that neither client nor server was busy on, but other processes, on average.
    """

    figures: Figures
    prompt_tokens: int
    output_tokens: int
    late_p99_s: float | None
    foreign_cores: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One run of either client, with the same seed."""

    seed: int
    is_ours_first: bool
    theirs: Run
    ours: Run

    @property
    def foreign_cores(self) -> float:
        """Of the run that had more."""
        return max(self.theirs.foreign_cores, self.ours.foreign_cores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of both clients.

    Attributes:
        name: One of `NAMES`.
        theirs: Median over the runs.
        ours: Median over the runs.
        bounds: Of the ratio ours / theirs.
    """

    name: str
    theirs: float
    ours: float
    bounds: Bounds

    @property
    def verdict(self) -> Literal["agrees", "differs", "undecided"]:
        """Where the interval lies: within the limits, beyond one of them, or across one."""
        least, most = LIMITS
        if least <= self.bounds.lower and self.bounds.upper <= most:
            return "agrees"
        if self.bounds.upper < least or most < self.bounds.lower:
            return "differs"
        return "undecided"


def trace(work: Work, seed: int) -> str:
    """The arrivals and lengths of our load as the other client's dataset `timed_trace` reads them.

    One hash stands for a whole prompt, from which that client draws its token ids.
    """
    rows = (
        {
            "timestamp": due_s,
            "input_length": work.prompt_tokens,
            "output_length": work.output_tokens,
            "hash_ids": [seed * work.count + position],
        }
        for position, due_s in enumerate(work.due_s(seed))
    )
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def their_figures(told: Mapping[str, Any], count: int) -> Figures:
    """The figures in a result file of `vllm bench serve`, in our units.

    Raises:
        NotMeasurable: Not all of *count* requests were answered.
    """
    if told["completed"] != count:
        raise NotMeasurable(f"vllm bench serve: {told['completed']} of {count} requests were answered")
    return {ours: float(told[theirs]) * scale for ours, theirs, scale in NAMES}


def our_figures(result: LoadResult) -> Figures:
    """The figures of *result*, under the same names.

    Raises:
        NotMeasurable: No answer has a second token.
    """
    tpots_s = [time_s for request in result.served if (time_s := request.tpot_s) is not None]
    if not tpots_s:
        raise NotMeasurable("no answer has a second token, so there is no time per token")
    ttft, tpot = result.ttft, result.tpot
    assert tpot is not None
    return {
        "ttft_mean_s": fmean(request.ttft_s for request in result.served),
        "ttft_p50_s": ttft.p50_s,
        "ttft_p99_s": ttft.p99_s,
        "tpot_mean_s": fmean(tpots_s),
        "tpot_p50_s": tpot.p50_s,
        "tpot_p99_s": tpot.p99_s,
        "achieved_rate": result.achieved_rate,
        "output_token_rate": result.output_token_rate,
    }


def lateness_p99_s(started_s: Sequence[float], due_s: Sequence[float]) -> float:
    """How much later than the most punctual request 99 of 100 left, at most.

    Only so can both clients be told alike: the other one doesn't say when its schedule began.

    >>> lateness_p99_s([10.0, 12.0], [0.0, 2.0])
    0.0
    """
    late_s = [start_s - when_s for start_s, when_s in zip(started_s, due_s, strict=True)]
    return percentile([time_s - min(late_s) for time_s in late_s], 0.99)


def check_same_work(theirs: Run, ours: Run) -> None:
    """Rule 1.

    Raises:
        NotMeasurable: One had more tokens than the other.
    """
    for what in ("prompt_tokens", "output_tokens"):
        counts = getattr(theirs, what), getattr(ours, what)
        if counts[0] != counts[1]:
            raise NotMeasurable(
                f"{what} of vllm bench serve: {counts[0]}, of ours: {counts[1]}; not the same work"
            )


def compared(pairs: Sequence[Pair]) -> tuple[Row, ...]:
    """Each figure of both clients and the bounds of its ratio; none of too few *pairs*."""
    if len(pairs) < LEAST_PAIR_COUNT:
        return ()
    return tuple(
        _row(name, [pair.theirs.figures[name] for pair in pairs], [pair.ours.figures[name] for pair in pairs])
        for name, _, _ in NAMES
    )


def table(rows: Sequence[Row]) -> str:
    """*rows* in Markdown, times in milliseconds."""
    lines = ["| | bench serve | ours | ratio | 95 % interval | |", "|---|--:|--:|--:|--:|---|"]
    for row in rows:
        scale, unit = (1e3, "ms") if row.name.endswith("_s") else (1.0, "1/s")
        label = row.name.removesuffix("_s").replace("_", " ").replace("ttft", "TTFT").replace("tpot", "TPOT")
        bounds = row.bounds
        lines.append(
            f"| {label}, {unit} | {scale * row.theirs:.4g} | {scale * row.ours:.4g} | {bounds.ratio:.4f} | "
            f"{bounds.lower:.4f} to {bounds.upper:.4f} | {row.verdict} |"
        )
    return "\n".join(lines)


def _row(name: str, theirs: Sequence[float], ours: Sequence[float]) -> Row:
    bounds = compare_pairs(_sample(theirs), _sample(ours), tolerance=LIMITS[1] - 1, alpha=TAIL)
    return Row(name=name, theirs=median(theirs), ours=median(ours), bounds=bounds)


def _sample(values: Sequence[float]) -> Sample:
    """*values* for the statistics of pairs, which are of ratios and so ask for joules in name only."""
    return Sample(energies_j=tuple(values), uncertainties_j=(0.0,) * len(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Both clients, and where they send their requests.

    Attributes:
        url: Of the server.
        model: Folder of its model, with the tokenizer.
        vocabulary: Tokens that the model knows.
        folder: For files.
        work: Of each run.
    """

    url: str
    model: Path
    vocabulary: int
    folder: Path
    work: Work

    def await_quiet(self, most_foreign: float) -> None:
        """Wait until other processes take less than *most_foreign* cores, but not longer than `QUIET_S`."""
        deadline_s = time.monotonic() + QUIET_S
        while time.monotonic() < deadline_s:
            foreign = _ForeignWork(self._server_pids())
            time.sleep(QUIET_LOOK_S)
            if foreign.cores() <= most_foreign:
                return

    def pair(self, number: int, seed: int) -> Pair:
        """Let both clients run, in the order that is the turn of *number*."""
        is_ours_first = is_turned(number)
        if is_ours_first:
            ours, theirs = self.ours(seed), self.theirs(seed)
        else:
            theirs, ours = self.theirs(seed), self.ours(seed)
        check_same_work(theirs, ours)
        return Pair(seed=seed, is_ours_first=is_ours_first, theirs=theirs, ours=ours)

    def ours(self, seed: int) -> Run:
        """One run of our load generator."""
        work = self.work
        length, answer = work.prompt_tokens, work.output_tokens
        prompts = random_tokens(work.count, length, vocabulary=self.vocabulary, seed=seed)
        first = random_tokens(WARM_UP_COUNT, length, vocabulary=self.vocabulary, seed=f"{seed}/first")
        with OpenAiEndpoint(self.url) as engine:
            serve(engine, first, rate=math.inf, output_tokens=answer)
            foreign = _ForeignWork(self._server_pids())
            result = serve(
                engine,
                prompts,
                rate=work.rate,
                output_tokens=answer,
                burstiness=work.burstiness,
                seed=seed,
                timeout_s=RUN_S,
            )
            foreign_cores = foreign.cores()
        started_s = [request.submitted_s for request in result.served]
        return Run(
            figures=our_figures(result),
            prompt_tokens=result.prompt_tokens,
            output_tokens=result.output_tokens,
            late_p99_s=lateness_p99_s(started_s, work.due_s(seed)),
            foreign_cores=foreign_cores,
        )

    def theirs(self, seed: int) -> Run:
        """One run of `vllm bench serve`."""
        foreign = _ForeignWork(self._server_pids())
        told = self._told(self._arguments(seed))
        is_same = self.work.arrivals == "same"
        return Run(
            figures=their_figures(told, self.work.count),
            prompt_tokens=sum(told["input_lens"]),
            output_tokens=sum(told["output_lens"]),
            late_p99_s=lateness_p99_s(told["start_times"], self.work.due_s(seed)) if is_same else None,
            foreign_cores=foreign.cores(),
        )

    def _server_pids(self) -> tuple[int, ...]:
        port = urllib.parse.urlsplit(self.url).port
        return () if port is None else server_pids(port)

    def _arguments(self, seed: int) -> list[str]:
        work = self.work
        common = (
            *("--backend", "vllm", "--base-url", self.url, "--endpoint", "/v1/completions"),
            *("--model", str(self.model), "--temperature", "0", "--seed", str(seed)),
            *("--num-prompts", str(work.count), "--num-warmups", str(WARM_UP_COUNT), "--disable-tqdm"),
            *("--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "99"),
        )
        if work.arrivals == "own":
            lengths = (
                "--random-input-len",
                str(work.prompt_tokens),
                "--random-output-len",
                str(work.output_tokens),
            )
            rates = ("--request-rate", str(work.rate), "--burstiness", str(work.burstiness), "--ignore-eos")
            return [*common, "--dataset-name", "random", *lengths, *rates]
        path = self.folder / "trace.jsonl"
        path.write_text(trace(work, seed))
        chunk = ("--timed-trace-chunk-hash-size", str(work.prompt_tokens))
        return [*common, "--dataset-name", "timed_trace", "--dataset-path", str(path), *chunk]

    def _told(self, arguments: Sequence[str]) -> dict[str, Any]:
        """What a run of the other client with *arguments* wrote."""
        path = self.folder / "theirs.json"
        path.unlink(missing_ok=True)
        kept = (
            "--save-result",
            "--save-detailed",
            "--result-dir",
            str(path.parent),
            "--result-filename",
            path.name,
        )
        ended = subprocess.run(  # noqa: S603 (written above)
            [sys.executable, "-c", BENCH, *arguments, *kept],
            env=os.environ | SERVER_ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_S,
            check=False,
        )
        if ended.returncode or not path.is_file():
            log = ended.stdout.decode(errors="replace")[-LOG_LENGTH:]
            raise NotMeasurable(
                f"vllm bench serve ended with {ended.returncode} and no result; its last words:\n{log}"
            )
        told: dict[str, Any] = json.loads(path.read_text())
        return told


class _ForeignWork:
    """Processor time of this machine that is neither this process's, its ended children's nor the server's.

    Args:
        server: Process numbers.
    """

    def __init__(self, server: Sequence[int]) -> None:
        self._server = server
        self._start_s = time.monotonic()
        self._start_cpu_s = self._cpu_s()

    def cores(self) -> float:
        """Mean since this was made, in cores."""
        return max(0.0, (self._cpu_s() - self._start_cpu_s) / (time.monotonic() - self._start_s))

    def _cpu_s(self) -> float:
        import psutil

        all_times, own = psutil.cpu_times(), os.times()
        # Time of guests is in the users' already.
        all_s = sum(all_times) - all_times.idle - all_times.iowait - all_times.guest - all_times.guest_nice
        own_s = own.user + own.system + own.children_user + own.children_system
        return all_s - own_s - sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in self._server)


def write_model(folder: Path, size: str, *, position_count: int) -> Path:
    """A model without weights and a tokenizer of a word a token, so that any ids survive being text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from benchmarks.llm.models import SIZES, write_config

    words = {f"w{token}": token for token in range(SIZES[size].vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))  # noqa: S106 (a word, no password)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    wrapper: Any = PreTrainedTokenizerFast  # published without types
    wrapper(tokenizer_object=tokenizer).save_pretrained(str(folder))
    return write_config(folder, size, position_count=position_count)


@contextmanager
def running_server(model: Path, folder: Path) -> Iterator[str]:
    """URL of a vLLM that serves *model* on the CPU, without its prefix cache.

    Raises:
        NotMeasurable: It doesn't start.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--host", "127.0.0.1", "--port", str(port), "--disable-uvicorn-access-log"),
        *("--load-format", "dummy", "--dtype", "float32", "--enforce-eager", "--no-enable-prefix-caching"),
        *("--max-num-seqs", str(MAX_BATCH)),
    ]
    log_path = folder / "server.log"
    with (
        log_path.open("wb") as log,
        # A session of its own: Ctrl-C is for this process, which ends the server when the run is over.
        subprocess.Popen(  # noqa: S603 (written above)
            command, stdout=log, stderr=log, env=os.environ | SERVER_ENVIRONMENT, start_new_session=True
        ) as server,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _await_health(f"{url}/health", server, log_path)
            yield url
        finally:
            _end(server)


def _await_health(url: str, server: subprocess.Popen[bytes], log_path: Path) -> None:
    deadline_s = time.monotonic() + SERVER_START_S
    while server.poll() is None and time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=5.0):  # noqa: S310 (our own server)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    log = log_path.read_text(errors="replace")[-LOG_LENGTH:]
    raise NotMeasurable(f"the server did not start within {SERVER_START_S:g} s; its last words:\n{log}")


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and all that it started."""
    import psutil

    family = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.terminate()
    try:
        server.wait(SERVER_END_S)
    except subprocess.TimeoutExpired:
        server.kill()
    _, alive = psutil.wait_procs(family, timeout=SERVER_END_S)
    for process in alive:
        process.kill()


def _facts() -> dict[str, str]:
    """What the figures depend on."""
    import psutil

    named = {name: _version(name) for name in ("vllm", "vllm-cpu", "torch", "aiohttp")}
    return {
        "processor": cpu_model(),
        "cores": str(psutil.cpu_count()),
        "Python": platform.python_version(),
        "pytest-energy": metadata.version("pytest-energy"),
        **{name: version for name, version in named.items() if version is not None},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _outcome(work: Work, pairs: Sequence[Pair], aside: Sequence[Pair]) -> dict[str, object]:
    return {
        "format": 1,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "command": shlex.join(["python", "-m", "benchmarks.llm.versus_bench_serve", *sys.argv[1:]]),
        "facts": _facts(),
        "work": asdict(work),
        "rows": [_told_row(row) for row in compared(pairs)],
        "pairs": [asdict(pair) for pair in pairs],
        "set_aside": [asdict(pair) for pair in aside],
    }


def _told_row(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "theirs": row.theirs,
        "ours": row.ours,
        "ratio": row.bounds.ratio,
        "lower": row.bounds.lower,
        "upper": row.bounds.upper,
        "verdict": row.verdict,
    }


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
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
    model = write_model(folder / "model", work.size, position_count=work.longest)
    with running_server(model, folder) as url:
        yield url, model


def _exit_on_terminate() -> None:
    def leave(number: int, _frame: object) -> NoReturn:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def _measure(options: argparse.Namespace, work: Work) -> tuple[list[Pair], list[Pair]]:
    """Pairs that count, and those set aside."""
    counted: list[Pair] = []
    aside: list[Pair] = []
    with tempfile.TemporaryDirectory() as name, _target(options, Path(name), work) as (url, model):
        vocabulary = json.loads((model / "config.json").read_text())["vocab_size"]
        bench = Bench(url=url, model=model, vocabulary=vocabulary, folder=Path(name), work=work)
        bench.ours(options.seed - 1)  # not counted: the server's first run reads up to a third high
        for number in range(2 * options.pairs):
            bench.await_quiet(options.most_foreign)
            # The turn is that of the pair whose place it takes.
            pair = bench.pair(len(counted), options.seed + number)
            (counted if pair.foreign_cores <= options.most_foreign else aside).append(pair)
            print(_line(pair), flush=True)  # noqa: T201
            if options.out is not None:  # now, so that a run that is broken off leaves what it has
                outcome = _outcome(work, counted, aside)
                options.out.write_text(f"{json.dumps(outcome, indent=1)}\n")
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
