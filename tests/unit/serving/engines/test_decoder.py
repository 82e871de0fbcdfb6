"""Counting weights from a configuration, with none of them in memory."""

from typing import Any

import pytest

transformers = pytest.importorskip("transformers")

from pytest_energy.serving.engines.decoder import decoder_shape, parameter_count, skeleton  # noqa: E402

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 96,
    "bos_token_id": None,
    "eos_token_id": None,
}


def llama(**changes: object) -> Any:
    return transformers.LlamaConfig(**{**CONFIG, **changes})


def test_tied_weights_count_once() -> None:
    """An output head that is the embedding is no second matrix."""
    apart, tied = skeleton(llama()), skeleton(llama(tie_word_embeddings=True))
    assert parameter_count(apart) - parameter_count(tied) == 97 * 32
    shape = decoder_shape(tied)
    assert shape is not None
    assert shape.head_parameters == 97 * 32


def test_a_skeleton_takes_no_memory() -> None:
    """Its weights have shapes only."""
    bare = skeleton(llama())
    assert bare is not None
    assert {weight.device.type for weight in bare.parameters()} == {"meta"}


def test_a_sparse_model_tells_no_shape() -> None:
    """Its tokens meet only some of the experts, so counting all weights would be wrong."""
    config = transformers.MixtralConfig(
        **{**CONFIG, "architectures": ["MixtralForCausalLM"], "model_type": "mixtral"}, num_local_experts=2
    )
    sparse = skeleton(config)
    assert parameter_count(sparse) > 0
    assert decoder_shape(sparse) is None


def test_a_configuration_of_no_language_model_has_no_skeleton() -> None:
    """Nothing is counted of another model instead."""
    assert skeleton(transformers.PretrainedConfig()) is None
