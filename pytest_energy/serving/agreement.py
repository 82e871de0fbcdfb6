"""How far two settings of a model give the same answers to the same prompts.

Rule 1: answers are greedy, so that a difference is of the numbers and not of chance. Numbers also differ from
batch to batch: how far a setting agrees with itself in a second run, in another order, is the ceiling.
Rule 2: agreement is no quality. It says how often an answer changes, not which of the two is better.
Rule 3: answers are compared by token where the engines report token ids, else by character of their text.
"""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import chain, takewhile

from pytest_energy.errors import Absent
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    Engine,
    EngineFacts,
    Request,
    Stop,
    TokenEvent,
)
from pytest_energy.serving.load import Prompt, serve
from pytest_energy.stats.bounded_mean import Interval, bounded_mean

UNDER_WAY = 32  # answers at once: batches as a server has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an engine answered to one prompt.

    Attributes:
        token_ids: The tokens; `None` if the engine does not report them.
        text: The same as text; empty if the engine does not detokenise.
    """

    token_ids: tuple[int, ...] | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two sets of answers to the same prompts are the same; intervals at 95 % confidence.

    Attributes:
        same: Share of answers that are the same to their last token.
        prefix: Share of an answer before the first difference, mean over the answers.
        by_position: Share of positions that hold the same token, mean over the answers.
        prefix_length: Mean number of tokens before the first difference.
        answer_count: Prompts that were answered.
        unit: What was compared: `token`, or `character` where token ids are not available.
    """

    same: Interval
    prefix: Interval
    by_position: Interval
    prefix_length: float
    answer_count: int
    unit: str


@dataclass
class _Recorder:
    """An engine whose answers are kept; what a load asks besides is not passed on."""

    engine: Engine
    events: dict[str, list[TokenEvent]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.engine.name

    @property
    def facts(self) -> EngineFacts:
        return self.engine.facts

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        kept = self.events.setdefault(request.request_id, [])
        async with aclosing(self.engine.generate(request)) as events:
            async for event in events:
                kept.append(event)
                yield event

    def cache_counters(self) -> CacheCounters | None:
        return None

    async def queue_depth(self) -> int | None:
        return None

    def worker_pids(self) -> tuple[int, ...]:
        return self.engine.worker_pids()

    def close(self) -> None:
        """Nothing: the engine goes on."""


def answers_of(
    engine: Engine,
    prompts: Sequence[Prompt],
    output_tokens: Sequence[int],
    *,
    stop: Stop | None = None,
    is_reversed: bool = False,
) -> tuple[Answer, ...]:
    """The answers of *engine* in the order of *prompts*; sent in that order, or in the opposite one.

    Raises:
        EngineError: The engine failed, or did not answer in time.
    """
    step = -1 if is_reversed else 1
    recorder = _Recorder(engine)
    schedule = Schedule(rate=math.inf, concurrency=UNDER_WAY)
    serve(recorder, prompts[::step], schedule, output_tokens=output_tokens[::step], stop=stop)
    answers = [_answer(events) for _, events in sorted(recorder.events.items(), key=lambda one: int(one[0]))]
    return tuple(answers[::step])


def _answer(events: Sequence[TokenEvent]) -> Answer:
    ids = [event.token_ids for event in events]
    known = [one for one in ids if one is not None]
    return Answer(
        token_ids=tuple(chain.from_iterable(known)) if len(known) == len(ids) else None,
        text="".join(event.text or "" for event in events),
    )


def agreement(first: Sequence[Answer], second: Sequence[Answer]) -> Agreement | Absent:
    """How far two sets of answers are the same, or why that can't be compared."""
    answers = [*first, *second]
    if not answers:
        return Absent("no prompt was answered")
    has_ids = all(answer.token_ids is not None for answer in answers)
    if not has_ids and not all(answer.text for answer in answers):
        return Absent("the engines report neither token ids nor text")
    pairs = [
        (one.token_ids or (), other.token_ids or ()) if has_ids else (one.text, other.text)
        for one, other in zip(first, second, strict=True)
    ]
    lengths = [max(len(one), len(other), 1) for one, other in pairs]
    prefixes = [_common_prefix(one, other) for one, other in pairs]
    alike = [sum(a == b for a, b in zip(one, other, strict=False)) for one, other in pairs]
    return Agreement(
        same=bounded_mean([float(one == other) for one, other in pairs]),
        prefix=bounded_mean([count / length for count, length in zip(prefixes, lengths, strict=True)]),
        by_position=bounded_mean([count / length for count, length in zip(alike, lengths, strict=True)]),
        prefix_length=sum(prefixes) / len(prefixes),
        answer_count=len(pairs),
        unit="token" if has_ids else "character",
    )


def _common_prefix(one: Sequence[object], other: Sequence[object]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
