"""Joules a request, over model sizes and request rates: the paper's generative half."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from benchmarks.cnn.recipe import SERVING
from benchmarks.llm.cores import apart
from benchmarks.llm.engines import made_engine
from benchmarks.llm.models import SIZES
from benchmarks.llm.prompts import fresh_prompts
from benchmarks.profile_options import chosen, lengthened
from benchmarks.profile_sizes import LlmProfile, Profile
from pytest_energy.serving.engines.protocol import Engine
from pytest_energy.serving.prompts import random_tokens

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

SEED = 281  # of arrivals and prompts

Serve = Callable[[str, "Load"], None]
Row = tuple[str, str, "Load"]
"""Size of the model, name of the load, and the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one test asks of an engine.

    Attributes:
        rate: Requests a second; infinity sends one as soon as another is answered.
        count: Requests of one round.
        output_tokens: Length of every answer.
        concurrency: Most requests under way, or `None`.
        shared_share: Prompts are random tokens with this share common to all; `None` takes the paper's
            questions, each with a passage of its own.
    """

    rate: float
    count: int
    output_tokens: int
    concurrency: int | None = None
    shared_share: float | None = None

    def prompts(self, llm: LlmProfile, size: str, round_index: int) -> Sequence[Sequence[int]]:
        """Fresh prompts of equal lengths for each round."""
        seed = f"{SEED}/{self.rate:g}/{self.output_tokens}"
        if self.shared_share is None:
            return fresh_prompts(self.count, length=llm.prompt_tokens, seed=seed, round_index=round_index)
        return random_tokens(
            self.count,
            llm.prompt_tokens,
            vocabulary=SIZES[size].vocabulary,
            seed=f"{seed}/{self.shared_share:g}",
            shared_prefix_share=self.shared_share,
            round_index=round_index,
        )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each size and load of the profile, sizes outermost so that one model is loaded at a time."""
    profile = chosen(metafunc.config)
    rows = list(ROWS[metafunc.function.__name__](profile.llm))
    metafunc.parametrize(
        ("engine", "size", "load"),
        [
            pytest.param(
                size,
                size,
                load,
                id=profile.case_id(f"{size}@{name.removesuffix('/s')}", SERVING),
                marks=pytest.mark.energy(
                    model=f"{size}@{name}",
                    samples=load.count,
                    rounds=profile.llm.rounds,
                    warmup=profile.llm.warmup,
                    max_time=profile.llm.max_time_s,
                ),
            )
            for size, name, load in rows
        ],
        indirect=["engine"],
        scope="module",
    )


def _rate_rows(llm: LlmProfile) -> Iterator[Row]:
    for size in llm.model_sizes:
        for rate in llm.rates:
            count = llm.request_count(rate)
            yield size, f"{rate:g}/s", Load(rate=rate, count=count, output_tokens=llm.output_tokens)


def _sweep_rows(llm: LlmProfile) -> Iterator[Row]:
    sweep = llm.sweep
    load = Load(rate=sweep.rate, count=llm.request_count(sweep.rate), output_tokens=llm.output_tokens)
    for output_tokens in sweep.output_tokens:
        yield sweep.model_size, f"{output_tokens}tokens", replace(load, output_tokens=output_tokens)
    for share in sweep.shared_shares:
        yield sweep.model_size, f"{share:g}shared", replace(load, shared_share=share)


def _closed_rows(llm: LlmProfile) -> Iterator[Row]:
    closed = llm.closed_loop
    load = Load(
        rate=math.inf,
        count=closed.requests,
        output_tokens=llm.output_tokens,
        concurrency=closed.concurrency,
    )
    yield closed.model_size, f"{closed.concurrency}underway", load


ROWS: Mapping[str, Callable[[LlmProfile], Iterator[Row]]] = {
    "test_requests": _rate_rows,
    "test_lengths_and_prefixes": _sweep_rows,
    "test_closed_loop": _closed_rows,
}


@pytest.fixture(scope="module")
def engine(
    request: pytest.FixtureRequest, profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """The profile's engine with the model of one size; loading it is outside every window."""
    if profile.llm.engine == "vllm":
        pytest.importorskip("vllm", reason="vllm serves this profile: pip install 'pytest-energy[vllm]'")
    engine = made_engine(str(request.param), profile, tmp_path_factory.mktemp("model"))
    try:
        pids = engine.worker_pids()
        with apart(pids, profile.llm.process_cores * len(pids)):
            yield engine
    finally:
        engine.close()


@pytest.fixture
def serve(energy: "Energy", engine: Engine, profile: Profile, pytestconfig: pytest.Config) -> Serve:
    """Run the load in rounds and measure each; planted tokens come on top."""
    percent = int(pytestconfig.getoption("--bench-extra-tokens"))

    def serve(size: str, load: Load) -> None:
        llm = profile.llm
        output_tokens = lengthened(load.output_tokens, percent)
        result = energy.requests(
            engine,
            lambda round_index: load.prompts(llm, size, round_index),
            rate=load.rate,
            output_tokens=output_tokens,
            concurrency=load.concurrency,
            seed=SEED,
        )
        assert len(result.served) == load.count
        assert result.output_tokens == load.count * output_tokens

    return serve


@pytest.mark.energy(group="requests")
def test_requests(serve: Serve, size: str, load: Load) -> None:
    """An open-loop load at one rate: each round the same schedule, with fresh prompts of the same lengths."""
    serve(size, load)


@pytest.mark.energy(group="lengths")
def test_lengths_and_prefixes(serve: Serve, size: str, load: Load) -> None:
    """One model at one rate, with longer answers, and with prompts that have more in common."""
    serve(size, load)


@pytest.mark.energy(group="closed loop")
def test_closed_loop(serve: Serve, size: str, load: Load) -> None:
    """As fast as the engine can: whenever one of so many requests is answered, the next one leaves."""
    serve(size, load)
