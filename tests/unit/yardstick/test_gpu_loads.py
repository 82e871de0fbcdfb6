"""The loads of a GPU: what they start on it, when they may, and what they leave behind."""

import subprocess
import sys

import pytest
import torch

from pytest_energy.model import Domain
from pytest_energy.yardstick.gpu_loads import gpu_loads
from pytest_energy.yardstick.load import FixedLoad, LoadSet
from tests.fakes.hand_clock import HandClock
from tests.fakes.torch_cuda import FakeTorch


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeTorch:
    fake = FakeTorch(is_open=True)
    monkeypatch.setitem(sys.modules, "torch", fake)
    return fake


def why_not(loads: LoadSet, *, may_open: bool) -> str | None:
    return loads.why_not_ready(may_open)


def load_named(name: str) -> FixedLoad:
    return next(load for load in gpu_loads(HandClock()).loads if load.name == name)


def test_what_they_are() -> None:
    """Rest comes before the others heat the card; they move the joules of the GPU alone."""
    loads = gpu_loads(HandClock())
    assert [load.test_id for load in loads.loads] == [
        "yardstick::gpu-rest",
        "yardstick::gpu-compute",
        "yardstick::gpu-memory",
        "yardstick::gpu-launches",
    ]
    assert loads.domains == {Domain.GPU}


def test_torch_is_never_imported() -> None:
    """In a process that doesn't use torch the loads are not ready, and torch is not there afterwards."""
    code = (
        "import sys; from pytest_energy.meter.clock import SystemClock; from "
        "pytest_energy.yardstick.gpu_loads import gpu_loads; because = "
        "gpu_loads(SystemClock()).why_not_ready(True); sys.exit(0 if 'torch' not in sys.modules and "
        "because.startswith('the loads of a GPU need torch') else 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603  # ours


def test_a_closed_gpu_is_left_closed(gpu: FakeTorch) -> None:
    """Without leave to open it the loads wait; with leave they need a GPU that torch sees."""
    gpu.cuda.is_open = False
    loads = gpu_loads(HandClock())
    assert "--energy-yardstick=on" in (why_not(loads, may_open=False) or "")
    assert why_not(loads, may_open=True) is None
    assert not gpu.cuda.is_open


def test_an_open_gpu_is_ready(gpu: FakeTorch) -> None:
    """Where the suite has opened it, nobody need be asked."""
    assert gpu.cuda.is_open
    assert why_not(gpu_loads(HandClock()), may_open=False) is None


def test_torch_without_a_gpu_is_never_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch for processors alone has no GPU to open."""
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(is_there=False))
    assert why_not(gpu_loads(HandClock()), may_open=True) == "torch sees no CUDA device"


@pytest.mark.parametrize(
    ("name", "kernel"), [("compute", "mm"), ("memory", "copy"), ("launches", "add")], ids=lambda word: word
)
def test_a_round_starts_what_its_record_says(gpu: FakeTorch, name: str, kernel: str) -> None:
    """As many kernels as units, and when the function returns the device has done them."""
    repeat = load_named(name).make()
    gpu.started.clear()
    repeat(7)
    assert gpu.started == {kernel: 7}
    assert gpu.cuda.pending_count == 0


def test_the_amounts_are_those_of_the_units(gpu: FakeTorch) -> None:
    """Matrices of 8192 x 8192 in two bytes each, and copies of 1 GiB."""
    load_named("compute").make()
    assert gpu.byte_counts == [2 * 8192 * 8192] * 3
    gpu.byte_counts.clear()
    load_named("memory").make()
    assert gpu.byte_counts == [2**30] * 2


def test_the_data_are_the_same_every_time(gpu: FakeTorch) -> None:
    """What a product draws depends on its bits; they come from a seed, and not from the suite's generator."""
    load_named("compute").make()
    load_named("memory").make()
    first = gpu.seeds[:]
    load_named("compute").make()
    load_named("memory").make()
    assert None not in first
    assert gpu.seeds == first * 2


def test_rest_opens_the_gpu_first(gpu: FakeTorch) -> None:
    """Ready power is that of an open context; opening it is no part of the rest."""
    gpu.cuda.is_open = False
    clock = HandClock()
    (rest, *_) = gpu_loads(clock).loads
    repeat = rest.make()
    assert gpu.cuda.is_open
    assert gpu.cuda.pending_count == 0
    gpu.started.clear()
    repeat(1)
    assert gpu.started == {}


def test_the_memory_is_given_back(gpu: FakeTorch) -> None:
    """A test that fills the GPU has as much as without the yardstick, and a peak of its own."""
    gpu_loads(HandClock()).release()
    assert gpu.cuda.calls == ["empty_cache", "reset_peak_memory_stats"]


@pytest.mark.hardware
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_real_gpu() -> None:
    """The least amount of each load runs; random numbers go on where they were, and the memory comes back."""
    torch.zeros(1, device="cuda")
    before, reserved = torch.cuda.get_rng_state(), torch.cuda.memory_reserved()
    loads = gpu_loads(HandClock())
    for load in loads.loads:
        load.make()(load.unit_counts[-1])
    loads.release()
    assert torch.equal(torch.cuda.get_rng_state(), before)
    assert torch.cuda.memory_reserved() <= reserved + 2**27  # what cuBLAS keeps for itself
