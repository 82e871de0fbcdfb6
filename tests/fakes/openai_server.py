"""An OpenAI-compatible server on this machine's loopback, in a thread, that answers by script.

What it sends is what vLLM 0.2x sends to the same request, field for field, as far as an engine looks at it.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

HANG = "hang"  # send nothing more, keep the connection
CUT = "cut"  # drop the connection
DRIP = "drip"  # send a blank every hundredth of a second, until the other side gives up
COMMENTS = "comments"  # the same with comments of an event stream

Step = bytes | str

SIZE = "size"  # begin a transfer chunk whose size has no last digit

_BLANKS = {DRIP: b" ", COMMENTS: b": still here\n\n"}
_DRIP_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came in; names of headers are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Head and pieces of an answer; each piece is one transfer chunk, or one of the words above.

    With a *length* in the head pieces are no chunks, and the connection ends with the last one.
    """

    status: int = 200
    content_type: str = "text/event-stream"
    headers: dict[str, str] = field(default_factory=dict)
    steps: Sequence[Step] = ()
    length: int | None = None


def event(content: object) -> bytes:
    return b"data: " + json.dumps(content).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def json_reply(content: object, status: int = 200) -> Reply:
    return Reply(status=status, content_type="application/json", steps=(json.dumps(content).encode(),))


def text_reply(text: str, status: int = 200) -> Reply:
    return Reply(status=status, content_type="text/plain; version=0.0.4", steps=(text.encode(),))


def models_reply(*names: str) -> Reply:
    """The list of models, as vLLM gives it."""
    cards = [{"id": name, "object": "model", "owned_by": "vllm", "max_model_len": 4096} for name in names]
    return json_reply({"object": "list", "data": cards})


def chunk(text: str, **more: object) -> bytes:
    """A chunk with *text*; usage and error are its own fields, the rest belongs to its choice."""
    own: dict[str, object] = {name: more.pop(name) for name in ("usage", "error") if name in more}
    return event({"choices": [{"index": 0, "text": text, "finish_reason": None, **more}], **own})


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def answer(asked: Asked) -> Reply:
    """The whole answer, a chunk a token."""
    fields = asked.fields
    length, prompt = fields["max_tokens"], len(fields["prompt"])
    options = fields.get("stream_options") or {}
    ids = fields.get("return_token_ids")
    chunks = [
        chunk(
            "x",
            finish_reason="length" if count == length else None,
            **({"usage": usage(prompt, count)} if options.get("continuous_usage_stats") else {}),
            **({"token_ids": [count]} if ids else {}),
        )
        for count in range(1, length + 1)
    ]
    if options.get("include_usage"):
        chunks.append(event({"choices": [], "usage": usage(prompt, length)}))
    return Reply(steps=(*chunks, DONE))


class FakeOpenAiServer:
    """Listens on a free port of 127.0.0.1 inside a `with` block.

    Attributes:
        pages: Path to the reply of a GET; another path is not found.
        completion: Makes the reply to a completion.
        asked: All requests so far.
        accepted_count: Connections so far.
    """

    def __init__(self, completion: Callable[[Asked], Reply] = answer) -> None:
        self.pages = {"/v1/models": models_reply("tiny")}
        self.completion = completion
        self.asked: list[Asked] = []
        self.accepted_count = 0
        self.port = 0
        self._open_count = 0
        self._none_open = threading.Condition()
        self._transports: list[asyncio.WriteTransport] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-openai-server")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def completions(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == "/v1/completions"]

    def has_no_connection(self, *, within_s: float = 60.0) -> bool:
        """Whether all connections are closed; waits for the last."""
        with self._none_open:
            return self._none_open.wait_for(lambda: self._open_count == 0, timeout=within_s)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**26)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        for listener in server.sockets:
            self._loop.remove_reader(listener.fileno())
        await asyncio.sleep(0)  # a connection that the loop has found becomes a task
        while accepting := asyncio.all_tasks() - {asyncio.current_task(), *self._tasks}:
            await asyncio.gather(*accepting)  # cancelled, or after the close, one would leave its socket open
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._transports:  # also those whose task was cancelled before it began
            transport.abort()
        await asyncio.sleep(0)  # transports that were aborted close their sockets in the loop's next turn
        await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._transports.append(writer.transport)
        self._tasks.append(self._loop.create_task(self._connection(reader, writer)))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted_count += 1
        self._count_open(1)
        try:
            while asked := await _read(reader):
                self.asked.append(asked)
                reply = self._reply(asked)
                if not await self._send(reader, writer, reply):
                    return
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.transport.abort()
            self._count_open(-1)

    def _reply(self, asked: Asked) -> Reply:
        if asked.method == "POST" and asked.path == "/v1/completions":
            return self.completion(asked)
        return self.pages.get(asked.path, json_reply({"detail": "Not Found"}, 404))

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        """Send *reply*; whether the connection can go on."""
        more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
        size = "Transfer-Encoding: chunked" if reply.length is None else f"Content-Length: {reply.length}"
        head = (
            f"HTTP/1.1 {reply.status} Scripted\r\nContent-Type: {reply.content_type}\r\n{size}\r\n{more}\r\n"
        )
        writer.write(head.encode())
        if reply.length is not None:
            writer.write(b"".join(step for step in reply.steps if isinstance(step, bytes)))
            writer.close()
            await writer.wait_closed()
            return False
        for step in reply.steps:
            if step == CUT:
                return False
            if step == HANG:
                await reader.read()  # until the other side gives up
                return False
            while step in _BLANKS:
                await _write_chunk(writer, _BLANKS[str(step)])
                await asyncio.sleep(_DRIP_S)
            while step == SIZE:
                writer.write(b"0")
                await writer.drain()
                await asyncio.sleep(_DRIP_S)
            assert isinstance(step, bytes)
            await _write_chunk(writer, step)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _count_open(self, change: int) -> None:
        with self._none_open:
            self._open_count += change
            self._none_open.notify_all()


async def _write_chunk(writer: asyncio.StreamWriter, content: bytes) -> None:
    writer.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")
    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    """The next request, or `None` when the other side has closed."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method=method, path=path, headers=headers, body=body)
