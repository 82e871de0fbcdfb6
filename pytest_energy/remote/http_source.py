"""An agent over HTTP, as it is asked from here.

Rule 1: one connection is kept, because a new one takes a round trip more, and the round trip is how well the
        agent's clock is known.
Rule 2: what an agent sends has limits of time and size, and is read as the values of `wire` or refused.
Rule 3: whatever goes wrong is an `AgentLost` with the address and the reason. None holds the token.
"""

import http.client
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from threading import Lock

from pytest_energy.errors import FormatError, SettingsError
from pytest_energy.http_address import Address, connected, cut_after
from pytest_energy.masking import Hidden
from pytest_energy.remote import wire
from pytest_energy.remote.address import CA_FILE_VARIABLE, TOKEN_FILE_VARIABLE, MeterAddress
from pytest_energy.remote.private_file import read_token
from pytest_energy.remote.protocol import AgentDescription, AgentLost, Cursor, Poll, Who
from pytest_energy.remote.sampler import SLOW_S

# Of OpenSSL (x509_vfy.h): X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME = frozenset({62, 64})

_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class HttpSource:
    """An `AgentSource` over HTTP.

    Args:
        meter: Where the agent is.
        timeout_s: Longest time of one answer.

    Raises:
        SettingsError: The file of the token, or of the certificate, can't be used.
    """

    def __init__(self, meter: MeterAddress, *, timeout_s: float = SLOW_S) -> None:
        self.name = meter.url
        token = None if meter.token_file is None else read_token(meter.token_file)
        _check_ca_file(meter.ca_file)
        self._address = Address.parse(Hidden(meter.url), api_key=Hidden(token))
        self._ca_file, self._timeout_s = meter.ca_file, timeout_s
        self._has_token = token is not None
        self._asking = Lock()
        self._connection: http.client.HTTPConnection | None = None

    def description(self) -> AgentDescription:
        content = self._ask("GET", wire.DESCRIPTION_PATH)
        try:
            return wire.description_of(content, self.name)
        except FormatError as error:
            raise AgentLost(str(error)) from None

    def poll(self, cursor: Cursor, who: Who) -> Poll:
        content = self._ask("POST", wire.POLL_PATH, wire.ask_to_json(who, cursor))
        try:
            return wire.poll_of(content, self.name)
        except FormatError as error:
            raise AgentLost(str(error)) from None

    def release(self, who: Who) -> None:
        with suppress(AgentLost):  # it will forget by itself
            self._ask("POST", wire.RELEASE_PATH, wire.ask_to_json(who))

    def close(self) -> None:
        # Without the lock: who holds it in a forked child isn't there to let it go.
        self._hang_up()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The content of the agent's answer.

        Raises:
            AgentLost: There is none, or the agent refuses.
        """
        with self._asking:
            try:
                status, content = self._answer(method, path, body)
            except (OSError, http.client.HTTPException, _TooLargeError) as error:
                self._hang_up()
                because = self._reason(error)
            else:
                if status == http.HTTPStatus.OK:
                    return content
                self._hang_up()
                because = self._refusal(status)
        raise AgentLost(f"{self.name}: {because}")

    def _answer(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Status and content; on the kept connection, or on a new one where that has been closed."""
        if self._connection is not None:
            with suppress(ConnectionError, http.client.BadStatusLine):
                return self._exchange(self._connection, method, path, body)
            self._hang_up()
        self._connection = http.client.HTTPConnection(self._address.host, self._address.port)
        self._connection.sock = connected(self._address, self._timeout_s, self._ca_file)
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._exchange(self._connection, method, path, body)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None
    ) -> tuple[int, bytes]:
        sock = connection.sock
        with cut_after(self._timeout_s, sock):
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()  # once; again it does nothing
            connection.request(
                method, f"{self._address.prefix}{path}", body, {**_HEADERS, **self._address.headers}
            )
            response = connection.getresponse()
            content = response.read(wire.MOST_ANSWER_BYTES + 1)
        if len(content) > wire.MOST_ANSWER_BYTES:
            raise _TooLargeError
        if response.length:
            raise http.client.IncompleteRead(content, response.length)
        if response.will_close:
            self._hang_up()
        return response.status, content

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _reason(self, error: Exception) -> str:
        because = error.strerror if isinstance(error, OSError) else None
        match error:
            case _TooLargeError():
                because = f"its answer is larger than {wire.MOST_ANSWER_BYTES / 1e6:g} MB"
            case TimeoutError():
                because = f"no answer for {self._timeout_s:g} s"
            case ConnectionRefusedError():
                because = "connection refused; is `pytest-energy agent` running there?"
            case ssl.SSLCertVerificationError() if error.verify_code in _OTHER_NAME:
                because = f"its certificate has another name ({error.verify_message}); use one that it has"
            case ssl.SSLCertVerificationError():
                because = (
                    f"its certificate isn't trusted ({error.verify_message}); name the file of who signed "
                    f"it: meter_ca_file=, --meter-ca-file or {CA_FILE_VARIABLE}"
                )
            case ssl.SSLError():
                because = f"no connection over TLS ({error.reason}); does it serve https?"
            case http.client.RemoteDisconnected():
                because = "it closed the connection without an answer"
                if self._address.scheme == "http":
                    because += "; does it serve https?"
            case http.client.HTTPException():
                because = f"it doesn't answer as an agent does ({type(error).__name__})"
        return because or type(error).__name__

    def _refusal(self, status: int) -> str:
        if status not in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
            return f"it answered {status}, as no agent does"
        if self._has_token:
            return f"it refuses the token ({status})"
        way = f"name its file: meter_token_file=, --meter-token-file or {TOKEN_FILE_VARIABLE}"
        return f"it asks for a token ({status}); {way}"


class _TooLargeError(Exception):
    """An answer is larger than any that an honest agent gives."""


def _check_ca_file(path: Path | None) -> None:
    if path is None:
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # also of what it holds: an SSLError is one
        because = error.strerror or str(error)
        raise SettingsError(f"the certificate file {path} can't be used: {because}") from error
