"""One run of either client, and a pair of them."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.llm.versus_bench_serve.figures import (
    Pair,
    Run,
    check_same_work,
    lateness_p99_s,
    our_figures,
    our_span_s,
    their_figures,
    their_span_s,
)
from benchmarks.llm.versus_bench_serve.processor_time import ProcessorTime
from benchmarks.llm.versus_bench_serve.server import LOG_LENGTH, OFFLINE
from benchmarks.llm.versus_bench_serve.work import Work, trace
from pytest_energy.errors import NotMeasurable
from pytest_energy.http_address import Address
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint
from pytest_energy.serving.engines.processes import server_pids
from pytest_energy.serving.engines.whereabouts import whereabouts
from pytest_energy.serving.load import serve
from pytest_energy.serving.prompts import random_tokens
from pytest_energy.stats.paired import is_turned

WARM_UP_COUNT = 2
RUN_S = 600.0  # of either client: a run takes half a minute
QUIET_S = 30.0  # longest wait for other processes to end their work
QUIET_LOOK_S = 2.0

# The command `vllm bench` asks for a package named vllm, and the one for the CPU has another name.
BENCH = (
    "from vllm.benchmarks.serve import add_cli_args, main; "
    "from vllm.utils.argparse_utils import FlexibleArgumentParser as Parser; "
    "parser = Parser(); add_cli_args(parser); main(parser.parse_args())"
)


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
            processors = ProcessorTime(self.server_pids())
            time.sleep(QUIET_LOOK_S)
            if processors.foreign_cores() <= most_foreign:
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
            serve(engine, first, Schedule(rate=math.inf), output_tokens=answer)
            processors = ProcessorTime(self.server_pids())
            with processors.sampled() as readings:
                result = serve(
                    engine,
                    prompts,
                    Schedule(rate=work.rate, burstiness=work.burstiness, seed=seed),
                    output_tokens=answer,
                    timeout_s=RUN_S,
                )
            foreign_cores = processors.foreign_cores()
        started_s = [request.submitted_s for request in result.served]
        return Run(
            figures=our_figures(result),
            prompt_tokens=result.prompt_tokens,
            output_tokens=result.output_tokens,
            late_p99_s=lateness_p99_s(started_s, work.due_s(seed)),
            foreign_cores=foreign_cores,
            server_cpu_s=processors.server_s(readings, our_span_s(result)),
        )

    def theirs(self, seed: int) -> Run:
        """One run of `vllm bench serve`."""
        processors = ProcessorTime(self.server_pids())
        with processors.sampled() as readings:
            told = self._told(self._arguments(seed))
        foreign_cores = processors.foreign_cores()
        is_same = self.work.arrivals == "same"
        return Run(
            figures=their_figures(told, self.work.count),
            prompt_tokens=sum(told["input_lens"]),
            output_tokens=sum(told["output_lens"]),
            late_p99_s=lateness_p99_s(told["start_times"], self.work.due_s(seed)) if is_same else None,
            foreign_cores=foreign_cores,
            server_cpu_s=processors.server_s(readings, their_span_s(told)),
        )

    def server_pids(self) -> tuple[int, ...]:
        """The server and all that it started; empty where it runs elsewhere."""
        address = Address.parse(self.url)
        is_here = whereabouts(address.host, address.port).is_here
        return server_pids(address.port) if is_here else ()

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
            env=os.environ | OFFLINE,
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
