"""An agent's HTTP server for tests: any source, or any answer, behind a real socket."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pytest_energy.remote import wire
from pytest_energy.remote.protocol import AgentSource


class AgentServer:
    """Answers for *source* to those who have the token.

    Attributes:
        answer: Sent in place of the source's, if it is not `None`.
        status: Of every answer.
        asked: Paths of the requests, in order.
    """

    def __init__(self, source: AgentSource, token: str | None = None) -> None:
        self.source, self.token = source, token
        self.answer: bytes | None = None
        self.status = 200
        self.asked: list[str] = []
        self.connection_count = 0

    def content(self, path: str, body: bytes) -> bytes:
        if path == wire.DESCRIPTION_PATH:
            return wire.description_to_json(self.source.description())
        who, cursor = wire.ask_of(body, "the request")
        if path == wire.RELEASE_PATH:
            self.source.release(who)
            return b"{}"
        return wire.poll_to_json(self.source.poll(cursor, who))


@contextmanager
def serving(server: AgentServer) -> Iterator[str]:
    """The address of *server* while it runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            server.connection_count += 1
            super().setup()

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            server.asked.append(self.path)
            is_right = server.token is None or self.headers["Authorization"] == f"Bearer {server.token}"
            content = server.answer if server.answer is not None else b""
            if is_right and server.answer is None:
                content = server.content(self.path, body)
            self.send_response(server.status if is_right else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
