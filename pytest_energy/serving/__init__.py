"""Requests against a model server: an open-loop load, what each request saw, the paper's metrics of it."""

from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    DecoderShape,
    Engine,
    EngineError,
    EngineFacts,
    Request,
    TokenEvent,
)
from pytest_energy.serving.load import LoadResult, Prompts, Served, serve
from pytest_energy.serving.results import generative_metrics, timing_metrics
from pytest_energy.serving.steady import Steadiness, steadiness

__all__ = [
    "CacheCounters",
    "DecoderShape",
    "Engine",
    "EngineError",
    "EngineFacts",
    "LoadResult",
    "Prompts",
    "Request",
    "Served",
    "Steadiness",
    "TokenEvent",
    "generative_metrics",
    "serve",
    "steadiness",
    "timing_metrics",
]
