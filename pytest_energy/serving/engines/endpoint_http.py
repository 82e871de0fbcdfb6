"""One question to an HTTP server outside any event loop: what it sends has limits of time and size."""

import http.client
import socket
import ssl

from pytest_energy.http_address import Address, connected, cut_after
from pytest_energy.serving.engines.openai_stream import ServerFault, shortened

PAGE_BYTES = 2**20  # a list of models, a message: pages of a few kilobytes
METRICS_BYTES = 2**24  # a thousand lines from each of a hundred engines


def get(address: Address, path: str, *, timeout_s: float, most_bytes: int = PAGE_BYTES) -> tuple[int, bytes]:
    """Status and content of what is at *path*. Redirects are not followed, proxies not asked.

    Raises:
        OSError: The server can't be reached, or its page isn't there after *timeout_s*.
        http.client.HTTPException: It doesn't speak HTTP.
        ServerFault: The page is larger than *most_bytes*, or compressed.
    """
    connection = http.client.HTTPConnection(address.host, address.port)
    connection.sock = sock = connected(address, timeout_s)
    try:
        with cut_after(timeout_s, sock):
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            connection.request("GET", f"{address.prefix}{path}", headers=address.headers)
            response = connection.getresponse()
            check_is_plain(response.getheader("Content-Encoding"))
            content = response.read(most_bytes + 1)
            if response.length and len(content) <= most_bytes:
                raise http.client.IncompleteRead(content, response.length)
    finally:
        connection.close()
    check_size(len(content), most_bytes)
    return response.status, content


def check_is_plain(encoding: str | None) -> None:
    """Refuse what would grow when it is unpacked.

    Args:
        encoding: The header `Content-Encoding`.

    Raises:
        ServerFault: The page is compressed.
    """
    if encoding is not None and encoding.strip().lower() not in {"", "identity"}:
        raise ServerFault(f"the page is compressed ({shortened(encoding)}), which was not requested")


def check_size(size_bytes: int, most_bytes: int) -> None:
    """Refuse a page that is larger than any that an honest server has.

    Raises:
        ServerFault: It has more than *most_bytes*.
    """
    if size_bytes > most_bytes:
        raise ServerFault(f"the page is larger than {most_bytes / 2**20:g} MB")


def reason_of(error: Exception, *, timeout_s: float) -> str:
    """Why a request failed, in words."""
    if isinstance(error, TimeoutError):
        return f"no data for {timeout_s:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the server running?"
    if isinstance(error, socket.gaierror):
        return f"the host name can't be resolved ({error.strerror})"
    return shortened(f"{type(error).__name__}: {error}") if str(error) else type(error).__name__
