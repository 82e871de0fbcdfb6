"""The far side of `benchmarks.remote.namespace`: a server that works, an agent beside it, and the truth.

The counter is simulated: a power while nothing works, and joules for each second of the server's processor
time. So its joules are known at every moment, and a thread writes them down.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.remote.here import agent_here
from pytest_energy.remote.private_file import read_token
from pytest_energy.remote.server import AgentServer, Place
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage

STILL_W = 40.0
J_PER_CPU_S = 120.0

_STEP_S = 0.002  # between two lines of the truth
_PROMPT_S = 5e-5  # for a read of it: 8 mJ at 160 W
_TOKEN_CPU_S = 0.004  # of a token


class ServerCounter:
    """Joules of the server's processor time, as if a board had counted them."""

    name = "simulated"
    provenance = Provenance.MEASURED

    def __init__(self, server_pid: int) -> None:
        self._clock_id = (~server_pid << 3) | 2  # as clock_getcpuclockid(3) makes it
        self.channels = (
            Channel(
                name="cpu:server",
                domain=Domain.CPU,
                device="cpu-server",
                is_ticked=False,
                resolution_j=1e-6,
            ),
        )

    def read_j(self, channel: str = "cpu:server") -> float:
        del channel
        return STILL_W * time.monotonic() + J_PER_CPU_S * time.clock_gettime(self._clock_id)

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts(fixed={"board": "simulated"}, key_parts=("simulated",))

    def close(self) -> None:
        """Nothing is open."""


def write_truth(counter: ServerCounter, path: Path) -> None:
    """Write the monotonic time and the joules there every few milliseconds, for ever.

    A read that was held up is left out: when its value was is not known.
    """
    with path.open("w") as file:
        while True:
            before_s, joules, after_s = time.monotonic(), counter.read_j(), time.monotonic()
            if after_s - before_s < _PROMPT_S:
                file.write(f"{(before_s + after_s) / 2:.6f} {joules:.6f}\n")
                file.flush()
            time.sleep(_STEP_S)


def serve_completions(host: str, port: int) -> None:
    """An OpenAI-compatible server whose tokens each take some processor time."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            card = {"id": "stand-in", "object": "model", "owned_by": "vllm", "max_model_len": 4096}
            is_models = self.path == "/v1/models"
            self._send(json.dumps({"object": "list", "data": [card]}).encode(), 200 if is_models else 404)

        def _send(self, content: bytes, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            prompt_count, count = len(asked["prompt"]), asked["max_tokens"]
            for number in range(1, count + 1):
                end_s = time.thread_time() + _TOKEN_CPU_S
                while time.thread_time() < end_s:
                    pass
                self._event(_chunk(number, prompt_count, is_last=number == count))
            self._event("[DONE]")
            self.wfile.write(b"0\r\n\r\n")

        def _event(self, text: str) -> None:
            piece = f"data: {text}\n\n".encode()
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    ThreadingHTTPServer((host, port), Handler).serve_forever()


def _chunk(number: int, prompt_count: int, *, is_last: bool) -> str:
    usage = {
        "prompt_tokens": prompt_count,
        "completion_tokens": number,
        "total_tokens": prompt_count + number,
    }
    choice = {"index": 0, "text": "x", "finish_reason": "length" if is_last else None}
    return json.dumps({"choices": [choice], "usage": usage})


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> None:
    host, folder = sys.argv[1], Path(sys.argv[2])
    if sys.argv[3:] == ["server"]:
        serve_completions(host, 8000)
        return
    words = [sys.executable, "-m", "benchmarks.remote.far_side", host, str(folder), "server"]
    with subprocess.Popen(words) as server:  # noqa: S603  # our own words
        try:
            _measure(server.pid, host, folder)
        finally:
            server.kill()


def _measure(server_pid: int, host: str, folder: Path) -> None:
    counter = ServerCounter(server_pid)
    threading.Thread(target=write_truth, args=(counter, folder / "truth"), daemon=True).start()
    place = Place(host=host, port=8365, token=read_token(folder / "token"))
    extra = {"simulated": lambda: counter}
    with agent_here(("simulated",), extra=extra) as here, place.listener() as listener:
        (folder / "pids").write_text(f"{os.getpid()} {server_pid}")
        asyncio.run(AgentServer(here.agent, place, tell=_say).run(listener, place.context()))


if __name__ == "__main__":
    main()
