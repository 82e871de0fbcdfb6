"""Requests against a model server: a load, what each request saw, the paper's metrics of it."""

from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    DecoderShape,
    Engine,
    EngineError,
    EngineFacts,
    Request,
    TokenEvent,
)
from pytest_energy.serving.load import Prompts, serve
from pytest_energy.serving.load_metrics import generative_metrics, timing_metrics
from pytest_energy.serving.load_result import Lateness, LoadResult, QueueSample, Served
from pytest_energy.serving.prompts import PromptSet, drawn_lengths, prompt_file, prompts_digest, random_tokens
from pytest_energy.serving.slo import Slo
from pytest_energy.serving.steady import Steadiness, SteadyState, state_between, steadiness, steady_span

__all__ = [
    "CacheCounters",
    "DecoderShape",
    "Engine",
    "EngineError",
    "EngineFacts",
    "Lateness",
    "LoadResult",
    "PromptSet",
    "Prompts",
    "QueueSample",
    "Request",
    "Schedule",
    "Served",
    "Slo",
    "Steadiness",
    "SteadyState",
    "TokenEvent",
    "drawn_lengths",
    "generative_metrics",
    "prompt_file",
    "prompts_digest",
    "random_tokens",
    "serve",
    "state_between",
    "steadiness",
    "steady_span",
    "timing_metrics",
]
