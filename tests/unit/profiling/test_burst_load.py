"""Bursts of a length that is asked for, on a CPU in place of a GPU."""

import importlib.util
from typing import Any

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.profiling import burst_load
from pytest_energy.profiling.burst_load import GpuBursts
from tests.fakes.meter import VirtualClock


def test_a_burst_is_as_many_products_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes are tried until a product takes long enough; 5 ms are then five of 1 ms."""
    torch = pytest.importorskip("torch")
    clock, sizes = VirtualClock(), []

    def mm(left: Any, right: Any, *, out: Any) -> None:
        assert left is right
        assert out.shape == left.shape
        sizes.append(len(left))
        clock.sleep_s(1e-3 * (len(left) / 16) ** 3)

    monkeypatch.setattr(torch, "mm", mm)
    monkeypatch.setattr(burst_load, "_SMALLEST", 4)
    load = GpuBursts("cpu", clock)
    load.prepare()
    assert sorted(set(sizes)) == [4, 8, 16]
    sizes.clear()
    load.run(5e-3)
    assert sizes == [16] * 5
    sizes.clear()
    load.run(1e-6)
    assert sizes == [16]


def test_without_torch_there_is_no_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is how to get it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NotMeasurable, match="pip install torch"):
        GpuBursts("cpu", VirtualClock()).prepare()


def test_a_device_that_fails_is_named() -> None:
    """As torch says it; a load that isn't prepared does nothing."""
    pytest.importorskip("torch")
    with pytest.raises(NotMeasurable, match="isn't prepared"):
        GpuBursts("cpu", VirtualClock()).run(0.1)
    with pytest.raises(NotMeasurable, match="torch can't multiply on nowhere"):
        GpuBursts("nowhere", VirtualClock()).prepare()
