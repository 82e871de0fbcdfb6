"""Cores of an engine's own, so that what sends its requests takes no time from it.

Rule 1: an engine gets whole physical cores: two hardware threads of one core slow each other down.
Rule 2: all threads of a process are bound; those that they start later inherit it, and so do its children.
Rule 3: what was bound is set free again, if it still runs.
"""

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

Cores = frozenset[int]
"""Numbers of hardware threads, as the kernel counts them."""

PROCESSES = Path("/proc")
PROCESSORS = Path("/sys/devices/system/cpu")


def physical_cores(usable: Collection[int], processors: Path = PROCESSORS) -> tuple[Cores, ...]:
    """The *usable* hardware threads, those of one physical core together, in ascending order.

    A thread whose core the kernel doesn't tell is a core by itself.
    """
    cores = {
        frozenset(_numbers(processors / f"cpu{number}/topology/thread_siblings_list") or [number])
        & frozenset(usable)
        for number in usable
    }
    return tuple(sorted(cores, key=min))


def _numbers(path: Path) -> list[int]:
    """A list of the kernel's such as `0,8` or `0-1`; empty where there is none."""
    try:
        spans = [span.partition("-") for span in path.read_text().split(",")]
    except OSError:
        return []
    return [number for first, _, last in spans for number in range(int(first), int(last or first) + 1)]


def halves(cores: Sequence[Cores], engine_cores: int) -> tuple[Cores, Cores] | None:
    """*engine_cores* physical cores for an engine and the others for its clients, or `None` with too few."""
    client_cores = max(0, len(cores) - engine_cores)
    engine, clients = cores[client_cores:], cores[:client_cores]
    return (frozenset().union(*engine), frozenset().union(*clients)) if engine and clients else None


def left_free_by(pids: Iterable[int]) -> Cores:
    """What this process may use and no thread of *pids* that is bound to a single one does."""
    taken = [cores for cores in _bindings(pids).values() if len(cores) == 1]
    return frozenset(os.sched_getaffinity(0)).difference(*taken)


@contextmanager
def apart(pids: Collection[int], core_count: int) -> Iterator[None]:
    """Keep *pids* on *core_count* physical cores and this process on the others.

    Nobody is bound where there are too few cores or no *pids*, or the system doesn't bind threads.
    """
    parts = None
    if pids and sys.platform == "linux":
        parts = halves(physical_cores(os.sched_getaffinity(0)), core_count)
    if parts is None:
        yield
        return
    with bound(pids, parts[0]), bound([os.getpid()], parts[1]):
        yield


@contextmanager
def bound(pids: Collection[int], cores: Cores) -> Iterator[None]:
    """Keep all threads of *pids* on *cores* while the block runs; where they are, if there are no *cores*."""
    before = _bindings(pids) if cores else {}
    try:
        for tid in before:
            _bind(tid, cores)
        yield
    finally:
        for pid in before.keys() & set(pids):
            for tid in _bindings([pid]):
                _bind(tid, before.get(tid, before[pid]))


def _bindings(pids: Iterable[int]) -> dict[int, Collection[int]]:
    """The cores of each thread of *pids*; what has ended is left out."""
    found: dict[int, Collection[int]] = {}
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in (PROCESSES / str(pid) / "task").iterdir():
                with suppress(ProcessLookupError):
                    found[int(thread.name)] = os.sched_getaffinity(int(thread.name))
    return found


def _bind(tid: int, cores: Collection[int]) -> None:
    with suppress(ProcessLookupError):
        os.sched_setaffinity(tid, cores)
