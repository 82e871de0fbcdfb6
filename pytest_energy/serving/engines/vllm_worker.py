"""What vLLM's workers are asked about the model they hold. vLLM loads this in its own processes."""

from itertools import chain
from typing import Any

from pytest_energy.serving.engines.decoder import vram_bytes


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
    attention = {
        layer.get_attn_backend().get_name() for layer in layers if hasattr(layer, "get_attn_backend")
    }
    return {
        "size_bytes": _size_bytes(model) if device.type == "cuda" else None,
        "vram_bytes": vram_bytes(device),
        "attention": sorted(attention),
    }


def _size_bytes(model: Any) -> int:
    storages = [tensor.untyped_storage() for tensor in chain(model.parameters(), model.buffers())]
    # Weights that share memory count once.
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())
