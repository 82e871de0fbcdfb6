"""What the engine uses of vLLM: a few modules, its arguments, its statistics, and how it starts processes."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
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


def check_model(model: str) -> None:
    """Refuse a folder without a configuration; what looks like no folder may be a name on a hub."""
    folder = Path(model)
    is_meant_as_folder = folder.is_absolute() or model.startswith((".", "~")) or folder.is_dir()
    if is_meant_as_folder and not (folder / "config.json").is_file():
        because = "holds no config.json" if folder.is_dir() else "is not a folder"
        need = "give a folder with a config.json, or a name on a hub"
        raise SettingsError(f"engine vllm: model {model!r} {because}; {need}")


def check_ranges(*, gpu_memory_share: float | None, **counts: int | None) -> None:
    """Refuse a share or a count that means nothing, before vLLM is imported; `None` is left to vLLM."""
    for argument, count in counts.items():
        if count is not None and count < 1:
            raise SettingsError(f"{argument} is {count}; it must be at least 1")
    if gpu_memory_share is not None and not 0 < gpu_memory_share <= 1:
        raise SettingsError(f"gpu_memory_share is {gpu_memory_share}; it must be above 0 and at most 1")


def merged_arguments(own: Mapping[str, object], extra: Mapping[str, object]) -> dict[str, object]:
    """The arguments of vLLM's `AsyncEngineArgs`: *own*, without those that are `None`, and *extra*.

    Raises:
        SettingsError: A name in *extra* is one of *own*, or none of vLLM's.
    """
    given = {name: value for name, value in own.items() if value is not None}
    if both := sorted(extra.keys() & given.keys()):
        raise SettingsError(f"extra holds {', '.join(both)}, which VllmEngine sets itself; remove it")
    if unknown := sorted(extra.keys() - {field.name for field in fields(arg_utils.AsyncEngineArgs)}):
        raise SettingsError(
            f"extra holds {', '.join(unknown)}, which vLLM {vllm.__version__} does not know; "
            "see AsyncEngineArgs"
        )
    return {**given, **extra}


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
