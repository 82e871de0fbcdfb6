"""Joules a request, over model sizes and request rates: the paper's generative half."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from benchmarks.llm.engines import made_engine
from benchmarks.llm.models import SIZES
from benchmarks.llm.prompts import fresh_prompts
from benchmarks.profiles import LlmProfile, Profile, chosen, lengthened
from pytest_energy.serving.engines.protocol import Engine
from pytest_energy.serving.prompts import random_tokens

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

SEED = 281  # of arrivals and prompts

Serve = Callable[[str, "Load"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one test asks of an engine.

    Attributes:
        rate: Requests a second.
        output_tokens: Length of every answer.
        shared_share: Prompts are random tokens with this share common to all; `None` takes the paper's
            questions, each with a passage of its own.
    """

    rate: float
    output_tokens: int
    shared_share: float | None = None

    def prompts(self, llm: LlmProfile, size: str, round_index: int) -> Sequence[Sequence[int]]:
        """Fresh prompts of equal lengths for each round."""
        count, seed = llm.request_count(self.rate), f"{SEED}/{self.rate:g}/{self.output_tokens}"
        if self.shared_share is None:
            return fresh_prompts(count, length=llm.prompt_tokens, seed=seed, round_index=round_index)
        return random_tokens(
            count,
            llm.prompt_tokens,
            vocabulary=SIZES[size].vocabulary,
            seed=f"{seed}/{self.shared_share:g}",
            shared_prefix_share=self.shared_share,
            round_index=round_index,
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each size and load of the profile, sizes outermost so that one model is loaded at a time."""
    profile = chosen(metafunc.config)
    rows = list((_rate_rows if metafunc.function is test_requests else _sweep_rows)(profile.llm))
    metafunc.parametrize(
        ("engine", "size", "load"),
        [
            pytest.param(
                size,
                size,
                load,
                id=profile.case_id(f"{size}@{name.removesuffix('/s')}"),
                marks=pytest.mark.energy(
                    model=f"{size}@{name}",
                    samples=profile.llm.request_count(load.rate),
                    rounds=profile.llm.rounds,
                    warmup=profile.llm.warmup,
                    max_time_s=profile.llm.max_time_s,
                ),
            )
            for size, name, load in rows
        ],
        indirect=["engine"],
        scope="module",
    )


def _rate_rows(llm: LlmProfile) -> Iterator[tuple[str, str, Load]]:
    for size in llm.model_sizes:
        for rate in llm.rates:
            yield size, f"{rate:g}/s", Load(rate=rate, output_tokens=llm.output_tokens)


def _sweep_rows(llm: LlmProfile) -> Iterator[tuple[str, str, Load]]:
    sweep = llm.sweep
    for output_tokens in sweep.output_tokens:
        yield sweep.model_size, f"{output_tokens}tokens", Load(rate=sweep.rate, output_tokens=output_tokens)
    for share in sweep.shared_shares:
        load = Load(rate=sweep.rate, output_tokens=llm.output_tokens, shared_share=share)
        yield sweep.model_size, f"{share:g}shared", load


@pytest.fixture(scope="module")
def engine(
    request: pytest.FixtureRequest, profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """The profile's engine with the model of one size; loading it is outside every window."""
    if profile.llm.engine == "vllm":
        pytest.importorskip("vllm", reason="vllm serves this profile: pip install 'pytest-energy[vllm]'")
    engine = made_engine(str(request.param), profile, tmp_path_factory.mktemp("model"))
    try:
        yield engine
    finally:
        engine.close()


@pytest.fixture
def serve(energy: "Energy", engine: Engine, profile: Profile, pytestconfig: pytest.Config) -> Serve:
    """Run the load in rounds and measure each; planted tokens come on top."""
    percent = int(pytestconfig.getoption("--bench-extra-tokens"))

    def serve(size: str, load: Load) -> None:
        llm = profile.llm
        count, output_tokens = llm.request_count(load.rate), lengthened(load.output_tokens, percent)
        result = energy.requests(
            engine,
            lambda round_index: load.prompts(llm, size, round_index),
            rate=load.rate,
            output_tokens=output_tokens,
            seed=SEED,
        )
        assert len(result.served) == count
        assert result.output_tokens == count * output_tokens

    return serve


@pytest.mark.energy(group="requests")
def test_requests(serve: Serve, size: str, load: Load) -> None:
    """An open-loop load at one rate: each round the same schedule, with fresh prompts of the same lengths."""
    serve(size, load)


@pytest.mark.energy(group="lengths")
def test_lengths_and_prefixes(serve: Serve, size: str, load: Load) -> None:
    """One model at one rate, with longer answers, and with prompts that have more in common."""
    serve(size, load)
