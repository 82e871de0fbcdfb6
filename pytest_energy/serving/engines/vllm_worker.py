"""What vLLM's workers are asked about the model they hold. vLLM loads this in its own processes."""

from itertools import chain
from typing import Any


class WeightReport:
    """Mixed into vLLM's worker class, so that `collective_rpc("report_weights")` calls it in every worker."""

    def report_weights(self) -> dict[str, Any]:
        """Bytes of the model on this worker's device, that device's memory, and the attention kernels."""
        worker: Any = self
        return weight_report(worker.get_model(), worker.device, worker.vllm_config)


def weight_report(model: Any, device: Any, vllm_config: Any) -> dict[str, Any]:
    """What one worker holds: plain values only, since they go through a socket.

    On a CPU the size is `None`: its kernels keep repacked copies of weights where PyTorch does not see them.
    """
    layers = vllm_config.compilation_config.static_forward_context.values()
    return {
        "size_bytes": _size_bytes(model) if device.type == "cuda" else None,
        "vram_bytes": _vram_bytes(device),
        "attention": sorted({layer.get_attn_backend().get_name() for layer in layers if _attends(layer)}),
    }


def _size_bytes(model: Any) -> int:
    storages = [tensor.untyped_storage() for tensor in chain(model.parameters(), model.buffers())]
    # Weights that share memory count once.
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def _vram_bytes(device: Any) -> int | None:
    if device.type != "cuda":
        return None
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory)


def _attends(layer: Any) -> bool:
    return hasattr(layer, "get_attn_backend")
