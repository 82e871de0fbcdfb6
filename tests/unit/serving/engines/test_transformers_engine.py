"""The embedded engine with a tiny model: right tokens, real batching, nothing left behind."""

import asyncio
import random
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import EngineError, Request, Stop, TokenEvent
from pytest_energy.serving.load import serve

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from pytest_energy.serving.engines.transformers_engine import TransformersEngine  # noqa: E402

VOCABULARY = 97
OUTPUT_TOKENS = 6


@pytest.fixture(scope="module")
def model() -> Any:
    """A Llama of two layers with random weights from a seed."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=None,
        eos_token_id=None,
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture
def engine(model: Any) -> Iterator[TransformersEngine]:
    with TransformersEngine(model, max_batch=8, max_request_tokens=64, page_tokens=8) as engine:
        yield engine


@pytest.fixture
def ending_model(model: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The model, with the end of sequence that the test asks for."""
    model.generation_config.eos_token_id = request.param
    yield model
    model.generation_config.eos_token_id = None


def free_load(model: Any) -> list[int]:
    """Lengths of answers that the model's own end may end."""
    with TransformersEngine(model, max_batch=2, max_request_tokens=64, page_tokens=8) as engine:
        result = serve(
            engine,
            random_prompts(2),
            Schedule(rate=float("inf")),
            output_tokens=OUTPUT_TOKENS,
            stop=Stop(),
        )
    return [request.output_tokens for request in result.served]


@pytest.mark.parametrize("ending_model", [[*range(VOCABULARY)]], indirect=True)
def test_the_models_own_end_ends_an_answer(ending_model: Any) -> None:
    """Where every token is one, an answer has one."""
    assert free_load(ending_model) == [1, 1]


def test_a_model_without_an_end_of_its_own_is_an_error(model: Any) -> None:
    """And no load in which every answer has its full length."""
    with pytest.raises(EngineError, match="the model has no end-of-sequence token"):
        free_load(model)


def random_prompts(count: int, *, seed: int = 1) -> list[list[int]]:
    rng = random.Random(seed)  # noqa: S311 (a reproducible test)
    return [[rng.randrange(VOCABULARY) for _ in range(rng.randint(1, 40))] for _ in range(count)]


def greedy_alone(model: Any, prompt: list[int], output_tokens: int) -> list[int]:
    """What `model.generate` answers to one prompt, nothing beside it."""
    ids = torch.tensor([prompt])
    answer = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=output_tokens,
        min_new_tokens=output_tokens,
        do_sample=False,
        pad_token_id=0,
    )
    return [int(token) for token in answer[0, len(prompt) :]]


def answers(engine: TransformersEngine, prompts: list[list[int]]) -> list[list[int]]:
    """Token ids of all prompts, asked at once."""

    async def ask(position: int, prompt: list[int]) -> list[int]:
        request = Request(request_id=str(position), prompt=tuple(prompt), output_tokens=OUTPUT_TOKENS)
        return [token async for event in engine.generate(request) for token in event.token_ids or ()]

    async def ask_all() -> list[list[int]]:
        return await asyncio.gather(*(ask(position, prompt) for position, prompt in enumerate(prompts)))

    return asyncio.run(ask_all())


@pytest.mark.parametrize("prefix_cache", ["off", "on"])
def test_batched_answers_equal_greedy_decoding_of_each_prompt_alone(model: Any, prefix_cache: str) -> None:
    """Neither neighbours in the batch nor a cached prefix changes a token; more prompts than fit at once."""
    prompts = random_prompts(6)
    prompts += [prompts[0][:16] + prompts[1], prompts[0]]
    expected = [greedy_alone(model, prompt, OUTPUT_TOKENS) for prompt in prompts]
    with TransformersEngine(
        model,
        max_batch=5,
        max_request_tokens=80,
        step_tokens=64,
        page_tokens=8,
        has_prefix_cache=prefix_cache == "on",
    ) as engine:
        assert answers(engine, prompts) == expected
        assert answers(engine, prompts) == expected


def test_requests_are_decoded_together(engine: TransformersEngine, model: Any) -> None:
    """Eight requests at once take about as many forward passes as one, not eight times as many."""
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    hook = model.register_forward_hook(count)
    try:
        answers(engine, random_prompts(8))
    finally:
        hook.remove()
    assert OUTPUT_TOKENS <= passes < 3 * OUTPUT_TOKENS


def test_a_load_is_served_round_after_round(engine: TransformersEngine) -> None:
    """Each round has its own event loop and repeats the request ids; tokens are timed in order."""
    for round_index in range(3):
        result = serve(
            engine,
            random_prompts(6, seed=round_index),
            Schedule(rate=200.0),
            output_tokens=OUTPUT_TOKENS,
        )
        assert result.output_tokens == 6 * OUTPUT_TOKENS
        assert all(request.ttft_s > 0 and min(request.itl_s) >= 0 for request in result.served)
    assert result.cache is None


def test_a_seen_prompt_is_answered_from_the_prefix_cache(model: Any) -> None:
    """24 tokens are three pages of 8: at most 23 of them hit, since the last is always computed."""
    prompt = [*range(24)]
    with TransformersEngine(
        model, max_batch=2, max_request_tokens=64, page_tokens=8, has_prefix_cache=True
    ) as engine:
        first = serve(engine, [prompt], Schedule(rate=100.0), output_tokens=2).cache
        second = serve(engine, [prompt], Schedule(rate=100.0), output_tokens=2).cache
    assert first is not None
    assert second is not None
    assert (first.queried_tokens, first.hit_tokens) == (24, 0)
    assert second.queried_tokens == 24
    assert 16 <= second.hit_tokens <= 23


def test_facts_tell_the_model_and_the_settings(engine: TransformersEngine, model: Any) -> None:
    """Parameters counted once, bytes on the device, no GPU memory on a CPU, and the decoder's shape."""
    facts = engine.facts
    assert facts.parameters == sum(weight.numel() for weight in model.parameters())
    assert facts.parameters is not None
    assert facts.size_bytes is not None
    assert facts.size_bytes >= 4 * facts.parameters
    assert facts.vram_bytes is None
    assert facts.flags["prefix_cache"] == "off"
    assert set(facts.versions) == {"torch", "transformers"}
    assert facts.shape is not None
    attention, feed_forward = 32 * 32 * 2 + 2 * 32 * 16, 3 * 32 * 64
    assert facts.shape.block_parameters == 2 * (attention + feed_forward)
    assert facts.shape.head_parameters == VOCABULARY * 32
    assert (facts.shape.layer_count, facts.shape.attention_width) == (2, 32)


def test_a_sparse_model_tells_no_shape() -> None:
    """Its tokens meet only some of the experts, so counting all weights would be wrong."""
    config = transformers.MixtralConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        num_local_experts=2,
    )
    sparse = transformers.MixtralForCausalLM(config)
    with TransformersEngine(sparse, max_batch=1, max_request_tokens=16) as engine:
        assert engine.facts.shape is None


def test_detokenisation_is_part_of_the_work_when_asked(model: Any) -> None:
    """Each event then carries the text of its tokens."""

    async def texts(engine: TransformersEngine) -> list[str | None]:
        request = Request(request_id="0", prompt=(1, 2), output_tokens=2)
        return [event.text async for event in engine.generate(request)]

    with TransformersEngine(
        model, max_batch=1, max_request_tokens=16, decode=lambda ids: f"<{len(ids)}>"
    ) as engine:
        found = asyncio.run(texts(engine))
        assert engine.facts.flags["detokenisation"] == "on"
    assert "".join(text or "" for text in found) in {"<1><1>", "<2>"}


def test_closing_leaves_no_thread(model: Any) -> None:
    """Also when it is closed twice."""
    before = set(threading.enumerate())
    engine = TransformersEngine(model, max_batch=1, max_request_tokens=16)
    assert set(threading.enumerate()) > before
    engine.close()
    engine.close()
    assert set(threading.enumerate()) == before


def test_an_engine_whose_model_fails_says_so_and_ends_its_thread(model: Any) -> None:
    """The error names engine and request; later requests are refused; close still works."""
    before = set(threading.enumerate())
    engine = TransformersEngine(model, max_batch=2, max_request_tokens=32)

    def fall_over(*_: object) -> None:
        raise RuntimeError("out of memory, say")

    hook = model.register_forward_pre_hook(fall_over)
    try:
        with pytest.raises(EngineError, match="engine transformers, request 0: out of memory, say"):
            serve(engine, [[1, 2]], Schedule(rate=100.0), output_tokens=4)
        with pytest.raises(EngineError, match="has stopped"):
            serve(engine, [[1, 2]], Schedule(rate=100.0), output_tokens=4)
    finally:
        hook.remove()
        engine.close()
    assert set(threading.enumerate()) == before


def test_a_withdrawn_request_does_not_disturb_the_next(model: Any) -> None:
    """Closing a generator early cancels its request; the engine serves on, also on another event loop."""

    prompt = [3, 1, 4, 1, 5]
    expected = greedy_alone(model, prompt, OUTPUT_TOKENS)

    async def first_event_only(engine: TransformersEngine) -> TokenEvent:
        request = Request(request_id="0", prompt=(5, 6, 7), output_tokens=40)
        events: AsyncGenerator[TokenEvent, None] = engine.generate(request)
        async with aclosing(events):
            return await anext(events)

    with TransformersEngine(model, max_batch=2, max_request_tokens=64) as engine:
        assert asyncio.run(first_event_only(engine)).count >= 1
        assert answers(engine, [prompt]) == [expected]


def test_a_request_longer_than_the_engine_was_made_for_is_refused(engine: TransformersEngine) -> None:
    """Before it waits for pages that never come."""
    with pytest.raises(
        EngineError, match="request 0: 70 tokens including the answer; this engine was created for at most 64"
    ):
        serve(engine, [[1] * 60], Schedule(rate=1000.0), output_tokens=10)


def test_limits_below_one_are_refused(model: Any) -> None:
    """A batch of none is a mistake."""
    with pytest.raises(SettingsError, match="max_batch is 0"):
        TransformersEngine(model, max_batch=0)
