"""Loads: at work from start to stop, and never longer."""

import importlib.util
import subprocess
import sys
from typing import Any

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Domain
from pytest_energy.profiling.load import CpuLoad, GpuLoad, make_current


def test_a_cpu_load_works_until_it_is_stopped() -> None:
    """Each process is at work when start returns, and gone when stop returns."""
    load = CpuLoad(process_count=2)
    load.start()
    processes = tuple(load._processes)
    assert [process.poll() for process in processes] == [None, None]
    load.stop()
    assert all(process.poll() is not None for process in processes)
    load.stop()


def test_a_cpu_load_takes_all_cpus() -> None:
    """Without a number there is a process for each CPU that may be used."""
    load = CpuLoad()
    assert load.what.endswith("busy CPU(s)")
    assert load.domains == {Domain.CPU, Domain.DRAM}


def test_a_cpu_load_that_cant_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no process can be started there is no load, with the system's reason."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(NotMeasurable, match="no process could be started"):
        CpuLoad(process_count=1).start()


def test_a_gpu_load_multiplies_until_it_is_stopped() -> None:
    """Products are made from start to stop, here on the CPU."""
    pytest.importorskip("torch")
    load = GpuLoad(devices=["cpu"], size=8)
    load.start()
    thread = load._thread
    assert thread is not None
    assert thread.is_alive()
    load.stop()
    assert not thread.is_alive()


def test_a_gpu_load_without_a_gpu_says_so() -> None:
    """A torch that sees no GPU is told with its version."""
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(NotMeasurable, match=r"torch .* finds no GPU through CUDA"):
        GpuLoad().start()


def test_a_gpu_load_on_a_device_that_fails_says_so() -> None:
    """What torch can't do is told with the device, not raised as torch's own error."""
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(NotMeasurable, match="torch can't multiply on mps:0"):
        GpuLoad(devices=["mps:0"], size=8).start()


def test_a_gpu_load_without_torch_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch there is no load, and the reason is how to get it."""
    find_spec = importlib.util.find_spec

    def find_no_torch(name: str, *rest: Any) -> Any:
        return None if name == "torch" else find_spec(name, *rest)

    monkeypatch.setattr(importlib.util, "find_spec", find_no_torch)
    with pytest.raises(NotMeasurable, match="torch is not installed: pip install torch"):
        GpuLoad().start()


def test_a_gpu_load_that_fails_on_the_way_says_so() -> None:
    """A failure in the middle is told at stop."""
    pytest.importorskip("torch")
    load = GpuLoad(devices=["cpu"], size=8)
    load.start()
    matrix, product = load._pairs[0]
    load._pairs[0] = (matrix[:4], product)  # no longer square
    assert load._thread is not None
    load._thread.join(timeout=30)
    with pytest.raises(NotMeasurable, match="torch failed to multiply"):
        load.stop()


def test_a_thread_gets_the_context_of_each_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each CUDA device is set and called once; the rest of torch's devices have no context."""
    torch = pytest.importorskip("torch")
    calls: list[tuple[str, str]] = []
    for name in ("set_device", "synchronize"):
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: calls.append((name, str(device))))
    make_current([torch.device("cpu"), torch.device("cuda:0"), torch.device("cuda:1")])
    assert calls == [(name, gpu) for gpu in ("cuda:0", "cuda:1") for name in ("set_device", "synchronize")]


@pytest.mark.hardware
def test_a_gpu_load_warns_of_nothing() -> None:
    """The thread that multiplies has a context: cuBLAS finds it and is silent."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    code = (
        "from pytest_energy.profiling.load import GpuLoad\n"
        "load = GpuLoad(size=256)\nload.start()\nload.stop()\n"
    )
    shown = subprocess.run(  # noqa: S603  # our own interpreter and text
        [sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True
    )
    assert "CUDA context" not in shown.stderr
