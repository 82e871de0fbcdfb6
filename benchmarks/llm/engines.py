"""The engine that a profile names, ready to serve a model of one size."""

from pathlib import Path

from benchmarks.llm.models import llama, write_config
from benchmarks.llm.tokenizer import trained_tokenizer
from benchmarks.profile_sizes import Profile
from pytest_energy.serving.engines.protocol import Engine

PAGE_TOKENS = 8  # of transformers' cache: two pages of each of the paper's questions are shared


def made_engine(
    size: str, profile: Profile, folder: Path, *, length: int | None = None, has_text: bool = False
) -> Engine:
    """An engine with random weights; making it takes up to a minute, and is no part of any window.

    Args:
        size: One of `benchmarks.llm.models.SIZES`.
        profile: Says which engine, for how long requests, and how many at once.
        folder: Empty, for files that the engine reads.
        length: Longest prompt and answer together; `None` for that of the profile's rows.
        has_text: vLLM turns its answers into text; transformers' engine always does here.
    """
    llm, name = profile.llm, f"llama-{size}"
    length = length or llm.prompt_tokens + max(llm.output_tokens, *llm.sweep.output_tokens)
    if llm.engine == "vllm":
        from pytest_energy.serving.engines.vllm_engine import VllmEngine

        return VllmEngine(
            write_config(folder, size, position_count=length, has_tokenizer=has_text),
            name=name,
            load_format="dummy",
            quantization=llm.quantization,
            max_model_len=length,
            tensor_parallel_size=llm.gpu_count,
            max_batch=llm.max_batch,
            enforce_eager=llm.is_eager,
            skip_tokenizer=not has_text,
            # NCCL's reduction runs on every host; vLLM's own needs memory that GPUs map from each other.
            extra={"disable_custom_all_reduce": True} if llm.gpu_count > 1 else None,
        )
    from pytest_energy.serving.engines.transformers_engine import TransformersEngine

    return TransformersEngine(
        llama(size, device=profile.device, position_count=length),
        name=name,
        max_batch=llm.max_batch,
        max_request_tokens=length,
        page_tokens=PAGE_TOKENS,
        has_prefix_cache=True,
        has_cuda_graphs=not llm.is_eager,
        decode=trained_tokenizer().decode,
    )
