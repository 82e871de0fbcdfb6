"""Drive an engine with a load, and collect the times of each request.

Rule 1: requests leave on schedule, whether or not earlier ones are answered; under a cap of concurrency they
also wait for a place among those under way, in the schedule's order.
Rule 2: tokens are counted by the engine, times are taken here, on the event loop's own clock.
Rule 3: every answer has the asked length, or the load fails: rounds of different work are not comparable.
Only where the load says what ends an answer may it be shorter; its length is then the one that came.
Rule 4: when one request fails, all are withdrawn and the error names the engine and the request.
Rule 5: a request becomes a task when it is due and no earlier, so that thousands to come delay none.
Rule 6: a milestone is reached in every load that succeeds: one after the last answer, at the last answer.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from operator import itemgetter

from pytest_energy.errors import SettingsError, described
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import (
    MOST_EXCESS_TOKENS,
    DraftCounters,
    DraftingEngine,
    Engine,
    EngineError,
    Request,
    Stop,
)
from pytest_energy.serving.event_loop import frozen_heap, on_time_loop
from pytest_energy.serving.load_result import LoadResult, QueueSample, Served
from pytest_energy.serving.steps import Step, TellsSteps, since

Prompt = Sequence[int]
"""Token ids."""

Prompts = Sequence[Prompt] | Callable[[int], Sequence[Prompt]]
"""The prompts of a load, or a function from the round's number (0, 1, ...) to them.

Equal prompts in every round are answered more and more from an engine's prefix cache, so give a function that
makes fresh ones of the same lengths, unless that share is the point.
"""

Milestone = tuple[float, Callable[[], None]]
"""Seconds since the load began, and what to do then; it holds the event loop, so it must be over at once."""

# An engine behind HTTP is asked by a request of its own: seldom enough to cost nothing.
QUEUE_INTERVAL_S = 1.0


def serve(
    engine: Engine,
    prompts: Sequence[Prompt],
    schedule: Schedule,
    *,
    output_tokens: int | Sequence[int],
    stop: Stop | None = None,
    timeout_s: float = 600.0,
    milestones: Sequence[Milestone] = (),
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> LoadResult:
    """Send *prompts* to *engine* and wait for all answers.

    Runs an event loop of its own, so it can't be called from inside one. Latencies run from the moment that a
    request got its place under the schedule's cap.

    Args:
        engine: Ready to serve.
        prompts: Token ids, one sequence a request.
        schedule: When requests leave; the same in every round.
        output_tokens: Length of every answer, or one for each prompt.
        stop: What may end an answer sooner.
        timeout_s: Longest time for the whole load.
        milestones: What to do at which time of the load; an exception of one ends the load and is raised.
        loop_factory: Makes the event loop, whose `time()` is the load's clock. Without it, one that wakes on
            time and has the clock of the meter.

    Raises:
        EngineError: The engine failed, answered with another length, or did not answer in time.
        SettingsError: The load has no prompts, or an argument is outside its range.
    """
    requests = _requests(prompts, output_tokens, stop)
    due_s = schedule.due_s(len(requests))
    if not timeout_s > 0:
        raise SettingsError(f"timeout_s is {timeout_s}; it must be above 0")
    before, drafts_before, _ = engine.cache_counters(), _draft_counters(engine), _steps_of(engine)
    traffic = _Traffic(
        engine, requests, due_s, schedule.concurrency, deque(sorted(milestones, key=itemgetter(0)))
    )
    with asyncio.Runner(loop_factory=loop_factory or on_time_loop) as runner, frozen_heap():
        served = runner.run(traffic.run(timeout_s))
    after, drafts_after, steps = engine.cache_counters(), _draft_counters(engine), _steps_of(engine)
    return LoadResult(
        engine=engine.name,
        schedule=schedule,
        served=served,
        cache=None if before is None or after is None else after.since(before),
        drafts=None if drafts_before is None or drafts_after is None else drafts_after.since(drafts_before),
        started_s=traffic.start_s,
        queue=tuple(traffic.queue),
        steps=None if steps is None else since(steps, traffic.start_s),
    )


def _steps_of(engine: Engine) -> tuple[Step, ...] | None:
    """The engine's steps since they were last asked for, or `None` if it doesn't report them."""
    return engine.take_steps() if isinstance(engine, TellsSteps) else None


def _draft_counters(engine: Engine) -> DraftCounters | None:
    return engine.draft_counters() if isinstance(engine, DraftingEngine) else None


def _requests(
    prompts: Sequence[Prompt], output_tokens: int | Sequence[int], stop: Stop | None
) -> tuple[Request, ...]:
    """Prompts and lengths as requests, numbered in order."""
    lengths = [output_tokens] * len(prompts) if isinstance(output_tokens, int) else output_tokens
    if len(lengths) != len(prompts):
        raise SettingsError(
            f"output_tokens has {len(lengths)} lengths for {len(prompts)} prompts; give one for each, or "
            "one number for all"
        )
    return tuple(
        Request(request_id=str(position), prompt=tuple(prompt), output_tokens=length, stop=stop)
        for position, (prompt, length) in enumerate(zip(prompts, lengths, strict=True))
    )


@dataclass
class _Traffic:
    """The requests of one load on their way; made for one run."""

    _engine: Engine
    _requests: Sequence[Request]
    _due_s: Sequence[float]
    _concurrency: int | None
    _milestones: deque[Milestone]
    _answers: list[asyncio.Task[Served]] = field(default_factory=list)
    start_s: float = 0.0
    queue: list[QueueSample] = field(default_factory=list)

    async def run(self, timeout_s: float) -> tuple[Served, ...]:
        """Send all, wait for all, and leave nothing behind."""
        self._loop = asyncio.get_running_loop()
        self.start_s = self._loop.time()
        self._unanswered = len(self._requests)
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._places: asyncio.Queue[float] = asyncio.Queue()  # when each free place came free
        for _ in range(self._concurrency or 0):
            self._places.put_nowait(0.0)
        work = (self._send_all(), self._watch_queue(), self._reach_milestones())
        aside = [self._loop.create_task(part) for part in work]
        for task in aside:
            task.add_done_callback(self._note_fault)
        try:
            await asyncio.wait([self._ended], timeout=timeout_s)
            for task in aside:
                if task.done():
                    task.result()  # whatever breaks beside the requests is not passed over
            self._raise_first_failure(timeout_s)
            while self._milestones:
                self._milestones.popleft()[1]()
            return tuple(answer.result() for answer in self._answers)
        finally:
            left = [task for task in (*aside, *self._answers) if not task.done()]
            for unfinished in left:
                unfinished.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _now_s(self) -> float:
        return self._loop.time() - self.start_s

    async def _send_all(self) -> None:
        """Make each request a task when it is due and, under a cap, has a place."""
        for request, due_s in zip(self._requests, self._due_s, strict=True):
            freed_s = None if self._concurrency is None else await self._places.get()
            if (early_s := due_s - self._now_s()) > 0:
                await asyncio.sleep(early_s)
            answer = self._loop.create_task(self._answer(request, due_s, freed_s))
            answer.add_done_callback(self._note_end)
            self._answers.append(answer)

    async def _answer(self, request: Request, due_s: float, freed_s: float | None) -> Served:
        """Send one request now, and stamp its tokens."""
        submitted_s = self._now_s()
        loop, start_s = self._loop, self.start_s
        token_times_s: list[float] = []
        count = 0
        async with aclosing(self._engine.generate(request)) as events:
            async for event in events:
                count += event.count
                if count > request.output_tokens + MOST_EXCESS_TOKENS:  # it may tell of a billion
                    break
                token_times_s += [loop.time() - start_s] * event.count
        least = request.output_tokens if request.stop is None else 1
        if not least <= count <= request.output_tokens:
            limits = "" if request.stop is None else "1 to "
            because = f"answered {count} tokens, not the {limits}{request.output_tokens} requested"
            raise EngineError(self._engine.name, request.request_id, because)
        self._places.put_nowait(token_times_s[-1])
        return Served(
            request_id=request.request_id,
            due_s=due_s,
            submitted_s=submitted_s,
            token_times_s=tuple(token_times_s),
            prompt_tokens=len(request.prompt),
            freed_s=freed_s,
        )

    def _note_end(self, answer: asyncio.Task[Served]) -> None:
        self._unanswered -= 1
        has_failed = answer.cancelled() or answer.exception() is not None
        if has_failed or not self._unanswered:
            self._end()

    def _note_fault(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._end()

    def _end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    async def _watch_queue(self) -> None:
        """Ask the engine about once a second how many wait, for as long as it reports that."""
        while True:
            try:
                depth = await self._engine.queue_depth()
            except EngineError:  # a busy server may not answer this; its requests tell whether it has failed
                return
            if depth is None:
                return
            self.queue.append(QueueSample(time_s=self._now_s(), depth=depth))
            await asyncio.sleep(QUEUE_INTERVAL_S)

    async def _reach_milestones(self) -> None:
        while self._milestones:
            time_s, action = self._milestones[0]
            if (early_s := time_s - self._now_s()) > 0:
                await asyncio.sleep(early_s)
                continue
            self._milestones.popleft()
            action()

    def _raise_first_failure(self, timeout_s: float) -> None:
        for request, answer in zip(self._requests, self._answers, strict=False):  # some may not be sent
            if not answer.done():
                continue
            error = asyncio.CancelledError("by the engine") if answer.cancelled() else answer.exception()
            if isinstance(error, EngineError):
                raise error
            if error is not None:
                because = described(error)
                raise EngineError(self._engine.name, request.request_id, because) from error
        if self._unanswered:
            waiting = next(
                (r for r, answer in zip(self._requests, self._answers, strict=False) if not answer.done()),
                self._requests[min(len(self._answers), len(self._requests) - 1)],
            )
            because = (
                f"no full answer within {timeout_s:g} s; {self._unanswered} of {len(self._requests)} "
                "are unanswered"
            )
            raise EngineError(self._engine.name, waiting.request_id, because)
