"""What the engine uses of vLLM: a few names, its statistics, and how it starts processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from pytest_energy.errors import SettingsError

START_METHOD = "VLLM_WORKER_MULTIPROC_METHOD"


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmLibrary:
    """Names of vLLM, at the paths that 0.24 and 0.32 share."""

    version: str
    async_llm: Any
    engine_args: Any
    sampling_params: Any
    delta: Any
    dead_error: Any

    @classmethod
    def imported(cls) -> Self:
        """Import vLLM, which takes some seconds.

        Raises:
            SettingsError: It isn't installed, or does not work here.
        """
        try:
            import vllm
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.sampling_params import RequestOutputKind, SamplingParams
            from vllm.v1.engine.async_llm import AsyncLLM
            from vllm.v1.engine.exceptions import EngineDeadError
        except (ImportError, OSError) as error:  # OSError: a library of another CUDA than torch's
            need = "install it with pip install 'pytest-energy[vllm]'"
            raise SettingsError(f"engine vllm: vLLM can't be imported ({error}); {need}") from error
        return cls(
            version=vllm.__version__,
            async_llm=AsyncLLM,
            engine_args=AsyncEngineArgs,
            sampling_params=SamplingParams,
            delta=RequestOutputKind.DELTA,
            dead_error=EngineDeadError,
        )


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
