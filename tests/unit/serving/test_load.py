"""The load generator against an engine with known latencies, on a clock that the test owns."""

import asyncio
import math
import selectors
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    Engine,
    EngineError,
    EngineFacts,
    Request,
    Stop,
    TokenEvent,
)
from pytest_energy.serving.load import serve
from pytest_energy.serving.load_result import LoadResult, Percentiles, percentile
from pytest_energy.serving.slo import Slo

PROMPT = (1, 2, 3)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.real_selector = selectors.DefaultSelector()
        super().__init__(cast("selectors.BaseSelector", self))

    def time(self) -> float:
        return self.now_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits and no timer runs")
        self.now_s += timeout
        return self.real_selector.select(0)

    def __getattr__(self, name: str) -> object:
        return getattr(self.real_selector, name)


class FakeEngine:
    """Answers each token after a fixed time, all requests side by side; fails where it is told to.

    Attributes:
        prefill_s: Until the first token.
        decode_s: Until each further one.
        fails_at: Request id to the number of tokens after which it raises.
        withdrawn: Ids of requests that were closed before their end.
        depths: What it says of its queue, one after another; then nothing.
        most_under_way: Most requests that it had at once.
    """

    name = "fake"
    facts = EngineFacts(model="none", parameters=1, size_bytes=1.0, vram_bytes=None)

    def __init__(self, *, prefill_s: float = 0.5, decode_s: float = 0.125, extra_tokens: int = 0) -> None:
        self.prefill_s = prefill_s
        self.decode_s = decode_s
        self.extra_tokens = extra_tokens
        self.fails_at: dict[str, int] = {}
        self.withdrawn: list[str] = []
        self.seen: list[Request] = []
        self.counters: CacheCounters | None = None
        self.depths: list[int | Exception | None] = []
        self.under_way = 0
        self.most_under_way = 0

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        self.seen.append(request)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        is_done = False
        try:
            for position in range(request.output_tokens + self.extra_tokens):
                await asyncio.sleep(self.decode_s if position else self.prefill_s)
                if self.fails_at.get(request.request_id) == position:
                    raise ZeroDivisionError("the engine fell over")
                if self.counters is not None:
                    self.counters = CacheCounters(
                        queried_tokens=self.counters.queried_tokens + 4,
                        hit_tokens=self.counters.hit_tokens + 1,
                    )
                yield TokenEvent(count=1)
            is_done = True
        finally:
            self.under_way -= 1
            if not is_done:
                self.withdrawn.append(request.request_id)

    def cache_counters(self) -> CacheCounters | None:
        return self.counters

    async def queue_depth(self) -> int | None:
        depth = self.depths.pop(0) if self.depths else None
        if isinstance(depth, Exception):
            raise depth
        return depth

    def worker_pids(self) -> tuple[int, ...]:
        return ()

    def close(self) -> None:
        return


def load(
    engine: Engine,
    *,
    count: int = 4,
    rate: float = 2.0,
    output_tokens: int | Sequence[int] = 3,
    burstiness: float = math.inf,
    concurrency: int | None = None,
    seed: int = 0,
    timeout_s: float = 600.0,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = JumpingLoop,
) -> LoadResult:
    return serve(
        engine,
        [PROMPT] * count,
        Schedule(rate=rate, burstiness=burstiness, concurrency=concurrency, seed=seed),
        output_tokens=output_tokens,
        timeout_s=timeout_s,
        loop_factory=loop_factory,
    )


def test_requests_leave_when_the_schedule_says() -> None:
    """Open loop: a request does not wait for the answers before it."""
    result = load(FakeEngine(prefill_s=100.0), count=6, rate=3.0, burstiness=1.0, seed=5)
    due_s = Schedule(rate=3.0, seed=5).due_s(6)
    assert [request.submitted_s for request in result.served] == pytest.approx(due_s, abs=1e-9)
    assert result.lateness.max_s == pytest.approx(0.0, abs=1e-9)


def test_latencies_are_the_engines() -> None:
    """TTFT runs from sending to the first token; TPOT and ITL are the decode step."""
    served = load(FakeEngine(prefill_s=0.5, decode_s=0.125), output_tokens=5).served[0]
    assert served.ttft_s == pytest.approx(0.5)
    assert served.tpot_s == pytest.approx(0.125)
    assert served.itl_s == pytest.approx([0.125] * 4)
    assert served.e2e_s == pytest.approx(1.0)
    assert (served.prompt_tokens, served.output_tokens) == (3, 5)


def test_duration_and_achieved_rate_include_the_tail() -> None:
    """4 requests at 2/s leave until 2 s; the last answer takes 0.75 s more."""
    result = load(FakeEngine(prefill_s=0.5, decode_s=0.125), count=4, rate=2.0, output_tokens=3)
    assert result.duration_s == pytest.approx(2.75)
    assert result.achieved_rate == pytest.approx(4 / 2.75)


def test_results_stand_in_the_order_of_sending() -> None:
    """The order of answers does not change the order of the result."""
    result = load(FakeEngine(), count=5, rate=math.inf)
    assert [request.request_id for request in result.served] == ["0", "1", "2", "3", "4"]


def test_an_answer_of_one_token_has_no_time_per_output_token() -> None:
    """There is no second token to wait for: absent, not zero."""
    result = load(FakeEngine(), output_tokens=1)
    assert (result.tpot, result.itl) == (None, None)
    assert result.ttft.p50_s == pytest.approx(0.5)


def test_tokens_of_one_event_arrive_together() -> None:
    """Tokens are counted by the engine, also where it sends several at once."""

    class PairEngine(FakeEngine):
        async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
            for _ in range(0, request.output_tokens, 2):
                await asyncio.sleep(0.25)
                yield TokenEvent(count=2)

    served = load(PairEngine(), output_tokens=4).served[0]
    assert served.output_tokens == 4
    assert served.itl_s == pytest.approx([0.0, 0.25, 0.0])


def test_answers_may_have_a_length_each() -> None:
    """Lengths go to the requests in order."""
    result = load(FakeEngine(), count=3, output_tokens=[1, 4, 2])
    assert [request.output_tokens for request in result.served] == [1, 4, 2]
    assert (result.prompt_tokens, result.output_tokens) == (9, 7)


def test_lengths_that_do_not_match_the_prompts_are_refused() -> None:
    """A length too many is a mistake of the caller, said with both numbers."""
    with pytest.raises(SettingsError, match="output_tokens has 3 lengths for 2 prompts"):
        load(FakeEngine(), count=2, output_tokens=[1, 2, 3])


def test_a_closed_loop_sends_when_an_answer_ends() -> None:
    """A cap and no rate: as many under way as the cap says, until the prompts are used up."""
    engine = FakeEngine(prefill_s=0.5, decode_s=0.25)
    result = load(engine, count=6, rate=math.inf, concurrency=2, output_tokens=3)
    assert [request.submitted_s for request in result.served] == pytest.approx([0, 0, 1, 1, 2, 2])
    assert engine.most_under_way == 2
    assert result.schedule.is_closed_loop
    assert result.lateness.max_s == pytest.approx(0.0)
    assert not result.is_late


def test_a_cap_holds_back_an_open_loop() -> None:
    """Requests wait for the one place, 1.25 s each; that is neither lateness nor latency."""
    engine = FakeEngine(prefill_s=1.0, decode_s=0.125)
    result = load(engine, count=4, rate=2.0, concurrency=1, output_tokens=3)
    assert [request.due_s for request in result.served] == pytest.approx([0.5, 1.0, 1.5, 2.0])
    assert [request.submitted_s for request in result.served] == pytest.approx([0.5, 1.75, 3.0, 4.25])
    assert result.e2e.p99_s == pytest.approx(1.25)
    assert result.lateness.max_s == pytest.approx(0.0)
    assert not result.schedule.is_closed_loop


def test_a_cap_that_is_never_reached_changes_nothing() -> None:
    """Requests leave on schedule as long as there is a place."""
    capped, free = (load(FakeEngine(), concurrency=cap) for cap in (4, None))
    assert [r.submitted_s for r in capped.served] == pytest.approx([r.submitted_s for r in free.served])


def test_a_failure_under_a_cap_ends_the_load() -> None:
    """A place that never comes free again does not hang the load, and what was not sent is not sent."""
    engine = FakeEngine()
    engine.fails_at["1"] = 1
    with pytest.raises(EngineError, match="request 1: ZeroDivisionError"):
        load(engine, count=50, rate=math.inf, concurrency=2)
    assert len(engine.seen) < 10


def test_a_cap_below_one_is_refused() -> None:
    """Nothing could ever leave."""
    with pytest.raises(SettingsError, match="concurrency is 0"):
        load(FakeEngine(), concurrency=0)


def test_requests_that_were_never_sent_are_named_when_time_is_over() -> None:
    """The first without an answer is named, sent or not."""
    with pytest.raises(EngineError, match="request 0: no full answer within 1 s; 2 of 2 are unanswered"):
        load(FakeEngine(), count=2, rate=0.1, timeout_s=1.0)


def test_the_start_is_told_in_the_loops_clock() -> None:
    """So that a part of the load can be found again in the meter's time."""

    class LateLoop(JumpingLoop):
        def __init__(self) -> None:
            super().__init__()
            self.now_s = 1000.0

    result = load(FakeEngine(), loop_factory=LateLoop)
    assert result.started_s == pytest.approx(1000.0)
    assert result.served[0].submitted_s == pytest.approx(0.5)


def test_the_queue_is_looked_at_once_a_second() -> None:
    """Until the engine stops to tell; the deepest is kept."""
    engine = FakeEngine(prefill_s=1.0)
    engine.depths = [0, 3, 1, None, 99]
    result = load(engine, count=20, rate=2.0)
    assert [(round(sample.time_s), sample.depth) for sample in result.queue] == [(0, 0), (1, 3), (2, 1)]
    assert result.max_queue_depth == 3


def test_an_engine_that_does_not_tell_its_queue_has_none() -> None:
    """Absent is not zero."""
    result = load(FakeEngine())
    assert (result.queue, result.max_queue_depth) == ((), None)


def test_a_queue_that_can_no_longer_be_asked_ends_the_asking() -> None:
    """A server too busy to tell its queue still answers requests: the load goes on."""
    engine = FakeEngine(prefill_s=1.0)
    engine.depths = [5, EngineError("fake", "-", "no answer"), 7]
    result = load(engine, count=20, rate=2.0)
    assert [sample.depth for sample in result.queue] == [5]
    assert len(result.served) == 20


def test_an_engine_that_breaks_while_it_is_asked_fails_the_load() -> None:
    """Anything but its own error is a fault of the engine, and is not passed over."""
    engine = FakeEngine()
    engine.depths = [RuntimeError("the engine fell over")]
    with pytest.raises(RuntimeError, match="fell over"):
        load(engine)


def reached(*times_s: float, count: int = 4) -> list[tuple[float, float]]:
    """Milestones of a load that ends at 2.75 s: when each was asked for, and when it was reached."""
    loops: list[JumpingLoop] = []
    found: list[tuple[float, float]] = []

    def made_loop() -> JumpingLoop:
        loops.append(JumpingLoop())
        return loops[-1]

    serve(
        FakeEngine(prefill_s=0.5, decode_s=0.125),
        [PROMPT] * count,
        Schedule(rate=2.0, burstiness=math.inf),
        output_tokens=3,
        milestones=[(time_s, lambda t=time_s: found.append((t, loops[0].now_s))) for time_s in times_s],  # type: ignore[misc]
        loop_factory=made_loop,
    )
    return found


def test_milestones_are_reached_in_time_and_in_order() -> None:
    """Between requests, whatever order they are given in."""
    assert [time_s for time_s, _ in reached(1.3, 0.7)] == [0.7, 1.3]
    assert [now_s for _, now_s in reached(1.3, 0.7)] == pytest.approx([0.7, 1.3])


def test_a_milestone_after_the_last_answer_is_reached_with_it() -> None:
    """What was begun at one milestone is ended at the next, in every load."""
    assert [now_s for _, now_s in reached(0.7, 99.0)] == pytest.approx([0.7, 2.75])


def test_a_milestone_that_fails_ends_the_load() -> None:
    """Its error is raised as it is."""
    engine = FakeEngine(prefill_s=50.0)
    with pytest.raises(ZeroDivisionError):
        serve(
            engine,
            [PROMPT] * 9,
            Schedule(rate=1.0),
            output_tokens=1,
            milestones=[(2.5, lambda: [][1 // 0])],
            loop_factory=JumpingLoop,
        )
    assert len(engine.seen) < 9
    assert len(engine.withdrawn) == len(engine.seen)


def test_rates_of_tokens_are_over_the_whole_load() -> None:
    """4 prompts of 3 tokens and answers of 3 in 2.75 s."""
    result = load(FakeEngine(prefill_s=0.5, decode_s=0.125), count=4, rate=2.0, output_tokens=3)
    assert result.output_token_rate == pytest.approx(12 / 2.75)
    assert result.total_token_rate == pytest.approx(24 / 2.75)


@pytest.mark.parametrize(
    ("slo", "kept"),
    [
        (Slo(ttft_s=0.51), 4),
        (Slo(ttft_s=0.49), 0),
        (Slo(tpot_s=0.13), 4),
        (Slo(tpot_s=0.12), 1),
        (Slo(e2e_s=0.76), 3),
        (Slo(ttft_s=1.0, tpot_s=1.0, e2e_s=0.6), 1),
    ],
)
def test_goodput_counts_the_answers_that_keep_every_limit(slo: Slo, kept: int) -> None:
    """An answer of one token has no time per token to break."""
    engine = FakeEngine(prefill_s=0.5, decode_s=0.125)
    result = load(engine, count=4, rate=1.0, output_tokens=[1, 3, 3, 9])
    assert result.goodput(slo) * result.duration_s == pytest.approx(kept)


@pytest.mark.parametrize("limits", [{}, {"ttft_s": 0.0}, {"tpot_s": -1.0}, {"e2e_s": math.nan}])
def test_an_slo_without_meaning_is_refused(limits: dict[str, float]) -> None:
    """No limit is kept by all, one of nothing by none."""
    with pytest.raises(SettingsError, match="Slo"):
        Slo(**limits)


def delayed(result: LoadResult, late_s: float, *, rate: float = 100.0) -> LoadResult:
    """*result* at another rate, every request *late_s* late."""
    return replace(
        result,
        schedule=replace(result.schedule, rate=rate),
        served=tuple(replace(r, due_s=0.5, submitted_s=0.5 + late_s) for r in result.served),
    )


@pytest.mark.parametrize(
    ("late_s", "rate", "is_late"),
    [(0.004, 100.0, False), (0.006, 100.0, True), (0.04, 1.0, False), (0.06, 1.0, True)],
)
def test_lateness_counts_from_five_milliseconds_or_a_twentieth_of_the_gap(
    late_s: float, rate: float, *, is_late: bool
) -> None:
    """Whichever is longer: below it neither the engine's step nor the pattern of arrivals is another."""
    result = delayed(load(FakeEngine()), late_s, rate=rate)
    assert result.lateness.p99_s == pytest.approx(late_s)
    assert result.is_late is is_late


def test_all_at_once_has_no_pattern_to_keep() -> None:
    """Sending thousands takes its time; none of them is late."""
    assert not delayed(load(FakeEngine()), 1.0, rate=math.inf).is_late


def test_an_engine_that_raises_is_named_with_its_request() -> None:
    """The error tells which engine, which request, and what was raised; the cause is kept."""
    engine = FakeEngine()
    engine.fails_at["2"] = 1
    with pytest.raises(EngineError, match="engine fake, request 2: ZeroDivisionError: the engine") as caught:
        load(engine, count=4)
    assert (caught.value.engine, caught.value.request_id) == ("fake", "2")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_request_that_the_engine_cancels_is_a_failure() -> None:
    """An answer that is dropped from inside the engine does not end the load in silence."""

    class DroppingEngine(FakeEngine):
        async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
            self.seen.append(request)
            await asyncio.sleep(0.1)
            yield TokenEvent(count=1)
            raise asyncio.CancelledError

    with pytest.raises(EngineError, match="request 0: CancelledError: by the engine"):
        load(DroppingEngine(), count=1)


def test_after_a_failure_no_request_is_left_with_the_engine() -> None:
    """The others are withdrawn, those not yet due are never sent, and no thread stays."""
    engine = FakeEngine(prefill_s=50.0)
    engine.fails_at["0"] = 0
    threads = threading.active_count()
    with pytest.raises(EngineError):
        load(engine, count=200, rate=2.0)
    assert sorted(engine.withdrawn) == sorted(request.request_id for request in engine.seen)
    assert len(engine.seen) < 200
    assert threading.active_count() == threads


@pytest.mark.parametrize("extra_tokens", [-1, 2])
def test_an_answer_of_another_length_is_an_error(extra_tokens: int) -> None:
    """Answers of different lengths are different work."""
    with pytest.raises(EngineError, match=f"answered {3 + extra_tokens} tokens, not the 3"):
        load(FakeEngine(extra_tokens=extra_tokens))


class StoppingEngine(FakeEngine):
    """Ends every answer after so many tokens, whatever was asked."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        self.seen.append(request)
        for _ in range(self.length):
            await asyncio.sleep(0.125)
            yield TokenEvent(count=1)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_an_answer_may_end_sooner_where_the_load_says_so(length: int) -> None:
    """Its length is the one that came, up to the limit; the engine hears what ends it."""
    engine, stop = StoppingEngine(length), Stop(token_ids=(7,))
    result = serve(engine, [PROMPT], Schedule(rate=1.0), output_tokens=3, stop=stop, loop_factory=JumpingLoop)
    assert [request.output_tokens for request in result.served] == [length]
    assert engine.seen[0].stop == stop


@pytest.mark.parametrize("length", [0, 4])
def test_a_free_answer_has_a_token_and_keeps_its_limit(length: int) -> None:
    """No token is no answer, and more than the limit is other work."""
    with pytest.raises(EngineError, match=f"answered {length} tokens, not the 1 to 3 requested"):
        serve(
            StoppingEngine(length),
            [PROMPT],
            Schedule(rate=1.0),
            output_tokens=3,
            stop=Stop(),
            loop_factory=JumpingLoop,
        )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"at_end": False}, "nothing would end an answer"),
        ({"token_ids": (-1,)}, "-1 is not a token id"),
        ({"token_ids": (True,)}, "True is not a token id"),
    ],
)
def test_a_stop_that_stops_nothing_is_refused(arguments: dict[str, Any], match: str) -> None:
    """Said where it is made."""
    with pytest.raises(SettingsError, match=match):
        Stop(**arguments)


def test_an_engine_that_never_answers_is_given_up() -> None:
    """A hung engine does not hang the test run."""
    engine = FakeEngine(prefill_s=1e9)
    with pytest.raises(EngineError, match="request 0: no full answer within 30 s; 4 of 4 are unanswered"):
        load(engine, timeout_s=30.0)
    assert sorted(engine.withdrawn) == ["0", "1", "2", "3"]


def test_cache_counters_are_those_of_this_load() -> None:
    """What the cache did before is not counted again."""
    engine = FakeEngine()
    engine.counters = CacheCounters(queried_tokens=1000, hit_tokens=900)
    cache = load(engine, count=2, output_tokens=3).cache
    assert cache == CacheCounters(queried_tokens=24, hit_tokens=6)


def test_an_engine_without_counters_tells_none() -> None:
    """Absent is not zero."""
    assert load(FakeEngine()).cache is None


@pytest.mark.parametrize(("prompt", "output_tokens"), [((), 3), ((1,), 0)])
def test_a_request_that_asks_nothing_is_refused(prompt: tuple[int, ...], output_tokens: int) -> None:
    """An empty prompt or an empty answer is a mistake of the caller."""
    with pytest.raises(SettingsError, match="request 0"):
        serve(
            FakeEngine(), [prompt], Schedule(rate=1.0), output_tokens=output_tokens, loop_factory=JumpingLoop
        )


def test_a_load_without_prompts_or_time_is_refused() -> None:
    """Nothing to send, or no time to wait, is said before anything runs."""
    with pytest.raises(SettingsError, match="0 requests"):
        serve(FakeEngine(), [], Schedule(rate=1.0), output_tokens=1)
    with pytest.raises(SettingsError, match="timeout_s is 0"):
        load(FakeEngine(), timeout_s=0)


def test_a_clock_that_stands_gives_no_rate() -> None:
    """Answers in no time are a fault of the clock, not an infinite rate."""
    result = load(FakeEngine(prefill_s=0.0, decode_s=0.0), rate=math.inf)
    with pytest.raises(NotMeasurable, match="the clock did not advance"):
        _ = result.achieved_rate


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_percentiles_lie_between_the_extremes_and_in_order(values_s: list[float]) -> None:
    """p50 <= p90 <= p99, all within the values."""
    found = Percentiles.of(values_s)
    slack = 1e-9 * max(values_s)
    assert min(values_s) - slack <= found.p50_s <= found.p90_s + slack
    assert found.p90_s - slack <= found.p99_s <= max(values_s) + slack


def test_percentile_is_linear_between_neighbours() -> None:
    """Definition 7 of Hyndman and Fan, as numpy's default."""
    assert percentile([10.0, 0.0, 20.0, 30.0], 0.9) == pytest.approx(27.0)
    with pytest.raises(NotMeasurable):
        percentile([], 0.5)
