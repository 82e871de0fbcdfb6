"""Llama-shaped models of several sizes with random weights: energy depends on the shapes, not the values."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.llm.tokenizer import VOCABULARY, widened_tokenizer

WEIGHT_SEED = 20250416
LLAMA_VOCABULARY = 128_256  # of Llama 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The shape of one model; heads are 32 to 128 wide and share keys and values in groups.

    Attributes:
        hidden: Numbers that stand for one token.
        feed_forward: Width of the feed-forward layers.
        layers: Blocks.
        heads: Of the queries.
        key_value_heads: Of keys and values.
        vocabulary: Tokens that it knows.
        is_tied: The output head is the embedding.
    """

    hidden: int
    feed_forward: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int = VOCABULARY
    is_tied: bool = False


def _llama_3(
    *,
    hidden: int,
    feed_forward: int,
    layers: int,
    heads: int,
    is_tied: bool,
    vocabulary: int = LLAMA_VOCABULARY,
) -> Size:
    return Size(
        hidden=hidden,
        feed_forward=feed_forward,
        layers=layers,
        heads=heads,
        key_value_heads=8,
        vocabulary=vocabulary,
        is_tied=is_tied,
    )


# Names say the parameters. 1B and 3B have the shapes of Llama 3.2, 8B that of Llama 3.1; 1B knows fewer
# tokens, since all of Llama's would make it 1.24B.
SIZES: Mapping[str, Size] = {
    "1M": Size(hidden=128, feed_forward=344, layers=3, heads=4, key_value_heads=2),
    "4M": Size(hidden=256, feed_forward=688, layers=4, heads=4, key_value_heads=2),
    "12M": Size(hidden=384, feed_forward=1152, layers=6, heads=6, key_value_heads=2),
    "0.1B": Size(hidden=768, feed_forward=2048, layers=16, heads=12, key_value_heads=4),
    "0.5B": Size(hidden=1280, feed_forward=3456, layers=28, heads=20, key_value_heads=4),
    "1B": _llama_3(hidden=2048, feed_forward=8192, layers=16, heads=32, is_tied=True, vocabulary=16_384),
    "3B": _llama_3(hidden=3072, feed_forward=8192, layers=28, heads=24, is_tied=True),
    "8B": _llama_3(hidden=4096, feed_forward=14336, layers=32, heads=32, is_tied=False),
}


def llama_config(size: str, *, position_count: int) -> LlamaConfig:
    """The configuration of a Llama of the shape *size*.

    Args:
        size: One of `SIZES`.
        position_count: Longest prompt and answer together, in tokens.
    """
    shape = SIZES[size]
    return LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.feed_forward,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=position_count,
        tie_word_embeddings=shape.is_tied,
        bos_token_id=None,
        eos_token_id=None,
    )


def llama(size: str, *, device: str, position_count: int) -> LlamaForCausalLM:
    """A Llama of the shape *size*, in float32 on a CPU and bfloat16 on a GPU.

    Args:
        size: One of `SIZES`.
        device: A torch device.
        position_count: Longest prompt and answer together, in tokens.
    """
    config = llama_config(size, position_count=position_count)
    generators = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=generators), torch.device(device):
        torch.manual_seed(WEIGHT_SEED)
        model = LlamaForCausalLM(config)
    module: torch.nn.Module = model  # transformers leaves `to` and `eval` without types
    module.to(torch.float32 if device == "cpu" else torch.bfloat16).eval()
    return model


def write_config(folder: Path, size: str, *, position_count: int, has_tokenizer: bool = False) -> Path:
    """A folder with the configuration of a Llama of the shape *size*; an engine makes random weights.

    Args:
        folder: Where to.
        size: One of `SIZES`.
        position_count: Longest prompt and answer together, in tokens.
        has_tokenizer: Whether it holds a tokenizer that knows the model's vocabulary.
    """
    config = llama_config(size, position_count=position_count)
    config.architectures = ["LlamaForCausalLM"]
    config.dtype = torch.bfloat16
    config.save_pretrained(folder)
    if has_tokenizer:
        tokenizer: Any = PreTrainedTokenizerFast  # published without types
        words = widened_tokenizer(SIZES[size].vocabulary)
        tokenizer(tokenizer_object=words).save_pretrained(str(folder))
    return folder
