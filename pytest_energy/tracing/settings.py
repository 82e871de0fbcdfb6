"""Switches of torch that say how its operators work.

How many threads there are and whether gradients are on are none: the first is the machine's, the second shows
in what is recorded.
"""

from collections.abc import Mapping
from operator import attrgetter

from pytest_energy.tracing.lazy_torch import torch

_SWITCHES: Mapping[str, str] = {
    "float32 matmul precision": "get_float32_matmul_precision",
    "TF32 in matrix products": "backends.cuda.matmul.allow_tf32",
    "TF32 in cuDNN": "backends.cudnn.allow_tf32",
    "float16 sums in reduced precision": "backends.cuda.matmul.allow_fp16_reduced_precision_reduction",
    "bfloat16 sums in reduced precision": "backends.cuda.matmul.allow_bf16_reduced_precision_reduction",
    "cuDNN": "backends.cudnn.enabled",
    "cuDNN benchmark": "backends.cudnn.benchmark",
    "cuDNN deterministic": "backends.cudnn.deterministic",
    "deterministic algorithms": "are_deterministic_algorithms_enabled",
    "default dtype": "get_default_dtype",
    "flash attention": "backends.cuda.flash_sdp_enabled",
    "memory-efficient attention": "backends.cuda.mem_efficient_sdp_enabled",
    "cuDNN attention": "backends.cuda.cudnn_sdp_enabled",
    "plain attention": "backends.cuda.math_sdp_enabled",
    "oneDNN": "backends.mkldnn.enabled",
}


def torch_settings() -> dict[str, str]:
    """Each switch that this version of torch has."""
    read = {name: _value(path) for name, path in _SWITCHES.items()}
    return {name: value for name, value in {**read, "autocast": _autocast()}.items() if value}


def _value(path: str) -> str:
    try:
        switch = attrgetter(path)(torch)
        value = switch() if callable(switch) else switch
    except (AttributeError, RuntimeError):  # of another version, or set in two ways that don't agree
        return ""
    return ("on" if value else "off") if isinstance(value, bool) else str(value).removeprefix("torch.")


def _autocast() -> str:
    """What is on around the call; autocast inside the work shows in the types of its operators."""
    kinds = [kind for kind in ("cuda", "cpu") if torch.is_autocast_enabled(kind)]
    return ", ".join(f"{kind} {_autocast_dtype(kind)}" for kind in kinds) or "off"


def _autocast_dtype(kind: str) -> str:
    return str(torch.get_autocast_dtype(kind)).removeprefix("torch.")
