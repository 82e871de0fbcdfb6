"""The facts of a vLLM engine, from the configuration that vLLM made of its arguments and from its workers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from pytest_energy.masking import masked_facts
from pytest_energy.serving.engines.decoder import decoder_shape, parameter_count, skeleton
from pytest_energy.serving.engines.protocol import EngineFacts
from pytest_energy.serving.engines.vllm_library import vllm

# Arguments of vLLM that change what is computed; the others change how.
WORK_ARGUMENTS = frozenset({"hf_overrides", "kv_cache_dtype", "revision", "seed", "tokenizer"})


def engine_facts(
    config: Any,
    workers: Sequence[Mapping[str, Any]],
    *,
    model: str,
    parameters: int | None,
    extra: Mapping[str, object],
) -> EngineFacts:
    """What an engine serves, and how.

    Args:
        config: vLLM's `VllmConfig`.
        workers: A `weight_report` from each worker.
        model: Name of the model.
        parameters: Of the model; `None` to count them from its configuration.
        extra: Arguments of vLLM beyond those that `VllmEngine` sets itself.
    """
    bare = skeleton(config.model_config.hf_config)
    if parameters is None and bare is not None:
        parameters = parameter_count(bare)
    attention = sorted({kernels for worker in workers for kernels in worker["attention"]})
    more = masked_facts({name: str(value) for name, value in sorted(extra.items())})
    return EngineFacts(
        model=model,
        parameters=parameters,
        size_bytes=_total(worker["size_bytes"] for worker in workers),
        vram_bytes=_total(worker["vram_bytes"] for worker in workers),
        shape=None if bare is None else decoder_shape(bare),
        flags={
            **_flags(config),
            **{name: value for name, value in more.items() if name in WORK_ARGUMENTS},
        },
        tuning={
            **_tuning(config),
            "attention": ", ".join(attention),
            **{name: value for name, value in more.items() if name not in WORK_ARGUMENTS},
        },
        versions={
            "vllm": vllm.__version__,
            "torch": version("torch"),
            "transformers": version("transformers"),
        },
    )


def _flags(config: Any) -> dict[str, str]:
    load_format = config.load_config.load_format
    return {
        "data_type": str(config.model_config.dtype).removeprefix("torch."),
        "quantisation": str(config.model_config.quantization or "none"),
        "load_format": str(getattr(load_format, "value", load_format)),
        "max_model_len": str(config.model_config.max_model_len),
        "prefix_cache": "on" if config.cache_config.enable_prefix_caching else "off",
        "detokenisation": "off" if config.model_config.skip_tokenizer_init else "on",
        "decoding": "greedy",
    }


def _tuning(config: Any) -> dict[str, str]:
    graphs = config.compilation_config.cudagraph_mode
    kind = "none" if graphs is None else graphs.name.lower()
    return {
        "max_batch": str(config.scheduler_config.max_num_seqs),
        "step_tokens": str(config.scheduler_config.max_num_batched_tokens),
        "chunked_prefill": "on" if config.scheduler_config.enable_chunked_prefill else "off",
        "speculation": _speculation(config.speculative_config),
        "page_tokens": str(config.cache_config.block_size),
        "gpus": str(config.parallel_config.tensor_parallel_size),
        "compilation": "off" if config.model_config.enforce_eager else "on",
        "cuda_graphs": "off" if kind == "none" else kind,
    }


def _speculation(config: Any) -> str:
    return "off" if config is None else f"{config.method}, {config.num_speculative_tokens} tokens"


def _total(parts: Iterable[float | None]) -> float | None:
    """The sum, or `None` if a part isn't known."""
    values = list(parts)
    return None if None in values else math.fsum(filter(None, values))
