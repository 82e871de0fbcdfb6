"""A stand-in for GitHub's and GitLab's APIs of comments, in a thread on this machine's loopback."""

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

ME, SOMEBODY = "energy-bot", "somebody"
_PATH = re.compile(
    r"/repos/owner/name/issues/(?:(?P<of>7)/comments|comments/(?P<id>\d+))"
    r"|/projects/42/merge_requests/(?P<of_merge>7)/notes(?:/(?P<note>\d+))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status in place of what the API would have done."""

    status: int
    fields: object = None
    headers: dict[str, str] = field(default_factory=dict)
    is_after: bool = False  # the request was carried out, and only its answer is this


class ForgeServer:
    """Comments of pull request 7 of owner/name and of merge request 7 of project 42, which are the same.

    Attributes:
        comments: Id to author and body.
        requests: Method and path of each request so far.
        tokens: What the requests brought as a token.
        answers: Taken one after the other in place of the next answers; `None` is the usual one.
        before_create: Called with the server before a comment is made, once.
        page_limit: Entries of a page at most, whatever is asked for.
    """

    def __init__(self, *, is_app: bool = False, page_limit: int = 100) -> None:
        self.comments: dict[int, tuple[str, str]] = {}
        self.requests: list[str] = []
        self.tokens: set[str] = set()
        self.answers: list[Answer | None] = []
        self.before_create: Callable[..., None] | None = None
        self.page_limit = page_limit
        self.is_app = is_app
        self._lock = threading.RLock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def add(self, body: str, author: str = ME) -> int:
        with self._lock:
            number = max(self.comments, default=100) + 1
            self.comments[number] = (author, body)
        return number

    def bodies(self, author: str = ME) -> list[str]:
        return [body for one, body in self.comments.values() if one == author]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def answer(self, method: str, target: str, fields: dict[str, Any]) -> Answer:
        with self._lock:
            self.requests.append(f"{method} {target}")
            instead = self.answers.pop(0) if self.answers else None
        if instead is not None and not instead.is_after:
            return instead
        usual = self._usual(method, target, fields)
        return usual if instead is None else instead

    def _usual(self, method: str, target: str, fields: dict[str, Any]) -> Answer:
        parts = urlsplit(target)
        if parts.path == "/user":
            refused = Answer(status=403, fields={"message": "Resource not accessible by integration"})
            return refused if self.is_app else Answer(status=200, fields={"login": ME, "username": ME})
        if parts.path == "/graphql":
            return Answer(status=200, fields={"data": {"viewer": {"login": ME}}})
        place = _PATH.fullmatch(parts.path)
        if place is None:
            return Answer(status=404, fields={"message": "Not Found"})
        number = place["id"] or place["note"]
        if number is not None:
            return self._change(method, int(number), fields)
        return self._create(fields) if method == "POST" else self._page(parse_qs(parts.query))

    def _page(self, query: dict[str, list[str]]) -> Answer:
        size = min(int(query["per_page"][0]), self.page_limit)
        start = (int(query["page"][0]) - 1) * size
        numbers = sorted(self.comments)[start : start + size]
        return Answer(status=200, fields=[self._shown(number) for number in numbers])

    def _create(self, fields: dict[str, Any]) -> Answer:
        with self._lock:
            meanwhile, self.before_create = self.before_create, None
        if meanwhile is not None:
            meanwhile(self)
        return Answer(status=201, fields=self._shown(self.add(fields["body"])))

    def _change(self, method: str, number: int, fields: dict[str, Any]) -> Answer:
        with self._lock:
            if number not in self.comments:
                return Answer(status=404, fields={"message": "Not Found"})
            if method == "DELETE":
                del self.comments[number]
                return Answer(status=204)
            self.comments[number] = (self.comments[number][0], fields["body"])
            return Answer(status=200, fields=self._shown(number))

    def _shown(self, number: int) -> dict[str, object]:
        author, body = self.comments[number]
        of = {"login": author, "username": author}
        return {
            "id": number,
            "body": body,
            "user": of,
            "author": of,
            "html_url": f"https://forge.example/c/{number}",
        }


def _handler(server: ForgeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            server.tokens.add(self.headers.get("PRIVATE-TOKEN") or self.headers.get("Authorization") or "")
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = server.answer(self.command, self.path, json.loads(content) if content else {})
            sent = b"" if answer.fields is None else json.dumps(answer.fields).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(sent)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _do  # noqa: N815  # names of the library

        def log_message(self, *_: object) -> None:
            """Nothing goes to the screen."""

    return Handler
