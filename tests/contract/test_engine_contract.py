"""The embedded engine keeps the contract of engines; vLLM's is asked in tests/vllm."""

from collections.abc import Iterator

import pytest

from tests.contract.engine_contract import EngineContract

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from pytest_energy.serving.engines.transformers_engine import TransformersEngine  # noqa: E402


class TestTransformersEngine(EngineContract):
    """On a CPU, with its prefix cache on."""

    vocabulary = 97
    page_tokens = 8
    max_batch = 4
    longest = 96

    @pytest.fixture(scope="class")
    @staticmethod
    def engine() -> Iterator[TransformersEngine]:
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=97,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            bos_token_id=None,
            eos_token_id=None,
        )
        model = transformers.LlamaForCausalLM(config).eval()
        with TransformersEngine(
            model,
            name="llama",
            max_batch=4,
            max_request_tokens=96,
            page_tokens=8,
            has_prefix_cache=True,
        ) as engine:
            yield engine
