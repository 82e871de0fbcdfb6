"""Memory of the device: how much a test had in use at once, and how much it may take."""

import torch


def start_peak(device: str) -> None:
    """Forget the most memory that was in use so far."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> dict[str, float]:
    """The most bytes in use at once since `start_peak`, as a metric; none where torch does not count them."""
    return {"peak_memory_bytes": float(torch.cuda.max_memory_allocated())} if device == "cuda" else {}


def limit_memory(device: str, share: float | None) -> None:
    """Have torch refuse to take more than *share* of the GPU's memory, as on a smaller GPU."""
    if device == "cuda" and share is not None:
        torch.cuda.set_per_process_memory_fraction(share)
