"""What the server may run on, and what differs by it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.llm.cores import apart, bound, left_free_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A kind of machine that vLLM runs on.

    Attributes:
        name: As `--device` names it.
        flags: Of the server.
        environment: Variables of the server.
        start_s: Longest wait for the server.
        core_count: Physical cores to keep the server's processes on, or `None` where it binds its threads.
        has_gpu: Its figures depend on a GPU and its driver.
    """

    name: str
    flags: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    start_s: float
    core_count: int | None = None
    has_gpu: bool = False

    def kept_apart(self, server_pids: Sequence[int]) -> AbstractContextManager[None]:
        """Keep this process, whose children the clients are, off the cores that the server works on."""
        if self.core_count is None:
            return bound([os.getpid()], left_free_by(server_pids))
        return apart(server_pids, self.core_count)

    def facts(self) -> dict[str, str]:
        """What figures depend on, besides the processor."""
        if not self.has_gpu:
            return {}
        import pynvml

        return gpu_facts(pynvml)


CPU = Device(
    name="cpu",
    flags=("--dtype", "float32", "--enforce-eager", "--max-num-seqs", "16"),
    environment={
        "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
        "VLLM_CPU_NUM_OF_RESERVED_CPU": "1",  # a core for the client, that the model's threads don't wait for
    },
    start_s=300.0,  # 20 s on two free cores
)
CUDA = Device(
    name="cuda",
    flags=("--dtype", "bfloat16", "--quantization", "fp8", "--max-num-seqs", "256"),
    start_s=600.0,  # what compiles and captures graphs takes minutes where nothing is cached
    has_gpu=True,
    core_count=4,  # for its two processes and their helping threads; two would make them wait
)
DEVICES: Mapping[str, Device] = {device.name: device for device in (CPU, CUDA)}


def gpu_facts(nvml: Any) -> dict[str, str]:
    """Name and driver of the GPUs; empty where *nvml*, the module `pynvml`, doesn't tell.

    Of several models all are named: NVML counts them in another order than CUDA may.
    """
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return {}
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        names = sorted({str(nvml.nvmlDeviceGetName(handle)) for handle in handles})
        return {"GPU": ", ".join(names), "driver": str(nvml.nvmlSystemGetDriverVersion())} if names else {}
    except nvml.NVMLError:
        return {}
    finally:
        nvml.nvmlShutdown()
