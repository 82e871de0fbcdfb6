"""An event loop in a thread of its own, and the way from there to the tasks of other event loops.

Rule 1: what arrives for another loop while its wake-up is under way shares that wake-up, so that thousands of
tokens a second cost it a few wake-ups.
Rule 2: a loop that is closed by the time that something arrives for it has no readers; nothing is said.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class LoopThread:
    """Runs an event loop in a daemon thread, from here until `close`.

    Args:
        name: Of the thread.
    """

    def __init__(self, name: str) -> None:
        self._started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()
        self._loop, self._stop = self._started.result()

    def start(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Let *work* run there; cancelling the future cancels it.

        Raises:
            RuntimeError: The thread has ended.
        """
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Let *work* run there and wait for its result; not to be called from that loop itself."""
        return self.start(work).result()

    def close(self) -> None:
        """Cancel what still runs there and end the thread; may be called twice."""
        with suppress(RuntimeError):  # closed before
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _live(self) -> None:
        with asyncio.Runner() as runner:  # cancels the tasks that are left at its end
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        stop = asyncio.Event()
        self._started.set_result((asyncio.get_running_loop(), stop))
        await stop.wait()


class Mailbox(Generic[Item]):
    """Brings items from any thread to readers on one event loop, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._arrived: deque[tuple[Callable[[Item], None], Item]] = deque()
        self._is_waking = False

    def send(self, reader: Callable[[Item], None], item: Item) -> None:
        """Have *reader* called with *item* on the loop; from any thread."""
        self._arrived.append((reader, item))
        if self._is_waking:
            return
        self._is_waking = True
        try:
            self.loop.call_soon_threadsafe(self._deliver)
        except RuntimeError:  # Rule 2
            self._arrived.clear()

    def _deliver(self) -> None:
        # Before the first item is taken: what is added after the last was taken then wakes the loop again.
        self._is_waking = False
        while self._arrived:
            reader, item = self._arrived.popleft()
            reader(item)
