"""The size of a model, counted from its configuration without weights in memory; and its GPU's memory."""

from typing import Any

from pytest_energy.lazy_module import LazyModule
from pytest_energy.serving.engines.protocol import DecoderShape

torch: Any = LazyModule("torch")
transformers: Any = LazyModule("transformers")

EXPERT_COUNTS = ("num_experts", "num_local_experts", "n_routed_experts")  # in the configs of sparse models


def skeleton(config: Any) -> Any | None:
    """The transformers model of *config* on the meta device, in no memory.

    `None` if transformers has no causal language model of that architecture, so that a count of its
    weights would be one of another model.
    """
    language_model = transformers.AutoModelForCausalLM
    try:
        with torch.device("meta"):
            model = language_model.from_config(config)
    except (AttributeError, ImportError, KeyError, ValueError):  # what configs of other architectures raise
        return None
    names = getattr(config, "architectures", None) or []
    return model if type(model).__name__ in names else None


def parameter_count(model: Any) -> int:
    """All weights of *model*, tied ones once."""
    return sum(weight.numel() for weight in model.parameters())


def decoder_shape(model: Any) -> DecoderShape | None:
    """The shape of a dense decoder; `None` for a sparse one, whose tokens meet few of the weights."""
    config = model.config.get_text_config()
    if any(getattr(config, count, None) for count in EXPERT_COUNTS):
        return None
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    matrices = [weight for weight in model.parameters() if weight.dim() > 1]
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return DecoderShape(
        block_parameters=sum(w.numel() for w in matrices if w is not embedding and w is not head),
        head_parameters=head.numel(),
        layer_count=config.num_hidden_layers,
        attention_width=config.num_attention_heads * head_size,
    )


def vram_bytes(device: Any) -> float | None:
    """All memory of *device*, a `torch.device`; `None` for what is no GPU."""
    return float(torch.cuda.get_device_properties(device).total_memory) if device.type == "cuda" else None
