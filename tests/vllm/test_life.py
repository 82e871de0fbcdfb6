"""The life of a real vLLM engine: detokenisation, a death in mid-load, and nothing left behind."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import EngineError, Request
from pytest_energy.serving.engines.vllm_engine import EngineFailed, VllmEngine
from pytest_energy.serving.load import serve

NOTICED_S = 10.0  # seen: 0.06 s


def descendants() -> set[int]:
    """Of this process, Python's own tracker of shared memory aside, which stays until the end."""
    return {
        process.pid
        for process in psutil.Process().children(recursive=True)
        if not any("resource_tracker" in word for word in process.cmdline())
    }


def belongings() -> tuple[set[int], set[threading.Thread], int]:
    """Processes, threads and sockets."""
    return descendants(), set(threading.enumerate()), len(psutil.Process().net_connections(kind="all"))


def test_a_core_that_dies_in_mid_load_fails_it_and_leaves_nothing(model: Path) -> None:
    """At once, with the engine and the request; detokenisation on and the prefix cache off until then."""
    before = belongings()
    engine = VllmEngine(
        model,
        load_format="dummy",
        data_type="float32",
        max_model_len=512,
        max_batch=4,
        has_prefix_cache=False,
        skip_tokenizer=False,
        enforce_eager=True,
    )
    try:
        assert set(engine.worker_pids()) == descendants() - before[0]
        assert engine.facts.flags["detokenisation"] == "on"
        assert asyncio.run(answered_text(engine))
        assert serve(engine, [[1, 2, 3]], Schedule(rate=float("inf")), output_tokens=2).cache is None
        began_s = time.monotonic()
        with pytest.raises(EngineError, match=r"engine vllm, request \d: vLLM's core process has died"):
            asyncio.run(kill_in_mid_answer(engine))
        with pytest.raises(EngineError, match="has died"):
            serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=1)
        assert time.monotonic() - began_s < NOTICED_S
    finally:
        engine.close()
        engine.close()
    assert belongings() == before


async def answered_text(engine: VllmEngine) -> str:
    request = Request(request_id="0", prompt=(300, 301, 302), output_tokens=12)
    return "".join([event.text or "" async for event in engine.generate(request)])


async def kill_in_mid_answer(engine: VllmEngine) -> None:
    request = Request(request_id="7", prompt=(1, 2, 3), output_tokens=500)
    async for _ in engine.generate(request):
        os.kill(engine.worker_pids()[0], signal.SIGKILL)


def test_a_load_that_fails_in_vllms_processes_leaves_nothing(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More memory for the cache than there is."""
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1000000")
    before = belongings()
    with pytest.raises(EngineFailed, match=r"engine vllm, model llama-0.7M: .*if memory ran out"):
        VllmEngine(model, load_format="dummy", data_type="float32", enforce_eager=True)
    assert belongings() == before


def test_a_wrong_configuration_is_told_in_vllms_words(model: Path) -> None:
    """Before any process is started."""
    before = belongings()
    with pytest.raises(EngineFailed, match=r"max_model_len \(99999\) is greater than"):
        VllmEngine(model, load_format="dummy", max_model_len=99999)
    assert belongings() == before
