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
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

MOST_CONNECTIONS = 256
MOST_OF_ONE_CLIENT = 64

TOKEN_S = 5.0
"""From its beginning a connection has so long to send a whole request with the token."""

IDLE_S = 60.0
"""From one request to the end of the next."""

_SWEEP_S = 1.0

# Where the process has no descriptor left: try again so much later.
_NO_DESCRIPTOR_S = 0.1

Peer = tuple[object, ...]


@dataclass(slots=True, kw_only=True)
class _Connection:
    """An open connection.

    Attributes:
        client: The address of the other side, without its port.
        task: What sets it up, and then waits for nothing more.
        transport: Once it is set up.
    """

    client: object
    deadline_s: float
    has_token: bool = False
    task: "asyncio.Task[None] | None" = None
    transport: asyncio.BaseTransport | None = None

    def abort(self) -> None:
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

    def close(self) -> None:
        """Accept no more, and close all."""
        for task in self._tasks:
            task.cancel()
        for connection in [*self._open.values()]:
            connection.abort()

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
            self._make_room(peer[0])
            if self._has_room(peer[0]):
                self._open[peer] = connection = _Connection(
                    client=peer[0], deadline_s=self._loop.time() + TOKEN_S
                )
                connection.task = self._start(self._set_up(connection, accepted, peer))
            else:
                accepted.close()

    def _has_room(self, client: object) -> bool:
        of_client = Counter(connection.client for connection in self._open.values())[client]
        return len(self._open) < MOST_CONNECTIONS and of_client < MOST_OF_ONE_CLIENT

    def _make_room(self, client: object) -> None:
        """If *client* could have no other connection, close one without the token: its own if it has one."""
        if self._has_room(client):
            return
        strangers = [(peer, one) for peer, one in self._open.items() if not one.has_token]
        own = [(peer, one) for peer, one in strangers if one.client == client]
        for peer, connection in (own or strangers)[:1]:
            connection.abort()
            self.lose(peer)

    async def _set_up(self, connection: _Connection, accepted: socket.socket, peer: Peer) -> None:
        tls = {} if self._context is None else {"ssl_handshake_timeout": TOKEN_S, "ssl_shutdown_timeout": 1.0}
        try:
            connection.transport, _ = await self._loop.connect_accepted_socket(
                self._make_protocol, accepted, ssl=self._context, **tls
            )
        except (OSError, ssl.SSLError):  # it has gone, or doesn't speak TLS
            accepted.close()
            self.lose(peer)
        except asyncio.CancelledError:
            accepted.close()
            self.lose(peer)
            raise

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            now_s = self._loop.time()
            for peer, connection in [*self._open.items()]:
                if connection.deadline_s < now_s:
                    connection.abort()
                    self.lose(peer)
