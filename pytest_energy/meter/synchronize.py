"""When a GPU has finished the work that it was given.

Rule 1: nothing here imports torch, initialises CUDA, or opens a context on a GPU that the work doesn't use:
that would change the idle power that is being measured.
"""

import sys


def synchronize() -> None:
    """Wait until the GPUs in use have finished their work; does nothing where torch or CUDA is not in use.

    The GPUs in use are the current one and each on which torch's allocator holds memory.
    """
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # absent while another thread is importing torch
    if cuda is None or not cuda.is_initialized():
        return
    current = cuda.current_device()
    for index in range(cuda.device_count()):
        if index == current or cuda.memory_reserved(index) > 0:
            cuda.synchronize(index)
