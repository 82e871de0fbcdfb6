"""A meter and an engine for the benchmarks of one model, and what they write as they go.

On a CPU the joules are an estimate from processor time, made to tick like a GPU's counter: it shows that a
benchmark runs, and says nothing of energy.
"""

import json
import random
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.llm.cores import apart
from benchmarks.llm.models import SIZES, write_config
from pytest_energy.meter.clock import SystemClock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import SensorStatus
from pytest_energy.sensors.estimate import EstimateSensor
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.protocol import Sensor
from pytest_energy.serving.engines.vllm_engine import VllmEngine
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.phase_spans import Observed, Totals
from pytest_energy.stats.cost_fit import Spans

SEED = 281
TICK_S = 0.1  # of an H100's counter
MAX_BATCH = 256
_TENTHS_OF_MS = 1e4


class TickingEstimate(EstimateSensor):
    """An estimate whose joules change ten times a second."""

    def __init__(self) -> None:
        super().__init__()
        (channel,) = self.channels
        self.channels = (replace(channel, is_ticked=True, is_of_processes=False),)
        self._due_s, self._held_j = time.monotonic(), 0.0

    def read_j(self, channel: str) -> float:
        now_s = time.monotonic()
        if now_s >= self._due_s:
            self._held_j = super().read_j(channel)
            self._due_s += TICK_S * (1 + int((now_s - self._due_s) / TICK_S))
        return self._held_j


def parser(description: str, *, seconds: float, limit_s: float) -> ArgumentParser:
    """The options that both benchmarks have."""
    parse = ArgumentParser(description=description)
    parse.add_argument("out", type=Path, help="file for the figures, written after each load")
    parse.add_argument("--size", default="8B", choices=sorted(SIZES), help="of the model")
    parse.add_argument("--seconds", type=float, default=seconds, help="of arrivals in a load")
    parse.add_argument("--limit", type=float, default=limit_s, help="seconds after which no load starts")
    parse.add_argument("--cpu", action="store_true", help="estimated joules, no quantisation: a trial")
    parse.add_argument("--scale", type=float, default=1.0, help="factor of all rates")
    return parse


@contextmanager
def opened(options: Namespace, *, length: int, prefix_cache: bool) -> Iterator[tuple[LiveMeter, VllmEngine]]:
    """A meter that has seen the device at rest, and an engine on it, ready to serve."""
    sensor: Sensor = TickingEstimate() if options.cpu else NvmlSensor()
    names = tuple(channel.name for channel in sensor.channels)
    status = SensorStatus(name=sensor.name, channels=names, provenance=sensor.provenance)
    rng = random.Random(SEED)  # noqa: S311  # delays, no secrets
    meter = LiveMeter([sensor], [status], clock=SystemClock(), synchronize=lambda: None, rng=rng)
    with tempfile.TemporaryDirectory() as folder:
        try:
            meter.start()
            say(f"{options.size}: loading")
            with _engine(options, Path(folder), length=length, prefix_cache=prefix_cache) as engine:
                pids = engine.worker_pids()
                meter.adopt(pids)
                with apart(pids, 0 if options.cpu else 1):
                    yield meter, engine
        finally:
            meter.close()
            sensor.close()


def _engine(options: Namespace, folder: Path, *, length: int, prefix_cache: bool) -> VllmEngine:
    return VllmEngine(
        write_config(folder, options.size, position_count=length),
        name=f"llama-{options.size}",
        load_format="dummy",
        quantization=None if options.cpu else "fp8",
        data_type="float32" if options.cpu else None,
        max_model_len=length,
        max_batch=MAX_BATCH,
        enforce_eager=options.cpu,
        has_prefix_cache=prefix_cache,
    )


def facts_of(options: Namespace, engine: VllmEngine) -> dict[str, Any]:
    """What a reader of the figures must know."""
    return {
        "size": options.size,
        "is_trial": options.cpu,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "flags": dict(engine.facts.flags),
        "tuning": dict(engine.facts.tuning),
        "versions": dict(engine.facts.versions),
    }


def steps_json(load: LoadResult) -> list[list[int]]:
    """Steps, a list for each attribute; times in tenths of a millisecond since the step before."""
    steps, before = load.steps or (), 0
    columns: list[list[int]] = [[], [], [], [], []]
    for step in steps:
        time_01ms = round(step.time_s * _TENTHS_OF_MS)
        row = (time_01ms - before, step.prompt_tokens, step.output_tokens, step.first_tokens, step.running)
        before = time_01ms
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns


def requests_json(load: LoadResult) -> list[list[float]]:
    """Of each request: sent, first token, last token, tokens of the prompt and of the answer."""
    return [
        [
            *(round(one, 4) for one in (request.submitted_s, request.first_token_s, request.finished_s)),
            *(request.prompt_tokens, request.output_tokens),
        ]
        for request in load.served
    ]


def observed_json(one: Observed) -> dict[str, Any]:
    """Spans with their amounts, and the part that counts: enough to fit again."""
    return {
        "rest_w": one.spans.rest_w,
        "energies_j": [round(value, 3) for value in one.spans.energies_j],
        "durations_s": [round(value, 4) for value in one.spans.durations_s],
        "amounts": [[round(value, 3) for value in row] for row in one.spans.amounts],
        "part": list(one.part.row),
        "part_steps": [one.part.prefill_steps, one.part.decode_steps],
        "part_energy_j": one.energy_j,
        "part_duration_s": one.duration_s,
        "scale": one.scale,
    }


def spans_of(document: Mapping[str, Any]) -> Spans:
    """The spans that `observed_json` wrote."""
    return Spans(
        amounts=tuple(map(tuple, document["amounts"])),
        energies_j=tuple(document["energies_j"]),
        durations_s=tuple(document["durations_s"]),
        rest_w=document["rest_w"],
    )


def observed_of(document: Mapping[str, Any]) -> Observed:
    """The load that `observed_json` wrote; tokens of all its requests are those of its spans."""
    prompt_tokens, _, decoded_tokens, context_tokens = document["part"]
    prefill_steps, decode_steps = document["part_steps"]
    spans = spans_of(document)
    return Observed(
        spans=spans,
        part=Totals(
            prompt_tokens=prompt_tokens,
            prefill_steps=prefill_steps,
            decode_steps=decode_steps,
            decoded_tokens=decoded_tokens,
            context_tokens=context_tokens,
        ),
        energy_j=document["part_energy_j"],
        duration_s=document["part_duration_s"],
        scale=document["scale"],
        channels=("gpu:0",),
        has_steps=True,
        whole_tokens=(sum(row[0] for row in spans.amounts), sum(row[2] for row in spans.amounts)),
    )


def keep(path: Path, document: Mapping[str, Any]) -> None:
    """Write *document*, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")
    beside.replace(path)


def prompts_of(lengths: Sequence[int], vocabulary: int, seed: str) -> list[list[int]]:
    """Random tokens: no two prompts begin alike."""
    rng = random.Random(f"{SEED}/{seed}")  # noqa: S311  # reproducible
    return [[rng.randrange(vocabulary) for _ in range(length)] for length in lengths]


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
