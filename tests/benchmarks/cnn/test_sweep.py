"""The batch sweeps of training and inference, and the memory that they may use."""

import pytest
import torch

from benchmarks.cnn.memory import limit_memory, peak_memory, start_peak
from benchmarks.profiles import GPU


def test_rounds_of_inference_are_as_long() -> None:
    """Three forward batches for each training step, for each model and size of the sweep."""
    sweep = GPU.cnn.sweep
    for swept in sweep.models:
        for size in sweep.batch_sizes:
            assert sweep.inference_step_count(swept, size) == 3 * sweep.step_count(swept, size)


def test_memory_of_a_processor_is_not_counted() -> None:
    """Torch counts the memory of a GPU alone: on a processor the metric is missing, and not 0."""
    start_peak("cpu")
    assert peak_memory("cpu") == {}


def test_memory_is_the_most_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """What earlier tests had in use is forgotten first."""
    peaks = [7.0]
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: peaks.__setitem__(0, 3.0))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: peaks[0])
    start_peak("cuda")
    assert peak_memory("cuda") == {"peak_memory_bytes": 3.0}


def test_memory_is_limited_where_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only on a GPU, and only if a share is given."""
    limits: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limits.append)
    for device, share in (("cuda", 0.05), ("cuda", None), ("cpu", 0.05)):
        limit_memory(device, share)
    assert limits == [0.05]


@pytest.mark.parametrize("share", ["0", "1.5", "nan", "half"])
def test_a_share_is_above_0_and_at_most_1(share: str, pytester: pytest.Pytester) -> None:
    """Anything else stops the run before its work."""
    run = pytester.runpytest_inprocess("-p", "benchmarks.conftest", f"--memory-share={share}")
    assert run.ret == 4
    assert f"not '{share}'" in run.stderr.str()
