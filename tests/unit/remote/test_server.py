"""The agent over HTTP: what it answers, to whom, and what a hostile client can't do."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.masking import Secret
from pytest_energy.remote import connections, wire
from pytest_energy.remote.protocol import Cursor
from pytest_energy.remote.server import Place
from tests.fakes.agent import TOKEN, AgentBench, Served, served, who

DATA = Path(__file__).parents[2] / "data" / "agent"
PATHS = [
    ("GET", wire.DESCRIPTION_PATH),
    ("POST", wire.POLL_PATH),
    ("POST", wire.RELEASE_PATH),
    ("GET", wire.METRICS_PATH),
    ("GET", "/nothing"),
    ("DELETE", "/"),
]
ASK = wire.ask_to_json(who(), Cursor())


@pytest.fixture
def bench() -> AgentBench:
    bench = AgentBench()
    bench.clock.sleep_s(3.0)
    return bench


@pytest.fixture
def server(bench: AgentBench, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server whose patience is short."""
    monkeypatch.setattr(connections, "TOKEN_S", 0.3)
    monkeypatch.setattr(connections, "IDLE_S", 0.6)
    monkeypatch.setattr(connections, "_SWEEP_S", 0.05)
    with served(bench.agent) as here:
        yield here


def test_a_description_is_served(bench: AgentBench, server: Served) -> None:
    """Over HTTP an agent says of itself what it says beside it."""
    status, content = server.ask("GET", wire.DESCRIPTION_PATH)
    assert status == 200
    assert wire.description_of(content, "agent") == bench.agent.description()


def test_a_poll_is_served(bench: AgentBench, server: Served) -> None:
    """Over HTTP a poll has the ticks that it has beside the agent."""
    poll = server.poll()
    assert poll.channels == bench.poll().channels
    assert poll.channels["gpu:0"].ticks


def test_a_run_that_lets_go_does_not_measure_any_more(bench: AgentBench, server: Served) -> None:
    """A release is known at once."""
    server.poll("one")
    assert [run.run_id for run in bench.agent.runs()] == ["one"]
    assert server.ask("POST", wire.RELEASE_PATH, wire.ask_to_json(who("one")))[0] == 200
    assert bench.agent.runs() == ()


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper()])
def test_nothing_is_read_without_the_token(server: Served, method: str, path: str, token: str | None) -> None:
    """Without the token every answer is the same 401, and empty."""
    assert server.ask(method, path, ASK, token=token) == (401, b"")


@pytest.mark.parametrize(
    "authorization", [f"Basic {TOKEN}", TOKEN, f"bearer {TOKEN}", f"Bearer  {TOKEN}", "Bearer \udcff\udcfe"]
)
def test_the_token_is_given_in_one_way_only(server: Served, authorization: str) -> None:
    """Another scheme, or bytes that are no text, are no token."""
    raw = f"GET {wire.METRICS_PATH} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\r\n"
    answer = exchange(server, raw.encode("utf-8", "surrogateescape"))
    assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 400"))


def test_a_refusal_does_not_say_what_serves(server: Served) -> None:
    """No version of Python or of a library is in an answer."""
    answer = exchange(server, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"aiohttp" not in answer
    assert b"Server: pytest-energy\r\n" in answer
    assert b"Content-Length: 0\r\n" in answer


@pytest.mark.parametrize(
    ("method", "path"), [("GET", wire.POLL_PATH), ("GET", "/nothing"), ("PUT", "/metrics")]
)
def test_what_is_not_there_is_not_found(server: Served, method: str, path: str) -> None:
    """With the token, other paths and methods are 404."""
    assert server.ask(method, path) == (404, b"")


@pytest.mark.parametrize("content", [b"", b"{}", b"[" * 60_000, b'{"who":7}', b"\xff\x00", ASK[:-1]])
def test_a_poll_that_can_not_be_understood_is_refused(server: Served, content: bytes) -> None:
    """It is 400, and the next poll is answered."""
    assert server.ask("POST", wire.POLL_PATH, content) == (400, b"")
    assert server.poll().channels


def test_a_request_is_bounded_in_size(server: Served) -> None:
    """More than a poll can have is 413, whatever it is."""
    content = json.dumps({**json.loads(ASK), "more": "x" * 70_000}).encode()
    assert server.ask("POST", wire.POLL_PATH, content) == (413, b"")


def test_what_fails_in_a_request_ends_nothing(
    bench: AgentBench, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is 500 without a word to the client, and told to people once."""

    def fail() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(bench.agent, "description", fail)
    assert [server.ask("GET", wire.DESCRIPTION_PATH) for _ in range(3)] == [(500, b"")] * 3
    assert server.told == ["a request failed: RuntimeError: a bug"]
    monkeypatch.undo()
    assert server.poll().channels


def test_without_a_token_the_machine_is_asked_by_its_own_name(bench: AgentBench) -> None:
    """A page of somebody else, whose name leads to this machine, reads nothing."""
    with served(bench.agent, token=None) as server:
        assert server.ask("GET", wire.DESCRIPTION_PATH, token=None)[0] == 200
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", ""):
            headers = {"Host": host}
            assert server.ask("GET", wire.DESCRIPTION_PATH, token=None, headers=headers) == (403, b"")
        for host in ("localhost", "LOCALHOST:80", "127.0.0.1:80", "127.0.0.2", "[::1]:80"):
            headers = {"Host": host}
            assert server.ask("GET", wire.DESCRIPTION_PATH, token=None, headers=headers)[0] == 200


def test_an_address_for_all_needs_a_token() -> None:
    """An agent that other machines can reach doesn't start without one, and says how to make it."""
    with pytest.raises(SettingsError, match="--new-token FILE, then --token-file FILE"):
        Place(host="0.0.0.0", port=0).listener()  # noqa: S104  # what is refused
    Place(host="0.0.0.0", port=0, token=Secret(TOKEN)).listener().close()  # noqa: S104
    Place(host="localhost", port=0).listener().close()


def test_a_name_that_is_no_address_is_refused() -> None:
    """The message has the option and the name."""
    with pytest.raises(SettingsError, match=r"--bind: no\.such\.host\.invalid"):
        Place(host="no.such.host.invalid", port=1, token=Secret(TOKEN)).listener()


def test_a_token_is_in_no_repr() -> None:
    """What a traceback shows of a place has no token."""
    assert TOKEN not in repr(Place(host="a", port=1, token=Secret(TOKEN)))


def private(path: Path, tmp_path: Path) -> Path:
    """A copy of *path* that only its owner can read, as git keeps no such permissions."""
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    copy.chmod(0o600)
    return copy


def test_tls_is_served_with_the_certificate(bench: AgentBench, tmp_path: Path) -> None:
    """A client that trusts the certificate reads; one that speaks no TLS is refused, and harms nobody."""
    certificate, key = DATA / "certificate.pem", private(DATA / "key.pem", tmp_path)
    context = ssl.create_default_context(cafile=certificate)
    with served(bench.agent, certificate=certificate, key=key) as server:
        exchange(server, b"GET / HTTP/1.1\r\n\r\n")
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=SOON_S) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as encrypted,
        ):
            encrypted.sendall(request("GET", wire.METRICS_PATH))
            assert encrypted.recv(15) == b"HTTP/1.1 200 OK"


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The message says what to do."""
    key = private(DATA / "key.pem", tmp_path)
    key.chmod(0o644)
    place = Place(host="a", port=1, certificate=DATA / "certificate.pem", key=key)
    with pytest.raises(SettingsError, match=f"mode 0644.*chmod 600 {key}"):
        place.context()


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    place = Place(host="a", port=1, certificate=tmp_path / "none.pem")
    with pytest.raises(SettingsError, match=r"none\.pem can't be used"):
        place.context()


# A hostile client, with sockets of its own


def request(method: str, path: str, *lines: str, token: str = TOKEN, body: bytes = b"") -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: a", f"Authorization: Bearer {token}", *lines]
    if body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


SOON_S = 30.0  # on a busy machine; half of the time that a connection may be idle outside these tests


def exchange(server: Served, content: bytes) -> bytes:
    """What comes back for *content* until the server closes, which it does soon."""
    answer = b""
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, timeout=SOON_S) as client, suppress(ConnectionError):
        client.sendall(content)
        while piece := client.recv(65_536):
            answer += piece
    return answer


GARBAGE = {
    "nothing known": b"\x00\xff" * 500,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    "a huge path": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
    "a huge header": b"GET / HTTP/1.1\r\nA: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "a thousand headers": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    "a header without an end": b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000,
    "a bad length": b"POST /v1/poll HTTP/1.1\r\nContent-Length: -5\r\n\r\nxxxxx",
    "a huge length": b"POST /v1/poll HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk": request("POST", wire.POLL_PATH, "Transfer-Encoding: chunked") + b"zz\r\nxx\r\n",
    "an upgrade": request("GET", "/", "Connection: Upgrade", "Upgrade: websocket"),
    "another version": b"GET / HTTP/9.9\r\n\r\n",
    "no version": b"GET /\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "many at once": request("GET", wire.DESCRIPTION_PATH, token="no") * 5000,  # noqa: S106
    "control characters": b"GET /\x00\x1b[2J HTTP/1.1\r\nHost: \x00\r\n\r\n",
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_garbage_gets_nothing_and_harms_nobody(server: Served, content: bytes) -> None:
    """No answer to it holds a reading, its connection ends soon, and others are served."""
    answer = exchange(server, content)
    assert b"HTTP/1.1 200" not in answer
    assert b"gpu:0" not in answer
    assert len(answer) < 2_000
    assert server.poll().channels
    assert server.told == []


def test_content_without_end_is_cut_off(server: Served) -> None:
    """Chunks that never end are refused at the limit of a request."""
    head = request("POST", wire.POLL_PATH, "Transfer-Encoding: chunked")
    answer = exchange(server, head + (b"ffff\r\n" + b" " * 0xFFFF + b"\r\n") * 20)
    assert answer.startswith(b"HTTP/1.1 413")


def test_compressed_content_is_not_unpacked(server: Served) -> None:
    """A few bytes can't become many."""
    body = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + b"\x00" * 50
    answer = exchange(server, request("POST", wire.POLL_PATH, "Content-Encoding: gzip", body=body))
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        request("POST", wire.POLL_PATH, "Content-Length: 500"),
    ],
    ids=["silent", "half a header", "no content"],
)
def test_who_waits_is_closed(server: Served, content: bytes) -> None:
    """A connection that doesn't come to its point ends by itself."""
    assert not exchange(server, content).startswith(b"HTTP/1.1 200")


def test_who_drips_is_closed(server: Served) -> None:
    """A header a few bytes at a time takes a connection for seconds only."""
    began_s = time.monotonic()
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, timeout=SOON_S) as client, suppress(ConnectionError):
        while time.monotonic() - began_s < SOON_S:
            client.sendall(b"X: y\r\n")
            time.sleep(0.05)
    assert time.monotonic() - began_s < SOON_S


def test_who_does_not_read_is_closed(server: Served) -> None:
    """Answers that nobody takes don't pile up: the connection ends, and others are served meanwhile."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with pytest.raises(ConnectionError):
            client.sendall(request("GET", wire.DESCRIPTION_PATH) * 100_000)
    assert server.poll().channels


def connect(server: Served, own: str) -> socket.socket:
    """A connection from the address *own* of this machine's loopback."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=SOON_S, source_address=(own, 0))


def is_served(client: socket.socket) -> bool:
    client.sendall(request("GET", wire.DESCRIPTION_PATH))
    return client.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("own", ["127.0.0.1", "127.0.0.2"], ids=["beside it", "elsewhere"])
def test_a_crowd_without_the_token_shuts_nobody_out(
    server: Served, monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    """Who has shown the token keeps the connection, and who comes new gets one."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 40)
    monkeypatch.setattr(connections, "MOST_OF_ONE_CLIENT", 30)
    monkeypatch.setattr(connections, "IDLE_S", 60.0)
    with connect(server, own) as old, ExitStack() as crowd:
        assert is_served(old)
        for number in range(100):
            crowd.enter_context(connect(server, f"127.0.0.{1 + number % 3}"))
        with connect(server, own) as new:
            assert is_served(new)
        assert is_served(old)


def test_one_client_has_so_many_connections_and_no_more(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token makes no exception, and other clients are served."""
    monkeypatch.setattr(connections, "MOST_OF_ONE_CLIENT", 5)
    monkeypatch.setattr(connections, "IDLE_S", 60.0)
    with ExitStack() as kept:
        for _ in range(5):
            assert is_served(kept.enter_context(connect(server, "127.0.0.2")))
        with connect(server, "127.0.0.2") as more, suppress(ConnectionError):
            assert not is_served(more)
        with connect(server, "127.0.0.3") as other:
            assert is_served(other)


def test_a_connection_serves_many_requests(server: Served) -> None:
    """A client that polls ten times a second makes one connection."""
    connection = server.connection()
    try:
        for _ in range(20):
            connection.request("POST", wire.POLL_PATH, ASK, {"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            assert (answer.status, bool(answer.read())) == (200, True)
    finally:
        connection.close()
