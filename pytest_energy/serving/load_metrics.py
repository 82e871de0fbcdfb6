"""From a load, its joules and its engine to the paper's generative metrics, and to times for people.

Rule 1: a value that can't be had is `None`, and its reason is beside it.
Rule 2: the formulas live in `metrics/generative.py`; here is only which number goes where.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics import generative
from pytest_energy.metrics.evaluation import Metrics, evaluated, known
from pytest_energy.model import Record
from pytest_energy.serving.engines.protocol import DecoderShape, EngineFacts
from pytest_energy.serving.load_result import LoadResult, percentile
from pytest_energy.serving.slo import Slo
from pytest_energy.units import to_text

_TIMES_ABSENT = {
    **dict.fromkeys(("goodput", "slo_share"), "no limits of latency were given: energy.requests(slo=...)"),
    "queue_depth": "the engine does not report how many requests wait",
}
DRAFT_METRICS = ("draft_acceptance_rate", "mean_accepted_length")
_VRAM_ABSENT = "the engine runs without a GPU, so there is no GPU memory to compare with"


def generative_metrics(
    loads: Sequence[LoadResult], *, energy_j: float | None, engine_facts: EngineFacts
) -> Metrics:
    """The seven metrics of the paper for one test, and the reason for each that is missing.

    Args:
        loads: Those of all measured rounds.
        energy_j: Mean energy of one round, idle share included, or `None` if it was not measured.
        engine_facts: Of the engine that served.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2.
    """
    if not loads:
        raise NotMeasurable("no load was run, so it has no metrics")
    request_count = sum(len(load.served) for load in loads)
    formulas: dict[str, Callable[[], float]] = {
        "energy_per_sample": lambda: generative.energy_per_sample(
            known(energy_j, "the energy of the load was not measured") * len(loads), request_count
        ),
        "flops": lambda: _flops(loads, engine_facts.shape),
        "model_size_to_ram": lambda: generative.model_size_to_ram(
            known(engine_facts.size_bytes, "the engine does not report the size of its model"),
            known(engine_facts.vram_bytes, _VRAM_ABSENT),
        ),
        "parameters": lambda: generative.parameters(
            known(engine_facts.parameters, "the engine does not report its parameters")
        ),
        "request_rate": lambda: _request_rate(loads),
        "cache_hit_rate": lambda: _cache_hit_rate(loads),
        "average_output_token_length": lambda: generative.average_output_token_length(
            sum(load.output_tokens for load in loads), request_count
        ),
    }
    return evaluated(formulas)


def timing_metrics(loads: Sequence[LoadResult], *, slo: Slo | None = None) -> Metrics:
    """Times and rates of all requests of *loads*, by the names that a record keeps them under."""
    pooled = replace(loads[0], served=tuple(request for load in loads for request in load.served))
    lateness = pooled.lateness
    depths = [load.max_queue_depth for load in loads]
    known_depths = [depth for depth in depths if depth is not None]
    figures: dict[str, float | None] = {
        "achieved_rate": fmean(load.achieved_rate for load in loads),
        "output_token_rate": fmean(load.output_token_rate for load in loads),
        "goodput": None if slo is None else fmean(load.goodput(slo) for load in loads),
        "slo_share": None if slo is None else pooled.kept_count(slo) / len(pooled.served),
        "queue_depth": max(known_depths) if len(known_depths) == len(depths) else None,
        "lateness_p50_s": lateness.p50_s,
        "lateness_p99_s": lateness.p99_s,
        "lateness_s": lateness.max_s,
    }
    for name in ("ttft", "tpot", "itl", "e2e"):
        times = getattr(pooled, name)
        for point in ("p50_s", "p90_s", "p99_s"):
            figures[f"{name}_{point}"] = None if times is None else getattr(times, point)
    absent = [name for name, value in figures.items() if value is None]
    return Metrics(figures, {name: _TIMES_ABSENT.get(name, "every answer has one token") for name in absent})


def why_slo_missed(loads: Sequence[LoadResult], slo: Slo | None) -> str | None:
    """Why the answers of *loads* fail their test: the share, then the times; `None` if they don't."""
    served = [request for load in loads for request in load.served]
    if slo is None or slo.least_share is None or not served:
        return None
    kept_count = sum(load.kept_count(slo) for load in loads)
    if kept_count >= slo.least_share * len(served):
        return None
    times = ", ".join(
        f"{name} p99 {to_text(percentile(times_s, 0.99), 's', digits=3)}, limit {to_text(limit_s, 's')}"
        for name, limit_s in slo.limits_s.items()
        if (times_s := [t for one in served if (t := getattr(one, f"{name}_s")) is not None])
    )
    share, wanted = (f"{100 * part:.4g} %" for part in (kept_count / len(served), slo.least_share))
    return f"{share} of {len(served)} answers were within the latency limits, {wanted} wanted; {times}"


def token_metrics(record: Record, loads: Sequence[LoadResult]) -> Metrics:
    """Joules a token, gross and net, and net joules a request."""
    written = record.output_tokens
    all_tokens = loads[0].prompt_tokens + written if loads and written else None
    gross_j, net_j = record.energy_j, record.net_energy_j
    quotients = {
        "energy_per_output_token": (gross_j, written),
        "energy_per_token": (gross_j, all_tokens),
        "net_energy_per_output_token": (net_j, written),
        "net_energy_per_token": (net_j, all_tokens),
        "net_energy_per_sample": (net_j, record.samples),
    }
    figures = {
        name: None if energy_j is None or not count else energy_j / count
        for name, (energy_j, count) in quotients.items()
    }
    because = "the energy of the load was not measured" if gross_j is None else "idle power is not known"
    return Metrics(figures, {name: because for name, figure in figures.items() if figure is None})


def draft_metrics(loads: Sequence[LoadResult]) -> Metrics:
    """How much of what speculative decoding drafts is accepted."""
    drafts = [load.drafts for load in loads if load.drafts is not None]
    absent = "the engine does no speculative decoding, or does not report it"
    if len(drafts) == len(loads):
        absent = "speculative decoding drafted no token in this load"
    count, drafted, accepted = (
        sum(getattr(one, name) for one in drafts) for name in ("drafts", "drafted_tokens", "accepted_tokens")
    )
    if len(drafts) < len(loads) or not (count and drafted):
        return Metrics(dict.fromkeys(DRAFT_METRICS), dict.fromkeys(DRAFT_METRICS, absent))
    return Metrics(dict(zip(DRAFT_METRICS, (accepted / drafted, 1 + accepted / count), strict=True)))


def request_macs(shape: DecoderShape, *, prompt_tokens: int, output_tokens: int) -> int:
    """Multiply-accumulates of the forward passes of one request, as if no cache held its prefix.

    T = prompt_tokens + output_tokens - 1 tokens pass the blocks (the last one is not fed back); each meets
    every block weight once, and attention reads 1 .. T positions over its width, twice (scores, then values);
    the head makes output_tokens predictions. Norms, activations and the embedding lookup are left out.

    Source:
        Kaplan et al. 2020, Scaling Laws for Neural Language Models, section 2.1 and table 1 (weights and
        attention apart), with the head counted where serving runs it.

    >>> shape = DecoderShape(block_parameters=100, head_parameters=10, layer_count=1, attention_width=4)
    >>> request_macs(shape, prompt_tokens=2, output_tokens=1)
    234
    """
    tokens = prompt_tokens + output_tokens - 1
    attention = 2 * shape.layer_count * shape.attention_width * (tokens * (tokens + 1) // 2)
    return shape.block_parameters * tokens + shape.head_parameters * output_tokens + attention


def _flops(loads: Sequence[LoadResult], shape: DecoderShape | None) -> float:
    because = "the engine does not report the shape of its decoder, so operations can't be counted"
    dense = known(shape, because)
    counts = [
        request_macs(dense, prompt_tokens=request.prompt_tokens, output_tokens=request.output_tokens)
        for load in loads
        for request in load.served
    ]
    return generative.flops(round(Fraction(sum(counts), len(counts))))


def _request_rate(loads: Sequence[LoadResult]) -> float:
    """Arrivals over the time they were spread over: the asked rate, since a schedule ends at count / rate."""
    span_s = math.fsum(load.served[-1].due_s for load in loads)
    if span_s <= 0:
        raise NotMeasurable("all requests were sent at once, so they have no rate")
    return generative.request_rate(sum(len(load.served) for load in loads), span_s)


def _cache_hit_rate(loads: Sequence[LoadResult]) -> float:
    because = "the engine has no prefix cache, or does not count its hits"
    caches = [known(load.cache, because) for load in loads]
    return generative.cache_hit_rate(
        sum(cache.hit_tokens for cache in caches), sum(cache.queried_tokens for cache in caches)
    )
