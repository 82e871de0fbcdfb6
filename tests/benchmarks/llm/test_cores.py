"""Cores of an engine's own: which there are, who gets them, and that nobody keeps them."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from benchmarks.llm.cores import apart, bound, halves, left_free_by, physical_cores

needs_affinity = pytest.mark.skipif(sys.platform != "linux", reason="only Linux binds threads to cores")


def processors(folder: Path, **siblings: str) -> Path:
    for name, text in siblings.items():
        topology = folder / name / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{text}\n")
    return folder


def sets(cores: Iterable[frozenset[int]]) -> list[set[int]]:
    return [set(core) for core in cores]


@pytest.fixture
def other_thread() -> Iterator[int]:
    """The number of a second thread of this process, which waits."""
    ended, began, tids = threading.Event(), threading.Event(), []

    def wait() -> None:
        tids.append(threading.get_native_id())
        began.set()
        ended.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    began.wait()
    yield tids[0]
    ended.set()
    thread.join()


@pytest.mark.parametrize("siblings", [("0,2", "1,3"), ("0-0,2", "1,3-3")])
def test_threads_of_one_core_stay_together(tmp_path: Path, siblings: tuple[str, str]) -> None:
    """Both of the kernel's ways to write a list of numbers are read."""
    even, odd = siblings
    folder = processors(tmp_path, cpu0=even, cpu2=even, cpu1=odd, cpu3=odd)
    assert sets(physical_cores({0, 1, 2, 3}, folder)) == [{0, 2}, {1, 3}]


def test_only_usable_threads_are_given_out(tmp_path: Path) -> None:
    """A container may have half a core; what the kernel doesn't tell of is a core by itself."""
    folder = processors(tmp_path, cpu1="0-1")
    assert sets(physical_cores({1, 5}, folder)) == [{1}, {5}]


def test_an_engine_gets_its_cores_and_clients_the_others() -> None:
    """Where one of the two would have none, nobody is bound."""
    cores = (frozenset({0, 4}), frozenset({1, 5}), frozenset({2, 6}))
    assert sets(halves(cores, 1) or ()) == [{2, 6}, {0, 1, 4, 5}]
    assert halves(cores, 3) is None
    assert halves(cores, 4) is None
    assert halves(cores, 0) is None


@needs_affinity
def test_all_threads_are_bound_and_set_free_again(other_thread: int) -> None:
    """A library's threads follow; afterwards each may run where it could before."""
    before = os.sched_getaffinity(other_thread)
    core = frozenset({max(before)})
    with bound([os.getpid()], core):
        assert os.sched_getaffinity(0) == core
        assert os.sched_getaffinity(other_thread) == core
    assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(other_thread) == before


@needs_affinity
def test_where_no_core_is_left_nobody_is_bound() -> None:
    """A server may have bound its threads to all of them."""
    before = os.sched_getaffinity(0)
    with bound([os.getpid()], frozenset()):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before


@needs_affinity
def test_a_process_that_is_gone_is_passed_over() -> None:
    """An engine may have ended before its cores are given back."""
    gone = int(Path("/proc/sys/kernel/pid_max").read_text()) + 1
    with bound([gone], frozenset({0})):
        assert left_free_by([gone]) == os.sched_getaffinity(0)


@needs_affinity
def test_cores_that_threads_are_bound_to_are_not_free(other_thread: int) -> None:
    """A thread that may run anywhere takes no core; one that is bound to a single one takes that."""
    usable = os.sched_getaffinity(0)
    if len(usable) < 2:
        pytest.skip("one core: what is bound to it leaves none")
    assert left_free_by([os.getpid()]) == usable
    os.sched_setaffinity(other_thread, {min(usable)})
    assert left_free_by([os.getpid()]) == usable - {min(usable)}


@needs_affinity
def test_an_engine_of_another_process_is_kept_apart() -> None:
    """It has its cores, this process the others, and with no cores asked for nobody is bound."""
    usable = frozenset(os.sched_getaffinity(0))
    parts = halves(physical_cores(usable), 1)
    if parts is None:
        pytest.skip("one core: there is none for the clients")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as engine:
        with apart([engine.pid], 1):
            assert os.sched_getaffinity(engine.pid) == parts[0]
            assert os.sched_getaffinity(0) == parts[1]
        with apart([engine.pid], 0):
            assert os.sched_getaffinity(engine.pid) == os.sched_getaffinity(0) == usable
        engine.communicate(b"\n")


@needs_affinity
def test_an_engine_in_this_process_shares_its_cores() -> None:
    """It has no processes of its own that could be kept apart."""
    before = os.sched_getaffinity(0)
    with apart((), 1):
        assert os.sched_getaffinity(0) == before
