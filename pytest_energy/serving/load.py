"""Drive an engine with an open-loop load, and collect what each request saw.

Rule 1: requests leave on schedule, whether or not earlier ones are answered.
Rule 2: tokens are counted by the engine, times are taken here, on the event loop's own clock.
Rule 3: every answer has the asked length, or the load fails: rounds of different work are not comparable.
Rule 4: when one request fails, all are withdrawn and the error names the engine and the request.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise

from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.serving.arrivals import schedule
from pytest_energy.serving.engines.protocol import CacheCounters, Engine, EngineError, Request

Prompt = Sequence[int]
"""Token ids."""

Prompts = Sequence[Prompt] | Callable[[int], Sequence[Prompt]]
"""The prompts of a load, or a function from the round's number (0, 1, ...) to them.

Equal prompts in every round are answered more and more from an engine's prefix cache, so give a function that
makes fresh ones of the same lengths, unless that share is the point.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Three percentiles of a time over the requests, in seconds."""

    p50_s: float
    p90_s: float
    p99_s: float

    @classmethod
    def of(cls, values_s: Sequence[float]) -> "Percentiles":
        """Percentiles, linear between neighbours.

        Raises:
            NotMeasurable: There are no values.

        >>> Percentiles.of([1.0, 2.0, 3.0]).p50_s
        2.0
        """
        return cls(
            p50_s=percentile(values_s, 0.50),
            p90_s=percentile(values_s, 0.90),
            p99_s=percentile(values_s, 0.99),
        )


def percentile(values: Sequence[float], share: float) -> float:
    """Value below which *share* of *values* lies, linear between neighbours.

    Raises:
        NotMeasurable: There are no values.

    Source:
        Hyndman, Fan: Sample quantiles in statistical packages, 1996, definition 7.
    """
    if not values:
        raise NotMeasurable("a percentile of no values")
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One answered request. Times are seconds since the load began.

    Attributes:
        request_id: Position in the load, as text.
        due_s: When the schedule sent it.
        submitted_s: When it was really handed to the engine.
        token_times_s: When each output token arrived; tokens of one event share a time.
        prompt_tokens: Length of the prompt.
    """

    request_id: str
    due_s: float
    submitted_s: float
    token_times_s: tuple[float, ...]
    prompt_tokens: int

    @property
    def first_token_s(self) -> float:
        return self.token_times_s[0]

    @property
    def finished_s(self) -> float:
        return self.token_times_s[-1]

    @property
    def output_tokens(self) -> int:
        return len(self.token_times_s)

    @property
    def ttft_s(self) -> float:
        """Time to first token, from sending."""
        return self.first_token_s - self.submitted_s

    @property
    def e2e_s(self) -> float:
        """Latency: from sending to the last token."""
        return self.finished_s - self.submitted_s

    @property
    def tpot_s(self) -> float | None:
        """Time per output token after the first; `None` for an answer of one token."""
        if self.output_tokens == 1:
            return None
        return (self.e2e_s - self.ttft_s) / (self.output_tokens - 1)

    @property
    def itl_s(self) -> tuple[float, ...]:
        """Times between successive tokens."""
        return tuple(later - earlier for earlier, later in pairwise(self.token_times_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What one load saw.

    Attributes:
        engine: Name of the engine.
        rate: Asked requests a second; infinity is all at once.
        burstiness: Of the schedule.
        seed: Of the schedule.
        served: Every request, in the order of sending. None is missing: a load that loses one fails.
        cache: The prefix cache's counters over this load, or `None` where the engine has none to tell.
    """

    engine: str
    rate: float
    burstiness: float
    seed: int
    served: tuple[Served, ...]
    cache: CacheCounters | None = None

    @property
    def duration_s(self) -> float:
        """From the start of the schedule to the last token of all."""
        return max(request.finished_s for request in self.served)

    @property
    def achieved_rate(self) -> float:
        """Answered requests a second over the whole load, its empty start and its tail included."""
        if self.duration_s <= 0:
            raise NotMeasurable(
                f"engine {self.engine}: {len(self.served)} answers took no time; the clock stood"
            )
        return len(self.served) / self.duration_s

    @property
    def output_tokens(self) -> int:
        return sum(request.output_tokens for request in self.served)

    @property
    def lateness_s(self) -> float:
        """Longest time that a request left after it was due: above a few ms the load is not the asked one."""
        return max(request.submitted_s - request.due_s for request in self.served)

    @property
    def ttft(self) -> Percentiles:
        return Percentiles.of([request.ttft_s for request in self.served])

    @property
    def e2e(self) -> Percentiles:
        return Percentiles.of([request.e2e_s for request in self.served])

    @property
    def tpot(self) -> Percentiles | None:
        """Over the requests; `None` when every answer has one token."""
        times_s = [time_s for request in self.served if (time_s := request.tpot_s) is not None]
        return Percentiles.of(times_s) if times_s else None

    @property
    def itl(self) -> Percentiles | None:
        """Over all tokens but the first of each answer; `None` when every answer has one token."""
        times_s = [time_s for request in self.served for time_s in request.itl_s]
        return Percentiles.of(times_s) if times_s else None


def serve(
    engine: Engine,
    prompts: Prompts,
    *,
    rate: float,
    output_tokens: int,
    burstiness: float = 1.0,
    seed: int = 0,
    round_index: int = 0,
    timeout_s: float = 600.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> LoadResult:
    """Send *prompts* to *engine* on an open-loop schedule and wait for all answers.

    Runs an event loop of its own, so it can't be called from inside one. The same *seed* gives the same
    schedule in every round.

    Args:
        engine: Ready to serve.
        prompts: Token ids, one sequence a request, or a function from *round_index* to them.
        rate: Requests a second; infinity sends all at once.
        output_tokens: Length of every answer.
        burstiness: 1 is a Poisson process; see `arrivals.schedule`.
        seed: Of the schedule.
        round_index: Handed to *prompts* where that is a function.
        timeout_s: Longest time for the whole load.
        loop_factory: Makes the event loop, whose `time()` is the load's clock.

    Raises:
        EngineError: The engine failed, answered with another length, or did not answer in time.
        SettingsError: The load has no prompts, or an argument is outside its range.
    """
    batch = prompts(round_index) if callable(prompts) else prompts
    due_s = schedule(len(batch), rate, burstiness=burstiness, seed=seed)
    requests = tuple(
        Request(request_id=str(position), prompt=tuple(prompt), output_tokens=output_tokens)
        for position, prompt in enumerate(batch)
    )
    if not timeout_s > 0:
        raise SettingsError(f"timeout_s is {timeout_s}; it must be above 0")
    before = engine.cache_counters()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        served = runner.run(_drive(engine, requests, due_s, timeout_s))
    after = engine.cache_counters()
    return LoadResult(
        engine=engine.name,
        rate=rate,
        burstiness=burstiness,
        seed=seed,
        served=served,
        cache=None if before is None or after is None else after.since(before),
    )


async def _drive(
    engine: Engine, requests: Sequence[Request], due_s: Sequence[float], timeout_s: float
) -> tuple[Served, ...]:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    tasks = [
        loop.create_task(_answer(engine, request, due, start_s))
        for request, due in zip(requests, due_s, strict=True)
    ]
    try:
        await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_EXCEPTION)
        _raise_first_failure(engine, requests, tasks, timeout_s)
        return tuple(task.result() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(engine: Engine, request: Request, due_s: float, start_s: float) -> Served:
    """Send one request when it is due, and stamp its tokens."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(start_s + due_s - loop.time())
    submitted_s = loop.time() - start_s
    token_times_s: list[float] = []
    async with aclosing(engine.generate(request)) as events:
        async for event in events:
            token_times_s += [loop.time() - start_s] * len(event.token_ids)
    if len(token_times_s) != request.output_tokens:
        because = f"answered {len(token_times_s)} tokens, not the {request.output_tokens} that were asked"
        raise EngineError(engine.name, request.request_id, because)
    return Served(
        request_id=request.request_id,
        due_s=due_s,
        submitted_s=submitted_s,
        token_times_s=tuple(token_times_s),
        prompt_tokens=len(request.prompt),
    )


def _raise_first_failure(
    engine: Engine, requests: Sequence[Request], tasks: Sequence[asyncio.Task[Served]], timeout_s: float
) -> None:
    for request, task in zip(requests, tasks, strict=True):
        if not task.done():
            continue
        error = asyncio.CancelledError("by the engine") if task.cancelled() else task.exception()
        if isinstance(error, EngineError):
            raise error
        if error is not None:
            raise EngineError(engine.name, request.request_id, f"{type(error).__name__}: {error}") from error
    late = [request.request_id for request, task in zip(requests, tasks, strict=True) if not task.done()]
    if late:
        because = f"no full answer within {timeout_s:g} s; {len(late)} of {len(requests)} are unanswered"
        raise EngineError(engine.name, late[0], because)
