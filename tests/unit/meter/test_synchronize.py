"""Waiting for the GPUs in use, without waking one."""

import subprocess
import sys
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock, Mock

import pytest
import torch

from pytest_energy.meter.synchronize import gpus_in_use, synchronize


class FakeCuda:
    """A machine with *device_count* GPUs, on some of which torch holds memory."""

    def __init__(self, *, is_initialized: bool, reserved: dict[int, int], current: int = 0) -> None:
        self._is_initialized, self._reserved, self._current = is_initialized, reserved, current
        self.waited_for: list[int] = []

    def is_initialized(self) -> bool:
        return self._is_initialized

    def device_count(self) -> int:
        return len(self._reserved)

    def current_device(self) -> int:
        return self._current

    def memory_reserved(self, index: int) -> int:
        return self._reserved[index]

    def synchronize(self, index: int) -> None:
        self.waited_for.append(index)


def test_does_not_import_torch() -> None:
    """In a process that doesn't use torch nothing is imported."""
    code = (
        "import sys; from pytest_energy.meter.synchronize import synchronize; synchronize(); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603  # ours


def test_does_not_initialise_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CUDA is not initialised, nothing is waited for."""
    cuda = FakeCuda(is_initialized=False, reserved={0: 1})
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    synchronize()
    assert cuda.waited_for == []


def test_waits_for_the_gpus_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """The current GPU and those with memory are waited for; an unused one is left asleep."""
    cuda = FakeCuda(is_initialized=True, reserved={0: 0, 1: 0, 2: 4096}, current=1)
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    synchronize()
    assert cuda.waited_for == [1, 2]
    assert gpus_in_use() == (1, 2)


def test_no_gpu_is_in_use_before_cuda_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither without torch nor with one that has opened nothing."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert gpus_in_use() == ()
    cuda = FakeCuda(is_initialized=False, reserved={0: 1})
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert gpus_in_use() == ()


def test_half_imported_torch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another thread imports torch, it has no `cuda` yet."""
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    synchronize()


@pytest.mark.hardware
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_waits_on_a_real_gpu() -> None:
    """After it, work that was queued has finished."""
    square = torch.randn(4096, 4096, device="cuda")
    stream = torch.cuda.current_stream()
    for _ in range(20):
        square = square @ square.T / 4096
    synchronize()
    assert stream.query()


@pytest.mark.parametrize(
    "stand_in",
    [
        None,
        Mock(),
        MagicMock(),
        ModuleType("torch"),
        SimpleNamespace(cuda=None),
        SimpleNamespace(cuda=ModuleType("torch.cuda")),
    ],
    ids=["refused", "mock", "magic mock", "empty", "without cuda", "half imported"],
)
def test_a_stand_in_for_torch_uses_no_gpu(monkeypatch: pytest.MonkeyPatch, stand_in: object) -> None:
    """A test may put anything in torch's place: it is neither waited for nor taken for an open device."""
    monkeypatch.setitem(sys.modules, "torch", stand_in)
    synchronize()
    assert gpus_in_use() == ()
