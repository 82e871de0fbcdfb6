"""One call of the work under torch.profiler, as plain events."""

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pytest_energy.errors import NotMeasurable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.tracing.call_places import Places
from pytest_energy.tracing.event_tree import WORK, EventTree
from pytest_energy.tracing.events import Event
from pytest_energy.tracing.garbage import without_collections
from pytest_energy.tracing.lazy_torch import torch
from pytest_energy.tracing.quiet_stderr import without_kineto_lines

profiler: Any = LazyModule("torch.autograd.profiler")

MOST_EVENTS = 100_000
"""Of a trace that is read: each takes some 15 us. 13 training steps of EfficientNet-B0 are as many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One call, profiled.

    Attributes:
        events: What the call caused, each behind the one that it ran in.
        main_thread: Number of the thread that made the call.
        has_device: Whether a device was looked at.
        has_places: Whether the events know where the user's code was.
        call_s: Seconds of the call itself.
        next_sequence: Number of the next node of a backward pass, once the call is over.
    """

    events: Sequence[Event]
    main_thread: int
    has_device: bool
    has_places: bool
    call_s: float
    next_sequence: int


def is_busy() -> bool:
    """Whether another profiler is running: only one can."""
    return bool(torch._C._autograd._profiler_enabled())  # noqa: SLF001 - no public way to ask


def has_device() -> bool:
    """Whether there is a device that this process uses."""
    return torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


def profiled(work: Callable[[], object], *, places: Places | None) -> Profile:
    """*work*, called once; what it raises passes, with the profile ended.

    *places* ask for the place of each call, which costs an event for every call of Python.
    """
    with_device = has_device()
    profile = profiler.profile(
        use_device="cuda" if with_device else None,
        record_shapes=True,
        with_stack=places is not None,
        experimental_config=None if with_device else _of_all_threads(),
        use_kineto=True,
    )
    if with_device:
        torch.cuda.synchronize()  # what was begun before is none of the call's
    with _quiet():
        profile.__enter__()
    try:
        with profiler.record_function(WORK):
            start_s = time.perf_counter()
            work()
            call_s = time.perf_counter() - start_s
        if with_device:
            torch.cuda.synchronize()
    finally:
        with _quiet():
            profile.__exit__(None, None, None)
    results = profile.kineto_results
    flat = results.events()
    if len(flat) > MOST_EVENTS:
        raise NotMeasurable(
            f"a call of the work has {len(flat):,} events, and at most {MOST_EVENTS:,} are counted: "
            "give a smaller piece of it as `traced`"
        )
    with without_collections():
        tree = EventTree(flat, results.experimental_event_tree(), places=places, has_device=with_device)
    return Profile(
        events=tree.events,
        main_thread=tree.main_thread,
        has_device=with_device,
        has_places=places is not None,
        call_s=call_s,
        next_sequence=_next_sequence(),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the profiler warns of: the suite may make errors of warnings."""
    with without_kineto_lines(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _of_all_threads() -> object:
    """Asks for what threads of the work call too, where this version of torch can; else `None`.

    Not asked beside a device: there the backward pass is another thread's, and is seen without it.
    """
    try:
        return torch._C._profiler._ExperimentalConfig(profile_all_threads=True)  # noqa: SLF001 - torch's own way
    except TypeError:
        return None


def _next_sequence() -> int:
    """Takes a number itself, which is none of the work's."""
    with torch.enable_grad(), torch.inference_mode(mode=False):
        node = torch.zeros((), requires_grad=True).view(1).grad_fn
    return -1 if node is None else int(node._sequence_nr())  # noqa: SLF001 - documented, though
