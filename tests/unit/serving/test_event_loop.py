"""The event loop that wakes on time, and the heap that a collection leaves alone."""

import asyncio
import gc
import selectors
import socket
from contextlib import closing

import pytest

from pytest_energy.serving import event_loop
from pytest_energy.serving.event_loop import frozen_heap, on_time_loop


def test_a_loop_runs_what_it_is_given() -> None:
    """Timers and results as in any event loop."""

    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    with asyncio.Runner(loop_factory=on_time_loop) as runner:
        assert runner.run(work()) == "done"


@pytest.mark.skipif(not hasattr(selectors, "EpollSelector"), reason="epoll is Linux")
@pytest.mark.parametrize("limit", [0, 1024])
def test_a_file_that_is_ready_ends_the_wait(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """Also where select(2) can't be used, as with a thousand files open."""
    monkeypatch.setattr(event_loop, "SELECT_LIMIT", limit)
    near, far = socket.socketpair()
    with closing(near), closing(far), closing(event_loop._exact_selector()) as selector:
        selector.register(near, selectors.EVENT_READ)
        far.send(b"x")
        assert [key.fileobj for key, _ in selector.select(1000.0)] == [near]
        assert near.recv(1) == b"x"
        assert selector.select(0) == []


@pytest.mark.skipif(not hasattr(selectors, "EpollSelector"), reason="epoll is Linux")
def test_a_wait_shorter_than_a_millisecond_ends() -> None:
    """Nothing is ready, and no file is made up."""
    with closing(event_loop._exact_selector()) as selector:
        assert selector.select(1e-6) == []


def test_without_epoll_the_systems_own_loop_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other systems wait finely by themselves."""
    monkeypatch.delattr(selectors, "EpollSelector", raising=False)
    with closing(on_time_loop()) as loop:
        assert isinstance(loop, asyncio.AbstractEventLoop)


def test_the_heap_is_frozen_inside_only() -> None:
    """A collection inside looks at new objects only; after it everything is as before."""
    before = gc.get_freeze_count()
    with frozen_heap():
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() == before


def test_what_others_have_frozen_stays_frozen() -> None:
    """An engine that freezes its own heap finds it frozen."""
    gc.freeze()
    try:
        with frozen_heap():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
