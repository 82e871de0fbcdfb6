"""How far two sets of greedy answers are the same."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from pytest_energy.errors import Absent
from pytest_energy.serving.agreement import UNDER_WAY, Agreement, Answer, agreement, answers_of
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    EngineError,
    EngineFacts,
    Request,
    TokenEvent,
)


class SumEngine:
    """Writes the sum of the prompt, then what follows; each token an event, or two in one."""

    name = "sum"
    facts = EngineFacts(model="none", parameters=None, size_bytes=None, vram_bytes=None)

    def __init__(self, *, in_pairs: bool = False, has_ids: bool = True, text: str | None = None) -> None:
        self._size, self._has_ids, self._text = 2 if in_pairs else 1, has_ids, text
        self.seen: list[Request] = []
        self.most_under_way = self._under_way = 0

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        self.seen.append(request)
        self._under_way += 1
        self.most_under_way = max(self.most_under_way, self._under_way)
        for start in range(0, request.output_tokens, self._size):
            await asyncio.sleep(0)
            ids = tuple(sum(request.prompt) + start + number for number in range(self._size))
            yield TokenEvent(count=len(ids), token_ids=ids if self._has_ids else None, text=self._text)
        self._under_way -= 1

    def cache_counters(self) -> CacheCounters | None:
        return None

    async def queue_depth(self) -> int | None:
        return None

    def worker_pids(self) -> tuple[int, ...]:
        return ()

    def close(self) -> None:
        raise AssertionError("the engine goes on")


def written(*answers: Sequence[int]) -> list[Answer]:
    return [Answer(token_ids=tuple(ids), text="") for ids in answers]


def compared(first: Sequence[Answer], second: Sequence[Answer]) -> Agreement:
    found = agreement(first, second)
    assert isinstance(found, Agreement)
    return found


def test_answers_are_in_the_order_of_the_prompts() -> None:
    """Whichever way they were sent, in events of whatever size."""
    prompts, lengths = [[position] for position in range(40)], [2, 4] * 20
    whole = SumEngine()
    answers = answers_of(whole, prompts, lengths)
    turned = answers_of(SumEngine(in_pairs=True), prompts, lengths, is_reversed=True)
    assert answers == turned
    assert answers[3].token_ids == (3, 4, 5, 6)
    assert whole.most_under_way == UNDER_WAY


def test_a_second_run_is_sent_the_other_way_round() -> None:
    """So that the batches of two runs differ, as those of two settings do."""
    engine = SumEngine()
    answers_of(engine, [[1], [2], [3]], [1, 1, 1], is_reversed=True)
    assert [request.prompt for request in engine.seen] == [(3,), (2,), (1,)]


def test_an_engine_that_writes_too_little_fails() -> None:
    """Two tokens to an event where three were asked for."""
    with pytest.raises(EngineError, match="not the 3 requested"):
        answers_of(SumEngine(in_pairs=True), [[1]], [3])


def test_what_is_the_same() -> None:
    """Four answers of four tokens: equal, another last token, another first one, all others."""
    first = written([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4])
    second = written([1, 2, 3, 4], [1, 2, 3, 9], [9, 2, 3, 4], [9, 9, 9, 9])
    found = compared(first, second)
    assert found.same.value == 1 / 4
    assert found.prefix.value == (4 + 3 + 0 + 0) / 16
    assert found.by_position.value == (4 + 3 + 3 + 0) / 16
    assert found.prefix_length == 7 / 4
    assert (found.answer_count, found.unit) == (4, "token")


def test_answers_of_unequal_length_are_compared_over_the_longer() -> None:
    """What one lacks is not the same."""
    found = compared(written([1, 2]), written([1, 2, 3, 4]))
    assert (found.same.value, found.prefix.value, found.by_position.value) == (0, 0.5, 0.5)


def test_without_token_ids_the_text_is_compared() -> None:
    """Character by character; with neither there is nothing to compare."""
    first = [Answer(token_ids=None, text="one two")]
    found = compared(first, [Answer(token_ids=(1,), text="one too")])
    assert (found.prefix_length, found.by_position.value, found.unit) == (5, 6 / 7, "character")
    answers = answers_of(SumEngine(has_ids=False), [[1]], [2])
    assert agreement(answers, answers) == Absent("the engines report neither token ids nor text")
    assert agreement([], []) == Absent("no prompt was answered")
