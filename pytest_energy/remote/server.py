"""The agent over HTTP.

Rule 1: without the token nothing is read: the answer is 401, empty, whatever was asked, and before any of
        the request's content is looked at.
Rule 2: nothing that a client sends ends the server: what can't be understood is 400, what fails here is 500.
Rule 3: an answer that isn't 200 says nothing but its status.
"""

import asyncio
import hmac
import ipaddress
import logging
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_energy.errors import FormatError, SettingsError, described
from pytest_energy.lazy_module import LazyModule
from pytest_energy.masking import Secret
from pytest_energy.remote import metrics, wire
from pytest_energy.remote.agent import Agent
from pytest_energy.remote.connections import Connections, Peer
from pytest_energy.remote.private_file import check_private

if TYPE_CHECKING:
    from aiohttp import StreamReader, web
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.web_protocol import RequestHandler
else:
    web = LazyModule("aiohttp.web")

JSON_TYPE = "application/json"

_BACKLOG = 128

# A poll that asks for the state of devices waits for them, and the next one need not.
_THREADS = 2

# Of the first line and of one header; a request of ours has a few hundred bytes.
_MOST_LINE, _MOST_HEADERS = 2048, 32

# How long a client may go on sending what isn't read any more, so that it sees the answer.
_LINGER_S = 1.0

# What goes wrong in a request is told so often at most: a client can't fill a disk.
_TELL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an agent listens.

    Attributes:
        token: Without it no request is answered; `None` on a loopback address only.
        certificate: File of the certificate and its chain; `None` for plain HTTP.
        key: File of the certificate's key.
    """

    host: str
    port: int
    token: Secret | None = field(default=None, repr=False)
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        return "http" if self.certificate is None else "https"

    def url(self, listener: socket.socket) -> str:
        """Of *listener*, which listens there."""
        host, port = listener.getsockname()[:2]
        return f"{self.scheme}://[{host}]:{port}" if ":" in host else f"{self.scheme}://{host}:{port}"

    def context(self) -> ssl.SSLContext | None:
        """For TLS; `None` for plain HTTP.

        Raises:
            SettingsError: The certificate or its key can't be used.
        """
        if self.certificate is None:
            return None
        if self.key is not None:
            check_private(self.key, "the key file")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"the certificate {self.certificate} can't be used: {described(error)}"
            ) from error
        return context

    def listener(self) -> socket.socket:
        """A socket that listens there.

        Raises:
            SettingsError: It can't; or the address isn't loopback and there is no token.
        """
        try:
            family, _, _, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except OSError as error:
            raise SettingsError(f"--bind: {self.host} is no address here: {error.strerror}") from error
        if self.token is None and not ipaddress.ip_address(address[0]).is_loopback:
            raise SettingsError(
                f"--bind: {self.host} can be reached from other machines, so a token is needed: "
                "pytest-energy agent --new-token FILE, then --token-file FILE"
            )
        try:
            is_both = self.host == "::" and socket.has_dualstack_ipv6()
            return socket.create_server(address, family=family, backlog=_BACKLOG, dualstack_ipv6=is_both)
        except OSError as error:
            raise SettingsError(f"--bind: {self.host}:{self.port}: {error.strerror or error}") from error


def check_installed() -> None:
    """Refuse before the sensors are opened.

    Raises:
        SettingsError: The agent's libraries are not installed.
    """
    try:
        _ = web.Server
    except ImportError as error:
        raise SettingsError(
            "the agent is served by aiohttp, which is not installed: pip install 'pytest-energy[agent]'"
        ) from error
    metrics.check_installed()


class AgentServer:
    """Answers for *agent*, by the rules above.

    Args:
        tell: Is given a sentence for people, now and then, on what goes wrong.
    """

    def __init__(self, agent: Agent, place: Place, *, tell: Callable[[str], None]) -> None:
        self._agent, self._place, self._tell = agent, place, tell
        self._told_s = float("-inf")
        self._token = None if place.token is None else _digest(f"Bearer {place.token}")

    async def run(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        """Serve on *listener* until SIGTERM or SIGINT."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        await self.serve(listener, context, ended)

    async def serve(
        self, listener: socket.socket, context: ssl.SSLContext | None, ended: asyncio.Event
    ) -> None:
        """Serve on *listener* until *ended*."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._tell_of(context))
        loop.set_default_executor(ThreadPoolExecutor(_THREADS))
        http = _http_server(self._answer_or_refuse, self._lose)
        self._connections = connections = Connections(http, context)
        connections.listen(listener)
        try:
            await ended.wait()
        finally:
            listener.close()
            await connections.close()
            await http.shutdown(timeout=_LINGER_S)

    def _lose(self, peer: Peer) -> None:
        self._connections.lose(peer)

    async def _answer_or_refuse(self, request: "web.BaseRequest") -> "web.StreamResponse":
        try:
            status = self._refusal(request)
            if status:
                return _empty(status)
            self._connections.show_token(_peer_of(request.transport))
            return await self._answer(request)
        except web.HTTPRequestEntityTooLarge:
            return _empty(413)
        except FormatError:
            return _empty(400)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001  # Rule 2
            self._tell_of({"exception": error})
            return _empty(500)

    def _refusal(self, request: "web.BaseRequest") -> int | None:
        """The status to refuse *request* with, or `None`."""
        if self._token is not None:
            given = _digest(request.headers.get("Authorization", ""))
            return None if hmac.compare_digest(given, self._token) else 401
        return None if _is_own_name(request.host) else 403

    async def _answer(self, request: "web.BaseRequest") -> "web.Response":
        match request.method, request.path:
            case "GET", wire.DESCRIPTION_PATH:
                return _page(wire.description_to_json(self._agent.description()), JSON_TYPE)
            case "GET", wire.METRICS_PATH:
                return _page(await asyncio.to_thread(metrics.render, self._agent), metrics.CONTENT_TYPE)
            case "POST", wire.POLL_PATH:
                return _page(await asyncio.to_thread(self._poll, await request.read()), JSON_TYPE)
            case "POST", wire.RELEASE_PATH:
                who, _ = wire.ask_of(await request.read(), "the request")
                self._agent.release(who)
                return _page(b"{}", JSON_TYPE)
        return _empty(404)

    def _poll(self, content: bytes) -> bytes:
        who, cursor = wire.ask_of(content, "the request")
        return wire.poll_to_json(self._agent.poll(cursor, who))

    def _tell_of(self, context: Mapping[str, object]) -> None:
        """Tell people of what failed in a request, or beside them, as asyncio describes it; now and then."""
        now_s, error = asyncio.get_running_loop().time(), context.get("exception")
        if now_s - self._told_s > _TELL_S:
            self._told_s = now_s
            because = described(error) if isinstance(error, BaseException) else context.get("message")
            self._tell(f"a request failed: {because}")


def _http_server(
    handler: "Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]", lose: Callable[[Peer], None]
) -> "web.Server":
    """What speaks HTTP on each connection."""
    quiet = logging.getLogger("pytest_energy.agent.http")
    quiet.disabled = True  # a client can't fill a disk

    class Handler(web.RequestHandler):
        __slots__ = ()

        def handle_error(
            self,
            request: "web.BaseRequest",
            status: int = 500,
            exc: BaseException | None = None,
            message: str | None = None,
        ) -> "web.StreamResponse":
            """Rule 3; the library's own answer repeats what it was sent."""
            del request, exc, message
            return _empty(status)

    class Server(web.Server):
        def __call__(self) -> "RequestHandler":
            return Handler(self, loop=self._loop, **self._kwargs)

        def connection_lost(self, handler: "RequestHandler", exc: BaseException | None = None) -> None:
            lose(_peer_of(handler.transport))
            super().connection_lost(handler, exc)

    def request(
        message: "RawRequestMessage",
        payload: "StreamReader",
        protocol: "RequestHandler",
        writer: "AbstractStreamWriter",
        task: "asyncio.Task[None]",
    ) -> "web.BaseRequest":
        loop = asyncio.get_running_loop()
        most = wire.MOST_REQUEST_BYTES
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=most)

    return Server(
        handler,
        request_factory=request,
        access_log=None,
        logger=quiet,
        max_line_size=_MOST_LINE,
        max_field_size=_MOST_LINE,
        max_headers=_MOST_HEADERS,
        lingering_time=_LINGER_S,
        auto_decompress=False,
    )


def _peer_of(transport: asyncio.BaseTransport | None) -> Peer:
    return (None,) if transport is None else tuple(transport.get_extra_info("peername") or (None,))


def _is_own_name(host: str) -> bool:
    """Whether a `Host` header names this machine: by another name, somebody else's page sent it here."""
    name = host.partition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    try:
        return name.lower() == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _digest(text: str) -> bytes:
    # Of one length, whatever is sent: a comparison then takes the same time for all.
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _page(content: bytes, content_type: str) -> "web.Response":
    headers = {"Content-Type": content_type, "Server": "pytest-energy", "Cache-Control": "no-store"}
    return web.Response(body=content, headers=headers)


def _empty(status: int) -> "web.Response":
    """An answer that says no more than its *status*; the connection is closed."""
    answer = web.Response(status=status, headers={"Server": "pytest-energy"})
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    answer.force_close()
    return answer
