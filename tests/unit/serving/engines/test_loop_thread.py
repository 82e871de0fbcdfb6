"""An event loop in its own thread, and a mailbox from there to another loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from pytest_energy.serving.engines.loop_thread import LoopThread, Mailbox


async def answer() -> int:
    await asyncio.sleep(0)
    return 42


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


def test_work_runs_there_and_its_result_comes_back() -> None:
    """As often as asked, in one thread."""
    loop = LoopThread("test")
    assert loop.run(answer()) == 42
    assert loop.start(answer()).result() == 42
    loop.close()


def test_closing_cancels_what_runs_and_ends_the_thread() -> None:
    """Also twice; later work is refused."""
    before = set(threading.enumerate())
    loop = LoopThread("test")
    waiting = loop.start(wait_for_ever())
    loop.close()
    loop.close()
    assert waiting.cancelled()
    assert set(threading.enumerate()) == before
    with pytest.raises(RuntimeError, match="closed"):
        loop.run(answer())


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often another thread wakes it."""

    wake_ups = 0

    def call_soon_threadsafe(  # type: ignore[override]  # typed for each number of arguments
        self, callback: Callable[..., object], *args: Any, **context: Any
    ) -> Any:
        self.wake_ups += 1
        return super().call_soon_threadsafe(callback, *args, **context)


def test_items_of_one_moment_share_a_wake_up_and_keep_their_order() -> None:
    """What comes after a delivery wakes the loop again."""
    loop = CountingLoop()
    mailbox: Mailbox[int] = Mailbox(loop)
    received: list[int] = []
    for moment in range(2):
        for item in range(100):
            mailbox.send(received.append, 100 * moment + item)
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop.close()
    assert received == [*range(200)]
    assert loop.wake_ups == 2


def test_a_closed_loop_has_no_readers() -> None:
    """A token that comes after the load has ended is no error."""
    loop = asyncio.new_event_loop()
    loop.close()
    received: list[int] = []
    Mailbox[int](loop).send(received.append, 1)
    assert received == []
