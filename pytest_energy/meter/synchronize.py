"""When a GPU has finished the work that it was given.

Rule 1: nothing here imports torch, initialises CUDA, or opens a context on a GPU that the work doesn't use:
that would change the idle power that is being measured.
"""

import sys
from typing import Any


def synchronize() -> None:
    """Wait until the GPUs in use have finished their work; does nothing where torch or CUDA is not in use."""
    cuda = open_cuda()
    for index in _used(cuda):
        cuda.synchronize(index)


def wait_for_nothing() -> None:
    """In place of `synchronize`, where no work on a GPU belongs to what is measured."""


def gpus_in_use() -> tuple[int, ...]:
    """CUDA's numbers of the GPUs that torch uses in this process.

    They are the current one and each on which torch's allocator holds memory.
    """
    return _used(open_cuda())


def gpu_uuids_in_use() -> tuple[str, ...]:
    """The same GPUs by their UUID, those without one left out."""
    cuda = open_cuda()
    uuids = [getattr(cuda.get_device_properties(index), "uuid", None) for index in _used(cuda)]
    return tuple(str(uuid) for uuid in uuids if uuid is not None)


def open_cuda() -> Any:
    """`torch.cuda` where torch is imported and has opened a device, else `None`."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # absent while another thread is importing torch
    is_initialized = getattr(cuda, "is_initialized", None)
    # What a test has put in its place says nothing, or says something else than yes.
    return cuda if is_initialized is not None and is_initialized() is True else None


def _used(cuda: Any) -> tuple[int, ...]:
    if cuda is None:
        return ()
    current = cuda.current_device()
    return tuple(
        index for index in range(cuda.device_count()) if index == current or cuda.memory_reserved(index) > 0
    )
