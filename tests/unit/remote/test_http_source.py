"""An agent over HTTP: what comes through, what is refused, and what a reader is told."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.remote import wire
from pytest_energy.remote.address import CA_FILE_VARIABLE, TOKEN_FILE_VARIABLE, MeterAddress
from pytest_energy.remote.http_source import HttpSource
from pytest_energy.remote.protocol import AgentLost, Cursor
from tests.fakes.agent import TOKEN as AGENT_TOKEN
from tests.fakes.agent import AgentBench, served
from tests.fakes.agent_server import AgentServer, serving
from tests.fakes.far_agent import ME, FarAgent, still
from tests.fakes.meter import Device, VirtualClock

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105  # of a test


def far_agent() -> FarAgent:
    clock = VirtualClock()
    rng = random.Random(1)  # noqa: S311  # a seeded simulation
    return FarAgent(clock, Device(clock), rng=rng, there=still(1e-4), back=still(1e-4))


@pytest.fixture
def server() -> AgentServer:
    return AgentServer(far_agent(), TOKEN)


@pytest.fixture
def url(server: AgentServer) -> Iterator[str]:
    with serving(server) as address:
        yield address


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def source(url: str, token_file: Path) -> Iterator[HttpSource]:
    one = HttpSource(MeterAddress.parse(url, token_file=token_file, environ={}))
    yield one
    one.close()


def test_what_the_agent_says_comes_through(source: HttpSource, server: AgentServer) -> None:
    """Description and polls are the values that the agent gave, over one connection."""
    assert source.description() == server.source.description()
    first = source.poll(Cursor(), ME)
    assert len(first.channels["gpu:0"].ticks) == 64
    again = source.poll(first.cursor, ME)
    assert again.channels["gpu:0"].ticks == ()
    source.release(ME)
    assert isinstance(server.source, FarAgent)
    assert server.source.released == [ME]
    assert server.connection_count == 1
    assert server.asked == [wire.DESCRIPTION_PATH, wire.POLL_PATH, wire.POLL_PATH, wire.RELEASE_PATH]


def test_without_the_token_nothing_is_read(url: str, tmp_path: Path) -> None:
    """The reader is told which argument and which variable name its file."""
    source = HttpSource(MeterAddress.parse(url, environ={}))
    with pytest.raises(AgentLost) as told:
        source.description()
    assert str(told.value) == (
        f"{url}: it asks for a token (401); "
        f"name its file: meter_token_file=, --meter-token-file or {TOKEN_FILE_VARIABLE}"
    )
    wrong = tmp_path / "wrong"
    wrong.write_text("another-token-altogether")
    wrong.chmod(0o600)
    source = HttpSource(MeterAddress.parse(url, environ={TOKEN_FILE_VARIABLE: str(wrong)}))
    with pytest.raises(AgentLost, match=r"it refuses the token \(401\)$"):
        source.poll(Cursor(), ME)


def test_nobody_there_is_lost() -> None:
    """An address at which nothing listens says so, and how to change that."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    source = HttpSource(MeterAddress.parse(f"http://127.0.0.1:{port}", environ={}))
    with pytest.raises(AgentLost, match="connection refused; is `pytest-energy agent` running there"):
        source.description()
    source.release(ME)  # which nobody hears


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (b"<html>", "JSON"),
        (b"[]", "not an object"),
        (b'{"format": 2}', "has no"),
        (b'{"format": 1, "agent_id": "\\u001b[2J"}', "has no"),
        (b"\xff" * 100, "JSON"),
        (b"[" * 100_000, "nested"),
        (b" " * (wire.MOST_ANSWER_BYTES + 1), "its answer is larger than 16 MB"),
    ],
)
def test_an_answer_that_is_no_agents_is_refused(
    source: HttpSource, server: AgentServer, answer: bytes, because: str
) -> None:
    """Whatever is sent, the reader gets one error with the address, without what was sent."""
    server.answer = answer
    with pytest.raises(AgentLost) as told:
        source.description()
    assert str(told.value).startswith(source.name)
    assert because in str(told.value)
    assert "\x1b" not in str(told.value)
    assert len(str(told.value)) < 400
    with pytest.raises(AgentLost):
        source.poll(Cursor(), ME)


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_another_status_is_no_answer(source: HttpSource, server: AgentServer, status: int) -> None:
    """A redirect isn't followed, and an error is one."""
    server.answer, server.status = b"", status
    with pytest.raises(AgentLost, match=f"it answered {status}, as no agent does"):
        source.description()


def test_a_connection_that_was_closed_is_opened_again(source: HttpSource, server: AgentServer) -> None:
    """An agent drops connections that were idle for a minute; the next poll doesn't fail for that."""
    source.description()
    assert source._connection is not None
    source._connection.sock.shutdown(socket.SHUT_RDWR)
    assert source.poll(Cursor(), ME).agent_id == "first"
    assert server.connection_count == 2


DATA = Path(__file__).parents[2] / "data" / "agent"
CERTIFICATE = DATA / "certificate.pem"  # of localhost and 127.0.0.1, signed by itself


@pytest.fixture
def encrypted_port(tmp_path: Path) -> Iterator[int]:
    """Where `pytest-energy agent` serves HTTPS, over simulated counters."""
    key = tmp_path / "key.pem"  # git keeps no permissions
    key.write_bytes((DATA / "key.pem").read_bytes())
    key.chmod(0o600)
    bench = AgentBench()
    bench.clock.sleep_s(3.0)
    with served(bench.agent, certificate=CERTIFICATE, key=key) as server:
        yield server.port


def reached(url: str, token_file: Path, ca_file: Path | None = None) -> HttpSource:
    token_file.write_text(AGENT_TOKEN)
    return HttpSource(MeterAddress.parse(url, token_file=token_file, ca_file=ca_file, environ={}))


def test_an_agent_is_read_over_tls(encrypted_port: int, token_file: Path) -> None:
    """With the file of who signed its certificate, description and ticks come through."""
    with closing(reached(f"https://127.0.0.1:{encrypted_port}", token_file, CERTIFICATE)) as source:
        assert source.description().host == "server"
        first = source.poll(Cursor(), ME)
        assert first.channels["gpu:0"].ticks
        assert source.poll(first.cursor, ME).channels["gpu:0"].ticks == ()


@pytest.mark.parametrize(
    ("place", "ca_file", "because"),
    [
        (
            "https://127.0.0.1",
            None,
            r"isn't trusted \(self.signed certificate\); name the file.*meter_ca_file=",
        ),
        ("https://127.1", CERTIFICATE, r"has another name .*mismatch.*127.1.*; use one that it has$"),
        ("http://127.0.0.1", None, "without an answer; does it serve https"),
    ],
)
def test_an_agent_that_is_not_proven_is_not_read(
    encrypted_port: int, token_file: Path, place: str, ca_file: Path | None, because: str
) -> None:
    """Who signed it is unknown, or its certificate is for another name, or TLS is left out."""
    with closing(reached(f"{place}:{encrypted_port}", token_file, ca_file)) as source:
        with pytest.raises(AgentLost, match=because) as told:
            source.description()
        assert AGENT_TOKEN not in str(told.value)


def test_tls_to_an_agent_without_it_is_no_connection(url: str, server: AgentServer) -> None:
    """The reader is asked about https, and the token isn't sent."""
    source = HttpSource(MeterAddress.parse(url.replace("http:", "https:"), environ={}))
    with pytest.raises(AgentLost, match="does it serve https"):
        source.description()
    assert server.asked == []


@contextmanager
def dripping(first: bytes, drop: bytes) -> Iterator[str]:
    """A server that sends *first*, and then *drop* for ever."""
    ended = threading.Event()

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(first)
            while not ended.wait(0.02):
                try:
                    connection.sendall(drop)
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        ended.set()
        thread.join()


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
    ],
)
def test_an_answer_that_never_ends_is_cut(first: bytes, drop: bytes) -> None:
    """A server that is silent, or sends a byte from time to time, is given up in time."""
    with dripping(first, drop) as url:
        source = HttpSource(MeterAddress.parse(url, environ={}), timeout_s=0.3)
        with pytest.raises(AgentLost):
            source.description()


def test_an_address_is_read_with_its_files() -> None:
    """Files that aren't named are those of the environment."""
    environ = {TOKEN_FILE_VARIABLE: "/run/token", CA_FILE_VARIABLE: "/run/ca.pem"}
    address = MeterAddress.parse("https://gpu-box:9100/", environ=environ)
    assert address == MeterAddress(
        url="https://gpu-box:9100",
        host="gpu-box",
        token_file=Path("/run/token"),
        ca_file=Path("/run/ca.pem"),
    )
    named = MeterAddress.parse(
        "https://gpu-box:9100", token_file=Path("t"), ca_file=Path("c"), environ=environ
    )
    assert (named.token_file, named.ca_file) == (Path("t"), Path("c"))


@pytest.mark.parametrize(
    ("url", "because"),
    [
        ("gpu-box:9100", "meter is not the address of a server"),
        ("http://ada:secret@gpu-box:9100", "meter holds a user or a password"),
        ("http://gpu-box:9100?token=secret", "meter is not the address of a server"),
    ],
)
def test_a_wrong_address_is_refused_without_its_secret(url: str, because: str) -> None:
    """The error says what to give, and holds nothing that may be a secret."""
    with pytest.raises(SettingsError, match=because) as told:
        MeterAddress.parse(url, environ={})
    assert "secret" not in str(told.value)


def test_files_that_can_not_be_used_are_said_at_once(tmp_path: Path) -> None:
    """A missing token, one that others can read, and a certificate that is none."""
    url, path = "http://127.0.0.1:1", tmp_path / "file"
    with pytest.raises(SettingsError, match=r"the token file .*No such file"):
        HttpSource(MeterAddress.parse(url, token_file=path, environ={}))
    path.write_text(TOKEN)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="other users can read"):
        HttpSource(MeterAddress.parse(url, token_file=path, environ={}))
    with pytest.raises(SettingsError, match=r"the certificate file .* can't be used"):
        HttpSource(MeterAddress.parse(url, ca_file=path, environ={}))


def test_no_text_and_no_repr_has_the_token(source: HttpSource) -> None:
    """A traceback may show any of these."""
    source.description()
    for shown in (repr(source._address), repr(vars(source)), str(source.name)):
        assert TOKEN not in shown
