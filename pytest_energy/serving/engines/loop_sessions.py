"""One HTTP client session for each event loop, closed with its loop.

Every load runs in an event loop of its own, and a session can't leave its loop. A session is held by an
asynchronous generator: a loop that ends by the rules (`asyncio.run`, `asyncio.Runner`) closes its generators
first, and with this one the session and its connections.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import aiohttp


class LoopSessions:
    """Sessions, made when a loop first asks for one.

    Args:
        make: Makes a session for the running loop.
    """

    def __init__(self, make: "Callable[[], aiohttp.ClientSession]") -> None:
        self._make = make
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}
        self._keepers: dict[asyncio.AbstractEventLoop, AsyncGenerator[None, None]] = {}

    async def current(self) -> "aiohttp.ClientSession":
        """The session of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._sessions:
            self._sessions[loop] = self._make()
            self._keepers[loop] = self._keep(loop)
            await anext(self._keepers[loop])
        return self._sessions[loop]

    def close(self) -> None:
        """Close what is still open. A loop that runs at the moment closes its session in its next step."""
        for loop, keeper in list(self._keepers.items()):
            if loop.is_running():
                asyncio.run_coroutine_threadsafe(_closed(keeper), loop)
            elif not loop.is_closed():
                loop.run_until_complete(_closed(keeper))

    async def _keep(self, loop: asyncio.AbstractEventLoop) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            del self._keepers[loop]
            await self._sessions.pop(loop).close()


async def _closed(keeper: AsyncGenerator[None, None]) -> None:
    await keeper.aclose()
