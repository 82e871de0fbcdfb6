"""Llama-shaped models of several sizes with random weights: energy depends on the shapes, not the values."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.llm.tokenizer import VOCABULARY

WEIGHT_SEED = 20250416


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The shape of one model; heads are 32 to 64 wide and share keys and values in groups."""

    hidden: int
    feed_forward: int
    layers: int
    heads: int
    key_value_heads: int


# Names say the parameters. 1B has the shape of Llama 3.2 1B with a smaller vocabulary.
SIZES: Mapping[str, Size] = {
    "1M": Size(hidden=128, feed_forward=344, layers=3, heads=4, key_value_heads=2),
    "4M": Size(hidden=256, feed_forward=688, layers=4, heads=4, key_value_heads=2),
    "12M": Size(hidden=384, feed_forward=1152, layers=6, heads=6, key_value_heads=2),
    "0.1B": Size(hidden=768, feed_forward=2048, layers=16, heads=12, key_value_heads=4),
    "0.5B": Size(hidden=1280, feed_forward=3456, layers=28, heads=20, key_value_heads=4),
    "1B": Size(hidden=2048, feed_forward=8192, layers=16, heads=32, key_value_heads=8),
}


def llama(size: str, *, device: str, position_count: int) -> LlamaForCausalLM:
    """A Llama of the shape *size*, in float32 on a CPU and bfloat16 on a GPU.

    Args:
        size: One of `SIZES`.
        device: A torch device.
        position_count: Longest prompt and answer together, in tokens.
    """
    shape = SIZES[size]
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=position_count,
        bos_token_id=None,
        eos_token_id=None,
    )
    generators = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=generators), torch.device(device):
        torch.manual_seed(WEIGHT_SEED)
        model = LlamaForCausalLM(config)
    module: torch.nn.Module = model  # transformers leaves `to` and `eval` without types
    module.to(torch.float32 if device == "cpu" else torch.bfloat16).eval()
    return model
