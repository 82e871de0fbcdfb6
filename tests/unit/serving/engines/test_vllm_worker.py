"""What vLLM's workers report of the model that they hold."""

from typing import Any

import pytest

from pytest_energy.serving.engines.vllm_worker import WeightReport, weight_report

torch = pytest.importorskip("torch")


class FakeLayer:
    """An attention layer, which tells its kernels."""

    @staticmethod
    def get_attn_backend() -> Any:
        return type("Backend", (), {"get_name": staticmethod(lambda: "FLASH_ATTN")})


class FakeWorker(WeightReport):
    """A worker of vLLM with a model on a device."""

    def __init__(self, model: Any, device: str) -> None:
        self.model = model
        self.device = torch.device(device)
        context = {"layers.0.attn": FakeLayer(), "layers.0.mlp": object()}
        compilation = type("Compilation", (), {"static_forward_context": context})
        self.vllm_config = type("Config", (), {"compilation_config": compilation})

    def get_model(self) -> Any:
        return self.model


def test_a_worker_on_a_cpu_tells_its_kernels_but_no_size() -> None:
    """Kernels for CPUs repack weights out of sight."""
    report = FakeWorker(torch.nn.Linear(3, 5), "cpu").report_weights()
    assert report == {"size_bytes": None, "vram_bytes": None, "attention": ["FLASH_ATTN"]}


def test_a_worker_on_a_gpu_tells_the_bytes_of_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers included, memory that two names share once."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False), torch.nn.Linear(4, 4, bias=False))
    model[1].weight = model[0].weight
    model.register_buffer("scale", torch.zeros(3, dtype=torch.bfloat16))
    model.register_buffer("view", model.scale[1:])
    properties = type("Properties", (), {"total_memory": 80})
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    worker = FakeWorker(model, "cuda")
    report = weight_report(worker.model, worker.device, worker.vllm_config)
    assert report == {"size_bytes": 4 * 16 + 2 * 3, "vram_bytes": 80, "attention": ["FLASH_ATTN"]}
