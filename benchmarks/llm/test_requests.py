"""Joules a request, over model sizes and request rates: the paper's generative half, embedded engine."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from benchmarks.llm.models import llama
from benchmarks.llm.prompts import fresh_prompts
from benchmarks.llm.tokenizer import trained_tokenizer
from benchmarks.profiles import PROFILES, Profile
from pytest_energy.serving.engines.transformers_engine import TransformersEngine

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

SEED = 281  # of arrivals and prompts


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each size and rate of the profile, sizes outermost so that one model is loaded at a time."""
    profile = PROFILES[str(metafunc.config.getoption("--bench-profile"))]
    llm = profile.llm
    cases = [
        pytest.param(
            size,
            rate,
            id=profile.case_id(f"{size}@{rate:g}"),
            marks=pytest.mark.energy(
                group="requests",
                model=f"{size}@{rate:g}/s",
                samples=llm.request_count(rate),
                rounds=llm.rounds,
                warmup=llm.warmup,
                max_time_s=llm.max_time_s,
            ),
        )
        for size in llm.model_sizes
        for rate in llm.rates
    ]
    metafunc.parametrize(("engine", "rate"), cases, indirect=["engine"], scope="module")


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest, profile: Profile) -> Iterator[TransformersEngine]:
    """The embedded engine with the model of one size; loading it is outside every window."""
    size, llm = str(request.param), profile.llm
    length = llm.prompt_tokens + llm.output_tokens
    with TransformersEngine(
        llama(size, device=profile.device, position_count=length),
        name=f"llama-{size}",
        max_batch=llm.max_batch,
        max_request_tokens=length,
        page_tokens=8,  # two pages of each question are shared
        has_prefix_cache=True,
        decode=trained_tokenizer().decode,
    ) as engine:
        yield engine


def test_requests(energy: "Energy", engine: TransformersEngine, rate: float, profile: Profile) -> None:
    """An open-loop load at one rate: each round the same schedule, with fresh prompts of the same lengths."""
    llm = profile.llm
    count = llm.request_count(rate)
    result = energy.requests(
        engine,
        lambda round_index: fresh_prompts(
            count, length=llm.prompt_tokens, seed=f"{SEED}/{rate:g}", round_index=round_index
        ),
        rate=rate,
        output_tokens=llm.output_tokens,
        seed=SEED,
    )
    assert len(result.served) == count
    assert result.output_tokens == count * llm.output_tokens
