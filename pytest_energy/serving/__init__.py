"""Requests against a model server: engines, prompts, a load and the times of each of its requests."""

from pytest_energy.serving.agreement import Agreement, Answer
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    DecoderShape,
    DraftCounters,
    Engine,
    EngineError,
    EngineFacts,
    Request,
    Stop,
    TokenEvent,
)
from pytest_energy.serving.load import Prompts, serve
from pytest_energy.serving.load_result import LoadResult, Percentiles, QueueSample, Served
from pytest_energy.serving.pairs import PairResult, Setting
from pytest_energy.serving.prompts import PromptSet, drawn_lengths, prompt_file, random_tokens
from pytest_energy.serving.slo import Slo
from pytest_energy.serving.steps import Step, TellsSteps

__all__ = [
    "Agreement",
    "Answer",
    "CacheCounters",
    "DecoderShape",
    "DraftCounters",
    "Engine",
    "EngineError",
    "EngineFacts",
    "LoadResult",
    "PairResult",
    "Percentiles",
    "PromptSet",
    "Prompts",
    "QueueSample",
    "Request",
    "Schedule",
    "Served",
    "Setting",
    "Slo",
    "Step",
    "Stop",
    "TellsSteps",
    "TokenEvent",
    "drawn_lengths",
    "prompt_file",
    "random_tokens",
    "serve",
]
