"""What a vLLM engine is made with: what is refused, and the names that vLLM has for it."""

import sys
from dataclasses import make_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.serving.engines.vllm_settings import VllmSettings


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM 0.99, as far as its arguments go."""
    arguments = make_dataclass("AsyncEngineArgs", ["max_num_seqs", "kv_cache_dtype"])
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(__version__="0.99"))
    monkeypatch.setitem(sys.modules, "vllm.engine.arg_utils", SimpleNamespace(AsyncEngineArgs=arguments))


def settings(**changes: Any) -> VllmSettings:
    arguments: dict[str, Any] = {
        "model": "a/name-on-a-hub",
        "load_format": "auto",
        "quantization": None,
        "data_type": None,
        "has_prefix_cache": True,
        "tensor_parallel_size": 1,
        "max_model_len": None,
        "max_batch": 256,
        "gpu_memory_share": None,
        "enforce_eager": False,
        "skip_tokenizer": True,
        **changes,
    }
    return VllmSettings(**arguments)


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    """Before vLLM is imported, which takes seconds."""
    with pytest.raises(SettingsError, match="holds no config"):
        settings(model=str(tmp_path))
    with pytest.raises(SettingsError, match="is no folder; give a folder with a config"):
        settings(model=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        ({"max_batch": 0}, "max_batch is 0; it must be at least 1"),
        ({"max_model_len": -1}, "max_model_len is -1"),
        ({"tensor_parallel_size": 0}, "tensor_parallel_size is 0"),
        ({"gpu_memory_share": 1.5}, "gpu_memory_share is 1.5; it must be above 0 and at most 1"),
    ],
)
def test_arguments_outside_their_range_are_refused(arguments: dict[str, Any], because: str) -> None:
    """With the value and what is right."""
    with pytest.raises(SettingsError, match=because):
        settings(**arguments)


@pytest.mark.parametrize(
    ("extra", "because"),
    [
        ({"max_num_seqs": 2}, "max_num_seqs, which VllmEngine sets itself"),
        ({"max_sequences": 2}, "max_sequences, which vLLM 0.99 does not know"),
    ],
)
@pytest.mark.usefixtures("vllm")
def test_extra_arguments_must_be_vllm_s_and_no_second_value(extra: dict[str, Any], because: str) -> None:
    """Neither is passed over in silence."""
    with pytest.raises(SettingsError, match=because):
        settings().arguments(extra)


@pytest.mark.usefixtures("vllm")
def test_what_is_left_open_is_left_to_vllm() -> None:
    """Its own length and share of memory; what is given goes by vLLM's names."""
    left_open = settings().arguments({"kv_cache_dtype": "fp8"})
    given = settings(max_model_len=64, gpu_memory_share=0.5).arguments({})
    assert left_open["kv_cache_dtype"] == "fp8"
    assert given.keys() - left_open.keys() == {"max_model_len", "gpu_memory_utilization"}
