"""The connections of an agent: accepted, counted, and closed if they take too long.

Rule 1: there are never more than so many, those that are still in TLS's handshake among them: a client that
        opens many, or sends nothing, takes no descriptors from others.
Rule 2: where there are too many, one that never showed the token makes room, the oldest first. One that did
        is never closed for another.
Rule 3: a connection has seconds to show the token, and a minute from each request to the next.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

MOST_CONNECTIONS = 256
MOST_OF_ONE_CLIENT = 64

TOKEN_S = 5.0
"""From its beginning a connection has so long to send a whole request with the token."""

IDLE_S = 60.0
"""From one request to the end of the next."""

_SWEEP_S = 1.0

# Where the process has no descriptor left: try again so much later.
_NO_DESCRIPTOR_S = 0.1

# What the kernel keeps for a client that doesn't read; Linux takes twice as much, and up to 4 MB by itself.
_SEND_BYTES = 2**17

# Closed with this, a connection ends at once, and what wasn't read is dropped: socket(7).
_AT_ONCE = struct.pack("ii", 1, 0)

Peer = tuple[object, ...]


@dataclass(slots=True, kw_only=True)
class _Connection:
    """An open connection.

    Attributes:
        client: The address of the other side, without its port.
        task: What sets it up.
        transport: Once it is set up.
    """

    client: object
    accepted: socket.socket
    deadline_s: float
    has_token: bool = False
    task: "asyncio.Task[None] | None" = None
    transport: asyncio.BaseTransport | None = None

    def abort(self) -> None:
        with suppress(OSError):
            self.accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
        elif self.task is not None:
            self.task.cancel()


class Connections:
    """Accepts connections on listening sockets, and keeps to the rules above.

    Args:
        make_protocol: Makes what speaks on one connection.
        context: For TLS, or `None`.
    """

    def __init__(
        self, make_protocol: Callable[[], asyncio.BaseProtocol], context: ssl.SSLContext | None = None
    ) -> None:
        self._make_protocol, self._context = make_protocol, context
        self._loop = asyncio.get_running_loop()
        self._open: dict[Peer, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def listen(self, listener: socket.socket) -> None:
        """Accept on *listener* from now on."""
        listener.settimeout(0)
        self._start(self._accept(listener))
        self._start(self._sweep())

    async def close(self) -> None:
        """Accept no more, and close all."""
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        for connection in [*self._open.values()]:
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # each transport has its turn to let go of its socket

    def show_token(self, peer: Peer) -> None:
        """Know that a request with the token has come from *peer*."""
        connection = self._open.get(peer)
        if connection is not None:
            connection.has_token = True
            connection.deadline_s = self._loop.time() + IDLE_S

    def lose(self, peer: Peer) -> None:
        """Know that the connection with *peer* has ended."""
        self._open.pop(peer, None)

    def _start(self, coroutine: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, peer = await self._loop.sock_accept(listener)
            except OSError:
                await asyncio.sleep(_NO_DESCRIPTOR_S)
                continue
            if self._make_room(peer[0]):
                self._serve(accepted, peer)
            else:
                accepted.close()

    def _serve(self, accepted: socket.socket, peer: Peer) -> None:
        with suppress(OSError):
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
        self._open[peer] = connection = _Connection(
            client=peer[0], accepted=accepted, deadline_s=self._loop.time() + TOKEN_S
        )
        connection.task = self._start(self._set_up(connection))
        connection.task.add_done_callback(partial(self._forget_failed, peer, connection))

    def _make_room(self, client: object) -> bool:
        """Whether *client* can have one connection more; one without the token may be closed for it."""
        own = [(peer, one) for peer, one in self._open.items() if one.client == client]
        if len(own) < MOST_OF_ONE_CLIENT and len(self._open) < MOST_CONNECTIONS:
            return True
        everyone = own if len(own) >= MOST_OF_ONE_CLIENT else [*own, *self._open.items()]
        stranger = next(((peer, one) for peer, one in everyone if not one.has_token), None)
        if stranger is not None:
            peer, connection = stranger
            connection.abort()
            self.lose(peer)
        return stranger is not None

    async def _set_up(self, connection: _Connection) -> None:
        limits: dict[str, float] = {}
        if self._context is not None:
            limits = {"ssl_handshake_timeout": TOKEN_S, "ssl_shutdown_timeout": 1.0}
        with suppress(OSError):  # it has gone, or doesn't speak TLS
            connection.transport, _ = await self._loop.connect_accepted_socket(
                self._make_protocol, connection.accepted, ssl=self._context, **limits
            )

    def _forget_failed(self, peer: Peer, connection: _Connection, _: object) -> None:
        """Let go of a connection that came to nothing, perhaps before anything was done for it."""
        if connection.transport is None:
            connection.accepted.close()
            self.lose(peer)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s = self._loop.time()
            for peer, connection in [*self._open.items()]:
                if connection.deadline_s < now_s:
                    connection.abort()
                    self.lose(peer)
