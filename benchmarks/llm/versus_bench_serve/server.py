"""The server that both clients ask: a vLLM with random weights, which ends with the block that runs it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.llm.versus_bench_serve.devices import Device
from pytest_energy.errors import NotMeasurable

SERVER_END_S = 30.0
LOG_LENGTH = 4000  # characters of a log that an error repeats

OFFLINE = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
"""Variables that keep server and client from asking or telling anyone else."""


def write_model(folder: Path, size: str, *, position_count: int) -> Path:
    """A model without weights and a tokenizer of a word a token, so that any ids survive being text."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from benchmarks.llm.models import SIZES, write_config

    words = {f"w{token}": token for token in range(SIZES[size].vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))  # noqa: S106 (a word, no password)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    wrapper: Any = PreTrainedTokenizerFast  # published without types
    wrapper(tokenizer_object=tokenizer).save_pretrained(str(folder))
    return write_config(folder, size, position_count=position_count)


def server_arguments(model: Path, device: Device, *, port: int, longest: int) -> list[str]:
    """What Python is called with to serve *model* to this machine alone.

    Args:
        model: Folder of the model.
        device: Where it runs.
        port: Where it listens.
        longest: Tokens of a request, answer included.
    """
    return [
        *("-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--host", "127.0.0.1", "--port", str(port), "--disable-uvicorn-access-log"),
        *("--load-format", "dummy", "--no-enable-prefix-caching", "--max-model-len", str(longest)),
        *device.flags,
    ]


@contextmanager
def running_server(model: Path, folder: Path, device: Device, *, longest: int) -> Iterator[str]:
    """URL of a vLLM that serves *model* on *device*, without its prefix cache.

    Args:
        model: Folder of the model.
        folder: For the log.
        device: Where it runs.
        longest: Tokens of a request, answer included.

    Raises:
        NotMeasurable: It doesn't start.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, *server_arguments(model, device, port=port, longest=longest)]
    environment = {**os.environ, **OFFLINE, **device.environment}
    log_path = folder / "server.log"
    with (
        log_path.open("wb") as log,
        # A session of its own: Ctrl-C is for this process, which ends the server when the run is over.
        subprocess.Popen(  # noqa: S603 (written above)
            command, stdout=log, stderr=log, env=environment, start_new_session=True
        ) as server,
    ):
        try:
            url = f"http://127.0.0.1:{port}"
            _await_health(f"{url}/health", server, log_path, longest_s=device.start_s)
            yield url
        finally:
            end_server(server)


def _await_health(url: str, server: subprocess.Popen[bytes], log_path: Path, *, longest_s: float) -> None:
    deadline_s = time.monotonic() + longest_s
    while server.poll() is None and time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=5.0):  # noqa: S310 (our own server)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    log = log_path.read_text(errors="replace")[-LOG_LENGTH:]
    raise NotMeasurable(f"the server did not start within {longest_s:g} s; its last words:\n{log}")


def end_server(server: subprocess.Popen[bytes]) -> None:
    """End the server and all that it started."""
    import psutil

    family = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
    server.terminate()
    try:
        server.wait(SERVER_END_S)
    except subprocess.TimeoutExpired:
        server.kill()
    _, alive = psutil.wait_procs(family, timeout=SERVER_END_S)
    for process in alive:
        process.kill()
