"""What the engine uses of vLLM: a few modules, its arguments, its statistics, and how it starts processes."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.serving.steps import Step, laid_back

MOST_STEPS = 1_000_000
"""Kept until somebody takes them: 16 minutes of steps of 1 ms, in 100 MB."""

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
        most_tokens: Tokens that a step computes at most; `None` until vLLM has its configuration.
        drafts: Drafts of speculative decoding, then the tokens in them, then those that were accepted.
    """

    def __init__(self) -> None:
        self.queried_tokens = 0
        self.hit_tokens = 0
        self.most_tokens: int | None = None
        self.drafts = (0, 0, 0)
        self._waiting: dict[int, int] = {}  # by vLLM's number of the scheduler
        self._steps: dict[int, deque[Step]] = {}  # the same

    def of(self, config: Any, *_: object) -> "StepCounts":
        """This, for the engine that vLLM makes of *config* (its `StatLoggerFactory`)."""
        self.most_tokens = int(config.scheduler_config.max_num_batched_tokens)
        return self

    @property
    def waiting(self) -> int:
        """Requests that no step has begun with."""
        return sum(self._waiting.values())

    def record(
        self,
        scheduler_stats: Any,
        iteration_stats: Any = None,
        *_: object,
        engine_idx: int = 0,
        **__: object,
    ) -> None:
        """Add one step. One that ends no prompt and writes no token has no *iteration_stats*."""
        if scheduler_stats is None:
            return
        self.queried_tokens += scheduler_stats.prefix_cache_stats.queries
        self.hit_tokens += scheduler_stats.prefix_cache_stats.hits
        if (drafted := getattr(scheduler_stats, "spec_decoding_stats", None)) is not None:
            fresh = drafted.num_drafts, drafted.num_draft_tokens, drafted.num_accepted_tokens
            count, tokens, accepted = map(sum, zip(self.drafts, fresh, strict=True))
            self.drafts = count, tokens, accepted
        waiting = scheduler_stats.num_waiting_reqs + scheduler_stats.num_skipped_waiting_reqs
        self._waiting[engine_idx] = waiting
        steps = self._steps.setdefault(engine_idx, deque(maxlen=MOST_STEPS))
        steps.append(_step(scheduler_stats, iteration_stats))

    def take_steps(self) -> tuple[Step, ...]:
        """The steps since this was last called; to be called on vLLM's loop.

        vLLM counts once more when nothing is left to compute, which is no step.
        """
        laid = [laid_back(steps, self.most_tokens) for steps in self._steps.values()]
        self._steps.clear()
        steps = [step for step in chain.from_iterable(laid) if step.prompt_tokens or step.output_tokens]
        return tuple(sorted(steps, key=attrgetter("time_s")))

    def log_engine_initialized(self) -> None:
        """Nothing to do."""

    def log(self) -> None:
        """Nothing to do."""

    def record_sleep_state(self, *_: object) -> None:
        """Nothing to do."""


def _step(scheduler_stats: Any, iteration_stats: Any) -> Step:
    """The step that ended just now, its prompt tokens where vLLM counts them: in the last step of a prompt.

    Source:
        vLLM 0.24 and 0.32, `v1/metrics/stats.py`: `IterationStats.update_from_output`, `PromptTokenStats`.
    """
    has_tokens = iteration_stats is not None
    return Step(
        time_s=MACHINE_TIME.now_s(),
        prompt_tokens=iteration_stats.prompt_token_stats.computed if has_tokens else 0,
        output_tokens=iteration_stats.num_generation_tokens if has_tokens else 0,
        first_tokens=len(iteration_stats.time_to_first_tokens_iter) if has_tokens else 0,
        running=scheduler_stats.num_running_reqs,
    )


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
