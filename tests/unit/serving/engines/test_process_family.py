"""Processes that were started: known, and ended with all that they started themselves."""

import multiprocessing
import subprocess
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

import psutil
import pytest

from pytest_energy.serving.engines.process_family import ProcessFamily


@pytest.fixture
def child() -> Iterator[BaseProcess]:
    """A process that waits for a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=subprocess.run, args=(["sleep", "600"],))
    process.start()
    while not psutil.Process(process.pid).children():  # it takes its time to start
        time.sleep(0.01)
    yield process
    process.kill()
    process.join()


def test_a_family_ends_as_a_whole(child: BaseProcess) -> None:
    """Child and grandchild are killed where they don't end by themselves, and leave no entry behind."""
    assert child.pid is not None
    (grandchild,) = psutil.Process(child.pid).children()
    family = ProcessFamily.of([child])
    assert family.pids == tuple(sorted((child.pid, grandchild.pid)))
    family.end(patience_s=0)
    assert not child.is_alive()
    assert not psutil.pid_exists(child.pid)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_is_gone_is_no_surprise(child: BaseProcess) -> None:
    """It has no descendants any more."""
    (grandchild,) = psutil.Process(child.pid).children()
    child.kill()
    child.join()
    grandchild.kill()
    family = ProcessFamily.of([child])
    family.end(patience_s=0)
    assert family.pids == (child.pid,)


def test_no_family_ends_at_once() -> None:
    """As of an engine that never started."""
    family = ProcessFamily()
    family.end(patience_s=0)
    assert family.pids == ()
