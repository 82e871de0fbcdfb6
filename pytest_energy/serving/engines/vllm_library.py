"""What the engine uses of vLLM: a few modules, its statistics, and how it starts processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule

START_METHOD = "VLLM_WORKER_MULTIPROC_METHOD"


# At the paths that 0.24 and 0.32 share.
vllm: Any = LazyModule("vllm")
arg_utils: Any = LazyModule("vllm.engine.arg_utils")
async_llm: Any = LazyModule("vllm.v1.engine.async_llm")
exceptions: Any = LazyModule("vllm.v1.engine.exceptions")
sampling_params: Any = LazyModule("vllm.sampling_params")


def require_vllm() -> None:
    """Import vLLM, which takes some seconds.

    Raises:
        SettingsError: It isn't installed, or does not work here.
    """
    try:
        _ = arg_utils.AsyncEngineArgs, async_llm.AsyncLLM, exceptions.EngineDeadError
        _ = sampling_params.RequestOutputKind, sampling_params.SamplingParams
    except (AttributeError, ImportError, OSError) as error:  # OSError: a library of another CUDA than torch's
        need = "install it with pip install 'pytest-energy[vllm]'"
        raise SettingsError(f"engine vllm: vLLM can't be imported ({error}); {need}") from error


class StepCounts:
    """Takes vLLM's statistics once a step, on the loop that vLLM runs on (its `StatLoggerBase`).

    Attributes:
        queried_tokens: Prompt tokens looked up in the prefix cache.
        hit_tokens: Those found there.
    """

    def __init__(self) -> None:
        self.queried_tokens = 0
        self.hit_tokens = 0
        self._waiting: dict[int, int] = {}  # by vLLM's number of the scheduler

    @property
    def waiting(self) -> int:
        """Requests that no step has begun with."""
        return sum(self._waiting.values())

    def record(self, scheduler_stats: Any, *_: object, engine_idx: int = 0, **__: object) -> None:
        """Add one step."""
        if scheduler_stats is None:
            return
        self.queried_tokens += scheduler_stats.prefix_cache_stats.queries
        self.hit_tokens += scheduler_stats.prefix_cache_stats.hits
        waiting = scheduler_stats.num_waiting_reqs + scheduler_stats.num_skipped_waiting_reqs
        self._waiting[engine_idx] = waiting

    def log_engine_initialized(self) -> None:
        """Nothing to do."""

    def log(self) -> None:
        """Nothing to do."""

    def record_sleep_state(self, *_: object) -> None:
        """Nothing to do."""


@contextmanager
def spawned_processes() -> Iterator[None]:
    """Have vLLM spawn its processes meanwhile, unless the user chose otherwise."""
    if START_METHOD in os.environ:
        yield
        return
    os.environ[START_METHOD] = "spawn"
    try:
        yield
    finally:
        os.environ.pop(START_METHOD, None)
