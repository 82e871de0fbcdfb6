"""Where an HTTP server is, and one question to it outside any event loop."""

import base64
import http.client
import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal
from urllib.parse import unquote, urlsplit

from pytest_energy.errors import SettingsError

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is. Its URLs never hold credentials.

    Attributes:
        scheme: How to speak to it.
        host: Name or number, without brackets.
        port: As given, or the scheme's own.
        prefix: Path before `/v1`, without a slash at its end; usually empty.
        authorization: Value of the header, or `None`; not shown.
        secrets: What no text may hold; not shown.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    prefix: str
    authorization: str | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def parse(cls, base_url: str, *, api_key: str | None = None) -> "Address":
        """Read *base_url*; a `/v1` at its end is taken as part of what the server adds.

        Raises:
            SettingsError: It isn't the address of an HTTP server.
        """
        try:
            parts = urlsplit(base_url)
            scheme, host, port = parts.scheme, parts.hostname, parts.port
            (host or "").encode("idna")  # as it is looked up
        except ValueError as error:
            raise _no_address(str(error)) from error
        if scheme not in DEFAULT_PORTS or not host:
            raise _no_address("it has no http:// or https:// with a host")
        if parts.query or parts.fragment:
            raise _no_address("it has a query or a fragment")
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise SettingsError("api_key holds characters that no header takes, the end of a line perhaps")
        if api_key and parts.username is not None:
            raise SettingsError("base_url holds a user and there is an api_key as well; give one of them")
        basic = _basic(parts.username, parts.password)
        return cls(
            scheme="https" if scheme == "https" else "http",
            host=host,
            port=DEFAULT_PORTS[scheme] if port is None else port,
            prefix=parts.path.rstrip("/").removesuffix("/v1").rstrip("/"),
            authorization=f"Bearer {api_key}" if api_key else basic and f"Basic {basic}",
            secrets=tuple(filter(None, (api_key, basic, parts.password, unquote(parts.password or "")))),
        )

    @property
    def root(self) -> str:
        """The URL that paths are added to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {} if self.authorization is None else {"Authorization": self.authorization}

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine by its address alone; nothing is looked up."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    def without_secrets(self, text: str) -> str:
        """*text* with the credentials covered; servers like to repeat a key that they refuse."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def get(address: Address, path: str, *, timeout_s: float) -> tuple[int, bytes]:
    """Status and content of what is at *path*. Redirects are not followed, proxies not asked.

    Raises:
        OSError: The server can't be reached or is silent for *timeout_s*.
        http.client.HTTPException: It doesn't speak HTTP.
    """
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.host, address.port, timeout=timeout_s)
    try:
        connection.request("GET", f"{address.prefix}{path}", headers=address.headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def reason_of(error: Exception, *, timeout_s: float) -> str:
    """Why a request failed, in words."""
    if isinstance(error, TimeoutError):
        return f"nothing came for {timeout_s:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the server running?"
    if isinstance(error, socket.gaierror):
        return f"the name of the host isn't known ({error.strerror})"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _no_address(because: str) -> SettingsError:
    # The address itself is not repeated: it may hold a password.
    return SettingsError(f"base_url is no address of a server: {because}; give http://127.0.0.1:8000, say")


def _basic(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return base64.b64encode(pair.encode()).decode()
