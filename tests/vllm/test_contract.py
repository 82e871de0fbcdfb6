"""A real vLLM keeps the contract of engines: in this process, and behind its own server."""

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint
from pytest_energy.serving.engines.openai_pages import metric_sum
from pytest_energy.serving.engines.vllm_engine import VllmEngine
from pytest_energy.serving.load import serve
from tests.contract.engine_contract import EngineContract

VOCABULARY, LONGEST, MAX_BATCH, PAGE_TOKENS = 2048, 512, 4, 128  # as in conftest.py
PRODUCED = "vllm:generation_tokens_total"


class TestVllmInThisProcess(EngineContract):
    """Without a tokenizer."""

    vocabulary, longest, max_batch, page_tokens = VOCABULARY, LONGEST, MAX_BATCH, PAGE_TOKENS

    @pytest.fixture(scope="class")
    @staticmethod
    def engine(model: Path) -> Iterator[VllmEngine]:
        with VllmEngine(
            model,
            load_format="dummy",
            data_type="float32",
            max_model_len=LONGEST,
            max_batch=MAX_BATCH,
            enforce_eager=True,
        ) as engine:
            yield engine

    @pytest.fixture
    def produced_tokens(self) -> Callable[[], int]:
        return lambda: _registered(PRODUCED)

    def test_facts_tell_the_model_the_work_and_how_it_is_done(self, engine: VllmEngine) -> None:
        """Weights counted from the configuration; the rest as vLLM settled it."""
        attention, feed_forward = 128 * 128 * 2 + 2 * 128 * 64, 3 * 128 * 128
        facts = engine.facts
        assert facts.model == "llama-0.7M"
        assert facts.parameters == 2 * (attention + feed_forward + 2 * 128) + 128 + 2 * VOCABULARY * 128
        assert facts.shape is not None
        assert facts.shape.block_parameters == 2 * (attention + feed_forward)
        assert (facts.size_bytes, facts.vram_bytes) == (None, None)
        assert facts.flags == {
            "data_type": "float32",
            "quantisation": "none",
            "load_format": "dummy",
            "max_model_len": "512",
            "prefix_cache": "on",
            "detokenisation": "off",
            "decoding": "greedy",
        }
        assert facts.tuning["max_batch"] == "4"
        assert facts.tuning["page_tokens"] == "128"
        assert facts.tuning["cuda_graphs"] == "off"
        assert facts.tuning["attention"] == "CPU_ATTN"
        assert set(facts.versions) == {"vllm", "torch", "transformers"}

    def test_the_cache_is_counted_as_vllm_counts_it(self, engine: VllmEngine) -> None:
        """The same numbers as in the Prometheus counters that vLLM itself keeps."""
        serve(engine, [self.prompt("mine", 200)] * 2, Schedule(rate=float("inf")), output_tokens=2)
        counters = engine.cache_counters()
        assert counters is not None
        assert counters.queried_tokens == _registered("vllm:prefix_cache_queries_total") > 0
        assert counters.hit_tokens == _registered("vllm:prefix_cache_hits_total") > 0

    def test_a_reset_cache_knows_no_prompt(self, engine: VllmEngine) -> None:
        """Rounds can start alike."""
        prompts = [self.prompt("reset", 200)]
        serve(engine, prompts, Schedule(rate=float("inf")), output_tokens=2)
        engine.reset_prefix_cache()
        cache = serve(engine, prompts, Schedule(rate=float("inf")), output_tokens=2).cache
        assert cache is not None
        assert (cache.queried_tokens, cache.hit_tokens) == (200, 0)

    def test_its_processes_are_known(self, engine: VllmEngine) -> None:
        """A scheduler and one worker."""
        assert len(engine.worker_pids()) >= 2


class TestVllmServer(EngineContract):
    """`vllm serve` over HTTP, with its tokenizer."""

    vocabulary, longest, max_batch, page_tokens = VOCABULARY, LONGEST, MAX_BATCH, PAGE_TOKENS

    @pytest.fixture(scope="class")
    @staticmethod
    def engine(server_url: str) -> Iterator[OpenAiEndpoint]:
        with OpenAiEndpoint(server_url) as engine:
            yield engine

    @pytest.fixture
    def produced_tokens(self, server_url: str) -> Callable[[], int]:
        def read() -> int:
            with urllib.request.urlopen(f"{server_url}/metrics") as page:  # noqa: S310 (our own server)
                return metric_sum(page.read().decode(), PRODUCED) or 0

        return read

    def test_its_processes_are_known(self, engine: OpenAiEndpoint) -> None:
        """The server, its scheduler and one worker."""
        assert len(engine.worker_pids()) >= 3


def _registered(counter: str) -> int:
    """What vLLM's own counter in this process holds."""
    from prometheus_client import REGISTRY

    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    return int(sum(sample.value for sample in samples if sample.name == counter))
