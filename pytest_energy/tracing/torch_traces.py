"""Traces of one work by torch.profiler: one that counts, and one with places too, if that is cheap."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_energy.counts import CountEntry, Kind
from pytest_energy.tracing.call_places import Places
from pytest_energy.tracing.garbage import without_collections
from pytest_energy.tracing.graph_counts import graph_counters, graph_entries
from pytest_energy.tracing.schemas import argument_names, is_view
from pytest_energy.tracing.torch_events import TraceReading
from pytest_energy.tracing.torch_profile import Profile, has_device, profiled


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchTrace:
    """One call, counted.

    Attributes:
        has_device: Whether a device did anything.
        call_s: Of the call itself, under the profiler.
        cost_s: Of all around it.
    """

    entries: Sequence[CountEntry]
    has_device: bool
    call_s: float
    cost_s: float

    @property
    def has_used_torch(self) -> bool:
        return any(entry.kind is not Kind.GRAPH for entry in self.entries)


def torch_trace(work: Callable[[], object], *, places: Places | None) -> TorchTrace:
    """*work*, called once under the profiler; with *places* also where its code makes each call."""
    start_s = time.perf_counter()
    before = graph_counters()
    profile = profiled(work, places=places)
    graphs = graph_entries(before, graph_counters())
    with without_collections():
        reading = _reading(profile)
        entries = reading.entries()
    return TorchTrace(
        entries=[*entries, *graphs],
        has_device=reading.has_device,
        call_s=profile.call_s,
        cost_s=time.perf_counter() - start_s - profile.call_s,
    )


def _reading(profile: Profile) -> TraceReading:
    return TraceReading(
        profile.events,
        has_device=profile.has_device,
        next_sequence=profile.next_sequence,
        main_thread=profile.main_thread,
        is_view=is_view,
        argument_names=argument_names,
    )


def warm_up() -> None:
    """Profile nothing, once in a process and once with its device: what that loads is no cost of a work's."""
    _warm_up(has_device=has_device())


@cache
def _warm_up(*, has_device: bool) -> None:  # noqa: ARG001 - once for each
    torch_trace(lambda: None, places=Places(Path()))


def is_torch_loaded() -> bool:
    """Whether torch has come whole: a name in `sys.modules` may be a test's stand-in."""
    return hasattr(sys.modules.get("torch"), "autograd") and hasattr(sys.modules.get("torch"), "_C")
