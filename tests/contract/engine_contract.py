"""What every engine promises, as tests for a class to inherit; see `Engine`.

A subclass has a fixture `engine` and says how the model and the engine were made.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing

import pytest

from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import CacheCounters, Engine, EngineError, Request, Stop
from pytest_energy.serving.load import serve

ALL_AT_ONCE = float("inf")


class EngineContract:
    """The suite.

    Attributes:
        vocabulary: Token ids of the model are below it.
        page_tokens: Tokens of one page of the engine's cache, or `None` where it has no prefix cache.
        max_batch: Requests that the engine decodes together.
        longest: Prompt and answer together, in tokens.
    """

    vocabulary: int
    page_tokens: int | None
    max_batch: int
    longest: int

    @pytest.fixture
    def produced_tokens(self) -> Callable[[], int] | None:
        """Reads the engine's own count of the tokens it has produced, or `None` where it has none."""
        return None

    def prompt(self, seed: object, length: int = 12) -> tuple[int, ...]:
        """A prompt that no other *seed* has."""
        rng = random.Random(f"{type(self).__name__}/{seed}")  # noqa: S311 (a reproducible test)
        return tuple(rng.randrange(self.vocabulary) for _ in range(length))

    def test_every_answer_has_its_asked_length(self, engine: Engine) -> None:
        """Also of one token, and with answers of several lengths decoded together."""
        lengths = [1, 2, 7, 20, 1, 13]

        async def tokens(length: int) -> int:
            request = Request(request_id=str(length), prompt=self.prompt(length), output_tokens=length)
            return sum([event.count async for event in engine.generate(request)])

        async def ask_all() -> list[int]:
            return await asyncio.gather(*map(tokens, lengths))

        assert asyncio.run(ask_all()) == lengths

    def test_a_stop_token_ends_an_answer(self, engine: Engine) -> None:
        """Where every token is one, an answer is one token long; where none is written, as long as asked."""
        prompts = [self.prompt(f"stop/{position}") for position in range(3)]
        for ends, length in ((range(self.vocabulary), 1), (range(1), None)):
            stop = Stop(token_ids=tuple(ends), at_end=False)
            result = serve(engine, prompts, Schedule(rate=ALL_AT_ONCE), output_tokens=9, stop=stop)
            lengths = [request.output_tokens for request in result.served]
            assert lengths == [1] * 3 if length else all(1 <= one <= 9 for one in lengths)

    def test_more_requests_than_fit_at_once_are_all_answered(self, engine: Engine) -> None:
        """Load after load, each on an event loop of its own, with the same ids."""
        for load in range(3):
            prompts = [self.prompt(f"{load}/{position}") for position in range(3 * self.max_batch)]
            result = serve(engine, prompts, Schedule(rate=ALL_AT_ONCE), output_tokens=5)
            assert [request.output_tokens for request in result.served] == [5] * len(prompts)

    def test_tokens_tell_what_they_are_where_they_tell_at_all(self, engine: Engine) -> None:
        """As many ids as are counted, all of the model's vocabulary; greedy, so the same each time."""

        async def events() -> list[tuple[int, tuple[int, ...] | None]]:
            request = Request(request_id="0", prompt=self.prompt("ids"), output_tokens=6)
            return [(event.count, event.token_ids) async for event in engine.generate(request)]

        first, second = asyncio.run(events()), asyncio.run(events())
        told = [ids for _, ids in first if ids is not None]
        assert not told or [len(ids) for ids in told] == [count for count, _ in first]
        assert all(0 <= token < self.vocabulary for ids in told for token in ids)
        assert [token for _, ids in first for token in ids or ()] == [
            token for _, ids in second for token in ids or ()
        ]

    def test_a_generator_that_is_closed_early_withdraws_its_request(
        self, engine: Engine, produced_tokens: Callable[[], int] | None
    ) -> None:
        """The engine computes no more of it, and serves on."""
        before = produced_tokens() if produced_tokens else None
        long = self.longest - 20

        async def first_event(seed: int) -> int:
            request = Request(request_id=str(seed), prompt=self.prompt(seed), output_tokens=long)
            async with aclosing(engine.generate(request)) as events:
                return (await anext(events)).count

        async def withdraw_all() -> list[int]:
            return await asyncio.gather(*map(first_event, range(self.max_batch)))

        assert all(count >= 1 for count in asyncio.run(withdraw_all()))
        result = serve(engine, [self.prompt("after")], Schedule(rate=ALL_AT_ONCE), output_tokens=long)
        assert result.output_tokens == long
        if produced_tokens is not None and before is not None:
            assert long <= produced_tokens() - before < long + self.max_batch * long / 2

    def test_the_cache_counts_what_is_asked_of_it_and_what_it_answers(self, engine: Engine) -> None:
        """A new prompt hits nothing; the same again hits its whole pages, its last token aside."""
        if self.page_tokens is None:
            assert engine.cache_counters() is None
            return
        length = 2 * self.page_tokens + 3
        prompts = [self.prompt("cache", length)]
        first = serve(engine, prompts, Schedule(rate=ALL_AT_ONCE), output_tokens=2).cache
        again = serve(engine, prompts, Schedule(rate=ALL_AT_ONCE), output_tokens=2).cache
        assert first == CacheCounters(queried_tokens=length, hit_tokens=0)
        assert again is not None
        assert again.queried_tokens == length
        assert 2 * self.page_tokens <= again.hit_tokens < length

    def test_the_cache_counters_hold_every_prompt_of_a_load(self, engine: Engine) -> None:
        """Asked for right after the load, with answers of one token, all at once."""
        if self.page_tokens is None:
            return
        prompts = [self.prompt(f"one/{position}", 10 + position) for position in range(2 * self.max_batch)]
        cache = serve(engine, prompts, Schedule(rate=ALL_AT_ONCE), output_tokens=1).cache
        assert cache is not None
        assert cache.queried_tokens == sum(map(len, prompts))

    def test_requests_beyond_the_batch_are_seen_in_the_queue(self, engine: Engine) -> None:
        """While they wait; none are left in it afterwards."""
        count = 3 * self.max_batch

        async def answer(position: int) -> tuple[int, int]:
            """Its tokens, and the deepest queue as one of them came."""
            request = Request(
                request_id=str(position), prompt=self.prompt(f"queue/{position}"), output_tokens=20
            )
            tokens = depth = 0
            async for event in engine.generate(request):
                tokens += event.count
                depth = max(depth, await engine.queue_depth() or 0)
            return tokens, depth

        async def deepest() -> int:
            answers = await asyncio.gather(*map(answer, range(count)))
            assert {tokens for tokens, _ in answers} == {20}
            return max(depth for _, depth in answers)

        assert 1 <= asyncio.run(deepest()) <= count - self.max_batch
        assert asyncio.run(engine.queue_depth()) == 0

    def test_a_request_that_can_not_be_answered_is_named(self, engine: Engine) -> None:
        """The error tells the engine and the request; the engine serves on."""
        with pytest.raises(EngineError, match=f"engine {engine.name}, request 0: ") as caught:
            serve(engine, [self.prompt("long", self.longest)], Schedule(rate=ALL_AT_ONCE), output_tokens=10)
        assert caught.value.request_id == "0"
        assert (
            serve(engine, [self.prompt("then")], Schedule(rate=ALL_AT_ONCE), output_tokens=2).output_tokens
            == 2
        )

    def test_facts_name_the_model_and_the_settings(self, engine: Engine) -> None:
        """What a record needs in order to be comparable."""
        facts = engine.facts
        assert facts.model
        assert facts.versions
        assert facts.flags["decoding"] == "greedy"
        assert all(isinstance(value, str) for value in (*facts.flags.values(), *facts.tuning.values()))
