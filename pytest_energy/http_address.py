"""Where an HTTP server is, and connections to it.

Rule 1: credentials are in no URL, no text and no variable that a traceback shows: what may hold one is passed
on hidden, and refused by a function that has only the reason.
Rule 2: a connection ends in time, whatever the server sends. Proxies of the environment are not asked.
"""

import base64
import http.client
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pytest_energy.errors import SettingsError
from pytest_energy.masking import COVER, Hidden, Secret, is_secret_name, keep_secret

DEFAULT_PORTS = {"http": 80, "https": 443}

_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server is. Its URLs never hold credentials.

    Attributes:
        scheme: How to speak to it.
        host: Name or number, without brackets.
        port: As given, or the scheme's own.
        prefix: Path before `/v1`, without a slash at its end; usually empty.
        authorization: Value of the header, or `None`; not shown.
    """

    scheme: Literal["http", "https"]
    host: str
    port: int
    prefix: str
    authorization: Secret | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, base_url: object, *, api_key: object = None, what: str = "base_url") -> "Address":
        """Read *base_url*; a `/v1` at its end is taken as part of what the server adds.

        Args:
            base_url: As a user gives it.
            api_key: Sent as a bearer token.
            what: The name of *base_url*, in errors.

        Raises:
            SettingsError: It isn't the address of an HTTP server, or *api_key* is no key.
        """
        url, key = (one if isinstance(one, Hidden) else Hidden(one) for one in (base_url, api_key))
        base_url = api_key = COVER  # what a traceback shows of them
        _keep_secrets(url, key)
        because = _why_no_key(key, url) or _why_no_address(url, what)
        if because is not None:
            raise SettingsError(because)
        return _address(url, key)

    @property
    def root(self) -> str:
        """The URL that paths are added to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.prefix}"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {} if self.authorization is None else {"Authorization": self.authorization}


def connected(address: Address, timeout_s: float, ca_file: Path | None = None) -> socket.socket:
    """A connection, over TLS one that has not shaken hands yet.

    Args:
        address: Of the server.
        timeout_s: Longest silence.
        ca_file: Who may have signed the server's certificate; those that the system trusts if `None`.

    Raises:
        OSError: There is none, or *ca_file* can't be read.
    """
    sock = socket.create_connection((address.host, address.port), timeout_s)
    if address.scheme == "http":
        return sock
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(sock, server_hostname=address.host, do_handshake_on_connect=False)


@contextmanager
def cut_after(timeout_s: float, sock: socket.socket) -> Iterator[None]:
    """Cut *sock* in *timeout_s*: a server that sends a byte from time to time is never silent.

    Raises:
        TimeoutError: It was cut.
    """
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with suppress(OSError):  # the other side was faster
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # TLS's own would take the reader's state away

    timer = threading.Timer(timeout_s, cut)
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not is_late.is_set():
            raise
    finally:
        timer.cancel()
        timer.join()
    if is_late.is_set():
        raise TimeoutError


# Credentials


def _keep_secrets(base_url: Hidden[object], api_key: Hidden[object]) -> None:
    """Have every credential covered that is in the arguments, be they right or in each other's place."""
    url, key = _text_of(base_url), _text_of(api_key)
    if _is_address(key):
        url, key = key, url
    keep_secret("" if _is_address(key) else key)
    pair = url.rpartition("@")[0].rpartition("//")[2]  # also where no parser finds it
    user, _, password = pair.partition(":")
    keep_secret(password or user, unquote(password or user))
    if password:
        keep_secret(_basic(user, password))
    keep_secret(*(value for name, value in parse_qsl(url.partition("?")[2]) if is_secret_name(name)))


def _text_of(argument: Hidden[object]) -> str:
    value = argument.value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else ""


def _is_address(text: str) -> bool:
    return "://" in text


def _why_no_address(base_url: Hidden[object], what: str) -> str | None:
    # The address itself is not repeated, nor what the parser says of it: they may hold a password.
    because = _fault_of_url(base_url.value)
    if because is None:
        return None
    return f"{what} is not the address of a server: {because}; give one such as http://127.0.0.1:8000"


def _fault_of_url(url: object) -> str | None:
    if not isinstance(url, str):
        return f"it is of type {type(url).__name__}, not a text"
    if any(character.isspace() or not character.isprintable() for character in url):
        return "it contains a space or a line break"
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        host.encode("idna")  # as it is looked up
    except ValueError:
        return "its host is not valid, or its port is not a number up to 65535"
    is_place = port != 0 and (_NAME.fullmatch(host) is not None or ":" in host)
    faults = {
        "it must begin with http:// or https:// and a host": scheme not in DEFAULT_PORTS or not host,
        "its host is not valid, or its port is 0": not is_place,
        "it has a query or a fragment": bool(parts.query or parts.fragment),
        "it has an @ after the host; in a password, write / as %2F": (
            parts.username is None and "@" in parts.path
        ),
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def _why_no_key(api_key: Hidden[object], base_url: Hidden[object]) -> str | None:
    key = api_key.value
    if key is None:
        return None
    if not isinstance(key, str):
        return f"api_key is of type {type(key).__name__}, not a text"
    if _is_address(key):
        return "api_key is an address; are api_key and base_url swapped?"
    if not key:
        return "api_key is empty; leave it out if the server needs none"
    if not (key.isascii() and key.isprintable()) or " " in key:
        return (
            "api_key has characters that a header can't hold, such as a line break, a space or non-ASCII "
            "letters; give only the key"
        )
    has_user = _fault_of_url(base_url.value) is None and urlsplit(str(base_url.value)).username is not None
    return "base_url holds a user, and api_key is given too; give only one of them" if has_user else None


def _address(base_url: Hidden[object], api_key: Hidden[object]) -> Address:
    parts = urlsplit(str(base_url.value))
    basic = None if parts.username is None else f"Basic {_basic(parts.username, parts.password or '')}"
    authorization = basic if api_key.value is None else f"Bearer {api_key.value}"
    return Address(
        scheme="https" if parts.scheme == "https" else "http",
        host=parts.hostname or "",
        port=DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port,
        prefix=parts.path.rstrip("/").removesuffix("/v1").rstrip("/"),
        authorization=None if authorization is None else Secret(authorization),
    )


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
