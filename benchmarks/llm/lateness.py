"""How late requests leave: the schedule against a server on this machine that answers at once.

    python -m benchmarks.llm.lateness [seconds]

Two engines are driven at 100 and 1,000 requests a second: one that does nothing, which shows what the
schedule itself costs, and the HTTP engine against a server process that answers one token at once. A load
whose requests leave late is not the asked one. Wanted: p99 at most 1 ms at 100 requests a second and 5 ms
at 1,000.
"""

import asyncio
import multiprocessing
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint
from pytest_energy.serving.engines.protocol import CacheCounters, Engine, EngineFacts, Request, TokenEvent
from pytest_energy.serving.load import serve
from pytest_energy.serving.load_result import percentile

RATES = (100.0, 1000.0)
DURATION_S = 10.0
PROMPT_TOKENS = 128
MODEL = "instant"

_CHUNK = (
    b'data: {"id":"0","object":"text_completion","created":0,"model":"instant",'
    b'"choices":[{"index":0,"text":"x","finish_reason":"length"}],'
    b'"usage":{"prompt_tokens":%d,"completion_tokens":1,"total_tokens":%d}}\n\n'
    b"data: [DONE]\n\n"
)
_MODELS = b'{"object":"list","data":[{"id":"instant"}]}'
_REPLY = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s"


class InstantServer(asyncio.Protocol):
    """Answers every completion with one token, everything else with its list of models or not at all."""

    def __init__(self) -> None:
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, received: bytes) -> None:
        self._received += received
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end or self._transport is None:
            return
        _, _, length = head.lower().partition(b"content-length: ")
        if length and len(body) < int(length.split(b"\r\n", 1)[0]):
            return
        self._received = b""
        self._transport.write(_reply(head))


def _reply(head: bytes) -> bytes:
    if head.startswith(b"POST"):
        content = _CHUNK % (PROMPT_TOKENS, PROMPT_TOKENS + 1)
        return _REPLY % (b"200 OK", b"text/event-stream", len(content), content)
    if head.startswith(b"GET /v1/models"):
        return _REPLY % (b"200 OK", b"application/json", len(_MODELS), _MODELS)
    return _REPLY % (b"404 Not Found", b"application/json", 2, b"{}")


def _serve(pipe: Connection) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(InstantServer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def instant_server() -> Iterator[str]:
    """Address of a server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()
        process.close()
        ours.close()
        theirs.close()


class NoEngine:
    """Answers one token without doing anything."""

    name = "nothing"
    facts = EngineFacts(model=MODEL, parameters=None, size_bytes=None, vram_bytes=None)

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        assert request.output_tokens == 1
        yield TokenEvent(count=1)

    def cache_counters(self) -> CacheCounters | None:
        return None

    async def queue_depth(self) -> int | None:
        return None

    def worker_pids(self) -> tuple[int, ...]:
        return ()

    def close(self) -> None:
        pass


def measure(engine: Engine, rate: float, duration_s: float) -> str:
    """Drive *engine* at *rate*; one line of figures."""
    prompts = [[*range(PROMPT_TOKENS)]] * round(rate * duration_s)
    start_cpu_s = time.thread_time()
    result = serve(engine, prompts, Schedule(rate=rate), output_tokens=1)
    cpu_s = time.thread_time() - start_cpu_s
    late_ms = [1000 * (request.submitted_s - request.due_s) for request in result.served]
    ttft_ms = [1000 * request.ttft_s for request in result.served]
    figures = (
        *(percentile(late_ms, share) for share in (0.5, 0.99, 1.0)),
        *(percentile(ttft_ms, share) for share in (0.5, 0.99)),
        1000 * cpu_s / len(prompts),
    )
    return f"{engine.name:<16}{rate:>6g}" + "".join(f"{figure:>10.3f}" for figure in figures)


def main(duration_s: float = DURATION_S) -> None:
    """Measure and print both engines at each rate."""
    heads = ("late p50", "p99", "max", "TTFT p50", "p99", "CPU ms")
    print(f"{'engine':<16}{'rate':>6}" + "".join(f"{head:>10}" for head in heads) + "   (ms)")  # noqa: T201
    with instant_server() as url, OpenAiEndpoint(url) as endpoint:
        for engine in (NoEngine(), endpoint):
            for rate in RATES:
                print(measure(engine, rate, duration_s), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:]))
