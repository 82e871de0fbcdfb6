"""Joules a request over sizes and rates with shared prefixes and answers of several lengths: one table.

`python -m benchmarks.llm.pooled` runs these rows size by size, and prints the table with its correlations.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from benchmarks.cnn.recipe import SERVING
from benchmarks.llm.cores import apart
from benchmarks.llm.design import MOST_SCALES, Row, answer_lengths, rows
from benchmarks.llm.engines import made_engine
from benchmarks.llm.prompts import asked_prompts
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile
from pytest_energy.serving.engines.protocol import Engine

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

SEED = 281  # of arrivals, prompts and lengths


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each row, sizes outermost so that one model is loaded at a time."""
    profile = chosen(metafunc.config)
    pooled = profile.llm.pooled
    metafunc.parametrize(
        ("engine", "row"),
        [
            pytest.param(
                row.size,
                row,
                id=profile.case_id(f"{row.size}@{row.rate:g}", SERVING),
                marks=pytest.mark.energy(
                    model=f"{row.size}@{row.rate:g}/s",
                    samples=row.count,
                    rounds=pooled.rounds,
                    warmup=1,
                    max_time=pooled.max_time_s,
                ),
            )
            for row in rows(pooled)
        ],
        indirect=["engine"],
        scope="module",
    )


@pytest.fixture(scope="module")
def engine(
    request: pytest.FixtureRequest, profile: Profile, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """The profile's engine with the model of one size, which turns its answers into text."""
    if profile.llm.engine == "vllm":
        pytest.importorskip("vllm", reason="vllm serves this profile: pip install 'pytest-energy[vllm]'")
    pooled = profile.llm.pooled
    length = pooled.prompt_tokens + round(MOST_SCALES * pooled.reasoning_tokens)
    folder = tmp_path_factory.mktemp("model")
    engine = made_engine(str(request.param), profile, folder, length=length, has_text=True)
    try:
        pids = engine.worker_pids()
        with apart(pids, profile.llm.process_cores * len(pids)):
            yield engine
    finally:
        engine.close()


@pytest.mark.energy(group="pooled")
def test_pooled(energy: "Energy", engine: Engine, row: Row, profile: Profile) -> None:
    """An open-loop load: each round the same schedule and lengths, with fresh prompts."""
    pooled, seed = profile.llm.pooled, f"{SEED}/{row.size}/{row.rate:g}"
    scale = pooled.reasoning_tokens if row.has_reasoning else pooled.plain_tokens
    lengths = answer_lengths(row.count, scale=scale, seed=seed)
    result = energy.requests(
        engine,
        lambda round_index: asked_prompts(
            row.count,
            length=pooled.prompt_tokens,
            shared_share=row.shared_share,
            seed=seed,
            round_index=round_index,
        ),
        rate=row.rate,
        output_tokens=lengths,
        seed=SEED,
    )
    assert result.output_tokens == sum(lengths)
